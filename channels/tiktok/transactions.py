"""Transactions of a statement (202501, 202507): the books of a TikTok shop.

One transaction is one voucher of family "statement"; where it holds a sale and its refund, the refund is a second voucher
of family "statement refund", so that every transaction has exactly one voucher in the families that are counted against
the number which the statement announces ("statement" and "adjustment"). An order's money is joined to other sources by
order, event and statement; an adjustment by its own id, which is its part (`Adapter.twins`).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import EventKind, EventSource, LineRecord, ParsedDocument, StatementRecord, VoucherRecord
from channels.tiktok.answers import AMOUNTS, currency_of, load, moment, optional_moment, pages, text_id
from channels.tiktok.breakdown import SETTLED, explain, read_lines, split_refund
from channels.tiktok.statements import head_of

FAMILY = "statement"
REFUND_FAMILY = "statement refund"
ADJUSTMENT_FAMILY = "adjustment"
_ORDER = "ORDER"
_RESERVE = "RESERVE"


def parse(source: Source) -> ParsedDocument:
    """The vouchers and the statements of an answer of Get Transactions by Statement, or of a list of its pages.

    Events of orders carry the order's creation time (provisional), refunds and adjustments the time the statement closed.

    Raises:
        DocumentError: not such an answer, cut off, a page without statement, a transaction without id, type, order or with
            an amount that is none; the message names the transaction.
    """
    parsed = ParsedDocument()
    reader = _Reader(source, parsed)
    for page in pages(load(source.body), ("transactions", "statement_transactions")):
        if "transactions" not in page:
            raise DocumentError(
                "This is an answer of version 202309 of Get Transactions by Statement, which TikTok retired; export it in 202501."
            )
        reader.take_page(page)
    reader.close()
    return parsed


class _Reader:
    def __init__(self, source: Source, parsed: ParsedDocument) -> None:
        self.source = source
        self.parsed = parsed
        self.marketplace = f"TikTok Shop {source.region}".strip()
        self.statements: dict[str, StatementRecord] = {}
        self.found: dict[str, int] = {}
        #: transactions seen; pages that shifted while they were read tell one twice
        self.seen: set[str] = set()

    def take_page(self, page: dict[str, Any]) -> None:
        statement = head_of(page, self.source)
        known = self.statements.setdefault(statement.outside_id, statement)
        if (known.total, known.currency) != (statement.total, statement.currency):
            raise DocumentError(
                f"Statement {statement.outside_id} has the total {known.total} {known.currency} on one page and "
                f"{statement.total} {statement.currency} on another: the pages were not read at the same time."
            )
        transactions = page["transactions"]
        closed = statement.closed_at
        if closed is None:
            closed = self._latest(transactions, statement.outside_id)
        assert isinstance(closed, datetime)
        for transaction in transactions:
            index = self.parsed.rows
            self.parsed.rows = index + 1
            if not isinstance(transaction, dict):
                raise DocumentError(f"Transaction {index + 1} of statement {statement.outside_id} is not an object.")
            self.take(transaction, index, statement, closed)

    def _latest(self, transactions: list[Any], statement: str) -> datetime:
        """Stands in for the closing time when the page does not tell it: the latest order of the page."""
        times = [int(row.get("order_create_time") or 0) for row in transactions if isinstance(row, dict)]
        self.parsed.notes.append(
            f"Statement {statement} does not say when it closed (create_time); the time of its latest order stands in."
        )
        return moment(max(times, default=0), f"Statement {statement}, create_time")

    def take(self, transaction: dict[str, Any], index: int, statement: StatementRecord, closed: datetime) -> None:
        get = transaction.get
        statement_id = statement.outside_id
        transaction_id = get("id")
        if not transaction_id:
            raise DocumentError(f"Transaction {index + 1} of statement {statement_id} has no id.")
        kind = get("type")
        if not kind:
            raise DocumentError(f"Transaction {transaction_id} of statement {statement_id} has no type.")
        is_order = kind == _ORDER or kind.strip().upper() == _ORDER
        try:
            lines = read_lines(transaction, index, SETTLED, "adjustment_amount" if is_order else kind.strip())
            reserve = AMOUNTS[get("reserve_amount")]
        except (ValueError, TypeError, AttributeError):
            raise DocumentError(
                f"Transaction {transaction_id} of statement {statement_id} cannot be read: {explain(transaction, SETTLED)}."
            ) from None
        if reserve:
            lines.append(LineRecord("reserve", _RESERVE, "reserve", reserve, "", None, index))
        named = get("currency")
        currency = currency_of(named, self.source, f"Transaction {transaction_id}") if named else statement.currency
        outside_id = f"{statement_id}/{transaction_id}"
        vouchers = self.parsed.vouchers
        if outside_id in self.seen:
            vouchers[:] = [row for row in vouchers if row.outside_id != outside_id]  # the later page counts
        else:
            self.seen.add(outside_id)
            self.found[statement_id] = self.found.get(statement_id, 0) + 1
        if not is_order:
            vouchers.append(self._other(transaction, kind.strip(), outside_id, index, lines, currency, statement_id, closed))
            return
        order = text_id(get("order_id")) or text_id(get("associated_order_id"))
        if not order:
            raise DocumentError(f"Transaction {transaction_id} of statement {statement_id} is of an order but has no order_id.")
        created = optional_moment(get("order_create_time"), f"Transaction {transaction_id}, order_create_time")
        sale, refund = split_refund(lines)
        if sale or not refund:
            vouchers.append(
                VoucherRecord(
                    FAMILY,
                    outside_id,
                    currency,
                    self.marketplace,
                    closed,
                    created or closed,
                    EventSource.ORDER if created else EventSource.POSTED,
                    sale,
                    order,
                    EventKind.SALE,
                    statement_id,
                    statement_id,
                    row=index,
                )
            )
        if refund:
            vouchers.append(
                VoucherRecord(
                    REFUND_FAMILY if sale else FAMILY,
                    outside_id,
                    currency,
                    self.marketplace,
                    closed,
                    closed,
                    EventSource.POSTED,
                    refund,
                    order,
                    EventKind.REFUND,
                    statement_id,
                    statement_id,
                    row=index,
                )
            )

    def _other(
        self,
        transaction: dict[str, Any],
        kind: str,
        outside_id: str,
        index: int,
        lines: list[LineRecord],
        currency: str,
        statement_id: str,
        closed: datetime,
    ) -> VoucherRecord:
        get = transaction.get
        adjustment = text_id(get("adjustment_id")) or text_id(get("id"))
        order = text_id(get("adjustment_order_id")) or text_id(get("order_id")) or text_id(get("associated_order_id"))
        reserve = kind.upper() == _RESERVE
        return VoucherRecord(
            family=FAMILY if reserve else ADJUSTMENT_FAMILY,
            outside_id=outside_id,
            currency=currency,
            marketplace=self.marketplace,
            posted_at=closed,
            event_at=closed,
            event_source=EventSource.SERVICE,
            lines=lines,
            order=order,
            event=EventKind.OTHER,
            statement=statement_id,
            part=statement_id if reserve else adjustment,
            row=index,
        )

    def close(self) -> None:
        """Give the statements, complete ones where the document holds every transaction of theirs."""
        for statement in self.statements.values():
            found = self.found.get(statement.outside_id, 0)
            announced = statement.line_count
            if announced is None:
                statement.complete = found > 0 and statement.total == self._sum(statement.outside_id)
            elif found > announced:
                self.parsed.notes.append(f"Statement {statement.outside_id} announces {announced} transactions but has {found}.")
            else:
                statement.complete = found == announced
            self.parsed.statements.append(statement)

    def _sum(self, statement: str) -> Decimal:
        """What a statement's lines add up to without reserves, which are outside its settlement."""
        rows = (row for row in self.parsed.vouchers if row.statement == statement)
        return sum((line.amount for row in rows for line in row.lines if line.context != "reserve"), Decimal(0))
