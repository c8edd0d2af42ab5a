"""The columns by which SKUs, listings and their components are imported and exported."""

from __future__ import annotations

from typing import Any

from import_export.fields import Field
from import_export.widgets import Widget

from channels.models import Shop
from inventory.models import Listing, ListingComponent, Sku
from nova.transfer import OwnedKeyWidget, OwnedResource


class TagsWidget(Widget):
    """Tags in one cell, parted by commas."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> list[str]:
        return [tag for tag in (part.strip() for part in str(value or "").split(",")) if tag]

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return ", ".join(value or ())


class SkuResource(OwnedResource):
    """SKUs by code; columns that a file does not have stay as they are."""

    tags = Field(attribute="tags", column_name="tags", widget=TagsWidget())

    class Meta(OwnedResource.Meta):
        model = Sku
        fields = ("code", "name", "brand", "parent_article", "product_group", "tags", "barcode", "active")
        export_order = fields
        import_id_fields = ("code",)


class ListingResource(OwnedResource):
    """Listings by shop and code: titles and ids of listings that a channel does not tell."""

    shop = Field(attribute="shop", column_name="shop", widget=OwnedKeyWidget(Shop, "code"))

    class Meta(OwnedResource.Meta):
        model = Listing
        fields = ("shop", "code", "title", "seller_sku", "outside_id")
        export_order = fields
        import_id_fields = ("shop", "code")


class ComponentResource(OwnedResource):
    """Which listing (of which shop) sells which SKU, from when to when."""

    shop = Field(attribute="listing__shop__code", column_name="shop", readonly=True)
    listing = Field(
        attribute="listing",
        column_name="listing",
        widget=OwnedKeyWidget(Listing, "code", narrow={"shop": "shop__code"}),
    )
    sku = Field(attribute="sku", column_name="sku", widget=OwnedKeyWidget(Sku, "code", label="SKU"))

    class Meta(OwnedResource.Meta):
        model = ListingComponent
        fields = ("shop", "listing", "sku", "quantity", "share", "valid_from", "valid_to")
        export_order = fields
        import_id_fields = ("listing", "sku", "valid_from")

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """A file without dates means: always."""
        if dataset.headers and "valid_from" not in dataset.headers:
            dataset.append_col([""] * dataset.height, header="valid_from")
