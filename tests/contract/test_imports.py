"""A channel folder knows the contract, the records and small tools: no database, no reader of its records, no other channel.

Two halves: what reads documents is pure, what talks to the channel (sign-in, calls, webhooks) may use HTTP and the settings.
The first half never imports the second.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import channels
from channels.registry import adapters

HERE = Path(channels.__file__).parent
CHANNELS = tuple(f"channels.{code}" for code in adapters())
#: Modules of Nova that any channel may use; they import no Django themselves.
SHARED = ("channels.adapter", "channels.records", "channels.tables", "channels.archives", "nova.money")
#: What talks to the channel, and what only that half may use.
TALKING = ("auth", "client", "errors", "limits", "webhook")
SHARED_TALKING = ("channels.fetched", "nova.http")
NEVER = ("ledger", "inventory", "creators", "rest_framework")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports say where from"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module in ("channels", "nova") else (module,)
            yield from (f"{module}.{alias.name}" for alias in node.names if module in CHANNELS)


def _talks(path: Path, code: str) -> bool:
    return path.relative_to(HERE / code).parts[0].removesuffix(".py") in TALKING


def test_a_channel_imports_only_itself_and_the_shared_tools(code):
    others = set(adapters()) - {code}
    for path in sorted((HERE / code).rglob("*.py")):
        talks = _talks(path, code)
        for name in _imports(path):
            said = f"{path.relative_to(HERE)} imports {name}"
            top = name.split(".")[0]
            assert top not in NEVER, said
            assert not any(name.startswith(f"channels.{other}") for other in others), said
            if top in ("django", "requests"):
                assert talks and not name.startswith("django.db"), said
            if top in ("channels", "nova"):
                own = name == f"channels.{code}" or name.startswith(f"channels.{code}.")
                assert own or name in SHARED or (talks and name.startswith(SHARED_TALKING)), said
                if own and not talks:
                    rest = name.removeprefix(f"channels.{code}").strip(".").split(".")[0]
                    assert rest not in TALKING, said


def test_a_channel_folder_holds_its_adapter_and_its_proposals(code):
    assert (HERE / code / "adapter.py").is_file() and (HERE / code / "fees.csv").is_file()
