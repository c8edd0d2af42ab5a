"""A company whose money goes every way, and the P&L of it counted by hand from its fee lines, without the rollups."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, NamedTuple

from django.utils import timezone
from hypothesis import strategies as st

from channels.models import Shop
from channels.records import EventSource, LineRecord, ParsedDocument, PayoutRecord, State, StatementRecord, VoucherRecord
from inventory.models import Listing, ListingComponent, Sku
from ledger.classify import compile_mappings
from ledger.intake import take_parsed
from ledger.models import FeeCategory, FeeLine, FeeRule, ScopeRule
from ledger.pnl import UNIFIED, Dimension, Question
from ledger.pnl_question import ARTICLES
from nova.models import Company, ExchangeRate, User
from tests.ledger.fake_channel import KINDS, make_company, make_document

FIRST = date(2026, 1, 1)
SKUS = {
    "ANORAK": ("North", ["gift"]),
    "BEANIE": ("North", ["gift", "summer"]),
    "CANDLE": ("", []),
    "DUFFEL": ("South", ["summer"]),
}
RATES = {
    "USD": {FIRST: Decimal("1.1"), date(2026, 2, 10): Decimal("1.25")},
    "GBP": {date(2025, 12, 31): Decimal("0.85"), date(2026, 3, 3): Decimal("0.8")},
}
PAYOUTS = {
    "S1": ("P1", "paid", date(2026, 3, 10)),
    "S2": ("P2", "in_transit", date(2026, 4, 2)),
    "S3": ("P3", "expected", date(2026, 4, 9)),
}
_numbers = itertools.count(1)


class LineSpec(NamedTuple):
    shop: int
    listing: str
    fee: str
    amount: Decimal
    quantity: int | None
    currency: str
    day: int
    delay: int
    statement: str
    settled: bool
    provisional: bool


class PartSpec(NamedTuple):
    listing: str
    sku: str
    share: Decimal
    quantity: int
    start: int | None
    length: int | None


line_specs = st.builds(
    LineSpec,
    shop=st.integers(0, 1),
    listing=st.sampled_from(["", "SET", "SET", "SET", "TEE", "MUG"]),
    fee=st.sampled_from(["sale", "fee", "ads", "odd", "reserve"]),
    amount=st.decimals(-999, 999, places=4, allow_nan=False),
    quantity=st.sampled_from([None, None, 1, -1, 3]),
    currency=st.sampled_from(["USD", "USD", "EUR", "CHF"]),
    day=st.integers(0, 75),
    delay=st.integers(0, 40),
    statement=st.sampled_from(["", "S1", "S2", "S3"]),
    settled=st.booleans(),
    provisional=st.booleans(),
)
part_specs = st.builds(
    PartSpec,
    listing=st.sampled_from(["SET", "SET", "SET", "TEE", "MUG"]),
    sku=st.sampled_from(sorted(SKUS)),
    share=st.sampled_from([Decimal("1"), Decimal("2"), Decimal("0.5"), Decimal("0.33333333")]),
    quantity=st.integers(1, 3),
    start=st.one_of(st.none(), st.none(), st.sampled_from([0, 31, 59]), st.integers(0, 75)),
    length=st.one_of(st.none(), st.none(), st.integers(1, 60)),
)


def approve_map(company: Company, fee: str, category: str, start: date | None = None, end: date | None = None) -> FeeRule:
    """An approved rule for a fee name of the fake market."""
    return _approved(
        company,
        FeeRule,
        channel="fake",
        name=fee,
        category=FeeCategory.objects.get(code=category),
        valid_from=start,
        valid_to=end,
    )


def approve_scope(company: Company, category: str, scope: str, start: date | None = None, end: date | None = None) -> ScopeRule:
    """An approved scope of a category on the fake market."""
    category_row = FeeCategory.objects.get(code=category)
    return _approved(company, ScopeRule, channel="fake", category=category_row, scope=scope, valid_from=start, valid_to=end)


def _approved(company: Company, model: Any, **values: Any) -> Any:
    author, _ = User.objects.get_or_create(username="clara")
    approver, _ = User.objects.get_or_create(username="arthur")
    rule = model.objects.create(company=company, status="proposed", author=author, **values)
    rule.status, rule.approver = "approved", approver
    rule.save()
    return rule


@dataclass
class World:
    company: Company
    shops: list[Shop]
    rules: list[tuple[str, str, date | None, date | None]] = field(default_factory=list)
    scopes: list[tuple[str, str, date | None, date | None]] = field(default_factory=list)


RULES = [
    ("sale", "rev.product", None, None),
    ("fee", "plt.referral", None, date(2026, 3, 1)),
    ("fee", "pay.processing", date(2026, 3, 1), None),
    ("ads", "mkt.ads_other", None, None),
    ("reserve", "bs.reserve", None, None),
]
SCOPES = [("mkt.ads_other", "channel", date(2026, 2, 1), None), ("pay.processing", "memo", None, None)]


def make_rates() -> None:
    """Rates of dollars and pounds; francs have none."""
    for currency, days in RATES.items():
        for day, rate in days.items():
            ExchangeRate.objects.get_or_create(currency=currency, on_date=day, defaults={"rate": rate})


def build_world(
    lines: Sequence[LineSpec], parts: Iterable[PartSpec] = (), *, rules: Sequence[Any] = RULES, scopes: Sequence[Any] = SCOPES
) -> World:
    """A company with two shops, its lines taken through the ledger in two documents, its SKUs and its approved rules."""
    make_rates()
    company, shop = make_company()
    second = Shop.objects.create(company=company, code=f"{shop.code}-b", name="Harbour outlet", channel="fake")
    world = World(company, [shop, second], list(rules), list(scopes))
    for name, category, start, end in rules:
        approve_map(company, name, category, start, end)
    for category, scope, start, end in scopes:
        approve_scope(company, category, scope, start, end)
    for index, member in enumerate(world.shops):
        _take(world, member, [spec for spec in lines if spec.shop == index])
    compile_mappings(company=company)
    skus = {code: Sku.objects.create(company=company, code=code, brand=brand, tags=tags) for code, (brand, tags) in SKUS.items()}
    seen = set()
    for part in parts:
        start = None if part.start is None else FIRST + timedelta(days=part.start)
        for listing in Listing.objects.filter(company=company, code=part.listing):
            if (listing.pk, part.sku, start) not in seen:
                seen.add((listing.pk, part.sku, start))
                end = None if part.length is None else (start or FIRST) + timedelta(days=part.length)
                ListingComponent.objects.create(
                    company=company,
                    listing=listing,
                    sku=skus[part.sku],
                    share=part.share,
                    quantity=part.quantity,
                    valid_from=start,
                    valid_to=end,
                )
    return world


def _take(world: World, shop: Shop, specs: Sequence[LineSpec]) -> None:
    statements = [StatementRecord(name, "USD", payout=payout) for name, (payout, _status, _day) in PAYOUTS.items()]
    payouts = [PayoutRecord(payout, "USD", Decimal(1), status, paid_at=day) for payout, status, day in PAYOUTS.values()]
    for state, kind in ((State.SETTLED, "books"), (State.PRELIMINARY, "unsettled")):
        vouchers = [_voucher(spec) for spec in specs if spec.settled == (state is State.SETTLED)]
        parsed = ParsedDocument(vouchers=vouchers, statements=statements, payouts=payouts)
        document = make_document(shop, f"world-{kind}")
        take_parsed(shop=shop, company=world.company, documents=[(document, KINDS[kind], parsed)])
    changed = [spec for spec in specs if spec.day % 7 == 0 and spec.settled]
    if changed:  # some vouchers change: reversed whole and taken again
        again = [_voucher(spec, number) for number, spec in enumerate(changed)]
        for amount in (Decimal("1"), Decimal("2.5")):
            for voucher in again:
                voucher.lines[0] = voucher.lines[0]._replace(amount=amount)
            parsed = ParsedDocument(vouchers=again)
            document = make_document(shop, "world-changed")
            take_parsed(shop=shop, company=world.company, documents=[(document, KINDS["books"], parsed)])


def _voucher(spec: LineSpec, number: int | None = None) -> VoucherRecord:
    day = FIRST + timedelta(days=spec.day)
    return VoucherRecord(
        family="changed" if number is not None else "books",
        outside_id=f"changed/{number}" if number is not None else f"voucher/{next(_numbers)}",
        currency=spec.currency,
        marketplace="fake us" if spec.day % 2 else "fake uk",
        posted_at=day + timedelta(days=spec.delay),
        event_at=day,
        event_source=EventSource.ORDER if spec.provisional else EventSource.SHIPMENT,
        statement=spec.statement if spec.settled else "",
        part=spec.statement if spec.settled else "",
        lines=[LineRecord("fees", spec.fee, "", spec.amount, spec.listing, spec.quantity)],
    )


# The P&L counted by hand ------------------------------------------------------------------------------------------------


@dataclass
class Counted:
    amount: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    unmapped: Decimal = Decimal(0)
    provisional: Decimal = Decimal(0)
    quantity: Decimal = Decimal(0)
    lines: int = 0
    line_ids: set[int] = field(default_factory=set)

    def figures(self) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal, int]:
        return (self.amount, self.settled, self.unmapped, self.provisional, self.quantity, self.lines)


def euro_rate(currency: str, day: date) -> Decimal | None:
    if currency == "EUR":
        return Decimal(1)
    days = [known for known in RATES.get(currency, {}) if known <= day]
    return RATES[currency][max(days)] if days else None


def day_rate(origin: str, target: str, day: date) -> Decimal | None:
    if origin == target:
        return Decimal(1)
    above, below = euro_rate(target, day), euro_rate(origin, day)
    return None if above is None or below is None else (above / below).quantize(Decimal("1e-10"), rounding=ROUND_HALF_UP)


def weights(listing: Listing | None, day: date) -> list[tuple[Sku | None, Decimal, int]]:
    """(SKU, weight, units) of a listing's money on a day."""
    parts: dict[int, list[Any]] = {}
    if listing is not None:
        for part in ListingComponent.objects.filter(company=listing.company_id, listing=listing).select_related("sku"):
            if (part.valid_from is None or part.valid_from <= day) and (part.valid_to is None or day < part.valid_to):
                row = parts.setdefault(part.sku_id, [part.sku, Decimal(0), 0])
                row[1] += part.share
                row[2] += part.quantity
    if not parts:
        return [(None, Decimal(1), 1)]
    total = sum(row[1] for row in parts.values())
    rows = sorted(parts.values(), key=lambda row: (-row[1], row[0].pk))
    rest = [(row[1] / total).quantize(Decimal("1e-8"), rounding=ROUND_HALF_UP) for row in rows[1:]]
    return [(rows[0][0], 1 - sum(rest), rows[0][2]), *((row[0], weight, row[2]) for row, weight in zip(rows[1:], rest))]


