"""The P&L in a terminal, and as plain values for machines."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

from ledger.pnl import Report, display, exact_sum
from ledger.pnl_labels import NONE_LABELS
from ledger.pnl_layout import Row, RowKind, layout
from ledger.pnl_question import PERIODS, Dimension
from ledger.pnl_remarks import cost_remark, payout_remark
from nova.money import ZERO, currency_digits

_CLOCKS = {"event": "event date", "posted": "posting date", "paid": "payout date"}
_STYLES = {RowKind.HEADING: "bold", RowKind.SUBTOTAL: "bold green", RowKind.RATIO: "italic", RowKind.CATEGORY: ""}


def has_layout(report: Report) -> bool:
    """Whether the report can be shown in the P&L's own layout: by category, or by one dimension and category."""
    return bool(report.question.by) and len(report.question.by) <= 2 and report.question.by[-1] is Dimension.CATEGORY


def print_report(report: Report, console: Console) -> None:
    """Print a report as a table: the P&L's layout where it fits, else one row per cell with periods as columns.

    The console is widened to the table, so that no figure is cut when the output goes into a file.
    """
    grid = _layout_grid(report) if has_layout(report) else _flat_grid(report)
    if not console.is_terminal or console.width < 60:
        console.width = max(console.width, console.measure(grid, options=console.options.update(width=10_000)).maximum + 1)
    console.print(_title(report), soft_wrap=True, style="bold")
    console.print(grid if report.cells else "There is no money in this P&L yet.")
    for sentence in remarks(report):
        console.print(sentence, soft_wrap=True)


def _title(report: Report) -> str:
    question = report.question
    span = ""
    if question.start or question.end:
        span = (f", from {question.start}" if question.start else "") + (f", before {question.end}" if question.end else "")
    scope = "" if question.scope == "unified" else f", {question.scope} page"
    return f"P&L of {question.company.name}, {report.currency}, by {_CLOCKS[str(question.clock)]}{scope}{span}"


def remarks(report: Report) -> list[str]:
    """What must be said beside the figures: shares, shops left out, money without a rate, translation."""
    found = [remark for remark in (cost_remark(report), payout_remark(report)) if remark]
    if report.share_settled is not None and report.share_mapped is not None and report.share_provisional is not None:
        found.append(
            f"Settled {percent(report.share_settled)}, on approved rules {percent(report.share_mapped)}, "
            f"event date provisional {percent(report.share_provisional)}. As of {report.as_of:%Y-%m-%d %H:%M} UTC."
        )
    if report.translated:
        found.append(f"Translated into {report.currency} at the rates of the event days.")
    for currency, amount in report.unrated:
        found.append(f"Not in the figures for want of an exchange rate: {display(amount, currency)} {currency}.")
    if report.cash_side_only:
        names = ", ".join(report.shop_names.get(code, code) for code in report.cash_side_only)
        found.append(f"Cash side only, left out until their orders are imported: {names}.")
    return found


def percent(share: Decimal) -> str:
    """A share as "98.3 %"; what is not quite all is never rounded up to all, nor a little down to nothing."""
    rounded = round(share * 100, 1)
    if rounded == 100 and share < 1:
        return "99.9 %"
    if rounded == 0 and share > 0:
        return "0.1 %"
    return f"{rounded} %"


