"""What browser tests share: signing in and out on a live server, pictures when asked for (NOVA_SCREENSHOTS names a folder).

The server runs in a thread of its own, so the database is emptied after each test; what the migrations put into it is put
back before the next. (Django's serialized rollback cannot: the browser's loop gives the thread another connection.)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from ledger import fee_types
from ledger.models import FeeCategory
from nova.models import User


@pytest.fixture(autouse=True)
def _reference_data(live_server: Any) -> None:
    """The categories, which come by data migration, and no memory of fee types that are gone. Roles come back by themselves."""
    fee_types._cache.clear()
    if not FeeCategory.objects.exists():
        import_module("ledger.migrations.0003_categories").load(apps, None)


@pytest.fixture
def sign_in(page: Any, live_server: Any) -> Callable[[User], None]:
    """Sign a user in through the form; whoever was signed in before is signed out. The password is the user name."""

    def enter(user: User) -> None:
        page.context.clear_cookies()
        page.goto(f"{live_server.url}/admin/login/?next=/admin/")
        page.fill("[name=username]", user.username)
        page.fill("[name=password]", user.username)
        page.click("[type=submit]")
        page.wait_for_url(f"{live_server.url}/admin/")

    return enter


@pytest.fixture
def picture(page: Any) -> Callable[[str], None]:
    """Keep pictures of the page as it is: wide, narrow and dark. Does nothing unless NOVA_SCREENSHOTS is set."""
    folder = os.environ.get("NOVA_SCREENSHOTS", "")

    def take(name: str) -> None:
        if not folder:
            return
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target / f"{name}-wide.png", full_page=True)
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(300)
        page.screenshot(path=target / f"{name}-narrow.png", full_page=True)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.evaluate("document.documentElement.classList.add('dark')")
        page.wait_for_timeout(200)
        page.screenshot(path=target / f"{name}-dark.png", full_page=True)
        page.evaluate("document.documentElement.classList.remove('dark')")

    return take
