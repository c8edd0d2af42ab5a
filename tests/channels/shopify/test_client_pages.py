"""Reading page by page: orders whole however many answers that takes, payouts that prove themselves, stock by location."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.adapter import Source
from channels.records import EventKind, ParsedDocument
from channels.shopify.adapter import adapter
from channels.shopify.client import KINDS, pages
from channels.shopify.client.orders import one_order
from nova.http import Permanent, Surprise, Temporary, Withdrawn
from tests.channels.shopify.live import TOKEN, Raw, connection, login, paged, refused, running
from tests.channels.shopify.market import Line, Order, bag

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


def fetch(session, kind, naps=None, **more):
    sleep = naps.append if naps is not None else (lambda _seconds: None)
    return list(pages(login(), kind, **{"start": START, "end": END, "session": session, "sleep": sleep, **more}))


def taken(page) -> ParsedDocument:
    """The page as an import takes it: recognised, without buyer data, parsed."""
    found = adapter.recognise(page.body, "")
    assert found is not None and found.kind == page.kind
    kept, personal = adapter.separate_personal_data(Source(body=page.body, kind=page.kind))
    assert not personal
    return adapter.parse(Source(body=kept, kind=page.kind, region="US", currencies=("USD",)))


def node(number: int, lines: int = 1, refunds: int = 0, **more: Any) -> dict[str, Any]:
    """An order as `OrdersUpdated` answers it."""
    at = START + timedelta(minutes=number)
    order = Order(number, at, [Line(f"LANTERN-{n}", D("10.00"), 2, tax=D("0.80")) for n in range(lines)])
    order.refunds = [(at + timedelta(days=1), n % lines, 1) for n in range(refunds)]
    told = {
        name: value for name, value in order.node().items() if name not in ("email", "customer", "shippingAddress", "refunds")
    }
    told["shippingLines"] = connection(told["shippingLines"]["nodes"])
    told["transactions"] = [
        {"id": f"gid://shopify/OrderTransaction/{number}", "kind": "SALE", "status": "SUCCESS", "gateway": "shopify_payments",
         "amountSet": bag(order.total)}
    ]  # fmt: skip
    told["fulfillments"] = []
    told["refunds"] = [
        refund(f"{number}{n}", told["lineItems"]["nodes"][n % lines], at + timedelta(days=1)) for n in range(refunds)
    ]
    told["totalPriceSet"] = bag(order.total)
    return {**told, **more}


def refund(number: str, line: dict[str, Any], at: datetime, units: int = 1) -> dict[str, Any]:
    paid = D("10.40") * units
    return {
        "id": f"gid://shopify/Refund/{number}",
        "createdAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "totalRefundedSet": bag(paid),
        "duties": [],
        "refundLineItems": connection([returned(f"{number}{n}", line) for n in range(units)]),
        "refundShippingLines": connection([]),
        "orderAdjustments": connection([]),
        "transactions": connection(
            [{"id": f"gid://shopify/OrderTransaction/{number}", "kind": "REFUND", "status": "SUCCESS",
              "gateway": "shopify_payments", "amountSet": bag(paid)}]
        ),
    }  # fmt: skip


def returned(number: str, line: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/RefundLineItem/{number}",
        "quantity": 1,
        "restockType": "RETURN",
        "lineItem": {"id": line["id"], "sku": line["sku"], "title": line["title"]},
        "subtotalSet": bag("10.00"),
        "totalTaxSet": bag("0.40"),
    }


def test_orders_come_in_pages_that_the_books_take_as_they_are(store, session):
    orders = [node(number, refunds=number % 2) for number in range(1001, 1046)]
    page = paged(orders)
    store.answers["OrdersUpdated"] = lambda variables: {"orders": page(variables)}
    found = fetch(session, "orders")
    assert [each.rows for each in found] == [20, 20, 5] and [each.resume for each in found] == ["20", "40", ""]
    assert len({each.outside_id for each in found}) == 3
    vouchers = [voucher for each in found for voucher in taken(each).vouchers]
    assert sum(1 for voucher in vouchers if voucher.event is EventKind.SALE) == 45
    assert sum(1 for voucher in vouchers if voucher.event is EventKind.REFUND) == 23
    assert all(sum(line.amount for line in voucher.lines) == 0 for voucher in vouchers)
    assert store.last("OrdersUpdated")["query"] == "updated_at:>='2026-11-01T00:00:00Z' updated_at:<'2026-11-02T00:00:00Z'"
    again = fetch(session, "orders", resume=found[0].resume)
    assert [(each.outside_id, each.body) for each in again] == [(each.outside_id, each.body) for each in found[1:]]


def test_an_empty_span_has_no_pages(store, session):
    store.answers["OrdersUpdated"] = [{"orders": connection([])}]
    assert fetch(session, "orders") == []


def test_a_page_that_is_too_dear_is_asked_in_halves(store, session):
    page = paged([node(number) for number in range(1001, 1008)])

    def answer(variables):
        return refused("MAX_COST_EXCEEDED", "1723") if variables["first"] > 3 else {"orders": page(variables)}

    store.answers["OrdersUpdated"] = answer
    assert [each.rows for each in fetch(session, "orders")] == [2, 2, 2, 1]
    store.answers["OrdersUpdated"] = [refused("MAX_COST_EXCEEDED", "1723")]
    with pytest.raises(Permanent):
        fetch(session, "orders")


def serve_order(store, whole: dict[str, Any], cut: dict[str, int], lists: int = 10, refund_lines: int = 5) -> None:
    """Answer for one order whose lists are longer than the first page shows."""

    def inner(name):
        def answer(variables):
            members = whole[name]["nodes"]
            begin, size = int(variables["after"]), cut[name]
            end = begin + size
            return {"order": {"id": whole["id"], name: connection(members[begin:end], str(end) if end < len(members) else "")}}

        return answer

    def cut_refund(told):
        members = told["refundLineItems"]["nodes"]
        more = str(refund_lines) if len(members) > refund_lines else ""
        return {**told, "refundLineItems": connection(members[:refund_lines], more)}

    def refund_items(variables):
        told = next(each for each in whole["refunds"] if each["id"] == variables["id"])
        members, begin = told["refundLineItems"]["nodes"], int(variables["after"])
        end = begin + refund_lines
        more = str(end) if end < len(members) else ""
        return {"refund": {"id": told["id"], "refundLineItems": connection(members[begin:end], more)}}

    first = copy.deepcopy(whole)
    for name, size in cut.items():
        members = whole[name]["nodes"]
        first[name] = connection(members[:size], str(size) if len(members) > size else "")
    first["refunds"] = [cut_refund(each) for each in whole["refunds"][:lists]]
    store.answers.update(
        OrdersUpdated=[{"orders": connection([first])}],
        OrderById=[{"order": first}],
        OrderItems=inner("lineItems"),
        OrderShipping=inner("shippingLines"),
        OrderRefunds=[{"order": {"id": whole["id"], "refunds": [cut_refund(each) for each in whole["refunds"]]}}],
        RefundItems=refund_items,
        OrderPayments=[{"order": {"id": whole["id"], "transactions": whole["transactions"]}}],
    )


def test_an_order_with_more_of_everything_than_a_page_shows_is_whole(store, session):
    whole = node(1001, lines=23, refunds=12)
    line = whole["lineItems"]["nodes"][0]
    whole["refunds"][3] = refund("777", line, START + timedelta(days=2), units=13)
    serve_order(store, whole, {"lineItems": 10, "shippingLines": 2})
    (page,) = fetch(session, "orders")
    (sale, *refunds) = taken(page).vouchers
    assert sum(line.quantity or 0 for line in sale.lines) == 46
    assert sum(line.amount for line in sale.lines) == 0 and len(refunds) == 12
    (large,) = [voucher for voucher in refunds if voucher.outside_id.endswith("/777")]
    assert sum(line.amount for line in large.lines if line.path == "refund/lines") == D("-130.00")
    assert (store.count("OrderItems"), store.count("OrderRefunds"), store.count("RefundItems")) == (2, 1, 2)
    alone = one_order(login(), "5000001001", session=session)
    assert alone is not None and taken(alone).vouchers == taken(page).vouchers
    assert store.last("OrderById") == {"id": "gid://shopify/Order/5000001001"}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.integers(1, 9), refunds=st.integers(0, 13), units=st.integers(1, 9), size=st.integers(1, 4))
def test_an_order_is_the_same_however_shopify_cuts_it(store, session, lines, refunds, units, size):
    whole = node(1001, lines=lines, refunds=refunds)
    if refunds:
        whole["refunds"][0] = refund("777", whole["lineItems"]["nodes"][0], START, units=units)
    serve_order(store, whole, {"lineItems": size, "shippingLines": 1}, refund_lines=size)
    (page,) = fetch(session, "orders")
    plain = json.dumps({"data": {"orders": connection([whole])}}).encode()
    wanted = adapter.parse(Source(body=plain, kind="orders", region="US", currencies=("USD",)))
    assert taken(page).vouchers == wanted.vouchers


def test_one_order_that_is_gone_is_none_and_a_list_without_end_is_told(store, session):
    store.answers["OrderById"] = [{"order": None}]
    assert one_order(login(), "1", session=session) is None
    whole = node(1001)
    whole["transactions"] *= 250
    serve_order(store, whole, {"lineItems": 10})
    with pytest.raises(Surprise, match="250 transactions"):
        fetch(session, "orders")


def test_pages_that_stand_still_or_lose_their_way_end_in_a_surprise(store, session):
    store.answers["OrdersUpdated"] = [{"orders": connection([node(1001)], "same")}]
    with pytest.raises(Surprise, match="stand still"):
        fetch(session, "orders")
    store.answers["OrdersUpdated"] = [{"orders": {"nodes": []}}]
    with pytest.raises(Surprise, match="goes on"):
        fetch(session, "orders")
    store.answers["OrdersUpdated"] = [{"orders": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}]
    with pytest.raises(Surprise, match="where"):
        fetch(session, "orders")


def test_trouble_in_the_middle_leaves_the_pages_before_and_a_word_to_go_on_from(store, session, naps):
    orders = [node(number) for number in range(1001, 1042)]
    page, state = paged(orders), {"broken": True}

    def answer(variables):
        if variables["after"] == "20" and state["broken"]:
            return Raw(b'{"data":{"orders":{"nodes":[')
        return {"orders": page(variables)}

    store.answers["OrdersUpdated"] = answer
    got = []
    with pytest.raises(Temporary):
        for each in pages(login(), "orders", start=START, end=END, session=session, sleep=naps.append):
            got.append(each)
    assert len(got) == 1 and len(naps) == 4
    state["broken"] = False
    got += fetch(session, "orders", resume=got[-1].resume)
    sales = [voucher.outside_id for each in got for voucher in taken(each).vouchers]
    assert len(sales) == len(set(sales)) == 41


def money(amount: D | str) -> dict[str, str]:
    return {"amount": str(amount), "currencyCode": "USD"}


def movement(number: int, payout: int | None, amount: str, fee: str = "0.00") -> dict[str, Any]:
    pays = {"id": f"gid://shopify/ShopifyPaymentsPayout/{payout}" if payout else None, "status": "PAID" if payout else "PENDING"}
    return {
        "id": f"gid://shopify/ShopifyPaymentsBalanceTransaction/{number}",
        "type": "CHARGE",
        "test": False,
        "transactionDate": "2026-11-01T10:00:00Z",
        "amount": money(amount),
        "fee": money(fee),
        "net": money(D(amount) - D(fee)),
        "associatedPayout": pays,
        "associatedOrder": {"id": f"gid://shopify/Order/{number}", "name": f"#{number}"},
    }


def payout(number: int, net: str) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/ShopifyPaymentsPayout/{number}",
        "legacyResourceId": str(number),
        "issuedAt": "2026-11-01T00:00:00Z",
        "status": "PAID",
        "transactionType": "DEPOSIT",
        "net": money(net),
    }


def serve_payments(store, payouts: dict[int, list[str]], pending: int = 0, *, ignore_search: bool = False) -> None:
    moved = {
        number: [movement(number * 1000 + n, number, amount, "0.50") for n, amount in enumerate(amounts)]
        for number, amounts in payouts.items()
    }
    listed = [payout(number, str(sum(D(amount) - D("0.50") for amount in amounts))) for number, amounts in payouts.items()]

    def account(**more):
        return {"shopifyPaymentsAccount": {"id": "gid://shopify/ShopifyPaymentsAccount/1", **more}}

    def answer_payouts(variables):
        page = paged(listed)({**variables, "first": 2})
        begin = int(variables["after"] or 0)
        edges = [{"cursor": str(begin + n + 1), "node": each} for n, each in enumerate(page["nodes"])]
        return account(payouts={"edges": edges, "pageInfo": page["pageInfo"]})

    def answer_transactions(variables):
        search = variables["query"]
        if search == "payout_status:pending":
            members = [movement(900_000 + n, None, "5.00") for n in range(pending)]
        elif ignore_search:
            members = [each for part in moved.values() for each in part]
        else:
            members = moved[int(search.removeprefix("payments_transfer_id:"))]
        return account(balanceTransactions=paged(members)(variables))

    store.answers.update(Payouts=answer_payouts, BalanceTransactions=answer_transactions)


def test_a_payout_comes_with_all_it_pays_and_proves_itself(store, session):
    serve_payments(store, {71: ["10.00"] * 300, 72: ["7.00", "-2.00"], 73: ["1.00"]}, pending=2)
    found = fetch(session, "balance_transactions")
    assert [each.outside_id for each in found] == ["payout 71", "payout 72", "payout 73", "pending"]
    assert [each.rows for each in found] == [300, 2, 1, 2] and found[-1].resume == ""
    parsed = [taken(each) for each in found]
    (first,) = parsed[0].statements
    assert (first.outside_id, first.total, first.complete) == ("71", D("2850.00"), True)
    assert [len(each.vouchers) for each in parsed] == [300, 2, 1, 2]
    assert store.asked[0][1]["query"] == "issued_at:>='2026-11-01' issued_at:<='2026-11-02'"
    for place, each in enumerate(found[:-1]):
        rest = fetch(session, "balance_transactions", resume=each.resume)
        assert [page.outside_id for page in rest] == [page.outside_id for page in found[place + 1 :]]


def test_transactions_of_other_payouts_are_never_taken_for_this_ones(store, session):
    serve_payments(store, {71: ["10.00"], 72: ["7.00"]}, ignore_search=True)
    with pytest.raises(Permanent, match="other payouts"):
        fetch(session, "balance_transactions")


def test_payouts_are_listed_as_the_books_take_them(store, session):
    serve_payments(store, {71: ["10.00"], 72: ["7.00"], 73: ["1.00"]})
    found = fetch(session, "payouts")
    assert [each.rows for each in found] == [2, 1]
    assert [payout.outside_id for each in found for payout in taken(each).payouts] == ["71", "72", "73"]


@pytest.mark.parametrize("kind", ["payouts", "balance_transactions"])
def test_a_store_without_shopify_payments_has_no_payouts_and_no_error(store, session, kind):
    store.answers["Payouts"] = store.answers["BalanceTransactions"] = [{"shopifyPaymentsAccount": None}]
    assert fetch(session, kind) == []


def test_stock_is_read_location_by_location_and_goes_on_where_it_stopped(store, session):
    places = {"1": 300, "2": 0, "3": 2}
    store.answers["Locations"] = [{"locations": connection([{"id": f"gid://shopify/Location/{each}"} for each in places])}]

    def levels(variables):
        number = variables["location"].rsplit("/", 1)[-1]
        members = [{"id": f"gid://shopify/InventoryLevel/{number}?inventory_item_id={n}"} for n in range(places[number])]
        return {"location": {"id": variables["location"], "inventoryLevels": paged(members)(variables)}}

    store.answers["LocationLevels"] = levels
    found = fetch(session, "inventory_levels", start=None, end=None)
    assert [(each.rows, each.resume) for each in found] == [(250, "1 250"), (50, "2"), (2, "")]
    assert store.last("LocationLevels")["query"] is None
    for place, each in enumerate(found[:-1]):
        rest = fetch(session, "inventory_levels", start=None, end=None, resume=each.resume)
        assert [page.outside_id for page in rest] == [page.outside_id for page in found[place + 1 :]]
    with pytest.raises(Permanent, match="gone"):
        fetch(session, "inventory_levels", resume="9 x")


@pytest.mark.parametrize(
    ("kind", "operation", "field"),
    [("variants", "Variants", "productVariants"), ("inventory_items", "InventoryItems", "inventoryItems"),
     ("locations", "Locations", "locations")],
)  # fmt: skip
def test_articles_and_locations_come_whole(store, session, kind, operation, field):
    page = paged([{"id": f"gid://shopify/X/{n}", "sku": f"LANTERN-{n}"} for n in range(251)])
    store.answers[operation] = lambda variables: {field: page(variables)}
    found = fetch(session, kind)
    assert [(each.rows, each.resume) for each in found] == [(250, "250"), (1, "")]
    assert json.loads(found[1].body)["data"][field]["nodes"][0]["sku"] == "LANTERN-250"
    assert ("updated_at" in str(store.last(operation).get("query"))) == (kind != "locations")


def test_a_fulfilment_order_comes_with_all_its_lines(store, session):
    lines = [{"id": f"gid://shopify/FulfillmentOrderLineItem/{n}", "remainingQuantity": 1} for n in range(12)]
    order = {"id": "gid://shopify/FulfillmentOrder/5", "status": "OPEN", "lineItems": connection(lines[:10], "10")}
    store.answers["FulfilmentOrders"] = [{"fulfillmentOrders": connection([order])}]
    store.answers["FulfilmentOrderItems"] = [{"fulfillmentOrder": {"id": order["id"], "lineItems": connection(lines[10:])}}]
    (page,) = fetch(session, "fulfilment_orders")
    (got,) = json.loads(page.body)["data"]["fulfillmentOrders"]["nodes"]
    assert got["lineItems"]["nodes"] == lines and not got["lineItems"]["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize("odd", [{"id": "gid://shopify/Order/1"}, "order", None, {"id": "x", "lineItems": []}])
def test_an_answer_of_another_shape_than_the_schema_promises_is_a_surprise(store, session, odd):
    store.answers["OrdersUpdated"] = [{"orders": connection([odd])}]
    with pytest.raises(Surprise):
        fetch(session, "orders")


def test_what_cannot_be_read_is_refused_before_anything_is_asked(store, session):
    with pytest.raises(ValueError, match="nothing that is read"):
        fetch(session, "customers")
    with pytest.raises(ValueError, match="zone"):
        fetch(session, "orders", start=datetime(2026, 11, 1))
    assert store.asked == [] and {"orders", "payouts", "balance_transactions", "variants", "inventory_levels"} <= set(KINDS)


def test_a_withdrawn_login_ends_the_reading(store, session):
    with pytest.raises(Withdrawn) as caught:
        list(pages(login(access_token="void"), "orders", start=START, end=END, session=session))
    assert "void" not in str(caught.value) and TOKEN not in str(caught.value)


def test_a_store_that_cannot_be_reached_is_temporary(session, settings, naps):
    with running() as gone:
        settings.NOVA_SHOPIFY_URL = gone.url
    with pytest.raises(Temporary, match="could not be reached"):
        fetch(session, "orders", naps)
    assert len(naps) == 4
