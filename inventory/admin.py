"""Admin of SKUs, listings and what listings are made of, with import and export as CSV and Excel."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter

from inventory.models import Listing, ListingComponent, Sku
from inventory.resources import ComponentResource, ListingResource, SkuResource
from nova.admin import CompanyAdmin, OwnedInline
from nova.transfer import TransferAdmin


class ComponentInline(OwnedInline):
    """What one unit of the listing is made of."""

    model = ListingComponent
    fields = ("sku", "quantity", "share", "valid_from", "valid_to")
    autocomplete_fields = ("sku",)


class ListingOfSkuInline(OwnedInline):
    """Where the SKU is sold."""

    model = ListingComponent
    verbose_name_plural = "listings that sell it"
    fields = ("listing", "quantity", "share", "valid_from", "valid_to")
    autocomplete_fields = ("listing",)


@admin.register(Sku)
class SkuAdmin(TransferAdmin, CompanyAdmin):
    """The physical things we own."""

    resource_classes = [SkuResource]
    list_display = ("code", "name", "brand", "parent_article", "product_group", "tags_text", "barcode", "active", "company")
    list_filter = ("active", ("brand", admin.AllValuesFieldListFilter), ("product_group", admin.AllValuesFieldListFilter))
    search_fields = ("code", "name", "barcode", "brand", "parent_article")
    ordering = ("company", "code")
    inlines = (ListingOfSkuInline,)
    fieldsets = (
        (None, {"fields": ("company", "code", "name", "active")}),
        ("What the P&L can be grouped by", {"fields": ("brand", "parent_article", "product_group", "tags")}),
        ("More", {"fields": ("barcode",)}),
    )

    @admin.display(description="tags")
    def tags_text(self, obj: Sku) -> str:
        return ", ".join(obj.tags)


class MatchedFilter(admin.SimpleListFilter):
    """Whether a listing says which SKU it sells."""

    title = "SKU"
    parameter_name = "matched"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Matched"), ("no", "Not matched yet")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        matched = ListingComponent.objects.values("listing")
        return queryset.filter(pk__in=matched) if self.value() == "yes" else queryset.exclude(pk__in=matched)


@admin.register(Listing)
class ListingAdmin(TransferAdmin, CompanyAdmin):
    """Articles as shops know them. They come with documents; here they are matched to SKUs."""

    resource_classes = [ListingResource]
    list_display = ("code", "title_short", "shop", "skus", "seller_sku", "outside_id", "first_seen_at", "company")
    list_filter = (MatchedFilter, "shop", ("first_seen_at", RangeDateFilter))
    list_select_related = ("company", "shop")
    search_fields = ("code", "title", "seller_sku", "outside_id")
    ordering = ("company", "shop", "code")
    inlines = (ComponentInline,)
    fields = ("company", "shop", "code", "title", "seller_sku", "outside_id", "first_seen_at")
    readonly_fields = ("shop", "code", "first_seen_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("components__sku")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="title", ordering="title")
    def title_short(self, obj: Listing) -> str:
        return obj.title if len(obj.title) <= 60 else obj.title[:59] + "…"

    @admin.display(description="SKUs")
    def skus(self, obj: Listing) -> str:
        parts = [f"{row.quantity} × {row.sku.code}" if row.quantity != 1 else row.sku.code for row in obj.components.all()]
        return ", ".join(parts) or "not matched"


@admin.register(ListingComponent)
class ComponentAdmin(TransferAdmin, CompanyAdmin):
    """Which listing sells which SKU, since when: the table to import when there are many."""

    resource_classes = [ComponentResource]
    list_display = ("listing", "shop", "sku", "quantity", "share", "valid_from", "valid_to", "company")
    list_filter = ("listing__shop",)
    list_select_related = ("company", "listing", "listing__shop", "sku")
    search_fields = ("listing__code", "sku__code")
    ordering = ("company", "listing", "sku")
    autocomplete_fields = ("listing", "sku")

    @admin.display(description="shop")
    def shop(self, obj: ListingComponent) -> Any:
        return obj.listing.shop
