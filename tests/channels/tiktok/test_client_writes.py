"""Writing to a TikTok shop: stock of every warehouse, shipments by order or package, and what TikTok does not take."""

from __future__ import annotations

from typing import Any

import pytest

from channels.tiktok.client import shipping, stock
from channels.tiktok.client.shipping import Outcome
from channels.tiktok.errors import Refused
from nova.http import Permanent, Surprise, Temporary
from tests.channels.tiktok.market import Asked, Market, Reply, client, market

TOTE, BLUE, RED = "1729592969712207008", "1729592969712207012", "1729592969712207013"
RENO, NEWARK = "7054915283043174149", "7068517275539719942"
ORDER, PACKAGE = "576461413038785752", "1152321127278713123"


class Stock:
    """Stock of the tote bag in two warehouses, set only when every warehouse of a SKU is named."""

    def __init__(self, place: Market) -> None:
        self.units = {BLUE: {RENO: 10, NEWARK: 4}, RED: {RENO: 7}}
        self.refused: dict[tuple[str, str], int] = {}
        place.on("POST", "/product/202309/inventory/search", self.search)
        place.on("POST", f"/product/202309/products/{TOTE}/inventory/update", self.update)

    def search(self, asked: Asked) -> Reply:
        skus = [
            {
                "id": sku,
                "warehouse_inventory": [
                    {"warehouse_id": place, "available_quantity": units, "committed_quantity": 1} for place, units in rows.items()
                ],
            }
            for sku, rows in self.units.items()
        ]
        return Reply({"inventory": [{"product_id": TOTE, "skus": skus}] if TOTE in asked.body["product_ids"] else []})

    def update(self, asked: Asked) -> Reply:
        errors = []
        for sku in asked.body["skus"]:
            rows = {row["warehouse_id"]: row["quantity"] for row in sku["inventory"]}
            if set(rows) != set(self.units[sku["id"]]):
                return Reply(code=12019028, message="warehouses missing")
            extra = [
                {"warehouse_id": place, "code": code, "message": "no"}
                for (named, place), code in self.refused.items()
                if named == sku["id"] and place in rows
            ]
            if extra:
                errors.append(
                    {"code": 12052990, "message": "Check failed", "detail": {"sku_id": sku["id"], "extra_errors": extra}}
                )
            else:
                self.units[sku["id"]] = rows
        return Reply({"errors": errors} if errors else {})


def test_a_quantity_is_set_and_the_other_warehouses_of_the_sku_keep_theirs() -> None:
    with market() as place:
        shop = Stock(place)
        result = stock.set_stock(client(place), TOTE, {BLUE: {RENO: 3}})
    assert shop.units == {BLUE: {RENO: 3, NEWARK: 4}, RED: {RENO: 7}}
    assert result.sent == {BLUE: {RENO: 3, NEWARK: 4}} and result.failures == () and not result.failed(BLUE)


def test_what_tiktok_does_not_set_is_told_down_to_the_warehouse_although_the_code_is_0() -> None:
    with market() as place:
        shop = Stock(place)
        shop.refused = {(RED, RENO): 12052055}
        result = stock.set_stock(client(place), TOTE, {BLUE: {RENO: 3, NEWARK: 0}, RED: {RENO: 0}})
    assert shop.units == {BLUE: {RENO: 3, NEWARK: 0}, RED: {RENO: 7}}
    (failure,) = result.failures
    assert (failure.sku_id, failure.warehouse_id, failure.code, failure.quantity_refused) == (RED, RENO, 12052055, True)
    assert result.failed(RED) and not result.failed(BLUE)


def test_setting_stock_is_tried_again_as_quantities_are_absolute() -> None:
    with market() as place:
        shop = Stock(place)
        place.faults = [None, Reply(raw=b"", status=503), Reply(raw=b'{"code":0,"da')]
        stock.set_stock(client(place), TOTE, {BLUE: {RENO: 5}})
    assert shop.units[BLUE][RENO] == 5


def test_a_refused_product_and_impossible_wishes_set_nothing() -> None:
    with market() as place:
        shop = Stock(place)
        place.faults = [None, Reply(code=12052393, message="promotion")]
        with pytest.raises(Refused, match="promotion") as refused:
            stock.set_stock(client(place), TOTE, {BLUE: {RENO: 5}})
        assert refused.value.code == 12052393
        asked = len(place.asked)
        for wish in ({BLUE: {RENO: -1}}, {BLUE: {RENO: 100_000}}, {}, {BLUE: {}}):
            with pytest.raises(Permanent):
                stock.set_stock(client(place), TOTE, wish)
        assert len(place.asked) == asked
        with pytest.raises(Permanent, match="no SKU"):
            stock.set_stock(client(place), TOTE, {"1": {RENO: 1}})
        place.on(
            "POST", "/product/202309/inventory/search", lambda asked: Reply({"inventory": [{"product_id": TOTE, "skus": [{}]}]})
        )
        with pytest.raises(Surprise, match="cannot be read"):
            stock.set_stock(client(place), TOTE, {BLUE: {RENO: 1}})
    assert shop.units == {BLUE: {RENO: 10, NEWARK: 4}, RED: {RENO: 7}}


