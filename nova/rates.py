"""Exchange rates from files of the European Central Bank: its XML and its CSV, daily or history, also as the ZIP it publishes.

https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates: reference rates are units of a
currency for one euro, one set per working day; a currency without a rate on a day is missing or N/A.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from django.db import connection, transaction

from nova.models import currency_validator

SOURCE = "ECB"
#: The whole history since 1999 is 8 MB as XML.
MAX_BYTES = 64 * 1024 * 1024
_BATCH = 20_000
_MISSING = ("", "N/A", "NA", "-")


class RatesError(ValueError):
    """The file cannot be read as exchange rates; the message says where."""


@dataclass(frozen=True)
class Rate:
    """Units of `currency` for one euro on a day."""

    currency: str
    on_date: date
    rate: Decimal


@dataclass
class Stored:
    """What storing rates did. `kept` were entered by staff and stay; `currencies` and `first_day` are of what changed."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0
    currencies: set[str] = field(default_factory=set)
    first_day: date | None = None
    last_day: date | None = None


def read_rates(body: bytes) -> list[Rate]:
    """The rates of a file: ECB XML, ECB CSV, or a ZIP with one of them.

    Raises:
        RatesError: neither, or a rate or day in it that is none.
    """
    if len(body) > MAX_BYTES:
        raise RatesError(f"The file is larger than {MAX_BYTES // 1024 // 1024} MB.")
    if body[:4] == b"PK\x03\x04":
        body = _unzip(body)
    rates = list(_read_xml(body) if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else _read_csv(body))
    if not rates:
        raise RatesError("The file holds no exchange rates.")
    seen: dict[tuple[str, date], Decimal] = {}
    for rate in rates:
        if seen.setdefault((rate.currency, rate.on_date), rate.rate) != rate.rate:
            raise RatesError(f"The file says two rates of {rate.currency} for {rate.on_date}.")
    return [Rate(currency, day, rate) for (currency, day), rate in seen.items()]


def _unzip(body: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = [item for item in archive.infolist() if item.filename.lower().endswith((".csv", ".xml"))]
            if len(names) != 1:
                raise RatesError("The ZIP must hold one CSV or XML file.")
            if names[0].file_size > MAX_BYTES:
                raise RatesError(f"The file in the ZIP is larger than {MAX_BYTES // 1024 // 1024} MB.")
            with archive.open(names[0]) as handle:
                found = handle.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise RatesError(f"The ZIP cannot be read: {error}.") from None
    if len(found) > MAX_BYTES:
        raise RatesError(f"The file in the ZIP is larger than {MAX_BYTES // 1024 // 1024} MB.")
    return found


def _read_xml(body: bytes) -> Iterator[Rate]:
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise RatesError(f"The XML cannot be read: {error}.") from None
    for day_cube in root.iter():
        if _plain_tag(day_cube.tag) != "Cube" or "time" not in day_cube.attrib:
            continue
        day = _read_day(day_cube.attrib["time"], "time")
        for cube in day_cube:
            if _plain_tag(cube.tag) == "Cube" and "currency" in cube.attrib:
                yield from _one(cube.attrib["currency"], day, cube.attrib.get("rate", ""), f"{day}")


def _plain_tag(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _read_csv(body: bytes) -> Iterator[Rate]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RatesError("The file is neither XML nor text in UTF-8.") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [cell.strip() for cell in next(rows, [])]
        if not header or header[0].casefold() != "date":
            raise RatesError("Line 1: the first column of an ECB file is named Date.")
        for number, row in enumerate(rows, start=2):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            day = _read_day(cells[0], f"line {number}")
            for currency, value in zip(header[1:], cells[1:]):
                if currency:
                    yield from _one(currency, day, value, f"line {number}")
    except csv.Error as error:
        raise RatesError(f"The CSV cannot be read: {error}.") from None


def _read_day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:  # the daily CSV writes "24 November 2026"
        return datetime.strptime(text.strip(), "%d %B %Y").date()
    except ValueError:
        raise RatesError(f"{where.capitalize()}: {text!r} is no day.") from None


def _one(currency: str, day: date, text: str, where: str) -> Iterator[Rate]:
    value = text.strip()
    if value.upper() in _MISSING or currency == "EUR":
        return
    if not currency_validator.regex.fullmatch(currency):  # type: ignore[union-attr]
        raise RatesError(f"{where.capitalize()}: {currency!r} is no currency such as USD.")
    try:
        rate = Decimal(value)
    except InvalidOperation:
        raise RatesError(f"{where.capitalize()}: the rate of {currency}, {text!r}, is no number.") from None
    if not rate.is_finite() or rate <= 0 or rate >= Decimal(10) ** 12:
        raise RatesError(f"{where.capitalize()}: the rate of {currency}, {text!r}, is not above zero.")
    yield Rate(currency, day, rate)


_STORE = """
    INSERT INTO nova_exchangerate AS rate (currency, on_date, rate, source)
    SELECT currency, on_date, round(value, 8), %(source)s
    FROM unnest(%(currencies)s::text[], %(days)s::date[], %(rates)s::numeric[]) AS given(currency, on_date, value)
    WHERE round(value, 8) > 0
    ON CONFLICT (currency, on_date) DO UPDATE SET rate = excluded.rate
        WHERE rate.source = excluded.source AND rate.rate <> excluded.rate
    RETURNING rate.currency, rate.on_date, (xmax = 0)
"""
_STAFF = """
    SELECT count(*) FROM nova_exchangerate rate
    JOIN unnest(%(currencies)s::text[], %(days)s::date[]) AS given(currency, on_date) USING (currency, on_date)
    WHERE rate.source <> %(source)s
"""


def store_rates(rates: Iterable[Rate], *, source: str = SOURCE) -> Stored:
    """Keep rates; the same again changes nothing. Rates that staff entered are not overwritten. One transaction."""
    stored = Stored()
    rows = sorted(rates, key=lambda rate: (rate.on_date, rate.currency))
    with transaction.atomic(), connection.cursor() as cursor:
        for start in range(0, len(rows), _BATCH):
            batch: Sequence[Rate] = rows[start : start + _BATCH]
            parameters: dict[str, Any] = {
                "source": source,
                "currencies": [rate.currency for rate in batch],
                "days": [rate.on_date for rate in batch],
                "rates": [rate.rate for rate in batch],
            }
            cursor.execute(_STAFF, parameters)
            kept = cursor.fetchone()[0]
            cursor.execute(_STORE, parameters)
            touched = cursor.fetchall()
            new = sum(inserted for _currency, _day, inserted in touched)
            stored.new += new
            stored.changed += len(touched) - new
            stored.kept += kept
            stored.unchanged += len(batch) - len(touched) - kept
            stored.currencies.update(currency for currency, _day, _inserted in touched)
            changed = [day for _currency, day, _inserted in touched]
            if changed:
                stored.first_day = min([*changed, *([stored.first_day] if stored.first_day else [])])
    stored.last_day = rows[-1].on_date if rows else None
    return stored
