"""Balance transactions and payouts: net = amount - fee, one statement a payout, and plain words for broken documents."""

from __future__ import annotations

import json
from decimal import Decimal as D
from pathlib import Path

import pytest

from channels.adapter import DocumentError
from channels.records import EventKind, State
from channels.shopify.adapter import adapter
from tests.channels.shopify.market import Movement, market
from tests.channels.shopify.reading import read, told, total


def answer(*movements: Movement, **more: object) -> dict[str, object]:
    nodes = [movement.node() for movement in movements]
    return {"data": {"shopifyPaymentsAccount": {"balanceTransactions": {"nodes": nodes, **more}}}}


def test_a_charge_books_its_amount_and_its_fee_and_no_revenue():
    store = market()
    parsed = read(store.balance_json())
    first = parsed.vouchers[0]
    assert told(first) == [("balance", "CHARGE", "", D("89.16")), ("balance/fee", "CHARGE", "", D("-2.74"))]
    assert (first.order, first.event, first.statement, first.state) == ("#1001", EventKind.OTHER, "900000000000", State.SETTLED)
    assert parsed.vouchers[-1].state is State.PRELIMINARY and parsed.vouchers[-1].statement == ""


def test_the_nets_of_a_payout_add_up_to_it():
    store = market()
    parsed = read(store.balance_json())
    for index, net in store.payouts().items():
        mine = [voucher for voucher in parsed.vouchers if voucher.statement == str(900_000_000_000 + index)]
        assert sum((total(voucher.lines) for voucher in mine), D(0)) == net


def test_the_transfer_row_is_the_payout_and_proves_that_all_its_rows_are_there():
    movements = market().movements[:3]
    net = sum((movement.net for movement in movements), D(0))
    transfer = Movement(99, "TRANSFER", movements[0].at, -net)
    parsed = read(answer(*movements, transfer))
    assert len(parsed.vouchers) == 3
    assert [(s.outside_id, s.total, s.complete, s.payout) for s in parsed.statements] == [
        ("900000000000", net, True, "900000000000")
    ]
    assert [(p.outside_id, p.amount, p.status) for p in parsed.payouts] == [("900000000000", net, "paid")]
    partial = read(answer(movements[0], transfer))
    assert partial.statements[0].complete is False


def test_a_document_with_payout_and_transactions_that_does_not_add_up_is_refused_until_staff_agree():
    store = market()
    both = [json.loads(store.payouts_json()), answer(*store.movements[:-2])]
    with pytest.raises(DocumentError, match="900000000001 does not add up") as caught:
        read(both)
    assert caught.value.difference == D("-35.00")
    accepted = read(both, accept_difference=True)
    assert {statement.outside_id: statement.complete for statement in accepted.statements} == {
        "900000000000": True,
        "900000000001": True,
    }
    assert all(
        not statement.complete
        for statement in read([both[0], answer(*store.movements, pageInfo={"hasNextPage": True})]).statements
    )


def test_net_that_is_not_amount_less_fee_names_the_transaction():
    body = market().balance_json().replace(b'"net": {"amount": "86.42"}', b'"net": {"amount": "86.43"}')
    with pytest.raises(DocumentError, match=r"CHARGE 1: amount 89.16 less fee 2.74 is not net 86.43") as caught:
        read(body)
    assert caught.value.difference == D("0.01")
    accepted = read(body, accept_difference=True).vouchers[0]
    assert told(accepted)[-1] == ("balance", "not itemised", "remainder", D("0.01")) and total(accepted.lines) == D("86.43")


def test_types_of_the_old_api_get_the_schemas_names():
    rows = [
        ("charge", "10.00", None, "CHARGE"),
        ("dispute", "-10.00", None, "DISPUTE_WITHDRAWAL"),
        ("dispute", "10.00", None, "DISPUTE_REVERSAL"),
        ("debit", "-3.00", "billing", "BILLING_DEBIT"),
        ("credit", "4.00", "shop_cash", "SHOP_CASH_CREDIT"),
        ("adjustment", "-1.00", "moon phase", "ADJUSTMENT/moon_phase"),
        ("reserve", "-5.00", None, "RESERVED_FUNDS"),
        ("payout_failure", "31.20", None, "TRANSFER_FAILURE"),
    ]
    nodes = [
        {
            "id": index + 1,
            "type": kind,
            "test": False,
            "payout_id": 9,
            "payout_status": "paid",
            "currency": "USD",
            "amount": amount,
            "fee": "0.00",
            "net": amount,
            "source_order_transaction_id": None,
            "adjustment_reason": reason,
            "processed_at": "2026-03-01T10:00:00-05:00",
        }
        for index, (kind, amount, reason, _name) in enumerate(rows)
    ]
    parsed = read({"transactions": nodes})
    assert [voucher.lines[0].name for voucher in parsed.vouchers] == [row[3] for row in rows]
    assert {voucher.family for voucher in parsed.vouchers} == {"balance_rest"}


def test_an_unknown_type_is_kept_with_its_amount():
    movement = market().movements[0]
    movement.type = "QUANTUM_FEE"
    assert told(read(answer(movement)).vouchers[0])[0] == ("balance", "QUANTUM_FEE", "", D("89.16"))


def test_test_transactions_are_left_out_and_told():
    body = market().balance_json().replace(b'"test": false', b'"test": true', 1)
    parsed = read(body)
    assert len(parsed.vouchers) == 7 and parsed.notes == ["1 test transactions were left out."]


