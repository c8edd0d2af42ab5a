"""One money, one source: every order of importing all that TikTok tells gives the figures of the statements alone."""

from __future__ import annotations

import itertools
from decimal import Decimal as D

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import Shop
from ledger.intake import import_file, withdraw
from ledger.models import LedgerIntake, PnlDay, Statement, Voucher
from nova.models import Company, User
from tests.channels.tiktok.answers import (
    CLOSED,
    DAY,
    S1,
    S2,
    body,
    money,
    order_page,
    page,
    payment_row,
    sku_row,
    statement_row,
    statements_page,
    transaction,
    unsettled_page,
    unsettled_transaction,
    wrap,
)
from tests.channels.tiktok.files import SEA_HEAD, UNSETTLED_HEAD, US_HEAD, csv_file, xlsx_file

pytestmark = pytest.mark.django_db

TOTE, MUG, LAMP, WAITING = "576463220456522968", "576463220456522969", "576463220456522970", "576463220456522971"
_numbers = itertools.count(1)


def _sale(gross: str, fee: str, prefix: str = "") -> dict:
    return money({"subtotal_before_discount_amount": gross}, fee={"referral_fee_amount": fee}, prefix=prefix)


def _refund(gross: str, fee: str) -> dict:
    return money({"refund_subtotal_before_discount_amount": gross}, fee={"referral_fee_amount": fee})


def _mixed(gross: str, refund: str, fee: str, admin: str = "0") -> dict:
    return money(
        {"subtotal_before_discount_amount": gross, "refund_subtotal_before_discount_amount": refund},
        fee={"referral_fee_amount": fee, "refund_administration_fee_amount": admin},
    )


def documents() -> dict[str, bytes]:
    """All that a shop can be told of two statements and one order that is not settled yet."""
    first = page(
        [
            transaction(1, _sale("100", "-6"), order=TOTE),
            transaction(2, _mixed("50", "-20", "-1.80", "-0.24"), order=MUG),
            transaction(3, money(adjustment="-25"), kind="GMV_PAYMENT_FOR_ADS", adjustment_id="9010000000000000001"),
        ]
    )
    second = page(
        [
            transaction(4, _refund("-100", "4.80"), order=TOTE),
            transaction(5, _sale("30", "-1.80"), order=LAMP),
            transaction(
                6, money(adjustment="-7"), kind="CHARGE_BACK", adjustment_id="9010000000000000002", adjustment_order_id=LAMP
            ),
            transaction(7, money(), kind="RESERVE", reserve_id="77", reserve_amount="-10"),
        ],
        statement=S2,
        closed=CLOSED + DAY,
    )
    unsettled = unsettled_page(
        [
            unsettled_transaction(1, _sale("101", "-6.06", "est_"), order=TOTE),
            unsettled_transaction(2, _sale("40", "-2.40", "est_"), order=WAITING),
            unsettled_transaction(
                3, money(adjustment="-26", prefix="est_"), kind="GMV_PAYMENT_FOR_ADS", adjustment_id="9010000000000000001"
            ),
        ]
    )
    us_rows = [
        _us(
            S1,
            TOTE,
            sku="1729",
            **{"Total settlement amount": "94", "Net sales": "100", "Gross sales": "100", "Fees": "-6", "Referral fee": "-6"},
        ),
        _us(
            S2,
            TOTE,
            sku="1729",
            **{
                "Total settlement amount": "-95.20",
                "Net sales": "-100",
                "Gross sales refund": "-100",
                "Fees": "4.80",
                "Referral fee": "4.80",
            },
        ),
        _us(
            S1,
            MUG,
            **{
                "Total settlement amount": "27.96",
                "Net sales": "30",
                "Gross sales": "50",
                "Gross sales refund": "-20",
                "Fees": "-2.04",
                "Referral fee": "-1.80",
                "Refund administration fee": "-0.24",
            },
        ),
        _us(
            S1,
            "9010000000000000001",
            kind="GMV Payment for TikTok Ads",
            **{"Total settlement amount": "-25", "Adjustment amount": "-25"},
        ),
        _us(
            S2,
            "9010000000000000002",
            kind="Chargeback",
            **{"Total settlement amount": "-7", "Adjustment amount": "-7", "Related order ID": LAMP},
        ),
    ]
    sea_rows = [
        _sea(
            TOTE,
            "2026/06/16",
            **{
                "Total settlement amount": "94.1",
                "Total revenue": "100.1",
                "Subtotal before discounts": "100.1",
                "Total fees": "-6",
                "TikTok Shop commission fee": "-6",
            },
        ),
        _sea(
            TOTE,
            "2026/06/17",
            **{
                "Total settlement amount": "-95.20",
                "Total revenue": "-100",
                "Refund subtotal before seller discounts": "-100",
                "Total fees": "4.80",
                "TikTok Shop commission fee": "4.80",
            },
        ),
        _sea(
            "9010000000000000001",
            "2026/06/16",
            kind="GMV Payment for TikTok Ads",
            **{"Total settlement amount": "-25.5", "Ajustment amount": "-25.5"},
        ),
    ]
    waiting = [
        {"Type": "Order", "Order/adjustment ID": order, "Related order ID": order, "creation date": "2026/06/12", "SKU ID": "1729", "Quantity": "1",
         "Total estimated settlement amount": "37.5", "Net sales": "40", "Gross sales": "40", "Fees": "-2.5", "Referral fee": "-2.5"}
        for order in (WAITING, LAMP)
    ]  # fmt: skip
    return {
        "statements": body(
            statements_page(
                [statement_row("96.96", payment="345"), statement_row("-74.00", statement=S2, closed=CLOSED + DAY, payment="345")]
            )
        ),
        "first": body(first),
        "second": body(second),
        "tote": body(order_page(TOTE, [sku_row("1729", S1, _sale("60", "-3.60")), sku_row("1730", S1, _sale("40", "-2.40")),
                                       sku_row("1729", S2, _refund("-60", "2.88")), sku_row("1730", S2, _refund("-40", "1.92"))])),
        "mug": body(order_page(MUG, [sku_row("1731", S1, _mixed("50", "-20", "-1.80", "-0.24"), quantity=2)])),
        "unsettled": body(unsettled),
        "payments": body(wrap({"payments": [payment_row("345", "12.96")]})),
        "export": csv_file(US_HEAD, us_rows),
        "other edition": xlsx_file(SEA_HEAD, sea_rows),
        "unsettled export": csv_file(UNSETTLED_HEAD, waiting, banners=["Unsettled orders", "Figures are estimates", "", "Time zone: UTC"]),
    }  # fmt: skip


