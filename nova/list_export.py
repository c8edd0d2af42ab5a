"""Lists of the admin as CSV and Excel: exactly the rows and columns that are shown, with full precision and ISO dates."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.utils import display_for_field, label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import strip_tags

PARAMETER = "_export"
MAX_ROWS = 100_000
CHUNK = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
#: Spreadsheets run cells that begin with one of these.
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")


class ListExport:
    """Mixin of admin classes: `?_export=csv` and `?_export=xlsx` answer with the list as it is filtered and sorted.

    `export_values` names the attribute (dotted) behind a column that shows it otherwise; `export_leave_out` are columns
    that only lead somewhere.
    """

    list_after_template = "nova/list_export.html"
    export_values: dict[str, str] = {}
    export_leave_out: Sequence[str] = ()

    def prepare_rows(self, rows: Sequence[Any]) -> None:
        """Give rows of the list what their columns need and one query can bring."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        wanted = request.GET.get(PARAMETER, "")
        if wanted not in ("csv", "xlsx"):
            return super().changelist_view(request, extra_context)  # type: ignore[misc]
        if not self.has_view_or_change_permission(request):  # type: ignore[attr-defined]
            return super().changelist_view(request, extra_context)  # type: ignore[misc]
        query = request.GET.copy()
        query.pop(PARAMETER)
        request.GET = query  # type: ignore[assignment]
        changelist = self.get_changelist_instance(request)  # type: ignore[attr-defined]
        if changelist.queryset[MAX_ROWS : MAX_ROWS + 1].exists():
            messages.error(request, f"The list has more than {MAX_ROWS:,} rows. Filter it first, then export it in parts.")
            return redirect(f"{request.path}?{query.urlencode()}")
        columns = [name for name in changelist.list_display if name != "action_checkbox" and name not in self.export_leave_out]
        model = changelist.model
        headers = [str(label_for_field(name, model, cast(Any, self))).capitalize() for name in columns]
        name = f"{model._meta.verbose_name_plural}-{timezone.localdate():%Y-%m-%d}".replace(" ", "-")
        rows = self._export_rows(changelist.queryset, columns)
        return csv_response(headers, rows, name) if wanted == "csv" else xlsx_response(headers, rows, name)

    def _export_rows(self, queryset: Any, columns: Sequence[str]) -> Iterator[list[Any]]:
        chunk: list[Any] = []
        for row in queryset.iterator(chunk_size=CHUNK):
            chunk.append(row)
            if len(chunk) == CHUNK:
                yield from self._export_chunk(chunk, columns)
                chunk = []
        yield from self._export_chunk(chunk, columns)

    def _export_chunk(self, rows: Sequence[Any], columns: Sequence[str]) -> Iterator[list[Any]]:
        self.prepare_rows(rows)
        for row in rows:
            yield [self._export_value(row, name) for name in columns]

    def _export_value(self, row: Any, name: str) -> Any:
        if name in self.export_values:
            value: Any = row
            for part in self.export_values[name].split("."):
                value = getattr(value, part)
            return value
        try:
            field, _attribute, value = lookup_field(name, row, cast(Any, self))
        except ObjectDoesNotExist:
            return ""
        if field is not None and getattr(field, "flatchoices", None):
            return str(display_for_field(value, field, ""))
        return value


def plain_value(value: Any) -> Any:
    """What stands in a cell: numbers as they are, dates in ISO form, the rest as text without markup."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal | int | float):
        return value
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds") if timezone.is_aware(value) else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = strip_tags(str(value)) if not isinstance(value, Model) else str(value)
    return f"'{text}" if text.startswith(_ACTIVE) else text


def csv_response(headers: Sequence[str], rows: Iterable[Sequence[Any]], name: str) -> StreamingHttpResponse:
    """A CSV file, sent while it is written; UTF-8 with a mark, so that spreadsheets read it rightly."""

    def lines() -> Iterator[bytes]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        yield "\ufeff".encode()
        writer.writerow(headers)
        for row in rows:
            writer.writerow([f"{value:f}" if isinstance(value := plain_value(cell), Decimal) else value for cell in row])
            if buffer.tell() > 64_000:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"},
    )


def xlsx_response(headers: Sequence[str], rows: Iterable[Sequence[Any]], name: str) -> HttpResponse:
    """An Excel workbook with one sheet; amounts are numbers."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("List")
    sheet.append(list(headers))
    for row in rows:
        values = (plain_value(cell) for cell in row)
        # Control characters, which texts of the outside may hold, are none that a workbook can.
        sheet.append([_CONTROL.sub("", value) if isinstance(value, str) else value for value in values])
    buffer = io.BytesIO()
    book.save(buffer)
    return HttpResponse(
        buffer.getvalue(),
        content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        headers={"Content-Disposition": f'attachment; filename="{name}.xlsx"', "Cache-Control": "no-store"},
    )
