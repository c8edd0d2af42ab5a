"""What Harbour Goods and Lumen Skin sell, and who bought it when. Everything follows from a seed; no clock is read."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Article:
    """An article of a brand. `price` is the list price in the company's base currency."""

    sku: str
    name: str
    brand: str
    parent: str
    group: str
    tags: tuple[str, ...]
    price: Decimal
    weight: int
    parts: tuple[tuple[str, str], ...] = ()
    """Of a kit: (SKU, share of its money) of the components; empty for an article that is its own SKU."""


def _article(sku: str, name: str, brand: str, parent: str, group: str, tags: str, price: str, weight: int) -> Article:
    return Article(sku, name, brand, parent, group, tuple(tags.split()), Decimal(price), weight)


HARBOUR = (
    _article("HG-LANTERN-S", "Storm lantern, small", "Harbour", "LANTERN", "Lighting", "hero outdoor", "34.90", 22),
    _article("HG-LANTERN-L", "Storm lantern, large", "Harbour", "LANTERN", "Lighting", "outdoor", "49.90", 12),
    _article("HG-ROPE-10", "Dock rope, 10 m", "Harbour", "ROPE", "Deck", "evergreen", "18.50", 14),
    _article("HG-ROPE-20", "Dock rope, 20 m", "Harbour", "ROPE", "Deck", "evergreen", "29.00", 7),
    _article("HG-DRYBAG-20", "Dry bag, 20 l", "Tideline", "DRYBAG", "Bags", "summer hero", "27.00", 18),
    _article("HG-DRYBAG-40", "Dry bag, 40 l", "Tideline", "DRYBAG", "Bags", "summer", "39.00", 9),
    _article("HG-MUG", "Enamel mug", "Tideline", "MUG", "Galley", "gift evergreen", "14.00", 25),
    _article("HG-KNIFE", "Rigging knife", "Harbour", "KNIFE", "Deck", "gift", "42.00", 6),
    _article("HG-BLANKET", "Wool deck blanket", "Tideline", "BLANKET", "Galley", "winter", "79.00", 5),
    Article(
        "HG-KIT-EVENING", "Evening on deck kit", "Harbour", "KIT", "Lighting", ("gift", "kit"), Decimal("59.00"), 6,
        (("HG-LANTERN-S", "0.55"), ("HG-MUG", "0.45")),
    ),
)  # fmt: skip
LUMEN = (
    _article("LS-SERUM-30", "Night serum, 30 ml", "Lumen", "SERUM", "Face", "hero", "32.00", 20),
    _article("LS-SERUM-50", "Night serum, 50 ml", "Lumen", "SERUM", "Face", "", "46.00", 8),
    _article("LS-CLAY", "Clay mask", "Lumen", "CLAY", "Face", "evergreen", "19.00", 14),
    _article("LS-BALM", "Lip balm, set of 3", "Lumen", "BALM", "Lips", "gift", "12.50", 16),
)


@dataclass(frozen=True)
class Sale:
    """One order of one article. Money in the marketplace's currency; `refunded_at` None when the buyer kept it."""

    number: int
    at: datetime
    article: Article
    quantity: int
    price: Decimal
    discount: Decimal
    tax: Decimal
    refunded_at: datetime | None
    creator: bool

    @property
    def gross(self) -> Decimal:
        """List price of all units."""
        return self.price * self.quantity

    @property
    def net(self) -> Decimal:
        """What the buyer paid for the goods, without tax."""
        return self.gross - self.discount


def cents(amount: Decimal) -> Decimal:
    """Rounded to cents."""
    return amount.quantize(CENT)


def make_sales(
    *,
    seed: str,
    articles: Sequence[Article],
    start: date,
    end: date,
    per_day: float,
    growth: float = 0.4,
    factor: Decimal = Decimal(1),
    tax_rate: Decimal = Decimal("0.07"),
    creator_share: float = 0.0,
    refund_rate: float = 0.05,
) -> list[Sale]:
    """Orders from `start` until before `end`, in time order: growing by `growth` a year, with a season and weekends.

    `factor` turns list prices into the marketplace's currency. The same arguments give the same orders.
    """
    chance = random.Random(seed)
    sales: list[Sale] = []
    days = (end - start).days
    weights = [article.weight for article in articles]
    for day in range(days):
        on = start + timedelta(days=day)
        season = 1 + 0.45 * math.exp(-(((on.timetuple().tm_yday - 335) / 22) ** 2)) + (0.15 if on.weekday() >= 5 else 0)
        expected = per_day * season * (1 + growth * day / 365)
        count = int(expected) + (chance.random() < expected % 1)
        # After six in the morning UTC it is the same day in the companies' own zones.
        for moment in sorted(chance.randrange(6 * 3600, 86_400) for _ in range(count)):
            at = datetime.combine(on, time(), UTC) + timedelta(seconds=moment)
            article = chance.choices(articles, weights)[0]
            quantity = chance.choices((1, 2, 3), (85, 12, 3))[0]
            price = (article.price * factor).quantize(Decimal(1)) - CENT
            discount = cents(price * quantity * Decimal("0.10")) if chance.random() < 0.18 else Decimal(0)
            refunded = at + timedelta(days=chance.randint(4, 24), hours=5) if chance.random() < refund_rate else None
            sales.append(
                Sale(
                    number=len(sales) + 1,
                    at=at,
                    article=article,
                    quantity=quantity,
                    price=price,
                    discount=discount,
                    tax=cents((price * quantity - discount) * tax_rate),
                    refunded_at=refunded,
                    creator=chance.random() < creator_share,
                )
            )
    return sales


def digits(*parts: object, length: int) -> str:
    """A stable number of `length` digits made of `parts`, first digit not zero."""
    value = random.Random("/".join(map(str, parts))).randrange(9 * 10 ** (length - 1))
    return str(value + 10 ** (length - 1))


def months(start: date, end: date) -> Iterator[date]:
    """Firsts of months from the one of `start` until before `end`."""
    month = start.replace(day=1)
    while month < end:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)
