"""Finances transactions: named nodes once, nothing lost, and of the states of a deferred sale one counts in any order."""

from __future__ import annotations

import contextlib
import itertools
import json
from decimal import Decimal as D
from typing import Any

import pytest
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.adapter import DocumentError, Source
from channels.amazon.adapter import adapter
from channels.models import Shop
from channels.records import EventKind, ParsedDocument
from ledger.intake import import_file
from ledger.models import LedgerIntake, PnlDay
from nova.models import Company
from tests.channels.amazon.test_settlement import row, settlement, text


def money(amount: str) -> dict[str, Any]:
    return {"currencyAmount": float(amount), "currencyCode": "USD"}


def node(name: str, amount: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"breakdownType": name, "breakdownAmount": money(amount), "breakdowns": list(parts) or None}


def transaction(
    kind: str = "Shipment",
    *,
    total: str = "17.00",
    status: str = "RELEASED",
    posted: str = "2026-06-17T08:14:22Z",
    number: str = "t-1",
    items: list[dict[str, Any]] | None = None,
    **ids: str,
) -> dict[str, Any]:
    return {
        "transactionType": kind,
        "transactionId": number,
        "transactionStatus": status,
        "postedDate": posted,
        "totalAmount": money(total),
        "marketplaceDetails": {"marketplaceId": "ATVPDKIKX0DER", "marketplaceName": "Amazon.com"},
        "relatedIdentifiers": [{"relatedIdentifierName": name, "relatedIdentifierValue": value} for name, value in ids.items()],
        "items": items,
    }


LANTERN = {
    "contexts": [{"contextType": "ProductContext", "sku": "LANTERN-1", "quantityShipped": 2}],
    "breakdowns": [
        node("ProductCharges", "20.00", node("OurPricePrincipal", "20.00")),
        node("AmazonFees", "-3.00", node("Commission", "-3.00", node("Base", "-2.50"), node("Tax", "-0.50"))),
    ],
}


def page(*transactions: dict[str, Any]) -> bytes:
    return json.dumps({"payload": {"transactions": list(transactions), "nextToken": None}}).encode()


def parse(body: bytes) -> ParsedDocument:
    found = adapter.recognise(body, "page.json")
    assert found is not None and found.kind == "finances"
    return adapter.parse(Source(body=body, kind="finances", region="NA"))


def test_named_nodes_are_lines_and_neither_their_parents_nor_their_parts():
    (voucher,) = parse(page(transaction(ORDER_ID="114-1", SHIPMENT_ID="D1", items=[LANTERN]))).vouchers
    assert voucher.event is EventKind.SALE and voucher.part == "D1" and voucher.marketplace == "amazon.com"
    assert [(line.path, line.name, line.amount, line.listing, line.quantity) for line in voucher.lines] == [
        ("Shipment/ProductCharges", "OurPricePrincipal", D("20.0"), "LANTERN-1", 2),
        ("Shipment/AmazonFees", "Commission", D("-3.0"), "LANTERN-1", None),
    ]


def test_what_the_nodes_do_not_explain_is_a_visible_remainder():
    (voucher,) = parse(page(transaction(total="16.50", ORDER_ID="114-1", items=[LANTERN]))).vouchers
    assert (voucher.lines[-1].name, voucher.lines[-1].context, voucher.lines[-1].amount) == (
        "not itemised",
        "remainder",
        D("-0.5"),
    )


def test_a_transfer_to_the_bank_is_no_income():
    parsed = parse(
        page(transaction("Transfer", total="500.00", SETTLEMENT_ID="9"), transaction(ORDER_ID="114-1", items=[LANTERN]))
    )
    assert len(parsed.vouchers) == 1 and parsed.payouts == [] and "come with their settlement" in parsed.notes[0]


def test_a_release_that_only_points_at_the_deferred_sale_is_the_same_sale():
    deferred = transaction(status="DEFERRED", number="t-1", ORDER_ID="114-1", SHIPMENT_ID="D1", items=[LANTERN])
    released = transaction(status="RELEASED", number="t-2", ORDER_ID="114-1", DEFERRED_TRANSACTION_ID="t-1", items=[LANTERN])
    first, second = parse(page(released, deferred)).vouchers
    assert first.part == second.part == "D1" and (first.authority or 0) < (second.authority or 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"postedDate": None}, "Transaction 1 cannot be read"),
        ({"postedDate": "2026-06-17T08:14:22"}, "Transaction 1 cannot be read: postedDate has no time zone"),
        ({"totalAmount": None}, "Transaction 1 cannot be read"),
        ({"totalAmount": {"currencyAmount": 1, "currencyCode": "DOLLAR"}}, "DOLLAR is not a currency"),
        ({"totalAmount": {"currencyAmount": 1e30, "currencyCode": "USD"}}, "is not an amount"),
    ],
)
def test_a_transaction_that_cannot_be_read_is_named(change, message):
    with pytest.raises(DocumentError, match=message):
        parse(page({**transaction(ORDER_ID="114-1", items=[LANTERN]), **change}))


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 900), junk=st.binary(max_size=6))
def test_broken_answers_raise_document_errors_and_nothing_else(cut, junk):
    body = page(transaction(ORDER_ID="114-1", items=[LANTERN]))
    broken = body[:cut] + junk + body[cut + len(junk) :]
    adapter.recognise(broken, "x.json")
    with contextlib.suppress(DocumentError):
        adapter.parse(Source(body=broken, kind="finances", region="NA"))


