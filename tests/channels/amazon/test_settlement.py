"""Settlement files: real ones to the cent, every style of writing them, and plain words for broken ones."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.adapter import DocumentError, Source
from channels.amazon.adapter import adapter
from channels.records import EventKind, ParsedDocument

HEAD = [
    "settlement-id",
    "settlement-start-date",
    "settlement-end-date",
    "deposit-date",
    "total-amount",
    "currency",
    "transaction-type",
    "order-id",
    "merchant-order-id",
    "adjustment-id",
    "shipment-id",
    "marketplace-name",
    "amount-type",
    "amount-description",
    "amount",
    "fulfillment-id",
    "posted-date",
    "posted-date-time",
    "order-item-code",
    "merchant-order-item-id",
    "merchant-adjustment-item-id",
    "sku",
    "quantity-purchased",
    "promotion-id",
]


def settlement(
    rows: list[dict[str, str]], *, total: str, currency: str = "USD", start: str = "2026-06-16 00:00:00 UTC"
) -> list[dict[str, str]]:
    summary = {
        "settlement-id": "9001",
        "settlement-start-date": start,
        "settlement-end-date": start,
        "deposit-date": start,
        "total-amount": total,
        "currency": currency,
    }
    return [summary, *({"settlement-id": "9001", **row} for row in rows)]


def row(
    amount: str, *, posted: str = "2026-06-17 08:14:22 UTC", name: str = "Principal", group: str = "ItemPrice", **more: str
) -> dict[str, str]:
    return {
        "transaction-type": "Order",
        "order-id": "114-1",
        "marketplace-name": "Amazon.com",
        "amount-type": group,
        "amount-description": name,
        "amount": amount,
        "posted-date": posted,
        "posted-date-time": posted,
        "sku": "LANTERN-1",
        "quantity-purchased": "2",
        **more,
    }


def text(rows: list[dict[str, str]], *, head: list[str] | None = None) -> str:
    head = head or HEAD
    return (
        "\n".join(
            "\t".join(list(head) if values is None else [values.get(name, "") for name in head]) for values in [None, *rows]
        )
        + "\n"
    )


def parse(body: bytes | str, **more: object) -> ParsedDocument:
    raw = body.encode() if isinstance(body, str) else body
    found = adapter.recognise(raw, "file.txt")
    assert found is not None
    return adapter.parse(Source(body=raw, kind=found.kind, region="NA", **more))  # type: ignore[arg-type]


ROWS = settlement([row("20.00"), row("-3.00", name="Commission", group="ItemFees")], total="17.00")


def test_one_voucher_per_order_with_quantity_once():
    parsed = parse(text(ROWS))
    (voucher,) = parsed.vouchers
    assert voucher.event is EventKind.SALE and voucher.order == "114-1" and voucher.part == "9001"
    assert [(line.path, line.name, line.amount, line.listing, line.quantity, line.row) for line in voucher.lines] == [
        ("Order/ItemPrice", "Principal", D("20.00"), "LANTERN-1", 2, 3),
        ("Order/ItemFees", "Commission", D("-3.00"), "LANTERN-1", None, 4),
    ]
    (statement,) = parsed.statements
    assert (statement.total, statement.deposit, statement.payout) == (D("17.00"), D("17.00"), "9001")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252", "shift_jis", "utf-16"])
def test_encodings_and_column_order_and_case_do_not_matter(encoding):
    title = {"windows-1252": "Küchenwaage", "shift_jis": "ランタン", "utf-16": "Lampe été"}.get(encoding, "Lámpara")
    rows = settlement([row("20.00", sku=title), row("-3.00", name="Commission", group="ItemFees", sku=title)], total="17.00")
    shuffled = list(reversed(HEAD))
    body = text(rows, head=shuffled).replace("settlement-id", "Settlement-ID", 1).encode(encoding)
    parsed = parse(body)
    assert sum(line.amount for line in parsed.vouchers[0].lines) == D("17.00")
    assert {line.listing for line in parsed.vouchers[0].lines} == {title}


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        ("2026-06-17 08:14:22 UTC", "2026-06-17T08:14:22+00:00"),
        ("2026-06-17T08:14:22+02:00", "2026-06-17T08:14:22+02:00"),
        ("17.06.2026 08:14:22 UTC", "2026-06-17T08:14:22+00:00"),
        ("2026/06/17 08:14:22 UTC", "2026-06-17T08:14:22+00:00"),
        ("2026/06/17", "2026-06-17"),
        ("17.06.2026", "2026-06-17"),
    ],
)
def test_date_styles_of_the_regions(posted, expected):
    parsed = parse(text(settlement([row("5.00", posted=posted)], total="5.00")))
    assert parsed.vouchers[0].posted_at.isoformat() == expected


def test_decimal_comma_and_thousands():
    parsed = parse(
        text(settlement([row("1.234,50"), row("-34,50", name="Commission", group="ItemFees")], total="1.200,00", currency="EUR"))
    )
    assert parsed.statements[0].total == D("1200.00")


def test_gzip_is_unpacked_and_a_damaged_one_is_named():
    packed = gzip.compress(text(ROWS).encode())
    assert parse(packed).statements[0].total == D("17.00")
    with pytest.raises(DocumentError, match="damaged or cut off"):
        adapter.parse(Source(body=packed[:-20], kind="settlement_v2"))


def test_two_equal_rows_stay_two_lines():
    parsed = parse(text(settlement([row("5.00"), row("5.00")], total="10.00")))
    assert [line.amount for line in parsed.vouchers[0].lines] == [D("5.00"), D("5.00")]


def test_an_unbalanced_file_is_refused_with_both_figures_and_taken_only_on_request():
    body = text(settlement([row("5.00")], total="9.00"))
    with pytest.raises(DocumentError, match=r"come to 5\.00 USD, its total is 9\.00 \(difference 4\.00\)") as caught:
        parse(body)
    assert caught.value.difference == D("4.00")
    parsed = parse(body, accept_difference=True)
    remainder = parsed.vouchers[-1].lines[0]
    assert (remainder.context, remainder.amount) == ("remainder", D("4.00"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": "12,3x"}, r"Line 3: amount: '12,3x' is not an amount"),
        ({"posted-date": "yesterday", "posted-date-time": "yesterday"}, r"Line 3: posted-date: 'yesterday' is not a date"),
        ({"posted-date": "", "posted-date-time": ""}, r"Line 3: The posted date is missing"),
        ({"quantity-purchased": "two"}, r"Line 3: quantity-purchased: 'two' is not a number"),
    ],
)
def test_an_unreadable_cell_is_named_with_its_line(change, message):
    with pytest.raises(DocumentError, match=message):
        parse(text(settlement([{**row("5.00"), **change}], total="5.00")))


def test_a_negative_total_is_no_payout():
    parsed = parse(text(settlement([row("-5.00")], total="-5.00")))
    assert parsed.payouts == [] and parsed.statements[0].deposit == 0 and "nothing was paid out" in parsed.notes[0]


def test_an_order_of_another_channel_carries_the_sellers_order_id_and_the_mcf_context():
    shipped = row(
        "-4.00",
        name="FBA transportation fee",
        group="ShipmentFees",
        **{"marketplace-name": "Non-Amazon US", "merchant-order-id": "TT-577"},
    )
    voucher = parse(text(settlement([shipped], total="-4.00"))).vouchers[0]
    assert (voucher.order, voucher.lines[0].context, voucher.marketplace) == ("TT-577", "mcf", "non-amazon us")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_files_raise_document_errors_and_nothing_else(data):
    good = text(ROWS).encode()
    cut = data.draw(st.integers(0, len(good)))
    junk = data.draw(st.binary(max_size=40))
    body = data.draw(st.sampled_from([good[:cut], good[:cut] + junk + good[cut:], junk, good.replace(b"\t", b",", cut % 7)]))
    found = adapter.recognise(body, "x")
    if found is None:
        return
    try:
        parsed = adapter.parse(Source(body=body, kind=found.kind))
    except DocumentError:
        return
    total = sum(statement.total or D(0) for statement in parsed.statements)
    assert total == sum(line.amount for voucher in parsed.vouchers for line in voucher.lines)


V1_GROUPS = {
    "price-amount": "ItemPrice",
    "item-related-fee-amount": "ItemFees",
    "promotion-amount": "Promotion",
    "shipment-fee-amount": "ShipmentFees",
    "other-fee-amount": "OtherFee",
}


def _as_v2(key: str) -> tuple[str, str]:
    kind, column, name = (part.strip() for part in key.split("|"))
    if column == "other-amount":
        reimbursed = kind.startswith(("WAREHOUSE", "REVERSAL"))
        return f"other-transaction/{'FBA Inventory Reimbursement' if reimbursed else 'other-transaction'}", kind
    if name == "Cost of Advertising":
        return f"{kind}/Cost of Advertising", "TransactionTotalAmount"
    return f"{kind}/{V1_GROUPS[column]}", name


@pytest.mark.conformance
def test_the_seven_real_files_reconcile_to_the_cent_by_type_sku_and_month(conformance: Path):
    files = sorted((conformance / "data/amazon_ca_settlement_v1").glob("5*.txt"))
    assert len(files) == 7
    for path in files:
        expected = json.loads(path.with_suffix(".expected.json").read_text())
        parsed = parse(path.read_bytes())
        statement = parsed.statements[0]
        assert str(statement.total) == expected["total_amount_header"] == expected["sum_of_lines"]
        by_type: dict[tuple[str, str], D] = defaultdict(D)
        by_sku: dict[str, D] = defaultdict(D)
        by_month: dict[str, D] = defaultdict(D)
        for voucher in parsed.vouchers:
            for line in voucher.lines:
                by_type[line.path, line.name] += line.amount
                by_sku[line.listing or "(none)"] += line.amount
                by_month[voucher.posted_at.isoformat()[:7]] += line.amount
        wanted: dict[tuple[str, str], D] = defaultdict(D)
        for key, value in expected["by_type_column_description"].items():
            wanted[_as_v2(key)] += D(value["sum"])
        assert dict(by_type) == {key: value for key, value in wanted.items() if value or key in by_type}
        assert dict(by_sku) == {sku: D(value["sum"]) for sku, value in expected["by_sku"].items()}
        assert dict(by_month) == {month: D(value["sum"]) for month, value in expected["by_month"].items()}


@pytest.mark.conformance
def test_the_v2_sample_reconciles_by_type(conformance: Path):
    folder = conformance / "data/amazon_us_v2_synthetic"
    expected = json.loads((folder / "settlement-sample.expected.json").read_text())
    parsed = parse((folder / "settlement-sample.txt").read_bytes())
    sums: dict[str, D] = defaultdict(D)
    for voucher in parsed.vouchers:
        for line in voucher.lines:
            sums[" | ".join([*line.path.split("/", 1), line.name])] += line.amount
    assert dict(sums) == {key: D(value["sum"]) for key, value in expected["by_type_amounttype_description"].items()}
    assert parsed.statements[0].total == D(expected["total_amount"])


@pytest.mark.conformance
def test_the_truncated_file_is_flagged_with_both_figures(conformance: Path):
    body = (conformance / "data/amazon_us_v1_4rows/settlement_head_excerpt.txt").read_bytes()
    with pytest.raises(DocumentError, match=r"26\.99 USD, its total is 16630\.13"):
        parse(body)
