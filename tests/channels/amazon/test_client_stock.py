"""FBA inventory per marketplace, sales ranks, and the quantity of a seller's own stock, where 200 can mean no."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from channels.amazon.client import pages_of
from channels.amazon.client.stock import rank_pages, read_listing, set_quantity
from nova.http import Permanent, Surprise, Temporary
from tests.channels.amazon.live import CA, NOW, US, Amazon, Told, caller, days_ago, refused

ITEM = "/listings/2021-08-01/items/A3HARBOUR/"


def listing(channel: str = "DEFAULT", quantity: int | None = 4) -> Told:
    return Told(
        {
            "sku": "LAMP/RED 1",
            "summaries": [
                {"marketplaceId": CA, "asin": "B0OTHER", "productType": "OTHER", "status": []},
                {"marketplaceId": US, "asin": "B0LAMP", "productType": "LAMP", "status": ["BUYABLE"]},
            ],
            "fulfillmentAvailability": [{"fulfillmentChannelCode": channel, "quantity": quantity}],
            "issues": [{"code": "8", "message": "Image is small", "severity": "WARNING", "attributeNames": ["image"]}],
        }
    )


def submitted(status: str = "ACCEPTED", *issues: dict[str, Any]) -> Told:
    return Told({"sku": "LAMP/RED 1", "status": status, "submissionId": "s-1", "issues": list(issues)})


def test_a_listing_is_read_for_its_marketplace(world: Amazon, session: requests.Session) -> None:
    world.on("GET", ITEM, listing())
    found = read_listing(caller(session), "LAMP/RED 1", US)
    assert (found.asin, found.product_type, found.status, found.at_amazon) == ("B0LAMP", "LAMP", ("BUYABLE",), False)
    assert (found.availability[0].quantity, found.issues[0].is_error) == (4, False)
    assert world.asked[0].path == ITEM + "LAMP%2FRED%201", "a slash of a SKU is no part of the path"
    assert world.asked[0].query["marketplaceIds"] == US


def test_a_quantity_is_merged_so_that_the_lead_time_stays(world: Amazon, session: requests.Session) -> None:
    world.on("GET", ITEM, listing())
    world.on("PATCH", ITEM, submitted())
    done = set_quantity(caller(session), "LAMP/RED 1", 17, US)
    assert done.accepted and done.submission_id == "s-1" and done.request_id == "rq-7"
    (sent,) = (asked for asked in world.asked if asked.method == "PATCH")
    assert sent.data == {
        "productType": "LAMP",
        "patches": [
            {
                "op": "merge",
                "path": "/attributes/fulfillment_availability",
                "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 17}],
            }
        ],
    }
    assert sent.query == {"marketplaceIds": US} and sent.headers["content-type"] == "application/json"


def test_invalid_with_200_is_a_refusal_with_its_reasons(world: Amazon, session: requests.Session) -> None:
    world.on("GET", ITEM, listing())
    issue = {"code": "90220", "message": "quantity is required", "severity": "ERROR", "attributeNames": ["quantity"]}
    world.on("PATCH", ITEM, submitted("INVALID", issue), submitted("ACCEPTED", issue), submitted("VALID"), submitted("MAYBE"))
    known = read_listing(caller(session), "LAMP/RED 1", US)
    asking = caller(session)
    refusal = set_quantity(asking, "LAMP/RED 1", 1, US, listing=known)
    assert not refusal.accepted and refusal.issues[0].code == "90220" and refusal.issues[0].attributes == ("quantity",)
    assert not set_quantity(asking, "LAMP/RED 1", 1, US, listing=known).accepted
    assert set_quantity(asking, "LAMP/RED 1", 1, US, listing=known, preview=True).accepted
    assert world.asked[-1].query["mode"] == "VALIDATION_PREVIEW"
    with pytest.raises(Surprise, match="MAYBE"):
        set_quantity(asking, "LAMP/RED 1", 1, US, listing=known)


def test_stock_in_amazons_warehouses_is_never_written(world: Amazon, session: requests.Session) -> None:
    world.on("GET", ITEM, listing("AMAZON_NA", None))
    with pytest.raises(Permanent, match="shipped by Amazon"):
        set_quantity(caller(session), "LAMP/RED 1", 1, US)
    with pytest.raises(ValueError, match="below zero"):
        set_quantity(caller(session), "LAMP/RED 1", -1, US)
    assert {asked.method for asked in world.asked} == {"GET"}


def test_a_write_that_got_no_answer_is_not_sent_twice(world: Amazon, session: requests.Session) -> None:
    world.on("GET", ITEM, listing())
    world.on("PATCH", ITEM, refused(503))
    with pytest.raises(Temporary):
        set_quantity(caller(session), "LAMP/RED 1", 1, US)
    assert [asked.method for asked in world.asked] == ["GET", "PATCH"]


def test_an_unknown_sku_says_404(world: Amazon, session: requests.Session) -> None:
    with pytest.raises(Permanent) as raised:
        read_listing(caller(session), "NONE", US)
    assert raised.value.status == 404
    with pytest.raises(Permanent, match="connect"):
        read_listing(caller(session, seller_id=""), "NONE", US)


def test_inventory_is_read_per_marketplace_and_page(world: Amazon, session: requests.Session) -> None:
    def summaries(*skus: str, more: str = "") -> Told:
        rows = [{"sellerSku": sku, "inventoryDetails": {"fulfillableQuantity": 3}} for sku in skus]
        return Told({"payload": {"inventorySummaries": rows}, "pagination": {"nextToken": more} if more else None})

    world.on(
        "GET", "/fba/inventory/v1/summaries", summaries("A", more="n"), summaries("B"), summaries("A", "B"), summaries("A", "B")
    )
    found = list(pages_of(caller(session), "fba_inventory", start=days_ago(1), end=NOW))
    assert [(page.outside_id, page.rows) for page in found] == [(f"{US}/1", 1), (f"{US}/2", 1), (f"{CA}/1", 2)]
    assert [(asked.query["granularityId"], asked.query.get("nextToken")) for asked in world.asked] == [
        (US, None),
        (US, "n"),
        (CA, None),
    ]
    assert world.asked[0].query["details"] == "true" and found[-1].resume == ""
    (rest,) = pages_of(caller(session), "fba_inventory", start=days_ago(1), end=NOW, resume=found[1].resume)
    assert rest.outside_id == f"{CA}/1"


def test_unknown_marketplaces_are_no_empty_stock(world: Amazon, session: requests.Session) -> None:
    for kind in ("fba_inventory", "fba_ledger"):
        with pytest.raises(Permanent, match="marketplaces"):
            list(pages_of(caller(session, marketplace_ids=()), kind, start=days_ago(1), end=NOW))
    assert world.asked == []


def test_ranks_are_asked_for_twenty_articles_at_once(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/catalog/2022-04-01/items", Told({"numberOfResults": 1, "items": [{"asin": "B0", "salesRanks": []}]}))
    asins = [f"B{number:09}" for number in range(41)]
    found = list(rank_pages(caller(session), [*asins, asins[0]], US))
    assert [len(asked.query["identifiers"].split(",")) for asked in world.asked] == [20, 20, 1]
    assert len({page.outside_id for page in found}) == 3 and world.asked[0].query["includedData"] == "salesRanks,summaries"


def test_the_marketplaces_of_a_login_are_one_page(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/sellers/v1", Told({"payload": [{}, {}]}))
    (page,) = pages_of(caller(session), "marketplaces", start=NOW, end=NOW)
    assert (page.kind, page.outside_id, page.rows) == ("marketplaces", "A3HARBOUR", 2)
