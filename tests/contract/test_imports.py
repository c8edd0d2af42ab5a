"""A channel folder knows the contract, the records and small tools: no database, no reader of its records, no other channel."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import channels
from channels.registry import adapters

HERE = Path(channels.__file__).parent
#: Modules of Nova that any channel may use; they import no Django themselves.
SHARED = ("channels.adapter", "channels.records", "channels.tables", "channels.archives", "nova.money")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports say where from"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module in ("channels", "nova") else (module,)
            yield from (f"{module}.{alias.name}" for alias in node.names if module == f"channels.{path.parent.name}")


def test_a_channel_imports_only_itself_and_the_shared_tools(code):
    others = set(adapters()) - {code}
    for path in sorted((HERE / code).glob("*.py")):
        for name in _imports(path):
            top = name.split(".")[0]
            assert top not in ("django", "ledger", "inventory", "creators", "rest_framework", "requests"), (
                f"{path.name} imports {name}"
            )
            if top in ("channels", "nova"):
                own = name == f"channels.{code}" or name.startswith(f"channels.{code}.")
                assert own or name in SHARED, f"{path.name} imports {name}"
            assert not any(name.startswith(f"channels.{other}") for other in others)


def test_a_channel_folder_holds_its_adapter_and_its_proposals(code):
    assert (HERE / code / "adapter.py").is_file() and (HERE / code / "fees.csv").is_file()
