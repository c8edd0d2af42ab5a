"""Transactions by statement: every cent of a block becomes a line or a visible remainder, never both twice."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapter import DocumentError, Source
from channels.records import EventKind, EventSource, ParsedDocument
from channels.tiktok.adapter import adapter
from tests.channels.tiktok.answers import CLOSED, S1, S2, body, money, page, transaction

TOTE = "576463220456522968"


def parse(
    answer: object, *, kind: str = "statement_transactions", region: str = "US", currencies: tuple[str, ...] = ()
) -> ParsedDocument:
    raw = answer if isinstance(answer, bytes) else body(answer)
    found = adapter.recognise(raw, "answer.json")
    assert found is not None and found.kind == kind
    return adapter.parse(Source(body=raw, kind=kind, region=region, currencies=currencies))


def lines(parsed: ParsedDocument) -> dict[tuple[str, str, str], D]:
    found: dict[tuple[str, str, str], D] = {}
    for voucher in parsed.vouchers:
        for line in voucher.lines:
            assert line.amount, "zeros are left out"
            key = (line.path, line.name, line.context)
            found[key] = found.get(key, D(0)) + line.amount
    return found


def sale() -> dict:
    return money(
        {"subtotal_before_discount_amount": "100.00", "seller_discount_amount": "-10.00", "cod_service_fee_amount": "0"},
        {"actual_shipping_fee_amount": "-5.50", "supplementary_component": {"fbm_shipping_cost_amount": "-5.50"}},
        {"referral_fee_amount": "-5.40", "affiliate_commission_amount": "-9.00", "transaction_fee_amount": ""},
        {"sales_tax_referral_fee_amount": "-0.32"},
    )


def test_a_sale_is_one_voucher_of_its_parts_dated_by_the_order_and_posted_when_the_statement_closed():
    parsed = parse(page([transaction(1, sale(), order=TOTE, supplementary_component={"customer_payment_amount": "95"})]))
    (voucher,) = parsed.vouchers
    assert (voucher.family, voucher.order, voucher.event) == ("statement", TOTE, EventKind.SALE)
    assert (voucher.statement, voucher.part, voucher.marketplace) == (S1, S1, "TikTok Shop US")
    assert voucher.event_source is EventSource.ORDER and voucher.event_source.provisional
    assert voucher.posted_at.isoformat() == "2026-06-16T00:00:00+00:00"
    assert lines(parsed) == {
        ("revenue_breakdown", "subtotal_before_discount_amount", ""): D("100.00"),
        ("revenue_breakdown", "seller_discount_amount", ""): D("-10.00"),
        ("shipping_cost_breakdown", "actual_shipping_fee_amount", ""): D("-5.50"),
        ("fee_tax_breakdown.fee", "referral_fee_amount", ""): D("-5.40"),
        ("fee_tax_breakdown.fee", "affiliate_commission_amount", ""): D("-9.00"),
        ("fee_tax_breakdown.tax", "sales_tax_referral_fee_amount", ""): D("-0.32"),
    }
    (statement,) = parsed.statements
    assert (statement.total, statement.complete, statement.line_count) == (D("69.78"), True, 1)


def test_a_refund_inside_a_sale_is_an_event_of_its_own_and_one_transaction_still_counts_once():
    blocks = money(
        {
            "subtotal_before_discount_amount": "100",
            "refund_subtotal_before_discount_amount": "-40",
            "seller_discount_refund_amount": "4",
        },
        fee={"referral_fee_amount": "-3.60", "refund_administration_fee_amount": "-0.48"},
    )
    parsed = parse(page([transaction(1, blocks, order=TOTE)]))
    assert [(row.family, row.event, sum(line.amount for line in row.lines)) for row in parsed.vouchers] == [
        ("statement", EventKind.SALE, D("96.40")),
        ("statement refund", EventKind.REFUND, D("-36.48")),
    ]
    assert parsed.statements[0].complete


def test_a_transaction_that_only_refunds_is_the_refund_with_the_fees_that_come_back():
    blocks = money({"refund_subtotal_before_discount_amount": "-40"}, fee={"referral_fee_amount": "2.40"})
    (voucher,) = parse(page([transaction(1, blocks, order=TOTE)])).vouchers
    assert (voucher.family, voucher.event, sum(line.amount for line in voucher.lines)) == (
        "statement",
        EventKind.REFUND,
        D("-37.60"),
    )
    assert int(voucher.event_at.timestamp()) == CLOSED and voucher.event_source is EventSource.POSTED


def test_names_nobody_knows_are_lines_too_and_what_is_missing_is_a_remainder_of_its_block():
    blocks = money(
        {"subtotal_before_discount_amount": "10"},
        fee={"moon_fee_amount": "-1.00"},
        tax={"moon_tax": "-0.10"},
    )
    blocks["fee_tax_breakdown"]["surcharge"] = {"tide_fee": "-0.20"}
    blocks["fee_tax_amount"] = "-1.80"
    blocks["settlement_amount"] = "8.15"
    found = lines(parse(page([transaction(1, blocks, order=TOTE)])))
    assert found[("fee_tax_breakdown.fee", "moon_fee_amount", "")] == D("-1.00")
    assert found[("fee_tax_breakdown.surcharge", "tide_fee", "")] == D("-0.20")
    assert found[("fee_tax_breakdown", "not itemised", "remainder")] == D("-0.50")
    assert found[("settlement", "not itemised", "remainder")] == D("-0.05")
    assert sum(found.values()) == D("8.15")


@pytest.mark.parametrize("alias", ["affiliate_commission_amount_before_pit", "affiliate_commission_before_pit_amount"])
@pytest.mark.parametrize(
    ("net", "before", "pit", "total", "booked"),
    [
        ("-16.08", "-16.08", "0", "-16.08", {"affiliate_commission_amount": "-16.08"}),
        ("-9.00", "-10.00", "-1.00", "-10.00", {"affiliate_commission_amount": "-9.00", "pit_amount": "-1.00"}),
        ("-9.00", "-10.00", "0", "-10.00", {"before": "-10.00"}),
        ("0", "-10.00", "0", "-10.00", {"before": "-10.00"}),
        ("-9.00", "-10.00", "0", "-9.00", {"affiliate_commission_amount": "-9.00"}),
    ],
)
def test_creator_commission_before_and_after_income_tax_are_never_both_booked(net, before, pit, total, booked, alias):
    blocks = money()
    blocks["fee_tax_breakdown"] = {
        "fee": {"affiliate_commission_amount": net, alias: before},
        "tax": {"pit_amount": pit},
    }
    blocks["fee_tax_amount"] = blocks["settlement_amount"] = total
    found = lines(parse(page([transaction(1, blocks, order=TOTE)])))
    assert {name: str(amount) for (_path, name, _context), amount in found.items()} == {
        alias if name == "before" else name: amount for name, amount in booked.items()
    }


def test_adjustments_are_named_by_their_type_and_reserves_stay_outside_the_settlement():
    ads = transaction(1, money(adjustment="-25.00"), kind="GMV_PAYMENT_FOR_ADS", adjustment_id="901")
    violation = transaction(
        2, money(adjustment="-5"), kind="Violation fee （settlement fee） ", adjustment_id="902", adjustment_order_id=TOTE
    )
    samples = transaction(3, money(adjustment="-3"), kind="SAMPLE_SHIPPING_FEE", adjustment_id="903")
    reserve = transaction(4, money(), kind="RESERVE", reserve_id="56789910", reserve_amount="-12.00")
    parsed = parse(page([ads, violation, samples, reserve]))
    assert lines(parsed) == {
        ("adjustment", "GMV_PAYMENT_FOR_ADS", "adjustment"): D("-25.00"),
        ("adjustment", "Violation fee （settlement fee）", "adjustment"): D("-5"),
        ("adjustment", "SAMPLE_SHIPPING_FEE", "sample"): D("-3"),
        ("reserve", "RESERVE", "reserve"): D("-12.00"),
    }
    assert [(row.event, row.order, row.part) for row in parsed.vouchers] == [
        (EventKind.OTHER, "", "901"),
        (EventKind.OTHER, TOTE, "902"),
        (EventKind.OTHER, "", "903"),
        (EventKind.OTHER, "", S1),
    ]
    (statement,) = parsed.statements
    assert (statement.total, statement.reserve, statement.deposit, statement.complete) == (
        D("-33.00"),
        D("-12.00"),
        D("-45.00"),
        True,
    )


def test_pages_of_two_statements_in_two_currencies_are_one_document():
    first = page([transaction(1, sale(), order=TOTE)], total_count=2, next_page_token="abc")
    again = page([transaction(1, sale(), order=TOTE)], total_count=2)
    other = page([transaction(2, money({"subtotal_before_discount_amount": "1000"}), order="5")], statement=S2, currency="JPY")
    parsed = parse([first, again, other])
    assert [(row.outside_id, row.complete) for row in parsed.statements] == [(S1, False), (S2, True)]
    assert [row.currency for row in parsed.vouchers] == ["USD", "JPY"], "a transaction told by two pages counts once"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b'{"code":0,"data":{"transactions":[{"id":"1","revenue_breakdown":{"a":"1',
            "not complete JSON; it may be cut off at character",
        ),
        (
            {"code": 36009004, "message": "sign invalid", "request_id": "7", "data": {"transactions": [], "payable_amount": "0"}},
            "code 36009004: sign",
        ),
        (page([transaction(1, sale(), order="")]), "Transaction 1636700041413599201 of statement .* has no order_id"),
        (page([{**transaction(1, sale(), order=TOTE), "id": ""}]), "Transaction 1 of statement .* has no id"),
        (page([transaction(1, sale(), order=TOTE)], id=""), "which statement it belongs to"),
        (page([transaction(1, sale(), order=TOTE)], currency="dollars"), "'DOLLARS' is not a currency code"),
        (
            page([transaction(1, {**sale(), "fee_tax_breakdown": {"fee": {"referral_fee_amount": "much"}}}, order=TOTE)]),
            "referral_fee_amount: 'much' is not an amount",
        ),
        (
            page([transaction(1, {**sale(), "revenue_breakdown": {"subtotal_before_discount_amount": "1.00001"}}, order=TOTE)]),
            "more than four decimals",
        ),
        (page([transaction(1, sale(), order=TOTE)], create_time="tomorrow"), "'tomorrow' is not a time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(answer, words):
    with pytest.raises(DocumentError, match=words):
        parse(answer)


def test_an_error_answer_is_told_as_such():
    with pytest.raises(DocumentError, match="code 105002: Expired credentials"):
        parse({"code": 105002, "message": "Expired credentials", "request_id": "2026"}, kind="statements")


@given(
    st.dictionaries(
        st.sampled_from(["subtotal_before_discount_amount", "refund_subtotal_before_discount_amount", "new_revenue"]),
        st.integers(-9999, 9999),
    ),
    st.dictionaries(
        st.sampled_from(["referral_fee_amount", "affiliate_commission_amount", "affiliate_commission_amount_before_pit"]),
        st.integers(-9999, 9999),
    ),
    st.integers(-9999, 9999),
    st.integers(-9999, 9999),
)
def test_lines_always_add_up_to_the_settlement_whatever_the_totals_say(revenue, fee, fee_total, settlement):
    blocks = money({name: f"{cents / 100:.2f}" for name, cents in revenue.items()})
    blocks["fee_tax_breakdown"] = {"fee": {name: f"{cents / 100:.2f}" for name, cents in fee.items()}}
    blocks["fee_tax_amount"] = f"{fee_total / 100:.2f}"
    blocks["settlement_amount"] = f"{settlement / 100:.2f}"
    parsed = parse(page([transaction(1, blocks, order=TOTE)]))
    assert sum((line.amount for row in parsed.vouchers for line in row.lines), D(0)) == D(blocks["settlement_amount"])
