"""The chart of the P&L page: bars per line of the P&L and period, with contribution 2 as a line; its numbers as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.models import FeeCategory, Section
from ledger.pages.asked import LAYOUT_ROWS, Asked
from ledger.pages.words import column_label, period_keys
from ledger.pnl import Dimension, Report, answer, exact_sum
from ledger.pnl_layout import SUBTOTALS
from nova.money import ZERO, round_to_currency


@dataclass(frozen=True)
class Chart:
    """Periods, money per line of the P&L, and contribution 2; exact, in `currency`."""

    labels: list[str]
    series: dict[str, list[Decimal]]
    line: list[Decimal]
    currency: str

    @property
    def picture(self) -> dict[str, Any]:
        """What the script draws: numbers rounded to the currency (a picture needs no more; the exact ones are beside it)."""

        def plain(values: list[Decimal]) -> list[float]:
            return [float(round_to_currency(value, self.currency)) for value in values]

        return {
            "labels": self.labels,
            "currency": self.currency,
            "bars": [
                {"section": section, "label": Section(section).label, "values": plain(values)}
                for section, values in self.series.items()
            ],
            "line": {"label": SUBTOTALS["contribution_2"].label, "values": plain(self.line)},
        }

    @property
    def rows(self) -> list[tuple[str, list[Decimal]]]:
        """The numbers, one row per period."""
        return [
            (label, [*(values[index] for values in self.series.values()), self.line[index]])
            for index, label in enumerate(self.labels)
        ]


def read_chart(asked: Asked, report: Report) -> Chart:
    """The chart for the filters of the page; asks the engine again where the page's rows say nothing of the section."""
    if asked.period is None or not any(row in report.question.by for row in LAYOUT_ROWS):
        report = answer(asked.question(asked.period or Dimension.MONTH, Dimension.SECTION))
    labels, series = _series(asked, report, dict(FeeCategory.objects.values_list("code", "section")))
    sections_of = SUBTOTALS["contribution_2"].sections
    line = [exact_sum(series[section][index] for section in sections_of if section in series) for index in range(len(labels))]
    ordered = {section.value: series[section.value] for section in Section if section.value in series}
    return Chart(labels, ordered, line, report.currency)


def _series(asked: Asked, report: Report, categories: Mapping[str, str]) -> tuple[list[str], dict[str, list[Decimal]]]:
    """Periods and, per section, the money of each, from a report by (period, section or category)."""
    period = asked.period or Dimension.MONTH
    keys = period_keys(period, [cell.keys[0] for cell in report.cells])
    place = {key: index for index, key in enumerate(keys)}
    layout_at = next(index for index, word in enumerate(report.question.by) if word in LAYOUT_ROWS)
    by_category = report.question.by[layout_at] is Dimension.CATEGORY
    series: dict[str, list[Decimal]] = {}
    for cell in report.cells:
        section = categories.get(cell.keys[layout_at], Section.OTHER.value) if by_category else cell.keys[layout_at]
        values = series.setdefault(section, [ZERO] * len(keys))
        values[place[cell.keys[0]]] = exact_sum((values[place[cell.keys[0]]], cell.amount))
    return [column_label(period, key) for key in keys], series
