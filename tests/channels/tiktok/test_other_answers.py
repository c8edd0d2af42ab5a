"""Statements, orders by SKU, unsettled transactions, payments: what each adds to the books, and what it is refused for."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from channels.adapter import DocumentError, Role, Source
from channels.records import EventKind, EventSource, ParsedDocument, State
from channels.tiktok.adapter import adapter
from tests.channels.tiktok.answers import (
    CLOSED,
    CREATED,
    DAY,
    S1,
    S2,
    body,
    money,
    order_page,
    payment_row,
    sku_row,
    statement_row,
    statements_page,
    unsettled_page,
    unsettled_transaction,
    wrap,
)

TOTE = "576463220456522968"


def parse(answer: Any, kind: str, **more: Any) -> ParsedDocument:
    raw = answer if isinstance(answer, bytes) else body(answer)
    found = adapter.recognise(raw, "answer.json")
    assert found is not None and found.kind == kind
    return adapter.parse(Source(body=raw, kind=kind, **{"region": "US", **more}))


def sale(gross: str, fee: str) -> dict:
    return money({"subtotal_before_discount_amount": gross}, fee={"referral_fee_amount": fee})


def refund(gross: str, fee: str = "0") -> dict:
    return money({"refund_subtotal_before_discount_amount": gross}, fee={"referral_fee_amount": fee})


def test_kinds_have_the_roles_that_let_one_source_count():
    roles = {code: (kind.role, kind.state, kind.authority) for code, kind in adapter.kinds.items()}
    assert roles["statement_transactions"] == (Role.BOOKS, State.SETTLED, 40)
    assert roles["order_transactions"] == (Role.DETAIL, State.SETTLED, 30)
    assert roles["income_export"] == (Role.BOOKS, State.SETTLED, 20)
    assert roles["unsettled"] == (Role.PROVISIONAL, State.PRELIMINARY, 10)
    assert roles["unsettled_export"] == (Role.PROVISIONAL, State.PRELIMINARY, 5)
    assert {code for code, (role, _state, _authority) in roles.items() if role is Role.CHECK} == {
        "statements",
        "payments",
        "withdrawals",
    }


@pytest.mark.parametrize("shape", ["answer", "data", "list", "gzip", "marked"])
def test_an_answer_is_read_whole_bare_in_a_list_and_packed(shape):
    answer = statements_page([statement_row("100", payment="345"), statement_row("-3.5", statement=S2, closed=CLOSED + DAY)])
    raw = {
        "answer": body(answer),
        "data": body(answer["data"]),
        "list": body([answer, answer["data"]]),
        "gzip": gzip.compress(body(answer)),
        "marked": b"\xef\xbb\xbf" + body(answer),
    }[shape]
    parsed = parse(raw, "statements")
    assert [(row.outside_id, row.total, row.payout, row.complete) for row in parsed.statements] == [
        (S1, D(100), "345", False),
        (S2, D("-3.5"), "", False),
    ]
    first = parsed.statements[0]
    assert (str(first.period_start), str(first.closed_at)) == ("2026-06-15 00:00:00+00:00", "2026-06-16 00:00:00+00:00")
    assert not parsed.vouchers


def test_a_statement_whose_parts_do_not_add_up_says_so():
    row = statement_row("130") | {
        "revenue_amount": "200",
        "fee_amount": "-30",
        "adjustment_amount": "0",
        "shipping_cost_amount": "-50",
    }
    parsed = parse(statements_page([row]), "statements")
    assert parsed.notes == [f"Statement {S1}: its parts differ from its settlement amount 130 by 10."]


def test_an_order_tells_the_articles_and_their_units_per_statement():
    rows = [
        sku_row("1729", S1, sale("60", "-3.60"), quantity=2),
        sku_row("1730", S1, sale("40", "-2.40")),
        sku_row("1729", S2, refund("-30", "1.44"), quantity=2),
        sku_row("1730", S2, refund("-5")),
    ]
    parsed = parse(order_page(TOTE, rows), "order_transactions")
    assert [(row.family, row.event, row.statement, row.part) for row in parsed.vouchers] == [
        ("order", EventKind.SALE, S1, S1),
        ("order", EventKind.REFUND, S2, S2),
    ]
    units = [
        (line.listing, line.amount, line.quantity)
        for row in parsed.vouchers
        for line in row.lines
        if line.path == "revenue_breakdown"
    ]
    assert units == [("1729", D(60), 2), ("1730", D(40), 1), ("1729", D(-30), -1), ("1730", D(-5), None)]
    assert [(row.code, row.title) for row in parsed.listings] == [("1729", "Tote bag (Blue)"), ("1730", "Tote bag (Blue)")]


def test_equal_rows_of_an_order_all_count():
    parsed = parse(order_page(TOTE, [sku_row("1729", S1, sale("10", "-1"))] * 2), "order_transactions")
    assert sum(line.amount for line in parsed.vouchers[0].lines) == D(18)


def test_a_reimbursement_that_only_the_supplementary_block_tells_is_booked_where_the_total_has_it():
    row = sku_row("1729", S1, sale("10", "-1"))
    row["shipping_cost_breakdown"] = {
        "actual_shipping_fee_amount": "-4",
        "supplementary_component": {"shipping_fee_guarantee_reimbursement": "3", "fbm_shipping_cost_amount": "-4"},
    }
    row["shipping_cost_amount"], row["settlement_amount"] = "-1", "8"
    (voucher,) = parse(order_page(TOTE, [row]), "order_transactions").vouchers
    found = {line.name: line.amount for line in voucher.lines if line.path == "shipping_cost_breakdown"}
    assert found == {"actual_shipping_fee_amount": D(-4), "shipping_fee_guarantee_reimbursement": D(3)}


def test_unsettled_money_is_dated_by_the_delivery_where_it_is_known():
    blocks = money({"subtotal_before_discount_amount": "40"}, fee={"referral_fee_amount": "-2.40"}, prefix="est_")
    parsed = parse(
        unsettled_page(
            [
                unsettled_transaction(1, blocks, order=TOTE, order_delivery_time=CREATED + 2 * DAY),
                unsettled_transaction(2, blocks, order="5"),
                unsettled_transaction(
                    3, money(adjustment="-9", prefix="est_"), kind="PLATFORM_PENALTY", adjustment_id="901", order_create_time=0
                ),
            ]
        ),
        "unsettled",
    )
    assert [(row.event, row.event_source, row.part) for row in parsed.vouchers] == [
        (EventKind.SALE, EventSource.DELIVERY, ""),
        (EventKind.SALE, EventSource.ORDER, ""),
        (EventKind.OTHER, EventSource.POSTED, "901"),
    ]


@pytest.mark.parametrize(
    ("total", "booked"),
    [
        ("-12.40", {"referral_fee_amount", "sales_tax_amount"}),
        ("-2.40", {"referral_fee_amount"}),
        ("-2.00", {"referral_fee_amount", "not itemised"}),
    ],
)
def test_passed_on_tax_is_booked_only_where_the_total_has_it_and_never_beside_its_parts(total, booked):
    blocks = money(prefix="est_")
    blocks["fee_tax_breakdown"] = {
        "fee": {"referral_fee_amount": "-2.40"},
        "tax": {"sales_tax_amount": "-10", "sales_tax_payment_amount": "10", "sales_tax_refund_amount": "-20"},
    }
    blocks["est_fee_tax_amount"] = blocks["est_settlement_amount"] = total
    (voucher,) = parse(unsettled_page([unsettled_transaction(1, blocks, order=TOTE)]), "unsettled").vouchers
    assert {line.name for line in voucher.lines} == booked
    assert sum(line.amount for line in voucher.lines) == D(total)


@pytest.mark.conformance
def test_the_real_brazilian_order_shows_what_its_estimate_does_not_itemise(conformance: Path):
    row = json.loads((conformance / "facts/tiktok/samples/real.br.unsettled-order.json").read_text())["transaction"]
    (voucher,) = parse(unsettled_page([row]), "unsettled", region="BR").vouchers
    found = {(line.path, line.name): line.amount for line in voucher.lines}
    assert found["fee_tax_breakdown", "not itemised"] == D("-6.00")
    assert sum(found.values()) == D("144.42")
    assert ("fee_tax_breakdown.fee", "affiliate_commission_before_pit_amount") not in found


@pytest.mark.conformance
def test_every_published_sample_of_finance_is_recognised_and_read(conformance: Path):
    kinds = {
        "get-statements": "statements",
        "get-transactions-by-statement": "statement_transactions",
        "get-transactions-by-statement.2026-09": "statement_transactions",
        "get-transactions-by-order": "order_transactions",
        "get-unsettled-transactions": "unsettled",
        "get-payments": "payments",
        "get-withdrawals": "withdrawals",
    }
    for name, kind in kinds.items():
        parsed = parse((conformance / f"facts/tiktok/samples/finance.{name}.response.json").read_bytes(), kind)
        assert parsed.rows
        for voucher in parsed.vouchers:
            assert all(line.amount for line in voucher.lines)


def test_payments_are_payouts_in_the_currency_of_the_bank():
    rows = [
        payment_row("345", "97.5"),
        payment_row("346", "1000", currency="JPY", status="PROCESSING"),
        payment_row("347", "-4", status="FAILED"),
    ]
    del rows[0]["bank_account"], rows[1]["settlement_amount"]
    parsed = parse(wrap({"payments": rows, "next_page_token": ""}), "payments")
    assert [(row.outside_id, row.currency, row.amount, row.status, row.paid_at is not None) for row in parsed.payouts] == [
        ("345", "USD", D("97.5"), "paid", True),
        ("346", "JPY", D(1000), "in_transit", False),
        ("347", "USD", D(-4), "failed", False),
    ]


def test_withdrawals_to_the_bank_are_payouts_and_settlements_into_the_balance_are_not():
    rows = [
        {"id": "W1", "type": "WITHDRAW", "amount": "100", "currency": "IDR", "status": "SUCCESS", "create_time": CLOSED},
        {"id": "W2", "type": "SETTLE", "amount": "90", "currency": "IDR", "status": "SUCCESS", "create_time": CLOSED},
        {"id": "W3", "type": "REVERSE", "amount": "100", "currency": "IDR", "status": "PROCESSING", "create_time": CLOSED},
    ]
    parsed = parse(wrap({"withdrawals": rows, "total_count": 3}), "withdrawals", region="ID")
    assert [(row.outside_id, row.amount, row.status) for row in parsed.payouts] == [
        ("W1", D(100), "paid"),
        ("W3", D(-100), "in_transit"),
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (statements_page([statement_row("1") | {"id": ""}]), "statements", "Statement 1 has no id"),
        (statements_page([statement_row("")]), "statements", f"Statement {S1} has no settlement_amount"),
        (statements_page([statement_row("ten")]), "statements", "settlement_amount: 'ten' is not an amount"),
        (statements_page([statement_row("1") | {"statement_time": 0}]), "statements", "statement_time: 0 is not a time"),
        (statements_page([statement_row("1") | {"currency": ""}]), "statements", f"Statement {S1}: the currency is missing"),
        (order_page("", [sku_row("1729", S1, sale("1", "0"))]), "order_transactions", "which order it is of"),
        (order_page(TOTE, [sku_row("", S1, sale("1", "0"))]), "order_transactions", "row 1 has no sku_id"),
        (order_page(TOTE, [sku_row("1729", "", sale("1", "0"))]), "order_transactions", "row 1 has no statement_id"),
        (unsettled_page([unsettled_transaction(1, money(prefix="est_"))]), "unsettled", "is of an order but has no order_id"),
        (
            unsettled_page([unsettled_transaction(1, money(prefix="est_"), order=TOTE) | {"est_revenue_amount": "x"}]),
            "unsettled",
            "est_revenue_amount: 'x' is not an amount",
        ),
        (wrap({"payments": [payment_row("", "1")]}), "payments", "Payment 1 has no id"),
        (wrap({"payments": [payment_row("345", "")]}), "payments", "Payment 345 has no amount"),
        (wrap({"payments": [payment_row("345", "1", status="LOST")]}), "payments", "the status 'LOST', which is not known"),
        ([wrap({"payments": [payment_row("345", "1")]}), {"code": 36009002, "message": "too many requests"}], "payments", "Answer 2 is an error .*36009002"),
        (b'{"code":0,"data":{"payments":[{"id":"345","paid_time":17', "payments", "cut off at character"),
        (wrap({"order_id": TOTE, "statement_transactions": []}), "order_transactions", "version 202309"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(answer, kind, words):
    with pytest.raises(DocumentError, match=words):
        parse(answer, kind)


def test_an_order_opens_in_seller_center():
    assert adapter.outside_url("order", TOTE, "GB") == f"https://seller-uk.tiktok.com/order/detail?order_no={TOTE}&shop_region=GB"
    assert adapter.outside_url("order", "javascript:alert(1)", "US") == ""
    assert adapter.outside_url("statement", S1, "US") == ""
