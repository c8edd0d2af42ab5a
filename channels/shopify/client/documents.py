"""The GraphQL documents of `queries/`: each operation with the fragments it uses and no other, as Shopify demands."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "queries"
_DEFINITION = re.compile(r"^(query|mutation|fragment) (\w+)", re.MULTILINE)
_SPREAD = re.compile(r"\.\.\.\s*(?!on\b)(\w+)")
_COMMENT = re.compile(r"^\s*#.*\n?", re.MULTILINE)


@cache
def _files() -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """(operations, fragments) by file; bulk queries, which have no name, are not among them."""
    found = {}
    for path in sorted(FOLDER.glob("*.graphql")):
        text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
        starts = list(_DEFINITION.finditer(text))
        operations: dict[str, str] = {}
        fragments: dict[str, str] = {}
        for start, end in zip(starts, [*(after.start() for after in starts[1:]), len(text)], strict=False):
            body = text[start.start() : end].strip()
            (fragments if start[1] == "fragment" else operations)[start[2]] = body
        found[path.stem] = operations, fragments
    return found


@cache
def operations() -> dict[str, str]:
    """Every operation by its name, whole."""
    found: dict[str, str] = {}
    for own, fragments in _files().values():
        for name, text in own.items():
            if name in found:
                raise ValueError(f"{name} stands in two files")
            found[name] = "\n".join([text, *(fragments[used] for used in _used(text, fragments))])
    return found


def _used(text: str, fragments: dict[str, str]) -> list[str]:
    used: dict[str, None] = {}
    waiting = _SPREAD.findall(text)
    while waiting:
        name = waiting.pop(0)
        if name not in used:
            used[name] = None
            waiting += _SPREAD.findall(fragments[name])
    return list(used)


def is_mutation(name: str) -> bool:
    """Whether an operation changes something at Shopify."""
    return operations()[name].startswith("mutation")


@cache
def bulk_query(name: str) -> str:
    """A query that runs as a bulk operation ("orders", "stock")."""
    return _COMMENT.sub("", (FOLDER / f"bulk_{name}.graphql").read_text(encoding="utf-8")).strip()
