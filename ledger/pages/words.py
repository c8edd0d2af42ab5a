"""The words of the P&L pages: heads of periods, rows in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ledger.pages.asked import WORDS, Asked
from ledger.pnl import Dimension
from ledger.pnl_labels import NOT_PAID, period_label
from ledger.pnl_question import period_end


def column_label(dimension: Dimension, key: str) -> str:
    """The head of a period's column."""
    return period_label(dimension, date.fromisoformat(key)) if key else NOT_PAID


def period_keys(dimension: Dimension, keys: Iterable[str]) -> list[str]:
    """The periods from the first to the last of `keys`, those without money too; what has none stands last."""
    known = sorted({key for key in keys if key})
    if not known:
        return sorted(set(keys))
    found = []
    day, last = date.fromisoformat(known[0]), date.fromisoformat(known[-1])
    while day <= last:
        found.append(day.isoformat())
        day = period_end(dimension, day)
    return found + ([""] if "" in set(keys) else [])


def in_sentence(word: str) -> str:
    """A word of the screen inside a sentence: "category", but "SKU"."""
    return word if word.isupper() else word[0].lower() + word[1:]


def row_words(asked: Asked) -> str:
    """ "category, then shop"."""
    return ", then ".join(in_sentence(WORDS[row]) for row in asked.rows)
