"""The README names what there is: environment variables, commands, the two commands of a newcomer."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Read by the tests only; the README tells them in a sentence below the table.
FOR_TESTS = {"NOVA_SLOW", "NOVA_REQUIRE_BROWSER", "NOVA_CONFORMANCE"}
_READ = re.compile(
    r"""(?:env\.\w+|env|_secret|_host|environ\.get|getenv)\(\s*f?["']([A-Z][A-Z0-9_]+)["']|environ\[["']([A-Z][A-Z0-9_]+)["']\]"""
)


def read_by_nova() -> set[str]:
    found: set[str] = set()
    for app in ("nova", "channels", "inventory", "ledger", "creators"):
        for path in (ROOT / app).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found |= {first or second for first, second in _READ.findall(text)}
            found |= {f"{name}_FILE" for name in re.findall(r'_secret\("([A-Z_]+)"', text)}
    return found - {"DJANGO_SETTINGS_MODULE"}


def test_the_table_of_environment_variables_is_what_nova_reads():
    table = README.split("## Environment variables")[1].split("\n## ")[0]
    assert set(re.findall(r"`(NOVA_[A-Z_]+|DATABASE_URL)`", table)) - FOR_TESTS == read_by_nova()
    assert set(re.findall(r"`(NOVA_[A-Z_]+)(?:=1)?`", table)) >= FOR_TESTS


def test_the_two_commands_of_a_newcomer_are_written_as_they_are():
    assert "pip install uv && uv run manage.py demo\n" in README
    assert "pip install uv && uv run pytest\n" in README


def test_every_command_of_the_table_exists():
    table = README.split("## Commands")[1].split("\n## ")[0]
    named = {words.split()[0] for words in re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)}
    assert named and named <= set(get_commands())


def test_the_picture_and_the_licence_are_there():
    for name in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / name).is_file(), name
    assert (ROOT / "nova/static/nova/pnl.png").read_bytes().startswith(b"\x89PNG")
