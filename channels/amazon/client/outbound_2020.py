"""Multi-Channel Fulfillment by the API of 2020-07-01."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from channels.amazon.client.caller import Caller, Reply, moment, text, whole
from channels.amazon.client.outbound import (
    CancelAttempt,
    Consignment,
    Created,
    OrderedItem,
    OutboundAddress,
    OutboundFee,
    OutboundItem,
    OutboundOrder,
    OutboundState,
    Parcel,
    Quote,
    Tracking,
    TrackingEvent,
    Unfulfillable,
    check,
)
from nova.http import Permanent, Surprise, Temporary

_BASE = "/fba/outbound/2020-07-01"


class Outbound2020:
    """`Outbound` over 2020-07-01."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def preview(self, order: OutboundOrder, speeds: tuple[str, ...] = ()) -> tuple[Quote, ...]:
        """Quotes for `speeds`, for all that Amazon has when none are named."""
        check(order)
        body: dict[str, Any] = {
            "marketplaceId": order.marketplace_id,
            "address": _address(order.address),
            "items": _items(order),
        }
        if speeds:
            body["shippingSpeedCategories"] = list(speeds)
        if order.features:
            body["featureConstraints"] = _features(order)
        reply = self._caller.ask(
            "getFulfillmentPreview",
            "POST",
            f"{_BASE}/fulfillmentOrders/preview",
            body=body,
            repeatable=True,
            private=_private(order.address),
        )  # it reads only, whatever its method
        return tuple(_quote(row) for row in reply.rows("payload", "fulfillmentPreviews", needed=False))

    def create(self, order: OutboundOrder) -> Created:
        """Place the order.

        Amazon takes an id once. Where it did not answer, or refused, the order is looked for first: it may have arrived. A
        Temporary then means that it is not there yet: call again with the same order.

        Raises:
            ValueError: an order that Amazon would refuse.
            Permanent: Amazon refuses it, or knows another order under this id. Others: see `Caller.ask`.
        """
        check(order)
        body: dict[str, Any] = {
            "marketplaceId": order.marketplace_id,
            "sellerFulfillmentOrderId": order.order_id,
            "displayableOrderId": order.displayed_id,
            "displayableOrderDate": moment(order.displayed_at),
            "displayableOrderComment": order.comment,
            "shippingSpeedCategory": order.speed,
            "destinationAddress": _address(order.address),
            "fulfillmentAction": "Ship",
            "fulfillmentPolicy": order.policy,
            "items": _items(order),
        }
        if order.features:
            body["featureConstraints"] = _features(order)
        try:
            reply = self._caller.ask(
                "createFulfillmentOrder",
                "POST",
                f"{_BASE}/fulfillmentOrders",
                body=body,
                repeatable=False,
                may_be_empty=True,
                private=_private(order.address),
            )
        except (Temporary, Surprise) as error:
            if error.status == 429 or not self._is_there(order):
                raise
            return Created(order.order_id, True, error.request_id)
        except Permanent as error:
            if error.status not in (400, 409) or not self._is_there(order):
                raise
            return Created(order.order_id, True, error.request_id)
        return Created(order.order_id, False, reply.request_id)

    def _is_there(self, order: OutboundOrder) -> bool:
        try:
            state = self.read(order.order_id)
        except (Permanent, Temporary, Surprise):
            return False  # what went wrong with creating it is what the caller must hear
        wanted = sorted((item.item_id, item.sku, item.quantity) for item in order.items)
        if sorted((item.item_id, item.sku, item.quantity) for item in state.items) != wanted:
            raise Permanent(f"Amazon knows another order under the id {order.order_id}.")
        return True

    def read(self, order_id: str) -> OutboundState:
        path = f"{_BASE}/fulfillmentOrders/{quote(order_id, safe='')}"
        reply = self._caller.ask("getFulfillmentOrder", "GET", path, repeatable=True)
        head = reply.part("payload", "fulfillmentOrder")
        if not head.get("fulfillmentOrderStatus"):
            raise Surprise("Amazon's answer to getFulfillmentOrder has no order.", request_id=reply.request_id)
        return OutboundState(
            text(head.get("sellerFulfillmentOrderId")) or order_id,
            text(head["fulfillmentOrderStatus"]),
            tuple(
                OrderedItem(
                    text(row.get("sellerSku")),
                    text(row.get("sellerFulfillmentOrderItemId")),
                    whole(row.get("quantity"), "quantity"),
                    whole(row.get("cancelledQuantity") or 0, "cancelledQuantity"),
                    whole(row.get("unfulfillableQuantity") or 0, "unfulfillableQuantity"),
                )
                for row in reply.rows("payload", "fulfillmentOrderItems", needed=False)
            ),
            tuple(_consignment(row) for row in reply.rows("payload", "fulfillmentShipments", needed=False)),
        )

    def cancel(self, order_id: str) -> CancelAttempt:
        path = f"{_BASE}/fulfillmentOrders/{quote(order_id, safe='')}/cancel"
        taken, reason = True, ""
        try:
            self._caller.ask("cancelFulfillmentOrder", "PUT", path, repeatable=False, may_be_empty=True)
        except Permanent as error:
            if error.status not in (400, 409):
                raise
            taken, reason = False, str(error)  # most often too late
        return CancelAttempt(taken, reason, self.read(order_id))

    def track(self, package_number: int) -> Tracking:
        params = {"packageNumber": str(package_number)}
        reply = self._caller.ask("getPackageTrackingDetails", "GET", f"{_BASE}/tracking", params=params, repeatable=True)
        found = reply.part("payload")
        if found.get("packageNumber") is None:
            raise Surprise("Amazon's answer to getPackageTrackingDetails has no package.", request_id=reply.request_id)
        return Tracking(
            whole(found["packageNumber"], "packageNumber"),
            text(found.get("carrierCode")),
            text(found.get("trackingNumber")),
            text(found.get("currentStatus")) or "UNKNOWN",
            tuple(_event(row, reply) for row in reply.rows("payload", "trackingEvents", needed=False)),
        )