def test_a_payout_is_a_statement_and_its_transfer_with_the_bank_reference():
    parsed = read(market().payouts_json())
    assert [(s.outside_id, s.total, s.payout) for s in parsed.statements] == [
        ("900000000000", D("95.79"), "900000000000"),
        ("900000000001", D("-42.90"), "900000000001"),
    ]
    assert [(p.status, p.trace) for p in parsed.payouts] == [("paid", "TRACE-0"), ("paid", "TRACE-1")]


def test_the_summary_of_a_payout_is_only_a_cross_check():
    payout = json.loads(market().payouts_json())
    node = payout["data"]["shopifyPaymentsAccount"]["payouts"]["nodes"][0]
    node["summary"] = {
        "chargesGross": {"amount": "139.16"},
        "chargesFee": {"amount": "4.49"},
        "refundsFeeGross": {"amount": "-38.88"},
    }
    parsed = read(payout)
    assert parsed.statements[0].parts == {"charges": D("134.67"), "refunds": D("-38.88")}
    assert parsed.notes == []
    node["summary"]["refundsFeeGross"]["amount"] = "-39.88"
    assert "come to 94.79" in read(payout).notes[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (market().balance_json()[:-40], "not complete JSON"),
        (b'{"errors": [{"message": "Throttled"}], "x": "ShopifyPaymentsBalanceTransaction"}', "refusal of Shopify: Throttled"),
        (market().balance_json().replace(b'"transactionDate": "2026-03-02T19:05:11Z", ', b""), "no transactionDate"),
        (market().balance_json().replace(b'"amount": "89.16"', b'"amount": "8x"'), "'8x' is not an amount"),
        (market().balance_json().replace(b'"currencyCode": "USD"', b'"currencyCode": "dollars"'), "not a currency code"),
    ],
)
def test_a_broken_document_is_refused_in_plain_words(body, words):
    with pytest.raises(DocumentError, match=words):
        read(body)


def test_a_shop_without_shopify_payments_has_nothing_to_book():
    assert read('{"data": {"shopifyPaymentsAccount": null}, "of": "ShopifyPaymentsBalanceTransaction"}').vouchers == []


def test_documents_of_others_are_not_recognised():
    for body in (
        b"",
        b"{",
        b"[]",
        b'{"transactions": []}',
        b"settlement-id\tamount\n1\t2\n",
        b"\x00\x01",
        b"PK\x03\x04",
        b"<html>",
    ):
        assert adapter.recognise(body, "x") is None


@pytest.mark.conformance
def test_the_worked_payout_reconciles_as_its_sheet_says(conformance: Path):
    parsed = read((conformance / "facts/shopify/samples/graphql/worked_payout.json").read_bytes())
    (statement,) = parsed.statements
    assert (statement.total, statement.complete) == (D("257.35"), True)
    assert sum((total(voucher.lines) for voucher in parsed.vouchers), D(0)) == D("257.35")
    assert sum((line.amount for v in parsed.vouchers for line in v.lines if line.path == "balance/fee"), D(0)) == D("-28.50")


@pytest.mark.conformance
@pytest.mark.parametrize("name", ["payments_transaction.json", "payments_transactions.json"])
def test_the_public_rest_transactions_give_the_totals_expected_of_them(conformance: Path, name: str):
    folder = conformance / "data/shopify_fixtures_go"
    expected = json.loads((folder / "expected.json").read_text())[name]
    parsed = read((folder / name).read_bytes())
    assert parsed.rows == expected["rows"]
    nets: dict[str, D] = {}
    types: dict[str, D] = {}
    for voucher in parsed.vouchers:
        nets[voucher.statement] = nets.get(voucher.statement, D(0)) + total(voucher.lines)
        kind = voucher.lines[0].name.lower()
        types[kind] = types.get(kind, D(0)) + total(voucher.lines)
    assert {key: str(value) for key, value in nets.items()} == expected["net_by_payout"]
    assert {key: str(value) for key, value in types.items()} == expected["by_type"]


@pytest.mark.conformance
@pytest.mark.parametrize("name", ["payout.json", "payouts.json"])
def test_the_public_rest_payouts_give_the_totals_expected_of_them(conformance: Path, name: str):
    folder = conformance / "data/shopify_fixtures_go"
    expected = json.loads((folder / "expected.json").read_text())[name]
    parsed = read((folder / name).read_bytes())
    assert len(parsed.payouts) == expected["payouts"]
    words = {"scheduled": "expected"}
    assert {payout.status: str(payout.amount) for payout in parsed.payouts} == {
        words.get(status, status): amount for status, amount in expected["amount_by_status"].items()
    }


@pytest.mark.conformance
def test_the_recorded_transfers_are_payouts_and_failures_are_rows(conformance: Path):
    body = (conformance / "facts/shopify/samples/graphql/balance_transactions_official.json").read_text()
    # The published sample leaves the date out.
    dated = body.replace('"test": false', '"test": false, "transactionDate": "2026-03-01T00:00:00Z"')
    parsed = read(dated)
    failures = [voucher for voucher in parsed.vouchers if voucher.lines and voucher.lines[0].name == "TRANSFER_FAILURE"]
    assert failures and all(total(voucher.lines) > 0 for voucher in failures)
    assert not any(line.name == "TRANSFER" for voucher in parsed.vouchers for line in voucher.lines)
    assert len(parsed.payouts) >= 6