def _layout_grid(report: Report) -> Grid:
    table = layout(report, total=True)
    grid = Grid(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    grid.add_column(report.currency, no_wrap=True)
    for label in table.labels:
        grid.add_column(label, justify="right", no_wrap=True)
    last = RowKind.HEADING
    for row in table.rows:
        if row.kind is RowKind.RATIO and last is not RowKind.RATIO:
            grid.add_section()
        grid.add_row("  " * row.level + row.label, *_figures(row, report.currency), style=_STYLES[row.kind])
        last = row.kind
    return grid


def _figures(row: Row, currency: str) -> list[str]:
    if row.kind is RowKind.RATIO:
        return [
            "\N{EN DASH}" if amount is None else f"{amount * 100:.1f} %".replace("-", "\N{MINUS SIGN}") for amount in row.amounts
        ]
    return [display(amount or ZERO, currency) for amount in row.amounts]


def _flat_grid(report: Report) -> Grid:
    by = report.question.by
    across = next((dimension for dimension in by if dimension in PERIODS), None)
    rows: dict[tuple[str, ...], dict[str, Decimal]] = {}
    for cell in report.cells:
        column = cell.keys[by.index(across)] if across else ""
        key = tuple(key for dimension, key in zip(by, cell.keys, strict=True) if dimension is not across)
        rows.setdefault(key, {})[column] = cell.amount
    columns = sorted({column for row in rows.values() for column in row}, key=lambda column: (column == "", column))
    grid = Grid(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    shown = [dimension for dimension in by if dimension is not across]
    for dimension in shown:
        grid.add_column(dimension.replace("_", " ").capitalize(), no_wrap=True)
    for column in columns:
        grid.add_column(_label(report, across, column) if across else report.currency, justify="right", no_wrap=True)
    if across and len(columns) > 1:
        grid.add_column("Total", justify="right", no_wrap=True)
    before: Sequence[str] = ()
    for key in _in_order(report, shown, rows):
        words = [
            ""
            if tuple(before[: place + 1]) == key[: place + 1] and place < len(key) - 1
            else _label(report, dimension, key[place])
            for place, dimension in enumerate(shown)
        ]
        figures = [display(rows[key].get(column, ZERO), report.currency) for column in columns]
        if across and len(columns) > 1:
            figures.append(display(exact_sum(rows[key].values()), report.currency))
        grid.add_row(*words, *figures)
        before = key
    return grid


def _in_order(
    report: Report, shown: Sequence[Dimension], rows: dict[tuple[str, ...], dict[str, Decimal]]
) -> list[tuple[str, ...]]:
    """Rows in the order of the report's cells, dimension by dimension (a period before them would mix the order)."""
    by = report.question.by
    places: list[dict[str, int]] = []
    for dimension in shown:
        number = by.index(dimension)
        keys = dict.fromkeys(cell.keys[number] for cell in report.cells)
        places.append({key: place for place, key in enumerate(keys)})
    return sorted(rows, key=lambda key: [places[number][word] for number, word in enumerate(key)])


def _label(report: Report, dimension: Dimension | None, key: str) -> str:
    if dimension is None:
        return key
    return report.labels.get(dimension, {}).get(key) or key or NONE_LABELS.get(dimension, "None")


def exact_text(amount: Decimal, currency: str) -> str:
    """An amount as exact text: at least the decimals of its currency, more only where they are not zero."""
    exponent = amount.as_tuple().exponent
    digits = -exponent if isinstance(exponent, int) else 0
    text = f"{amount:.{max(digits, currency_digits(currency))}f}"
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(currency_digits(currency), "0")
    return f"{whole}.{decimals}" if decimals else whole


def as_values(report: Report) -> dict[str, Any]:
    """The report for `--json`: amounts and shares are strings, exact; every cell has its key under each dimension's name."""
    question, currency = report.question, report.currency

    def text(amount: Decimal) -> str:
        return exact_text(amount, currency)

    def share(value: Decimal | None) -> str | None:
        return None if value is None else f"{value:.6f}"

    found: dict[str, Any] = {
        "company": question.company.code,
        "currency": currency,
        "translated": report.translated,
        "clock": str(question.clock),
        "scope": question.scope,
        "by": [str(dimension) for dimension in question.by],
        "from": question.start.isoformat() if question.start else None,
        "to": question.end.isoformat() if question.end else None,
        "as_of": report.as_of.isoformat(),
        "share_settled": share(report.share_settled),
        "share_mapped": share(report.share_mapped),
        "share_provisional": share(report.share_provisional),
        "unrated": [{"currency": code, "amount": exact_text(amount, code)} for code, amount in report.unrated],
        "cash_side_only": list(report.cash_side_only),
        "labels": {str(dimension): dict(words) for dimension, words in report.labels.items()},
        "total": text(exact_sum(cell.amount for cell in report.cells)),
        "cells": [
            {
                **{str(dimension): key for dimension, key in zip(question.by, cell.keys, strict=True)},
                "amount": text(cell.amount),
                "settled": text(cell.settled),
                "unmapped": text(cell.unmapped),
                "provisional": text(cell.provisional),
                "quantity": f"{cell.quantity:f}",
                "lines": cell.lines,
            }
            for cell in report.cells
        ],
    }
    if has_layout(report):
        table = layout(report, total=True)
        found["layout"] = [
            {
                "kind": row.kind.value,
                "code": row.code,
                "label": row.label,
                "amounts": {
                    column: None if amount is None else f"{amount:.6f}" if row.kind is RowKind.RATIO else text(amount)
                    for column, amount in zip(table.columns, row.amounts, strict=True)
                },
            }
            for row in table.rows
        ]
    return found
