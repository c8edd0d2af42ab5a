"""Buyer data never enters a document: tokens stand in its place, the same in every export of the order."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from channels.adapter import Source
from channels.models import Document, PersonalData, Shop
from channels.personal import erase_personal_data, read_personal_data
from channels.shopify.adapter import adapter
from ledger.intake import import_file
from ledger.models import LedgerIntake
from nova.models import Company
from tests.channels.shopify.market import ORDER_HEADERS, market, table
from tests.channels.shopify.reading import read

_numbers = itertools.count(1)
SECRETS = (b"Ada", b"buyer1001@example.com", b"555 0100", b"Quay", b"Ring twice")


def keep(body: bytes, kind: str) -> tuple[bytes, list[Any]]:
    kept, records = adapter.separate_personal_data(Source(body=body, kind=kind))
    return kept, list(records)


@pytest.mark.parametrize(("name", "kind"), [("orders_json", "orders"), ("orders_csv", "orders_export")])
def test_buyers_are_replaced_by_tokens_and_the_figures_stay(name, kind):
    body = getattr(market(), name)()
    kept, records = keep(body, kind)
    assert not [secret for secret in SECRETS if secret in kept]
    assert [record.order for record in records] == ["#1001", "#1002", "#1003", "#1004", "#1005"]
    assert records[0].token.encode() in kept and len({record.token for record in records}) == 5
    assert "buyer1001@example.com" in records[0].values.values()
    source = Source(body=body, kind=kind, region="US")
    whole = adapter.parse(source)
    again = adapter.parse(Source(body=kept, kind=kind, region="US"))
    assert [voucher.lines and [line[:6] for line in voucher.lines] for voucher in again.vouchers] == [
        voucher.lines and [line[:6] for line in voucher.lines] for voucher in whole.vouchers
    ]


@pytest.mark.parametrize(("name", "kind"), [("orders_json", "orders"), ("orders_csv", "orders_export")])
def test_taking_buyers_out_is_repeatable_and_does_nothing_the_second_time(name, kind):
    body = getattr(market(), name)()
    once, _records = keep(body, kind)
    assert keep(body, kind)[0] == once
    twice, records = keep(once, kind)
    assert (twice, records) == (once, [])


def test_country_and_province_stay_for_tax():
    kept, _records = keep(market().orders_json(), "orders")
    address = json.loads(kept)["data"]["orders"]["nodes"][0]["shippingAddress"]
    assert address["countryCodeV2"] == "US" and address["name"] == address["city"] == "buyer of #1001 (api)"


def test_payments_hold_no_buyer_and_are_kept_byte_for_byte():
    store = market()
    for name, kind in (("balance_csv", "payment_transactions_export"), ("balance_json", "balance_transactions")):
        body = getattr(store, name)()
        assert keep(body, kind) == (body, [])


def test_an_export_with_unknown_headers_loses_every_free_text():
    body = market().orders_csv()
    for old, new in (
        (b"Billing Name", b"Rechnung an"),
        (b"Email", b"Post"),
        (b"Subtotal", b"Zwischensumme"),
        (b"Notes", b"Text"),
    ):
        body = body.replace(old, new)
    kept, records = keep(body, "orders_export")
    assert not [secret for secret in SECRETS if secret in kept]
    assert records[0].values["Rechnung an"] == "Ada Buyer"
    columns = {"subtotal": "Zwischensumme"}
    assert read(body, columns=columns).vouchers[0].lines == read(market().orders_csv()).vouchers[0].lines


def test_a_long_order_name_has_a_token_that_fits():
    body = table(ORDER_HEADERS, [market().orders[0].rows()[0] | {"Name": "#" + "9" * 90}])
    _kept, records = keep(body, "orders_export")
    assert len(records[0].token) <= 64


@pytest.mark.django_db
def test_an_import_keeps_tokens_only_and_erasing_destroys_what_they_stand_for():
    number = next(_numbers)
    company = Company.objects.create(code=f"gull-{number}", name="Gull Lamps", currency="USD", time_zone="UTC")
    shop = Shop.objects.create(company=company, code="gull", name="Gull store", channel="shopify", region="US")
    intake = import_file(shop=shop, body=market().orders_csv(), filename="orders_export.csv")
    assert intake.state == LedgerIntake.State.TAKEN
    assert import_file(shop=shop, body=market().orders_csv(), filename="orders_export.csv").pk == intake.pk
    content = Document.objects.get(company=company).content()
    assert not [secret for secret in SECRETS if secret in content]
    row = PersonalData.objects.get(company=company, order_ref="#1001")
    assert read_personal_data(row=row)["Billing Name"] == "Ada Buyer"
    assert erase_personal_data(company_id=company.pk, shop_id=shop.pk, order_ref="#1001") == 1
    row.refresh_from_db()
    with pytest.raises(LookupError, match="erased"):
        read_personal_data(row=row)


@pytest.mark.django_db
def test_a_file_that_may_name_buyers_and_cannot_be_read_is_not_kept_but_its_reason_is():
    number = next(_numbers)
    company = Company.objects.create(code=f"heron-{number}", name="Heron Lamps", currency="USD", time_zone="UTC")
    shop = Shop.objects.create(company=company, code="heron", name="Heron store", channel="shopify", region="US")
    intake = import_file(shop=shop, body=market().orders_json()[:-50], filename="orders.json")
    assert (intake.state, intake.error) == (
        LedgerIntake.State.FAILED,
        "Line 1: The file is not complete JSON; it is cut off or damaged here.",
    )
    content = Document.objects.get(company=company).content()
    assert not [secret for secret in SECRETS if secret in content] and b"SHA-256" in content


@pytest.mark.conformance
def test_the_public_orders_keep_nothing_of_their_buyers(conformance: Path):
    for path in sorted((conformance / "data/shopify_fixtures_go").glob("order*.json")):
        body = path.read_bytes()
        kept, records = keep(body, "orders_rest")
        for secret in (b"jon@doe.ca", b"Billing Street", b"555-555", b"John", b"Steve", b"K2P0", b"1234\xe2", b"Mastercard"):
            assert secret not in kept, (path, secret)
        assert records[0].order == "#9999"
        assert read(body).notes == ["1 test orders were left out."]
