"""Orders without buyer data, confirmed shipments, transactions that the parser takes as they come, and payouts."""

from __future__ import annotations

import json
from decimal import Decimal as D

import pytest
import requests

from channels.adapter import Source
from channels.amazon.adapter import adapter
from channels.amazon.client import pages_of
from channels.amazon.client.orders import ShippedItem, ShippedPackage, confirm_shipment, read_order
from nova.http import Permanent, Surprise
from tests.channels.amazon.live import CA, NOW, US, Amazon, Told, caller, days_ago, refused
from tests.channels.amazon.test_finances import LANTERN, transaction

PACKAGE = ShippedPackage(
    1, "Other", "1Z999", NOW, (ShippedItem("50001", 2),), carrier_name="Harbour Post", shipping_method="Ground"
)


def test_orders_are_asked_for_by_update_time_without_buyer_data(world: Amazon, session: requests.Session) -> None:
    world.on(
        "GET",
        "/orders/2026-01-01/orders",
        Told({"orders": [{"orderId": "1"}, {"orderId": "2"}], "pagination": {"nextToken": "n"}}),
        Told({"orders": [{"orderId": "3"}]}),
    )
    found = list(pages_of(caller(session), "orders", start=days_ago(1), end=NOW))
    assert [page.rows for page in found] == [2, 1] and found[-1].resume == ""
    first, second = (asked.query for asked in world.asked)
    assert first == {
        "lastUpdatedAfter": "2026-11-24T12:00:00Z",
        "lastUpdatedBefore": "2026-11-25T11:58:00Z",
        "marketplaceIds": f"{US},{CA}",
        "maxResultsPerPage": "100",
        "includedData": "PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,FULFILLMENT_ORDERS",
    }
    assert second == first | {"paginationToken": "n"}


def test_the_recipient_comes_only_when_asked_for(world: Amazon, session: requests.Session) -> None:
    world.on(
        "GET",
        "/orders/2026-01-01/orders/",
        Told({"order": {"orderId": "702-1"}}),
        Told({"order": {"orderId": "702-1"}}),
        Told({}),
    )
    assert read_order(caller(session), "702-1").outside_id == "702-1"
    read_order(caller(session), "702-1", with_recipient=True)
    assert ["RECIPIENT" in asked.query["includedData"] for asked in world.asked] == [False, True]
    with pytest.raises(Surprise):
        read_order(caller(session), "702-1")


def test_a_confirmed_shipment_may_be_repeated_as_amazon_edits_the_package(world: Amazon, session: requests.Session) -> None:
    world.on("POST", "/orders/v0/orders/702-1/shipmentConfirmation", refused(503), Told(None, 204))
    done = confirm_shipment(caller(session), "702-1", US, PACKAGE)
    assert (done.order_id, done.reference, done.request_id) == ("702-1", 1, "rq-7")
    assert world.asked[0].data == world.asked[1].data
    assert world.asked[1].data == {
        "marketplaceId": US,
        "packageDetail": {
            "packageReferenceId": "1",
            "carrierCode": "Other",
            "carrierName": "Harbour Post",
            "shippingMethod": "Ground",
            "trackingNumber": "1Z999",
            "shipDate": "2026-11-25T12:00:00Z",
            "orderItems": [{"orderItemId": "50001", "quantity": 2}],
        },
    }


def test_a_refused_shipment_says_why(world: Amazon, session: requests.Session) -> None:
    world.on("POST", "/orders/v0/", refused(400, "PackageToUpdateNotFound", "The order is cancelled"))
    with pytest.raises(Permanent, match="PackageToUpdateNotFound: The order is cancelled"):
        confirm_shipment(caller(session), "702-1", US, PACKAGE)


@pytest.mark.parametrize(
    "package",
    [
        ShippedPackage(0, "UPS", "1Z", NOW, (ShippedItem("1", 1),)),
        ShippedPackage(1, "UPS", "1Z", NOW, ()),
        ShippedPackage(1, "UPS", "1Z", NOW, (ShippedItem("1", 0),)),
        ShippedPackage(1, "Other", "1Z", NOW, (ShippedItem("1", 1),)),
        ShippedPackage(1, "UPS", "1Z", NOW.replace(tzinfo=None), (ShippedItem("1", 1),)),
    ],
)
def test_impossible_packages_are_not_sent(world: Amazon, session: requests.Session, package: ShippedPackage) -> None:
    with pytest.raises(ValueError):
        confirm_shipment(caller(session), "702-1", US, package)
    assert world.asked == []


def test_transactions_are_taken_by_the_parser_as_they_come(world: Amazon, session: requests.Session) -> None:
    rows = [transaction(items=[LANTERN], ORDER_ID="702-1", SHIPMENT_ID="s-1")]
    world.on("GET", "/finances/2024-06-19/transactions", Told({"payload": {"transactions": rows}}))
    (page,) = pages_of(caller(session), "finances", start=days_ago(1), end=NOW)
    found = adapter.recognise(page.body, "")
    assert found is not None and found.kind == page.kind == "finances" and page.rows == 1
    (voucher,) = adapter.parse(Source(page.body, page.kind, region="NA")).vouchers
    assert sum((line.amount for line in voucher.lines), D(0)) == D("17.00") and voucher.order == "702-1"


def test_payouts_and_what_amazon_expects_to_pay(world: Amazon, session: requests.Session) -> None:
    payout = {"id": "11888", "currentStatus": "PAID", "relatedIdentifiers": [{"relatedIdentifierName": "SETTLEMENT_ID"}]}
    world.on("GET", "/finances/transfers/2024-06-01/payouts/expected", Told({"expectedPayouts": [{"status": "SCHEDULED"}]}))
    world.on(
        "GET", "/finances/transfers/2024-06-01/payouts", Told({"payouts": [payout], "nextToken": "n"}), Told({"payouts": []})
    )
    found = list(pages_of(caller(session), "payouts", start=days_ago(9), end=NOW))
    assert [page.rows for page in found] == [1, 0] and json.loads(found[0].body)["payouts"] == [payout]
    assert world.asked[1].query["nextToken"] == "n" and world.asked[1].query["marketplaceIds"] == f"{US},{CA}"
    (expected,) = pages_of(caller(session), "expected_payouts", start=days_ago(9), end=NOW)
    assert (expected.kind, expected.rows) == ("expected_payouts", 1)
