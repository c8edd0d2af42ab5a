"""Shops and the documents of the outside world: the proof behind every figure."""

from __future__ import annotations

import zlib

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models

from nova.fields import CompanyForeignKey, CompanyReference, CurrencyField, Owned, PlainForeignKey, owned_constraints
from nova.models import code_validator


class Shop(Owned):
    """One seller login on one channel: a TikTok shop, an Amazon seller account in a region, a Shopify store."""

    code = models.CharField(max_length=40, validators=[code_validator], help_text="Short name used in commands and addresses.")
    name = models.CharField(max_length=200)
    channel = models.CharField(max_length=20)
    region = models.CharField(max_length=20, blank=True)
    outside_id = models.CharField(max_length=100, blank=True, help_text="The channel's id of this shop, when known.")
    currencies = ArrayField(
        CurrencyField(), default=list, blank=True, help_text="Currencies seen or expected; an upload in another one asks first."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("company", "channel", "code")
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "code"], name="channels_shop_natural"),
            models.UniqueConstraint(
                fields=["company", "channel", "region", "outside_id"],
                condition=~models.Q(outside_id=""),
                name="channels_shop_outside",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Upload(Owned):
    """Files that somebody uploaded together, and how far their import is."""

    shop = CompanyForeignKey(Shop)
    uploaded_by = PlainForeignKey("nova.User", null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = owned_constraints(CompanyReference(field="shop", name="channels_upload_shop"))

    def __str__(self) -> str:
        return f"Upload {self.pk} to {self.shop}"


class Document(Owned):
    """Bytes the outside sent, as they came (without buyer data): immutable, content-hashed, compressed."""

    shop = CompanyForeignKey(Shop)
    upload = CompanyForeignKey(Upload, null=True, blank=True)
    kind = models.CharField(
        max_length=60, blank=True, help_text="Document kind of the channel; empty when it was not recognised."
    )
    outside_id = models.CharField(
        max_length=200, blank=True, help_text="The channel's id of what it describes, or the file name."
    )
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the bytes as kept.")
    filename = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField(help_text="Bytes before compression.")
    body = models.BinaryField(help_text="zlib-compressed bytes.")
    kept_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["company", "shop", "kind", "outside_id"], name="channels_document_outside")]
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "shop", "kind", "outside_id", "digest"], name="channels_document_natural"),
            models.CheckConstraint(condition=models.Q(size__gte=0), name="channels_document_size"),
        )
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.filename or f"{self.kind.replace('_', ' ').capitalize() or 'Document'} {self.outside_id}"

    def content(self) -> bytes:
        """The bytes as they were kept."""
        return zlib.decompress(bytes(self.body))


class UploadFile(Owned):
    """One file of an upload: the document that it is, or why it could not be kept."""

    upload = CompanyForeignKey(Upload, related_name="files")
    document = CompanyForeignKey(Document, null=True, blank=True, related_name="uploads")
    filename = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField(default=0, help_text="Bytes as uploaded.")
    repeated = models.BooleanField(default=False, help_text="The same bytes had been kept before.")
    problem = models.TextField(blank=True, help_text="Why there is no document.")

    class Meta:
        ordering = ("id",)
        constraints = owned_constraints(
            CompanyReference(field="upload", name="channels_uploadfile_upload"),
            CompanyReference(field="document", name="channels_uploadfile_document"),
            models.UniqueConstraint(fields=["company", "upload", "document", "filename"], name="channels_uploadfile_natural"),
            models.CheckConstraint(
                condition=models.Q(document__isnull=False) | ~models.Q(problem=""), name="channels_uploadfile_problem"
            ),
            referenced=False,
        )

    def __str__(self) -> str:
        return self.filename


class PersonalData(Owned):
    """Buyer data of one order, encrypted with a key of its own. Erasing destroys the key; documents hold tokens only."""

    shop = CompanyForeignKey(Shop)
    order_ref = models.CharField(max_length=100)
    token = models.CharField(max_length=64)
    key = models.BinaryField(null=True, blank=True, help_text="The row's key, itself encrypted; empty once erased.")
    secret = models.BinaryField(help_text="The encrypted values.")
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "personal data"
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "shop", "token"], name="channels_personaldata_natural"),
            CompanyReference(field="shop", name="channels_personaldata_shop"),
            models.CheckConstraint(
                condition=models.Q(erased_at__isnull=True) | models.Q(key__isnull=True), name="channels_personaldata_erased"
            ),
            referenced=False,
        )

    def __str__(self) -> str:
        return f"Buyer of order {self.order_ref}"


class ColumnMatch(Owned):
    """How the columns of an export with unknown headers were matched by staff; remembered for the next file like it."""

    channel = models.CharField(max_length=20)
    kind = models.CharField(max_length=60)
    headers_digest = models.CharField(max_length=64, help_text="SHA-256 of the header row, as hex.")
    headers = ArrayField(models.TextField())
    columns = models.JSONField(help_text="Canonical column code -> header of this export.")
    matched_by = PlainForeignKey("nova.User", null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "column matches"
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "channel", "headers_digest"], name="channels_columnmatch_natural"),
            referenced=False,
        )

    def __str__(self) -> str:
        return f"{self.channel} {self.kind}: {len(self.headers)} columns"
