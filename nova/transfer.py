"""Import and export of admin lists as CSV and Excel, always inside one company of the user."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from import_export import resources
from import_export.admin import ImportExportModelAdmin
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ConfirmImportForm
from import_export.tmp_storages import TempFolderStorage
from import_export.widgets import ForeignKeyWidget
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.widgets import UnfoldAdminSelectWidget

from nova.models import Company
from nova.pages import current_company, my_companies


class OwnedResource(resources.ModelResource):
    """Rows of one company: existing ones are looked up in it, new ones belong to it. Every row is validated like a form."""

    class Meta:
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True
        use_transactions = True

    def __init__(self, *, company: Company | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.company = company

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows.filter(company=self.company) if self.company is not None else rows

    def init_instance(self, row: Any = None) -> Any:
        return self._meta.model(company=self.company)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Widgets look related rows up in the company of the import."""
        for name, value in list(row.items()):
            if isinstance(value, float) and value.is_integer():  # Excel knows no whole numbers
                row[name] = str(int(value))
            elif isinstance(value, int) and not isinstance(value, bool):
                row[name] = str(value)
            elif isinstance(value, str):
                row[name] = value.strip()
        for field in self.fields.values():
            if isinstance(field.widget, OwnedKeyWidget):
                field.widget.company = self.company


class OwnedKeyWidget(ForeignKeyWidget):
    """A related row of the same company by its code (and by what `narrow` finds in the row, such as the shop)."""

    def __init__(self, model: Any, field: str, *, narrow: dict[str, str] | None = None, label: str = "", **kwargs: Any) -> None:
        super().__init__(model, field, **kwargs)
        self.company: Company | None = None
        self.narrow = narrow or {}
        self.label = label or model._meta.verbose_name

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """The row named by `value`.

        Raises:
            ValueError: there is none in this company, or there are several.
        """
        if value in (None, ""):
            return None
        wanted = {self.field: value}
        for column, lookup in self.narrow.items():
            if row.get(column) in (None, ""):
                raise ValueError(f"The column {column} is empty; it says which {self.label} {value} is meant.")
            wanted[lookup] = row[column]
        found = list(self.model._default_manager.filter(company=self.company, **wanted)[:2])
        if len(found) == 1:
            return found[0]
        raise ValueError(f"There is no {self.label} {value}." if not found else f"There are several of {self.label} {value}.")


class _CompanyChoice(forms.Form):
    company = forms.ChoiceField(
        label="Company", widget=UnfoldAdminSelectWidget, help_text="All rows of the file are of this company."
    )


class CompanyImportForm(_CompanyChoice, ImportForm):
    """A file and the company that its rows are of."""

    field_order = ["resource", "company", "import_file", "format"]


class CompanyConfirmForm(ConfirmImportForm):
    """The second step, which carries the company on."""

    company = forms.CharField(widget=forms.HiddenInput())


class TransferStorage(TempFolderStorage):
    """Where a file waits between the two steps of an import: a folder of Nova's own, not the machine's temporary one.

    The name comes back from the browser, so it must be one that was made here.
    """

    KEEP_SECONDS = 24 * 3600

    def get_full_path(self) -> str:
        if not _TRANSFER_NAME.fullmatch(self.name or ""):
            raise FileNotFoundError(self.name)
        return str(_transfer_folder() / self.name)

    def save(self, data: Any) -> None:
        folder = _transfer_folder()
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > self.KEEP_SECONDS:
                old.unlink(missing_ok=True)
        self.name = uuid4().hex
        Path(self.get_full_path()).write_bytes(data if isinstance(data, bytes) else data.encode(self.encoding or "utf-8"))


_TRANSFER_NAME = re.compile(r"[0-9a-f]{32}")


def _transfer_folder() -> Path:
    folder = Path(settings.HOME) / "transfers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class TransferAdmin(ImportExportModelAdmin):
    """Import (for who may change) and export (for who may see) as CSV and Excel, of the user's companies only."""

    tmp_storage_class = TransferStorage
    import_form_class = CompanyImportForm
    export_form_class = ExportForm
    confirm_form_class = CompanyConfirmForm
    formats = [CSV, XLSX]  # type: ignore[assignment]
    show_change_form_export = False

    def has_import_permission(self, request: HttpRequest) -> bool:
        meta = self.opts
        return all(request.user.has_perm(f"{meta.app_label}.{verb}_{meta.model_name}") for verb in ("change", "view"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def process_import(self, request: HttpRequest, **kwargs: Any) -> Any:
        """The second step; a file that waited too long is asked for again."""
        try:
            return super().process_import(request, **kwargs)
        except FileNotFoundError:
            messages.error(request, "The file waited too long, or was imported already. Choose it again. Nothing was changed.")
            return redirect(reverse("admin:{}_{}_import".format(*self.get_model_info())))

    def get_valid_export_item_pks(self, request: HttpRequest) -> Any:
        """What may be named in an export of chosen rows: the user's own."""
        return self.get_queryset(request).values_list("pk", flat=True)

    def create_import_form(self, request: HttpRequest) -> Any:
        form = super().create_import_form(request)
        form.fields["company"].choices = [(row.code, row.name) for row in my_companies(request)]
        return form

    def get_import_form_initial(self, request: HttpRequest) -> dict[str, Any]:
        company = current_company(request)
        return {"company": company.code if company is not None else ""}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            initial["company"] = import_form.cleaned_data.get("company", "")
        return initial

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """The company of the import.

        Raises:
            PermissionDenied: the user is no member of it.
        """
        form = kwargs.get("form")
        code = form.cleaned_data.get("company", "") if form is not None and hasattr(form, "cleaned_data") else ""
        if not code:
            return {"company": current_company(request)}
        company = next((row for row in my_companies(request) if row.code == code), None)
        if company is None:
            raise PermissionDenied("You are not a member of that company.")
        return {"company": company}
