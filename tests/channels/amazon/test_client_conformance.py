"""Nova's calls held against Amazon's published models, and its reading against Amazon's own sandbox answers."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from channels.adapter import Source
from channels.amazon.adapter import adapter
from channels.amazon.client import Caller, pages_of
from channels.amazon.client import orders as order_calls
from channels.amazon.client import reports as report_calls
from channels.amazon.client import stock as stock_calls
from channels.amazon.client.limits import RATES
from channels.amazon.client.outbound_2020 import Outbound2020
from nova.http import Permanent
from tests.channels.amazon.live import CA, NOW, US, Amazon, Asked, Told, caller, days_ago
from tests.channels.amazon.test_client_orders import PACKAGE
from tests.channels.amazon.test_client_outbound import ORDER
from tests.conftest import conformance_folder

pytestmark = pytest.mark.conformance

OUTBOUND, ORDERS, FINANCES = "fulfillmentOutbound_2020-07-01", "orders_2026-01-01", "finances_2024-06-19"
TRANSFERS, REPORTS, LISTINGS = "transfers_2024-06-01", "reports_2021-06-30", "listingsItems_2021-08-01"


def all_pages(kind: str) -> Callable[[Caller], object]:
    return lambda asking: list(pages_of(asking, kind, start=days_ago(3), end=NOW))


def write_quantity(asking: Caller) -> object:
    known = stock_calls.ListingState("LAMP", "B0", "LAMP", (), (), ())
    return [stock_calls.set_quantity(asking, "LAMP", 3, US, listing=known, preview=preview) for preview in (False, True)]


#: Amazon's name of an operation -> (its model, a call of Nova's that makes it)
CALLS: dict[str, tuple[str, Callable[[Caller], object]]] = {
    "searchOrders": (ORDERS, all_pages("orders")),
    "getOrder": (ORDERS, lambda asking: order_calls.read_order(asking, "702-1", with_recipient=True)),
    "confirmShipment": ("ordersV0", lambda asking: order_calls.confirm_shipment(asking, "702-1", US, PACKAGE)),
    "listTransactions": (FINANCES, all_pages("finances")),
    "listPayouts": (TRANSFERS, all_pages("payouts")),
    "listExpectedPayouts": (TRANSFERS, all_pages("expected_payouts")),
    "getReports": (REPORTS, lambda asking: report_calls.list_reports(asking, ["GET_X"], since=days_ago(3), until=NOW)),
    "createReport": (
        REPORTS,
        lambda asking: report_calls.request_report(asking, "GET_X", start=days_ago(2), end=NOW, options={"a": "b"}),
    ),
    "getReport": (REPORTS, lambda asking: report_calls.read_report(asking, "ID323")),
    "getReportDocument": (REPORTS, lambda asking: report_calls.download(asking, "document")),
    "getListingsItem": (LISTINGS, lambda asking: stock_calls.read_listing(asking, "LAMP", US)),
    "patchListingsItem": (LISTINGS, write_quantity),
    "searchCatalogItems": ("catalogItems_2022-04-01", lambda asking: list(stock_calls.rank_pages(asking, ["B07N4M94X4"], US))),
    "getMarketplaceParticipations": ("sellers", stock_calls.read_participations),
    "getInventorySummaries": ("fbaInventory", all_pages("fba_inventory")),
    "getFulfillmentPreview": (OUTBOUND, lambda asking: Outbound2020(asking).preview(ORDER, ("Standard",))),
    "createFulfillmentOrder": (OUTBOUND, lambda asking: Outbound2020(asking).create(ORDER)),
    "getFulfillmentOrder": (OUTBOUND, lambda asking: Outbound2020(asking).read("TT-5771")),
    "getPackageTrackingDetails": (OUTBOUND, lambda asking: Outbound2020(asking).track(212794778)),
}
#: Answers of operations that the models give no example of, from the tests of Amazon's own SDK.
FROM_SDK = {
    "getInventorySummaries": "fbainventory-getInventorySummaries.json",
    "createFulfillmentOrder": "fbaoutbound-createFulfillmentOrder.json",
    "getFulfillmentOrder": "fbaoutbound-getFulfillmentOrder.json",
    "getFulfillmentPreview": "fbaoutbound-getFulfillmentPreview.json",
    "listTransactions": "default-listTransactions.json",
}


def facts() -> Path:
    folder = conformance_folder()
    assert folder is not None
    return folder / "facts/amazon"


def operation(model: dict[str, Any], name: str) -> tuple[str, str, dict[str, Any]]:
    for path, methods in model["paths"].items():
        for method, found in methods.items():
            if isinstance(found, dict) and found.get("operationId") == name:
                shared = methods.get("parameters", [])
                return method.upper(), path, found | {"parameters": [*shared, *found.get("parameters", [])]}
    raise AssertionError(f"{name} is not in the model")


def hold_against_model(asked: Asked, model: dict[str, Any], name: str) -> None:
    """Method, path, every query parameter and the body are what the model allows, and nothing that it needs is missing."""
    method, path, found = operation(model, name)
    assert asked.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), asked.path), asked.path
    known = [model["parameters"][part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part for part in found["parameters"]]
    queries = {part["name"]: part for part in known if part["in"] == "query"}
    assert asked.query.keys() <= queries.keys(), name
    assert {part["name"] for part in queries.values() if part.get("required")} <= asked.query.keys(), name
    for query, raw in asked.query.items():
        schema = {key: value for key, value in queries[query].items() if key not in ("in", "name", "required", "format")}
        value: Any = raw.split(",") if schema["type"] == "array" else raw
        value = {"integer": int, "boolean": lambda text: text == "true"}.get(schema["type"], lambda text: text)(value)
        jsonschema.validate(value, schema)
    bodies = [part for part in known if part["in"] == "body"]
    assert bool(bodies) == bool(asked.body), name
    for body in bodies:
        jsonschema.Draft4Validator(body["schema"] | {"definitions": model["definitions"]}).validate(asked.data)
        reference = body["schema"]["$ref"].rsplit("/", 1)[-1]
        assert asked.data.keys() <= model["definitions"][reference]["properties"].keys(), name


def without_tokens(raw: Any) -> Any:
    """An answer that is the last page: the sandbox always names a next one."""
    if isinstance(raw, dict):
        return {key: without_tokens(value) for key, value in raw.items() if key != "nextToken"}
    return [without_tokens(value) for value in raw] if isinstance(raw, list) else raw


def cases() -> Iterator[tuple[str, int, Any]]:
    for name, (model, _call) in CALLS.items():
        published = json.loads((facts() / f"sandbox/{model}.json").read_text())["cases"]
        for case in published:
            if case["operationId"] == name:
                yield name, case["status"], case["response"]
        if name in FROM_SDK:
            yield name, 200, json.loads((facts() / "sandbox/sdk_mock" / FROM_SDK[name]).read_text())


def mended(name: str, response: Any, world: Amazon) -> Any:
    """Three known defects of the examples: no envelope, a list instead of one, and a store that is not on this machine."""
    if name == "getReportDocument" and "url" in response:
        return response | {"url": f"{world.url}/store/x"}
    if CALLS[name][0] == OUTBOUND and isinstance(response, dict) and response and not response.keys() & {"payload", "errors"}:
        return {"payload": response}
    return {"payload": response} if isinstance(response, list) else response


def test_every_published_answer_is_read_and_every_call_is_as_modelled(world: Amazon, session: requests.Session) -> None:
    done: set[str] = set()
    for name, status, response in cases():
        model = json.loads((facts() / f"models/{CALLS[name][0]}.json").read_text())
        answer = mended(name, response, world)
        world.rules.clear()
        world.asked.clear()
        world.on("GET", "/store/", Told(b"sku\tquantity\nLAMP\t3\n"))
        method, path, _ = operation(model, name)
        empty = answer in (None, {}) and status == 204
        world.on(
            method,
            path.split("{")[0],
            Told(None if empty else answer, status),
            Told(None if empty else without_tokens(answer), status),
        )
        asking = caller(session)
        if status < 300:
            CALLS[name][1](asking)
        else:
            with pytest.raises(Permanent) as raised:
                CALLS[name][1](asking)
            assert raised.value.status == status and answer["errors"][0]["code"] in str(raised.value)
        first = world.asked[0]
        hold_against_model(first, model, name)
        for more in world.asked[1:]:
            if (
                not more.path.startswith("/store/")
                and (more.method, more.path) == (first.method, first.path)
                and name != "getReports"
            ):
                hold_against_model(more, model, name)
        if status < 300:
            done.add(name)
    assert done == CALLS.keys(), CALLS.keys() - done


def test_cancelling_is_as_modelled(world: Amazon, session: requests.Session) -> None:
    model = json.loads((facts() / f"models/{OUTBOUND}.json").read_text())
    sdk = facts() / "sandbox/sdk_mock"
    world.on("PUT", "/fba", Told(json.loads((sdk / "fbaoutbound-cancelFulfillmentOrder.json").read_text())))
    world.on("GET", "/fba", Told(json.loads((sdk / "fbaoutbound-getFulfillmentOrder.json").read_text())))
    assert Outbound2020(caller(session)).cancel("TT-5771").state.status == "New"
    hold_against_model(world.asked[0], model, "cancelFulfillmentOrder")


def test_an_invalid_change_of_the_sandbox_is_a_refusal(world: Amazon, session: requests.Session) -> None:
    for name, status, response in cases():
        if name == "patchListingsItem" and status == 200:
            world.rules.clear()
            world.on("PATCH", "/listings", Told(response))
            for submission in write_quantity(caller(session)):  # type: ignore[attr-defined]
                assert submission.accepted == (response["status"] != "INVALID")
                assert bool(submission.issues) == bool(response["issues"])


def test_the_marketplaces_of_the_tests_are_amazons() -> None:
    rows = (facts() / "API.md").read_text()
    assert US in rows and CA in rows


def test_limits_are_those_of_the_fact_sheet() -> None:
    trees = (facts() / "TREES.md").read_text()
    for name, (rate, burst) in RATES.items():
        found = re.search(
            rf"\*\*{name}\*\* \w+ `[^`]*(?:2026-01-01|v0|2024-06-19|2024-06-01|2021-06-30|v1|2021-08-01|2022-04-01|2020-07-01)[^`]*` rate ([\d.]+)/(\d+)",
            trees,
        )
        assert found is not None, name
        assert (float(found[1]), int(found[2])) == (rate, burst), name


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", ["text/plain; charset=Cp1252", "text/tab-separated-values;charset=UTF-8", ""])
def test_real_settlements_survive_the_download(world: Amazon, session: requests.Session, packed: bool, header: str) -> None:
    data = facts().parents[1] / "data"
    files = [*sorted((data / "amazon_ca_settlement_v1").glob("5*.txt")), *sorted((data / "amazon_us_v2_synthetic").glob("*.txt"))]
    assert len(files) >= 7
    world.on(
        "GET",
        "/reports",
        lambda asked: Told({"url": f"{world.url}/store/x"} | ({"compressionAlgorithm": "GZIP"} if packed else {})),
    )
    left = iter(files)

    def store(asked: Asked) -> Told:
        content = next(left).read_bytes()
        return Told(gzip.compress(content) if packed else content, headers={"content-type": header})

    world.on("GET", "/store/", store)
    for file in files:
        body = report_calls.download(caller(session), "document")
        found, known = adapter.recognise(body, ""), adapter.recognise(file.read_bytes(), "")
        assert found is not None and found == known
        assert adapter.parse(Source(body, found.kind, region="NA")) == adapter.parse(
            Source(file.read_bytes(), found.kind, region="NA")
        )
