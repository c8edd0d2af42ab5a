"""Fee types of a company that no approved rule maps: with the money at stake, the share of the P&L they distort, examples.

Reads only. Amounts are exact decimals, seller's view: `amount` and `absolute` in the company's currency at the event
days' rates, `originals` in the channel's currencies. Months and days are the company's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from channels import registry
from ledger.classify import RuleBook
from ledger.models import FeeRule, FeeType
from ledger.suggest import Suggestion, suggest
from nova.models import Company, User

ZERO = Decimal(0)


@dataclass(frozen=True)
class Example:
    """A fee line of the type, with what leads to its proof."""

    line_id: int
    event_on: date
    amount: Decimal
    currency: str
    shop: str
    order: str
    outside_id: str
    document_id: int
    row: int | None
    state: str


@dataclass
class Item:
    """One unmapped fee type. `absolute` is the sum of the absolute amounts per month, shop, currency and state.

    `waiting` are proposals for it that nobody has decided on yet.
    """

    fee_type: FeeType
    lines: int = 0
    amount: Decimal = ZERO
    absolute: Decimal = ZERO
    originals: dict[str, Decimal] = field(default_factory=dict)
    unrated: dict[str, Decimal] = field(default_factory=dict)
    months: set[date] = field(default_factory=set)
    share: Decimal | None = None
    first_on: date | None = None
    last_on: date | None = None
    examples: list[Example] = field(default_factory=list)
    suggestion: Suggestion | None = None
    waiting: list[FeeRule] = field(default_factory=list)

    @property
    def channel(self) -> str:
        """What staff call the channel."""
        adapter = registry.adapters().get(self.fee_type.channel)
        return adapter.label if adapter else self.fee_type.channel

    @property
    def remainder(self) -> bool:
        """Not a fee: the part of a statement that its lines do not explain."""
        return self.fee_type.context == "remainder"

    @property
    def unusual_sign(self) -> bool:
        """The money points the other way than the suggested category usually does."""
        sign = self.suggestion.category.sign if self.suggestion else ""
        return (sign == "-" and self.amount > 0) or (sign == "+" and self.amount < 0)


@dataclass
class Worklist:
    """The items asked for (one page), most money first, and figures over all of them."""

    items: list[Item]
    count: int
    amount: Decimal
    absolute: Decimal
    lines: int
    share: Decimal | None


_MONEY = """
    SELECT month.fee_type_id, month.currency, month.month, sum(month.lines), sum(month.amount), sum(month.base_amount),
        sum(abs(month.base_amount)), sum(month.unrated_amount)
    FROM ledger_pnlmonth month
    LEFT JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
        AND mapping.known_to IS NULL AND month.month >= mapping.valid_from AND month.month < mapping.valid_to
    WHERE month.company_id = %s AND month.clock = 'event' AND mapping.id IS NULL
        AND (month.lines <> 0 OR month.amount <> 0)
    GROUP BY 1, 2, 3
"""
_WHOLE = "SELECT coalesce(sum(abs(base_amount)), 0) FROM ledger_pnlmonth WHERE company_id = %s AND clock = 'event'"
_SEEN = """
    SELECT wanted.fee_type_id,
        (SELECT min(event_on) FROM ledger_feeline line WHERE line.company_id = %(company)s
            AND line.fee_type_id = wanted.fee_type_id AND line.event_on >= wanted.starts),
        (SELECT max(event_on) FROM ledger_feeline line WHERE line.company_id = %(company)s
            AND line.fee_type_id = wanted.fee_type_id AND line.event_on < wanted.ends)
    FROM unnest(%(types)s::bigint[], %(starts)s::date[], %(ends)s::date[]) AS wanted(fee_type_id, starts, ends)
"""
# The index on (company, fee type, day) is read backwards until enough lines that count are found.
_EXAMPLES = """
    SELECT wanted.fee_type_id, line.id, line.event_on, line.amount, line.currency, shop.code, line.order_ref, line.outside_id,
        line.document_id, line.row, line.state
    FROM unnest(%(types)s::bigint[], %(starts)s::date[], %(ends)s::date[]) AS wanted(fee_type_id, starts, ends)
    CROSS JOIN LATERAL (
        SELECT line.id, line.event_on, line.amount, line.currency, line.shop_id, line.row, line.state, voucher.order_ref,
            voucher.outside_id, voucher.document_id
        FROM ledger_feeline line
        JOIN ledger_voucher voucher ON voucher.company_id = line.company_id AND voucher.id = line.voucher_id AND voucher.active
        WHERE line.company_id = %(company)s AND line.fee_type_id = wanted.fee_type_id
            AND line.event_on >= wanted.starts AND line.event_on < wanted.ends
        ORDER BY line.event_on DESC LIMIT %(limit)s
    ) AS line
    JOIN channels_shop shop ON shop.company_id = %(company)s AND shop.id = line.shop_id
    ORDER BY line.event_on DESC, line.id DESC
