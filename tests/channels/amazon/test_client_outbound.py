"""Orders of other channels out of Amazon's warehouses: quoted, placed once whatever happens, read, cancelled, tracked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
import requests

from channels.amazon.client.outbound import Outbound, OutboundAddress, OutboundItem, OutboundOrder
from channels.amazon.client.outbound_2020 import Outbound2020
from nova.http import Permanent, Surprise, Temporary
from tests.channels.amazon.live import NOW, US, Amazon, Told, caller, refused

ORDERS = "/fba/outbound/2020-07-01/fulfillmentOrders"
ADDRESS = OutboundAddress("Ada Byron", "7 Quay Street", "98101", "US", city="Seattle", state="WA", phone="555-0134")
ORDER = OutboundOrder(
    "TT-5771",
    "5771",
    NOW,
    "Thank you",
    ADDRESS,
    (OutboundItem("LAMP", "1", 2), OutboundItem("ROPE", "2", 1)),
    US,
    features=("BLANK_BOX",),
)


def known(status: str = "Processing", lamps: int = 2, **more: Any) -> Told:
    items = [
        {
            "sellerSku": "LAMP",
            "sellerFulfillmentOrderItemId": "1",
            "quantity": lamps,
            "cancelledQuantity": 0,
            "unfulfillableQuantity": 1,
        },
        {
            "sellerSku": "ROPE",
            "sellerFulfillmentOrderItemId": "2",
            "quantity": 1,
            "cancelledQuantity": 0,
            "unfulfillableQuantity": 0,
        },
    ]
    head = {"sellerFulfillmentOrderId": "TT-5771", "fulfillmentOrderStatus": status}
    return Told({"payload": {"fulfillmentOrder": head, "fulfillmentOrderItems": items, **more}})


@pytest.fixture
def outbound(world: Amazon, session: requests.Session) -> Outbound:
    return Outbound2020(caller(session))


def test_a_quote_tells_fees_days_and_what_cannot_be_shipped(world: Amazon, outbound: Outbound) -> None:
    money = {"currencyCode": "USD", "value": "8.35"}
    quotes = [
        {
            "shippingSpeedCategory": "Standard",
            "isFulfillable": True,
            "estimatedFees": [{"name": "FBAPerUnitFulfillmentFee", "amount": money}],
            "fulfillmentPreviewShipments": [
                {"earliestArrivalDate": "2026-11-29T08:00:00Z", "latestArrivalDate": "2026-12-01T08:00:00Z"},
                {"earliestArrivalDate": "2026-11-28T08:00:00Z", "latestArrivalDate": None},
            ],
        },
        {
            "shippingSpeedCategory": "Priority",
            "isFulfillable": False,
            "orderUnfulfillableReasons": ["NO_SERVICE"],
            "unfulfillablePreviewItems": [
                {
                    "sellerSku": "ROPE",
                    "sellerFulfillmentOrderItemId": "2",
                    "quantity": 1,
                    "itemUnfulfillableReasons": ["OUT_OF_STOCK"],
                }
            ],
        },
    ]
    world.on("POST", f"{ORDERS}/preview", refused(500), Told({"payload": {"fulfillmentPreviews": quotes}}))
    standard, priority = outbound.preview(ORDER, ("Standard", "Priority"))
    assert standard.possible and standard.fees[0].amount == D("8.35") and standard.fees[0].currency == "USD"
    assert (standard.earliest_arrival, standard.latest_arrival) == ("2026-11-28T08:00:00Z", "2026-12-01T08:00:00Z")
    assert (
        not priority.possible and priority.unfulfillable[0].reasons == ("OUT_OF_STOCK",) and priority.reasons == ("NO_SERVICE",)
    )
    sent = world.asked[-1].data
    assert sent["shippingSpeedCategories"] == ["Standard", "Priority"] and sent["address"]["stateOrRegion"] == "WA"


def test_an_order_is_placed_with_all_that_amazon_needs(world: Amazon, outbound: Outbound) -> None:
    world.on("POST", ORDERS, Told({}), Told(None))
    assert not outbound.create(ORDER).existed
    assert not outbound.create(ORDER).existed, "an empty answer is a success too"
    sent = world.asked[0].data
    assert sent["sellerFulfillmentOrderId"] == "TT-5771" and sent["fulfillmentPolicy"] == "FillOrKill"
    assert sent["fulfillmentAction"] == "Ship" and sent["displayableOrderDate"] == "2026-11-25T12:00:00Z"
    assert sent["featureConstraints"] == [{"featureName": "BLANK_BOX", "featureFulfillmentPolicy": "Required"}]
    assert sent["destinationAddress"] == {
        "name": "Ada Byron",
        "addressLine1": "7 Quay Street",
        "city": "Seattle",
        "stateOrRegion": "WA",
        "postalCode": "98101",
        "countryCode": "US",
        "phone": "555-0134",
    }


@pytest.mark.parametrize("trouble", [refused(503), Told(b'{"pay', cut=True), Told(b"<html>"), refused(400, message="duplicate")])
def test_an_order_that_arrived_in_spite_of_trouble_is_not_placed_twice(world: Amazon, outbound: Outbound, trouble: Told) -> None:
    world.on("POST", ORDERS, trouble)
    world.on("GET", f"{ORDERS}/TT-5771", known())
    done = outbound.create(ORDER)
    assert done.existed and [asked.method for asked in world.asked] == ["POST", "GET"]


def test_trouble_stays_trouble_where_the_order_is_not_there(world: Amazon, outbound: Outbound) -> None:
    world.on("POST", ORDERS, refused(503), refused(400, message="Invalid address: 7 QUAY STREET of Ada Byron"), refused(429))
    with pytest.raises(Temporary):
        outbound.create(ORDER)
    with pytest.raises(Permanent, match="Invalid address") as raised:
        outbound.create(ORDER)
    assert "quay" not in str(raised.value).lower() and "Ada" not in str(raised.value)
    before = len(world.asked)
    with pytest.raises(Temporary):
        outbound.create(ORDER)
    assert len(world.asked) == before + 1, "a call that was not let in needs no look"


def test_another_order_under_the_same_id_is_told(world: Amazon, outbound: Outbound) -> None:
    world.on("POST", ORDERS, refused(400))
    world.on("GET", f"{ORDERS}/TT-5771", known(lamps=9))
    with pytest.raises(Permanent, match="another order"):
        outbound.create(ORDER)


def test_a_split_order_is_read_with_its_parcels(world: Amazon, outbound: Outbound) -> None:
    def shipment(number: int, status: str, tracking: str | None) -> dict[str, Any]:
        return {
            "amazonShipmentId": f"D{number}",
            "fulfillmentShipmentStatus": status,
            "shippingDate": None,
            "fulfillmentShipmentItem": [{"sellerSku": "LAMP", "sellerFulfillmentOrderItemId": "1", "quantity": 1}],
            "fulfillmentShipmentPackage": [
                {
                    "packageNumber": number,
                    "carrierCode": "Amazon",
                    "trackingNumber": tracking,
                    "amazonFulfillmentTrackingNumber": "TBA1",
                }
            ],
        }

    world.on(
        "GET",
        ORDERS,
        known("CompletePartialled", fulfillmentShipments=[shipment(1, "SHIPPED", "1Z1"), shipment(2, "PENDING", None)]),
    )
    state = outbound.read("TT-5771")
    assert state.ended and [part.status for part in state.consignments] == ["SHIPPED", "PENDING"]
    assert [part.parcels[0].tracking_number for part in state.consignments] == ["1Z1", ""]
    assert state.items[0].unfulfillable == 1 and state.consignments[0].items[0].quantity == 1


def test_cancelling_tells_what_became_of_it(world: Amazon, outbound: Outbound) -> None:
    world.on("PUT", f"{ORDERS}/TT-5771/cancel", Told({}), refused(400, message="Order is already complete"), refused(503))
    world.on("GET", ORDERS, known("Cancelled"), known("Complete"))
    first, second = outbound.cancel("TT-5771"), outbound.cancel("TT-5771")
    assert first.taken and first.state.status == "Cancelled"
    assert not second.taken and "already complete" in second.reason and second.state.status == "Complete"
    with pytest.raises(Temporary):
        outbound.cancel("TT-5771")


def test_a_package_is_tracked(world: Amazon, outbound: Outbound) -> None:
    event = {
        "eventDate": "2026-11-26T08:00:00Z",
        "eventCode": "EVENT_301",
        "eventDescription": "Delivered",
        "eventAddress": {"city": "Seattle", "state": "WA", "country": "US"},
    }
    found = {
        "packageNumber": 7,
        "trackingNumber": "1Z1",
        "carrierCode": "UPS",
        "currentStatus": "DELIVERED",
        "trackingEvents": [event],
    }
    world.on(
        "GET", "/fba/outbound/2020-07-01/tracking", Told({"payload": found}), Told({"payload": {"packageNumber": 7}}), Told({})
    )
    tracking = outbound.track(7)
    assert (tracking.status, tracking.events[0].place, tracking.events[0].code) == ("DELIVERED", "Seattle, WA, US", "EVENT_301")
    assert outbound.track(7).status == "UNKNOWN" and world.asked[0].query == {"packageNumber": "7"}
    with pytest.raises(Surprise):
        outbound.track(7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_id": "x" * 41},
        {"displayed_id": ""},
        {"comment": ""},
        {"items": ()},
        {"items": (OutboundItem("LAMP", "1", 0),)},
        {"items": (OutboundItem("LAMP", "1", 251),)},
        {"items": (OutboundItem("LAMP", "1", 1), OutboundItem("ROPE", "1", 1))},
        {"speed": "Teleport"},
    ],
)
def test_impossible_orders_are_not_sent(world: Amazon, outbound: Outbound, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        outbound.create(replace(ORDER, **wrong))
    assert world.asked == []


def test_an_address_is_not_shown() -> None:
    assert "Byron" not in repr(ORDER) and "Quay" not in repr(ORDER) and "98101" not in repr(ORDER)
