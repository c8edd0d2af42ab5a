"""What the P&L can be asked: its dimensions, scopes and filters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from channels import registry
from channels.records import State
from ledger.models.categories import Section
from ledger.models.rollups import Clock
from nova.models import Company


class Dimension(StrEnum):
    """What the P&L can be broken down and filtered by. Values are the words of `--by` and of the page's address."""

    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    CHANNEL = "channel"
    SHOP = "shop"
    MARKETPLACE = "marketplace"
    SECTION = "section"
    CATEGORY = "category"
    FEE_TYPE = "fee_type"
    STATE = "state"
    CURRENCY = "currency"
    LISTING = "listing"
    SKU = "sku"
    BRAND = "brand"
    PARENT_ARTICLE = "parent_article"
    PRODUCT_GROUP = "product_group"
    TAG = "tag"


PERIODS = frozenset({Dimension.MONTH, Dimension.WEEK, Dimension.DAY})
#: Read from the SKU behind a listing.
ARTICLES = frozenset({Dimension.SKU, Dimension.BRAND, Dimension.PARENT_ARTICLE, Dimension.PRODUCT_GROUP, Dimension.TAG})
UNIFIED = "unified"
_CURRENCY = re.compile(r"^[A-Z]{3}$")


@dataclass(frozen=True)
class Question:
    """What is asked. `end` is exclusive; `filters` hold the keys that `Cell.keys` carry (a shop's code, a category's code,
    an ISO day for periods, a SKU's code; "" is the row of what has none).

    `scope` is `UNIFIED` or a channel's code (that channel's own page, which also shows what is kept out of the unified
    P&L). `currency` "" is the company's. `known_at` shows the P&L under the rules as they were known then.

    A listing's key is "<shop code>/<listing code>" (a filter may name the listing code alone and then means every shop's).
    A SKU with several tags has the key of all of them ("gift, summer"), so that rows add up; a filter by one tag takes
    every SKU that carries it. On the paid clock what is not paid yet has the period "" and belongs to every question
    whose end is not past.
    """

    company: Company
    by: tuple[Dimension, ...] = (Dimension.MONTH, Dimension.CATEGORY)
    clock: Clock = Clock.EVENT
    scope: str = UNIFIED
    currency: str = ""
    start: date | None = None
    end: date | None = None
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    known_at: datetime | None = None

    @property
    def report_currency(self) -> str:
        """The currency the figures are in."""
        return self.currency or self.company.currency


@dataclass(frozen=True)
class Condition:
    """One filter. `exact` asks for the cell with this very key; only tags make a difference."""

    dimension: Dimension
    values: tuple[str, ...]
    exact: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        """The values without the one that stands for "none"."""
        return tuple(value for value in self.values if value)

    @property
    def empty(self) -> bool:
        """What has no value is wanted too."""
        return "" in self.values


def read_dimension(word: str) -> Dimension:
    """The dimension of a word of `--by` or of an address.

    Raises:
        ValueError: no such dimension.
    """
    try:
        return Dimension(word)
    except ValueError:
        raise ValueError(f"There is no dimension {word!r}; known are {', '.join(Dimension)}.") from None


def conditions_of(question: Question, keys: Sequence[str] | None = None) -> list[Condition]:
    """The filters of a question and, for one cell of its report, the keys of that cell.

    Raises:
        ValueError: another number of keys than dimensions, or an unknown word.
    """
    found = [Condition(read_dimension(word), tuple(values)) for word, values in question.filters.items() if values]
    if keys is not None:
        if len(keys) != len(question.by):
            raise ValueError(f"A cell of {', '.join(question.by)} has {len(question.by)} keys, not {len(keys)}.")
        found += [Condition(dimension, (key,), exact=True) for dimension, key in zip(question.by, keys, strict=True)]
    return found


def check_question(question: Question, conditions: Sequence[Condition]) -> None:
    """Refuse what can be refused without the database.

    Raises:
        ValueError: unknown or repeated dimension, clock, scope, currency, period or state; two periods; end before start.
    """
    for word in question.by:
        read_dimension(word)
    if len(set(question.by)) < len(question.by):
        raise ValueError("A P&L cannot be broken down twice by the same dimension.")
    if len(PERIODS.intersection(question.by)) > 1:
        raise ValueError("A P&L is broken down by one of month, week and day, not by two.")
    if question.clock not in Clock.values:
        raise ValueError(f"There is no clock {question.clock!r}; known are {', '.join(Clock.values)}.")
    if question.scope != UNIFIED and question.scope not in registry.adapters():
        raise ValueError(
            f"There is no scope {question.scope!r}; known are {UNIFIED} and the channels {', '.join(registry.adapters())}."
        )
    if not _CURRENCY.match(question.report_currency):
        raise ValueError(f"{question.report_currency!r} is no currency such as EUR.")
    if question.start and question.end and question.start >= question.end:
        raise ValueError(f"The period ends on {question.end}, before it starts on {question.start}.")
    for condition in conditions:
        _check_words(condition)


def _check_words(condition: Condition) -> None:
    for value in condition.known:
        match condition.dimension:
            case Dimension.MONTH | Dimension.WEEK | Dimension.DAY:
                read_period(condition.dimension, value)
            case Dimension.SECTION if value not in Section.values:
                raise ValueError(f"There is no section {value!r}; known are {', '.join(Section.values)}.")
            case Dimension.STATE if value not in set(State):
                raise ValueError(f"There is no state {value!r}; known are {', '.join(State)}.")
            case Dimension.CURRENCY if not _CURRENCY.match(value):
                raise ValueError(f"{value!r} is no currency such as EUR.")
            case Dimension.FEE_TYPE if not (value.isascii() and value.isdigit() and len(value) < 19):
                raise ValueError(f"{value!r} is no fee type; its key is the number of the type.")


def read_period(dimension: Dimension, value: str) -> date:
    """The first day of a period from its key, an ISO day.

    Raises:
        ValueError: no day, or a day on which no such period begins.
    """
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no day such as 2026-01-31.") from None
    if dimension is Dimension.MONTH and day.day != 1:
        raise ValueError(f"{value} is not the first day of a month.")
    if dimension is Dimension.WEEK and day.isoweekday() != 1:
        raise ValueError(f"{value} is not a Monday: weeks begin on Mondays (ISO 8601).")
    return day


def period_end(dimension: Dimension, first: date) -> date:
    """The day after the last day of the period that begins on `first`."""
    if dimension is Dimension.DAY:
        return first + timedelta(days=1)
    if dimension is Dimension.WEEK:
        return first + timedelta(days=7)
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def periods_between(dimension: Dimension, start: date, end: date) -> Iterator[date]:
    """The first days of the periods that touch start (inclusive) to end (exclusive)."""
    if dimension is Dimension.MONTH:
        first = start.replace(day=1)
    elif dimension is Dimension.WEEK:
        first = start - timedelta(days=start.weekday())
    else:
        first = start
    while first < end:
        yield first
        first = period_end(dimension, first)
