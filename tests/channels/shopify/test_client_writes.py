"""Writing to a store: stock only where nobody wrote meanwhile and once per key, shipments once, bulk results whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from channels.adapter import Source
from channels.shopify.adapter import adapter
from channels.shopify.client import (
    BulkJob,
    Parcel,
    Quantity,
    bulk_download,
    bulk_poll,
    bulk_start,
    fulfil,
    level_of,
    set_quantities,
    shipments_of,
)
from channels.shopify.client.graphql import failures
from nova.http import Permanent, Surprise, Temporary
from tests.channels.shopify.live import Raw, login, refused, throttled
from tests.channels.shopify.market import bag

ROWS = [Quantity("11", "1", 7, expected=9), Quantity("12", "1", 3, expected=None)]


def group(*moved: tuple[str, int]) -> dict[str, Any]:
    changes = [
        {"name": name, "delta": delta, "item": {"id": f"gid://shopify/InventoryItem/{item}"}, "location": {"id": "gid://shopify/Location/1"}}
        for item, delta in moved
        for name in ("available", "on_hand")
    ]  # fmt: skip
    return {
        "inventorySetQuantities": {"inventoryAdjustmentGroup": {"id": "gid://shopify/G/1", "changes": changes}, "userErrors": []}
    }


def user_error(code: str, *field: str) -> dict[str, Any]:
    errors = [{"code": code, "field": list(field) or None, "message": "No."}]
    return {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": errors}}


def push(session, naps, rows=ROWS, key="0f8f-1"):
    return set_quantities(login(), rows, key=key, reference="gid://nova/InventoryPush/5", session=session, sleep=naps.append)


def test_stock_is_set_with_what_was_read_before_and_under_a_key(store, session, naps):
    store.answers["SetQuantities"] = [group(("11", -2), ("12", 3))]
    result = push(session, naps)
    assert result.is_done and result.changed == {("11", "1"): -2, ("12", "1"): 3}
    sent = store.last("SetQuantities")
    assert sent["key"] == "0f8f-1" and "@idempotent(key: $key)" in store.documents["SetQuantities"]
    assert (sent["input"]["name"], sent["input"]["referenceDocumentUri"]) == ("available", "gid://nova/InventoryPush/5")
    assert sent["input"]["quantities"] == [
        {"inventoryItemId": "gid://shopify/InventoryItem/11", "locationId": "gid://shopify/Location/1", "quantity": 7,
         "changeFromQuantity": 9},
        {"inventoryItemId": "gid://shopify/InventoryItem/12", "locationId": "gid://shopify/Location/1", "quantity": 3,
         "changeFromQuantity": None},
    ]  # fmt: skip


def test_stock_that_was_so_already_is_a_success(store, session, naps):
    store.answers["SetQuantities"] = [{"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": []}}]
    result = push(session, naps)
    assert result.is_done and result.changed == {}


def test_a_quantity_that_changed_meanwhile_is_told_with_its_row(store, session, naps):
    store.answers["SetQuantities"] = [user_error("CHANGE_FROM_QUANTITY_STALE", "input", "quantities", "1", "changeFromQuantity")]
    result = push(session, naps)
    assert not result.is_done and result.is_stale and not result.needs_new_key
    assert [(failure.index, failure.code) for failure in result.failures] == [(1, "CHANGE_FROM_QUANTITY_STALE")]


def test_a_write_of_stock_is_repeated_under_its_key_until_an_answer_comes(store, session, naps):
    store.answers["SetQuantities"] = [Raw(b"", 503), Raw(b'{"data":{"inv'), throttled(14, 0, 100), group(("11", -2))]
    assert push(session, naps).changed == {("11", "1"): -2}
    assert {variables["key"] for _name, variables in store.asked} == {"0f8f-1"} and len(naps) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (user_error("IDEMPOTENCY_CONCURRENT_REQUEST"), Temporary),
        (user_error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH"), Permanent),
        (refused("BAD_REQUEST", "The @idempotent directive is required", {"inventorySetQuantities": None}), Permanent),
        ({"inventorySetQuantities": None}, Surprise),
    ],
)
def test_keys_that_do_not_fit_are_errors(store, session, naps, answer, error):
    store.answers["SetQuantities"] = [answer]
    with pytest.raises(error):
        push(session, naps)


def test_a_key_whose_attempt_failed_asks_for_a_new_one(store, session, naps):
    store.answers["SetQuantities"] = [user_error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")]
    assert push(session, naps).needs_new_key


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        (ROWS, " "),
        ([], "k"),
        ([Quantity("11", "1", 1, None)] * 2, "k"),
        ([Quantity(str(n), "1", 1, None) for n in range(251)], "k"),
        ([Quantity("gid://shopify/InventoryItem/11", "1", 1, None)], "k"),
    ],
)
def test_a_write_of_stock_that_makes_no_sense_is_not_sent(store, session, naps, rows, key):
    with pytest.raises(ValueError):
        push(session, naps, rows, key)
    assert store.asked == []


def test_the_level_of_one_item_is_read_before_it_is_set(store, session):
    level = {
        "id": "x",
        "isActive": True,
        "quantities": [{"name": "available", "quantity": -2}, {"name": "on_hand", "quantity": 4}],
    }
    store.answers["LevelOf"] = [{"inventoryItem": {"id": "x", "inventoryLevel": level}}, {"inventoryItem": None}]
    found = level_of(login(), "11", "1", session=session)
    assert found is not None and found.quantities == {"available": -2, "on_hand": 4}
    assert level_of(login(), "11", "1", session=session) is None


PARCEL = Parcel({"5": {"51": 2}, "6": {}}, number="1Z999", company="UPS", notify=True)


def test_a_parcel_is_told_with_its_lines_and_tracking(store, session):
    store.answers["Fulfil"] = [
        {"fulfillmentCreate": {"fulfillment": {"id": "gid://shopify/Fulfillment/88", "status": "SUCCESS"}, "userErrors": []}}
    ]
    result = fulfil(login(), PARCEL, session=session)
    assert result.is_done and (result.fulfilment, result.status) == ("88", "SUCCESS")
    assert store.last("Fulfil")["fulfillment"] == {
        "lineItemsByFulfillmentOrder": [
            {
                "fulfillmentOrderId": "gid://shopify/FulfillmentOrder/5",
                "fulfillmentOrderLineItems": [{"id": "gid://shopify/FulfillmentOrderLineItem/51", "quantity": 2}],
            },
            {"fulfillmentOrderId": "gid://shopify/FulfillmentOrder/6"},
        ],
        "notifyCustomer": True,
        "trackingInfo": {"company": "UPS", "number": "1Z999"},
    }


def test_a_refused_parcel_says_why(store, session):
    errors = [{"field": ["fulfillment", "lineItemsByFulfillmentOrder", "0"], "message": "Fulfillment order 5 has an unfulfillable status= closed."}]  # fmt: skip
    store.answers["Fulfil"] = [{"fulfillmentCreate": {"fulfillment": None, "userErrors": errors}}]
    result = fulfil(login(), PARCEL, session=session)
    assert not result.is_done and result.failures[0].index == 0 and "closed" in result.failures[0].message


def test_a_parcel_is_never_sent_twice_by_itself_and_what_was_shipped_can_be_looked_up(store, session, naps):
    store.answers["Fulfil"] = [Raw(b'{"data":{"ful')]
    with pytest.raises(Temporary):
        fulfil(login(), PARCEL, session=session, sleep=naps.append)
    assert store.count("Fulfil") == 1 and naps == []
    shipped = {
        "id": "gid://shopify/Fulfillment/88",
        "status": "SUCCESS",
        "trackingInfo": [{"number": "1Z999"}],
        "totalQuantity": 2,
    }
    store.answers["OrderShipments"] = [{"order": {"id": "x", "fulfillments": [shipped]}}, {"order": None}]
    (found,) = shipments_of(login(), "77", session=session) or ()
    assert (found.fulfilment, found.numbers, found.units) == ("88", ("1Z999",), 2)
    assert shipments_of(login(), "77", session=session) is None
    with pytest.raises(ValueError):
        fulfil(login(), Parcel({"5": {"51": 0}}), session=session)


def lines() -> bytes:
    order = {
        "id": "gid://shopify/Order/5000001001", "name": "#1001", "createdAt": "2026-11-01T10:00:00Z", "currencyCode": "USD",
        "displayFinancialStatus": "PAID", "paymentGatewayNames": ["shopify_payments"], "totalPriceSet": bag("40.00"),
        "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "shopify_payments", "amountSet": bag("40.00")}],
    }  # fmt: skip
    item = {
        "id": "gid://shopify/LineItem/1", "sku": "LANTERN-1", "title": "Lantern", "quantity": 1, "originalTotalSet": bag("40.00"),
        "discountAllocations": [], "taxLines": [], "__parentId": order["id"],
    }  # fmt: skip
    return b"\n".join(json.dumps(each).encode() for each in (order, item)) + b"\n"


def bulk(store, status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    return {"bulkOperation": {"id": "gid://shopify/BulkOperation/7", "status": status, "objectCount": "2", **more}}


def test_a_bulk_result_is_started_watched_and_taken_by_the_books(store, session):
    store.files["/result.jsonl"] = lines()
    store.answers["BulkRun"] = [{"bulkOperationRunQuery": {**bulk(store, "CREATED"), "userErrors": []}}]
    store.answers["BulkStatus"] = [bulk(store, "RUNNING"), bulk(store, url=f"{store.url}/result.jsonl?signature=secret-word")]
    job = bulk_start(login(), "orders", start=datetime(2026, 11, 1, tzinfo=UTC), session=session)
    assert "updated_at:>='2026-11-01T00:00:00Z'" in store.last("BulkRun")["query"] and not job.is_ended
    assert not bulk_poll(login(), job.id, session=session).is_done
    done = bulk_poll(login(), job.id, session=session)
    assert done.is_done and "secret-word" not in repr(done)
    page = bulk_download(done, "orders", session=session)
    assert page is not None and (page.kind, page.rows, page.outside_id) == ("orders", 2, "bulk 7")
    assert "X-Shopify-Access-Token" not in store.seen_headers[-1]
    found = adapter.recognise(page.body, "")
    assert found is not None and found.kind == "orders"
    (sale,) = adapter.parse(Source(body=page.body, kind="orders", currencies=("USD",))).vouchers
    assert sum(line.amount for line in sale.lines) == 0 and sale.lines[0].amount == D("40.00")


def test_a_bulk_result_without_rows_is_none(session):
    assert bulk_download(BulkJob("gid://shopify/BulkOperation/7", "COMPLETED"), "orders", session=session) is None


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (BulkJob("7", "RUNNING"), Permanent),
        (BulkJob("7", "FAILED", "TIMEOUT"), Permanent),
        (BulkJob("7", "COMPLETED", url="http://10.0.0.1/result?signature=secret-word"), Permanent),
        (BulkJob("7", "COMPLETED", url="{store}/gone?signature=secret-word"), Permanent),
        (BulkJob("7", "COMPLETED", url="{store}/cut?signature=secret-word"), Temporary),
        (BulkJob("7", "COMPLETED", rows=9, url="{store}/whole?signature=secret-word"), Temporary),
    ],
)
def test_a_bulk_result_that_is_not_whole_is_not_taken(store, session, naps, job, error):
    store.files |= {"/cut": lines()[:-20], "/whole": lines()}
    job = BulkJob(job.id, job.status, job.error, job.rows, job.url.replace("{store}", store.url))
    with pytest.raises(error) as caught:
        bulk_download(job, "orders", session=session, sleep=naps.append)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "error"), [("LIMIT_REACHED", Temporary), ("OPERATION_IN_PROGRESS", Temporary), ("INVALID", Permanent)]
)
def test_a_refused_bulk_query_says_whether_to_wait(store, session, code, error):
    payload = {"bulkOperation": None, "userErrors": [{"code": code, "field": ["query"], "message": "No."}]}
    store.answers["BulkRun"] = [{"bulkOperationRunQuery": payload}]
    with pytest.raises(error):
        bulk_start(login(), "stock", session=session)
    store.answers["BulkStatus"] = [{"bulkOperation": None}]
    with pytest.raises(Permanent):
        bulk_poll(login(), "gid://shopify/BulkOperation/7", session=session)


@pytest.mark.conformance
def test_recorded_refusals_of_real_stores_are_read(conformance: Path):
    """Every userErrors payload that was recorded becomes failures with a message; rows are found by their place."""
    folder = conformance / "facts/shopify/samples/conformance"
    seen = 0
    for path in [*sorted(folder.glob("inventory*.json")), folder / "fulfillment-create-preconditions.json"]:
        waiting: list[Any] = [json.loads(path.read_text())]
        while waiting:
            here = waiting.pop()
            if isinstance(here, dict):
                errors = here.get("userErrors")
                if isinstance(errors, list) and errors:
                    found = failures(here, list_name="quantities")
                    assert len(found) == len(errors) and all(failure.message for failure in found)
                    seen += sum(1 for failure in found if failure.index is not None)
                waiting += here.values()
            elif isinstance(here, list):
                waiting += here
    assert seen > 0
