"""What must be said beside a P&L so that its figures are not taken for more than they are."""

from __future__ import annotations

from channels import registry
from channels.models import Shop
from ledger.models.categories import FeeCategory, Section
from ledger.models.rollups import Clock
from ledger.pnl import Report
from ledger.pnl_labels import NOT_PAID
from ledger.pnl_layout import SUBTOTALS, TOTAL
from ledger.pnl_question import PERIODS, UNIFIED, Dimension

#: What must stand beside a P&L that holds sales but no cost of goods: its profit lines would be taken for more than they are.
COST_UNKNOWN = "Cost of goods is not known yet: profit lines are before cost of goods."
COST_INCOMPLETE = "Cost of goods is not known for every column: where it is a dash, profit lines are before cost of goods."


def cost_remark(report: Report) -> str:
    """What to say of the cost of goods beside a P&L, "" when nothing: `COST_UNKNOWN` or, by column, `COST_INCOMPLETE`.

    A report that is not by section or category does not tell, and one that is limited to some of them is not a whole P&L.
    """
    by = report.question.by
    told = next((dimension for dimension in (Dimension.SECTION, Dimension.CATEGORY) if dimension in by), None)
    narrowed = any(
        report.question.filters.get(dimension) for dimension in (Dimension.SECTION, Dimension.CATEGORY, Dimension.FEE_TYPE)
    )
    if told is None or narrowed or not report.cells:
        return ""
    place = by.index(told)
    across = by.index(column) if (column := next((word for word in by if word in PERIODS), None)) else None
    sections = dict(FeeCategory.objects.values_list("code", "section")) if told is Dimension.CATEGORY else {}
    sold, costed = set(), set()
    for cell in report.cells:
        section = sections.get(cell.keys[place], "") if sections else cell.keys[place]
        key = cell.keys[across] if across is not None else TOTAL
        if section == Section.COST_OF_GOODS:
            costed.add(key)
        elif section in SUBTOTALS["net_sales"].sections:
            sold.add(key)
    if not sold or sold <= costed:
        return ""
    return COST_INCOMPLETE if costed else COST_UNKNOWN


def payout_remark(report: Report) -> str:
    """What to say on the paid clock of shops whose sales are told by orders, "" when there are none or on another clock.

    An order is on no statement: only the payments of it are, and they clear what the buyer owes. So the paid clock has no
    day for its sales, although the money has been paid out.
    """
    question = report.question
    if question.clock != Clock.PAID or not report.cells:
        return ""
    by_orders = [
        code
        for code, adapter in registry.adapters().items()
        if adapter.revenue_kinds
        and question.scope in (UNIFIED, code)
        and code in (question.filters.get(Dimension.CHANNEL) or (code,))
    ]
    shops = Shop.objects.filter(company=question.company, channel__in=by_orders).exclude(code__in=report.cash_side_only)
    wanted = question.filters.get(Dimension.SHOP)
    names = [name for code, name in shops.order_by("name").values_list("code", "name") if not wanted or code in wanted]
    if not names:
        return ""
    return (
        f"Sales and refunds of {', '.join(names)} are told by orders, which are on no statement: they stand under "
        f'"{NOT_PAID}" also when the payout has come. Read them by event or posting date.'
    )
