"""What approving rules would change in the P&L, exactly and before it is approved. Reads only.

The supposed rules are compiled in memory, for the fee types they say something about; the months that would change hands
are joined to `PnlMonth` in one statement. Amounts are exact decimals in the company's currency, seller's view; months are
those of the event clock.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection

from ledger.classify import ALWAYS_FROM, ALWAYS_TO, RuleBook, approved_rules
from ledger.models import FeeRule, FeeType, Mapping, ScopeRule
from ledger.pnl_frame import OUTSIDE, Frame, read_frame
from ledger.pnl_question import Question
from ledger.supersede import SUPPOSED, Ending, TypeIndex, affected_types, plan_endings, selector
from nova.models import Company

ZERO = Decimal(0)


class Segment(NamedTuple):
    """From month to month (exclusive) a fee type goes from one category to another; None is no category (suspense)."""

    fee_type_id: int
    starts: date
    ends: date
    old: int | None
    new: int | None
    rule_id: int | None


class _Span(NamedTuple):
    """From month to month (exclusive) a category holds, by a rule."""

    starts: date
    ends: date
    category_id: int
    rule_id: int


class _Money(NamedTuple):
    """Money of one month, shop and currency that changes hands; the fee type where there are few."""

    month: date
    shop_id: int
    old: int | None
    new: int | None
    fee_type_id: int | None
    currency: str
    amount: Decimal
    unrated: Decimal
    lines: int


@dataclass
class Move:
    """Money that goes from one category to another: amounts and lines by month, and the fee types they are of, where
    there are few.
    """

    origin: str
    target: str
    months: dict[date, tuple[Decimal, int]] = field(default_factory=dict)
    fee_types: dict[date, set[int]] = field(default_factory=dict)
    channels: set[str] = field(default_factory=set)

    @property
    def amount(self) -> Decimal:
        return sum((amount for amount, _lines in self.months.values()), ZERO)

    @property
    def lines(self) -> int:
        return sum(lines for _amount, lines in self.months.values())


@dataclass
class RuleEffect:
    """What one rule moves: its money, the size of it, its lines, and how many fee types change hands.

    `absolute` is the sum of the absolute amounts per month, shop, currency and state.
    """

    amount: Decimal = ZERO
    absolute: Decimal = ZERO
    lines: int = 0
    fee_types: int = 0


@dataclass
class Preview:
    """The exact effect of approving a set of rules.

    `moves` say what goes from where to where in the ledger, all shops, sorted by size. `cells` are the change of the
    unified P&L by month and category: without balance sheet and memo, without what scope rules keep out of it, without
    shops of which only the cash side is known. `unrated` is money without a rate that moves too (currency, amount).
    `digest` stands for the mapping that would change: the same digest, the same change. `conflicts` forbid the approval.
    """

    company: Company
    rules: int
    moves: list[Move] = field(default_factory=list)
    by_rule: dict[int, RuleEffect] = field(default_factory=dict)
    cells: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    unrated: dict[str, Decimal] = field(default_factory=dict)
    endings: list[Ending[FeeRule]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    fee_types: int = 0
    digest: str = ""

    @property
    def months(self) -> list[date]:
        """The months in which something changes, in order."""
        return sorted({month for move in self.moves for month in move.months})

    @property
    def lines(self) -> int:
        return sum(move.lines for move in self.moves)

    @property
    def absolute(self) -> Decimal:
        """The size of what moves: the sum of the absolute amounts per move and month."""
        return sum((abs(amount) for move in self.moves for amount, _lines in move.months.values()), ZERO)

    @property
    def result(self) -> dict[date, Decimal]:
        """The change of the unified P&L's result by month; months in which money only changes its category are left out."""
        found: dict[date, Decimal] = defaultdict(Decimal)
        for (month, _category), amount in self.cells.items():
            found[month] += amount
        return {month: amount for month, amount in sorted(found.items()) if amount}


def preview(*, rule_ids: Sequence[int], company: Company | None = None) -> Preview:
    """The effect of approving proposals of one company, all of them together.

    Raises:
        ValueError: rules of several companies, or none.
    """
    rules = FeeRule.objects.filter(pk__in=rule_ids).select_related("category", "company")
    found = list(rules.filter(company=company) if company else rules)
    if len({rule.company_id for rule in found}) != 1:
        raise ValueError("Preview the rules of one company at a time.")
    return preview_rules(company=found[0].company, proposals=found)


def preview_rules(*, company: Company, proposals: Sequence[FeeRule]) -> Preview:
    """The effect of approving these rules together, saved or not; rules with the same selector end where they begin."""
    chosen = _numbered(proposals)
    channels = sorted({rule.channel for rule in chosen})
    approved = [
        rule
        for channel in channels
        for rule in approved_rules(company_id=company.pk, channel=channel)
        if rule.pk not in {proposal.pk for proposal in chosen}
    ]
    plan = plan_endings(approved=approved, proposals=chosen)
    seen = [*chosen, *(ending.rule for ending in plan.endings)]
    return _preview(
        company=company,
        count=len(chosen),
        touching=seen,
        after=plan.in_force(approved, chosen),
        endings=plan.endings,
        conflicts=plan.conflicts,
    )


