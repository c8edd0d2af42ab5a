"""Stock per SKU and warehouse: read, and set to absolute quantities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channels.fetched import FetchedPage
from channels.tiktok.client.calls import Client, Told, objects
from channels.tiktok.client.walk import Listing, Place, walk
from channels.tiktok.errors import QUANTITY_REFUSED
from nova.http import Permanent, Surprise

#: Products that one inventory search takes; a page of the product search holds as many.
MOST_PRODUCTS = 100
#: Largest quantity that TikTok takes.
MOST_UNITS = 99_999
_PRODUCTS = Listing("products", "products", MOST_PRODUCTS, "", "", in_body=True, body=(("status", "ALL"),))
#: Products in these states have no stock to read.
_WITHOUT_STOCK = frozenset({"DELETED", "DRAFT"})


@dataclass(frozen=True)
class StockFailure:
    """What TikTok did not set. `sku_id` or `warehouse_id` is "" where it does not say which; all of them are meant then."""

    sku_id: str
    warehouse_id: str
    code: int
    message: str

    @property
    def quantity_refused(self) -> bool:
        """The quantity is outside what TikTok allows; if it was zero, take the SKU off sale instead."""
        return self.code in QUANTITY_REFUSED


@dataclass(frozen=True)
class StockResult:
    """What was sent to TikTok, SKU -> warehouse -> units, and what of it was not set."""

    product_id: str
    sent: Mapping[str, Mapping[str, int]]
    failures: tuple[StockFailure, ...]
    request_id: str

    def failed(self, sku_id: str) -> bool:
        """Whether anything of a SKU was not set."""
        return any(failure.sku_id in ("", sku_id) for failure in self.failures)


def read(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
    """The stock of all products as of now, 100 products a page."""
    for here, told, following in walk(client, _PRODUCTS, start, end, place):
        products = [
            str(row.get("id") or "")
            for row in told.rows("products")
            if str(row.get("status") or "").upper() not in _WITHOUT_STOCK and row.get("id")
        ]
        if products:
            found = inventory(client, products)
            yield FetchedPage(
                "inventory",
                f"{start}-{end}/{here.number + 1}",
                found.body,
                following.text() if following else "",
                len(found.rows("inventory")),
            )


def inventory(client: Client, product_ids: Sequence[str]) -> Told:
    """The inventory answer of up to 100 products."""
    if not 0 < len(product_ids) <= MOST_PRODUCTS:
        raise ValueError(f"An inventory call takes 1 to {MOST_PRODUCTS} products.")
    return client.ask("inventory", body={"product_ids": list(product_ids)}, repeatable=True)


def set_stock(client: Client, product_id: str, wanted: Mapping[str, Mapping[str, int]]) -> StockResult:
    """Set the units on sale (absolute) of SKUs of one product: SKU id -> warehouse id -> units.

    TikTok wants every warehouse of a SKU named. Those that `wanted` leaves out get what they have by a read just before; what
    is sold there between the two calls is on sale again, so name all warehouses where that matters. As the quantities are
    absolute, the call may be repeated.

    Raises:
        Permanent: a quantity outside 0 to 99,999, or a SKU that the product does not have; nothing is set then.
        Refused (a Permanent): TikTok sets nothing of the product; its code and a remedy are in the message.
    """
    for sku_id, warehouses in wanted.items():
        for units in warehouses.values():
            if not 0 <= units <= MOST_UNITS:
                raise Permanent(f"TikTok takes 0 to {MOST_UNITS:,} units, not {units:,} (SKU {sku_id}).")
    if not any(wanted.values()):
        raise Permanent("There is no quantity to set.")
    known = _known(inventory(client, [product_id]), product_id)
    sent: dict[str, dict[str, int]] = {}
    for sku_id, warehouses in wanted.items():
        if sku_id not in known:
            raise Permanent(f"Product {product_id} has no SKU {sku_id} with stock.")
        sent[sku_id] = {**known[sku_id], **warehouses}
    body = {
        "skus": [
            {"id": sku_id, "inventory": [{"warehouse_id": place, "quantity": units} for place, units in warehouses.items()]}
            for sku_id, warehouses in sent.items()
        ]
    }
    told = client.ask("set_inventory", {"product_id": product_id}, body=body, repeatable=True)
    return StockResult(product_id, sent, tuple(_failures(told)), told.request_id)


def _known(told: Told, product_id: str) -> dict[str, dict[str, int]]:
    """Units on sale per SKU and warehouse of a product."""
    found: dict[str, dict[str, int]] = {}
    for product in told.rows("inventory"):
        if str(product.get("product_id") or "") != product_id:
            continue
        for sku in objects(product.get("skus")):
            try:
                found[str(sku["id"])] = {
                    str(row["warehouse_id"]): max(int(row.get("available_quantity") or 0), 0)
                    for row in objects(sku.get("warehouse_inventory"))
                }
            except (KeyError, TypeError, ValueError):
                raise Surprise(f"TikTok's stock of product {product_id} cannot be read.", request_id=told.request_id) from None
    return found


def _failures(told: Told) -> Iterator[StockFailure]:
    """Failures that an answer with code 0 carries, down to the warehouse where it says which."""
    for error in told.rows("errors"):
        detail: Any = error.get("detail") if isinstance(error.get("detail"), dict) else {}
        sku_id = str(detail.get("sku_id") or "")
        for row in objects(detail.get("extra_errors")) or [error]:
            yield StockFailure(
                sku_id,
                str(row.get("warehouse_id") or ""),
                _number(row.get("code") or error.get("code")),
                str(row.get("message") or error.get("message") or ""),
            )


def _number(value: Any) -> int:
    text = str(value or "").strip()
    return int(text) if text.isdigit() else 0
