"""Reports: settlements found and downloaded in whatever form they come, others made on demand, and all readable afterwards."""

from __future__ import annotations

import gzip
from datetime import timedelta
from decimal import Decimal as D

import pytest
import requests

from channels.adapter import Source
from channels.amazon.adapter import adapter
from channels.amazon.client import pages_of
from channels.amazon.client.reports import REPORTS, SETTLEMENT_V2, list_reports, request_report
from channels.fetched import FetchedPage
from nova.http import Permanent, Surprise, Temporary
from tests.channels.amazon.live import CA, NOW, US, Amazon, Asked, Told, Waits, caller, days_ago, login, refused
from tests.channels.amazon.test_settlement import row, settlement, text

DOCUMENTS, LIST, STORE = "/reports/2021-06-30/documents/", "/reports/2021-06-30/reports", "/store/"
SKU = "LÜNE-灯"
FILE = text(settlement([row("20.00", sku=SKU), row("-3.00", group="ItemFees", name="Commission", sku=SKU)], total="17.00"))


def report(number: int, *, state: str = "DONE", kind: str = SETTLEMENT_V2, **more: object) -> dict[str, object]:
    made = (NOW - timedelta(days=number)).isoformat()
    return {
        "reportId": f"r{number}",
        "reportType": kind,
        "createdTime": made,
        "processingStatus": state,
        "reportDocumentId": f"amzn1.spdoc.{number}",
        **more,
    }


def documents(world: Amazon, packed: bool = False) -> None:
    def where(asked: Asked) -> Told:
        address = f"{world.url}{STORE}{asked.path.rsplit('.', 1)[-1]}?X-Amz-Signature=hidden-signature"
        return Told({"reportDocumentId": "x", "url": address} | ({"compressionAlgorithm": "GZIP"} if packed else {}))

    world.on("GET", DOCUMENTS, where)


def fetch_one(world: Amazon, session: requests.Session, *stored: Told, packed: bool = False) -> FetchedPage:
    world.on("GET", LIST, Told({"reports": [report(1)]}))
    documents(world, packed)
    world.on("GET", STORE, *stored)
    (page,) = pages_of(caller(session), "settlement_v2", start=days_ago(30), end=NOW)
    return page


def amounts(page: FetchedPage) -> list[D]:
    found = adapter.recognise(page.body, "settlement.txt")
    assert found is not None and found.kind == page.kind and not found.unknown_columns
    parsed = adapter.parse(Source(page.body, page.kind, region="NA"))
    return [line.amount for voucher in parsed.vouchers for line in voucher.lines]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("charset", "header"),
    [
        ("utf-8", "text/plain;charset=UTF-8"),
        ("utf-8-sig", "text/plain"),
        ("cp932", "text/plain; charset=Shift_JIS"),
        ("utf-16", ""),
    ],
)
def test_a_settlement_reads_right_in_every_packing_and_charset(
    world: Amazon, session: requests.Session, packed: bool, charset: str, header: str
) -> None:
    content = (FILE.replace("Ü", "U") if charset == "cp932" else FILE).encode(charset)
    told = Told(gzip.compress(content) if packed else content, headers={"content-type": header})
    page = fetch_one(world, session, told, packed=packed)
    assert page.outside_id == "r1" and page.resume == ""
    assert sorted(amounts(page)) == [D("-3.00"), D("20.00")]
    (sku,) = {line.listing for v in adapter.parse(Source(page.body, page.kind)).vouchers for line in v.lines if line.listing}
    assert sku in ("LÜNE-灯", "LUNE-灯")


def test_a_charset_that_the_bytes_do_not_show_is_kept_as_utf8(world: Amazon, session: requests.Session) -> None:
    content = FILE.replace("LÜNE-灯", "Łódź").encode("cp1250")
    page = fetch_one(world, session, Told(content, headers={"content-type": "text/tab-separated-values; charset=windows-1250"}))
    assert "Łódź" in page.body.decode() and sorted(amounts(page)) == [D("-3.00"), D("20.00")]


@pytest.mark.parametrize("header", ["text/plain; charset=klingon", "text/plain; charset=ascii", "nonsense;;"])
def test_a_wrong_charset_harms_nothing(world: Amazon, session: requests.Session, header: str) -> None:
    page = fetch_one(world, session, Told(FILE.encode(), headers={"content-type": header}))
    assert page.body == FILE.encode()


def test_cut_and_damaged_contents_are_fetched_again(world: Amazon, session: requests.Session) -> None:
    packed = gzip.compress(FILE.encode())
    page = fetch_one(world, session, Told(packed[:-9]), Told(packed, cut=True), refused(503), Told(packed), packed=True)
    assert page.body == FILE.encode()


def test_an_expired_address_is_asked_for_anew_once(world: Amazon, session: requests.Session) -> None:
    page = fetch_one(world, session, Told(b"<Error>Request has expired</Error>", 403), Told(FILE.encode()))
    assert page.body == FILE.encode()
    assert len([asked for asked in world.asked if asked.path.startswith(DOCUMENTS)]) == 2
    world.rules.clear()
    with pytest.raises(Permanent) as raised:
        fetch_one(world, session, Told(b"<Error/>", 403))
    assert "hidden-signature" not in str(raised.value)


def test_only_https_addresses_are_followed(world: Amazon, session: requests.Session) -> None:
    world.on("GET", DOCUMENTS, Told({"reportDocumentId": "x", "url": "http://store.example/r?X-Amz-Signature=hidden"}))
    world.on("GET", LIST, Told({"reports": [report(1)]}))
    with pytest.raises(Surprise, match="not https"):
        list(pages_of(caller(session), "settlement_v2", start=days_ago(30), end=NOW))


