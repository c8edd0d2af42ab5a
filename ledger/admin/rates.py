"""Admin of exchange rates: entered by staff or read from a file of the European Central Bank; the P&L follows at once."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import action

from ledger.rollup import rerate
from nova.list_export import ListExport
from nova.models import ExchangeRate
from nova.pages import render_page
from nova.rates import MAX_BYTES, RatesError, read_rates, store_rates

STAFF = "staff"


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ListExport, ModelAdmin):
    """What one euro cost on a day. A rate entered here stays when the bank's file says otherwise."""

    list_display = ("on_date", "currency", "rate", "source")
    list_filter = ("currency", "source", ("on_date", RangeDateFilter))
    list_filter_submit = True
    search_fields = ("currency",)
    ordering = ("-on_date", "currency")
    list_per_page = 50
    fields = ("currency", "on_date", "rate", "source")
    readonly_fields = ("source",)
    actions_list = ("import_file",)

    @action(description="Import a file of the European Central Bank", permissions=["add"], url_path="import-file")  # type: ignore[untyped-decorator]
    def import_file(self, request: HttpRequest) -> HttpResponse:
        """To the page where the file is chosen."""
        return redirect(reverse("admin:nova_exchangerate_ecb"))

    def get_urls(self) -> Any:
        return [path("ecb/", self.admin_site.admin_view(self.ecb_page), name="nova_exchangerate_ecb"), *super().get_urls()]

    def ecb_page(self, request: HttpRequest) -> HttpResponse:
        """Choose a file; its rates are stored and what they change in the P&L of every company is converted again."""
        if not self.has_add_permission(request):
            raise PermissionDenied("Importing exchange rates needs the role Finance clerk.")
        problem = ""
        if request.method == "POST":
            file = request.FILES.get("file")
            if file is None:
                problem = "Choose a file."
            elif (file.size or 0) > MAX_BYTES:
                problem = f"The file is larger than {MAX_BYTES // 1024 // 1024} MB."
            else:
                try:
                    stored = store_rates(read_rates(file.read()))
                except RatesError as error:
                    problem = str(error)
                else:
                    if stored.currencies:
                        rerate(currencies=stored.currencies, from_day=stored.first_day)
                    kept = f", {stored.kept} entered by staff and kept" if stored.kept else ""
                    latest = f"; the latest is of {stored.last_day}" if stored.last_day else ""
                    messages.success(
                        request, f"{stored.new} rates new, {stored.changed} changed, {stored.unchanged} unchanged{kept}{latest}."
                    )
                    return redirect(reverse("admin:nova_exchangerate_changelist"))
        return render_page(
            request, "ledger/rates_import.html", title="Import exchange rates", problem=problem, status=400 if problem else 200
        )

    def save_model(self, request: HttpRequest, obj: ExchangeRate, form: Any, change: bool) -> None:
        before = ExchangeRate.objects.filter(pk=obj.pk).first() if change else None
        obj.source = STAFF
        super().save_model(request, obj, form, change)
        for row in filter(None, (before, obj)):
            self._convert(row.currency, row.on_date)

    def delete_model(self, request: HttpRequest, obj: ExchangeRate) -> None:
        currency, day = obj.currency, obj.on_date
        super().delete_model(request, obj)
        self._convert(currency, day)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        gone = list(queryset.values_list("currency", "on_date"))
        super().delete_queryset(request, queryset)
        for currency in {row[0] for row in gone}:
            self._convert(currency, min(row[1] for row in gone if row[0] == currency))

    def _convert(self, currency: str, day: date) -> None:
        """The P&L of every company follows the rate."""
        rerate(currencies=[currency], from_day=day)