class Shipping:
    """One order and what was told of its shipment."""

    def __init__(self, place: Market, **order: Any) -> None:
        self.order: dict[str, Any] = {
            "id": ORDER,
            "status": "AWAITING_SHIPMENT",
            "shipping_type": "SELLER",
            "packages": [{"id": PACKAGE}],
            "line_items": [{"id": "577", "package_id": PACKAGE, "tracking_number": ""}],
            **order,
        }
        self.told: list[tuple[str, dict[str, Any]]] = []
        place.on("GET", "/order/202507/orders", self.detail)
        for path in (
            f"/fulfillment/202309/orders/{ORDER}/packages",
            f"/fulfillment/202309/packages/{PACKAGE}/ship",
            f"/fulfillment/202309/orders/{ORDER}/shipping_info/update",
            f"/fulfillment/202309/packages/{PACKAGE}/shipping_info/update",
        ):
            place.on("POST", path, self.tell)

    def detail(self, asked: Asked) -> Reply:
        return Reply({"orders": [self.order] if asked.query["ids"] == ORDER else []})

    def tell(self, asked: Asked) -> Reply:
        self.told.append((asked.path, asked.body))
        number = asked.body.get("self_shipment", asked.body)["tracking_number"]
        if not asked.path.endswith("update") and self.order["line_items"][0]["tracking_number"]:
            return Reply(code=21011020, message="shipped already")
        self.order["line_items"][0]["tracking_number"] = number
        return Reply({"order_id": ORDER, "package_id": PACKAGE, "warning": {"message": "match more than one provider"}})


def test_in_the_united_states_the_order_is_shipped() -> None:
    with market() as place:
        shop = Shipping(place)
        result = shipping.ship(client(place), ORDER, tracking_number="9400", provider_id="7117", line_item_ids=["577"])
    body = {"tracking_number": "9400", "shipping_provider_id": "7117", "order_line_item_ids": ["577"]}
    assert shop.told == [(f"/fulfillment/202309/orders/{ORDER}/packages", body)]
    assert (result.outcome, result.package_id, result.warning) == (Outcome.SHIPPED, PACKAGE, "match more than one provider")


def test_elsewhere_the_package_is_shipped() -> None:
    with market() as place:
        shop = Shipping(place)
        result = shipping.ship(client(place, region="GB"), ORDER, tracking_number="JD01", provider_id="7118")
    body = {"self_shipment": {"tracking_number": "JD01", "shipping_provider_id": "7118"}}
    assert shop.told == [(f"/fulfillment/202309/packages/{PACKAGE}/ship", body)]
    assert (result.outcome, result.package_id) == (Outcome.SHIPPED, PACKAGE)


@pytest.mark.parametrize("region", ["US", "GB"])
def test_a_shipment_told_twice_is_done_once_and_its_number_is_read(region: str) -> None:
    with market() as place:
        shop = Shipping(place)
        line = client(place, region=region)
        shipping.ship(line, ORDER, tracking_number="9400", provider_id="7117")
        again = shipping.ship(line, ORDER, tracking_number="9400", provider_id="7117")
        other = shipping.ship(line, ORDER, tracking_number="9500", provider_id="7117")
    assert (again.outcome, again.tracking_number) == (Outcome.ALREADY, "9400")
    assert (other.outcome, other.tracking_number) == (Outcome.OTHERWISE, "9400")
    assert shop.order["line_items"][0]["tracking_number"] == "9400"


def test_a_shipment_is_not_told_again_by_itself_when_the_answer_is_lost() -> None:
    with market() as place:
        shop = Shipping(place)
        place.faults = [None, Reply(raw=b"", status=502)]
        with pytest.raises(Temporary):
            shipping.ship(client(place), ORDER, tracking_number="9400", provider_id="7117")
    assert shop.told == [] and len(place.asked) == 2


@pytest.mark.parametrize("act", [shipping.ship, shipping.update_tracking])
@pytest.mark.parametrize(
    ("order", "kind", "words"),
    [
        ({"shipping_type": "TIKTOK"}, Permanent, "TikTok's own label"),
        ({"shipping_type": ""}, Permanent, "does not say"),
        ({"status": "ON_HOLD"}, Temporary, "on hold"),
        ({"is_on_hold_order": True}, Temporary, "on hold"),
        ({"id": "another"}, Permanent, "no order"),
        ({"packages": [{"id": PACKAGE}, {"id": "12"}]}, Permanent, "2 packages"),
        ({"packages": None, "line_items": []}, Permanent, "no package yet"),
    ],
)
def test_what_must_not_be_shipped_is_refused_before_it_is_told(act: Any, order: Any, kind: Any, words: str) -> None:
    with market() as place:
        shop = Shipping(place, **order)
        with pytest.raises(kind, match=words):
            act(client(place, region="GB"), ORDER, tracking_number="JD01", provider_id="7118")
    assert shop.told == []


def test_tracking_is_changed_by_order_in_the_united_states_and_by_package_elsewhere() -> None:
    with market() as place:
        shop = Shipping(place)
        shipping.update_tracking(client(place), ORDER, tracking_number="9401", provider_id="7117")
        shipping.update_tracking(client(place, region="MX"), ORDER, tracking_number="9402", provider_id="7117")
        place.faults = [None, Reply(code=21011050, message="once")]
        with pytest.raises(Refused, match="only once"):
            shipping.update_tracking(client(place), ORDER, tracking_number="9403", provider_id="7117")
    assert [path.split("/")[3] for path, _body in shop.told] == ["orders", "packages"]


def test_carriers_are_found_from_the_warehouse_on() -> None:
    with market() as place:
        options = {"delivery_options": [{"id": "6955", "name": "Standard"}]}
        carriers = {"shipping_providers": [{"id": "7117", "name": "USPS"}, {"name": "without id"}]}
        place.on("GET", f"/logistics/202309/warehouses/{RENO}/delivery_options", lambda asked: Reply(options))
        place.on("GET", "/logistics/202309/delivery_options/6955/shipping_providers", lambda asked: Reply(carriers))
        line = client(place)
        ((option, _name),) = shipping.delivery_options(line, RENO)
        assert [(found.id, found.name) for found in shipping.providers(line, option)] == [("7117", "USPS")]
