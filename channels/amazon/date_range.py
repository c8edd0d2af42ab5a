"""Amazon's date-range transaction report: recognised in the languages it comes in, and never booked.

It repeats money of the settlement files in coarser columns, rounded row by row (parts and total may differ by a cent), so
taking it as well would count everything twice.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from channels.adapter import DocumentError, Recognised, Source
from channels.tables import Table, day_first, decimal_comma, decode, header_key, locate, parse_moment, read_text_table, unpack
from nova.money import parse_amount

#: Columns by which the report is told, as it writes them in English, German, French, Italian, Spanish, Dutch, Japanese.
_DATE = ("date/time", "Datum/Uhrzeit", "date/heure", "Data/Ora:", "fecha y hora", "datum/tijd", "日付/時間")
_SETTLEMENT = (
    "settlement id",
    "Abrechnungsnummer",
    "numéro de versement",
    "Numero pagamento",
    "identificador de pago",
    "schikkings-ID",
    "決済番号",
)
_TOTAL = ("total", "Gesamt", "totale", "totaal", "合計")
#: The report begins with some lines of explanation.
_PREAMBLE = 15


def _header(lines: list[str]) -> tuple[int, Table] | None:
    for place, line in enumerate(lines[:_PREAMBLE]):
        if not line.strip():
            continue
        try:
            table = read_text_table(line)
        except DocumentError:
            continue
        if all(_find(table, names) is not None for names in (_DATE, _SETTLEMENT, _TOTAL)):
            return place, table
    return None


def _find(table: Table, names: tuple[str, ...]) -> int | None:
    return next((place for name in names if (place := locate(table.headers, header_key(name))) is not None), None)


def recognise(body: bytes) -> Recognised | None:
    """A date-range transaction report in a known language; never raises."""
    try:
        found = _header(decode(unpack(body)[:20_000]).splitlines())
    except DocumentError:
        return None
    return Recognised("date_range", headers=found[1].headers) if found else None


def parse(source: Source) -> None:
    """Say what the file is and what it comes to.

    Raises:
        DocumentError: always; it names rows, days, total, and the document to import instead.
    """
    text = decode(unpack(source.body))
    found = _header(text.splitlines())
    summary = _summary(read_text_table(text, header_line=found[0]), source.region) if found else ""
    raise DocumentError(
        f"This is a date-range transaction report, not a settlement{summary}. It repeats, rounded, the money of the settlements, "
        "so Nova does not book it. Import the settlement files of these days instead (Seller Central: Payments, All statements, "
        "download flat file V2)."
    )


def _summary(table: Table, region: str) -> str:
    """Rows, first and last day and total in words, as far as they can be read."""
    total_at, date_at, settlement_at = (_find(table, names) for names in (_TOTAL, _DATE, _SETTLEMENT))
    assert total_at is not None and date_at is not None and settlement_at is not None
    cells = [row for _number, row in table.rows if len(row) > max(total_at, date_at, settlement_at)]
    comma = decimal_comma((row[total_at] for row in cells), "EUR")
    first = day_first((row[date_at] for row in cells), default=region != "NA")
    total = Decimal(0)
    days: set[date] = set()
    for row in cells:
        try:
            total += parse_amount(row[total_at], decimal_comma=comma)
            moment = parse_moment(row[date_at], day_first=first)
        except ValueError:
            continue
        days.add(moment.date() if isinstance(moment, datetime) else moment)
    settlements = sorted({row[settlement_at].strip() for row in cells} - {""})
    words = [f"{len(cells)} rows", f"total {total}"]
    if days:
        words.insert(1, f"{min(days)} to {max(days)}")
    if settlements:
        words.append(f"settlement {', '.join(settlements[:5])}{' and more' if len(settlements) > 5 else ''}")
    return f" ({'; '.join(words)})"
