"""The fee lines behind a figure of the P&L: page by page, with the sum that is the figure, to the last digit.

The totals and the days to look at come from the rollups; of the lines only those of the page's days are read. Newest
event day first; a page goes on after the last line of the one before (keyset), so that imports meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from ledger.pnl import exact_sum
from ledger.pnl_frame import Frame, read_frame
from ledger.pnl_question import Condition, Dimension, Question, check_question, conditions_of, period_end
from ledger.pnl_sql import SUMS, Plan, Source, Statement, choose_source, compose

#: Days are added to a page's reading until they hold this many times its lines.
_MARGIN = 2


@dataclass(frozen=True)
class LineRow:
    """One fee line as it counts in a figure.

    `amount` is the line's own in `currency`; `converted` what the figure has of it, in the report's currency: amount x
    `rate` of the event day x `share` (the part that goes to the SKUs asked for; 1 otherwise), None without a rate.
    `reversal` lines take back the lines of `version`; `active` lines count.
    """

    id: int
    event_on: date
    posted_on: date
    paid_on: date | None
    amount: Decimal
    currency: str
    rate: Decimal | None
    share: Decimal
    converted: Decimal | None
    quantity: int | None
    fee_type_id: int
    fee_type: str
    channel: str
    marketplace: str
    category: str
    category_name: str
    mapped: bool
    shop_id: int
    shop: str
    listing_id: int | None
    listing: str
    voucher_id: int
    voucher: str
    version: int
    order_ref: str
    statement_id: int | None
    statement: str
    document_id: int
    row: int | None
    state: str
    provisional: bool
    active: bool
    reversal: bool


@dataclass(frozen=True)
class LinePage:
    """A page of lines. `count` and `amount` are of the whole figure (active lines); `after` opens the next page, "" at the end."""

    rows: tuple[LineRow, ...]
    count: int
    amount: Decimal
    currency: str
    after: str


def lines_behind(
    question: Question,
    keys: Sequence[str] | None = None,
    *,
    after: str | None = None,
    limit: int = 50,
    with_reversed: bool = False,
) -> LinePage:
    """The fee lines of the cell with `keys` (in the order of `question.by`), or of the whole report for None.

    `after` is the `after` of the page before. `with_reversed` also shows lines that were taken back and the reversals
    that did it; they add up to nothing.

    Raises:
        ValueError: as `ledger.pnl.answer`; a wrong number of keys; a malformed `after`.
    """
    conditions = tuple(conditions_of(question, keys))
    check_question(question, conditions)
    place = _read_place(after) if after else None
    frame = read_frame(question, conditions)
    count, amount, months = _totals(question, frame, conditions)
    rows: list[LineRow] = []
    for window in _windows(months, limit, place):
        if len(rows) > limit:
            break
        days = _days(question, frame, conditions, window, place, with_reversed)
        start = 0
        while start < len(days) and len(rows) <= limit:
            end, lines = start, 0
            while end < len(days) and lines < _MARGIN * (limit + 1 - len(rows)):
                lines += max(days[end][2], 1)
                end += 1
            rows += _lines(question, frame, conditions, days[start:end], place, limit + 1 - len(rows), with_reversed)
            start = end
    more = len(rows) > limit
    rows = rows[:limit]
    return LinePage(
        rows=tuple(rows),
        count=count,
        amount=amount,
        currency=question.report_currency,
        after=f"{rows[-1].event_on.isoformat()}.{rows[-1].id}" if more else "",
    )


def _read_place(text: str) -> tuple[date, int]:
    day, _, line = text.rpartition(".")
    try:
        return date.fromisoformat(day), int(line)
    except ValueError:
        raise ValueError(f"{text!r} is no place in a list of fee lines.") from None


def _fetch(statement: Statement, select: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement.having(select), statement.parameters)
        return list(cursor.fetchall())


Month = tuple[date, int]
Window = tuple[date | None, date | None]
Day = tuple[date, list[int], int]


def _totals(question: Question, frame: Frame, conditions: tuple[Condition, ...]) -> tuple[int, Decimal, list[Month] | None]:
    """Lines and amount of the figure and, where the month rollup knows them, its event months with their lines."""
    source = choose_source(question, conditions, frame, by=())
    if source is Source.MONTHS:
        plan = Plan(question, frame, (), conditions, source, extra=("event_month",))
        rows = _fetch(compose(plan), f"SELECT event_month, {SUMS} FROM placed GROUP BY event_month ORDER BY event_month DESC")
        return sum(int(row[6]) for row in rows), exact_sum(row[1] for row in rows), [(row[0], int(row[6])) for row in rows]
    row = _fetch(compose(Plan(question, frame, (), conditions, source)), f"SELECT {SUMS} FROM placed")[0]
    return int(row[5]), row[0], None


def _windows(months: list[Month] | None, limit: int, place: tuple[date, int] | None) -> Iterator[Window]:
    """Spans of event days to look at one after another, newest first: months enough to fill a page at a time."""
    if months is None:
        yield None, None
        return
    newest: date | None = None
    lines = 0
    for month, number in months:
        if place and month > place[0]:
            continue
        newest = newest or month
        lines += number
        if lines > limit:
            yield month, period_end(Dimension.MONTH, newest) - timedelta(days=1)
            newest, lines = None, 0
    if newest:
        yield months[-1][0], period_end(Dimension.MONTH, newest) - timedelta(days=1)


def _days(
    question: Question,
    frame: Frame,
    conditions: tuple[Condition, ...],
    window: Window,
    place: tuple[date, int] | None,
    with_reversed: bool,
) -> list[Day]:
    """(event day, fee types, lines) of what is behind the figure, newest first, from where the page begins."""
    first, last = window
    if place:
        last = min(last or place[0], place[0])
    plan = Plan(question, frame, (), conditions, Source.DAYS, extra=("event_on",), event_days=(first, last))
    having = "" if with_reversed else "HAVING sum(lines) > 0"
    rows = _fetch(
        compose(plan),
        f"SELECT event_on, array_agg(DISTINCT fee_type_id), sum(lines) FROM placed GROUP BY event_on {having} ORDER BY event_on DESC",
    )
    return [(day, types, int(lines)) for day, types, lines in rows]


_DETAILS = """
    SELECT line.id, line.event_on, line.posted_on,
        CASE WHEN payout.status IN ('paid', 'in_transit') THEN payout.paid_on END, line.amount, line.currency,
        nova_day_rate(line.currency, %(target)s, line.event_on), trim_scale(chosen.share), trim_scale(chosen.converted),
        line.quantity, type.id, concat_ws(' / ', nullif(type.path, ''), type.name), type.channel, type.marketplace,
        chosen.category_id, chosen.mapped, line.shop_id, line.listing_id, coalesce(listing.code, ''),
        voucher.id, voucher.outside_id, voucher.version, voucher.order_ref, line.statement_id, coalesce(statement.outside_id, ''),
        voucher.document_id, coalesce(line.row, voucher.row), line.state, line.provisional, voucher.active, voucher.reversal
    FROM chosen
    JOIN ledger_feeline line ON line.company_id = %(company)s AND line.id = chosen.id
    JOIN ledger_voucher voucher ON voucher.company_id = line.company_id AND voucher.id = line.voucher_id
    JOIN ledger_feetype type ON type.id = line.fee_type_id
    LEFT JOIN inventory_listing listing ON listing.company_id = line.company_id AND listing.id = line.listing_id
    LEFT JOIN ledger_statement statement ON statement.company_id = line.company_id AND statement.id = line.statement_id
    LEFT JOIN ledger_payout payout ON payout.company_id = statement.company_id AND payout.id = statement.payout_id
    ORDER BY line.event_on DESC, line.id DESC
