"""Telling TikTok that an order is on its way, with which carrier and number.

Only orders of shipping type SELLER: the label of a TIKTOK one is TikTok's. In the United States an order is told of (its
package comes into being thereby), elsewhere its package, which exists since the order was paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from channels.tiktok.client.calls import Client, objects
from channels.tiktok.client.orders import detail
from channels.tiktok.errors import ALREADY_SHIPPED, Refused
from nova.http import Permanent, Temporary

#: Seconds after which an order on hold is worth asking for again (TikTok holds it for about an hour).
HOLD_SECONDS = 900.0
_SELLER = "SELLER"


class Outcome(StrEnum):
    """SHIPPED: by this call. ALREADY: it was shipped before with this number. OTHERWISE: before, with another number."""

    SHIPPED = "shipped"
    ALREADY = "already"
    OTHERWISE = "otherwise"


@dataclass(frozen=True)
class ShipResult:
    """`tracking_number` is what TikTok has for the package now; `warning` is TikTok's word, such as on an ambiguous carrier."""

    order_id: str
    package_id: str
    outcome: Outcome
    tracking_number: str
    warning: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class Provider:
    """A carrier that may be named for orders of a delivery option."""

    id: str
    name: str


def delivery_options(client: Client, warehouse_id: str) -> tuple[tuple[str, str], ...]:
    """(id, name) of the delivery options of a warehouse; an order names its own (`delivery_option_id`)."""
    told = client.ask("delivery_options", {"warehouse_id": warehouse_id}, repeatable=True)
    return tuple((str(row.get("id") or ""), str(row.get("name") or "")) for row in told.rows("delivery_options"))


def providers(client: Client, delivery_option_id: str) -> tuple[Provider, ...]:
    """The carriers of a delivery option."""
    told = client.ask("shipping_providers", {"delivery_option_id": delivery_option_id}, repeatable=True)
    rows = told.rows("shipping_providers")
    return tuple(Provider(str(row.get("id") or ""), str(row.get("name") or "")) for row in rows if row.get("id"))


def ship(
    client: Client,
    order_id: str,
    *,
    tracking_number: str,
    provider_id: str,
    package_id: str = "",
    line_item_ids: Sequence[str] = (),
) -> ShipResult:
    """Tell that an order, or some lines of it (United States), or one of its packages (elsewhere), was handed to a carrier.

    The order is read first. The call is never repeated by itself; where TikTok says that it was shipped already, the order is
    read again and the outcome says with which number.

    Raises:
        Permanent: TikTok ships the order itself, it is of another shop, or the package is not clear. Temporary: on hold.
        Refused (a Permanent): TikTok says no; its code and a remedy are in the message.
    """
    order = _shippable(client, order_id)
    body: dict[str, Any] = {"tracking_number": tracking_number, "shipping_provider_id": provider_id}
    by_order = client.login.shop.region == "US"
    if by_order and line_item_ids:
        body["order_line_item_ids"] = list(line_item_ids)
    if not by_order:
        package_id = package_id or _only_package(order, order_id)
    try:
        if by_order:
            told = client.ask("ship_order", {"order_id": order_id}, body=body, repeatable=False)
        else:
            told = client.ask("ship_package", {"package_id": package_id}, body={"self_shipment": body}, repeatable=False)
    except Refused as error:
        if error.code not in ALREADY_SHIPPED:
            raise
        return _as_found(client, order_id, package_id, line_item_ids, tracking_number, error)
    warning = told.data.get("warning")
    return ShipResult(
        order_id,
        str(told.data.get("package_id") or package_id),
        Outcome.SHIPPED,
        tracking_number,
        str(warning.get("message") or "") if isinstance(warning, dict) else "",
        told.request_id,
    )


def update_tracking(client: Client, order_id: str, *, tracking_number: str, provider_id: str, package_id: str = "") -> ShipResult:
    """Put another carrier or number in place of the told one; TikTok allows it once, in the United States for 72 hours.

    Raises: as `ship`.
    """
    order = _shippable(client, order_id)
    body = {"tracking_number": tracking_number, "shipping_provider_id": provider_id}
    if client.login.shop.region == "US":
        told = client.ask("update_order_tracking", {"order_id": order_id}, body=body, repeatable=False)
    else:
        package_id = package_id or _only_package(order, order_id)
        told = client.ask("update_package_tracking", {"package_id": package_id}, body=body, repeatable=False)
    return ShipResult(order_id, package_id, Outcome.SHIPPED, tracking_number, request_id=told.request_id)


def _shippable(client: Client, order_id: str) -> dict[str, Any]:
    order = detail(client, order_id)
    if order is None:
        raise Permanent(f"The shop has no order {order_id}.")
    told = str(order.get("shipping_type") or "").upper()
    if told != _SELLER:
        raise Permanent(
            f"Order {order_id} is shipped with TikTok's own label; no other shipment may be told."
            if told == "TIKTOK"
            else f"Order {order_id} does not say that the seller ships it (shipping type {told or 'missing'})."
        )
    if order.get("is_on_hold_order") is True or order.get("status") == "ON_HOLD":
        raise Temporary(f"Order {order_id} is on hold; nothing may be shipped yet.", retry_after=HOLD_SECONDS)
    return order


def _only_package(order: dict[str, Any], order_id: str) -> str:
    packages = _packages(order)
    if len(packages) != 1:
        raise Permanent(
            f"Order {order_id} has {len(packages)} packages; say which one is shipped."
            if packages
            else f"Order {order_id} has no package yet."
        )
    return packages[0]


def _packages(order: dict[str, Any]) -> list[str]:
    ids = [str(row.get("id") or "") for row in objects(order.get("packages"))]
    ids += [str(row.get("package_id") or "") for row in objects(order.get("line_items"))]
    return [found for found in dict.fromkeys(ids) if found and found != "0"]


def _as_found(
    client: Client, order_id: str, package_id: str, line_item_ids: Sequence[str], wanted: str, error: Refused
) -> ShipResult:
    """What the order says of its shipment, told by its lines (of the package or the lines that were meant) or itself."""
    order = detail(client, order_id)
    if order is None:
        raise error
    lines = objects(order.get("line_items"))
    if package_id:
        lines = [row for row in lines if str(row.get("package_id") or "") == package_id]
    if line_item_ids:
        lines = [row for row in lines if str(row.get("id") or "") in line_item_ids]
    numbers = [number for number in dict.fromkeys(str(row.get("tracking_number") or "") for row in lines) if number]
    numbers = numbers or [str(order.get("tracking_number") or "")]
    same = numbers == [wanted]
    packages = list(dict.fromkeys(str(row.get("package_id") or "") for row in lines))
    return ShipResult(
        order_id,
        package_id or (packages[0] if len(packages) == 1 else ""),
        Outcome.ALREADY if same else Outcome.OTHERWISE,
        wanted if same else ", ".join(numbers),
        request_id=error.request_id,
    )
