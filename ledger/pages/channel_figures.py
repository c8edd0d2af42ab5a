"""What a channel's page tells: the way from gross sales to the settled amount, money on its way, payouts, rates by month."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from channels.models import Shop
from ledger.models import Payout, Section, Statement
from ledger.models.rollups import Clock
from ledger.pages.asked import Asked
from ledger.pages.lines import Figure
from ledger.pnl import Cell, Dimension, Report, answer, exact_sum
from ledger.pnl_frame import OUTSIDE
from nova.models import Company
from nova.money import ZERO

#: How far back the usual days from event to statement are looked for.
_LAG_DAYS = 120
_OPEN_STATES = ("preliminary", "estimated")
#: The rungs of the ladder: what TikTok's sellers call it, and the lines of the P&L it is made of.
_RUNGS: tuple[tuple[str, tuple[Section, ...]], ...] = (
    ("Gross sales (GMV)", (Section.GROSS_SALES,)),
    ("Seller discounts", (Section.DISCOUNTS,)),
    ("Refunds", (Section.REFUNDS,)),
    ("Net sales", (Section.GROSS_SALES, Section.DISCOUNTS, Section.REFUNDS)),
    ("Platform and payment fees", (Section.PLATFORM,)),
    ("Shipping and fulfilment", (Section.FULFILMENT,)),
    ("Creators", (Section.CREATORS,)),
    ("Ads", (Section.ADS,)),
    ("Other", (Section.COST_OF_GOODS, Section.OTHER, Section.OVERHEADS, Section.FINANCE)),
)


@dataclass(frozen=True)
class Rung:
    """A step of the ladder. `left` and `width` place its bar, in percent of the widest; `href` leads to its lines."""

    label: str
    amount: Decimal
    href: str
    total: bool
    left: float
    width: float


@dataclass(frozen=True)
class OutsideMoney:
    """Settled money that is no P&L: taxes in and out, reserves, loans; per category, in the company's currency."""

    code: str
    name: str
    amount: Decimal


def settled_report(asked: Asked) -> Report:
    """The channel's settled money by month and category."""
    question = asked.question(Dimension.MONTH, Dimension.CATEGORY, Dimension.STATE)
    return answer(question)


def outside_money(*, company: Company, shops: Sequence[Shop], asked: Asked) -> list[OutsideMoney]:
    """Settled money on balance-sheet and memo categories, months of `asked` on its clock; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT category.code, category.name, trim_scale(sum(month.base_amount))
            FROM ledger_pnlmonth month
            JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
                AND mapping.known_to IS NULL AND mapping.valid_from <= month.event_month AND month.event_month < mapping.valid_to
            JOIN ledger_feecategory category ON category.id = mapping.category_id AND category.section = ANY(%(outside)s)
            WHERE month.company_id = %(company)s AND month.clock = %(clock)s AND month.shop_id = ANY(%(shops)s)
                AND month.state = 'settled' AND month.month >= %(start)s AND month.month < %(end)s
            GROUP BY category.code, category.name, category.position HAVING sum(month.base_amount) <> 0
            ORDER BY category.position
            """,
            {
                "outside": list(OUTSIDE),
                "company": company.pk,
                "clock": str(asked.clock),
                "shops": [shop.pk for shop in shops],
                "start": asked.start or date.min,
                "end": asked.end or date.max,
            },
        )
        return [OutsideMoney(*row) for row in cursor.fetchall()]


