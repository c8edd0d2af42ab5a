"""Calls to a Shopify store by the Admin GraphQL API: pages to read, stock and shipments to write, bulk results."""

from __future__ import annotations

from channels.shopify.client.bulk import BulkJob, bulk_download, bulk_poll, bulk_start
from channels.shopify.client.fulfilment import Parcel, ShipmentResult, fulfil, shipments_of
from channels.shopify.client.pages import KINDS, pages
from channels.shopify.client.stock import Level, Quantity, StockResult, level_of, set_quantities

__all__ = [
    "KINDS",
    "BulkJob",
    "Level",
    "Parcel",
    "Quantity",
    "ShipmentResult",
    "StockResult",
    "bulk_download",
    "bulk_poll",
    "bulk_start",
    "fulfil",
    "level_of",
    "pages",
    "set_quantities",
    "shipments_of",
]
