"""The layout of the P&L as data: its sections, the subtotals between them, and the ratios with a fixed meaning.

Sections and their categories are those of `FeeCategory.section`; the codes behind ratios are those of the product's chart
of categories (84 codes), so that a ratio means the same in every company and on every channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from ledger.models.categories import FeeCategory, Section
from ledger.pnl import ZERO, Cell, Report, exact_sum
from ledger.pnl_labels import period_label
from ledger.pnl_question import PERIODS, Dimension, period_end, periods_between

TOTAL = "total"


class RowKind(StrEnum):
    HEADING = "heading"
    CATEGORY = "category"
    SUBTOTAL = "subtotal"
    RATIO = "ratio"


@dataclass(frozen=True)
class Subtotal:
    """A sum of all sections above it, or, with sections of its own, of those."""

    key: str
    label: str
    sections: tuple[str, ...]


@dataclass(frozen=True)
class Ratio:
    """A share of a subtotal. `part` says which categories are in the numerator, by (code, section); costs count plus.

    `needs` is a section without whose money the share would mislead and is not told.
    """

    key: str
    label: str
    part: Callable[[str, str], bool]
    of: str
    cost: bool = True
    needs: Section | None = None


_NET_SALES = (Section.GROSS_SALES, Section.DISCOUNTS, Section.REFUNDS)
_GROSS_PROFIT = (*_NET_SALES, Section.COST_OF_GOODS)
_CONTRIBUTION_1 = (*_GROSS_PROFIT, Section.PLATFORM, Section.FULFILMENT)
_CONTRIBUTION_2 = (*_CONTRIBUTION_1, Section.ADS, Section.CREATORS)
_OPERATING = (*_CONTRIBUTION_2, Section.OTHER, Section.OVERHEADS)
_RESULT = (*_OPERATING, Section.FINANCE)


def _subtotal(key: str, label: str, sections: Sequence[Section]) -> Subtotal:
    return Subtotal(key, label, tuple(section.value for section in sections))


#: The lines of the P&L from top to bottom.
LAYOUT: tuple[Section | Subtotal, ...] = (
    *_NET_SALES,
    _subtotal("net_sales", "Net sales", _NET_SALES),
    Section.COST_OF_GOODS,
    _subtotal("gross_profit", "Gross profit", _GROSS_PROFIT),
    Section.PLATFORM,
    Section.FULFILMENT,
    _subtotal("contribution_1", "Contribution 1 (before marketing)", _CONTRIBUTION_1),
    Section.ADS,
    Section.CREATORS,
    _subtotal("contribution_2", "Contribution 2", _CONTRIBUTION_2),
    Section.OTHER,
    Section.OVERHEADS,
    _subtotal("operating_profit", "Operating profit", _OPERATING),
    Section.FINANCE,
    _subtotal("result", "Result after finance", _RESULT),
)
SUBTOTALS: Mapping[str, Subtotal] = {line.key: line for line in LAYOUT if isinstance(line, Subtotal)}


def _of_sections(*sections: Section) -> Callable[[str, str], bool]:
    wanted = {section.value for section in sections}
    return lambda _code, section: section in wanted


#: What every P&L is compared by. Attributed sales (paid and creator ROAS) are the creators' reports, not the layout's.
RATIOS: tuple[Ratio, ...] = (
    Ratio("take_rate", "Take rate", lambda code, _section: code.startswith(("plt.", "pay.")), "net_sales"),
    Ratio("fulfilment_rate", "Fulfilment rate", _of_sections(Section.FULFILMENT), "net_sales"),
    Ratio("ads_rate", "Ads rate", lambda code, _section: code.startswith("mkt.ads_"), "net_sales"),
    Ratio("creator_rate", "Creator rate", _of_sections(Section.CREATORS), "net_sales"),
    Ratio(
        "gross_margin",
        "Gross margin",
        _of_sections(*_GROSS_PROFIT),
        "net_sales",
        cost=False,
        needs=Section.COST_OF_GOODS,
    ),
    Ratio("contribution_1_margin", "Contribution 1 margin", _of_sections(*_CONTRIBUTION_1), "net_sales", cost=False),
    Ratio("contribution_2_margin", "Contribution 2 margin", _of_sections(*_CONTRIBUTION_2), "net_sales", cost=False),
    Ratio("operating_margin", "Operating margin", _of_sections(*_OPERATING), "net_sales", cost=False),
)


@dataclass(frozen=True)
class Row:
    """One line. `amounts` stand in the order of the columns: exact money, or for a ratio a fraction (None without net sales).

    `categories` are the codes whose money the row adds up: filters for what stands behind it.
    """

    kind: RowKind
    label: str
    code: str
    level: int
    amounts: tuple[Decimal | None, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The P&L as a table. `columns` are keys of the column dimension, `TOTAL` for the sum over all of them."""

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


