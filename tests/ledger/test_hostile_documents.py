"""Documents made to break things: each fails on its own, in words, and is never left half read; the others go on."""

from __future__ import annotations

import json

import pytest

from channels.models import Document, Shop
from ledger.bulk import ingest_pages
from ledger.import_files import import_upload
from ledger.intake import import_file
from ledger.models import FeeLine, LedgerIntake
from nova.models import Company
from tests.channels.amazon.test_finances import LANTERN, node, page, transaction

pytestmark = pytest.mark.django_db
SURROGATE, NUL = "\ud800", "\x00"
POISON = {
    "half a surrogate pair in an order id": page(transaction(ORDER_ID=f"1{SURROGATE}", SHIPMENT_ID="D1", items=[LANTERN])),
    "half a surrogate pair in a fee name": page(transaction(items=[{"breakdowns": [node(f"A{SURROGATE}", "17.00")]}])),
    "units beyond any number": page(
        transaction(
            items=[{"contexts": [{"sku": "A", "quantityShipped": 10**12}], "breakdowns": [node("OurPricePrincipal", "17.00")]}]
        )
    ),
    "a date before all dates": page(transaction(posted="0001-01-01T00:00:00+14:00")),
    "a date after all dates": page(transaction(posted="9999-12-31T23:59:59-12:00")),
    "lists in lists": b'{"transactionType": 1, "totalAmount":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an endless number": page(transaction(total="1e999999")),
}


def make_shop(channel: str = "amazon", region: str = "NA") -> Shop:
    company = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    return Shop.objects.create(company=company, code=channel, name="Harbour", channel=channel, region=region)


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_document_fails_whole_with_a_reason(name):
    shop = make_shop()
    row = import_file(shop=shop, body=POISON[name], filename="finances.json")
    assert row.state == LedgerIntake.State.FAILED and row.error
    assert not FeeLine.objects.filter(company=shop.company).exists()


@pytest.mark.parametrize("name", POISON)
def test_one_poisoned_page_does_not_stop_a_bulk_import(name):
    shop = make_shop()
    pages = [("1", page(transaction(number="a"))), ("2", POISON[name]), (f"3{NUL}{SURROGATE}", page(transaction(number="b")))]
    result = ingest_pages(shop=shop, kind="finances", pages=pages)
    assert [outside_id for outside_id, _why in result.failed] == ["2"]
    assert result.counts.new == 2
    states = LedgerIntake.objects.filter(company=shop.company).order_by("document_id").values_list("state", flat=True)
    assert list(states) == ["taken", "failed", "taken"]
    again = ingest_pages(shop=shop, kind="finances", pages=pages)
    assert again.counts.new == 0


def test_the_same_page_twice_in_one_batch_is_one_page():
    shop = make_shop()
    body = page(transaction(number="a"))
    assert ingest_pages(shop=shop, kind="finances", pages=[("1", body), ("1", body)]).counts.new == 1
    assert Document.objects.filter(company=shop.company).count() == 1


def test_nul_in_an_id_does_not_leave_a_document_being_read_for_ever():
    shop = make_shop("tiktok", "US")
    statement = {
        "id": f"S{NUL}1", "statement_time": 1_767_225_600, "currency": "USD", "settlement_amount": "1.00", "revenue_amount": "1.00",
        "fee_amount": "0", "adjustment_amount": "0", "payment_status": "PAID",
    }  # fmt: skip
    row = import_file(shop=shop, body=json.dumps({"code": 0, "data": {"statements": [statement]}}).encode(), filename="s.json")
    assert row.state == LedgerIntake.State.TAKEN
    assert row.result["statements"] == ["S1"]


def test_a_file_name_that_is_no_text_is_kept_readable():
    shop = make_shop()
    (report,) = import_upload(shop=shop, filename="june\udcff.json", body=page(transaction()))
    assert report.taken
    assert Document.objects.get(company=shop.company).filename == "june?.json"