def ladder(
    asked: Asked, cells: Iterable[Cell], sections: Mapping[str, str], outside: Sequence[OutsideMoney], lines: str
) -> list[Rung]:
    """From gross sales to the settled amount; steps without money are left out, sums are not."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for cell in cells:
        if cell.keys[2] == "settled":
            section = sections.get(cell.keys[1], Section.OTHER.value)
            sums[section] = exact_sum((sums[section], cell.amount))
    steps: list[tuple[str, Decimal, tuple[Section, ...], bool]] = []
    for label, parts in _RUNGS:
        amount = exact_sum(sums.get(part.value, ZERO) for part in parts)
        if amount or label in ("Gross sales (GMV)", "Net sales"):
            steps.append((label, amount, parts, label == "Net sales"))
    beyond = exact_sum(row.amount for row in outside)
    if beyond:
        steps.append(("Taxes, reserves and other money outside the P&L", beyond, (), False))
    steps.append(("Settled amount", exact_sum((*sums.values(), beyond)), (), True))
    widest = max((abs(amount) for _label, amount, _parts, _total in steps), default=ZERO) or Decimal(1)
    rungs, level = [], ZERO
    for label, amount, parts, total in steps:
        start, end = (ZERO, amount) if total else (level, exact_sum((level, amount)))
        if not total:
            level = end
        low, high = max(min(start, end), ZERO), max(start, end, ZERO)
        href = ""
        if parts and amount:
            settled = Figure(asked, ((Dimension.STATE, "settled"),), tuple(part.value for part in parts), ())
            href = f"{lines}?{settled.query()}"
        left, width = float(low / widest * 100), float((high - low) / widest * 100)
        rungs.append(Rung(label, amount, href, total, min(left, 100.0), min(width, 100.0)))
    return rungs


# Rates by month -----------------------------------------------------------------------------------------------------


@dataclass
class MonthRates:
    """One month: money in the company's currency, rates as fractions of gross or net sales, None without sales."""

    month: str
    gross: Decimal = ZERO
    net: Decimal = ZERO
    refunds: Decimal = ZERO
    commission: Decimal = ZERO
    platform: Decimal = ZERO
    creators: Decimal = ZERO
    units: Decimal = ZERO
    hrefs: dict[str, str] = field(default_factory=dict)

    @property
    def refund_rate(self) -> Decimal | None:
        return -self.refunds / self.gross + ZERO if self.gross > 0 else None

    @property
    def commission_rate(self) -> Decimal | None:
        return -self.commission / self.net + ZERO if self.net > 0 else None

    @property
    def take_rate(self) -> Decimal | None:
        return -self.platform / self.net + ZERO if self.net > 0 else None

    @property
    def creator_rate(self) -> Decimal | None:
        return -self.creators / self.net + ZERO if self.net > 0 else None


_NET = {Section.GROSS_SALES.value, Section.DISCOUNTS.value, Section.REFUNDS.value}


def month_rates(asked: Asked, cells: Iterable[Cell], sections: Mapping[str, str], lines: str) -> list[MonthRates]:
    """Commission charged, take rate, creators and refund rate of each month, settled and expected money together."""
    months: dict[str, MonthRates] = {}
    for cell in cells:
        month, code, _state = cell.keys
        row = months.setdefault(month, MonthRates(month))
        section = sections.get(code, Section.OTHER.value)
        adds = {
            "gross": section == Section.GROSS_SALES.value,
            "net": section in _NET,
            "refunds": section == Section.REFUNDS.value,
            "commission": code == "plt.referral",
            "platform": code.startswith(("plt.", "pay.")),
            "creators": section == Section.CREATORS.value,
        }
        for name, wanted in adds.items():
            if wanted:
                setattr(row, name, exact_sum((getattr(row, name), cell.amount)))
        row.units += cell.quantity
    for month, row in months.items():
        key = ((Dimension.MONTH, month),)
        row.hrefs = {
            "gross": f"{lines}?{Figure(asked, key, (Section.GROSS_SALES.value,), ()).query()}",
            "net": f"{lines}?{Figure(asked, key, tuple(sorted(_NET)), ()).query()}",
            "refunds": f"{lines}?{Figure(asked, key, (Section.REFUNDS.value,), ()).query()}",
            "commission": f"{lines}?{Figure(asked, (*key, (Dimension.CATEGORY, 'plt.referral')), (), ()).query()}",
            "creators": f"{lines}?{Figure(asked, key, (Section.CREATORS.value,), ()).query()}",
        }
    return [months[month] for month in sorted(months, reverse=True)]


# Money on its way ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenMoney:
    """Unsettled money of a shop that is expected in one week, in the company's currency. `late`: the usual day has gone by."""

    shop: Shop
    week: date
    last: date
    amount: Decimal
    lines: int
    late: bool
    href: str


@dataclass(frozen=True)
class Lag:
    """The usual days from the event to the channel's statement, seen in this shop's settled money; None without any."""

    shop: Shop
    days: int | None


