"""What an order or a refund says, whatever document told it, and the vouchers that Nova makes of it.

Orders and refunds book revenue: prices, discounts, shipping, tips, duties and tax, net of tax the seller owes. Every voucher
adds up to zero: what the buyer paid stands against it per gateway ("payment" lines, mapped to clearing; gift cards against their
liability), and what is not paid yet as "outstanding". The balance transaction of the same payment books the other side of clearing,
so that the clearing of a gateway proves itself: it is what that gateway still owes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from channels.records import EventKind, EventSource, LineRecord, ListingRecord, VoucherRecord
from nova.money import currency_digits, round_to_currency, spread

ZERO = Decimal(0)
#: All refunds of an order share one part: the refund sums of an export give way to the refunds of the API, however many.
SALE_PART, REFUND_PART = "order", "refunds"


@dataclass(slots=True)
class Tax:
    """One tax on an item or on shipping. `liable`: True the channel remits it, False the seller does, None nobody said."""

    amount: Decimal
    liable: bool | None = None

    @property
    def context(self) -> str:
        """What a fee rule needs to know of it."""
        return {True: "", False: "tax_own", None: "tax_unknown"}[self.liable]


@dataclass(slots=True)
class Item:
    """An article or a shipping charge of an order. Amounts are as written: with tax inside where the order says so.

    `price` is the list price of all units; `discount` (plus) what was taken off it.
    """

    name: str  # "price", "shipping", "gift card", "tip"
    price: Decimal
    discount: Decimal = ZERO
    taxes: list[Tax] = field(default_factory=list)
    listing: str = ""
    quantity: int | None = None
    row: int | None = None


@dataclass(slots=True)
class Extra:
    """A sum beside the items: duties, a fee, cash rounding, a difference. Seller's view, without tax."""

    path: str
    name: str
    amount: Decimal
    context: str = ""
    taxes: list[Tax] = field(default_factory=list)
    row: int | None = None


@dataclass(slots=True)
class Sale:
    """An order as it was placed. `paid` is what came in per gateway. A `sample` was given away or replaced, not sold."""

    family: str
    outside_id: str
    order: str
    currency: str
    created_at: datetime | date
    shipped_at: datetime | date | None = None
    taxes_included: bool = False
    items: list[Item] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    paid: dict[str, Decimal] = field(default_factory=dict)
    sample: bool = False
    row: int | None = None


@dataclass(slots=True)
class Refund:
    """Money or goods given back for an order, at its own date. Item amounts are plus. `paid` is what went out per gateway.

    `dated` is False when `at` only stands in for a date that the document does not tell.
    """

    family: str
    outside_id: str
    order: str
    currency: str
    at: datetime | date
    dated: bool = True
    taxes_included: bool = False
    items: list[Item] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    paid: dict[str, Decimal] = field(default_factory=dict)
    row: int | None = None


def book_sale(sale: Sale, marketplace: str) -> VoucherRecord:
    """The voucher of an order. Event date: shipment where known, else the order's, marked provisional."""
    lines: list[LineRecord] = []
    context = "sample" if sale.sample else ""
    for item in sale.items:
        price, discount = net_of_tax(item, sale.currency, included=sale.taxes_included)
        path = "order/shipping" if item.name == "shipping" else "order/lines"
        quantity = None if sale.sample or item.name != "price" else item.quantity
        # What a sample cost is found by its SKU; it is no unit sold.
        lines.append(LineRecord(path, item.name, context, price, item.listing, quantity, item.row))
        lines.append(LineRecord(path, f"{item.name} discount", context, -discount, item.listing, None, item.row))
        lines += _taxes("order/tax", item.taxes, item, 1)
    lines += _extras(sale.extras, sale.row)
    _balance(lines, sale.paid, "order/payment", sale.row, -1)
    return VoucherRecord(
        family=sale.family,
        outside_id=sale.outside_id,
        currency=sale.currency,
        marketplace=marketplace,
        posted_at=sale.created_at,
        event_at=sale.shipped_at or sale.created_at,
        event_source=EventSource.SHIPMENT if sale.shipped_at else EventSource.ORDER,
        lines=[line for line in lines if line.amount or line.quantity],
        order=sale.order,
        event=EventKind.SALE,
        part=SALE_PART,
        row=sale.row,
    )


