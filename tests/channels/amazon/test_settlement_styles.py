"""How settlement files differ by region, edition and tool, and what must not matter."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from channels.adapter import DocumentError, Source
from channels.amazon.adapter import adapter
from channels.records import EventKind, EventSource
from channels.tables import decode
from tests.channels.amazon.test_settlement import HEAD, ROWS, parse, row, settlement, text

V1_HEAD = [
    "settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency",
    "transaction-type", "order-id", "merchant-order-id", "marketplace-name", "posted-date", "order-item-code", "sku",
    "quantity-purchased", "price-type", "price-amount", "item-related-fee-type", "item-related-fee-amount", "other-amount",
]  # fmt: skip


def v1(**cells: str) -> dict[str, str]:
    return {
        "transaction-type": "Order",
        "order-id": "701-1",
        "marketplace-name": "Amazon.ca",
        "posted-date": "2026-08-18T02:48:54+00:00",
        "order-item-code": "55",
        "sku": "LANTERN-1",
        **cells,
    }


def test_units_told_on_a_row_of_their_own_belong_to_the_price_of_the_item():
    rows = settlement(
        [
            v1(**{"quantity-purchased": "3"}),
            v1(**{"price-type": "Principal", "price-amount": "60.00"}),
            v1(**{"item-related-fee-type": "Commission", "item-related-fee-amount": "-9.00"}),
            v1(**{"order-item-code": "56", "sku": "WICK-2", "price-type": "Principal", "price-amount": "5.00"}),
            v1(**{"order-item-code": "56", "sku": "WICK-2", "quantity-purchased": "2"}),
        ],
        total="56.00",
    )
    (voucher,) = parse(text(rows, head=V1_HEAD)).vouchers
    assert [(line.name, line.listing, line.quantity) for line in voucher.lines] == [
        ("Principal", "LANTERN-1", 3),
        ("Commission", "LANTERN-1", None),
        ("Principal", "WICK-2", 2),
    ]


def test_a_replacement_at_no_price_is_no_sale_but_stays_a_line():
    (voucher,) = parse(text(settlement([row("0.00"), row("-1.00", name="Commission")], total="-1.00"))).vouchers
    assert [(line.amount, line.quantity) for line in voucher.lines] == [(D("0.00"), None), (D("-1.00"), None)]


@pytest.mark.parametrize(
    ("region", "dates", "first"),
    [
        ("NA", ["06/07/2026", "06/08/2026"], "2026-06-07"),
        ("EU", ["06/07/2026", "07/07/2026"], "2026-07-06"),
        ("EU", ["06/07/2026", "06/20/2026"], "2026-06-07"),
        ("NA", ["06/07/2026", "20/07/2026"], "2026-07-06"),
    ],
)
def test_a_date_with_slashes_is_read_as_the_file_or_else_the_region_writes_it(region, dates, first):
    rows = settlement([row("1.00", posted=day) for day in dates], total="2.00", start="2026-06-16 00:00:00 UTC")
    body = text(rows).encode()
    found = adapter.recognise(body, "")
    assert found is not None
    parsed = adapter.parse(Source(body=body, kind=found.kind, region=region))
    assert parsed.vouchers[0].posted_at.isoformat() == first


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        ("2026/06/17 08:14:22 JST", "2026-06-16T23:14:22+00:00"),
        ("2026-06-17 08:14:22 PDT", "2026-06-17T15:14:22+00:00"),
        ("17.06.2026 08:14:22 MESZ", "2026-06-17T06:14:22+00:00"),
    ],
)
def test_named_zones_are_known(posted, expected):
    moment = parse(text(settlement([row("5.00", posted=posted)], total="5.00"))).vouchers[0].posted_at
    assert isinstance(moment, datetime) and moment.astimezone(UTC).isoformat() == expected


def test_an_unknown_zone_is_said_not_guessed():
    with pytest.raises(DocumentError, match=r"Line 3: posted-date: .* has a time zone that is not known: XYZ"):
        parse(text(settlement([row("5.00", posted="2026-06-17 08:14:22 XYZ")], total="5.00")))


@pytest.mark.parametrize(
    ("amounts", "total", "currency", "expected"),
    [
        (["1,200", "-200"], "1,000", "JPY", "1000"),
        (["1.200", "-200"], "1.000", "JPY", "1000"),
        (["1,200", "34.50"], "1,234.50", "USD", "1234.50"),
        (["1.200,00", "34,50"], "1.234,50", "EUR", "1234.50"),
        (["1 200,00", "34,50"], "1 234,50", "EUR", "1234.50"),
        (["1200.5", "34"], "1234.5", "USD", "1234.5"),
    ],
)
def test_thousands_and_decimals_are_told_apart_by_the_whole_file(amounts, total, currency, expected):
    parsed = parse(text(settlement([row(amount) for amount in amounts], total=total, currency=currency)))
    assert parsed.statements[0].total == D(expected)


def test_several_settlements_in_one_file_are_several_statements_with_their_own_lines():
    rows = settlement([row("5.00")], total="5.00")
    more = [{**cells, "settlement-id": "9002"} for cells in settlement([row("7.00"), row("-1.00")], total="6.00")]
    parsed = parse(text([*rows, *more]))
    assert [(statement.outside_id, statement.total) for statement in parsed.statements] == [
        ("9001", D("5.00")),
        ("9002", D("6.00")),
    ]
    assert [(voucher.statement, len(voucher.lines)) for voucher in parsed.vouchers] == [("9001", 1), ("9002", 2)]


def test_one_moment_written_in_two_ways_is_one_voucher():
    rows = settlement(
        [row("5.00", posted="2026-06-17 08:14:22 UTC"), row("1.00", posted="2026-06-17T08:14:22+00:00")], total="6.00"
    )
    assert len(parse(text(rows)).vouchers) == 1


def test_an_orders_date_is_provisional_a_refunds_is_its_own():
    rows = settlement([row("5.00"), row("-5.00", **{"transaction-type": "Refund"})], total="0.00")
    sale, refund = parse(text(rows)).vouchers
    assert (sale.event, sale.event_source) == (EventKind.SALE, EventSource.POSTED) and sale.event_source.provisional
    assert (refund.event, refund.event_source) == (EventKind.REFUND, EventSource.REFUND) and not refund.event_source.provisional
    assert refund.lines[0].quantity == -2


def test_an_order_id_of_multi_channel_fulfilment_is_known_without_a_marketplace():
    voucher = parse(
        text(settlement([row("-4.00", name="FBAPerUnitFulfillmentFee", **{"order-id": "S01-1234567-1"})], total="-4.00"))
    ).vouchers[0]
    assert voucher.lines[0].context == "mcf"


def test_a_file_cut_off_inside_its_last_row_says_so():
    whole = text(settlement([row("5.00"), row("0.00")], total="5.00"))
    last = whole.rstrip("\n").rfind("\n") + 1
    with pytest.raises(DocumentError, match=r"Line 4: The settlement id 90 is cut off"):
        parse(whole[: last + 2])
    with pytest.raises(DocumentError, match=r"Line 4: The row has \d+ of 24 cells; the file may be cut off here"):
        parse(whole[: last + 20])


def test_a_file_whose_every_header_is_foreign_is_recognised_by_its_shape_and_asks():
    rows = settlement([row("5.00"), row("7.00"), row("1.00")], total="13.00")
    body = text(rows).replace("9001", "28471003921").split("\n", 1)[1]
    foreign = "\t".join(f"Spalte {place}" for place in range(len(HEAD))) + "\n" + body
    found = adapter.recognise(foreign.encode(), "x.txt")
    assert found is not None and found.unknown_columns and found.kind == "settlement_v2" and len(found.headers) == 24


def test_a_date_range_report_is_named_for_what_it_is():
    body = (
        '"Alle Beträge in EUR"\n"Datum/Uhrzeit","Abrechnungsnummer","Typ","Umsätze","Gesamt"\n'
        '"31.07.2026 10:51:00 UTC","77","Bestellung","24,90","21,16"\n"02.08.2026 10:51:00 UTC","77","Bestellung","4,90","1,16"\n'
    )
    with pytest.raises(
        DocumentError, match=r"not a settlement \(2 rows; 2026-07-31 to 2026-08-02; total 22\.32; settlement 77\)"
    ):
        parse(body)


@pytest.mark.parametrize("words", ["été Étagère L'été", "Küche größe", "naïve – “quote”", "Ærø"])
def test_european_words_are_not_taken_for_japanese(words):
    assert decode(f"sku\t{words}\n".encode("windows-1252")) == f"sku\t{words}\n"


@pytest.mark.parametrize("words", ["ランタン 黒", "①ﾗﾝﾀﾝ", "黒"])
def test_japanese_words_of_windows_are_read(words):
    assert decode(f"sku\t{words}\n".encode("cp932")) == f"sku\t{words}\n"


def test_a_summary_without_dates_and_lines_cannot_be_taken_even_on_request():
    summary = {"settlement-id": "9001", "total-amount": "5.00", "currency": "USD"}
    with pytest.raises(DocumentError, match="neither dates nor lines"):
        parse(text([summary]), accept_difference=True)


def test_the_same_rows_say_the_same_whatever_the_order_of_the_columns():
    shuffled = sorted(HEAD)
    assert parse(text(ROWS, head=shuffled)).vouchers == parse(text(ROWS)).vouchers


def test_other_reports_that_share_some_headers_are_not_taken_for_settlements():
    orders = (
        "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\tfulfillment-channel\tsales-channel\tsku\t"
        "asin\titem-status\tquantity\tcurrency\titem-price\titem-tax\tshipping-price\tship-country\n"
        "114-1\t114-1\t2026-06-17T08:14:22+00:00\t2026-06-17T08:14:22+00:00\tShipped\tAmazon\tAmazon.com\tLANTERN-1\tB0\tShipped\t1\t"
        "USD\t20.00\t1.00\t0.00\tUS\n"
    )
    assert adapter.recognise(orders.encode(), "orders.txt") is None


def test_both_layouts_of_one_settlement_say_the_same_vouchers():
    posted = "2026-08-18T02:48:54+00:00"
    same = {"order-item-code": "55", "sku": "LANTERN-1", "order-id": "701-1", "marketplace-name": "Amazon.ca", "posted": posted}
    narrow = settlement(
        [
            row("60.00", **same, **{"quantity-purchased": "3"}),
            row("-9.00", **same, name="Commission", group="ItemFees", **{"quantity-purchased": "3"}),
            {
                "transaction-type": "other-transaction",
                "amount-type": "FBA Inventory Reimbursement",
                "amount-description": "WAREHOUSE_LOST",
                "amount": "5.00",
                "posted-date": posted,
            },
        ],
        total="56.00",
    )
    wide = settlement(
        [
            v1(**{"quantity-purchased": "3"}),
            v1(**{"price-type": "Principal", "price-amount": "60.00"}),
            v1(**{"item-related-fee-type": "Commission", "item-related-fee-amount": "-9.00"}),
            {"transaction-type": "WAREHOUSE_LOST", "other-amount": "5.00", "posted-date": posted},
        ],
        total="56.00",
    )

    def said(body: str) -> list[list[tuple[object, ...]]]:
        return [[line[:6] for line in voucher.lines] for voucher in parse(body).vouchers]

    assert said(text(narrow)) == said(text(wide, head=V1_HEAD))
    first, second = (parse(body).vouchers[0] for body in (text(narrow), text(wide, head=V1_HEAD)))
    assert (first.outside_id, first.event, first.part) == (second.outside_id, second.event, second.part)