def _address(address: OutboundAddress) -> dict[str, str]:
    fields = {
        "name": address.name,
        "addressLine1": address.line1,
        "addressLine2": address.line2,
        "addressLine3": address.line3,
        "city": address.city,
        "stateOrRegion": address.state,
        "postalCode": address.postal_code,
        "countryCode": address.country,
        "phone": address.phone,
    }
    return {name: value for name, value in fields.items() if value}


def _private(address: OutboundAddress) -> list[str]:
    """What tells who and where the buyer is; the country alone does not."""
    return [value for name, value in _address(address).items() if name != "countryCode"]


def _items(order: OutboundOrder) -> list[dict[str, Any]]:
    return [
        {"sellerSku": item.sku, "sellerFulfillmentOrderItemId": item.item_id, "quantity": item.quantity} for item in order.items
    ]


def _features(order: OutboundOrder) -> list[dict[str, str]]:
    return [{"featureName": name, "featureFulfillmentPolicy": "Required"} for name in order.features]


def _list(row: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = row.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise Surprise(f"Amazon's answer has no list at {name}.")
    return found


def _quote(row: Mapping[str, Any]) -> Quote:
    shipments = _list(row, "fulfillmentPreviewShipments")
    return Quote(
        text(row.get("shippingSpeedCategory")),
        row.get("isFulfillable") is True,
        tuple(_fee(fee) for fee in _list(row, "estimatedFees")),
        min((text(part["earliestArrivalDate"]) for part in shipments if part.get("earliestArrivalDate")), default=""),
        max((text(part["latestArrivalDate"]) for part in shipments if part.get("latestArrivalDate")), default=""),
        tuple(
            Unfulfillable(
                text(part.get("sellerSku")),
                text(part.get("sellerFulfillmentOrderItemId")),
                whole(part.get("quantity") or 0, "quantity"),
                tuple(text(reason) for reason in part.get("itemUnfulfillableReasons") or ()),
            )
            for part in _list(row, "unfulfillablePreviewItems")
        ),
        tuple(text(reason) for reason in row.get("orderUnfulfillableReasons") or ()),
    )


def _fee(row: Mapping[str, Any]) -> OutboundFee:
    money = row.get("amount")
    if not isinstance(money, dict):
        raise Surprise("Amazon told of a fee without an amount.")
    try:
        amount = Decimal(text(money.get("value")))
    except ArithmeticError:
        raise Surprise("Amazon told of a fee whose amount is no number.") from None
    if not amount.is_finite():
        raise Surprise("Amazon told of a fee whose amount is no number.")
    return OutboundFee(text(row.get("name")), amount, text(money.get("currencyCode")))


def _consignment(row: Mapping[str, Any]) -> Consignment:
    return Consignment(
        text(row.get("amazonShipmentId")),
        text(row.get("fulfillmentShipmentStatus")),
        text(row.get("shippingDate")),
        tuple(
            Parcel(
                whole(part.get("packageNumber"), "packageNumber"),
                text(part.get("carrierCode")),
                text(part.get("trackingNumber")),
                text(part.get("amazonFulfillmentTrackingNumber")),
            )
            for part in _list(row, "fulfillmentShipmentPackage")
        ),
        tuple(
            OutboundItem(
                text(part.get("sellerSku")),
                text(part.get("sellerFulfillmentOrderItemId")),
                whole(part.get("quantity"), "quantity"),
            )
            for part in _list(row, "fulfillmentShipmentItem")
        ),
    )


def _event(row: Mapping[str, Any], reply: Reply) -> TrackingEvent:
    place = row.get("eventAddress")
    place = place if isinstance(place, dict) else {}
    if not row.get("eventDate"):
        raise Surprise("Amazon told of something that happened to a package, but not when.", request_id=reply.request_id)
    named = [text(place.get(name)) for name in ("city", "state", "country")]
    return TrackingEvent(
        text(row["eventDate"]),
        text(row.get("eventCode")),
        text(row.get("eventDescription")),
        ", ".join(part for part in named if part),
    )
