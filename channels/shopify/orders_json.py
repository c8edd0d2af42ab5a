"""Orders and refunds as JSON, of GraphQL (camel case) and of the old API and webhooks (snake case), read by one reader.

Amounts are in shop currency. Line items carry price, discount allocations and taxes; refunds their own date.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import EventKind, ListingRecord, ParsedDocument
from channels.shopify import answers
from channels.shopify.answers import amount, first, nodes, plain_id
from channels.shopify.order_nodes import Order, find_orders, item_title
from channels.shopify.orders import Extra, Item, Sale, Tax, article, book_nothing, book_refund, book_sale, remember_listing
from channels.shopify.refunds_json import read_refund
from channels.shopify.words import is_sample_tag, is_test_gateway, lower_word, pushed_from

ZERO = Decimal(0)
FAMILY = {"orders": "order", "orders_rest": "order_rest"}
_RECEIVED = {"PAID", "PARTIALLY_REFUNDED", "REFUNDED"}
_NEVER_PAID = {"VOIDED", "EXPIRED", "PENDING", "AUTHORIZED"}


def parse(source: Source, *, marketplace: str) -> ParsedDocument:
    """A sale voucher per order and a refund voucher per refund.

    Test orders, orders that another channel pushed into Shopify, and orders that were cancelled or expired before any money
    came are told in a note and make vouchers without lines, so that a weaker document does not count them either.

    Raises:
        DocumentError: not JSON, no orders, an order that is not whole or cannot be read (named by its number).
    """
    data = answers.load(source.body)
    parsed = ParsedDocument()
    notes: Counter[str] = Counter()
    listings: dict[str, ListingRecord] = {}
    orders = find_orders(data)
    if not orders and not any("orders" in node for node in answers.walk(data)):
        raise DocumentError("There are no orders in this document.")
    for index, order in enumerate(orders):
        parsed.rows += 1
        label = str(order.get("name") or plain_id(order.get("id")))
        try:
            _read(index, order, FAMILY[source.kind], marketplace, parsed, notes, listings)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            reason = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise DocumentError(f"Order {label} cannot be read: {reason}.") from None
    parsed.listings = list(listings.values())
    parsed.notes += [f"{number} {text}" for text, number in notes.items()]
    return parsed


def _read(
    index: int,
    order: Order,
    family: str,
    marketplace: str,
    parsed: ParsedDocument,
    notes: Counter[str],
    listings: dict[str, ListingRecord],
) -> None:
    gateways = [str(name) for name in first(order, "paymentGatewayNames", "payment_gateway_names") or () if name]
    name = str(order.get("name") or "") or f"#{first(order, 'number', 'order_number')}"
    outside_id = plain_id(order["id"])
    created = answers.moment(first(order, "createdAt", "created_at", "processedAt", "processed_at"))
    if created is None:
        raise KeyError("createdAt")
    total = first(order, "totalPriceSet", "total_price_set", "originalTotalPriceSet", "total_price")
    code = answers.currency(total if isinstance(total, dict) else None, order.get("currencyCode"), order.get("currency"))
    refunds = nodes(order.get("refunds"))
    tags = _tags(order)
    channel = pushed_from(
        sources=[str(word) for word in _sources(order) if word],
        gateways=gateways,
        tags=tags,
    )
    if order.get("test") is True or (gateways and all(is_test_gateway(gateway) for gateway in gateways)):
        reason = "test orders were left out."
    elif channel:
        reason = f"orders came from {channel} through a channel app; they are counted there and not here."
    elif _never_paid(order):
        reason = "orders were cancelled or expired before any money came; they make no revenue."
    else:
        reason = ""
    if reason:
        notes[reason] += 1
        events = [(outside_id, created, EventKind.SALE)]
        events += [
            (f"{outside_id}/{plain_id(refund.get('id'))}", _refunded_at(refund, created), EventKind.REFUND) for refund in refunds
        ]
        parsed.vouchers += [
            book_nothing(
                family=family,
                outside_id=event_id,
                order=name,
                currency=code,
                at=at,
                event=event,
                marketplace=marketplace,
                row=index,
            )
            for event_id, at, event in events
        ]
        return
    sale = Sale(
        family=family,
        outside_id=outside_id,
        order=name,
        currency=code,
        created_at=created,
        shipped_at=_shipped_at(order),
        taxes_included=bool(first(order, "taxesIncluded", "taxes_included")),
        row=index,
    )
    _items(order, sale, listings)
    _shipping(order, sale)
    _extras(order, sale)
    owed = amount(total) if total is not None else None
    _complete(order, sale, owed, notes)
    sale.paid = _paid(order, gateways, owed)
    sale.sample = owed == 0 and is_sample_tag(tags)
    parsed.vouchers.append(book_sale(sale, marketplace))
    fallback = lower_word(gateways[0]) if len(gateways) == 1 else "several gateways"
    for refund in refunds:
        record = read_refund(refund, sale, order, fallback)
        parsed.vouchers.append(book_refund(record, marketplace))
    told = amount(first(order, "totalRefundedSet", "total_refunded_set"))
    if "refunds" not in order and told:
        notes["orders were refunded, but this document does not hold the refunds; fetch them too."] += 1


def _sources(order: Order) -> list[Any]:
    app, attribution = order.get("app") or {}, order.get("attribution") or {}
    return [
        first(order, "sourceName", "source_name"),
        app.get("name"),
        attribution.get("handle"),
        attribution.get("displayName"),
    ]


def _tags(order: Order) -> list[str]:
    tags = order.get("tags") or []
    return [tag.strip() for tag in tags.split(",")] if isinstance(tags, str) else [str(tag) for tag in tags]


def _status(order: Order) -> str:
    return str(first(order, "displayFinancialStatus", "financial_status") or "").upper()


def _never_paid(order: Order) -> bool:
    """Cancelled, voided or expired, and nothing was received: there never was a sale."""
    if _status(order) not in _NEVER_PAID:
        return False
    ended = first(order, "cancelledAt", "cancelled_at") is not None or _status(order) in ("VOIDED", "EXPIRED")
    return ended and not any(_received(order).values())


def _shipped_at(order: Order) -> datetime | date | None:
    """When the last parcel left; None until everything has."""
    status = str(first(order, "displayFulfillmentStatus", "fulfillment_status") or "").upper()
    if status != "FULFILLED":
        return None
    times = answers.moments(
        first(parcel, "createdAt", "created_at")
        for parcel in nodes(order.get("fulfillments"))
        if str(parcel.get("status") or "SUCCESS").upper() == "SUCCESS"
    )
    return max(times, default=None)


def _taxes_of(node: dict[str, Any]) -> list[Tax]:
    """The taxes of a line item, a shipping line, a duty or a fee, without those of zero."""
    return [
        Tax(value, first(tax, "channelLiable", "channel_liable"))
        for tax in nodes(first(node, "taxLines", "tax_lines"))
        if (value := amount(first(tax, "priceSet", "price_set", "price")))
    ]


def _discount_of(node: dict[str, Any]) -> Decimal | None:
    """What discounts, of the item and of the whole order, took off; None when the document does not say."""
    allocations = first(node, "discountAllocations", "discount_allocations")
    if allocations is None:
        return None
    return sum(
        (amount(first(part, "allocatedAmountSet", "amount_set", "allocatedAmount", "amount")) for part in nodes(allocations)),
        ZERO,
    )


def _items(order: Order, sale: Sale, listings: dict[str, ListingRecord]) -> None:
    for node in nodes(first(order, "lineItems", "line_items")):
        quantity = int(node.get("quantity") or 0)
        price = first(node, "originalTotalSet")
        gross = amount(price) if price is not None else amount(_unit_price(node)) * quantity
        discount = _discount_of(node)
        if discount is None or (not discount and "total_discount" in node):
            discounted = first(node, "discountedTotalSet")
            taken = first(node, "totalDiscountSet", "total_discount_set", "total_discount")
            discount = gross - amount(discounted) if discounted is not None else amount(taken)
        is_card = first(node, "isGiftCard", "gift_card") is True
        sku = str(node.get("sku") or "")
        title = item_title(node)
        is_tip = not sku and lower_word(title) == "tip" and node.get("variant") is None and not node.get("variant_id")
        code = "" if is_card or is_tip else article(sku, title)
        variant = plain_id((node.get("variant") or {}).get("id") or node.get("variant_id"))
        remember_listing(listings, code=code, title=title, sku=sku, variant=variant)
        sale.items.append(
            Item(
                name="gift card" if is_card else "tip" if is_tip else "price",
                price=gross,
                discount=discount,
                taxes=_taxes_of(node),
                listing=code,
                quantity=quantity,
                row=sale.row,
            )
        )
        for duty in nodes(node.get("duties")):
            price = first(duty, "price", "price_set", "shop_money")
            sale.extras.append(Extra("order/duties", "duties", amount(price), taxes=_taxes_of(duty)))


def _unit_price(node: dict[str, Any]) -> Any:
    return first(node, "originalUnitPriceSet", "price_set", "price")


def _shipping(order: Order, sale: Sale) -> None:
    for node in nodes(first(order, "shippingLines", "shipping_lines")):
        price = amount(first(node, "originalPriceSet", "price_set", "price"))
        discount = _discount_of(node)
        if discount is None:
            discounted = first(node, "discountedPriceSet", "discounted_price_set", "discounted_price")
            discount = price - amount(discounted) if discounted is not None else ZERO
        sale.items.append(Item("shipping", price, discount, _taxes_of(node), row=sale.row))


def _extras(order: Order, sale: Sale) -> None:
    if not any(extra.path == "order/duties" for extra in sale.extras):
        duties = amount(first(order, "originalTotalDutiesSet", "original_total_duties_set"))
        sale.extras.append(Extra("order/duties", "duties", duties))
    for fee in nodes(first(order, "additionalFees", "additional_fees")):
        price = first(fee, "price", "price_set")
        sale.extras.append(Extra("order/fees", "additional fee", amount(price), taxes=_taxes_of(fee)))
    rounding = first(order, "totalCashRoundingAdjustment", "total_cash_rounding_payment_adjustment_set") or {}
    paid = rounding.get("paymentSet") if "paymentSet" in rounding else rounding
    sale.extras.append(Extra("order/other", "cash rounding", amount(paid or None)))


def _complete(order: Order, sale: Sale, owed: Decimal | None, notes: Counter[str]) -> None:
    """Taxes and tips told only for the whole order, and what is left of its total: a visible line, never a silent difference."""
    taxed = any(item.taxes for item in sale.items)
    if not taxed and not any(extra.taxes for extra in sale.extras):
        for tax in _taxes_of(order):
            sale.extras.append(Extra("order/tax", "tax", tax.amount, tax.context))
            if sale.taxes_included:
                sale.extras.append(Extra("order/lines", "tax inside prices", -tax.amount))
            if tax.liable:
                sale.extras.append(Extra("order/tax", "tax remitted by channel", -tax.amount))
    if owed is None:
        return
    rest = owed - _sum(sale)
    tip = amount(first(order, "totalTipReceivedSet", "total_tip_received"))
    if tip and rest == tip:
        sale.extras.append(Extra("order/lines", "tip", tip))
        rest = ZERO
    if rest:
        sale.extras.append(Extra("order/other", "not itemised", rest, "remainder"))
        notes["orders have lines that do not add up to their total; the difference is a line of its own (not itemised)."] += 1


def _sum(sale: Sale) -> Decimal:
    """What the buyer owes by the lines: prices less discounts, taxes on top unless they are inside, and the extras."""
    total = ZERO
    for item in sale.items:
        total += item.price - item.discount
        if not sale.taxes_included:
            total += sum((tax.amount for tax in item.taxes), ZERO)
    for extra in sale.extras:
        if extra.name not in ("cash rounding", "tax remitted by channel"):
            total += extra.amount + sum((tax.amount for tax in extra.taxes), ZERO)
    return total


def _received(order: Order) -> dict[str, Decimal]:
    """What came in per gateway, by the order's successful payments."""
    found: dict[str, Decimal] = {}
    for payment in nodes(order.get("transactions")):
        kind, status = str(payment.get("kind") or "").upper(), str(payment.get("status") or "SUCCESS").upper()
        if payment.get("test") is True or status != "SUCCESS" or kind not in ("SALE", "CAPTURE", "CHANGE"):
            continue
        gateway = lower_word(str(payment.get("gateway") or "")) or "unknown gateway"
        value = amount(first(payment, "amountSet", "amount_set", "amount"))
        found[gateway] = found.get(gateway, ZERO) + (-value if kind == "CHANGE" else value)
    return found


def _paid(order: Order, gateways: list[str], owed: Decimal | None) -> dict[str, Decimal]:
    if order.get("transactions") is not None:
        return _received(order)
    received = first(order, "totalReceivedSet", "total_received_set")
    if received is not None:
        value = amount(received)
    elif _status(order) in _RECEIVED:
        value = owed or ZERO
    else:
        left = first(order, "totalOutstandingSet", "total_outstanding")
        value = (owed or ZERO) - amount(left) if left is not None else ZERO
    name = lower_word(gateways[0]) if len(gateways) == 1 else "several gateways"
    return {name: value}


def _refunded_at(refund: dict[str, Any], fallback: datetime | date) -> datetime | date:
    return answers.moment(first(refund, "processedAt", "processed_at", "createdAt", "created_at")) or fallback
