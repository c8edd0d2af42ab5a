"""Transactions of one order by SKU (202501, 202507): detail that tells which article the statement's money belongs to.

A voucher holds what one statement says of the order's sale or refund; it counts where it says the same money as the
statement. The same SKU may stand several times, even in equal rows: all of them count. Time of posting is that of the
statement, which this answer does not tell: the ledger takes it from the statement's own transactions.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import EventKind, EventSource, LineRecord, ListingRecord, ParsedDocument, VoucherRecord
from channels.tiktok.answers import AMOUNTS, ZERO, currency_of, given, load, moment, pages, text_id
from channels.tiktok.breakdown import GROSS, GROSS_REFUND, REVENUE, SETTLED, explain, read_lines, split_refund

FAMILY = "order"


def parse(source: Source) -> ParsedDocument:
    """The vouchers of answers of Get Transactions by Order: one per order, statement and event, lines by SKU.

    Quantities count units sold (plus) and given back (minus); a refund of a part of the price is no unit.

    Raises:
        DocumentError: not such an answer, cut off, or a row without order, statement or SKU, or with an amount that is none.
    """
    parsed = ParsedDocument()
    listings: dict[str, ListingRecord] = {}
    seen: dict[tuple[str, str], int] = {}
    for page in pages(load(source.body), ("sku_transactions", "statement_transactions")):
        if "sku_transactions" not in page:
            raise DocumentError(
                "This is an answer of version 202309 of Get Transactions by Order, which TikTok retired; use 202501."
            )
        for voucher in _order(page, source, parsed, listings):
            key = (voucher.family, voucher.outside_id)
            if key in seen:
                parsed.vouchers[seen[key]] = voucher
            else:
                seen[key] = len(parsed.vouchers)
                parsed.vouchers.append(voucher)
    parsed.listings = list(listings.values())
    return parsed


def _order(
    page: dict[str, Any], source: Source, parsed: ParsedDocument, listings: dict[str, ListingRecord]
) -> list[VoucherRecord]:
    order = text_id(page.get("order_id"))
    if not order:
        raise DocumentError("The answer does not say which order it is of (order_id is missing).")
    where = f"Order {order}"
    created = moment(page.get("order_create_time"), f"{where}, order_create_time")
    currency = currency_of(page.get("currency"), source, where)
    rows = page["sku_transactions"]
    by_statement: dict[str, list[LineRecord]] = defaultdict(list)
    first: dict[str, int] = {}
    prices = _unit_prices(rows)
    settled = ZERO
    for number, row in enumerate(rows, start=1):
        index = parsed.rows
        parsed.rows += 1
        if not isinstance(row, dict):
            raise DocumentError(f"{where}: row {number} is not an object.")
        statement, sku = text_id(row.get("statement_id")), text_id(row.get("sku_id"))
        if not statement or not sku:
            raise DocumentError(f"{where}: row {number} has no {'statement_id' if not statement else 'sku_id'}.")
        try:
            lines = read_lines(row, index, SETTLED, "adjustment_amount")
        except (ValueError, TypeError, AttributeError):
            raise DocumentError(f"{where}: row {number} cannot be read: {explain(row, SETTLED)}.") from None
        settled += sum((line.amount for line in lines), ZERO)
        by_statement[statement] += _with_listing(lines, row, sku, prices)
        first.setdefault(statement, index)
        _learn(row, sku, listings)
    stated = given(page.get("settlement_amount"), f"{where}, settlement_amount")
    if stated is not None and rows and stated != settled:
        parsed.notes.append(f"{where}: its rows come to {settled} {currency}, the order says {stated}.")
    vouchers = []
    for statement, lines in by_statement.items():
        lines.sort(key=lambda line: line.path != REVENUE)
        for event, part in zip((EventKind.SALE, EventKind.REFUND), split_refund(lines), strict=True):
            if part:
                vouchers.append(
                    VoucherRecord(
                        family=FAMILY,
                        outside_id=f"{order}/{statement}/{event.value}",
                        currency=currency,
                        marketplace=f"TikTok Shop {source.region}".strip(),
                        posted_at=created,
                        event_at=created,
                        event_source=EventSource.ORDER if event is EventKind.SALE else EventSource.POSTED,
                        lines=part,
                        order=order,
                        event=event,
                        statement=statement,
                        part=statement,
                        row=first[statement],
                    )
                )
    return vouchers


def _units(row: dict[str, Any]) -> int:
    text = str(row.get("quantity") or "").strip()
    return int(text) if text.isdigit() else 0


def _unit_prices(rows: Any) -> dict[str, Decimal]:
    """List price of one unit per SKU, from the rows of the sale."""
    prices: dict[str, Decimal] = {}
    for row in rows:
        if isinstance(row, dict) and _units(row):
            try:
                gross = AMOUNTS[(row.get(REVENUE) or {}).get(GROSS)]
            except (ValueError, TypeError, AttributeError):
                continue  # told with its place when the row itself is read
            if gross > 0:
                prices[text_id(row.get("sku_id"))] = gross / _units(row)
    return prices


def _with_listing(lines: list[LineRecord], row: dict[str, Any], sku: str, prices: dict[str, Decimal]) -> list[LineRecord]:
    units = _units(row)
    found = []
    for line in lines:
        quantity = None
        if line.name == GROSS and line.path == REVENUE and line.amount > 0:
            quantity = units or None
        elif line.name == GROSS_REFUND and line.path == REVENUE and line.amount < 0:
            quantity = _returned(-line.amount, units, prices.get(sku))
        found.append(line._replace(listing=sku, quantity=quantity))
    return found


def _returned(refund: Decimal, units: int, price: Decimal | None) -> int | None:
    """Units given back for `refund`, None when only a part of a price was."""
    if price is None:
        return -units or None
    number = refund / price
    return -int(number) if number == int(number) and 0 < number <= max(units, 1) else None


def _learn(row: dict[str, Any], sku: str, listings: dict[str, ListingRecord]) -> None:
    product, name = str(row.get("product_name") or "").strip(), str(row.get("sku_name") or "").strip()
    title = f"{product} ({name})" if product and name and name != product else product or name
    if sku not in listings or (title and not listings[sku].title):
        listings[sku] = ListingRecord(code=sku, title=title, outside_id=sku)