def book_refund(refund: Refund, marketplace: str) -> VoucherRecord:
    """The voucher of a refund, at the refund's own date (MONEY.md rule 8)."""
    lines: list[LineRecord] = []
    for item in refund.items:
        price, discount = net_of_tax(item, refund.currency, included=refund.taxes_included)
        path = "refund/shipping" if item.name == "shipping" else "refund/lines"
        quantity = -item.quantity if item.quantity and item.name == "price" else None
        lines.append(LineRecord(path, item.name, "", -price, item.listing, quantity, item.row))
        lines.append(LineRecord(path, f"{item.name} discount", "", discount, item.listing, None, item.row))
        lines += _taxes("refund/tax", item.taxes, item, -1)
    lines += _extras(refund.extras, refund.row)
    _balance(lines, refund.paid, "refund/payment", refund.row, 1)
    return VoucherRecord(
        family=refund.family,
        outside_id=refund.outside_id,
        currency=refund.currency,
        marketplace=marketplace,
        posted_at=refund.at,
        event_at=refund.at,
        event_source=EventSource.REFUND if refund.dated else EventSource.POSTED,
        lines=[line for line in lines if line.amount or line.quantity],
        order=refund.order,
        event=EventKind.REFUND,
        part=REFUND_PART,
        row=refund.row,
    )


def book_nothing(
    *,
    family: str,
    outside_id: str,
    order: str,
    currency: str,
    at: datetime | date,
    event: EventKind,
    marketplace: str,
    row: int | None,
) -> VoucherRecord:
    """An order event that is not counted here: a voucher without lines, which takes back what an earlier version said."""
    return VoucherRecord(
        family=family,
        outside_id=outside_id,
        currency=currency,
        marketplace=marketplace,
        posted_at=at,
        event_at=at,
        event_source=EventSource.ORDER,
        lines=[],
        order=order,
        event=event,
        part=SALE_PART if event is EventKind.SALE else REFUND_PART,
        row=row,
    )


def net_of_tax(item: Item, currency: str, *, included: bool) -> tuple[Decimal, Decimal]:
    """Price and discount of an item without the tax in them, to the smallest unit; price - discount is exact."""
    tax = sum((tax.amount for tax in item.taxes), ZERO)
    gross = item.price - item.discount
    if not included or not tax or not gross:
        return item.price, item.discount
    price = round_to_currency(item.price * (gross - tax) / gross, currency)
    return price, price - (gross - tax)


def _taxes(path: str, taxes: Iterable[Tax], item: Item, sign: int) -> list[LineRecord]:
    lines = []
    for tax in taxes:
        lines.append(LineRecord(path, "tax", tax.context, sign * tax.amount, item.listing, None, item.row))
        if tax.liable:
            # The channel keeps this money and remits it: it comes in and goes out, and nothing of it is owed to the seller.
            lines.append(LineRecord(path, "tax remitted by channel", "", -sign * tax.amount, item.listing, None, item.row))
    return lines


def _extras(extras: Iterable[Extra], row: int | None) -> list[LineRecord]:
    lines = []
    for extra in extras:
        place = extra.row if extra.row is not None else row
        lines.append(LineRecord(extra.path, extra.name, extra.context, extra.amount, "", None, place))
        base = extra.path.split("/", 1)[0]
        for tax in extra.taxes:
            lines.append(LineRecord(f"{base}/tax", "tax", tax.context, tax.amount, "", None, place))
            if tax.liable:
                lines.append(LineRecord(f"{base}/tax", "tax remitted by channel", "", -tax.amount, "", None, place))
    return lines


def _balance(lines: list[LineRecord], paid: dict[str, Decimal], path: str, row: int | None, sign: int) -> None:
    """Add the payments, and what they leave open, so that the lines add up to zero. `sign` is that of a payment's line."""
    for gateway, amount in sorted(paid.items()):
        lines.append(LineRecord(path, gateway, "", sign * amount, row=row))
    rest = sum((line.amount for line in lines), ZERO)
    lines.append(LineRecord(path, "outstanding", "", -rest, row=row))


def spread_amount(amount: Decimal, shares: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Split an amount of an order over its items by `shares`, to the smallest unit; over the first where no share is above zero."""
    if not shares:
        return []
    if sum(shares, ZERO) <= 0 or any(share < 0 for share in shares):
        return [amount, *([ZERO] * (len(shares) - 1))]
    return spread(amount, shares, places=currency_digits(currency))


def article(sku: str, title: str) -> str:
    """The code by which the shop knows an article: its SKU, else its title; API and export tell both alike."""
    return (sku or title).strip()[:200]


def remember_listing(known: dict[str, ListingRecord], *, code: str, title: str, sku: str, variant: str = "") -> None:
    """Note an article once; the first title stays."""
    if code and code not in known:
        known[code] = ListingRecord(code, title.strip(), sku.strip(), variant)