def shop() -> Shop:
    company = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    return Shop.objects.create(company=company, code="amazon", name="Harbour on Amazon", channel="amazon", region="NA")


def figures(where: Shop) -> dict[tuple[str, str], D]:
    rows = PnlDay.objects.filter(company=where.company_id).values_list("fee_type__name", "state").annotate(money=Sum("amount"))
    return {(name, state): amount for name, state, amount in rows if amount}


DEFERRED = page(transaction(status="DEFERRED", ORDER_ID="114-1", SHIPMENT_ID="D1", items=[LANTERN]))
RELEASED = page(
    transaction(status="DEFERRED_RELEASED", posted="2026-06-18T00:00:00Z", ORDER_ID="114-1", SHIPMENT_ID="D1", items=[LANTERN]),
    transaction(
        number="t-2",
        status="RELEASED",
        posted="2026-06-25T00:00:00Z",
        ORDER_ID="114-1",
        SHIPMENT_ID="D1",
        DEFERRED_TRANSACTION_ID="t-1",
        items=[LANTERN],
    ),
)
REPORT = text(
    settlement([row("20.00"), row("-3.00", name="Commission", group="ItemFees")], total="17.00", start="2026-06-30 00:00:00 UTC")
).encode()


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(itertools.permutations([DEFERRED, RELEASED])))
def test_of_the_states_of_a_deferred_sale_one_counts_on_its_invoice_date(order):
    where = shop()
    for place, body in enumerate(order):
        assert import_file(shop=where, body=body, filename=f"{place}.json").state == LedgerIntake.State.TAKEN
    assert figures(where) == {("OurPricePrincipal", "preliminary"): D("20"), ("Commission", "preliminary"): D("-3")}
    days = {day for day, amount in PnlDay.objects.values_list("event_on").annotate(money=Sum("amount")) if amount}
    assert [f"{day}" for day in days] == ["2026-06-18"]


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(itertools.permutations([DEFERRED, RELEASED, REPORT])))
def test_the_settlement_replaces_what_was_known_before_in_any_order_of_import(order):
    where = shop()
    for place, body in enumerate(order):
        assert import_file(shop=where, body=body, filename=f"{place}.txt").state == LedgerIntake.State.TAKEN
    assert figures(where) == {("Principal", "settled"): D("20"), ("Commission", "settled"): D("-3")}


FEE = page(
    transaction(
        "ServiceFee",
        total="-64.28",
        number="f-1",
        posted="2026-06-20T10:00:00Z",
        items=[{"breakdowns": [node("AmazonFees", "-64.28", node("FBAStorageFee", "-64.28"))]}],
    ),
    transaction(
        "ServiceFee",
        total="-10.00",
        number="f-2",
        posted="2026-07-20T10:00:00Z",
        items=[{"breakdowns": [node("AmazonFees", "-10.00", node("FBAStorageFee", "-10.00"))]}],
    ),
)
STORAGE = {
    "transaction-type": "other-transaction",
    "amount-type": "other-transaction",
    "amount-description": "Storage Fee",
    "amount": "-64.28",
    "posted-date": "2026-06-20 10:00:00 UTC",
    "settlement-id": "9001",
}


@pytest.mark.django_db
@pytest.mark.parametrize("settlement_first", [True, False])
def test_a_fee_without_an_order_gives_way_to_the_settlement_of_its_days_and_a_later_one_stays(settlement_first):
    where = shop()
    summary = settlement([], total="-64.28", start="2026-06-16 00:00:00 UTC")[0]
    report = text([{**summary, "settlement-end-date": "2026-06-30 23:59:59 UTC"}, STORAGE]).encode()
    for body in [report, FEE] if settlement_first else [FEE, report]:
        assert import_file(shop=where, body=body, filename="x").state == LedgerIntake.State.TAKEN
    assert figures(where) == {("Storage Fee", "settled"): D("-64.28"), ("FBAStorageFee", "preliminary"): D("-10")}


@pytest.mark.django_db
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_deferred_shipment_of_an_order_stays_when_its_other_shipment_is_settled(order, ids):
    where = shop()
    report = text(
        settlement(
            [
                row("20.00", **{"shipment-id": "D1"} if ids else {}),
                row("-3.00", name="Commission", group="ItemFees", **{"shipment-id": "D1"} if ids else {}),
            ],
            total="17.00",
            start="2026-06-30 00:00:00 UTC",
        )
    ).encode()
    lamp = {"contexts": [{"sku": "LAMP-1", "quantityShipped": 1}], "breakdowns": [node("OurPricePrincipal", "9.00")]}
    second = page(transaction(total="9.00", number="t-9", status="DEFERRED", ORDER_ID="114-1", SHIPMENT_ID="D2", items=[lamp]))
    bodies = [RELEASED, second, report]
    for place in order:
        assert import_file(shop=where, body=bodies[place], filename=f"{place}.txt").state == LedgerIntake.State.TAKEN
    assert figures(where) == {
        ("Principal", "settled"): D("20"),
        ("Commission", "settled"): D("-3"),
        ("OurPricePrincipal", "preliminary"): D("9"),
    }
