"""Refunds of an order as JSON: what came back, what was kept, what was paid out, at the refund's own date."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from channels.shopify import answers
from channels.shopify.answers import amount, first, nodes, plain_id
from channels.shopify.order_nodes import item_title
from channels.shopify.orders import Extra, Item, Refund, Sale, Tax, article, spread_amount
from channels.shopify.words import lower_word

ZERO = Decimal(0)
#: Units come back to the shelf; what was not restocked brings no cost back (MONEY.md rule 8).
_RESTOCKED = {"RETURN", "CANCEL", "LEGACY_RESTOCK"}


def read_refund(refund: dict[str, Any], sale: Sale, order: dict[str, Any], gateway: str) -> Refund:
    """One refund of an order. `gateway` stands where the document names none.

    Raises:
        KeyError, ValueError: a field is missing or cannot be read.
    """
    at = answers.moment(first(refund, "processedAt", "processed_at", "createdAt", "created_at"))
    found = Refund(
        family=sale.family,
        outside_id=f"{sale.outside_id}/{plain_id(refund['id'])}",
        order=sale.order,
        currency=sale.currency,
        at=at or sale.created_at,
        dated=at is not None,
        taxes_included=sale.taxes_included,
        row=sale.row,
    )
    sold = {plain_id(node.get("id")): node for node in nodes(first(order, "lineItems", "line_items"))}
    for node in nodes(first(refund, "refundLineItems", "refund_line_items")):
        found.items.append(_item(node, sold, sale))
    for node in nodes(first(refund, "refundShippingLines", "refund_shipping_lines")):
        price = amount(first(node, "subtotalAmountSet", "subtotal_amount_set"))
        tax = amount(first(node, "taxAmountSet", "tax_amount_set"))
        found.items.append(Item("shipping", price, taxes=_shipping_taxes(tax, sale), row=sale.row))
    for duty in nodes(refund.get("duties")):
        found.extras.append(Extra("refund/duties", "duties", -amount(first(duty, "amountSet", "amount_set"))))
    for node in nodes(first(refund, "orderAdjustments", "order_adjustments")):
        _adjustment(node, found, sale)
    found.paid = _paid_out(refund, gateway)
    _settle(found)
    return found


def _item(node: dict[str, Any], sold: dict[str, dict[str, Any]], sale: Sale) -> Item:
    line_id = plain_id((node.get("lineItem") or {}).get("id") or node.get("line_item_id"))
    origin = {**sold.get(line_id, {}), **{k: v for k, v in (node.get("lineItem") or node.get("line_item") or {}).items() if v}}
    quantity = int(node.get("quantity") or 0)
    price = first(node, "subtotalSet", "subtotal_set", "subtotal")
    gross = amount(price) if price is not None else amount(first(node, "priceSet")) * quantity
    restocked = str(first(node, "restockType", "restock_type") or "").upper() in _RESTOCKED
    is_card = first(origin, "isGiftCard", "gift_card") is True
    return Item(
        name="gift card" if is_card else "price",
        price=gross,
        taxes=_share_taxes(amount(first(node, "totalTaxSet", "total_tax_set", "total_tax")), origin, sale.currency),
        listing="" if is_card else article(str(origin.get("sku") or ""), item_title(origin)),
        quantity=quantity if restocked else None,
        row=sale.row,
    )


def _share_taxes(tax: Decimal, origin: dict[str, Any], currency: str) -> list[Tax]:
    """A refunded tax, split as the sale's taxes were by who is liable."""
    if not tax:
        return []
    lines = nodes(first(origin, "taxLines", "tax_lines"))
    shares: dict[bool | None, Decimal] = {}
    for line in lines:
        liable = first(line, "channelLiable", "channel_liable")
        shares[liable] = shares.get(liable, ZERO) + amount(first(line, "priceSet", "price_set", "price"))
    if not shares:
        return [Tax(tax, None)]
    parts = spread_amount(tax, list(shares.values()), currency)
    return [Tax(part, liable) for liable, part in zip(shares, parts, strict=True) if part]


def _shipping_taxes(tax: Decimal, sale: Sale) -> list[Tax]:
    if not tax:
        return []
    liable = {part.liable for item in sale.items if item.name == "shipping" for part in item.taxes}
    return [Tax(tax, liable.pop() if len(liable) == 1 else None)]


def _adjustment(node: dict[str, Any], found: Refund, sale: Sale) -> None:
    """A sum beside the items. Shopify's sign is the seller's: plus is what the buyer did not get back."""
    value, tax = amount(first(node, "amountSet", "amount_set", "amount")), amount(first(node, "taxAmountSet", "tax_amount_set"))
    name = lower_word(str(first(node, "kind", "reason") or "")) or "adjustment"
    if name == "shipping_refund":  # how the old API tells of refunded shipping
        found.items.append(Item("shipping", -value, taxes=_shipping_taxes(-tax, sale), row=sale.row))
        return
    taxes = [Tax(tax, None)] if tax else []
    found.extras.append(Extra("refund/adjustment", name, value, taxes=taxes))


def _paid_out(refund: dict[str, Any], gateway: str) -> dict[str, Decimal]:
    payments = refund.get("transactions")
    if payments is None:
        return {gateway: amount(first(refund, "totalRefundedSet", "total_refunded_set"))}
    found: dict[str, Decimal] = {}
    for payment in nodes(payments):
        kind, status = str(payment.get("kind") or "").upper(), str(payment.get("status") or "SUCCESS").upper()
        if kind == "REFUND" and status == "SUCCESS" and payment.get("test") is not True:
            name = lower_word(str(payment.get("gateway") or "")) or gateway
            found[name] = found.get(name, ZERO) + amount(first(payment, "amountSet", "amount_set", "amount"))
    return found


def _settle(refund: Refund) -> None:
    """Make tax in prices and money given beyond the items plain.

    Whether item amounts hold the tax follows the order, unless only the other reading gives what was paid out. Money paid out
    beyond items and adjustments is goodwill; money not paid out stays outstanding.
    """
    paid = sum(refund.paid.values(), ZERO)
    kept = sum((extra.amount + sum((tax.amount for tax in extra.taxes), ZERO) for extra in refund.extras), ZERO)
    prices = sum((item.price for item in refund.items), ZERO)
    taxes = sum((tax.amount for item in refund.items for tax in item.taxes), ZERO)
    due = {True: prices - kept, False: prices + taxes - kept}
    if due[refund.taxes_included] != paid and due[not refund.taxes_included] == paid:
        refund.taxes_included = not refund.taxes_included
    beyond = paid - due[refund.taxes_included]
    if beyond > 0:
        refund.extras.append(Extra("refund/adjustment", "refund_discrepancy", -beyond))
