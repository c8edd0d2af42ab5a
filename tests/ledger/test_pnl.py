"""The P&L: clocks, rules as they were known, scopes, shops without orders, translation, filters, layout, commands."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal as D
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels import registry
from channels.models import Shop
from inventory.models import Listing, ListingComponent, Sku
from ledger.classify import compile_mappings
from ledger.models import FeeCategory, FeeType, LedgerIntake, Mapping, PnlMonth, Section
from ledger.pnl import Dimension, Question, Report, answer, display
from ledger.pnl_frame import OUTSIDE
from ledger.pnl_layout import LAYOUT, RATIOS, RowKind, Subtotal, layout
from ledger.pnl_lines import lines_behind
from tests.ledger.fake_channel import FakeChannel, fake_channel, make_company, take, voucher
from tests.ledger.pnl_world import LineSpec, World, approve_map, approve_scope, build_world

pytestmark = pytest.mark.django_db
JAN, FEB, MAR = "2026-01-01", "2026-02-01", "2026-03-01"


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


def line(
    fee: str,
    amount: str,
    day: int,
    *,
    shop: int = 0,
    listing: str = "",
    quantity: int | None = None,
    currency: str = "USD",
    delay: int = 0,
    statement: str = "",
    settled: bool = True,
    provisional: bool = False,
) -> LineSpec:
    return LineSpec(shop, listing, fee, D(amount), quantity, currency, day, delay, statement, settled, provisional)


def figures(report: Report) -> dict[tuple[str, ...], D]:
    return {cell.keys: cell.amount for cell in report.cells}


@pytest.fixture
def harbour() -> World:
    """Two shops: sales and fees over three months, an unknown fee, a reserve that is no P&L money."""
    return build_world(
        [
            line("sale", "100", 4, listing="TEE", quantity=2, delay=30, statement="S1"),
            line("sale", "60", 45, listing="MUG", quantity=1, statement="S3"),
            line("fee", "-15", 4, delay=30, statement="S1"),
            line("fee", "-9", 62, settled=False, provisional=True),
            line("ads", "-20", 10, shop=1, statement="S2"),
            line("ads", "-30", 40, shop=1),
            line("odd", "-1.5", 40),
            line("reserve", "-50", 40),
        ],
        scopes=[],
    )


def ask(world: World, *by: Dimension, **changes: object) -> Report:
    return answer(replace(Question(world.company, by), **changes))


def test_months_by_category_with_unknown_money_in_suspense_and_no_balance_sheet(harbour):
    assert figures(ask(harbour, Dimension.MONTH, Dimension.CATEGORY)) == {
        (JAN, "rev.product"): D(100),
        (JAN, "plt.referral"): D(-15),
        (JAN, "mkt.ads_other"): D(-20),
        (FEB, "rev.product"): D(60),
        (FEB, "mkt.ads_other"): D(-30),
        (FEB, "adj.unmapped"): D("-1.5"),
        (MAR, "pay.processing"): D(-9),
    }


def test_cells_stand_in_the_order_of_the_layout_and_keys_have_words(harbour):
    report = ask(harbour, Dimension.CATEGORY, Dimension.SHOP)
    assert [cell.keys[0] for cell in report.cells] == [
        "rev.product", "plt.referral", "pay.processing", "mkt.ads_other", "adj.unmapped",
    ]  # fmt: skip
    assert report.labels[Dimension.CATEGORY]["plt.referral"] == "Referral / commission"
    assert report.labels[Dimension.SHOP][harbour.shops[0].code] == "Harbour on Fake"


def test_each_clock_answers_from_its_own_date(harbour):
    assert figures(ask(harbour, Dimension.MONTH, clock="event"))[(JAN,)] == D(65)
    assert figures(ask(harbour, Dimension.MONTH, clock="posted")) == {(JAN,): D(-20), (FEB,): D("113.5"), (MAR,): D(-9)}
    paid = ask(harbour, Dimension.MONTH, clock="paid")
    assert figures(paid) == {(MAR,): D(85), ("2026-04-01",): D(-20), ("",): D("19.5")}
    assert paid.labels[Dimension.MONTH][""] == "No payout day"
    assert paid.cells[-1].keys == ("",), "what is not paid stands last"


def test_a_question_about_the_past_does_not_hold_what_is_not_paid_yet(harbour):
    past = ask(harbour, Dimension.MONTH, clock="paid", start=date(2026, 3, 1), end=date(2026, 4, 1))
    assert figures(past) == {(MAR,): D(85)}


def test_weeks_begin_on_monday_and_days_are_days(harbour):
    weeks = ask(harbour, Dimension.WEEK, filters={Dimension.CATEGORY: ("rev.product",)})
    assert figures(weeks) == {("2026-01-05",): D(100), ("2026-02-09",): D(60)}
    assert weeks.labels[Dimension.WEEK]["2026-01-05"] == "2026-W02"
    days = ask(harbour, Dimension.DAY, start=date(2026, 1, 5), end=date(2026, 1, 6))
    assert figures(days) == {("2026-01-05",): D(85)}


def test_shares_say_how_much_is_settled_mapped_and_sure(harbour):
    report = ask(harbour, Dimension.MONTH)
    whole = D("235.5")
    assert report.share_settled == (whole - 9) / whole
    assert report.share_mapped == (whole - D("1.5")) / whole
    assert report.share_provisional == D(9) / whole
    nothing = ask(harbour, Dimension.MONTH, start=date(2030, 1, 1))
    assert (nothing.cells, nothing.share_settled, nothing.share_mapped) == ((), None, None)


def test_the_pnl_under_the_rules_as_they_were_known(harbour):
    before = timezone.now()
    Mapping.objects.filter(company=harbour.company).update(known_from="2026-01-01T00:00Z")
    approve_map(harbour.company, "odd", "plt.penalty")
    compile_mappings(company=harbour.company)
    assert figures(ask(harbour, Dimension.CATEGORY))["plt.penalty",] == D("-1.5")
    then = ask(harbour, Dimension.CATEGORY, known_at=before)
    assert figures(then)["adj.unmapped",] == D("-1.5")
    assert then.as_of == before
    assert ("rev.product",) in figures(then)
    assert set(figures(ask(harbour, Dimension.CATEGORY, known_at=before.replace(year=2020)))) == {("adj.unmapped",)}


def test_a_mapping_holds_from_its_month_by_the_event_date_on_every_clock():
    world = build_world([line("fee", "-1", 58, delay=20), line("fee", "-2", 59), line("fee", "-4", 75)], scopes=[])
    for clock in ("event", "posted", "paid"):
        assert figures(ask(world, Dimension.CATEGORY, clock=clock)) == {
            ("plt.referral",): D(-1),
            ("pay.processing",): D(-6),
        }, "28 February is before the first of March, whenever it was posted"


def test_money_outside_the_unified_scope_is_on_the_channel_page_only_and_memo_nowhere(harbour):
    approve_scope(harbour.company, "mkt.ads_other", "channel", start=date(2026, 2, 1))
    approve_scope(harbour.company, "plt.referral", "memo")
    unified = figures(ask(harbour, Dimension.MONTH, Dimension.CATEGORY))
    page = figures(ask(harbour, Dimension.MONTH, Dimension.CATEGORY, scope="fake"))
    assert unified[JAN, "mkt.ads_other"] == D(-20)
    assert (FEB, "mkt.ads_other") not in unified
    assert page[FEB, "mkt.ads_other"] == D(-30)
    assert (JAN, "plt.referral") not in unified | page


def test_scope_rules_can_be_seen_as_they_were_known(harbour):
    question = Question(harbour.company, (Dimension.CATEGORY,), known_at=timezone.now())
    approve_scope(harbour.company, "mkt.ads_other", "memo")
    with connection.cursor() as cursor:  # history is written with the transaction's time: move it after the question
        cursor.execute("UPDATE ledger_scoperuleevent SET pgh_created_at = now() + interval '1 hour'")
    Mapping.objects.filter(company=harbour.company).update(known_from="2026-01-01T00:00Z")
    assert ("mkt.ads_other",) in figures(answer(question))
    assert ("mkt.ads_other",) not in figures(answer(replace(question, known_at=None)))


def test_unmapped_money_is_never_hidden_by_a_scope(harbour):
    approve_scope(harbour.company, "adj.unmapped", "memo")
    assert figures(ask(harbour, Dimension.CATEGORY))["adj.unmapped",] == D("-1.5")


class OrderChannel(FakeChannel):
    code = "orders"
    label = "Order market"
    revenue_kinds = frozenset({"detail"})


def test_a_shop_without_its_orders_is_left_out_of_the_unified_pnl_and_named(harbour):
    channels = {**registry.adapters(), "orders": OrderChannel()}
    with mock.patch.object(registry, "adapters", lambda: channels):
        shop = Shop.objects.create(company=harbour.company, code="store", name="Harbour store", channel="orders")
        document, _ = take(shop, harbour.company, "books", [voucher("statement", "X", [("fee", "-7")])])
        report = ask(harbour, Dimension.SHOP)
        assert report.cash_side_only == ("store",)
        assert report.shop_names["store"] == "Harbour store"
        assert ("store",) not in figures(report)
        page = ask(harbour, Dimension.SHOP, scope="orders")
        assert (figures(page), page.cash_side_only) == ({("store",): D(-7)}, ())
        LedgerIntake.objects.create(company=harbour.company, document=document, state="taken")
        assert ask(harbour, Dimension.SHOP).cash_side_only == ("store",), "the taken document is no order"
        with mock.patch.object(OrderChannel, "revenue_kinds", frozenset({"books"})):
            whole = ask(harbour, Dimension.SHOP)
        assert (whole.cash_side_only, figures(whole)["store",]) == ((), D(-7))


def test_another_currency_is_a_translation_at_the_rates_of_the_event_days():
    world = build_world([line("sale", "110", 5), line("sale", "125", 45), line("sale", "10", 45, currency="EUR")], scopes=[])
    base = ask(world, Dimension.MONTH)
    assert (figures(base), base.translated) == ({(JAN,): D(110), (FEB,): D("137.5")}, False)
    report = ask(world, Dimension.MONTH, currency="EUR")
    assert (report.currency, report.translated) == ("EUR", True)
    assert figures(report) == {(JAN,): D(110) * D("0.9090909091"), (FEB,): D(110)}
    assert ask(world, Dimension.CURRENCY).labels[Dimension.CURRENCY] == {"EUR": "EUR", "USD": "USD"}


def test_money_without_a_rate_is_listed_and_its_lines_stay():
    world = build_world([line("sale", "10", 5), line("sale", "99.5", 5, currency="CHF")], scopes=[])
    for currency in ("", "EUR"):
        report = ask(world, Dimension.CURRENCY, currency=currency)
        assert report.unrated == (("CHF", D("99.5")),)
        assert {cell.keys: cell.lines for cell in report.cells} == {("CHF",): 1, ("USD",): 1}
        assert figures(report)["CHF",] == 0
    page = lines_behind(Question(world.company, (Dimension.CURRENCY,)), ("CHF",))
    assert [(row.amount, row.converted, row.rate) for row in page.rows] == [(D("99.5"), None, None)]


def test_a_kit_gives_its_money_to_its_skus_and_the_rest_to_the_largest(harbour):
    company = harbour.company
    listing = Listing.objects.get(company=company, code="TEE")
    for code, share in (("SHIRT", "1"), ("BOX", "1"), ("CARD", "1")):
        sku = Sku.objects.create(company=company, code=code, brand="North" if code != "CARD" else "", tags=[code.lower(), "kit"])
        ListingComponent.objects.create(company=company, listing=listing, sku=sku, share=D(share), quantity=2)
    january = {"start": date(2026, 1, 1), "end": date(2026, 2, 1), "filters": {Dimension.CATEGORY: ("rev.product",)}}
    report = ask(harbour, Dimension.SKU, **january)
    assert figures(report) == {("BOX",): D("33.333333"), ("CARD",): D("33.333333"), ("SHIRT",): D("33.333334")}
    assert {cell.keys[0]: cell.quantity for cell in report.cells} == {"BOX": 4, "CARD": 4, "SHIRT": 4}
    assert figures(ask(harbour, Dimension.BRAND, **january)) == {("North",): D("66.666667"), ("",): D("33.333333")}
    assert [cell.lines for cell in ask(harbour, Dimension.BRAND, **january).cells] == [1, 1]
    tags = ask(harbour, Dimension.TAG, **january)
    assert set(figures(tags)) == {("box, kit",), ("card, kit",), ("kit, shirt",)}
    one_tag = {**january, "filters": {Dimension.TAG: ("kit",), Dimension.CATEGORY: ("rev.product",)}}
    assert figures(ask(harbour, **one_tag)) == {(): D(100)}
    with pytest.raises(ValueError, match="There is no tag nosuch"):
        ask(harbour, filters={Dimension.TAG: ("nosuch",)})


def test_a_component_holds_from_its_first_day_to_the_day_before_its_last():
    world = build_world([line("sale", str(10**n), day, listing="TEE") for n, day in enumerate((8, 9, 19, 20))], scopes=[])
    company = world.company
    sku = Sku.objects.create(company=company, code="SHIRT")
    ListingComponent.objects.create(
        company=company,
        listing=Listing.objects.get(company=company, code="TEE"),
        sku=sku,
        valid_from=date(2026, 1, 10),
        valid_to=date(2026, 1, 21),
    )
    report = ask(world, Dimension.SKU)
    assert figures(report) == {("SHIRT",): D(110), ("",): D(1001)}
    assert report.labels[Dimension.SKU][""] == "Unallocated"


def test_a_listing_is_named_with_its_shop_and_found_by_its_code_alone():
    world = build_world([line("sale", "1", 4, listing="TEE"), line("sale", "2", 4, listing="TEE", shop=1)], scopes=[])
    first, second = (shop.code for shop in world.shops)
    assert figures(ask(world, Dimension.LISTING)) == {(f"{first}/TEE",): D(1), (f"{second}/TEE",): D(2)}
    assert figures(ask(world, filters={Dimension.LISTING: (f"{second}/TEE",)})) == {(): D(2)}
    assert figures(ask(world, filters={Dimension.LISTING: ("TEE",)})) == {(): D(3)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"by": (Dimension.MONTH, Dimension.WEEK)}, "one of month, week and day"),
        ({"by": (Dimension.SHOP, Dimension.SHOP)}, "twice"),
        ({"by": ("colour",)}, "There is no dimension 'colour'"),
        ({"clock": "lunar"}, "There is no clock 'lunar'"),
        ({"scope": "ebay"}, "There is no scope 'ebay'"),
        ({"currency": "euro"}, "'euro' is no currency"),
        ({"currency": "XAU"}, "There is no exchange rate for XAU"),
        ({"start": date(2026, 2, 1), "end": date(2026, 1, 1)}, "before it starts"),
        ({"filters": {Dimension.SHOP: ("atlantis",)}}, "There is no shop atlantis"),
        ({"filters": {Dimension.CHANNEL: ("ebay",)}}, "There is no channel ebay"),
        ({"filters": {Dimension.MARKETPLACE: ("amazon.zz",)}}, "There is no marketplace amazon.zz"),
        ({"filters": {Dimension.CATEGORY: ("rev.gold",)}}, "There is no category rev.gold"),
        ({"filters": {Dimension.SECTION: ("wishes",)}}, "There is no section 'wishes'"),
        ({"filters": {Dimension.FEE_TYPE: ("fee",)}}, "'fee' is no fee type"),
        ({"filters": {Dimension.FEE_TYPE: ("999999999",)}}, "There is no fee type 999999999"),
        ({"filters": {Dimension.STATE: ("sure",)}}, "There is no state 'sure'"),
        ({"filters": {Dimension.LISTING: ("GHOST",)}}, "There is no listing GHOST"),
        ({"filters": {Dimension.SKU: ("GHOST",)}}, "There is no sku GHOST"),
        ({"filters": {Dimension.PRODUCT_GROUP: ("GHOST",)}}, "There is no product group GHOST"),
        ({"filters": {Dimension.MONTH: ("2026-01-02",)}}, "not the first day of a month"),
        ({"filters": {Dimension.WEEK: ("2026-01-06",)}}, "not a Monday"),
        ({"filters": {Dimension.DAY: ("yesterday",)}}, "'yesterday' is no day"),
        ({"filters": {"colour": ("red",)}}, "There is no dimension 'colour'"),
    ],
)
def test_a_word_that_means_nothing_is_named(harbour, changes, reason):
    with pytest.raises(ValueError, match=reason):
        answer(replace(Question(harbour.company), **changes))


def test_filters_by_what_has_none_ask_for_the_rest(harbour):
    assert figures(ask(harbour, filters={Dimension.LISTING: ("",)})) == {(): D("-75.5")}
    assert figures(ask(harbour, filters={Dimension.SKU: ("",)})) == {(): D("84.5")}
    assert figures(ask(harbour, filters={Dimension.SHOP: ()})) == {(): D("84.5")}, "an empty filter asks for nothing special"


def test_another_company_is_never_in_the_figures(harbour):
    other = build_world([line("sale", "1000", 4, listing="TEE")], scopes=[])
    assert figures(ask(harbour)) == {(): D("84.5")}
    assert figures(ask(other)) == {(): D(1000)}
    with pytest.raises(ValueError, match="There is no shop"):
        ask(harbour, filters={Dimension.SHOP: (other.shops[0].code,)})


@pytest.mark.parametrize(
    ("by", "changes", "most"),
    [
        ((Dimension.MONTH, Dimension.CATEGORY), {}, 3),
        ((Dimension.MONTH, Dimension.CATEGORY), {"filters": {Dimension.LISTING: ("TEE",)}}, 4),
        ((Dimension.DAY, Dimension.CHANNEL, Dimension.SHOP, Dimension.STATE), {"currency": "EUR"}, 3),
        ((Dimension.MONTH, Dimension.CATEGORY, Dimension.SKU), {"clock": "paid"}, 4),
        ((Dimension.FEE_TYPE, Dimension.LISTING), {}, 5),
    ],
)
def test_a_question_takes_few_statements_however_much_there_is(harbour, by, changes, most):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(harbour, *by, **changes)
    assert len(queries) <= most


def test_lines_take_few_statements_too(harbour):
    question = Question(harbour.company, (Dimension.MONTH, Dimension.CATEGORY))
    with CaptureQueriesContext(connection) as queries:
        lines_behind(question, (JAN, "rev.product"))
    assert len(queries) <= 5


def test_a_line_says_where_it_comes_from(harbour):
    question = Question(harbour.company, (Dimension.MONTH, Dimension.CATEGORY))
    page = lines_behind(question, (JAN, "rev.product"))
    (row,) = page.rows
    assert (page.count, page.amount, page.currency, page.after) == (1, D(100), "USD", "")
    assert (row.amount, row.converted, row.share, row.rate, row.quantity) == (D(100), D(100), D(1), D(1), 2)
    assert (row.event_on, row.posted_on, row.paid_on) == (date(2026, 1, 5), date(2026, 2, 4), date(2026, 3, 10))
    assert (row.fee_type, row.category, row.category_name, row.mapped) == ("fees / sale", "rev.product", "Product sales", True)
    assert (row.listing, row.shop, row.statement, row.state) == ("TEE", harbour.shops[0].code, "S1", "settled")
    assert (row.active, row.reversal, row.provisional) == (True, False, False)
    with pytest.raises(ValueError, match="no place"):
        lines_behind(question, (JAN, "rev.product"), after="somewhere")
    with pytest.raises(ValueError, match="2 keys"):
        lines_behind(question, (JAN,))


def test_every_category_is_in_exactly_one_line_of_the_layout():
    sections = [line.value for line in LAYOUT if isinstance(line, Section)]
    assert len(sections) == len(set(sections))
    assert set(sections) | set(OUTSIDE) == set(Section.values)
    assert not set(sections) & set(OUTSIDE)
    places = {code: [*sections, *OUTSIDE].count(section) for code, section in FeeCategory.objects.values_list("code", "section")}
    assert len(places) == 84
    assert set(places.values()) == {1}


#: FEE_CATEGORIES.md, "P&L layout": what belongs to which line; `*` stands for the rest of a family.
TABLE = {
    "gross_sales": ("rev.product", "rev.shipping", "rev.giftwrap"),
    "discounts": ("rev.discount_seller", "rev.shipping_discount"),
    "refunds": ("ref.*",),
    "cost_of_goods": ("cogs.*", "tax.duty", "rmb.inventory", "rmb.clawback"),
    "platform": ("plt.*", "pay.*", "tax.fee_vat"),
    "fulfilment": ("ful.*", "inb.*", "sto.*"),
    "ads": ("mkt.ads_*", "mkt.promo_fee"),
    "creators": ("mkt.affiliate*", "mkt.creator_fee", "mkt.sample_*"),
    "other": ("rmb.*", "adj.*"),
    "overheads": ("plt.subscription", "opx.*"),
    "finance": ("fin.*", "pay.fx_margin"),
    "balance_sheet": ("bs.*",),
    "memo": ("memo", "rev.discount_platform"),
}


def test_the_sections_are_those_of_the_published_layout():
    exact = {word: section for section, words in TABLE.items() for word in words if not word.endswith("*")}
    families = {word[:-1]: section for section, words in TABLE.items() for word in words if word.endswith("*")}
    for code, section in FeeCategory.objects.values_list("code", "section"):
        wanted = exact.get(code) or next(section for family, section in families.items() if code.startswith(family))
        assert section == wanted, code


def test_subtotals_add_up_what_stands_above_them():
    above: list[str] = []
    for entry in LAYOUT:
        if isinstance(entry, Subtotal):
            assert list(entry.sections) == above
        else:
            above.append(entry.value)
    assert [entry.key for entry in LAYOUT if isinstance(entry, Subtotal)] == [
        "net_sales", "gross_profit", "contribution_1", "contribution_2", "operating_profit", "result",
    ]  # fmt: skip


def test_the_layout_adds_up_and_knows_its_ratios(harbour):
    table = layout(ask(harbour, Dimension.MONTH, Dimension.CATEGORY), total=True)
    assert table.columns == (JAN, FEB, MAR, "total")
    assert table.labels == ("Jan 2026", "Feb 2026", "Mar 2026", "Total")
    rows = {row.code: row.amounts for row in table.rows}
    assert rows["net_sales"] == (D(100), D(60), D(0), D(160))
    assert rows["contribution_1"] == (D(85), D(60), D(-9), D(136))
    assert rows["contribution_2"] == (D(65), D(30), D(-9), D(86))
    assert rows["operating_profit"] == rows["result"] == (D(65), D("28.5"), D(-9), D("84.5"))
    assert rows["take_rate"] == (D("0.15"), D(0), None, D("0.15"))
    assert {row.code for row in table.rows if row.kind is RowKind.RATIO} == {ratio.key for ratio in RATIOS}
    with pytest.raises(ValueError, match="by one dimension and category"):
        layout(ask(harbour, Dimension.CATEGORY, Dimension.MONTH))


def test_periods_without_money_between_others_are_columns_too():
    world = build_world([line("sale", "1", 0), line("sale", "1", 70)], scopes=[])
    assert layout(ask(world, Dimension.MONTH, Dimension.CATEGORY)).columns == (JAN, FEB, MAR)
    assert layout(ask(world, Dimension.CATEGORY)).columns == ("total",)


def test_rollup_rows_that_add_up_to_nothing_leave_no_cell(harbour):
    shop, company = harbour.shops[0], harbour.company
    by = (Dimension.FEE_TYPE, Dimension.MARKETPLACE)
    before = figures(ask(harbour, *by))
    first, second = (voucher("statement", "Z", [(name, "5")], order="Z", statement="Z") for name in ("gone", "stays"))
    take(shop, company, "books", [first])
    take(shop, company, "books", [second])
    assert PnlMonth.objects.filter(company=company, fee_type__name="gone", lines=0).exists()
    names = dict(FeeType.objects.values_list("pk", "name"))
    new = {keys: amount for keys, amount in figures(ask(harbour, *by)).items() if keys not in before}
    assert [(names[int(keys[0])], amount) for keys, amount in new.items()] == [("stays", D(5))]


def test_amounts_are_shown_rounded_and_zero_as_a_dash():
    assert display(D("-1234567.895"), "USD") == "\N{MINUS SIGN}1,234,567.90"
    assert (display(D("0.004"), "USD"), display(D("1234.5"), "JPY")) == ("\N{EN DASH}", "1,234")


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_layout(harbour):
    text = run("pnl", harbour.company.code)
    assert f"P&L of {harbour.company.name}, USD, by event date" in text
    for word in ("Jan 2026", "Mar 2026", "Total", "Product sales", "Net sales", "Contribution 2", "Take rate", "15.0 %"):
        assert word in text
    assert "on approved rules 99.4 %" in text
    assert "160.00" in next(row for row in text.splitlines() if "Net sales" in row)


def test_the_command_nests_other_dimensions_and_keeps_filters(harbour):
    text = run("pnl", harbour.company.code, "--by", "month,shop,category", "--only", "section=ads")
    assert "Harbour outlet" in text
    assert "Product sales" not in text
    assert "\N{MINUS SIGN}50.00" in text


def test_json_has_exact_amounts_as_strings_and_a_key_for_each_dimension(harbour):
    found = json.loads(run("pnl", harbour.company.code, "--by", "month,category", "--json"))
    assert found["total"] == "84.50"
    assert {
        "month": FEB,
        "category": "adj.unmapped",
        "amount": "-1.50",
        "settled": "-1.50",
        "unmapped": "-1.50",
        "provisional": "0.00",
        "quantity": "0",
        "lines": 1,
    } in found["cells"]
    assert found["labels"]["month"][FEB] == "Feb 2026"
    assert found["share_mapped"] == "0.993631"
    net = next(row for row in found["layout"] if row["code"] == "net_sales")
    assert net["amounts"] == {JAN: "100.00", FEB: "60.00", MAR: "0.00", "total": "160.00"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "There is no company nowhere"),
        (["{company}", "--by", "colour"], "no dimension 'colour'"),
        (["{company}", "--from", "soon"], "'soon' is no day"),
        (["{company}", "--only", "shop"], "'shop' is no filter"),
        (["{company}", "--currency", "ABC"], "no exchange rate for ABC"),
    ],
)
def test_the_command_ends_with_two_when_its_words_mean_nothing(harbour, words, reason):
    with pytest.raises(CommandError, match=reason) as caught:
        run("pnl", *(word.format(company=harbour.company.code) for word in words))
    assert caught.value.returncode == 2


def test_fee_types_are_listed_with_the_money_at_stake(harbour):
    unmapped = json.loads(run("fee_types", harbour.company.code, "--unmapped", "--json"))
    assert [(row["name"], row["base_amount"], row["at_stake"], row["lines"], row["category"]) for row in unmapped] == [
        ("odd", "-1.50", "1.50", 1, None)
    ]
    assert unmapped[0]["amounts"] == {"USD": "-1.50"}
    assert unmapped[0]["example"]["amount"] == "-1.50"
    every = json.loads(run("fee_types", harbour.company.code, "--json"))
    assert {row["category"] for row in every} >= {"rev.product", "bs.reserve", None}
    assert "odd" in run("fee_types", harbour.company.code, "--unmapped")
    company, _shop = make_company()
    assert "on an approved rule" in run("fee_types", company.code, "--unmapped")
