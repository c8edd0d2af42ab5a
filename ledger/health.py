"""Is everything all right? What a company has to look at: shops, statements, documents, fees without a category.

Every function takes several companies and reads them in one query, so that a portfolio costs no more than a company.
Base amounts are in each company's own currency at the event days' rates, seller's view.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

ZERO = Decimal(0)
#: A shop that sent nothing for longer than a settlement period (14 days) and a little grace is looked at.
QUIET_AFTER = timedelta(days=17)


@dataclass
class ShopHealth:
    """One active shop. `problems` are sentences; none means healthy. `last_at` is when its latest document was kept."""

    company_id: int
    shop_id: int
    code: str
    name: str
    channel: str
    last_at: datetime | None
    asking: int
    failed: int
    unbalanced: int
    problems: list[str] = field(default_factory=list)

    @property
    def new(self) -> bool:
        """Nothing has come yet: not ill, only not begun."""
        return self.last_at is None


def shop_health(company_ids: Collection[int], *, now: datetime | None = None) -> list[ShopHealth]:
    """The active shops of some companies with what is wrong with each, the ill ones first."""
    moment = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT shop.company_id, shop.id, shop.code, shop.name, shop.channel,
                (SELECT max(document.kept_at) FROM channels_document document
                 WHERE document.company_id = shop.company_id AND document.shop_id = shop.id),
                coalesce(intake.asking, 0), coalesce(intake.failed, 0), coalesce(statement.unbalanced, 0)
            FROM channels_shop shop
            LEFT JOIN (
                SELECT intake.company_id, document.shop_id, count(*) FILTER (WHERE intake.state = 'asking') AS asking,
                    count(*) FILTER (WHERE intake.state = 'failed' AND NOT intake.result ? 'refused') AS failed
                FROM ledger_ledgerintake intake
                JOIN channels_document document ON document.company_id = intake.company_id AND document.id = intake.document_id
                WHERE intake.company_id = ANY(%(companies)s) AND intake.state IN ('asking', 'failed')
                GROUP BY 1, 2
            ) AS intake ON intake.company_id = shop.company_id AND intake.shop_id = shop.id
            LEFT JOIN (
                SELECT company_id, shop_id, count(*) AS unbalanced FROM (
                    SELECT day.company_id, day.shop_id, day.statement_id FROM ledger_pnlday day
                    WHERE day.company_id = ANY(%(companies)s) AND day.state = 'settled' AND day.statement_id IS NOT NULL
                        AND day.fee_type_id IN (SELECT id FROM ledger_feetype WHERE path = 'statement' AND context = 'remainder')
                    GROUP BY 1, 2, 3 HAVING sum(day.amount) <> 0
                ) AS open GROUP BY 1, 2
            ) AS statement ON statement.company_id = shop.company_id AND statement.shop_id = shop.id
            WHERE shop.company_id = ANY(%(companies)s) AND shop.active
            ORDER BY shop.name, shop.id
            """,
            {"companies": list(company_ids)},
        )
        shops = [ShopHealth(*row) for row in cursor.fetchall()]
    for shop in shops:
        shop.problems = _problems(shop, moment)
    return sorted(shops, key=lambda shop: (not shop.problems, shop.name, shop.shop_id))


def _problems(shop: ShopHealth, now: datetime) -> list[str]:
    found = []
    if shop.asking:
        found.append(f"{shop.asking} document{'s' * (shop.asking != 1)} to answer")
    if shop.failed:
        found.append(f"{shop.failed} document{'s' * (shop.failed != 1)} not taken")
    if shop.unbalanced:
        found.append(
            f"{shop.unbalanced} statement{'s' * (shop.unbalanced != 1)} that {'do' if shop.unbalanced != 1 else 'does'} not add up"
        )
    if shop.last_at is not None and now - shop.last_at > QUIET_AFTER:
        found.append(f"nothing new for {(now - shop.last_at).days} days")
    return found


@dataclass(frozen=True)
class UnmappedType:
    """A fee type without an approved rule: its money, absolute, in the company's currency.

    `unrated` says that some of it is in no figure, because there is no exchange rate.
    """

    company_id: int
    fee_type_id: int
    channel: str
    name: str
    path: str
    absolute: Decimal
    lines: int
    unrated: bool