def _us(statement: str, outside_id: str, *, kind: str = "Order", sku: str = "/", **more: str) -> dict[str, str]:
    day = "2026/06/16" if statement == S1 else "2026/06/17"
    return {
        "Statement date": day, "Statement ID": statement, "Payment ID": "345", "Currency": "USD", "Type": kind,
        "Order/adjustment ID": outside_id, "SKU ID": sku, "Quantity": "1" if sku != "/" else "/", "Order created date": "2026/06/12", **more,
    }  # fmt: skip


def _sea(outside_id: str, day: str, *, kind: str = "Order", **more: str) -> dict[str, str]:
    return {
        "Order/adjustment ID": outside_id, "Type": kind, "Order created time(UTC)": "2026/06/12 10:30:00", "Order settled time(UTC)": day,
        "Currency": "USD", **more,
    }  # fmt: skip


def make_shop() -> tuple[Company, Shop]:
    number = next(_numbers)
    company = Company.objects.create(code=f"lantern-{number}", name=f"Lantern Works {number}", currency="USD", time_zone="UTC")
    return company, Shop.objects.create(
        company=company, code=f"tiktok-{number}", name="Lantern on TikTok", channel="tiktok", region="US"
    )


def figures(company: Company, state: str) -> dict[tuple[str, ...], D]:
    """Sums of what counts, by fee type and dates, whatever the listing."""
    rows = (
        PnlDay.objects.filter(company=company, state=state)
        .values_list(
            "fee_type__path", "fee_type__name", "fee_type__context", "currency", "event_on", "posted_on", "statement__outside_id"
        )
        .annotate(money=Sum("amount"))
    )
    return {tuple(map(str, row[:-1])): row[-1] for row in rows if row[-1]}


def load(shop: Shop, names: list[str]) -> None:
    files = documents()
    for name in names:
        intake = import_file(shop=shop, body=files[name], filename=f"{name}.dat", confirm=True)
        assert intake.state == LedgerIntake.State.TAKEN, (name, intake.error, intake.question)


def test_the_statements_alone_add_up():
    company, shop = make_shop()
    load(shop, ["statements", "first", "second"])
    found = figures(company, "settled")
    assert sum(found.values()) == D("96.96") + D("-74.00") - D("10")
    assert not [key for key in found if key[2] == "remainder"]
    assert sorted(Statement.objects.filter(company=company).values_list("complete", "total", "payout_ref")) == [
        (True, D("-74.0000"), "345"),
        (True, D("96.9600"), "345"),
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(sorted(documents())))
def test_every_order_of_import_gives_the_figures_of_the_statements_alone(order):
    alone, alone_shop = make_shop()
    load(alone_shop, ["statements", "first", "second"])
    company, shop = make_shop()
    load(shop, order)
    assert figures(company, "settled") == figures(alone, "settled")
    waiting = {key[1]: amount for key, amount in figures(company, "preliminary").items()}
    assert waiting == {"subtotal_before_discount_amount": D("40.0000"), "referral_fee_amount": D("-2.4000")}
    by_sku = dict(
        PnlDay.objects.filter(company=company, fee_type__path="revenue_breakdown", state="settled", listing__isnull=False)
        .values_list("listing__code")
        .annotate(money=Sum("amount"))
        .exclude(money=0)
    )
    assert by_sku == {"1731": D("30.0000")}, "the order by SKU tells which article the statement's money belongs to"
    quantity = PnlDay.objects.filter(company=company, state="settled").aggregate(units=Sum("quantity"))["units"]
    assert quantity == 2


def test_exports_count_where_no_statement_transactions_are_there_and_once():
    company, shop = make_shop()
    load(shop, ["export"])
    alone = figures(company, "settled")
    assert sum(alone.values()) == D("94") - D("95.20") + D("27.96") - D("25") - D("7")
    company, shop = make_shop()
    load(shop, ["other edition", "export"])
    assert figures(company, "settled") == alone


def test_a_withdrawn_statement_lets_the_export_count_again():
    company, shop = make_shop()
    load(shop, ["export"])
    before = figures(company, "settled")
    load(shop, ["first", "second", "tote"])
    staff = User.objects.create(username=f"ada-{next(_numbers)}")
    for intake in LedgerIntake.objects.filter(
        company=company, document__kind__in=["statement_transactions", "order_transactions"]
    ):
        withdraw(document=intake.document, reason="of another shop", user=staff)
    assert figures(company, "settled") == before
    assert Voucher.objects.filter(company=company, active=True).exclude(family__startswith="export").count() == 0
