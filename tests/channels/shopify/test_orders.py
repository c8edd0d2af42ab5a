"""Orders and refunds as JSON: net revenue by article, refunds at their own date, nothing counted that another channel counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.adapter import DocumentError
from channels.records import EventKind, EventSource, VoucherRecord
from channels.shopify.adapter import adapter
from channels.shopify.orders import Item, Tax, net_of_tax
from channels.shopify.words import pushed_from
from tests.channels.shopify.market import ORDER_HEADERS, Line, Order, bag, market, table
from tests.channels.shopify.reading import read, told, total

AT = datetime(2026, 3, 2, 19, 5, 11, tzinfo=UTC)


def lamp_order(**more: Any) -> Order:
    return Order(1001, AT, [Line("LANTERN-1", D("40.00"), 2, D("8.00"), D("5.76"))], **more)


def answer(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"orders": {"nodes": list(nodes), "pageInfo": {"hasNextPage": False}}}}


def test_an_order_books_price_discount_shipping_tax_and_what_was_paid_and_adds_up_to_zero():
    parsed = read(answer(lamp_order(shipping=D("6.00")).node()))
    (sale,) = parsed.vouchers
    assert told(sale) == [
        ("order/lines", "price", "", D("80.00")),
        ("order/lines", "price discount", "", D("-8.00")),
        ("order/tax", "tax", "tax_unknown", D("5.76")),
        ("order/shipping", "shipping", "", D("6.00")),
        ("order/payment", "shopify_payments", "", D("-83.76")),
    ]
    assert [(line.listing, line.quantity) for line in sale.lines[:3]] == [
        ("LANTERN-1", 2),
        ("LANTERN-1", None),
        ("LANTERN-1", None),
    ]
    assert (sale.order, sale.event, sale.part, sale.event_source) == ("#1001", EventKind.SALE, "order", EventSource.ORDER)
    assert (sale.currency, sale.outside_id) == ("USD", "5000001001")
    assert [(listing.code, listing.title, listing.outside_id) for listing in parsed.listings] == [
        ("LANTERN-1", "Lantern-1 lamp", "1")
    ]


def test_the_event_is_the_shipment_once_everything_has_left():
    shipped = AT + timedelta(days=2)
    (sale,) = read(answer(lamp_order(shipped_at=shipped).node())).vouchers
    assert (sale.event_at, sale.event_source, sale.posted_at) == (shipped, EventSource.SHIPMENT, AT)
    node = lamp_order(shipped_at=shipped).node() | {"displayFulfillmentStatus": "PARTIALLY_FULFILLED"}
    assert read(answer(node)).vouchers[0].event_source.provisional


def test_tax_inside_prices_is_taken_out_of_price_and_discount():
    (sale,) = read(answer(lamp_order(taxes_included=True).node())).vouchers
    prices = {line.name: line.amount for line in sale.lines}
    assert prices["price"] + prices["price discount"] == D("72.00") - D("5.76")
    assert prices["price"] == D("73.60") and prices["tax"] == D("5.76")
    assert total(sale.lines) == 0


@given(
    cents=st.integers(0, 10**7),
    off=st.integers(0, 100),
    rate=st.sampled_from([0, 5, 7, 19, 25]),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_taking_tax_out_loses_no_cent(cents, off, rate, currency):
    price = D(cents) / (1 if currency == "JPY" else 100)
    discount = (price * off / 100).quantize(D(1) if currency == "JPY" else D("0.01"))
    tax = ((price - discount) * rate / (100 + rate)).quantize(D(1) if currency == "JPY" else D("0.01"))
    net, off_net = net_of_tax(Item("price", price, discount, [Tax(tax)]), currency, included=True)
    assert net - off_net + tax == price - discount
    assert net.as_tuple().exponent >= -4


def test_tax_the_channel_is_liable_for_comes_in_and_goes_out():
    (sale,) = read(answer(lamp_order(channel_liable=True).node())).vouchers
    taxes = [line for line in sale.lines if line.path == "order/tax"]
    assert [(line.name, line.context, line.amount) for line in taxes] == [
        ("tax", "", D("5.76")),
        ("tax remitted by channel", "", D("-5.76")),
    ]
    (own,) = read(answer(lamp_order(channel_liable=False).node())).vouchers
    assert [line.context for line in own.lines if line.path == "order/tax"] == ["tax_own"]


def test_a_refund_stands_at_its_own_date_and_returns_units_only_when_they_were_restocked():
    order = lamp_order(refunds=[(AT + timedelta(days=40), 0, 1)])
    _sale, refund = read(answer(order.node())).vouchers
    assert told(refund) == [
        ("refund/lines", "price", "", D("-36.00")),
        ("refund/tax", "tax", "tax_unknown", D("-2.88")),
        ("refund/payment", "shopify_payments", "", D("38.88")),
    ]
    assert (refund.event_at, refund.event_source, refund.event) == (
        AT + timedelta(days=40),
        EventSource.REFUND,
        EventKind.REFUND,
    )
    assert refund.lines[0].quantity == -1
    node = order.node()
    node["refunds"][0]["refundLineItems"]["nodes"][0]["restockType"] = "NO_RESTOCK"
    assert read(answer(node)).vouchers[1].lines[0].quantity is None


def refund_node(order: Order, paid: str, **more: Any) -> dict[str, Any]:
    node = order.node()
    node["refunds"] = [
        {
            "id": "gid://shopify/Refund/7",
            "createdAt": "2026-04-01T10:00:00Z",
            "totalRefundedSet": bag(paid),
            "transactions": {
                "nodes": [{"kind": "REFUND", "status": "SUCCESS", "gateway": "shopify_payments", "amountSet": bag(paid)}]
            },
            **more,
        }
    ]
    return node


def test_a_restocking_fee_is_kept_and_goodwill_is_given_beyond_the_items():
    order = lamp_order()
    item = order.node()["lineItems"]["nodes"][0]["id"]
    line = {
        "quantity": 2,
        "restockType": "RETURN",
        "lineItem": {"id": item},
        "subtotalSet": bag("72.00"),
        "totalTaxSet": bag("5.76"),
    }
    fee = {"reason": "RESTOCK", "amountSet": bag("7.76"), "taxAmountSet": bag("0.00")}
    node = refund_node(order, "70.00", refundLineItems={"nodes": [line]}, orderAdjustments={"nodes": [fee]})
    refund = read(answer(node)).vouchers[1]
    assert ("refund/adjustment", "restock", "", D("7.76")) in told(refund) and total(refund.lines) == 0
    assert not [row for row in told(refund) if row[1] == "outstanding"]
    goodwill = read(answer(refund_node(order, "5.00"))).vouchers[1]
    assert told(goodwill) == [
        ("refund/adjustment", "refund_discrepancy", "", D("-5.00")),
        ("refund/payment", "shopify_payments", "", D("5.00")),
    ]


def test_refunded_shipping_and_a_refund_not_paid_out_yet():
    order = lamp_order(shipping=D("6.00"))
    shipping = {"subtotalAmountSet": bag("6.00"), "taxAmountSet": bag("0.00")}
    node = refund_node(order, "6.00", refundShippingLines={"nodes": [shipping]})
    assert told(read(answer(node)).vouchers[1]) == [
        ("refund/shipping", "shipping", "", D("-6.00")),
        ("refund/payment", "shopify_payments", "", D("6.00")),
    ]
    node["refunds"][0]["transactions"]["nodes"][0]["status"] = "PENDING"
    assert told(read(answer(node)).vouchers[1])[-1] == ("refund/payment", "outstanding", "", D("6.00"))


def test_gift_cards_are_a_liability_when_sold_and_when_redeemed_and_tips_are_income():
    order = Order(1007, AT, [Line("", D("50.00"), gift_card=True), Line("LANTERN-1", D("40.00"))])
    node = order.node() | {"totalPriceSet": bag("93.00"), "totalTipReceivedSet": bag("3.00")}
    node["transactions"] = [
        {"kind": "SALE", "status": "SUCCESS", "gateway": "gift_card", "amountSet": bag("20.00")},
        {"kind": "AUTHORIZATION", "status": "SUCCESS", "gateway": "shopify_payments", "amountSet": bag("73.00")},
        {"kind": "CAPTURE", "status": "SUCCESS", "gateway": "shopify_payments", "amountSet": bag("73.00")},
        {"kind": "SALE", "status": "FAILURE", "gateway": "paypal", "amountSet": bag("73.00")},
    ]
    (sale,) = read(answer(node)).vouchers
    assert told(sale) == [
        ("order/lines", "gift card", "", D("50.00")),
        ("order/lines", "price", "", D("40.00")),
        ("order/lines", "tip", "", D("3.00")),
        ("order/payment", "gift_card", "", D("-20.00")),
        ("order/payment", "shopify_payments", "", D("-73.00")),
    ]
    assert [line.listing for line in sale.lines[:2]] == ["", "LANTERN-1"] and sale.lines[0].quantity is None


def test_duties_and_fees_are_lines_and_what_is_left_of_the_total_is_visible():
    node = lamp_order().node()
    node["lineItems"]["nodes"][0]["duties"] = [{"price": bag("4.00"), "taxLines": []}]
    node["additionalFees"] = [{"name": "Colorado delivery fee", "price": bag("0.28"), "taxLines": []}]
    node["totalPriceSet"] = bag("82.05")
    parsed = read(answer(node))
    lines = told(parsed.vouchers[0])
    assert ("order/duties", "duties", "", D("4.00")) in lines and ("order/fees", "additional fee", "", D("0.28")) in lines
    assert ("order/other", "not itemised", "remainder", D("0.01")) in lines
    assert parsed.notes[0].startswith("1 orders have lines that do not add up")


def test_what_is_not_paid_stays_outstanding():
    (sale,) = read(answer(lamp_order(paid=False).node())).vouchers
    assert told(sale)[-1] == ("order/payment", "outstanding", "", D("-77.76"))


def test_orders_that_never_were_sales_make_no_lines():
    cancelled = lamp_order(paid=False).node() | {"cancelledAt": "2026-03-03T00:00:00Z", "displayFinancialStatus": "VOIDED"}
    test = lamp_order().node() | {"id": "gid://shopify/Order/2", "name": "#2", "test": True}
    bogus = lamp_order(gateway="bogus").node() | {"id": "gid://shopify/Order/3", "name": "#3"}
    parsed = read(answer(cancelled, test, bogus))
    assert [(voucher.order, voucher.lines) for voucher in parsed.vouchers] == [("#1001", []), ("#2", []), ("#3", [])]
    assert parsed.notes == [
        "1 orders were cancelled or expired before any money came; they make no revenue.",
        "2 test orders were left out.",
    ]


def test_an_order_paid_and_cancelled_is_a_sale_and_a_refund():
    node = lamp_order(refunds=[(AT, 0, 2)]).node() | {
        "cancelledAt": "2026-03-03T00:00:00Z",
        "displayFinancialStatus": "REFUNDED",
    }
    parsed = read(answer(node))
    assert [total([line for line in v.lines if line.path.endswith("lines")]) for v in parsed.vouchers] == [
        D("72.00"),
        D("-72.00"),
    ]


def test_samples_are_outside_revenue_and_units():
    node = Order(1009, AT, [Line("LANTERN-1", D("40.00"), 1, D("40.00"))], tags=("Creator sample",)).node()
    (sale,) = read(answer(node)).vouchers
    assert {line.context for line in sale.lines} == {"sample"} and all(line.quantity is None for line in sale.lines)
    paid = Order(1009, AT, [Line("LANTERN-1", D("40.00"))], tags=("creator",)).node()
    assert {line.context for line in read(answer(paid)).vouchers[0].lines} == {""}


@pytest.mark.parametrize(
    ("sources", "gateways", "tags", "channel"),
    [
        (["tiktok"], [], [], "TikTok"),
        (["web", "TikTok"], [], [], "TikTok"),
        (["580111"], ["TikTok Shop"], [], "TikTok"),
        (["web"], [], ["vip", "TikTokOrderID:576920"], "TikTok"),
        ([""], [], ["TikTok Shop"], "TikTok"),
        (["Marketplace Connect"], [], ["Amazon"], "Amazon"),
        (["amazon-us"], [], [], "Amazon"),
        ([""], [], ["Amazon Order"], "Amazon"),
        # The shop's own orders, whatever brought the buyer, took the money or shipped the parcel.
        (["web"], [], ["tiktok"], ""),
        (["web"], ["shopify_payments"], ["TikTok ads", "tiktok-influencer"], ""),
        (["web"], ["amazon_payments"], [], ""),
        (["web"], ["Amazon Pay"], ["amazon fba", "amazon-mcf"], ""),
        (["web"], [], ["amazon reviewer"], ""),
    ],
)
def test_orders_of_other_channels_are_told_from_own_orders_with_like_words(sources, gateways, tags, channel):
    assert pushed_from(sources=sources, gateways=gateways, tags=tags) == channel


def test_orders_that_tiktok_pushed_are_told_and_not_counted_nor_are_their_refunds():
    order = lamp_order(tags=("TikTokOrderID:5769",), refunds=[(AT, 0, 1)])
    parsed = read(answer(order.node()))
    assert [(voucher.event, voucher.lines) for voucher in parsed.vouchers] == [(EventKind.SALE, []), (EventKind.REFUND, [])]
    assert parsed.notes == ["1 orders came from TikTok through a channel app; they are counted there and not here."]


def test_an_order_told_in_several_answers_is_put_together():
    node = lamp_order(refunds=[(AT, 0, 1)]).node()
    whole = read(answer(node))
    head = {name: value for name, value in node.items() if name not in ("lineItems", "refunds")}
    parts = [
        {"data": {"order": head}},
        {"data": {"order": {"id": node["id"], "lineItems": node["lineItems"]}}},
        {"data": {"order": {"id": node["id"], "refunds": node["refunds"]}}},
    ]
    assert read(parts).vouchers == whole.vouchers
    with pytest.raises(DocumentError, match=r"Order #1001: this answer holds no line items"):
        read(parts[0])


def test_a_bulk_result_finds_its_children():
    node = lamp_order().node()
    items = [item | {"__parentId": node["id"]} for item in node.pop("lineItems")["nodes"]]
    shipping = [
        line | {"id": "gid://shopify/ShippingLine/1", "__parentId": node["id"]} for line in node.pop("shippingLines")["nodes"]
    ]
    lines = "\n".join(json.dumps(part) for part in [node, *items, *shipping])
    assert read(lines).vouchers == read(answer(lamp_order().node())).vouchers
    with pytest.raises(DocumentError, match=r"^Line 2: .*cut off"):
        read(lines[:-30].rsplit("\n", 1)[0][:-20])


def test_pages_that_go_on_are_refused():
    node = lamp_order().node()
    node["lineItems"]["pageInfo"]["hasNextPage"] = True
    with pytest.raises(DocumentError, match=r"Order #1001 has more line items"):
        read(answer(node))


def test_a_damaged_order_is_named():
    node = lamp_order().node()
    node["lineItems"]["nodes"][0]["originalTotalSet"]["shopMoney"]["amount"] = "4o"
    with pytest.raises(DocumentError, match=r"Order #1001 cannot be read: '4o' is not an amount"):
        read(answer(node))


def test_an_order_of_the_old_api_says_the_same():
    rest = {
        "id": 5000001001,
        "name": "#1001",
        "created_at": "2026-03-02T14:05:11-05:00",
        "test": False,
        "source_name": "web",
        "tags": "",
        "currency": "USD",
        "taxes_included": False,
        "financial_status": "paid",
        "fulfillment_status": None,
        "payment_gateway_names": ["shopify_payments"],
        "total_price": "83.76",
        "total_price_set": {"shop_money": {"amount": "83.76", "currency_code": "USD"}},
        "line_items": [
            {
                "id": 1,
                "sku": "LANTERN-1",
                "title": "Lantern-1 lamp",
                "quantity": 2,
                "price": "40.00",
                "gift_card": False,
                "total_discount": "0.00",
                "discount_allocations": [{"amount": "8.00"}],
                "tax_lines": [{"price": "5.76", "channel_liable": None}],
                "variant_id": 1,
            }
        ],
        "shipping_lines": [{"price": "6.00", "discount_allocations": [], "tax_lines": []}],
        "refunds": [],
    }
    assert adapter.recognise(json.dumps(rest).encode(), "") is not None
    (old,) = read(rest).vouchers
    (new,) = read(answer(lamp_order(shipping=D("6.00")).node())).vouchers
    assert told(old) == told(new) and (old.order, old.part, old.event_at) == (new.order, new.part, new.event_at)
    assert old.family == "order_rest"


def test_refunds_of_the_old_api_know_shipping_as_an_adjustment():
    order = lamp_order(shipping=D("6.00")).node()
    order["refunds"] = [
        {
            "id": 9,
            "created_at": "2026-04-01T10:00:00-05:00",
            "refund_line_items": [],
            "order_adjustments": [{"kind": "shipping_refund", "amount": "-6.00", "tax_amount": "0.00"}],
            "transactions": [{"kind": "refund", "status": "success", "gateway": "shopify_payments", "amount": "6.00"}],
        }
    ]
    assert told(read(answer(order)).vouchers[1]) == [
        ("refund/shipping", "shipping", "", D("-6.00")),
        ("refund/payment", "shopify_payments", "", D("6.00")),
    ]


def test_every_voucher_of_the_market_adds_up_to_zero():
    store = market()
    for body in (store.orders_json(), store.orders_csv()):
        assert all(total(voucher.lines) == 0 for voucher in read(body).vouchers)


CENTS = st.integers(1, 20_000).map(lambda cents: D(cents) / 100)
LINES = st.builds(
    lambda sku, price, quantity, off, rate, included: Line(
        sku,
        price,
        quantity,
        discount := (price * quantity * off / 100).quantize(D("0.01")),
        ((price * quantity - discount) * rate / (100 + rate if included else 100)).quantize(D("0.01")),
    ),
    st.sampled_from(["LANTERN-1", "WICK-2", "GLASS-3"]),
    CENTS,
    st.integers(1, 5),
    st.sampled_from([0, 0, 10, 33, 100]),
    st.sampled_from([0, 8, 19]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=5), shipping=st.sampled_from([D(0), D("4.95")]), included=st.booleans())
def test_api_and_export_tell_the_same_revenue_and_tax_of_any_order(lines, shipping, included):
    order = Order(1001, AT, lines, shipping=shipping, taxes_included=included)
    if included and not order.taxes:
        order.taxes_included = False
    (api,) = read(answer(order.node())).vouchers
    (export,) = read(table(ORDER_HEADERS, order.rows())).vouchers

    def sums(voucher: VoucherRecord) -> tuple[D, D, D, int]:
        revenue = sum((line.amount for line in voucher.lines if line.path in ("order/lines", "order/shipping")), D(0))
        tax = sum((line.amount for line in voucher.lines if line.path == "order/tax"), D(0))
        paid = sum((line.amount for line in voucher.lines if line.path == "order/payment"), D(0))
        return revenue, tax, paid, sum(line.quantity or 0 for line in voucher.lines)

    assert sums(api) == sums(export)
    assert sums(api)[:3] == (order.total - order.taxes, order.taxes, -order.total)


def bodies(data: Any) -> Iterator[Any]:
    """The answers inside a file of recorded calls."""
    if isinstance(data, dict):
        if isinstance(data.get("response"), dict):
            yield data["response"]
        for part in data.values():
            yield from bodies(part)
    elif isinstance(data, list):
        for part in data:
            yield from bodies(part)


@pytest.mark.conformance
def test_published_orders_of_the_old_api_add_up_to_their_totals(conformance: Path):
    samples = json.loads((conformance / "facts/shopify/samples/rest/order.json").read_text())
    sales = refunds = 0
    for body in bodies(samples):
        text = json.dumps(body).replace('"test": true', '"test": false').replace('"bogus"', '"shopify_payments"')
        if adapter.recognise(text.encode(), "") is None:
            continue
        for voucher in read(text).vouchers:
            assert total(voucher.lines) == 0
            assert not [line for line in voucher.lines if line.context == "remainder"], voucher.order
            sales += voucher.event is EventKind.SALE
            refunds += voucher.event is EventKind.REFUND
    assert (sales, refunds) == (29, 19)
