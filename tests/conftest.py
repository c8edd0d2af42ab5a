"""How tests run: on real PostgreSQL (the embedded server, or DATABASE_URL), in a real browser where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# The browser's own loop must not make Django refuse plain database calls of the same thread.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def _browser_path() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def conformance_folder() -> Path | None:
    """The folder with `data/` and `facts/`, None when it is not at hand."""
    raw = os.environ.get("NOVA_CONFORMANCE", "")
    folder = Path(raw) if raw else None
    return folder.resolve() if folder and (folder / "data").is_dir() else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests marked slow (NOVA_SLOW=1 does the same)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = config.getoption("--slow") or os.environ.get("NOVA_SLOW") == "1"
    no_browser = "no Chromium on PATH (NOVA_REQUIRE_BROWSER=1 forbids this)"
    for item in items:
        if not slow and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
        if item.get_closest_marker("conformance") and conformance_folder() is None:
            item.add_marker(pytest.mark.skip(reason="NOVA_CONFORMANCE names no folder with data/ and facts/"))
        if item.get_closest_marker("browser") and _browser_path() is None and os.environ.get("NOVA_REQUIRE_BROWSER") != "1":
            item.add_marker(pytest.mark.skip(reason=no_browser))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if conformance_folder() is None:
        terminalreporter.write_line("Conformance tests were not run: NOVA_CONFORMANCE names no folder with data/ and facts/.")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The folder of public data and facts."""
    folder = conformance_folder()
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium of this machine."""
    path = _browser_path()
    if path is None:
        pytest.fail("NOVA_REQUIRE_BROWSER=1, but there is no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page, 1280 px wide; a script error on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, f"script errors on the page: {errors}"
