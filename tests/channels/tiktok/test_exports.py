"""Exports of Seller Center in the editions seen: found below banners, read to the cent, refused in plain words."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapter import DocumentError, Source
from channels.records import ANY_PART, EventKind, EventSource, ParsedDocument
from channels.tiktok.adapter import adapter
from tests.channels.tiktok.answers import S1
from tests.channels.tiktok.files import SEA_HEAD, UNSETTLED_HEAD, US_HEAD, csv_file, xlsx_file

TOTE, MUG = "576463220456522968", "576463220456522969"
BANNERS = ["Unsettled orders", "Time zone: UTC-8, all amounts in USD, see the help center, or ask", "", "Exported 2026/06/20"]


def parse(body: bytes, kind: str = "income_export", **more: object) -> ParsedDocument:
    found = adapter.recognise(body, "export")
    assert found is not None and (found.kind, found.unknown_columns) == (kind, False)
    return adapter.parse(Source(body=body, kind=kind, **{"region": "US", **more}))  # type: ignore[arg-type]


def by_name(parsed: ParsedDocument) -> dict[str, D]:
    found: dict[str, D] = {}
    for voucher in parsed.vouchers:
        for line in voucher.lines:
            assert line.amount
            found[f"{line.path}/{line.name}"] = found.get(f"{line.path}/{line.name}", D(0)) + line.amount
    return found


def us(**more: str) -> dict[str, str]:
    return {
        "Statement date": "2026/06/16",
        "Statement ID": S1,
        "Payment ID": "345",
        "Currency": "USD",
        "Type": "Order",
        "Order/adjustment ID": TOTE,
        "SKU ID": "1729440158393635811",
        "Quantity": "2",
        "Product name": "Tote bag",
        "SKU name": "Blue",
        "Order created date": "2026/06/12",
        "Order delivery date": "2026/06/14",
        "Total settlement amount": "1,092.24",
        "Net sales": "1,180.00",
        "Gross sales": "1,200.00",
        "Seller discount": "-20.00",
        "Shipping": "0",
        "TikTok Shop shipping fee": "-4.58",
        "Customer-paid shipping fee": "4.58",
        "Fees": "-87.76",
        "Referral fee": "-70.80",
        "Affiliate Commission": "-12.72",
        "Sales tax on referral fees": "-4.24",
        "Customer payment": "1,250.00",
    } | more


def sea(**more: str) -> dict[str, str]:
    return {
        "Order/adjustment ID": TOTE,
        "Type": "Order",
        "Order created time(UTC)": "2026/06/12 10:30:00",
        "Order settled time(UTC)": "2026/06/16",
        "Currency": "VND",
        "Total settlement amount": "81000",
        "Total revenue": "100000",
        "Subtotal after seller discounts": "100000",
        "Subtotal before discounts": "110000",
        "Seller discounts": "-10000",
        "Total fees": "-19000",
        "Transaction fee": "-5000",
        "TikTok Shop commission fee": "-4000",
        "Seller shipping fee": "-2000",
        "Actual shipping fee": "-30000",
        "Platform shipping fee discount": "10000",
        "Customer shipping fee": "18000",
        "Affiliate commission": "-8000",
        "Affiliate commission before PIT (personal income tax)": "-8889",
        "Personal income tax withheld from affiliate commission": "889",
    } | more


@pytest.mark.parametrize("write", [csv_file, xlsx_file])
def test_the_edition_of_the_us_names_statement_sku_and_shipping_beside_the_fees(write):
    parsed = parse(write(US_HEAD, [us()]))
    assert by_name(parsed) == {
        "revenue_breakdown/subtotal_before_discount_amount": D("1200.00"),
        "revenue_breakdown/seller_discount_amount": D("-20.00"),
        "shipping_cost_breakdown/fbm_shipping_cost_amount": D("-4.58"),
        "shipping_cost_breakdown/customer_paid_shipping_fee_amount": D("4.58"),
        "fee_tax_breakdown.fee/referral_fee_amount": D("-70.80"),
        "fee_tax_breakdown.fee/affiliate_commission_amount": D("-12.72"),
        "fee_tax_breakdown.tax/sales_tax_referral_fee_amount": D("-4.24"),
    }
    (voucher,) = parsed.vouchers
    assert (voucher.order, voucher.event, voucher.statement, voucher.part) == (TOTE, EventKind.SALE, S1, S1)
    assert (voucher.event_at.isoformat(), voucher.event_source) == ("2026-06-14", EventSource.DELIVERY)
    assert voucher.posted_at.isoformat() == "2026-06-16T00:00:00+00:00"
    assert {line.listing for line in voucher.lines} == {"1729440158393635811"}
    assert [line.quantity for line in voucher.lines if line.quantity] == [2]
    assert [(row.code, row.title) for row in parsed.listings] == [("1729440158393635811", "Tote bag (Blue)")]
    assert [(row.outside_id, row.payout, row.complete) for row in parsed.statements] == [(S1, "345", False)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_edition_of_south_east_asia_has_shipping_inside_the_fees_and_no_statement(separator):
    parsed = parse(csv_file(SEA_HEAD, [sea()], separator=separator, blank=""), region="VN")
    found = by_name(parsed)
    assert sum(found.values()) == D(81000)
    assert found["fee_tax_breakdown.fee/affiliate_commission_amount"] == D(-8000)
    assert sum(amount for name, amount in found.items() if name.startswith("shipping")) == D(-2000)
    assert not [name for name in found if "itemised" in name or "PIT" in name]
    (voucher,) = parsed.vouchers
    assert (voucher.part, voucher.statement, voucher.currency) == (ANY_PART, "", "VND")
    assert voucher.event_at.isoformat() == "2026-06-12T10:30:00+00:00"


def test_dots_before_three_digits_are_thousands_where_the_currency_has_no_three_decimals():
    row = {name: f"{value[:-3]}.000" if value.endswith("000") else value for name, value in sea().items()}
    row["Affiliate commission before PIT (personal income tax)"] = "-8.889"
    assert sum(by_name(parse(csv_file(SEA_HEAD, [row]), region="VN")).values()) == D(81000)


def test_a_fee_nobody_knows_is_a_line_where_the_total_needs_it():
    head = (*SEA_HEAD[:-4], "Moonlight service fee", *SEA_HEAD[-4:])
    row = sea(**{"Total fees": "-19500", "Total settlement amount": "80500"}) | {"Moonlight service fee": "-500"}
    found = by_name(parse(csv_file(head, [row]), region="VN"))
    assert found["fee_tax_breakdown.fee/Moonlight service fee"] == D(-500)
    assert sum(found.values()) == D(80500)


def test_what_no_column_explains_is_a_remainder_of_its_block():
    found = by_name(parse(csv_file(US_HEAD, [us(**{"Fees": "-88.76", "Total settlement amount": "1,091.24"})])))
    assert found["fee_tax_breakdown/not itemised"] == D("-1.00")
    assert sum(found.values()) == D("1091.24")


def test_adjustments_are_vouchers_of_their_own_named_as_the_api_names_them():
    ads = us(
        **{
            "Type": "GMV Payment for TikTok Ads",
            "Order/adjustment ID": "7401",
            "Total settlement amount": "-25",
            "Adjustment amount": "-25",
        }
    )
    for name in ("Net sales", "Gross sales", "Seller discount", "Fees", "Referral fee", "Affiliate Commission", "Sales tax on referral fees",
                 "Shipping", "TikTok Shop shipping fee", "Customer-paid shipping fee", "SKU ID"):  # fmt: skip
        ads[name] = "/"
    claim = ads | {"Type": "Logistics reimbursement", "Order/adjustment ID": "7402", "Related order ID": TOTE, "Total settlement amount": "9", "Adjustment amount": "9"}  # fmt: skip
    parsed = parse(csv_file(US_HEAD, [ads, claim]))
    assert [(row.family, row.order, row.event, row.part) for row in parsed.vouchers] == [
        ("export adjustment", "", EventKind.OTHER, "7401"),
        ("export adjustment", TOTE, EventKind.OTHER, "7402"),
    ]
    assert by_name(parsed) == {"adjustment/GMV_PAYMENT_FOR_ADS": D(-25), "adjustment/LOGISTICS_REIMBURSEMENT": D(9)}


def test_rows_of_one_order_are_one_voucher_and_equal_rows_stay_two():
    parsed = parse(csv_file(US_HEAD, [us(), us()]))
    (voucher,) = parsed.vouchers
    assert sum(line.amount for line in voucher.lines) == D("2184.48")


def test_the_unsettled_export_is_found_below_its_banners():
    row = {
        "Type": "Order", "Order/adjustment ID": TOTE, "Related order ID": TOTE, "creation date": "2026/06/12",
        "Total estimated settlement amount": "13.76", "Estimated Settle time": "Delivered + 1 days", "SKU ID": "1732", "Quantity": "1",
        "Net sales": "15", "Gross sales": "15", "Fees": "-1.24", "Referral fee": "-1.17", "Sales tax on referral fees": "-0.07",
        "TikTok Shop shipping fee": "-4.58", "Customer-paid shipping fee": "4.58", "Customer payment": "21.16",
    }  # fmt: skip
    parsed = parse(csv_file(UNSETTLED_HEAD, [row], banners=BANNERS), "unsettled_export")
    (voucher,) = parsed.vouchers
    assert (voucher.family, voucher.currency, voucher.part) == ("unsettled export", "USD", "")
    assert (sum(line.amount for line in voucher.lines), voucher.row) == (D("13.76"), 6)


@pytest.mark.conformance
def test_the_real_unsettled_row_adds_up(conformance: Path):
    folder = conformance / "data/tiktok_us_unsettled_row"
    parsed = parse((folder / "unsettled_orders_one_row.csv").read_bytes(), "unsettled_export")
    found = by_name(parsed)
    assert sum(found.values()) == D("13.76")
    assert found["fee_tax_breakdown.fee/referral_fee_amount"] == D("-1.17")
    assert found["fee_tax_breakdown.tax/sales_tax_referral_fee_amount"] == D("-0.07")


def test_a_report_that_says_something_else_is_refused_until_staff_agree():
    body = xlsx_file(US_HEAD, [us()], report="1,192.24")
    with pytest.raises(DocumentError, match=r"rows come to 1092.24 USD, but the report in this workbook says 1192.24") as error:
        parse(body)
    assert error.value.difference == D("100.00")
    assert parse(body, accept_difference=True).rows == 1
    assert parse(xlsx_file(US_HEAD, [us()], report="1,092.24", banners=["Order details"])).rows == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Order/adjustment ID": "5.76463220456523E+17"}, "Line 3: The id 5.76463220456523E\\+17 has lost its last digits"),
        ({"Order/adjustment ID": ""}, "Line 3: The order or adjustment id is missing"),
        ({"Referral fee": "some"}, "Line 3: Referral fee: 'some' is not an amount"),
        ({"Statement date": "soon"}, "Line 3: Statement date: 'soon' is not a date"),
        ({"Statement date": ""}, "Line 3: The day of the statement is missing"),
        ({"Quantity": "1.5"}, "Line 3: Quantity: '1.5' is not a number"),
        ({"Currency": "dollars"}, "Line 3: Currency: 'DOLLARS' is not a currency code"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(change, words):
    with pytest.raises(DocumentError, match=words):
        parse(csv_file(US_HEAD, [us(), us(**change)]))


def test_a_file_that_was_cut_off_is_refused_with_its_line():
    whole = csv_file(US_HEAD, [us(), us()])
    with pytest.raises(DocumentError, match="Line 3: The row has 9 of 32 cells; the file may be cut off here"):
        parse(whole[: whole.rindex(b",Tote")])


def test_an_edition_in_another_language_asks_for_its_columns_once_and_is_read_by_them():
    words = {name.strip(): f"Cột {number}" for number, name in enumerate(SEA_HEAD)}
    rows = [sea(), sea(**{"Order/adjustment ID": MUG})]
    head = tuple(words[name.strip()] for name in SEA_HEAD)
    body = xlsx_file(
        head, [{words[name]: value for name, value in row.items()} for row in rows], sheet="Chi tiết", banners=["Thu nhập"]
    )
    found = adapter.recognise(body, "thu_nhap.xlsx")
    assert found is not None and (found.kind, found.unknown_columns, found.headers) == ("income_export", True, head)
    columns = {
        "order": words["Order/adjustment ID"],
        "settled": words["Order settled time(UTC)"],
        "total": words["Total settlement amount"],
        "currency": words["Currency"],
        "revenue": words["Total revenue"],
        "subtotal_before_discount_amount": words["Subtotal before discounts"],
        "seller_discount_amount": str(SEA_HEAD.index("Seller discounts")),
        "fees": words["Total fees"],
        "platform_commission_amount": words["TikTok Shop commission fee"],
    }
    parsed = adapter.parse(Source(body=body, kind="income_export", region="VN", columns=columns))
    amounts = by_name(parsed)
    assert sum(amounts.values()) == D(162000)
    assert amounts["fee_tax_breakdown.fee/platform_commission_amount"] == D(-8000)
    assert amounts["fee_tax_breakdown/not itemised"] == D(-30000)


def test_a_refund_row_is_the_refund_of_its_order_even_where_only_net_subtotals_are_told():
    head = ("Order/adjustment ID", "Type", "Order created time", "Order settled time", "Currency", "Total settlement amount",
            "Total revenue", "Subtotal after seller discounts", "Total fees", "Transaction fee", "TikTok Shop commission fee")  # fmt: skip
    sale = dict(
        zip(
            head,
            (TOTE, "Order", "2026/09/04", "2026/09/11", "USD", "12.70", "15.00", "15.00", "-2.30", "-0.45", "-1.85"),
            strict=True,
        )
    )
    back = dict(
        zip(
            head, (TOTE, "Refund", "2026/09/04", "2026/09/12", "USD", "-12.70", "-15", "-15", "2.30", "0.45", "1.85"), strict=True
        )
    )
    parsed = parse(csv_file(head, [sale, back]))
    assert [(row.event, sum(line.amount for line in row.lines)) for row in parsed.vouchers] == [
        (EventKind.SALE, D("12.70")),
        (EventKind.REFUND, D("-12.70")),
    ]
    assert not [name for name in by_name(parsed) if "itemised" in name]


def test_several_fees_nobody_knows_are_told_from_subtotals_by_the_total():
    head = (*SEA_HEAD[:-4], "Moonlight service fee", "Tide fee", "Sum of lunar fees", *SEA_HEAD[-4:])
    row = sea(**{"Total fees": "-19700", "Total settlement amount": "80300"})
    row |= {"Moonlight service fee": "-500", "Tide fee": "-200", "Sum of lunar fees": "-700"}
    found = by_name(parse(csv_file(head, [row]), region="VN"))
    assert found["fee_tax_breakdown.fee/Moonlight service fee"] + found["fee_tax_breakdown.fee/Tide fee"] == D(-700)
    assert sum(found.values()) == D(80300)


def test_a_sheet_that_understates_its_size_and_is_padded_with_blank_rows_is_read_whole():
    book = xlsx_file(US_HEAD, [us(), us(**{"Order/adjustment ID": MUG})])
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(packed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = re.sub(rb'<dimension ref="[^"]*" ?/>', b'<dimension ref="A1:G2"/>', content)
                content = content.replace(
                    b"</sheetData>", b'<row r="900"><c r="A900" t="inlineStr"><is><t> </t></is></c></row></sheetData>'
                )
            target.writestr(name, content)
    assert len(parse(packed.getvalue()).vouchers) == 2


@pytest.mark.parametrize("head", ["Order\\adjustment ID", "Order/Adjustment ID", "Order/adjustment ID  "])
def test_headers_are_known_in_every_spelling_seen(head):
    body = csv_file(SEA_HEAD, [sea()]).replace(b"Order/adjustment ID", head.encode()).replace(b",Type,", b",Transaction type,")
    assert parse(body, region="VN").vouchers[0].order == TOTE


def test_an_adjustment_without_a_type_of_its_own_is_named_by_its_reason():
    head = (*UNSETTLED_HEAD, "Adjustment reason")
    row = {"Type": "adjustment", "Order/adjustment ID": "7403", "creation date": "/", "Total estimated settlement amount": "4",
           "Adjustment amount": "4", "Adjustment reason": "Logistics reimbursement"}  # fmt: skip
    order = {"Type": "Order", "Order/adjustment ID": TOTE, "creation date": "2026/06/12"}
    parsed = parse(csv_file(head, [row, order], banners=BANNERS), "unsettled_export")
    assert by_name(parsed) == {"adjustment/LOGISTICS_REIMBURSEMENT": D(4)}
    assert parsed.vouchers[0].posted_at.isoformat() == "2026-06-12", "an adjustment without a day takes the newest of the table"


AMOUNTS = [name.strip() for name in US_HEAD[13:29]]


@given(
    st.dictionaries(st.sampled_from(AMOUNTS), st.integers(-9_999, 9_999).map(lambda cents: f"{cents / 100:.2f}")),
    st.sampled_from(["Order", "Rebate"]),
)
def test_lines_of_a_row_always_add_up_to_its_total_whatever_its_columns_say(amounts, kind):
    row = us(**dict.fromkeys(AMOUNTS, "/")) | {"Total settlement amount": "0"} | amounts | {"Type": kind}
    found = by_name(parse(csv_file(US_HEAD, [row, us()])))
    assert sum(found.values()) == D(row["Total settlement amount"]) + D("1092.24")


def test_canonical_columns_say_what_adds_up_to_what():
    kind = adapter.kinds["income_export"]
    codes = [column.code for column in kind.columns]
    assert len(codes) == len(set(codes))
    for column in kind.columns:
        assert set(column.sum_of) <= set(codes)
    assert {column.code for column in kind.columns if column.required} == {"order", "settled", "total"}


def test_files_of_others_are_none_of_ours():
    orders = "Order ID,Order Status,SKU ID,Quantity,SKU Unit Original Price,Order Amount,Shipping,Taxes\n"
    assert adapter.recognise(f"{orders}{TOTE},Completed,1729,1,10.00,12.00,1.00,1.00\n".encode(), "orders.csv") is None
    assert adapter.recognise(b"", "empty.csv") is None
    assert adapter.recognise(b"\x00\x01", "binary") is None
    assert adapter.recognise(b"name,price\nTote bag,12\n", "prices.csv") is None
    assert adapter.recognise(b'{"data": {"orders": {"edges": []}}}', "shopify.json") is None
    assert adapter.recognise(b'{"payload": {"transactions": [{"transactionType": "Shipment"}]}}', "amazon.json") is None
