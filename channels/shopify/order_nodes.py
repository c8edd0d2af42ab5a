"""Finds the orders of a JSON document: whole ones, ones told in several answers, and bulk results whose children stand apart."""

from __future__ import annotations

from typing import Any

from channels.adapter import DocumentError, Recognised
from channels.shopify import answers

Order = dict[str, Any]
_ORDER_ID = b"gid://shopify/Order/"
_TELLING = (b'"lineItems"', b'"refunds"', b'"totalPriceSet"', b'"shippingLines"', b'"currentTotalPriceSet"')
#: Connections of an order that may come in several pages.
_PAGED = ("lineItems", "shippingLines")
#: Kind of a child in a bulk result -> the connection of its order.
_CHILDREN = {"LineItem": "lineItems", "ShippingLine": "shippingLines"}


def recognise(body: bytes) -> Recognised | None:
    """Orders of the GraphQL API (pages, single answers, bulk JSON lines) or of the old API and webhooks; never raises."""
    if not answers.is_json(body):
        return None
    if b'"financial_status"' in body and b'"line_items"' in body:
        return Recognised("orders_rest")
    if _ORDER_ID in body and any(word in body for word in _TELLING):
        return Recognised("orders")
    return None


def is_order(node: dict[str, Any]) -> bool:
    """Whether an object tells of an order, more than only naming it."""
    if "financial_status" in node and "line_items" in node:
        return True
    return str(node.get("id") or "").startswith("gid://shopify/Order/") and not node.keys() <= {"id", "name"}


def find_orders(data: Any) -> list[Order]:
    """The orders of a document in its order, each whole.

    Raises:
        DocumentError: an order whose line items (or those of a refund) go on elsewhere, or that has none at all.
    """
    orders: dict[str, Order] = {}
    for node in answers.walk(data):
        if is_order(node):
            order_id = answers.plain_id(node["id"])
            orders[order_id] = _join(orders[order_id], node) if order_id in orders else dict(node)
        elif "__parentId" in node:
            _adopt(orders, node)
    for order_id, order in orders.items():
        _check_whole(order_id, order)
    return list(orders.values())


def _join(known: Order, more: Order) -> Order:
    """One order told twice: what the later answer says counts, pages of line items are put together."""
    joined = {**known, **{name: value for name, value in more.items() if value is not None}}
    for name in _PAGED:
        if name in known and name in more:
            members: dict[str, Any] = {}
            for number, node in enumerate([*answers.nodes(known[name]), *answers.nodes(more[name])]):
                members[str(node.get("id") or number)] = node
            joined[name] = {"nodes": list(members.values()), "pageInfo": {"hasNextPage": answers.has_more(more[name])}}
    return joined


def _adopt(orders: dict[str, Order], child: dict[str, Any]) -> None:
    """Put a child of a bulk result into its order; in a bulk result children come after their parent."""
    kind = str(child.get("id") or "").removeprefix("gid://shopify/").split("/", 1)[0]
    parent = orders.get(answers.plain_id(child["__parentId"]))
    if parent is None or kind not in _CHILDREN:
        return
    name = _CHILDREN[kind]
    parent[name] = {"nodes": [*answers.nodes(parent.get(name)), child]}


def _check_whole(order_id: str, order: Order) -> None:
    label = order.get("name") or order_id
    items = answers.first(order, "lineItems", "line_items")
    if items is None:
        raise DocumentError(
            f"Order {label}: this answer holds no line items. Put the answers with the order, its line items and its refunds into "
            "one document."
        )
    if answers.has_more(items) or answers.has_more(order.get("shippingLines")):
        raise DocumentError(f"Order {label} has more line items than this page; the following pages are missing.")
    for refund in answers.nodes(order.get("refunds")):
        if any(answers.has_more(refund.get(name)) for name in ("refundLineItems", "refundShippingLines", "orderAdjustments")):
            raise DocumentError(f"Order {label}: refund {answers.plain_id(refund.get('id'))} has more lines than this page.")


def item_title(node: dict[str, Any]) -> str:
    """An article's title with its variant, as the Orders export writes it."""
    if node.get("name"):
        return str(node["name"])
    title, variant = str(node.get("title") or ""), str(answers.first(node, "variantTitle", "variant_title") or "")
    return f"{title} - {variant}" if variant and variant != "Default Title" else title
