"""Orders, each whole: with all line items, shipping, payments, parcels and refunds, whatever number of answers that takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import requests

from channels.fetched import FetchedPage
from channels.shopify.auth import Login, Sleep
from channels.shopify.client.graphql import ask
from channels.shopify.client.walk import at, changed, next_cursor, walk, window
from nova.http import Surprise

#: About 760 of the 1,000 points that one query may cost; a page that is dearer is halved.
ORDERS_PER_PAGE = 20
#: As many as the documents ask of the plain lists, which know no next page.
_LISTS = {"transactions": (20, "OrderPayments"), "fulfillments": (20, "OrderParcels"), "refunds": (10, "OrderRefunds")}
_MOST_OF_LIST = 250
_CONNECTIONS = {"lineItems": "OrderItems", "shippingLines": "OrderShipping"}
_REFUND_CONNECTIONS = {
    "refundLineItems": "RefundItems",
    "refundShippingLines": "RefundShipping",
    "orderAdjustments": "RefundAdjustments",
    "transactions": "RefundPayments",
}
_MOST_INNER_PAGES = 200


def order_pages(
    login: Login,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """Orders that changed from `start` until before `end`, as the parser of `orders` takes them."""
    for reply, connection, following in walk(
        login,
        "OrdersUpdated",
        ("orders",),
        {"query": changed(start, end)},
        first=ORDERS_PER_PAGE,
        session=session,
        after=resume,
        sleep=sleep,
    ):
        orders = connection.get("nodes") or []
        if orders:
            more = [body for order in orders for body in _rest(login, order, session, sleep)]
            body = reply.body if not more else b"[" + b",\n".join([reply.body, *more]) + b"]"
            yield FetchedPage("orders", f"orders {window(start, end)} {resume}".strip(), body, following, len(orders))
        resume = following


def one_order(login: Login, number: str, *, session: requests.Session, sleep: Sleep = time.sleep) -> FetchedPage | None:
    """One order by Shopify's number, as a message names it; None when there is none (any more, or not for this app)."""
    reply = ask(login, "OrderById", {"id": f"gid://shopify/Order/{int(number)}"}, session=session, sleep=sleep)
    order = reply.data.get("order")
    if order is None:
        return None
    more = list(_rest(login, order, session, sleep))
    body = reply.body if not more else b"[" + b",\n".join([reply.body, *more]) + b"]"
    return FetchedPage("orders", f"order {int(number)}", body, "", 1)


def _rest(login: Login, order: dict[str, Any], session: requests.Session, sleep: Sleep) -> Iterator[bytes]:
    """The answers that an order needs beside its first, in which some lists may have been full.

    Lists that know no next page, and refunds (whose parts go on one by one), replace what the first answer says.
    """
    order_id = {"id": order["id"]}
    for name, operation in _CONNECTIONS.items():
        cursor = next_cursor(order[name], operation)
        for _page in range(_MOST_INNER_PAGES):
            if not cursor:
                break
            reply = ask(login, operation, {**order_id, "after": cursor}, session=session, sleep=sleep)
            yield reply.body
            cursor = _moved(cursor, next_cursor(at(reply.data, ("order", name)), operation), operation)
        if cursor:
            raise Surprise(f"{operation} does not end.")
    for name, (full, operation) in _LISTS.items():
        members = order.get(name) or []
        again = len(members) >= full
        if again:
            reply = ask(login, operation, order_id, session=session, sleep=sleep)
            members = at(reply.data, ("order", name)) or []
            if len(members) >= _MOST_OF_LIST:
                raise Surprise(f"An order has {_MOST_OF_LIST} {name} or more; Shopify shows no further ones.")
        if name == "refunds":
            grew = [_complete_refund(login, refund, session, sleep) for refund in members]
            again = again or any(grew)
        if again:
            yield json.dumps({"data": {"order": {**order_id, name: members}}}, ensure_ascii=False).encode()


def _complete_refund(login: Login, refund: dict[str, Any], session: requests.Session, sleep: Sleep) -> bool:
    """Put the further pages of a refund's lists behind their first; whether there were any."""
    grew = False
    for name, operation in _REFUND_CONNECTIONS.items():
        connection = refund[name]
        cursor = next_cursor(connection, operation)
        for _page in range(_MOST_INNER_PAGES):
            if not cursor:
                break
            grew = True
            reply = ask(login, operation, {"id": refund["id"], "after": cursor}, session=session, sleep=sleep)
            further = at(reply.data, ("refund", name))
            cursor = _moved(cursor, next_cursor(further, operation), operation)
            connection["nodes"] += further["nodes"]
            connection["pageInfo"] = further["pageInfo"]
        if cursor:
            raise Surprise(f"{operation} does not end.")
    return grew


def _moved(before: str, after: str, operation: str) -> str:
    if after == before:
        raise Surprise(f"The pages of {operation} stand still.")
    return after
