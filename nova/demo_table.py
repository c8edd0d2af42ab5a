"""The P&L of the demo as a table for the terminal."""

from __future__ import annotations

from decimal import Decimal

from rich.table import Table as RichTable
from rich.text import Text

from ledger.pnl import Report, answer
from ledger.pnl_layout import RowKind, layout
from ledger.pnl_question import Dimension, Question
from nova.models import Company
from nova.money import round_to_currency


def month_report(company: Company) -> Report:
    """The P&L by month and category, event clock, in the company's currency."""
    return answer(Question(company=company, by=(Dimension.MONTH, Dimension.CATEGORY)))


def terminal_table(report: Report, *, columns: int) -> RichTable:
    """The last months that fit and the total over all of them; categories without money are left out."""
    company = report.question.company
    table = layout(report, total=True)
    shown = [*range(len(table.columns))][-(columns + 1) :]
    currency = report.question.currency or company.currency
    rich = RichTable(
        title=f"{company.name}: profit and loss by month, {currency}, event date", title_justify="left", pad_edge=False
    )
    rich.add_column("")
    for place in shown:
        rich.add_column(table.labels[place], justify="right", no_wrap=True)
    for row in table.rows:
        if row.kind is RowKind.HEADING and not row.categories:
            continue
        style = {RowKind.SUBTOTAL: "bold", RowKind.HEADING: "bold cyan", RowKind.RATIO: "dim"}.get(row.kind, "")
        cells = [_cell(row.amounts[place], row.kind, currency) for place in shown]
        rich.add_row(Text("  " * row.level + row.label), *cells, style=style, end_section=row.kind is RowKind.SUBTOTAL)
    return rich


def _cell(amount: Decimal | None, kind: RowKind, currency: str) -> str:
    if amount is None:
        return "-"
    if kind is RowKind.RATIO:
        return f"{amount * 100:.1f} %"
    if kind is RowKind.HEADING:
        return ""
    rounded = round_to_currency(amount, currency)
    return f"{rounded:,.0f}" if rounded else "-"
