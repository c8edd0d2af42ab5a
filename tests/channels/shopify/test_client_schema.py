"""What the documents ask for is what the parsers need: answers made from the published schema alone are taken by the books."""

from __future__ import annotations

import json
import math
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from channels.adapter import Source
from channels.shopify.adapter import adapter
from channels.shopify.client import fulfilment, orders, payments, stock
from channels.shopify.client.documents import operations

pytestmark = pytest.mark.conformance
graphql = pytest.importorskip("graphql", reason="graphql-core is in the dev group")

#: Values by field name where any other value would make no sense together.
_VALUES: dict[str, Any] = {
    "amount": "10.00", "currencyCode": "USD", "hasNextPage": False, "endCursor": None, "quantity": 1, "kind": "SALE",
    "status": "SUCCESS", "test": False, "displayFinancialStatus": "PAID", "displayFulfillmentStatus": "FULFILLED",
    "isGiftCard": False, "taxesIncluded": False, "legacyResourceId": "7", "cancelledAt": None, "sourceName": "web",
    "channelLiable": True, "transactionType": "DEPOSIT", "net": {"amount": "0.00"}, "handle": "web", "displayName": "Web",
}  # fmt: skip


@pytest.fixture(scope="module")
def schema(request: pytest.FixtureRequest) -> Any:
    folder: Path = request.getfixturevalue("conformance")
    return graphql.build_schema((folder / "facts/shopify/schema/admin_2026-10.nodesc.graphql").read_text(), assume_valid=True)


def made(source: Any, info: Any, **_arguments: Any) -> Any:
    """A value of the right type for any field of the schema."""
    if isinstance(source, dict) and info.field_name in source:
        return source[info.field_name]
    kind = graphql.get_nullable_type(info.return_type)
    if graphql.is_list_type(kind):
        return [{}] if not graphql.is_leaf_type(graphql.get_named_type(kind)) else []
    if not graphql.is_leaf_type(kind):
        return _VALUES["net"] if info.field_name == "net" else {}
    if info.field_name == "status" and info.parent_type.name.startswith("ShopifyPayments"):
        return "PAID"
    if info.field_name in _VALUES:
        return _VALUES[info.field_name]
    if graphql.is_enum_type(kind):
        return next(iter(kind.values))
    plain = {
        "Int": 1,
        "Float": 1.0,
        "Boolean": True,
        "DateTime": "2026-11-01T10:00:00Z",
        "ID": f"gid://shopify/{info.parent_type.name}/7",
    }
    return plain.get(kind.name, "word")


def answer(schema: Any, operation: str, **variables: Any) -> bytes:
    document = graphql.parse(operations()[operation])
    result = graphql.execute(schema, document, variable_values={"first": 5, **variables}, field_resolver=made)
    assert not result.errors, result.errors
    return json.dumps({"data": result.data}).encode()


def read(body: bytes, kind: str) -> Any:
    found = adapter.recognise(body, "")
    assert found is not None and found.kind == kind
    assert not adapter.separate_personal_data(Source(body=body, kind=kind))[1], "buyer data was asked for"
    return adapter.parse(Source(body=body, kind=kind, region="US", currencies=("USD",)))


@pytest.mark.parametrize("operation", ["OrdersUpdated", "OrderById"])
def test_an_order_of_the_schema_alone_is_booked_and_adds_up(schema, operation):
    parsed = read(answer(schema, operation, id="gid://shopify/Order/7", query=""), "orders")
    sale, refund = parsed.vouchers
    assert sum(line.amount for line in sale.lines) == 0 == sum(line.amount for line in refund.lines)
    told = {(line.path, line.name): line.amount for line in sale.lines}
    # Everything costs 10.00 in this world: what each part became shows that its field was asked for.
    assert told["order/lines", "price"] == D("10.00") and told["order/lines", "price discount"] == D("-10.00")
    assert {path for path, _name in told} >= {"order/lines", "order/shipping", "order/duties", "order/fees", "order/payment"}
    assert sale.event_source.value == "shipment"


def test_payouts_and_their_transactions_of_the_schema_alone_are_booked(schema):
    (payout,) = read(answer(schema, "Payouts", query=""), "payouts").payouts
    assert (payout.outside_id, payout.currency, payout.status) == ("7", "USD", "paid")
    (voucher,) = read(answer(schema, "BalanceTransactions", query=""), "balance_transactions").vouchers
    assert voucher.statement == "7" and [line.amount for line in voucher.lines] == [D("10.00"), D("-10.00")]


def test_no_page_costs_more_than_one_query_may(schema):
    sizes = {
        "OrdersUpdated": orders.ORDERS_PER_PAGE,
        "Payouts": payments.PAYOUTS_PER_PAGE,
        "BalanceTransactions": payments.TRANSACTIONS_PER_PAGE,
        "FulfilmentOrders": fulfilment.PER_PAGE,
    }
    for name in operations():
        assert cost(schema, name, sizes.get(name, stock.PER_PAGE)) <= 1000, name


def cost(schema: Any, name: str, size: int) -> int:
    """Points by the fit of recorded answers: an object 1, a connection 2 + max(1, 2 ln size) for each point of a member."""
    document = graphql.parse(operations()[name])
    fragments = {part.name.value: part for part in document.definitions if part.kind == "fragment_definition"}

    def of(parent: Any, selections: Any) -> int:
        total = 0
        for part in selections.selections:
            if part.kind == "fragment_spread":
                total += of(parent, fragments[part.name.value].selection_set)
                continue
            kind = graphql.get_named_type(parent.fields[part.name.value].type)
            if graphql.is_leaf_type(kind) or part.name.value in ("userErrors", "pageInfo"):
                continue
            inner = of(kind, part.selection_set)
            if not kind.name.endswith("Connection"):
                total += inner if part.name.value == "edges" else 1 + inner
                continue
            told = [arg.value for arg in part.arguments or () if arg.name.value == "first"]
            many = int(told[0].value) if told and told[0].kind == "int_value" else size
            total += 2 + max(1, math.floor(2 * math.log(many))) * max(1, inner)
        return total

    operation = document.definitions[0]
    root = schema.mutation_type if operation.operation.value == "mutation" else schema.query_type
    return of(root, operation.selection_set)