def unmapped_types(company_ids: Collection[int]) -> list[UnmappedType]:
    """Fee types that no approved rule maps, most money first. Months that a rule covers do not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT month.company_id, type.id, type.channel, type.name, type.path, sum(abs(month.base_amount)), sum(month.lines),
                bool_or(month.unrated_amount <> 0)
            FROM ledger_pnlmonth month
            JOIN ledger_feetype type ON type.id = month.fee_type_id
            WHERE month.company_id = ANY(%s) AND month.clock = 'event' AND (month.lines <> 0 OR month.amount <> 0)
                AND NOT EXISTS (
                    SELECT 1 FROM ledger_mapping mapping
                    WHERE mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
                        AND mapping.known_to IS NULL
                        AND mapping.valid_from <= month.month AND mapping.valid_to > month.month)
            GROUP BY 1, 2
            ORDER BY 6 DESC, 7 DESC, 2
            """,
            [list(company_ids)],
        )
        return [
            UnmappedType(company, pk, channel, name, path, absolute, int(lines), unrated)
            for company, pk, channel, name, path, absolute, lines, unrated in cursor.fetchall()
        ]


@dataclass(frozen=True)
class MonthState:
    """How far a month of a company is towards closing; shares are of absolute base amounts, by event month.

    Where nothing could be converted they are shares of the fee lines.
    """

    company_id: int
    month: date
    settled: Decimal
    mapped: Decimal
    unrated: bool

    @property
    def ready(self) -> bool:
        """Settled, mapped and converted: nothing about its figures will move by itself."""
        return self.settled == 1 and self.mapped == 1 and not self.unrated


def last_full_months(company_ids: Collection[int], *, before: date) -> dict[int, MonthState]:
    """The latest month with money that ended before the month of `before`, per company."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH last AS (
                SELECT company_id, max(month) AS month FROM ledger_pnlmonth
                WHERE company_id = ANY(%(companies)s) AND clock = 'event' AND month < date_trunc('month', %(before)s::date)
                    AND (lines <> 0 OR amount <> 0)
                GROUP BY 1
            )
            SELECT month.company_id, month.month, sum(abs(month.base_amount)),
                sum(abs(month.base_amount)) FILTER (WHERE month.state = 'settled'),
                sum(abs(month.base_amount)) FILTER (WHERE mapping.id IS NOT NULL),
                sum(month.lines), sum(month.lines) FILTER (WHERE month.state = 'settled'),
                sum(month.lines) FILTER (WHERE mapping.id IS NOT NULL), bool_or(month.unrated_amount <> 0)
            FROM last
            JOIN ledger_pnlmonth month ON month.company_id = last.company_id AND month.month = last.month AND month.clock = 'event'
            LEFT JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
                AND mapping.known_to IS NULL AND mapping.valid_from <= month.month AND mapping.valid_to > month.month
            GROUP BY 1, 2
            """,
            {"companies": list(company_ids), "before": before},
        )
        found = {}
        for company, month, money, settled, mapped, lines, settled_lines, mapped_lines, unrated in cursor.fetchall():
            whole, sure, known = (money, settled, mapped) if money else (lines, settled_lines, mapped_lines)
            share = Decimal(whole or 1)
            found[company] = MonthState(company, month, (sure or ZERO) / share, (known or ZERO) / share, bool(unrated))
        return found


def unrated_money(company_ids: Collection[int]) -> dict[int, dict[str, Decimal]]:
    """Money per currency that is in no figure of a company for want of an exchange rate (absolute per month and fee type)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT company_id, currency, sum(abs(unrated_amount)) FROM ledger_pnlmonth
            WHERE company_id = ANY(%s) AND clock = 'event' AND unrated_amount <> 0 GROUP BY 1, 2 ORDER BY 1, 2
            """,
            [list(company_ids)],
        )
        found: dict[int, dict[str, Decimal]] = {}
        for company, currency, amount in cursor.fetchall():
            found.setdefault(company, {})[currency] = amount
        return found
