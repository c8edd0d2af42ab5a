"""Finds the channel folders. A fourth channel is one folder with `adapter.py` and `fees.csv`, and no other edit."""

from __future__ import annotations

import csv
import importlib
import pkgutil
from functools import cache
from pathlib import Path

from channels.adapter import Adapter, FeeProposal

_HERE = Path(__file__).parent


@cache
def adapters() -> dict[str, Adapter]:
    """All channels by code, in the order of their codes."""
    found: dict[str, Adapter] = {}
    for module in sorted(pkgutil.iter_modules([str(_HERE)]), key=lambda item: item.name):
        if module.ispkg and (_HERE / module.name / "adapter.py").exists():
            adapter = importlib.import_module(f"channels.{module.name}.adapter").adapter
            found[adapter.code] = adapter
    return found


def get_adapter(code: str) -> Adapter:
    """The adapter of a channel.

    Raises:
        LookupError: no folder for it.
    """
    try:
        return adapters()[code]
    except KeyError:
        raise LookupError(f"There is no channel {code!r}; known are {', '.join(adapters())}.") from None


def channel_choices() -> list[tuple[str, str]]:
    """(code, label) of every channel."""
    return [(code, adapter.label) for code, adapter in adapters().items()]


@cache
def fee_proposals(code: str) -> tuple[FeeProposal, ...]:
    """Nova's proposals for the raw fee names of a channel, from its fees.csv."""
    path = _HERE / get_adapter(code).code / "fees.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return tuple(
            FeeProposal(
                path=row["path"],
                name=row["name"],
                context=row["context"],
                marketplace=row["marketplace"],
                category=row["category"],
                confidence=row["confidence"],
                note=row["note"],
            )
            for row in csv.DictReader(handle)
        )