"""


def _lines(
    question: Question,
    frame: Frame,
    conditions: tuple[Condition, ...],
    days: Sequence[Day],
    place: tuple[date, int] | None,
    limit: int,
    with_reversed: bool,
) -> list[LineRow]:
    """The lines of some days, from the index of fee type and event day."""
    statement = Statement()
    where = [
        "line.company_id = %(company)s",
        f"line.fee_type_id = ANY({statement.value(sorted({type_id for _day, types, _lines in days for type_id in types}))}::bigint[])",
        f"line.event_on >= {statement.value(days[-1][0])}",
        f"line.event_on <= {statement.value(days[0][0])}",
    ]
    if place:
        where.append(f"(line.event_on, line.id) < ({statement.value(place[0])}, {statement.value(place[1])})")
    if not with_reversed:
        where.append("voucher.active")
    statement.add(
        "wanted",
        f"""SELECT line.* FROM ledger_feeline line
        JOIN ledger_voucher voucher ON voucher.company_id = line.company_id AND voucher.id = line.voucher_id
        WHERE {" AND ".join(where)}""",
    )
    plan = Plan(question, frame, (), conditions, Source.LINES, extra=("id", "event_on"))
    statement = compose(plan, statement)
    statement.add(
        "chosen",
        f"""SELECT id, category_id, mapped, share, CASE WHEN unrated IS NULL THEN amount END AS converted
        FROM placed ORDER BY event_on DESC, id DESC LIMIT {int(limit)}""",
    )
    found = []
    for row in _fetch(statement, _DETAILS):
        category = frame.categories[row[14]]
        values = [*row[:14], category.code, category.name, row[15], row[16], frame.shops[row[16]].code, *row[17:]]
        found.append(LineRow(*values))
    return found