def usual_lags(*, company: Company, shops: Sequence[Shop]) -> list[Lag]:
    """The median days from event to posting of each shop's latest settled money; one query.

    Money whose event is its posting (fees without an order) says nothing about orders and is left aside.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT shop_id, percentile_disc(0.5) WITHIN GROUP (ORDER BY posted_on - event_on)
            FROM ledger_pnlday WHERE company_id = %(company)s AND shop_id = ANY(%(shops)s) AND state = 'settled'
                AND posted_on > event_on AND lines > 0
                AND event_on >= (SELECT max(event_on) - %(days)s::int FROM ledger_pnlday WHERE company_id = %(company)s)
            GROUP BY shop_id
            """,
            {"company": company.pk, "shops": [shop.pk for shop in shops], "days": _LAG_DAYS},
        )
        known = dict(cursor.fetchall())
    return [Lag(shop, known.get(shop.pk)) for shop in shops]


def open_money(*, asked: Asked, lags: Sequence[Lag], lines: str) -> list[OpenMoney]:
    """Money that the channel announces but has on no closed statement, by the week it usually settles.

    Channels tell no day: the expected one is the event day plus the shop's own usual days from event to statement.
    """
    today = timezone.now().astimezone(asked.company.zone).date()
    everything = Asked(asked.company, clock=Clock.EVENT, scope=asked.scope, filters={Dimension.STATE: _OPEN_STATES})
    by_code = {lag.shop.code: lag for lag in lags}
    weeks: dict[tuple[date, str], list[Cell]] = defaultdict(list)
    for cell in answer(everything.question(Dimension.DAY, Dimension.SHOP)).cells:
        expected = date.fromisoformat(cell.keys[0]) + timedelta(days=_days(by_code[cell.keys[1]]))
        weeks[expected - timedelta(days=expected.weekday()), cell.keys[1]].append(cell)
    rows = []
    for (week, code), cells in sorted(weeks.items()):
        lag = timedelta(days=_days(by_code[code]))
        last = week + timedelta(days=6)
        events = replace(everything, start=week - lag, last=last - lag, filters={**everything.filters, Dimension.SHOP: (code,)})
        rows.append(
            OpenMoney(
                shop=by_code[code].shop,
                week=week,
                last=last,
                amount=exact_sum(cell.amount for cell in cells),
                lines=sum(cell.lines for cell in cells),
                late=last < today,
                href=f"{lines}?{events.query()}",
            )
        )
    return rows


def _days(lag: Lag) -> int:
    return max(lag.days or 0, 0)


def reserves(*, company: Company, shops: Sequence[Shop]) -> list[Statement]:
    """The latest statement of each shop and currency that tells a reserve: what the channel holds back now."""
    latest = (
        Statement.objects.filter(company=company, shop__in=shops, reserve__isnull=False)
        .order_by("shop_id", "currency", "-closed_at", "-id")
        .distinct("shop_id", "currency")
        .select_related("shop")
    )
    return [statement for statement in latest if statement.reserve]


# Payouts ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CalendarDay:
    day: date
    inside: bool
    payouts: list[Payout]


@dataclass(frozen=True)
class PayoutCalendar:
    """One month of payouts, weeks from Monday; `undated` are expected ones for which the channel names no day."""

    month: date
    earlier: date
    later: date
    weeks: list[list[CalendarDay]]
    undated: list[Payout]
    count: int


def payout_calendar(*, company: Company, shops: Sequence[Shop], month: date | None) -> PayoutCalendar:
    """The payouts of a month (of the latest one with any, for None); two queries."""
    payouts = Payout.objects.filter(company=company, shop__in=shops)
    if month is None:
        latest = payouts.filter(paid_on__isnull=False).order_by("-paid_on").values_list("paid_on", flat=True).first()
        month = (latest or timezone.now().astimezone(company.zone).date()).replace(day=1)
    later = (month + timedelta(days=32)).replace(day=1)
    weeks = calendar.Calendar(0).monthdatescalendar(month.year, month.month)
    rows = payouts.filter(
        Q(paid_on__gte=weeks[0][0], paid_on__lte=weeks[-1][-1]) | Q(paid_on__isnull=True, status__in=["expected", "in_transit"])
    ).select_related("shop")
    by_day: dict[date | None, list[Payout]] = defaultdict(list)
    for payout in rows.order_by("paid_on", "pk")[:1000]:
        by_day[payout.paid_on].append(payout)
    return PayoutCalendar(
        month=month,
        earlier=(month - timedelta(days=1)).replace(day=1),
        later=later,
        weeks=[[CalendarDay(day, day.month == month.month, by_day.get(day, [])) for day in week] for week in weeks],
        undated=by_day.get(None, []),
        count=sum(len(found) for day, found in by_day.items() if day and month <= day < later),
    )
