"""Orders 2026-01-01 (read) and the confirmation of shipments (orders v0, the one call of it that stays).

Buyer and recipient are restricted data: no page of orders asks for them. `read_order` asks for the recipient only when told to,
for an order that is about to be shipped. An order whose channel is NON_AMAZON is one that Amazon only ships: no revenue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from channels.amazon.client.caller import Caller, Reply, moment
from channels.amazon.client.walk import Stretch, walk
from channels.amazon.client.windows import windows
from channels.fetched import FetchedPage
from nova.http import Surprise

#: What Nova asks for of each order. BUYER, RECIPIENT, TAX (names of registrations) and PAYMENT (cards) are left out on purpose.
INCLUDED = ("PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "FULFILLMENT_ORDERS")
PAGE_SIZE = 100
_MOST_MARKETPLACES = 50


def order_pages(caller: Caller, *, start: datetime, end: datetime, resume: str = "") -> Iterator[FetchedPage]:
    """Orders updated between two aware moments. An order that changes meanwhile may come on a later page again, or move on
    beyond `end`: overlap windows by some minutes and take the newest `lastUpdatedTime` per orderId.

    The bucket refills once in three minutes: Temporary then says how long to wait; go on from the last page's `resume`.
    """
    stretches = [
        Stretch(name, partial(_search, caller, after, before))
        for name, after, before in windows(start, end, now=caller.clock(), resume=resume)
    ]
    return walk(
        "orders",
        stretches,
        resume=resume,
        count=lambda reply: len(reply.rows("orders")),
        next_token=lambda reply: reply.token("pagination", "nextToken"),
    )


def _search(caller: Caller, after: datetime, before: datetime, token: str) -> Reply:
    params = {
        "lastUpdatedAfter": moment(after),
        "lastUpdatedBefore": moment(before),
        "maxResultsPerPage": str(PAGE_SIZE),
        "includedData": ",".join(INCLUDED),
    }
    if caller.login.marketplace_ids:
        params["marketplaceIds"] = ",".join(caller.login.marketplace_ids[:_MOST_MARKETPLACES])
    if token:
        params["paginationToken"] = token
    return caller.ask("searchOrders", "GET", "/orders/2026-01-01/orders", params=params, repeatable=True)


def read_order(caller: Caller, order_id: str, *, with_recipient: bool = False) -> FetchedPage:
    """One order, as `{"order": {...}}`. With `with_recipient` it holds the buyer's address: keep that as personal data only."""
    included = (*INCLUDED, "RECIPIENT") if with_recipient else INCLUDED
    reply = caller.ask(
        "getOrder",
        "GET",
        f"/orders/2026-01-01/orders/{quote(order_id, safe='')}",
        params={"includedData": ",".join(included)},
        repeatable=True,
    )
    if not reply.part("order").get("orderId"):
        raise Surprise("Amazon's answer to getOrder has no order.", request_id=reply.request_id)
    return FetchedPage("order", order_id, reply.body, "", 1)


@dataclass(frozen=True)
class ShippedItem:
    """How many units of an order item are in a package."""

    order_item_id: str
    quantity: int


@dataclass(frozen=True)
class ShippedPackage:
    """A package that the seller has sent. `reference` is a whole number from 1, one per package of an order."""

    reference: int
    carrier_code: str
    tracking_number: str
    shipped_at: datetime
    items: tuple[ShippedItem, ...]
    carrier_name: str = ""
    shipping_method: str = ""


@dataclass(frozen=True)
class ShipmentConfirmed:
    """Amazon has taken the package's tracking number."""

    order_id: str
    reference: int
    request_id: str


def confirm_shipment(caller: Caller, order_id: str, marketplace_id: str, package: ShippedPackage) -> ShipmentConfirmed:
    """Tell Amazon about a package. The same reference again edits that package, so this may be repeated.

    Raises:
        ValueError: a package that Amazon would refuse (no items, no positive reference, carrier Other without a name).
        Permanent: Amazon refuses it, such as for an order that is cancelled or shipped by Amazon. Others: see `Caller.ask`.
    """
    if package.reference < 1:
        raise ValueError("A package's reference is a whole number from 1.")
    if not package.items or any(item.quantity < 1 for item in package.items):
        raise ValueError("A package needs items, one unit of each at least.")
    if package.carrier_code == "Other" and not package.carrier_name:
        raise ValueError("The carrier Other needs a name.")
    detail: dict[str, Any] = {
        "packageReferenceId": str(package.reference),
        "carrierCode": package.carrier_code,
        "trackingNumber": package.tracking_number,
        "shipDate": moment(package.shipped_at),
        "orderItems": [{"orderItemId": item.order_item_id, "quantity": item.quantity} for item in package.items],
    }
    if package.carrier_name:
        detail["carrierName"] = package.carrier_name
    if package.shipping_method:
        detail["shippingMethod"] = package.shipping_method
    reply = caller.ask(
        "confirmShipment",
        "POST",
        f"/orders/v0/orders/{quote(order_id, safe='')}/shipmentConfirmation",
        body={"marketplaceId": marketplace_id, "packageDetail": detail},
        repeatable=True,
        may_be_empty=True,
    )
    return ShipmentConfirmed(order_id, package.reference, reply.request_id)
