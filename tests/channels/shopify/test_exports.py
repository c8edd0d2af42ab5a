"""The CSV exports of the admin, in several editions; what staff must match, and what is refused with its line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from channels.adapter import DocumentError
from channels.records import EventKind, EventSource
from channels.shopify.adapter import adapter
from channels.shopify.payments_export import TRANSACTION_COLUMNS
from tests.channels.shopify.market import ORDER_HEADERS, PAYOUT_HEADERS, TRANSACTION_HEADERS, Order, eastern, market, table
from tests.channels.shopify.reading import read, told, total

OLD_TRANSACTIONS = (
    "Transaction Date,Type,Order,Card Brand,Card Source,Payout Status,Payout Date,Available On,Amount,Fee,Net,Currency"
)
OLD_PAYOUTS = "Payout Date,Status,Charges,Refunds,Adjustments,Reserved Funds,Fees,Retried Amount,Total,Currency"
FULL_PAYOUTS = (
    "Payout Date,Status,Charges,Refunds,Adjustments,Marketplace Sales Tax,Advances,Reserved Funds,Fees,Retried Amount,Total,Currency,"
    "Bank Reference"
)
MOMENT = "2026-03-02 14:05:11 -0500"


def movement(**more: str) -> dict[str, str]:
    return {
        "Transaction Date": MOMENT,
        "Type": "charge",
        "Order": "#1001",
        "Payout Status": "paid",
        "Payout Date": "2026-03-05",
        "Payout ID": "9001",
        "Amount": "49.99",
        "Fee": "1.75",
        "Net": "48.24",
        "Currency": "USD",
        **more,
    }


def order_row(**more: str) -> dict[str, str]:
    return {
        "Name": "#1001",
        "Financial Status": "paid",
        "Created at": MOMENT,
        "Currency": "USD",
        "Subtotal": "72.00",
        "Shipping": "6.00",
        "Taxes": "5.76",
        "Total": "83.76",
        "Lineitem quantity": "2",
        "Lineitem name": "Lantern",
        "Lineitem price": "40.00",
        "Lineitem sku": "LANTERN-1",
        "Lineitem discount": "8.00",
        "Payment Method": "Shopify Payments",
        "Id": "5001",
        **more,
    }


def test_payment_transactions_keep_their_offset_and_their_payout():
    parsed = read(table(TRANSACTION_HEADERS, [movement()]))
    (voucher,) = parsed.vouchers
    assert voucher.posted_at == datetime(2026, 3, 2, 19, 5, 11, tzinfo=UTC)
    assert told(voucher) == [("balance", "CHARGE", "", D("49.99")), ("balance/fee", "CHARGE", "", D("-1.75"))]
    assert (voucher.order, voucher.statement, voucher.row) == ("#1001", "9001", 2)


def test_rows_that_are_equal_in_every_cell_stay_two():
    parsed = read(table(TRANSACTION_HEADERS, [movement(), movement()]))
    assert len({voucher.outside_id for voucher in parsed.vouchers}) == 2
    assert len({voucher.part for voucher in parsed.vouchers}) == 1


def test_an_edition_without_payout_ids_knows_payouts_by_day_and_says_so():
    parsed = read(table(OLD_TRANSACTIONS, [movement(), movement(**{"Payout Status": "pending", "Payout Date": "2026-03-09"})]))
    assert [voucher.statement for voucher in parsed.vouchers] == ["2026-03-05 USD", ""]
    assert "names no payout ids" in parsed.notes[0]
    payouts = read(table(OLD_PAYOUTS, [{"Payout Date": "2026-03-05", "Status": "paid", "Charges": "450.00", "Refunds": "-20.00",
                                        "Fees": "-13.35", "Total": "416.65", "Currency": "USD"}]))  # fmt: skip
    assert [(s.outside_id, s.total) for s in payouts.statements] == [("2026-03-05 USD", D("416.65"))]


def test_payouts_in_three_editions():
    row = {"Payout Date": "2026-05-01", "Payout ID": "9001", "Status": "in_transit", "Charges": "100.00", "Refunds": "-10.00",
           "Marketplace Sales Tax": "-2.00", "Advances": "5.00", "Fees": "-3.00", "Total": "90.00", "Currency": "USD",
           "Bank Reference": "REF-1"}  # fmt: skip
    full = read(table(FULL_PAYOUTS, [row]))
    assert full.statements[0].parts == {
        "charges": D("100.00"),
        "refunds": D("-10.00"),
        "marketplace_tax": D("-2.00"),
        "advances": D("5.00"),
        "fees": D("-3.00"),
    }
    assert (full.payouts[0].status, full.payouts[0].trace, full.payouts[0].paid_at) == ("in_transit", "REF-1", date(2026, 5, 1))
    unsigned = read(table(PAYOUT_HEADERS, [row | {"Fees": "3.00", "Total": "92.00"}]))
    assert unsigned.statements[0].parts["fees"] == D("-3.00") and unsigned.statements[0].outside_id == "9001"
    with pytest.raises(DocumentError, match=r"^Line 2: The payout of 2026-05-01 does not add up") as caught:
        read(table(PAYOUT_HEADERS, [row]))
    assert caught.value.difference == D("-2.00")
    assert read(table(PAYOUT_HEADERS, [row]), accept_difference=True).statements[0].total == D("90.00")


def test_amounts_with_signs_of_money_and_excel_dates_are_read():
    body = table(
        TRANSACTION_HEADERS, [movement(**{"Amount": "$1,049.99", "Fee": "$1.75", "Net": "$1,048.24", "Payout Date": "2026/3/5"})]
    )
    assert total(read(body).vouchers[0].lines) == D("1048.24")
    semicolons = table(TRANSACTION_HEADERS, [movement(Amount="49,99", Fee="1,75", Net="48,24")]).replace(b",", b";")
    semicolons = semicolons.replace(b'"49;99";"1;75";"48;24"', b"49,99;1,75;48,24")
    assert total(read(semicolons).vouchers[0].lines) == D("48.24")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (movement(Net="48.25"), r"^Line 2: CHARGE #1001: amount 49.99 less fee 1.75 is not net 48.25"),
        (movement(Amount="x"), r"^Line 2: Amount: 'x' is not an amount"),
        (movement(**{"Transaction Date": "soon"}), r"^Line 2: Transaction Date: 'soon' is not a date"),
        (
            movement(**{"Transaction Date": "2026-03-02 14:05:11"}),
            r"^Line 2: .*has no time with offset.*without saving it in a spreadsheet",
        ),
        (movement(**{"Transaction Date": "2026-03-02"}), r"^Line 2: .*has no time with offset"),
        (movement(Currency="dollar"), r"^Line 2: Currency: 'DOLLAR' is not a currency code"),
        (movement(Type=""), r"^Line 2: The type is missing"),
    ],
)
def test_a_broken_row_is_named(row, words):
    with pytest.raises(DocumentError, match=words):
        read(table(TRANSACTION_HEADERS, [row]))


def test_tax_on_fees_is_a_line_of_its_own_only_where_the_fee_does_not_hold_it():
    apart = read(table(TRANSACTION_HEADERS, [movement(Net="47.91", VAT="0.33")])).vouchers[0]
    assert told(apart)[1:] == [("balance/fee", "CHARGE", "", D("-1.75")), ("balance/fee", "VAT", "", D("-0.33"))]
    inside = read(table(TRANSACTION_HEADERS, [movement(VAT="0.28")])).vouchers[0]
    assert told(inside)[1:] == [("balance/fee", "CHARGE", "", D("-1.75"))]


def test_free_delivery_told_among_the_discounts_is_a_shipping_discount():
    row = order_row(Total="77.76", **{"Discount Amount": "14.00"})
    lines = told(read(table(ORDER_HEADERS, [row])).vouchers[0])
    assert ("order/shipping", "shipping discount", "", D("-6.00")) in lines and (
        "order/lines",
        "price discount",
        "",
        D("-8.00"),
    ) in lines


@pytest.mark.parametrize("name", ["balance_csv", "payouts_csv", "orders_csv"])
def test_a_file_that_is_cut_off_is_refused_with_its_last_line(name):
    body = getattr(market(), name)()
    cut = body.rstrip(b"\n").rsplit(b",", 4)[0]
    with pytest.raises(DocumentError, match=r"^Line \d+: The row has \d+ of \d+ cells; the file may be cut off here"):
        read(cut)


def test_an_order_of_several_rows_takes_its_totals_from_the_first():
    second = {
        "Name": "#1001",
        "Lineitem quantity": "1",
        "Lineitem name": "Wick",
        "Lineitem price": "5.00",
        "Lineitem sku": "WICK-2",
    }
    parsed = read(table(ORDER_HEADERS, [order_row(Subtotal="77.00", Total="88.76"), second]))
    (sale,) = parsed.vouchers
    assert [(line.name, line.listing, line.amount) for line in sale.lines if line.path == "order/lines"] == [
        ("price", "LANTERN-1", D("80.00")),
        ("price discount", "LANTERN-1", D("-8.00")),
        ("price", "WICK-2", D("5.00")),
    ]
    assert {line.context for line in sale.lines if line.path == "order/tax"} == {"tax_unknown"}
    assert sum(line.amount for line in sale.lines if line.path == "order/tax") == D("5.76")
    assert next(line.row for line in sale.lines if line.listing == "WICK-2") == 3
    assert (sale.outside_id, sale.family) == ("5001", "order_export")
    assert {listing.code: listing.title for listing in parsed.listings} == {"LANTERN-1": "Lantern", "WICK-2": "Wick"}


def test_a_discount_of_the_whole_order_is_shared_out_by_value():
    second = {
        "Name": "#1001",
        "Lineitem quantity": "1",
        "Lineitem price": "20.00",
        "Lineitem sku": "WICK-2",
        "Lineitem discount": "0.00",
    }
    rows = [order_row(Subtotal="90.00", Total="101.76", **{"Lineitem discount": "0.00", "Discount Amount": "10.00"}), second]
    (sale,) = read(table(ORDER_HEADERS, rows)).vouchers
    assert [(line.listing, line.amount) for line in sale.lines if line.name == "price discount"] == [
        ("LANTERN-1", D("-8.00")),
        ("WICK-2", D("-2.00")),
    ]


def test_tax_inside_prices_is_told_by_arithmetic():
    (sale,) = read(table(ORDER_HEADERS, [order_row(Total="78.00")])).vouchers
    revenue = sum(line.amount for line in sale.lines if line.path in ("order/lines", "order/shipping"))
    assert revenue == D("78.00") - D("5.76") and total(sale.lines) == 0


def test_the_fulfilment_date_is_the_event_and_an_order_without_one_is_provisional():
    shipped = read(table(ORDER_HEADERS, [order_row(**{"Fulfilled at": "2026-03-04 09:00:00 -0500"})])).vouchers[0]
    assert (shipped.event_source, shipped.event_at) == (EventSource.SHIPMENT, datetime(2026, 3, 4, 14, tzinfo=UTC))
    assert read(table(ORDER_HEADERS, [order_row()])).vouchers[0].event_source is EventSource.ORDER
    partly = order_row(**{"Fulfilled at": MOMENT, "Fulfillment Status": "partial"})
    assert read(table(ORDER_HEADERS, [partly])).vouchers[0].event_source is EventSource.ORDER


def test_a_refunded_sum_is_one_refund_at_a_provisional_date_and_says_why():
    parsed = read(table(ORDER_HEADERS, [order_row(**{"Refunded Amount": "20.94", "Financial Status": "partially_refunded"})]))
    _sale, refund = parsed.vouchers
    assert told(refund) == [
        ("refund/lines", "refunded amount", "", D("-19.50")),
        ("refund/tax", "tax", "tax_unknown", D("-1.44")),
        ("refund/payment", "shopify_payments", "", D("20.94")),
    ]
    assert refund.event is EventKind.REFUND and refund.event_source.provisional and refund.part == "refunds"
    assert "neither dates nor lines of refunds" in parsed.notes[0]
    full = read(table(ORDER_HEADERS, [order_row(**{"Refunded Amount": "83.76", "Financial Status": "refunded"})])).vouchers[1]
    assert [(line.path, line.amount) for line in full.lines] == [
        ("refund/lines", D("-72.00")),
        ("refund/tax", D("-5.32")),
        ("refund/shipping", D("-6.00")),
        ("refund/tax", D("-0.44")),
        ("refund/payment", D("83.76")),
    ]


def test_orders_that_are_not_counted_here_are_told():
    rows = [
        order_row(),
        order_row(Name="#1002", Id="5002", Tags="TikTok Shop, vip"),
        order_row(Name="#1003", Id="5003", Source="amazon"),
        order_row(Name="#1004", Id="5004", **{"Financial Status": "voided", "Cancelled at": MOMENT}),
        order_row(Name="#1005", Id="5005", **{"Payment Method": "Bogus Gateway"}),
    ]
    parsed = read(table(ORDER_HEADERS, rows))
    assert [(voucher.order, bool(voucher.lines)) for voucher in parsed.vouchers] == [
        ("#1001", True),
        ("#1002", False),
        ("#1003", False),
        ("#1004", False),
    ]
    assert [note.split(" ", 1)[0] for note in parsed.notes] == ["1", "1", "1", "1"]


def test_an_unpaid_order_owes_its_total_and_two_methods_are_one_line():
    unpaid = read(table(ORDER_HEADERS, [order_row(**{"Financial Status": "pending", "Payment Method": ""})])).vouchers[0]
    assert told(unpaid)[-1] == ("order/payment", "outstanding", "", D("-83.76"))
    two = read(table(ORDER_HEADERS, [order_row(**{"Payment Method": "Shopify Payments + Gift Card"})])).vouchers[0]
    assert told(two)[-1] == ("order/payment", "gift_card_and_shopify_payments", "", D("-83.76"))


def test_an_order_that_does_not_add_up_is_refused_until_staff_agree():
    body = table(ORDER_HEADERS, [order_row(Total="84.00")])
    with pytest.raises(DocumentError, match=r"^Line 2: Order #1001 does not add up") as caught:
        read(body)
    assert caught.value.difference == D("0.24")
    (sale,) = read(body, accept_difference=True).vouchers
    assert ("order/other", "not itemised", "remainder", D("0.24")) in told(sale) and total(sale.lines) == 0


def test_rows_without_their_first_row_are_refused():
    with pytest.raises(DocumentError, match=r"^Line 2: Order #1001 has no first row"):
        read(table(ORDER_HEADERS, [order_row(Total="", Subtotal="")]))


def test_an_order_told_twice_in_one_file_counts_once():
    parsed = read(table(ORDER_HEADERS, [order_row(), order_row(Name="#1002", Id="5002"), order_row()]))
    assert [voucher.order for voucher in parsed.vouchers] == ["#1002", "#1001"]


def test_unknown_headers_ask_staff_and_their_match_is_used():
    head = "Datum,Art,Bestellung,Kartenmarke,Status,Auszahlung am,Auszahlungsnummer,Verfügbar,Betrag,Gebühr,Netto,Währung"
    german = head.split(",")
    english = ["Transaction Date", "Type", "Order", "Card Brand", "Payout Status", "Payout Date", "Payout ID", "Available On", "Amount",
               "Fee", "Net", "Currency"]  # fmt: skip
    rows = [movement(), movement(Order="#1002", Amount="20.00", Fee="0.88", Net="19.12")]
    body = table(head, [{name: row.get(old, "") for name, old in zip(german, english, strict=True)} for row in rows])
    found = adapter.recognise(body, "export.csv")
    assert found is not None and (found.kind, found.unknown_columns) == ("payment_transactions_export", True)
    assert found.headers == tuple(german)
    codes = {item.known[0]: item.code for item in TRANSACTION_COLUMNS}
    columns = {codes[old]: name for name, old in zip(german, english, strict=True) if old in codes}
    assert read(body, columns=columns).vouchers == read(table(TRANSACTION_HEADERS, rows)).vouchers
    by_place = {code: str(german.index(name)) for code, name in columns.items()}
    assert read(body, columns=by_place).vouchers == read(body, columns=columns).vouchers


def test_unknown_payout_headers_are_told_by_their_sum():
    head = "Tag,Stand,Umsatz,Erstattung,Anpassung,Reserve,Gebühren,Wiederholt,Summe,Geld"
    body = f"{head}\n2026-03-05,bezahlt,450.00,-20.00,0.00,0.00,-13.35,0.00,416.65,EUR\n2026-03-06,bezahlt,50.00,0.00,0.00,0.00,-1.35,0.00,48.65,EUR\n"
    found = adapter.recognise(body.encode(), "x.csv")
    assert found is not None and (found.kind, found.unknown_columns) == ("payouts_export", True)
    columns = {"date": "Tag", "status": "Stand", "charges": "Umsatz", "refunds": "Erstattung", "fees": "Gebühren", "total": "Summe",
               "currency": "Geld"}  # fmt: skip
    assert [s.total for s in read(body, columns=columns).statements] == [D("416.65"), D("48.65")]


def test_an_orders_export_with_some_headers_renamed_asks():
    body = table(ORDER_HEADERS, [order_row()]).replace(b"Lineitem sku", b"Artikelnummer").replace(b"Subtotal", b"Zwischensumme")
    found = adapter.recognise(body, "orders.csv")
    assert found is not None and (found.kind, found.unknown_columns) == ("orders_export", True)
    columns = {"item_sku": "Artikelnummer", "subtotal": "Zwischensumme"}
    assert told(read(body, columns=columns).vouchers[0]) == told(read(table(ORDER_HEADERS, [order_row()])).vouchers[0])


def test_other_tables_are_not_claimed():
    for body in (b"a,b,c,d\n1,2,3,4\n", b"id,order_id,amount,currency\n1,2,3.50,USD\n", b"Name,Email\nAda,ada@example.com\n"):
        assert adapter.recognise(body, "x.csv") is None


@pytest.mark.conformance
def test_tables_of_other_layouts_are_not_claimed(conformance):
    for path in sorted((conformance / "data").glob("*/*")):
        if path.suffix in (".csv", ".txt", ".tsv"):
            found = adapter.recognise(path.read_bytes(), path.name)
            assert found is None or found.unknown_columns, path


def test_shop_currency_stands_in_where_an_edition_has_no_currency_column():
    body = table(OLD_TRANSACTIONS.replace(",Currency", ""), [movement()])
    assert read(body, currencies=("CAD",)).vouchers[0].currency == "CAD"
    with pytest.raises(DocumentError, match="not a currency code"):
        read(body, currencies=("CAD", "USD"))


def test_the_market_writes_the_dates_of_the_admin():
    assert eastern(datetime(2026, 3, 2, 19, 5, 11, tzinfo=UTC)) == MOMENT and Order(1, datetime.now(UTC), []).total == 0
