"""Unsettled transactions (202507): what TikTok expects to settle; preliminary until the statement has it.

The answer itemises less than it totals: what is missing stays visible as a remainder of its block.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import EventKind, EventSource, LineRecord, ParsedDocument, VoucherRecord
from channels.tiktok.answers import currency_of, load, moment, optional_moment, pages, text_id
from channels.tiktok.breakdown import ESTIMATED, explain, read_lines, split_refund

FAMILY = "unsettled"
ADJUSTMENT_FAMILY = "unsettled adjustment"


def parse(source: Source) -> ParsedDocument:
    """The vouchers of answers of Get Unsettled Transactions, one per transaction and event.

    The event date is the delivery where it is known, else the order's creation (provisional).

    Raises:
        DocumentError: not such an answer, cut off, or a transaction without id, order, currency or time, or with an amount
            that is none.
    """
    parsed = ParsedDocument()
    seen: dict[str, list[VoucherRecord]] = {}
    for page in pages(load(source.body), ("transactions",)):
        latest = _latest(page["transactions"])
        for transaction in page["transactions"]:
            index = parsed.rows
            parsed.rows += 1
            if not isinstance(transaction, dict):
                raise DocumentError(f"Unsettled transaction {index + 1} is not an object.")
            vouchers = _transaction(transaction, index, page, source, latest)
            if vouchers:
                seen[vouchers[0].outside_id.rpartition("/")[0]] = vouchers
    parsed.vouchers = [voucher for vouchers in seen.values() for voucher in vouchers]
    return parsed


def _latest(rows: list[Any]) -> int:
    """The newest order of the page: stands in for the time of an adjustment that has none of its own."""
    times = [str(row.get("order_create_time") or "") for row in rows if isinstance(row, dict)]
    return max((int(time) for time in times if time.isdigit()), default=0)


def _transaction(
    transaction: dict[str, Any], index: int, page: dict[str, Any], source: Source, latest: int
) -> list[VoucherRecord]:
    get = transaction.get
    order = text_id(get("order_id"))
    adjustment = text_id(get("adjustment_id"))
    transaction_id = text_id(get("id")) or adjustment
    if not transaction_id:
        raise DocumentError(f"Unsettled transaction {index + 1} has no id.")
    where = f"Unsettled transaction {transaction_id}"
    kind = str(get("type") or "").strip()
    if not kind:
        raise DocumentError(f"{where} has no type.")
    is_order = kind.upper() == "ORDER"
    try:
        lines = read_lines(transaction, index, ESTIMATED, "adjustment_amount" if is_order else kind)
    except (ValueError, TypeError, AttributeError):
        raise DocumentError(f"{where} cannot be read: {explain(transaction, ESTIMATED)}.") from None
    currency = currency_of(get("currency") or page.get("currency"), source, where)
    told = get("order_create_time")
    created = moment(told if is_order or told not in (None, "", 0, "0") else latest, f"{where}, order_create_time")
    delivered = optional_moment(get("order_delivery_time"), f"{where}, order_delivery_time")

    def voucher(event: EventKind, part: str, order: str, lines: list[LineRecord]) -> VoucherRecord:
        return VoucherRecord(
            family=ADJUSTMENT_FAMILY if event is EventKind.OTHER else FAMILY,
            outside_id=f"{transaction_id}/{event.value}",
            currency=currency,
            marketplace=f"TikTok Shop {source.region}".strip(),
            posted_at=created,
            event_at=delivered or created,
            event_source=_source(event, delivered),
            lines=lines,
            order=order,
            event=event,
            part=part,
            row=index,
        )

    if not is_order:
        related = text_id(get("adjustment_order_id")) or order
        return [voucher(EventKind.OTHER, adjustment or transaction_id, related, lines)]
    if not order:
        raise DocumentError(f"{where} is of an order but has no order_id.")
    sale, refund = split_refund(lines)
    rows = []
    if sale or not refund:
        rows.append(voucher(EventKind.SALE, "", order, sale))
    if refund:
        rows.append(voucher(EventKind.REFUND, "", order, refund))
    return rows


def _source(event: EventKind, delivered: datetime | None) -> EventSource:
    if event is EventKind.OTHER:
        return EventSource.POSTED
    return EventSource.DELIVERY if delivered and event is EventKind.SALE else EventSource.ORDER
