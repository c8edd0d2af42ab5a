"""The one P&L: what a company earned and paid, by any nesting of dimensions, on three clocks, in one currency.

Reads the rollups joined to `Mapping`; writes nothing. Amounts are exact decimals in the report's currency, seller's view
(plus is money to the seller); days and months are the company's time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

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


UNIFIED = "unified"


@dataclass(frozen=True)
class Question:
    """What is asked. `end` is exclusive; `filters` hold the keys that `Cell.keys` carry (a shop's code, a category's code,
    an ISO day for periods, a SKU's code; "" is the row of what has none).

    `scope` is `UNIFIED` or a channel's code (that channel's own page, which also shows what is kept out of the unified
    P&L). `currency` "" is the company's. `known_at` shows the P&L under the rules as they were known then.
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


@dataclass(frozen=True)
class Cell:
    """One figure: `keys` in the order of `Question.by`; amounts in the report's currency, not rounded.

    `settled` is the part that is settled, `unmapped` the part on no approved rule, `provisional` the part whose event
    date only stands in for one not known yet. `quantity` counts units sold less returned.
    """

    keys: tuple[str, ...]
    amount: Decimal
    settled: Decimal
    unmapped: Decimal
    provisional: Decimal
    quantity: Decimal
    lines: int


@dataclass(frozen=True)
class Report:
    """The answer. Shares are of the sum of absolute amounts, between 0 and 1, None when there is nothing.

    `labels` give the words for keys. `unrated` is money that could not be converted for want of a rate (currency, amount).
    `cash_side_only` are shops left out of the unified P&L until their orders are imported (MONEY.md 4).
    """

    question: Question
    currency: str
    cells: tuple[Cell, ...]
    labels: Mapping[Dimension, Mapping[str, str]]
    share_settled: Decimal | None
    share_mapped: Decimal | None
    share_provisional: Decimal | None
    unrated: tuple[tuple[str, Decimal], ...]
    cash_side_only: tuple[str, ...]
    as_of: datetime


def answer(question: Question) -> Report:
    """The P&L that `question` asks for, cells sorted by their keys' natural order.

    Raises:
        ValueError: an unknown dimension, period or currency, two periods in one question, or no rate for the currency.
    """
    raise NotImplementedError
