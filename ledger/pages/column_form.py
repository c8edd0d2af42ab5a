"""The form by which staff match the columns of an export whose headers Nova does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.adapter import Column
from channels.models import Document
from channels.preview import preview_document
from channels.registry import get_adapter
from ledger.models import LedgerIntake

PREFIX = "column:"
SAMPLE_ROWS = 4


@dataclass(frozen=True)
class ColumnChoice:
    """One column that Nova needs, with the headers to choose from. `why` explains the suggestion."""

    code: str
    label: str
    kind: str
    required: bool
    chosen: str
    why: str
    options: Sequence[tuple[str, str]]

    @property
    def name(self) -> str:
        return PREFIX + self.code


def column_choices(intake: LedgerIntake) -> tuple[Sequence[str], list[Sequence[str]], list[ColumnChoice]]:
    """Headers of the document, its first rows, and one choice per column that its kind knows, with a suggestion each."""
    document = intake.document
    kind = get_adapter(document.shop.channel).kinds[str(intake.result.get("kind"))]
    headers = [str(header) for header in intake.result.get("headers", ())]
    shown = preview_document(document)
    samples = [cells for _number, cells in shown.rows[:SAMPLE_ROWS]] if shown.shape == "table" else []
    options = [
        ("", "not in this file"),
        *((header_value(headers, place), _option(headers, place, samples)) for place in range(len(headers))),
    ]
    suggested = suggestion(document, kind.columns, headers)
    choices = []
    for column in kind.columns:
        chosen, why = suggested.get(column.code, ("", ""))
        choices.append(ColumnChoice(column.code, column.label, column.kind, column.required, chosen, why, options))
    return headers, samples, choices


def header_value(headers: Sequence[str], place: int) -> str:
    """What stands for a header in a match: its text when that is unique, else its 0-based position."""
    text = headers[place]
    return text if text.strip() and headers.count(text) == 1 and not text.isdigit() else str(place)


def _option(headers: Sequence[str], place: int, samples: Sequence[Sequence[str]]) -> str:
    example = next((cells[place] for cells in samples if place < len(cells) and cells[place].strip()), "")
    name = headers[place].strip() or f"column {place + 1}"
    return f"{name} (such as {example[:40]})" if example else name


def suggestion(document: Document, columns: Sequence[Column], headers: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """A suggested header with the reason, by column code."""
    return {}