def test_settlements_come_oldest_first_and_go_on_after_a_stop(world: Amazon, session: requests.Session) -> None:
    world.on(
        "GET",
        LIST,
        lambda asked: (
            Told({"reports": [report(3), report(9, state="IN_PROGRESS"), report(12)]})
            if "nextToken" in asked.query
            else Told({"reports": [report(1), report(3)], "nextToken": "more"})
        ),
    )
    documents(world)
    world.on("GET", STORE, Told(FILE.encode()))
    found = list(pages_of(caller(session), "settlement_v2", start=days_ago(30), end=NOW))
    assert [page.outside_id for page in found] == ["r12", "r3", "r1"]
    first, second = (asked.query for asked in world.asked if asked.path == LIST)
    assert first["reportTypes"] == SETTLEMENT_V2 and "createdSince" in first
    assert second == {"nextToken": "more"}, "Amazon takes the token alone only"
    rest = list(pages_of(caller(session), "settlement_v2", start=days_ago(30), end=NOW, resume=found[0].resume))
    assert [page.outside_id for page in rest] == ["r3", "r1"]
    with pytest.raises(ValueError, match="place"):
        list(pages_of(caller(session), "settlement_v2", start=days_ago(30), end=NOW, resume="7"))


def test_reports_older_than_amazon_keeps_are_not_asked_for(world: Amazon, session: requests.Session) -> None:
    world.on("GET", LIST, Told({"reports": []}))
    assert list_reports(caller(session), [SETTLEMENT_V2], since=days_ago(400), until=NOW) == []
    assert world.asked[0].query["createdSince"] > (NOW - timedelta(days=90)).isoformat()
    assert list_reports(caller(session), [SETTLEMENT_V2], since=days_ago(400), until=days_ago(300)) == []
    assert len(world.asked) == 1


def ledger(world: Amazon, *states: str, known: list[dict[str, object]] | None = None) -> None:
    world.on("GET", f"{LIST}/r50", *(Told(report(50, state=state, kind="x")) for state in states))
    world.on("GET", LIST, Told({"reports": known or []}))
    world.on("POST", LIST, Told({"reportId": "r50"}, 202))
    documents(world, packed=True)
    world.on("GET", STORE, Told(gzip.compress(b"Date\tFNSKU\n11/01/2026\tX1\n11/02/2026\tX1\n")))


def test_a_report_is_asked_for_waited_for_and_downloaded(world: Amazon, session: requests.Session) -> None:
    ledger(world, "IN_QUEUE", "IN_PROGRESS", "DONE")
    waits = Waits()
    (page,) = pages_of(caller(session, waits=waits), "fba_ledger", start=days_ago(9), end=days_ago(2))
    assert (page.kind, page.outside_id, page.rows, len(waits)) == ("fba_ledger", "r50", 2, 2)
    (asked,) = (asked.data for asked in world.asked if asked.method == "POST")
    assert asked == {
        "reportType": "GET_LEDGER_SUMMARY_VIEW_DATA",
        "marketplaceIds": [US, CA],
        "dataStartTime": "2026-11-16T12:00:00Z",
        "dataEndTime": "2026-11-23T12:00:00Z",
        "reportOptions": {"aggregateByLocation": "COUNTRY", "aggregatedByTimePeriod": "DAILY"},
    }


def test_a_report_asked_for_before_is_not_asked_for_again(world: Amazon, session: requests.Session) -> None:
    span = {"dataStartTime": days_ago(9).isoformat(), "dataEndTime": "2026-11-23T12:00:00.000Z", "marketplaceIds": [CA, US]}
    others = [report(48, marketplaceIds=[US]), report(47, state="FATAL", **span), report(49, **(span | {"dataEndTime": None}))]
    ledger(world, "DONE", known=[*others, report(50, state="IN_PROGRESS", **span)])
    (page,) = pages_of(caller(session), "fba_ledger", start=days_ago(9), end=days_ago(2))
    assert page.outside_id == "r50" and not [asked for asked in world.asked if asked.method == "POST"]


def test_a_slow_report_is_temporary_and_a_report_without_data_is_no_page(world: Amazon, session: requests.Session) -> None:
    ledger(world, "IN_PROGRESS")
    with pytest.raises(Temporary, match="still making"):
        list(pages_of(caller(session), "fba_reimbursements", start=days_ago(9), end=days_ago(2)))
    world.rules.clear()
    ledger(world, "CANCELLED")
    assert list(pages_of(caller(session), "fba_reimbursements", start=days_ago(9), end=days_ago(2))) == []
    world.rules.clear()
    ledger(world, "FATAL")
    with pytest.raises(Permanent, match="FATAL"):
        list(pages_of(caller(session), "fba_reimbursements", start=days_ago(9), end=days_ago(2)))


def test_a_snapshot_has_no_span(world: Amazon, session: requests.Session) -> None:
    ledger(world, "DONE")
    assert len(list(pages_of(caller(session), "fba_inventory_report", start=days_ago(9), end=NOW))) == 1
    (asked,) = (asked.data for asked in world.asked if asked.method == "POST")
    assert asked == {"reportType": REPORTS["fba_inventory_report"].name, "marketplaceIds": [US, CA]}


def test_asking_for_a_report_is_never_repeated(world: Amazon, session: requests.Session) -> None:
    world.on("POST", LIST, refused(503))
    with pytest.raises(Temporary):
        request_report(
            caller(session), "GET_SALES_AND_TRAFFIC_REPORT", start=days_ago(2), end=NOW, options={"dateGranularity": "DAY"}
        )
    assert len(world.asked) == 1 and login().marketplace_ids == (US, CA)