"""


def read_worklist(
    *,
    company: Company,
    user: User | None = None,
    channel: str = "",
    search: str = "",
    fee_type_ids: Sequence[int] | None = None,
    offset: int = 0,
    limit: int = 50,
    examples: int = 5,
) -> Worklist:
    """The unmapped fee types of a company, most money first, one page of them with examples and suggestions.

    `user` lets suggestions draw on the approved rules of the user's other companies.
    """
    items = _money(company)
    if fee_type_ids is not None:
        items = {pk: item for pk, item in items.items() if pk in set(fee_type_ids)}
    chosen = [
        item
        for item in items.values()
        if (not channel or item.fee_type.channel == channel)
        and (not search or search.casefold() in f"{item.fee_type.path} {item.fee_type.name}".casefold())
    ]
    chosen.sort(key=lambda item: (-item.absolute, -item.lines, item.fee_type.pk))
    with connection.cursor() as cursor:
        cursor.execute(_WHOLE, [company.pk])
        whole: Decimal = cursor.fetchone()[0]
    for item in chosen:
        item.share = item.absolute / whole if whole else None
    page = chosen[offset : offset + limit]
    if page:
        _add_seen(company, page)
        if examples:
            _add_examples(company, page, examples)
        suggestions = suggest(company=company, user=user, fee_types=[item.fee_type for item in page])
        for item in page:
            item.suggestion = suggestions.get(item.fee_type.pk)
        _add_waiting(company, page)
    absolute = sum((item.absolute for item in chosen), ZERO)
    return Worklist(
        items=page,
        count=len(chosen),
        amount=sum((item.amount for item in chosen), ZERO),
        absolute=absolute,
        lines=sum(item.lines for item in chosen),
        share=absolute / whole if whole else None,
    )


def unmapped_channels(*, company: Company) -> list[str]:
    """The channels of a company that have unmapped fee types, for the filter."""
    return sorted({item.fee_type.channel for item in _money(company).values()})


def _money(company: Company) -> dict[int, Item]:
    with connection.cursor() as cursor:
        cursor.execute(_MONEY, [company.pk])
        rows = cursor.fetchall()
    types = FeeType.objects.in_bulk({row[0] for row in rows})
    items: dict[int, Item] = {}
    for type_id, currency, month, lines, amount, base, absolute, unrated in rows:
        item = items.setdefault(type_id, Item(types[type_id]))
        item.lines += lines
        item.amount += base
        item.absolute += absolute
        item.months.add(month)
        item.originals[currency] = item.originals.get(currency, ZERO) + amount
        if unrated:
            item.unrated[currency] = item.unrated.get(currency, ZERO) + unrated
    return items


def _window(company: Company, page: Sequence[Item]) -> dict[str, Any]:
    """The unmapped months of each type: a type mapped from March on shows examples of before."""
    return {
        "company": company.pk,
        "types": [item.fee_type.pk for item in page],
        "starts": [min(item.months) for item in page],
        "ends": [_next_month(max(item.months)) for item in page],
    }


def _next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _add_seen(company: Company, page: Sequence[Item]) -> None:
    by_type = {item.fee_type.pk: item for item in page}
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, _window(company, page))
        for type_id, first, last in cursor.fetchall():
            by_type[type_id].first_on, by_type[type_id].last_on = first, last


def _add_examples(company: Company, page: Sequence[Item], limit: int) -> None:
    by_type = {item.fee_type.pk: item for item in page}
    with connection.cursor() as cursor:
        cursor.execute(_EXAMPLES, {**_window(company, page), "limit": limit})
        for row in cursor.fetchall():
            by_type[row[0]].examples.append(Example(*row[1:]))


def _add_waiting(company: Company, page: Sequence[Item]) -> None:
    book = RuleBook(
        FeeRule.objects.filter(company=company, status=FeeRule.Status.PROPOSED)
        .select_related("category", "author")
        .order_by("pk")
    )
    for item in page:
        item.waiting = book.candidates(item.fee_type)