def preview_retirement(*, company: Company, rules: Sequence[FeeRule], valid_to: date | None = None) -> Preview:
    """The effect of ending approved rules from a month on, or altogether."""
    gone = {rule.pk for rule in rules}
    left: list[FeeRule] = []
    if valid_to is not None:
        for rule in rules:
            shorter = copy(rule)
            shorter.valid_to = valid_to
            left.append(shorter)
    channels = sorted({rule.channel for rule in rules})
    approved = [
        rule for channel in channels for rule in approved_rules(company_id=company.pk, channel=channel) if rule.pk not in gone
    ]
    return _preview(company=company, count=len(rules), touching=list(rules), after=[*approved, *left])


def preview_each(*, company: Company, proposals: Sequence[FeeRule]) -> dict[int, RuleEffect]:
    """The effect of each proposal if it alone were approved, by rule id: for lists. One statement for the money of all."""
    channels = sorted({rule.channel for rule in proposals})
    chosen = {rule.pk for rule in proposals}
    approved = [
        rule for channel in channels for rule in approved_rules(company_id=company.pk, channel=channel) if rule.pk not in chosen
    ]
    index = TypeIndex(FeeType.objects.filter(channel__in=channels))
    before = _mapped(company, channels)
    standing: dict[Hashable, list[FeeRule]] = defaultdict(list)
    for rule in approved:
        standing[selector(rule)].append(rule)
    book = RuleBook(approved)
    effects = {rule.pk: RuleEffect() for rule in proposals}
    segments: list[Segment] = []
    for rule in proposals:
        plan = plan_endings(approved=standing[selector(rule)], proposals=[rule])
        touched = index.touched([rule])  # a rule that ends has the same selector: the same types
        near = {other.pk: other for fee_type in touched for other in book.candidates(fee_type)}
        after = RuleBook(plan.in_force(near.values(), [rule]))
        found = [row._replace(rule_id=rule.pk) for fee_type in touched for row in _changes(fee_type, before, after)]
        effects[rule.pk].fee_types = len({row.fee_type_id for row in found})
        segments += found
    _add_effects(effects, company, segments)
    return effects


def _preview(
    *,
    company: Company,
    count: int,
    touching: Sequence[FeeRule],
    after: Iterable[FeeRule],
    endings: Sequence[Ending[FeeRule]] = (),
    conflicts: Sequence[str] = (),
) -> Preview:
    result = Preview(company=company, rules=count, endings=list(endings), conflicts=list(conflicts))
    channels = sorted({rule.channel for rule in touching})
    # Every type counts for the digest, those without money too: approving compiles them as well.
    types = affected_types(rules=touching, fee_types=FeeType.objects.filter(channel__in=channels))
    before = _mapped(company, channels)
    book = RuleBook(after)
    segments = [row for fee_type in types for row in _changes(fee_type, before, book)]
    result.digest = hashlib.blake2b(
        repr(sorted((row.fee_type_id, row.starts, row.ends, row.old or 0, row.new or 0) for row in segments)).encode(),
        digest_size=12,
    ).hexdigest()
    result.fee_types = len({row.fee_type_id for row in segments})
    for segment in segments:
        if segment.rule_id is not None:
            result.by_rule.setdefault(segment.rule_id, RuleEffect()).fee_types += 1
    if segments:
        _add_money(result, segments)
    return result


def _mapped(company: Company, channels: Sequence[str]) -> dict[int, list[_Span]]:
    """The categories that hold now, by fee type."""
    found: dict[int, list[_Span]] = defaultdict(list)
    rows = Mapping.objects.filter(company=company, known_to__isnull=True, fee_type__channel__in=channels)
    for fee_type_id, start, end, category_id, rule_id in rows.values_list(
        "fee_type", "valid_from", "valid_to", "category", "rule_id"
    ):
        found[fee_type_id].append(_Span(start, end, category_id, rule_id))
    return found


def _changes(fee_type: FeeType, before: dict[int, list[_Span]], book: RuleBook) -> list[Segment]:
    """The months in which a fee type changes hands under a rule book."""
    after = [
        _Span(interval.valid_from, interval.valid_to, interval.rule.category_id, interval.rule.pk)
        for interval in book.intervals(fee_type)
    ]
    return _differences(fee_type.pk, before.get(fee_type.pk, ()), after)


def _numbered(proposals: Sequence[FeeRule]) -> list[FeeRule]:
    """Rules that are not saved get the numbers they might have: newer than all others."""
    chosen = []
    for place, rule in enumerate(proposals):
        if rule.pk is None:
            rule = copy(rule)
            rule.pk = SUPPOSED + place
        chosen.append(rule)
    return chosen


