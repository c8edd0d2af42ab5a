"""Fee types of a company that no approved rule maps: with the money at stake, the share of the P&L they distort, examples.

Reads only. Amounts are exact decimals, seller's view: `amount` and `absolute` in the company's currency at the event
days' rates, `originals` in the channel's currencies. Months and days are the company's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from channels import registry
from ledger.classify import RuleBook
from ledger.models import FeeRule, FeeType
from ledger.suggest import Suggestion, rules_near, suggest
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
    months: int = 0
    first_month: date = date.min
    last_month: date = date.min
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
        words = f"{self.fee_type.path} {self.fee_type.name} {self.fee_type.context}".casefold()
        if any(word in words for word in ("refund", "revers", "return", "adjust", "credit", "correct")):
            return False  # money that comes back flips its sign
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


_UNMAPPED = """
    FROM ledger_pnlmonth month
    JOIN ledger_feetype type ON type.id = month.fee_type_id
    LEFT JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
        AND mapping.known_to IS NULL AND month.month >= mapping.valid_from AND month.month < mapping.valid_to
    WHERE month.company_id = %(company)s AND month.clock = 'event' AND mapping.id IS NULL
        AND (month.lines <> 0 OR month.amount <> 0)
"""
# All unmapped types are summed, one page of them is returned, with the sums over all beside each row.
_MONEY = f"""
    SELECT *, count(*) OVER (), sum(amount) OVER (), sum(absolute) OVER (), (sum(lines) OVER ())::bigint
    FROM (
        SELECT month.fee_type_id, sum(month.lines)::bigint AS lines, sum(month.base_amount) AS amount,
            sum(abs(month.base_amount)) AS absolute, count(DISTINCT month.month) AS months, min(month.month), max(month.month)
        {_UNMAPPED}
            AND (%(channel)s = '' OR type.channel = %(channel)s)
            AND (%(search)s = '' OR strpos(lower(type.path || ' ' || type.name), lower(%(search)s)) > 0)
            AND (%(types)s::bigint[] IS NULL OR month.fee_type_id = ANY(%(types)s))
        GROUP BY month.fee_type_id
    ) AS fee
    ORDER BY absolute DESC, lines DESC, fee_type_id
    LIMIT %(limit)s OFFSET %(offset)s
"""
_ORIGINALS = f"""
    SELECT month.fee_type_id, month.currency, sum(month.amount), sum(month.unrated_amount)
    {_UNMAPPED} AND month.fee_type_id = ANY(%(types)s)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
_CHANNELS = f"SELECT DISTINCT type.channel {_UNMAPPED} ORDER BY 1"
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
    with connection.cursor() as cursor:
        cursor.execute(_WHOLE, [company.pk])
        whole: Decimal = cursor.fetchone()[0]
        cursor.execute(
            _MONEY,
            {
                "company": company.pk,
                "channel": channel,
                "search": search,
                "types": None if fee_type_ids is None else list(fee_type_ids),
                "limit": limit,
                "offset": offset,
            },
        )
        rows = cursor.fetchall()
    if not rows and offset:  # past the end, because something was mapped meanwhile: the figures still count
        first = read_worklist(company=company, channel=channel, search=search, fee_type_ids=fee_type_ids, limit=1, examples=0)
        return replace(first, items=[])
    types = FeeType.objects.in_bulk([row[0] for row in rows])
    page = [
        Item(types[type_id], lines, amount, absolute, months=months, first_month=first, last_month=last)
        for type_id, lines, amount, absolute, months, first, last, *_all in rows
    ]
    for item in page:
        item.share = item.absolute / whole if whole else None
    if page:
        _add_originals(company, page)
        _add_seen(company, page)
        if examples:
            _add_examples(company, page, examples)
        suggestions = suggest(company=company, user=user, fee_types=[item.fee_type for item in page])
        for item in page:
            item.suggestion = suggestions.get(item.fee_type.pk)
        _add_waiting(company, page)
    count, amount, absolute, lines = rows[0][-4:] if rows else (0, ZERO, ZERO, 0)
    return Worklist(page, count, amount, absolute, int(lines), absolute / whole if whole else None)


def unmapped_channels(*, company: Company) -> list[str]:
    """The channels of a company that have unmapped fee types, for the filter."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANNELS, {"company": company.pk})
        return [row[0] for row in cursor.fetchall()]


def _add_originals(company: Company, page: Sequence[Item]) -> None:
    by_type = {item.fee_type.pk: item for item in page}
    with connection.cursor() as cursor:
        cursor.execute(_ORIGINALS, {"company": company.pk, "types": list(by_type)})
        for type_id, currency, amount, unrated in cursor.fetchall():
            by_type[type_id].originals[currency] = amount
            if unrated:
                by_type[type_id].unrated[currency] = unrated


def _window(company: Company, page: Sequence[Item]) -> dict[str, Any]:
    """The unmapped months of each type: a type mapped from March on shows examples of before."""
    return {
        "company": company.pk,
        "types": [item.fee_type.pk for item in page],
        "starts": [item.first_month for item in page],
        "ends": [_next_month(item.last_month) for item in page],
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
    waiting = FeeRule.objects.filter(company=company, status=FeeRule.Status.PROPOSED).select_related("category", "author")
    book = RuleBook(rules_near(waiting, [item.fee_type for item in page]))
    for item in page:
        item.waiting = book.candidates(item.fee_type)
