"""The form by which staff match the columns of an export whose headers Nova does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channels.adapter import DocumentError
from channels.columns import Suggestion, read_table_for_matching, suggest_columns
from channels.registry import get_adapter
from ledger.models import LedgerIntake

PREFIX = "column:"
SAMPLE_ROWS = 4


@dataclass(frozen=True)
class ColumnChoice:
    """One column that Nova needs, with the headers to choose from. `why` explains the suggestion, `level` is high, medium, low or ""."""

    code: str
    label: str
    kind: str
    required: bool
    chosen: str
    why: str
    level: str
    options: Sequence[tuple[str, str]]

    @property
    def name(self) -> str:
        return PREFIX + self.code


def column_choices(intake: LedgerIntake) -> tuple[Sequence[str], list[Sequence[str]], list[ColumnChoice]]:
    """Headers of the document, its first rows, and one choice per column that its kind knows, with a suggestion each."""
    document = intake.document
    kind = get_adapter(document.shop.channel).kinds[str(intake.result.get("kind"))]
    headers = [str(header) for header in intake.result.get("headers", ())]
    try:
        rows = [cells for _number, cells in read_table_for_matching(document.content(), document.filename, headers).rows]
    except DocumentError:
        rows = []
    samples: list[Sequence[str]] = list(rows[:SAMPLE_ROWS])
    options = [
        ("", "not in this file"),
        *((header_value(headers, place), _option(headers, place, rows[:50])) for place in range(len(headers))),
    ]
    suggested = {found.column: found for found in suggest_columns(kind, headers, rows)} if rows else {}
    choices = []
    for column in kind.columns:
        found = suggested.get(column.code)
        choices.append(
            ColumnChoice(
                code=column.code,
                label=column.label,
                kind=column.kind,
                required=column.required,
                chosen=header_value(headers, found.place) if found else "",
                why=_why(found) if found else "",
                level=found.level if found else "",
                options=options,
            )
        )
    return headers, samples, choices


def _why(found: Suggestion) -> str:
    """The reason of a suggestion as a sentence, with how sure it is."""
    words = {"high": "Sure", "medium": "Likely", "low": "A guess"}[found.level]
    reason = found.reason.strip().rstrip(".")
    return f"{words}: {reason}." if reason else f"{words}."


def header_value(headers: Sequence[str], place: int) -> str:
    """What stands for a header in a match: its text when that is unique, else its 0-based position."""
    text = headers[place]
    return text if text.strip() and headers.count(text) == 1 and not text.isdigit() else str(place)


def _option(headers: Sequence[str], place: int, rows: Sequence[Sequence[str]]) -> str:
    example = next((cells[place] for cells in rows if place < len(cells) and cells[place].strip()), "")
    name = headers[place].strip() or f"column {place + 1}"
    return f"{name} (such as {example[:40]})" if example else name
