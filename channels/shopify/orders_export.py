"""The Orders CSV export of the admin: the first row of an order holds its totals, the following ones only line items.

The export tells taxes per order without who is liable, refunds as one sum without a date, and one payment method for all
payments; what only the API tells is said in a note. Amounts are in shop currency.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from channels.adapter import DocumentError, Recognised, Source
from channels.records import EventKind, ListingRecord, ParsedDocument
from channels.shopify.exports import Sheet, column, knows, places, read_head
from channels.shopify.orders import (
    Extra,
    Item,
    Refund,
    Sale,
    Tax,
    article,
    book_nothing,
    book_refund,
    book_sale,
    remember_listing,
    spread_amount,
)
from channels.shopify.words import is_sample_tag, is_test_gateway, lower_word, pushed_from
from nova.money import round_to_currency

FAMILY = "order_export"
ZERO = Decimal(0)
COLUMNS = (
    column("name", "Name", "Order", "Order Name", required=True),
    column("id", "Id", "Order ID"),
    column("status", "Financial Status", "Payment Status", required=True),
    column("fulfilment", "Fulfillment Status"),
    column("paid_at", "Paid at", kind="date"),
    column("fulfilled_at", "Fulfilled at", "Fulfillment Date", kind="date"),
    column("created_at", "Created at", kind="date", required=True),
    column("cancelled_at", "Cancelled at", kind="date"),
    column("currency", "Currency"),
    column("subtotal", "Subtotal", kind="amount", required=True),
    column("shipping", "Shipping", kind="amount", required=True),
    column("taxes", "Taxes", kind="amount", required=True),
    column("duties", "Duties", kind="amount"),
    column("total", "Total", kind="amount", required=True, sum_of=("subtotal", "shipping", "taxes")),
    column("discount", "Discount Amount", kind="amount"),
    column("refunded", "Refunded Amount", kind="amount"),
    column("outstanding", "Outstanding Balance", kind="amount"),
    column("method", "Payment Method"),
    column("item_quantity", "Lineitem quantity", kind="integer", required=True),
    column("item_name", "Lineitem name"),
    column("item_price", "Lineitem price", kind="amount", required=True),
    column("item_sku", "Lineitem sku", required=True),
    column("item_taxable", "Lineitem taxable"),
    column("item_discount", "Lineitem discount", kind="amount"),
    column("source", "Source"),
    column("tags", "Tags"),
)
_RECEIVED = {"paid", "refunded", "partially_refunded"}
_NEVER_PAID = {"voided", "expired", "pending", "authorized", ""}


def recognise(body: bytes) -> Recognised | None:
    """An Orders export, told by its headers; one with most but not all of them asks for a match. Never raises."""
    table = read_head(body)
    if table is None:
        return None
    if knows(COLUMNS, table.headers):
        return Recognised("orders_export", headers=table.headers)
    found = places(COLUMNS, table.headers)
    if len(found) >= (8 if "item_price" in found else 12):
        return Recognised("orders_export", unknown_columns=True, headers=table.headers)
    return None


@dataclass(slots=True)
class _Order:
    """The rows of one order: the head (line and cells) and all rows with items."""

    name: str
    head: tuple[int, list[str]]
    rows: list[tuple[int, list[str]]] = field(default_factory=list)


def parse(source: Source, *, marketplace: str) -> ParsedDocument:
    """A sale voucher per order and, where something was refunded, one refund voucher at a provisional date.

    An order that the file tells twice counts as told last.

    Raises:
        DocumentError: a row that is cut off, an order whose first row is missing, a cell that cannot be read, an order whose
            items, shipping and taxes do not add up to its total; names the line.
    """
    sheet = Sheet(source, COLUMNS)
    parsed = ParsedDocument(rows=len(sheet.rows))
    notes: Counter[str] = Counter()
    listings: dict[str, ListingRecord] = {}
    for order in _orders(sheet).values():
        _Reader(sheet, source, order, marketplace).read(parsed, notes, listings)
    parsed.listings = list(listings.values())
    parsed.notes += [f"{number} {text}" for text, number in notes.items()]
    return parsed


def _orders(sheet: Sheet) -> dict[str, _Order]:
    orders: dict[str, _Order] = {}
    current: _Order | None = None
    for number, cells in sheet.rows:
        name = sheet.text(cells, "name")
        if not name:
            raise DocumentError("The order's name is missing; the row may be cut off.", row=number)
        if sheet.text(cells, "total"):
            current = _Order(name, (number, cells))
            orders.pop(name, None)  # told again: counts at its later place
            orders[name] = current
        elif current is None or current.name != name:
            raise DocumentError(
                f"Order {name} has no first row with its totals; the file is cut off before this line or was sorted.", row=number
            )
        if sheet.text(cells, "item_quantity") or sheet.text(cells, "item_price"):
            current.rows.append((number, cells))
    return orders


class _Reader:
    """Makes the vouchers of one order."""

    def __init__(self, sheet: Sheet, source: Source, order: _Order, marketplace: str) -> None:
        self.sheet, self.source, self.order, self.marketplace = sheet, source, order, marketplace
        self.row, self.cells = order.head
        self.currency = sheet.currency(self.row, self.cells, source)
        created = sheet.moment(self.row, self.cells, "created_at")
        if created is None:
            raise DocumentError(f"Order {order.name} has no creation date.", row=self.row)
        self.created: datetime | date = created
        self.outside_id = self._text("id").lstrip("'") or order.name
        self.total = self._amount("total")

    def _text(self, code: str) -> str:
        return self.sheet.text(self.cells, code)

    def _amount(self, code: str) -> Decimal:
        return self.sheet.amount(self.row, self.cells, code)

    def read(self, parsed: ParsedDocument, notes: Counter[str], listings: dict[str, ListingRecord]) -> None:
        methods = [part for part in self._text("method").split(" + ") if part]
        if methods and all(is_test_gateway(method) for method in methods):
            notes["test orders were left out."] += 1
            return
        status = lower_word(self._text("status"))
        tags = [tag.strip() for tag in self._text("tags").split(",")]
        channel = pushed_from(sources=[self._text("source")], gateways=methods, tags=tags)
        cancelled = self.sheet.moment(self.row, self.cells, "cancelled_at")
        refunded = self._amount("refunded")
        if channel:
            reason = f"orders came from {channel} through a channel app; they are counted there and not here."
        elif status in ("voided", "expired") or (cancelled is not None and status in _NEVER_PAID):
            reason = "orders were cancelled or expired before any money came; they make no revenue."
        else:
            reason = ""
        if reason:
            notes[reason] += 1
            events = [(self.outside_id, EventKind.SALE)]
            if refunded:
                events.append((f"{self.outside_id}/refunds", EventKind.REFUND))
            parsed.vouchers += [
                book_nothing(
                    family=FAMILY,
                    outside_id=outside_id,
                    order=self.order.name,
                    currency=self.currency,
                    at=self.created,
                    event=event,
                    marketplace=self.marketplace,
                    row=self.row,
                )
                for outside_id, event in events
            ]
            return
        sale = self._sale(listings)
        sale.sample = self.total == 0 and is_sample_tag(tags)
        gateway = "_and_".join(sorted(lower_word(method) for method in methods)) or "unknown gateway"
        sale.paid = {gateway: self._received(status)}
        parsed.vouchers.append(book_sale(sale, self.marketplace))
        if len(methods) > 1:
            notes[
                "orders were paid in several ways; the export does not tell how much by each, so that one line holds both."
            ] += 1
        if refunded:
            parsed.vouchers.append(book_refund(self._refund(sale, refunded, cancelled, gateway), self.marketplace))
            notes[
                "orders were refunded; the export tells neither dates nor lines of refunds, so that each is one sum at the order's "
                "last known date, marked provisional. The API's orders replace it."
            ] += 1

    def _received(self, status: str) -> Decimal:
        if self.sheet.has("outstanding") and self._text("outstanding"):
            return self.total - self._amount("outstanding")
        return self.total if status in _RECEIVED else ZERO

    def _sale(self, listings: dict[str, ListingRecord]) -> Sale:
        sale = Sale(
            family=FAMILY,
            outside_id=self.outside_id,
            order=self.order.name,
            currency=self.currency,
            created_at=self.created,
            shipped_at=self._shipped_at(),
            row=self.row,
        )
        taxable = []
        for number, cells in self.order.rows:
            sale.items.append(self._item(number, cells, listings))
            taxable.append(self.sheet.text(cells, "item_taxable").lower() != "false" and sale.items[-1].name == "price")
        self._discounts(sale)
        shipping = self._amount("shipping")
        sale.items.append(Item("shipping", shipping, row=self.row))
        delivery = sale.items[-1]
        taxable.append(True)
        duties = self._amount("duties")
        sale.extras.append(Extra("order/duties", "duties", duties))
        taxes = self._amount("taxes")
        net = self._amount("subtotal") + shipping + duties
        sale.taxes_included = bool(taxes) and net == self.total
        expected = net if sale.taxes_included else net + taxes
        rest = self.total - expected
        taken = sum((item.discount for item in sale.items), ZERO)
        if rest < 0 <= shipping + rest and self._amount("discount") - taken == -rest:
            delivery.discount, rest = -rest, ZERO  # free delivery, told among the discounts
        if rest:
            self._differ(expected, rest)
            sale.extras.append(Extra("order/other", "not itemised", rest, "remainder"))
        if taxes:
            shares = [item.price - item.discount if yes else ZERO for item, yes in zip(sale.items, taxable, strict=True)]
            if not any(share > 0 for share in shares):
                shares = [item.price - item.discount for item in sale.items]
            for item, part in zip(sale.items, spread_amount(taxes, shares, self.currency), strict=True):
                if part:
                    item.taxes.append(Tax(part, None))
        return sale

    def _shipped_at(self) -> datetime | date | None:
        """When the order was shipped; None while parts of it are still here."""
        if self.sheet.has("fulfilment") and lower_word(self._text("fulfilment")) not in ("fulfilled", "shipped", ""):
            return None
        return self.sheet.moment(self.row, self.cells, "fulfilled_at")

    def _item(self, number: int, cells: list[str], listings: dict[str, ListingRecord]) -> Item:
        quantity = self.sheet.integer(number, cells, "item_quantity")
        sku, title = self.sheet.text(cells, "item_sku"), self.sheet.text(cells, "item_name")
        is_tip = not sku and lower_word(title) == "tip"
        is_card = not sku and "gift card" in title.lower()
        code = "" if is_tip or is_card else article(sku, title)
        remember_listing(listings, code=code, title=title, sku=sku)
        return Item(
            name="tip" if is_tip else "gift card" if is_card else "price",
            price=self.sheet.amount(number, cells, "item_price") * quantity,
            discount=self.sheet.amount(number, cells, "item_discount"),
            listing=code,
            quantity=quantity,
            row=number,
        )

    def _discounts(self, sale: Sale) -> None:
        """Share out what the subtotal lacks of prices and line discounts: discounts of the whole order."""
        prices = sum((item.price for item in sale.items), ZERO)
        subtotal = self._amount("subtotal")
        taken = prices - subtotal
        told = sum((item.discount for item in sale.items), ZERO)
        if taken == told:
            return
        if taken < ZERO or not sale.items:
            self._differ(prices, subtotal - prices)
            sale.extras.append(Extra("order/other", "not itemised", subtotal - prices + told, "remainder"))
            return
        if taken < told:  # an edition whose line discounts repeat parts of others
            for item in sale.items:
                item.discount = ZERO
            told = ZERO
        shares = [max(item.price - item.discount, ZERO) for item in sale.items]
        for item, part in zip(sale.items, spread_amount(taken - told, shares, self.currency), strict=True):
            item.discount += part

    def _differ(self, sums: Decimal, difference: Decimal) -> None:
        if not self.source.accept_difference:
            raise DocumentError(
                f"Order {self.order.name} does not add up: items, shipping and taxes come to {sums} {self.currency}, which differs "
                f"by {difference} from what its first row says. Rows are missing or were edited; export it again.",
                row=self.row,
                difference=difference,
            )

    def _refund(self, sale: Sale, refunded: Decimal, cancelled: datetime | date | None, gateway: str) -> Refund:
        """One sum without lines: its tax is the order's share, a full refund gives back every item."""
        at = cancelled or self.sheet.moment(self.row, self.cells, "fulfilled_at")
        at = at or self.sheet.moment(self.row, self.cells, "paid_at") or self.created
        taxes = self._amount("taxes")
        refund = Refund(
            family=FAMILY,
            outside_id=f"{self.outside_id}/refunds",
            order=self.order.name,
            currency=self.currency,
            at=at,
            dated=False,
            taxes_included=sale.taxes_included,
            paid={gateway: refunded},
            row=self.row,
        )
        if refunded == self.total:
            refund.items = [
                Item(item.name, item.price - item.discount, ZERO, list(item.taxes), item.listing, None, item.row)
                for item in sale.items
            ]
            refund.extras = [
                Extra(extra.path.replace("order/", "refund/"), extra.name, -extra.amount, extra.context) for extra in sale.extras
            ]
            return refund
        share = round_to_currency(taxes * refunded / self.total, self.currency) if self.total else ZERO
        price = refunded if sale.taxes_included else refunded - share
        refund.items = [Item("refunded amount", price, taxes=[Tax(share, None)] if share else [], row=self.row)]
        return refund
