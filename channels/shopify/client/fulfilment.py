"""Fulfilment orders (what is to be shipped from where), and shipments told to Shopify with their tracking."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests

from channels.fetched import FetchedPage
from channels.shopify.auth import Login, Sleep
from channels.shopify.client.graphql import Failure, ask, failures
from channels.shopify.client.walk import at, changed, next_cursor, walk, window
from nova.http import Surprise

PER_PAGE = 50
_MOST_INNER_PAGES = 100


def fulfilment_order_pages(
    login: Login,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """Fulfilment orders that changed in the span, closed ones too, each with all its line items."""
    for reply, connection, following in walk(
        login,
        "FulfilmentOrders",
        ("fulfillmentOrders",),
        {"query": changed(start, end)},
        first=PER_PAGE,
        session=session,
        after=resume,
        sleep=sleep,
    ):
        found = connection.get("nodes") or []
        if found:
            grew = [_complete(login, node, session, sleep) for node in found]
            body = json.dumps({"data": reply.data}, ensure_ascii=False).encode() if any(grew) else reply.body
            name = f"fulfilment_orders {window(start, end)} {resume}".strip()
            yield FetchedPage("fulfilment_orders", name, body, following, len(found))
        resume = following


def _complete(login: Login, order: dict[str, Any], session: requests.Session, sleep: Sleep) -> bool:
    """Put further pages of line items behind the first; whether there were any."""
    items = order["lineItems"]
    cursor = next_cursor(items, "FulfilmentOrders")
    grew = bool(cursor)
    for _page in range(_MOST_INNER_PAGES):
        if not cursor:
            return grew
        reply = ask(login, "FulfilmentOrderItems", {"id": order["id"], "after": cursor}, session=session, sleep=sleep)
        further = at(reply.data, ("fulfillmentOrder", "lineItems"))
        cursor = next_cursor(further, "FulfilmentOrderItems")
        items["nodes"] += further["nodes"]
        items["pageInfo"] = further["pageInfo"]
    raise Surprise("The line items of a fulfilment order do not end.")


@dataclass(frozen=True)
class Parcel:
    """One shipment of an order. `lines` holds, by the number of a fulfilment order, units by the number of its line item; an empty
    inner mapping ships all that is left of it. All must be of the same order and location.

    `company` as Shopify's list of carriers spells it gives the buyer a link; any other needs `url`.
    """

    lines: Mapping[str, Mapping[str, int]]
    number: str = ""
    company: str = ""
    url: str = ""
    notify: bool = False


@dataclass(frozen=True)
class ShipmentResult:
    """What Shopify made of a parcel; with failures, nothing was shipped."""

    fulfilment: str
    status: str
    failures: tuple[Failure, ...] = ()

    @property
    def is_done(self) -> bool:
        return not self.failures and bool(self.fulfilment)


@dataclass(frozen=True)
class Shipment:
    """What was shipped of an order already; `units` over all its lines."""

    fulfilment: str
    status: str
    numbers: tuple[str, ...] = field(default=())
    units: int | None = None


def fulfil(login: Login, parcel: Parcel, *, session: requests.Session, sleep: Sleep = time.sleep) -> ShipmentResult:
    """Tell Shopify that a parcel left. This is sent once and never repeated, as nothing keeps it from being done twice.

    Raises:
        ValueError: no lines, or units below one. Temporary: it is not known whether it was done, so look at `shipments_of` first;
        and what `ask` raises.
    """
    if not parcel.lines or any(units < 1 for part in parcel.lines.values() for units in part.values()):
        raise ValueError("a parcel holds at least one unit")
    change: dict[str, Any] = {
        "lineItemsByFulfillmentOrder": [_part(order, lines) for order, lines in parcel.lines.items()],
        "notifyCustomer": parcel.notify,
    }
    tracking = {"company": parcel.company, "number": parcel.number, "url": parcel.url}
    if any(tracking.values()):
        change["trackingInfo"] = {name: value for name, value in tracking.items() if value}
    reply = ask(login, "Fulfil", {"fulfillment": change}, session=session, repeatable=False, sleep=sleep)
    payload = reply.data.get("fulfillmentCreate")
    if not isinstance(payload, dict):
        raise Surprise("Shopify answered a shipment without saying what came of it.")
    made = payload.get("fulfillment") or {}
    failed = failures(payload, list_name="lineItemsByFulfillmentOrder")
    if not made and not failed:
        raise Surprise("Shopify neither took nor refused a shipment.")
    return ShipmentResult(_plain(made.get("id")), str(made.get("status") or ""), failed)


def _part(order: str, lines: Mapping[str, int]) -> dict[str, Any]:
    items = [{"id": f"gid://shopify/FulfillmentOrderLineItem/{int(line)}", "quantity": units} for line, units in lines.items()]
    part: dict[str, Any] = {"fulfillmentOrderId": f"gid://shopify/FulfillmentOrder/{int(order)}"}
    return {**part, "fulfillmentOrderLineItems": items} if items else part


def shipments_of(login: Login, order: str, *, session: requests.Session, sleep: Sleep = time.sleep) -> Sequence[Shipment] | None:
    """The shipments of an order by Shopify's number; None when there is no such order."""
    reply = ask(login, "OrderShipments", {"id": f"gid://shopify/Order/{int(order)}"}, session=session, sleep=sleep)
    found = reply.data.get("order")
    if found is None:
        return None
    return [
        Shipment(
            _plain(node.get("id")),
            str(node.get("status") or ""),
            tuple(str(part["number"]) for part in node.get("trackingInfo") or () if part.get("number")),
            node.get("totalQuantity"),
        )
        for node in found.get("fulfillments") or ()
    ]


def _plain(gid: Any) -> str:
    return str(gid or "").rsplit("/", 1)[-1]