class Hand:
    """Counts the P&L from the active fee lines of a world, one line after another."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lines = list(
            FeeLine.objects.filter(company=world.company, voucher__active=True).select_related(
                "voucher", "shop", "fee_type", "listing", "statement__payout"
            )
        )
        self.weights = {(line.listing_id, line.event_on): weights(line.listing, line.event_on) for line in self.lines}
        self.sections = dict(FeeCategory.objects.values_list("code", "section"))

    def count(self, question: Question, keys: Sequence[str] | None = None) -> dict[tuple[str, ...], Counted]:
        cells: dict[tuple[str, ...], Counted] = defaultdict(Counted)
        target = question.currency or question.company.currency
        with localcontext(prec=80):
            for line in self.lines:
                category = self._category(line)
                if self.sections[category] in ("balance_sheet", "memo") or not self._in_scope(line, category, question.scope):
                    continue
                if not self._in_span(line, question):
                    continue
                rate = day_rate(line.currency, target, line.event_on)
                articles = ARTICLES & (set(question.by) | set(question.filters))
                for sku, weight, units in self.weights[line.listing_id, line.event_on] if articles else [(None, Decimal(1), 1)]:
                    words = {dimension: self._word(dimension, line, category, sku, question) for dimension in Dimension}
                    if not all(self._fits(dimension, words, sku, wanted) for dimension, wanted in question.filters.items()):
                        continue
                    cell = cells[tuple(words[dimension] for dimension in question.by)]
                    money = Decimal(0) if rate is None else line.amount * rate * weight
                    cell.amount += money
                    cell.settled += money if line.state == "settled" else 0
                    cell.unmapped += money if category == "adj.unmapped" else 0
                    cell.provisional += money if line.provisional else 0
                    cell.quantity += (line.quantity or 0) * units
                    cell.line_ids.add(line.pk)
                    cell.lines = len(cell.line_ids)
        return {keys: cell for keys, cell in cells.items() if cell.lines}

    def _category(self, line: FeeLine) -> str:
        month = line.event_on.replace(day=1)
        for name, category, start, end in self.world.rules:
            if name == line.fee_type.name and (start is None or start <= month) and (end is None or month < end):
                return category
        return "adj.unmapped"

    def _in_scope(self, line: FeeLine, category: str, scope: str) -> bool:
        month = line.event_on.replace(day=1)
        for name, where, start, end in self.world.scopes:
            if name == category and (start is None or start <= month) and (end is None or month < end):
                return where == UNIFIED or (where == "channel" and scope != UNIFIED)
        return True

    def _day(self, line: FeeLine, clock: str) -> date | None:
        if clock == "event":
            return line.event_on
        if clock == "posted":
            return line.posted_on
        payout = line.statement.payout if line.statement else None
        return payout.paid_on if payout and payout.status in ("paid", "in_transit") else None

    def _in_span(self, line: FeeLine, question: Question) -> bool:
        day = self._day(line, question.clock)
        if day is None:
            return question.end is None or question.end > timezone.now().date()
        return (question.start is None or question.start <= day) and (question.end is None or day < question.end)

    def _word(self, dimension: Dimension, line: FeeLine, category: str, sku: Sku | None, question: Question) -> str:
        day = self._day(line, question.clock)
        match dimension:
            case Dimension.MONTH:
                return day.replace(day=1).isoformat() if day else ""
            case Dimension.WEEK:
                return (day - timedelta(days=day.weekday())).isoformat() if day else ""
            case Dimension.DAY:
                return day.isoformat() if day else ""
            case Dimension.CHANNEL:
                return "fake"
            case Dimension.SHOP:
                return line.shop.code
            case Dimension.MARKETPLACE:
                return line.fee_type.marketplace
            case Dimension.SECTION:
                return self.sections[category]
            case Dimension.CATEGORY:
                return category
            case Dimension.FEE_TYPE:
                return str(line.fee_type_id)
            case Dimension.STATE:
                return line.state
            case Dimension.CURRENCY:
                return line.currency
            case Dimension.LISTING:
                return f"{line.shop.code}/{line.listing.code}" if line.listing else ""
            case Dimension.SKU:
                return sku.code if sku else ""
            case Dimension.BRAND:
                return sku.brand if sku else ""
            case Dimension.TAG:
                return ", ".join(sorted(sku.tags)) if sku else ""
            case _:
                return ""

    def _fits(self, dimension: Dimension, words: dict[Dimension, str], sku: Sku | None, wanted: tuple[str, ...]) -> bool:
        if not wanted:
            return True
        if dimension is Dimension.TAG:
            tags = sku.tags if sku else []
            return bool(set(tags) & set(wanted)) or (not tags and "" in wanted)
        return words[dimension] in wanted