def _differences(fee_type_id: int, before: Sequence[_Span], after: Sequence[_Span]) -> list[Segment]:
    edges = sorted({ALWAYS_FROM, ALWAYS_TO, *(edge for row in (*before, *after) for edge in (row.starts, row.ends))})
    found: list[Segment] = []
    for start, end in pairwise(edges):
        old = next((row for row in before if row.starts <= start and end <= row.ends), None)
        new = next((row for row in after if row.starts <= start and end <= row.ends), None)
        if (old and old.category_id) == (new and new.category_id):
            continue
        segment = Segment(fee_type_id, start, end, old and old.category_id, new and new.category_id, new and new.rule_id)
        if found and found[-1].ends == start and found[-1][3:] == segment[3:]:
            segment = segment._replace(starts=found.pop().starts)
        found.append(segment)
    return found


_SEGMENTS = """
    FROM unnest(%(fee_types)s::bigint[], %(starts)s::date[], %(ends)s::date[], %(olds)s::bigint[], %(news)s::bigint[],
        %(rules)s::bigint[]) AS segment(fee_type_id, starts, ends, old_id, new_id, rule_id)
    JOIN ledger_pnlmonth month ON month.company_id = %(company)s AND month.clock = 'event'
        AND month.fee_type_id = segment.fee_type_id AND month.month >= segment.starts AND month.month < segment.ends
"""
_MONEY = f"""
    SELECT month.month, month.shop_id, segment.old_id, segment.new_id,
        CASE WHEN %(detailed)s THEN month.fee_type_id END AS type_id, month.currency,
        sum(month.base_amount), sum(month.unrated_amount), sum(month.lines)::bigint
    {_SEGMENTS}
    GROUP BY 1, 2, 3, 4, 5, 6
    HAVING sum(month.base_amount) <> 0 OR sum(month.unrated_amount) <> 0 OR sum(month.lines) <> 0
"""
_BY_RULE = f"""
    SELECT segment.rule_id, sum(month.base_amount), sum(abs(month.base_amount)), sum(month.lines)::bigint
    {_SEGMENTS}
    WHERE segment.rule_id IS NOT NULL
    GROUP BY 1
"""
#: Up to so many fee types a preview knows the types behind each figure, for the way to their lines.
DETAILED = 50


def _rows(statement: str, company: Company, segments: Sequence[Segment]) -> list[tuple[Any, ...]]:
    if not segments:
        return []
    names = ("fee_types", "starts", "ends", "olds", "news", "rules")
    columns = dict(zip(names, (list(column) for column in zip(*segments, strict=True)), strict=True))
    detailed = len({segment.fee_type_id for segment in segments}) <= DETAILED
    with connection.cursor() as cursor:
        cursor.execute(statement, {**columns, "company": company.pk, "detailed": detailed})
        return list(cursor.fetchall())


def _add_effects(effects: dict[int, RuleEffect], company: Company, segments: Sequence[Segment]) -> None:
    for rule_id, amount, absolute, lines in _rows(_BY_RULE, company, segments):
        effect = effects[rule_id]
        effect.amount, effect.absolute, effect.lines = amount, absolute, lines


def _add_money(result: Preview, segments: Sequence[Segment]) -> None:
    frame = read_frame(Question(company=result.company), ())
    moves: dict[tuple[int, int], Move] = {}
    cells: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    unrated: dict[str, Decimal] = defaultdict(Decimal)
    for values in _rows(_MONEY, result.company, segments):
        row = _Money(*values)
        pair = (row.old or frame.suspense_id, row.new or frame.suspense_id)
        if pair not in moves:
            moves[pair] = Move(frame.categories[pair[0]].code, frame.categories[pair[1]].code)
        move = moves[pair]
        money, number = move.months.get(row.month, (ZERO, 0))
        move.months[row.month] = (money + row.amount, number + row.lines)
        move.channels.add(frame.shops[row.shop_id].channel)
        if row.fee_type_id is not None:
            move.fee_types.setdefault(row.month, set()).add(row.fee_type_id)
        for category_id, change in zip(pair, (-row.amount, row.amount), strict=True):
            if scope_of(frame, row.shop_id, category_id, row.month) == ScopeRule.Scope.UNIFIED:
                cells[row.month, frame.categories[category_id].code] += change
        if row.unrated:
            unrated[row.currency] += row.unrated
    _add_effects(result.by_rule, result.company, segments)
    result.moves = sorted(moves.values(), key=lambda move: (-abs(move.amount), move.origin, move.target))
    result.cells = {key: amount for key, amount in sorted(cells.items()) if amount}
    result.unrated = {currency: amount for currency, amount in sorted(unrated.items()) if amount}


def scope_of(frame: Frame, shop_id: int, category_id: int, month: date) -> str:
    """Where a month's money of a shop and category is shown: a `ScopeRule.Scope`, "" for nowhere in any P&L."""
    category, shop = frame.categories[category_id], frame.shops[shop_id]
    if category.section in OUTSIDE:
        return ""
    scope = next(
        (
            row.scope
            for row in frame.scopes
            if (row.channel, row.category_id) == (shop.channel, category_id)
            and (row.valid_from or ALWAYS_FROM) <= month < (row.valid_to or ALWAYS_TO)
        ),
        ScopeRule.Scope.UNIFIED.value,
    )
    return ScopeRule.Scope.CHANNEL.value if shop.cash_side_only and scope == ScopeRule.Scope.UNIFIED else scope
