"""CSV and XLSX of exactly what a page shows: plain decimals in CSV, numbers with their currency's format in XLSX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from ledger.pages.asked import Asked
from ledger.pages.chart import Chart
from ledger.pages.grid import Grid
from ledger.pages.words import row_words
from ledger.pnl import UNIFIED, Report
from nova.money import currency_digits

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
#: What Excel can hold.
MAX_SHEET_ROWS = 1_048_576
#: Stands where a currency stands, for fractions.
PERCENT = "%"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def number(amount: Decimal) -> str:
    """A plain decimal, in full precision, without exponent: "-1234.5"."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def number_format(currency: str) -> str:
    """The XLSX format of money in a currency: thousands, its decimals, its code, a minus sign and red for negative figures."""
    if currency == PERCENT:
        return "0.0%"
    decimals = currency_digits(currency)
    body = "#,##0" + (f".{'0' * decimals}" if decimals else "")
    return f'{body}\\ "{currency}";[Red]\\-{body}\\ "{currency}"'


def file_name(asked: Asked, kind: str, what: str = "pnl") -> str:
    """ "harbour_pnl_event_2026-01-01_2026-06-30.csv": company, what, clock, period."""
    parts = [asked.company.code, what, *([asked.scope] if asked.scope != UNIFIED else []), asked.clock.value]
    parts += [asked.start.isoformat() if asked.start else "begin", asked.last.isoformat() if asked.last else "now"]
    return _UNSAFE.sub("-", "_".join(parts)) + f".{kind}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else harmless(str(value))


def csv_rows(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """CSV text of rows, with a byte order mark so that Excel reads it as UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff"
    for index, row in enumerate(rows, 1):
        writer.writerow([_cell(value) for value in row])
        if index % 200 == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _attached(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def csv_response(rows: Iterable[Sequence[Any]], name: str) -> HttpResponseBase:
    """A download, sent while it is made."""
    return _attached(StreamingHttpResponse(csv_rows(rows), content_type="text/csv; charset=utf-8"), name)


def xlsx_response(
    rows: Iterable[Sequence[Any]], name: str, *, about: Sequence[tuple[str, str]], currency: str = ""
) -> HttpResponseBase:
    """A workbook: sheet "Data" with the rows, sheet "About" with what they are.

    Decimals are numbers in the format of `currency`, or of the currency named in the row as ("amount", currency) pairs.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    sheet.freeze_panes = "A2"
    sheet.column_dimensions["A"].width = 34
    bold = Font(bold=True)
    formats: dict[str, str] = {}

    def cell(value: Any, heading: bool) -> Any:
        money = currency
        if isinstance(value, tuple):
            value, money = value
        if isinstance(value, Decimal):
            made = WriteOnlyCell(sheet, value=value)  # type: ignore[arg-type]  # a number, exact
            if money:
                made.number_format = formats.setdefault(money, number_format(money))
            return made
        if isinstance(value, str):
            made = WriteOnlyCell(sheet, value=_CONTROL.sub("", value)[:32_767])
            made.data_type = "s"  # never a formula, whatever it begins with
            if heading:
                made.font = bold
            return made
        return value

    for index, row in enumerate(rows):
        if index >= MAX_SHEET_ROWS:
            about = [*about, ("Cut", f"A sheet holds {MAX_SHEET_ROWS:,} rows; take the CSV for all.")]
            break
        sheet.append([cell(value, index == 0) for value in row])
    notes = book.create_sheet("About")
    notes.column_dimensions["A"].width = 22
    notes.column_dimensions["B"].width = 60
    for pair in about:
        notes.append([cell(text, False) for text in pair])
    out = io.BytesIO()
    book.save(out)
    return _attached(HttpResponse(out.getvalue(), content_type=XLSX), name)


def about(asked: Asked, report: Report | None = None) -> list[tuple[str, str]]:
    """What the figures of a page are: company, clock, scope, period, currency, filters, how much is settled and mapped."""
    company = asked.company
    currency = asked.currency or company.currency
    rows = [
        ("Company", f"{company.name} ({company.code})"),
        ("Clock", asked.clock.value),
        ("Scope", asked.scope),
        ("Period", f"{asked.start or 'begin'} to {asked.last or 'now'}, days in {company.time_zone}"),
        ("Currency", currency if currency == company.currency else f"{currency}, translated from {company.currency}"),
        ("Rows", row_words(asked)),
        *[(f"Only {dimension}", ", ".join(value or "none" for value in values)) for dimension, values in asked.filters.items()],
    ]
    if report is not None:
        rows += [
            ("Share settled", "" if report.share_settled is None else number(report.share_settled)),
            ("Share mapped", "" if report.share_mapped is None else number(report.share_mapped)),
            ("Share provisional", "" if report.share_provisional is None else number(report.share_provisional)),
            *[("Not converted", f"{number(amount)} {code}: no exchange rate") for code, amount in report.unrated],
            *[("Left out, cash side only", code) for code in report.cash_side_only],
            ("As of", report.as_of.astimezone(company.zone).isoformat(timespec="seconds")),
        ]
    return rows


def grid_rows(grid: Grid, currency: str, *, plain: bool) -> Iterator[list[Any]]:
    """The table of the page, top to bottom, units and ratios (fractions) below; the level says how deep a row stands."""
    shares = any(row.share is not None for row in grid.rows)
    head = [f"{column.title or column.label} {currency}" for column in grid.columns]
    yield ["Level", "Row", "Code", *head, *(["Part of net sales"] if shares else [])]

    def styled(value: Decimal | None, style: str) -> Any:
        return value if plain or value is None else (value, style)

    for row in grid.rows:
        amounts = [figure.amount for figure in row.figures]
        yield [row.depth, row.label, row.code, *amounts, *([styled(row.share, PERCENT)] if shares else [])]
    if grid.units:
        yield [0, "Units sold less returned", "", *[styled(value, "") for value in grid.units]]
    for label, values in grid.ratios:
        yield [0, label, "", *[styled(value, PERCENT) for value in values]]


def export_grid(asked: Asked, report: Report, grid: Grid, kind: str) -> HttpResponseBase:
    """The P&L as shown, all rows."""
    name = file_name(asked, kind)
    rows = grid_rows(grid, report.currency, plain=kind == "csv")
    if kind == "csv":
        return csv_response(rows, name)
    return xlsx_response(rows, name, about=about(asked, report), currency=report.currency)


def export_chart(asked: Asked, chart: Chart) -> HttpResponseBase:
    """The numbers of the chart as CSV: one row per period, one column per line of the P&L."""

    def rows() -> Iterator[list[Any]]:
        yield ["Period", *[f"{section} {chart.currency}" for section in chart.series], f"contribution_2 {chart.currency}"]
        for label, values in chart.rows:
            yield [label, *values]

    return csv_response(rows(), file_name(asked, "csv", "chart"))
