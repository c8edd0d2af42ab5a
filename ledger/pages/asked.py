"""What the address of a P&L page asks for, and the address that asks for something else.

The words of the query string: `columns` (month, week, day, lines, total), `rows` (dimensions, comma-separated, in order of
nesting), `clock`, `scope`, `in` (currency to show), `from` and `to` (both inclusive), `known` (rules as of a moment), `all`
(show every row), and one word per dimension as a filter, repeated for several values; `(none)` is the row of what has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from channels import registry
from ledger.models.rollups import Clock
from ledger.pnl import UNIFIED, Dimension, Question
from ledger.pnl_question import PERIODS
from nova.models import Company

#: What rows may be nested by, with the words on screen.
ROW_WORDS: dict[Dimension, str] = {
    Dimension.CATEGORY: "Category",
    Dimension.SECTION: "Line of the P&L",
    Dimension.FEE_TYPE: "Fee type",
    Dimension.CHANNEL: "Channel",
    Dimension.SHOP: "Shop",
    Dimension.MARKETPLACE: "Marketplace",
    Dimension.SKU: "SKU",
    Dimension.LISTING: "Listing",
    Dimension.BRAND: "Brand",
    Dimension.PARENT_ARTICLE: "Parent article",
    Dimension.PRODUCT_GROUP: "Product group",
    Dimension.TAG: "Tag",
    Dimension.STATE: "State",
    Dimension.CURRENCY: "Original currency",
}
WORDS: dict[Dimension, str] = {
    Dimension.MONTH: "Month",
    Dimension.WEEK: "Week",
    Dimension.DAY: "Day",
    **ROW_WORDS,
}
#: The address word of a filter; the report's currency is `in`, so `currency` is free for the currency of the lines.
COLUMNS = {"month": "Months", "week": "Weeks", "day": "Days", "lines": "Lines of the P&L", "total": "Total only"}
CLOCK_WORDS = {
    Clock.EVENT: "Event (shipped, refunded)",
    Clock.POSTED: "Posted (by the channel)",
    Clock.PAID: "Paid (to the bank)",
}
NONE = "(none)"
LAYOUT_ROWS = (Dimension.CATEGORY, Dimension.SECTION)
MAX_DEPTH = 4
MAX_VALUES = 200
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


@dataclass(frozen=True)
class Chip:
    """A filter that can be taken away: `href` is the address without it."""

    label: str
    href: str


@dataclass(frozen=True)
class Asked:
    """One address, read. `problems` are sentences; with any of them no figures are shown."""

    company: Company
    columns: str = "month"
    rows: tuple[Dimension, ...] = (Dimension.CATEGORY,)
    clock: Clock = Clock.EVENT
    scope: str = UNIFIED
    currency: str = ""
    start: date | None = None
    last: date | None = None
    known_at: datetime | None = None
    show_all: bool = False
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def period(self) -> Dimension | None:
        """The dimension of the columns, None when columns are no periods."""
        return Dimension(self.columns) if self.columns in ("month", "week", "day") else None

    @property
    def end(self) -> date | None:
        """The day after the last one."""
        return self.last + timedelta(days=1) if self.last else None

    def question(self, *by: Dimension) -> Question:
        """The question for the engine, broken down by `by`."""
        return Question(
            company=self.company,
            by=by,
            clock=self.clock,
            scope=self.scope,
            currency=self.currency,
            start=self.start,
            end=self.end,
            filters=self.filters,
            known_at=self.known_at,
        )

    def query(self, *, narrow: Mapping[Dimension, Iterable[str]] | None = None, **changes: Any) -> str:
        """The query string of this address with some words changed; `narrow` replaces the filters of some dimensions."""
        asked = replace(self, **changes) if changes else self
        pairs: list[tuple[str, str]] = [("columns", asked.columns), ("rows", ",".join(asked.rows)), ("clock", asked.clock)]
        if asked.scope != UNIFIED:
            pairs.append(("scope", asked.scope))
        if asked.currency:
            pairs.append(("in", asked.currency))
        if asked.start:
            pairs.append(("from", asked.start.isoformat()))
        if asked.last:
            pairs.append(("to", asked.last.isoformat()))
        if asked.known_at:
            pairs.append(("known", asked.known_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        if asked.show_all:
            pairs.append(("all", "1"))
        filters = {**asked.filters, **{key: tuple(values) for key, values in (narrow or {}).items()}}
        for dimension in Dimension:
            pairs += [(str(dimension), value or NONE) for value in filters.get(dimension, ())]
        return urlencode(pairs)

    def without(self, dimension: Dimension, value: str) -> str:
        """The query string without one value of a filter."""
        kept = tuple(item for item in self.filters[dimension] if item != value)
        filters = {key: values for key, values in self.filters.items() if key != dimension}
        return self.query(filters={**filters, dimension: kept} if kept else filters)


def read_address(company: Company, parameters: QueryDict) -> Asked:
    """Read the query string of a P&L page. Never raises: what cannot be read is named in `problems`."""
    problems: list[str] = []
    known: dict[str, Any] = {}
    for name in parameters:
        if "\x00" in name or any("\x00" in value for value in parameters.getlist(name)):
            problems.append("The address holds a character that cannot be read.")
            return Asked(company=company, problems=tuple(problems))
    known["columns"] = _one_of(parameters, "columns", COLUMNS, "month", problems)
    known["clock"] = Clock(_one_of(parameters, "clock", [clock.value for clock in Clock], Clock.EVENT.value, problems))
    known["scope"] = _one_of(parameters, "scope", [UNIFIED, *registry.adapters()], UNIFIED, problems)
    known["rows"] = _rows(",".join(parameters.getlist("rows")), problems)
    currency = parameters.get("in", "").strip().upper()
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        problems.append(f"“{currency[:20]}” is no currency; write three letters such as EUR.")
        currency = ""
    known["currency"] = "" if currency == company.currency else currency
    known["start"] = _day(parameters.get("from", ""), "from", problems)
    known["last"] = _day(parameters.get("to", ""), "to", problems)
    if known["start"] and known["last"] and known["start"] > known["last"]:
        problems.append(f"The period ends ({known['last']}) before it begins ({known['start']}).")
    known["known_at"] = _moment(parameters.get("known", ""), problems)
    known["show_all"] = parameters.get("all", "") == "1"
    known["filters"] = _filters(parameters, problems)
    return Asked(company=company, problems=tuple(problems), **known)


def _one_of(parameters: QueryDict, name: str, choices: Iterable[str], default: str, problems: list[str]) -> str:
    value: str = parameters.get(name, "").strip()
    if not value:
        return default
    allowed = list(choices)
    if value not in allowed:
        problems.append(f"“{value[:40]}” is no {name} that Nova knows; there are {', '.join(allowed)}.")
        return default
    return value


def _rows(text: str, problems: list[str]) -> tuple[Dimension, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return (Dimension.CATEGORY,)
    strange = [name for name in names if name not in {str(dimension) for dimension in ROW_WORDS}]
    if strange:
        problems.append(f"“{strange[0][:40]}” is nothing that rows can be broken down by.")
        return (Dimension.CATEGORY,)
    rows = tuple(dict.fromkeys(Dimension(name) for name in names))
    if len(rows) > MAX_DEPTH:
        problems.append(f"Rows can be nested {MAX_DEPTH} deep, not {len(rows)}.")
        return (Dimension.CATEGORY,)
    if all(dimension in rows for dimension in LAYOUT_ROWS):  # a category lies in its line of the P&L anyway
        rows = tuple(dimension for dimension in rows if dimension != Dimension.SECTION)
    return rows


def _day(text: str, name: str, problems: list[str]) -> date | None:
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        problems.append(f"“{text[:20]}” ({name}) is no date; write 2026-07-31.")
        return None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        problems.append(f"{day} ({name}) lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}.")
        return None
    return day


def _moment(text: str, problems: list[str]) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        problems.append(f"“{text[:30]}” (known) is no moment; write 2026-07-31T12:00:00Z.")
        return None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        problems.append(f"{text[:30]} (known) lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}.")
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _filters(parameters: QueryDict, problems: list[str]) -> dict[Dimension, tuple[str, ...]]:
    filters: dict[Dimension, tuple[str, ...]] = {}
    for dimension in Dimension:
        values = tuple(dict.fromkeys(value for value in parameters.getlist(str(dimension)) if value.strip()))
        if len(values) > MAX_VALUES:
            problems.append(f"A filter takes up to {MAX_VALUES} values; {WORDS[dimension].lower()} has {len(values)}.")
            continue
        if dimension in PERIODS:
            bad = [value for value in values if value != NONE and not _is_day(value)]
            if bad:
                problems.append(f"“{bad[0][:20]}” ({dimension}) is no date; write 2026-07-31.")
                continue
        if values:
            filters[dimension] = tuple("" if value == NONE else value for value in values)
    return filters


def _is_day(text: str) -> bool:
    try:
        return _FIRST_YEAR <= date.fromisoformat(text).year <= _LAST_YEAR
    except ValueError:
        return False
