"""Admin of shops and of what the outside sent. Documents are looked at on their own page and never edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from channels.models import ColumnMatch, Document, PersonalData, Shop, Upload
from channels.registry import adapters, channel_choices
from nova.admin import CompanyAdmin, OwnedForm, ReadOnlyAdmin, labelled


def link(name: str, text: Any, **kwargs: Any) -> Any:
    """A link to a page by the name of its route; the bare text where an installation has no such page."""
    try:
        return format_html('<a href="{}">{}</a>', reverse(name, kwargs=kwargs), text)
    except NoReverseMatch:
        return text


class ChannelFilter(admin.SimpleListFilter):
    """By channel, with its label."""

    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return channel_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(channel=self.value()) if self.value() else queryset


class ShopForm(OwnedForm):
    """A shop's channel and region come from the channel folders."""

    channel = forms.ChoiceField(choices=channel_choices, widget=UnfoldAdminSelectWidget)
    region = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Shop
        fields = ("company", "name", "code", "channel", "region", "outside_id", "currencies", "active")
        widgets = {"currencies": UnfoldAdminTextInputWidget(attrs={"placeholder": "EUR, GBP"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "region" in self.fields:
            regions = [
                (code, f"{adapter.label}: {label} ({code})")
                for adapter in adapters().values()
                for code, label in adapter.regions.items()
                if code
            ]
            self.fields["region"].choices = [("", "none"), *regions]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        adapter = adapters().get(self.cleaned_data.get("channel", ""))
        region = self.cleaned_data.get("region", "")
        if adapter is not None and "region" in self.fields:
            if region and region not in adapter.regions:
                self.add_error("region", f"{adapter.label} has the regions {', '.join(adapter.regions)}.")
            elif not region and adapter.regions and "" not in adapter.regions:
                self.add_error("region", f"Choose one: {', '.join(adapter.regions)}.")
        return cleaned


@admin.register(Shop)
class ShopAdmin(CompanyAdmin):
    """Seller logins. A shop is switched off, never deleted: its documents and money stay."""

    form = ShopForm
    list_display = ("name", "code", "channel_label", "region", "currencies_text", "active", "company")
    list_filter = (ChannelFilter, "active")
    search_fields = ("name", "code", "outside_id")
    ordering = ("company", "channel", "code")
    fields = ("company", "name", "code", "channel", "region", "outside_id", "currencies", "active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        kept = obj is not None and Document.objects.filter(company=obj.company_id, shop=obj).exists()
        return (*fields, "channel", "region") if kept else fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="channel", ordering="channel")
    def channel_label(self, obj: Shop) -> str:
        adapter = adapters().get(obj.channel)
        return adapter.label if adapter else obj.channel

    @admin.display(description="currencies")
    def currencies_text(self, obj: Shop) -> str:
        return ", ".join(obj.currencies)


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    """Files that somebody uploaded together."""

    list_display = ("created_at", "shop", "uploaded_by", "result", "company")
    export_leave_out = ("result",)
    list_filter = ("shop",)
    list_select_related = ("company", "shop", "uploaded_by")
    search_fields = ("shop__name", "shop__code")
    ordering = ("-id",)
    fields = ("shop", "uploaded_by", "created_at", "result")
    readonly_fields = fields

    @admin.display(description="result")
    def result(self, obj: Upload) -> Any:
        return link("ledger:import_result", "What became of each file", code=obj.company.code, pk=obj.pk)


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    """What the outside sent, as it came: the proof behind every figure."""

    list_display = ("name", "kind_text", "shop", "size_text", "kept_at", "company")
    export_values = {"size_text": "size"}
    list_filter = ("shop", ("kept_at", admin.DateFieldListFilter))
    list_select_related = ("company", "shop")
    search_fields = ("filename__icontains", "outside_id", "kind")
    search_help_text = "File name, the channel's id, or kind"
    ordering = ("-id",)
    fields = (
        "name",
        "shop",
        "kind_text",
        "outside_id",
        "filename",
        "size_text",
        "fingerprint",
        "kept_at",
        "upload",
        "bytes_link",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("body")

    @admin.display(description="document", ordering="filename")
    def name(self, obj: Document) -> Any:
        return str(obj)

    @admin.display(description="kind", ordering="kind")
    def kind_text(self, obj: Document) -> Any:
        adapter = adapters().get(obj.shop.channel)
        kind = adapter.kinds.get(obj.kind) if adapter else None
        return f"{kind.label}" if kind else "not recognised"

    @admin.display(description="size", ordering="size")
    def size_text(self, obj: Document) -> str:
        return filesizeformat(obj.size)

    @admin.display(description="SHA-256")
    def fingerprint(self, obj: Document) -> str:
        return bytes(obj.digest).hex()

    @admin.display(description="content")
    def bytes_link(self, obj: Document) -> Any:
        page = link("ledger:document", "Look into it", code=obj.company.code, pk=obj.pk)
        file = link("ledger:document_download", "download the bytes", code=obj.company.code, pk=obj.pk)
        return format_html("{} or {}", page, file)


@admin.register(PersonalData)
class PersonalDataAdmin(ReadOnlyAdmin):
    """That there is buyer data of an order, and since when it is erased; never what it says."""

    list_display = ("order_ref", "shop", "created_at", "state", "company")
    list_filter = ("shop", ("erased_at", admin.EmptyFieldListFilter))
    list_select_related = ("company", "shop")
    search_fields = ("order_ref__exact",)
    ordering = ("-id",)
    fields = ("order_ref", "shop", "created_at", "erased_at", "state")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("secret", "key")

    @labelled(description="state", label={"kept, encrypted": "info", "erased": "success"})
    def state(self, obj: PersonalData) -> str:
        return "erased" if obj.erased_at else "kept, encrypted"


@admin.register(ColumnMatch)
class ColumnMatchAdmin(CompanyAdmin):
    """How staff matched the columns of exports. Delete one to be asked again for the next file like it."""

    list_display = ("kind_text", "channel", "columns_text", "matched_by", "created_at", "company")
    list_filter = (ChannelFilter,)
    list_select_related = ("company", "matched_by")
    search_fields = ("kind", "channel")
    ordering = ("-id",)
    fields = ("channel", "kind_text", "headers_text", "columns_text", "matched_by", "created_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="kind", ordering="kind")
    def kind_text(self, obj: ColumnMatch) -> str:
        adapter = adapters().get(obj.channel)
        kind = adapter.kinds.get(obj.kind) if adapter else None
        return kind.label if kind else obj.kind

    @admin.display(description="headers of the export")
    def headers_text(self, obj: ColumnMatch) -> str:
        return ", ".join(obj.headers)

    @admin.display(description="match")
    def columns_text(self, obj: ColumnMatch) -> str:
        return ", ".join(f"{code} = {header}" for code, header in sorted(obj.columns.items()))
