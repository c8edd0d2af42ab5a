"""What we sell: SKUs, and the listings by which shops know them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from channels.models import Shop
from nova.fields import CompanyForeignKey, CompanyReference, Owned, owned_constraints


class Sku(Owned):
    """The physical thing we own."""

    code = models.CharField(max_length=100)
    name = models.CharField(max_length=200, blank=True)
    brand = models.CharField(max_length=100, blank=True)
    parent_article = models.CharField(max_length=100, blank=True, help_text="Groups the variants of one article.")
    product_group = models.CharField(max_length=100, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    barcode = models.CharField(max_length=32, blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("company", "code")
        verbose_name = "SKU"
        verbose_name_plural = "SKUs"
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "code"], name="inventory_sku_natural"),
            models.CheckConstraint(condition=~models.Q(code=""), name="inventory_sku_code"),
        )

    def __str__(self) -> str:
        return self.code


class Listing(Owned):
    """An article as one shop knows it."""

    shop = CompanyForeignKey(Shop)
    code = models.CharField(
        max_length=200, help_text="The article code in the channel's documents: seller SKU, TikTok sku_id, variant SKU."
    )
    seller_sku = models.CharField(max_length=100, blank=True)
    outside_id = models.CharField(max_length=100, blank=True, help_text="ASIN, TikTok product id or Shopify variant id.")
    title = models.CharField(max_length=500, blank=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("company", "shop", "code")
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "shop", "code"], name="inventory_listing_natural"),
            CompanyReference(field="shop", name="inventory_listing_shop"),
        )

    def __str__(self) -> str:
        return self.title or self.code


class ListingComponent(Owned):
    """What one unit of a listing is made of, dated. `share` is the part of its money that goes to the SKU."""

    listing = CompanyForeignKey(Listing, related_name="components")
    sku = CompanyForeignKey(Sku, related_name="components")
    quantity = models.PositiveIntegerField(default=1)
    share = models.DecimalField(
        max_digits=12, decimal_places=8, default=1, help_text="Part of the listing's money, by stand-alone price."
    )
    valid_from = models.DateField(null=True, blank=True, help_text="First day; empty means always.")
    valid_to = models.DateField(null=True, blank=True, help_text="Day after the last day; empty means still.")

    class Meta:
        ordering = ("company", "listing", "sku")
        constraints = owned_constraints(
            CompanyReference(field="listing", name="inventory_component_listing"),
            CompanyReference(field="sku", name="inventory_component_sku"),
            models.UniqueConstraint(
                fields=["company", "listing", "sku", "valid_from"], nulls_distinct=False, name="inventory_component_natural"
            ),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="inventory_component_quantity"),
            models.CheckConstraint(condition=models.Q(share__gt=0), name="inventory_component_share"),
            models.CheckConstraint(
                condition=models.Q(valid_from__isnull=True)
                | models.Q(valid_to__isnull=True)
                | models.Q(valid_from__lt=models.F("valid_to")),
                name="inventory_component_dates",
            ),
            referenced=False,
        )

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku} in {self.listing}"