def layout(report: Report, *, total: bool = False, ratios: bool = True) -> Table:
    """The rows of a report broken down by (a column dimension, category) or by category alone (one column).

    Months, weeks or days without money between the first and the last are columns, too. `total` adds their sum.

    Raises:
        ValueError: the report is broken down otherwise.
    """
    by = report.question.by
    if not by or by[-1] is not Dimension.CATEGORY or len(by) > 2:
        raise ValueError(f"The layout needs a report by one dimension and category, not by {', '.join(by) or 'nothing'}.")
    across = by[0] if len(by) == 2 else None
    columns, labels = _columns(report, across)
    if across and total and len(columns) != 1:
        columns, labels = [*columns, TOTAL], [*labels, "Total"]
    sums: dict[str, dict[str, list[Cell]]] = {}
    for cell in report.cells:
        row = sums.setdefault(cell.keys[-1], {})
        row.setdefault(cell.keys[0] if across else TOTAL, []).append(cell)
        if across:
            row.setdefault(TOTAL, []).append(cell)
    categories = {
        row.code: row
        for row in FeeCategory.objects.filter(code__in=list(sums))
        .only("code", "name", "section", "position")
        .order_by("position")
    }
    amounts = {
        code: tuple(exact_sum(cell.amount for cell in sums[code].get(column, ())) for column in columns) for code in categories
    }
    rows: list[Row] = []
    for line in LAYOUT:
        if isinstance(line, Subtotal):
            codes = tuple(code for code, row in categories.items() if row.section in line.sections)
            rows.append(Row(RowKind.SUBTOTAL, line.label, line.key, 0, _add(amounts, codes, len(columns)), codes))
            continue
        codes = tuple(code for code, row in categories.items() if row.section == line.value)
        rows.append(Row(RowKind.HEADING, str(line.label), line.value, 0, _add(amounts, codes, len(columns)), codes))
        rows += [Row(RowKind.CATEGORY, categories[code].name, code, 1, amounts[code], (code,)) for code in codes]
    if ratios:
        sum_at = columns.index(TOTAL) if across and TOTAL in columns else None
        rows += [_ratio(ratio, categories, amounts, len(columns), sum_at) for ratio in RATIOS]
    return Table(tuple(columns), tuple(labels), tuple(rows))


def lacking(ratio: Ratio, held: Sequence[bool], total: int | None) -> list[bool]:
    """Per column whether a ratio is not told, from whether the column holds money of the section that it needs.

    The sum over all columns (at `total`, None without one) needs it in each column.
    """
    if ratio.needs is None:
        return [False] * len(held)
    return [not all(held) if place == total else not here for place, here in enumerate(held)]


def _columns(report: Report, across: Dimension | None) -> tuple[list[str], list[str]]:
    if across is None:
        return [TOTAL], ["Total"]
    found = list(dict.fromkeys(cell.keys[0] for cell in report.cells))
    words = report.labels.get(across, {})
    if across not in PERIODS:
        return found, [words.get(key, key) for key in found]
    days = [date.fromisoformat(key) for key in found if key]
    if not days:
        return found, [words.get(key, key) for key in found]
    every = list(periods_between(across, days[0], period_end(across, days[-1])))
    columns = [day.isoformat() for day in every]
    labels = [period_label(across, day) for day in every]
    if "" in found:
        columns, labels = [*columns, ""], [*labels, words[""]]
    return columns, labels


def _add(amounts: Mapping[str, tuple[Decimal, ...]], codes: Sequence[str], width: int) -> tuple[Decimal, ...]:
    return tuple(exact_sum(amounts[code][place] for code in codes) for place in range(width))


def _ratio(
    ratio: Ratio,
    categories: Mapping[str, FeeCategory],
    amounts: Mapping[str, tuple[Decimal, ...]],
    width: int,
    sum_at: int | None,
) -> Row:
    codes = tuple(code for code, row in categories.items() if ratio.part(code, row.section))
    base = tuple(code for code, row in categories.items() if row.section in SUBTOTALS[ratio.of].sections)
    parts, wholes = _add(amounts, codes, width), _add(amounts, base, width)
    needed = [code for code, row in categories.items() if row.section == ratio.needs]
    # A column without sales has no ratio anyway, and does not keep the sum from having one.
    held = [not wholes[place] or any(amounts[code][place] for code in needed) for place in range(width)]
    values = tuple(
        ((-part if ratio.cost else part) / whole + ZERO) if whole > 0 and not lacks else None
        for part, whole, lacks in zip(parts, wholes, lacking(ratio, held, sum_at), strict=True)
    )
    return Row(RowKind.RATIO, ratio.label, ratio.key, 0, values, codes)
