"""Tables as channels export them: bytes to rows of text, whatever the encoding, separator and decoration."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from channels.adapter import DocumentError
from nova.money import currency_digits

#: First bytes of a Shift_JIS pair that stand for kana and common kanji, and bytes that European letters use as well.
_JAPANESE = re.compile(rb"[\x81-\x9f][\x40-\x7e\x80-\xfc]")
_EITHER = re.compile(rb"[\xa0-\xfc]")
_HALF_WIDTH = re.compile(rb"[\xa6-\xdf]{3}")
_MAX_UNPACKED = 1024 * 1024 * 1024
#: Cells of a sheet from A1 to its last one, empty ones included: half a million rows of 40 columns.
MAX_CELLS = 20_000_000
#: The place of a cell or row in a sheet of a workbook: r="AB12", r="12"; the start of a row, and of a cell.
_CELL_PLACE = re.compile(rb"""\br\s*=\s*["']\$?([A-Za-z]{0,3})\$?([0-9]{1,8})["']""")
_ROW = re.compile(rb"<(?:\w+:)?row\b")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")


def unpack(body: bytes) -> bytes:
    """The bytes of a gzip file, or the bytes themselves.

    Raises:
        DocumentError: the compressed file is damaged.
    """
    if body[:2] != b"\x1f\x8b":
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as handle:
            plain = handle.read(_MAX_UNPACKED + 1)
    except (OSError, EOFError, zlib.error):
        raise DocumentError("The compressed file is damaged or cut off.") from None
    if len(plain) > _MAX_UNPACKED:
        raise DocumentError("The compressed file holds more than 1 GB.")
    return plain


def decode(body: bytes) -> str:
    """Text of an export in UTF-8 (with or without mark), UTF-16, Shift_JIS or windows-1252.

    Raises:
        DocumentError: the bytes are no text.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return body.decode("utf-16")
        except UnicodeDecodeError:
            raise DocumentError("The file is not text: it says UTF-16 but is not.") from None
    if b"\x00" in body:
        raise DocumentError("The file is not text.")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if _is_japanese(body):
        try:
            return body.decode("cp932")  # Shift_JIS as Windows writes it
        except UnicodeDecodeError:
            pass
    return body.decode("windows-1252", errors="replace")


def _is_japanese(body: bytes) -> bool:
    """Whether bytes that are no UTF-8 are Shift_JIS: many windows-1252 texts would decode as such, into other words."""
    pairs = _JAPANESE.findall(body)
    rest = len(_EITHER.findall(_JAPANESE.sub(b"", body)))
    return len(pairs) > rest or _HALF_WIDTH.search(body) is not None


@dataclass(frozen=True)
class Table:
    """Headers and rows of text; `rows` pairs each row with its 1-based line (or sheet row) in the file."""

    headers: tuple[str, ...]
    rows: list[tuple[int, list[str]]]


def separator_of(line: str) -> str:
    """The separator of a header line: the one that occurs most of tab, semicolon, comma."""
    return max("\t;,", key=line.count)


def read_text_table(text: str, *, header_line: int = 0) -> Table:
    """A table of separated text. Tab-separated files are taken literally (Amazon does not quote), others as CSV.

    Raises:
        DocumentError: there is no header.
    """
    lines = text.splitlines()
    while header_line < len(lines) and not lines[header_line].strip():
        header_line += 1
    if header_line >= len(lines):
        raise DocumentError("The file is empty.")
    separator = separator_of(lines[header_line])
    if separator == "\t":
        headers = tuple(cell.strip().strip('"') for cell in lines[header_line].split("\t"))
        rows = [
            (number, line.split("\t"))
            for number, line in enumerate(lines[header_line + 1 :], start=header_line + 2)
            if line.strip()
        ]
        return Table(headers, rows)
    try:
        reader = csv.reader(io.StringIO("\n".join(lines[header_line:])), delimiter=separator)
        headers = tuple(cell.strip() for cell in next(reader))
        rows = []
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((header_line + reader.line_num, row))
    except csv.Error as error:
        raise DocumentError(f"The table cannot be read: {error}.") from None
    return Table(headers, rows)


def read_sheets(body: bytes) -> Iterator[tuple[str, list[list[str]]]]:
    """The sheets of an xlsx workbook as rows of text; whole numbers without decimals, dates in ISO form.

    Raises:
        DocumentError: the workbook is damaged.
    """
    from python_calamine import CalamineWorkbook

    try:
        if not body.startswith(b"PK") or not zipfile.is_zipfile(io.BytesIO(body)):
            raise DocumentError("The workbook is damaged or cut off.")
        _check_workbook(body)
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
        for name in book.sheet_names:
            yield name, [[_cell(cell) for cell in row] for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)]
    except DocumentError:
        raise
    except Exception as error:  # the reader has errors of its own, and panics on broken archives
        raise DocumentError(f"The workbook cannot be read: {error}.") from None


def _check_workbook(body: bytes) -> None:
    """Refuse a workbook that a few bytes blow up: the reader keeps sheets as full rectangles in memory.

    Raises:
        DocumentError: it unpacks to more than 1 GB, or a sheet spans more cells than Nova takes.
    """
    room = _MAX_UNPACKED
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            raise DocumentError("The workbook is no xlsx; save it as xlsx or CSV.")
        for info in archive.infolist():
            rows = columns = 0
            rest = b""
            with archive.open(info) as member:
                while chunk := member.read(1 << 20):  # the size that the archive declares is not to be trusted
                    room -= len(chunk)
                    if room < 0:
                        raise DocumentError("The workbook unpacks to more than 1 GB.")
                    piece = rest + chunk
                    # As a set: of a million places only the largest matter. Rows and cells may also stand without one.
                    for letters, digits in set(_CELL_PLACE.findall(piece)):
                        rows = max(rows, int(digits))
                        columns = max(columns, _column_number(letters))
                    columns = max([columns, *(len(_CELL.findall(row)) for row in _ROW.split(piece)[1:])])
                    rest = piece[-24:]
                    if rows * columns > MAX_CELLS:
                        raise DocumentError(
                            f"A sheet of the workbook spans {rows:,} rows and {columns:,} columns; Nova takes up to "
                            f"{MAX_CELLS:,} cells. Delete what stands far away from the table, or export as CSV."
                        )


def _column_number(letters: bytes) -> int:
    """The 1-based number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(round(value, 6))
    if isinstance(value, datetime | date):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return str(value).strip()


_ISO = re.compile(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?\s*(.*)$")
_DAY_FIRST = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*(.*)$")
_SLASHED = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(AM|PM|am|pm)?)?\s*(.*)$")
_UTC_WORDS = {"", "UTC", "GMT", "Z", "z", "+00:00", "+0000", "+00"}
#: Names of zones that exports write, in hours from UTC; names that mean several zones are not here.
_ZONES = {
    "JST": 9, "PST": -8, "PDT": -7, "EST": -5, "EDT": -4, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "AEST": 10, "AEDT": 11,
}  # fmt: skip
_OFFSET = re.compile(r"^(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?$")


def parse_moment(text: str, *, day_first: bool = False) -> datetime | date:
    """A date or time as exports write it: ISO, 2026/06/16, 16.06.2026, 06/16/2026 (16/06/2026 with `day_first`).

    With a time the result is aware; a time without a zone is UTC. Without a time it is a date.

    Raises:
        ValueError: not a date, or a zone that cannot be told.
    """
    value = text.strip()
    if match := _ISO.match(value):
        year, month, day, hour, minute, second, zone = match.groups()
    elif match := _DAY_FIRST.match(value):
        day, month, year, hour, minute, second, zone = match.groups()
    elif match := _SLASHED.match(value):
        first, other, year, hour, minute, second, half, zone = match.groups()
        day, month = (first, other) if day_first or int(first) > 12 else (other, first)
        if half and hour:
            hour = str(int(hour) % 12 + (12 if half.upper() == "PM" else 0))
    else:
        raise ValueError(f"{text!r} is not a date")
    if hour is None:
        if zone.strip() not in _UTC_WORDS:
            raise ValueError(f"{text!r} is not a date")
        return date(int(year), int(month), int(day))
    moment = f"{int(year):04}-{int(month):02}-{int(day):02}T{int(hour):02}:{minute}:{second or '00'}"
    word = zone.strip()
    if word in _UTC_WORDS:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    if word in _ZONES:
        return datetime.fromisoformat(moment).replace(tzinfo=timezone(timedelta(hours=_ZONES[word])))
    if offset := _OFFSET.match(word):
        return datetime.fromisoformat(f"{moment}{offset[1]}{int(offset[2]):02}:{offset[3] or '00'}")
    raise ValueError(f"{text!r} has a time zone that is not known: {word}")


_GROUPED = re.compile(r"^\D*\d{1,3}([.,])\d{3}\D*$")
_SLASHED_DAY = re.compile(r"^(\d{1,2})/(\d{1,2})/\d{4}")


def decimal_comma(texts: Iterable[str], currency: str) -> bool | None:
    """Whether the amounts of a file part decimals by a comma (True) or a point (False); None when nothing tells.

    A sign followed by exactly three digits may part thousands or decimals. Where it is the only evidence a comma parts
    thousands, and a point does so in a currency without decimals; without a currency such amounts tell nothing.
    """
    grouped: set[str] = set()
    for text in texts:
        comma, dot = text.rfind(","), text.rfind(".")
        if comma < 0 and dot < 0:
            continue
        if comma >= 0 and dot >= 0:
            return comma > dot
        sign = "," if comma >= 0 else "."
        if text.count(sign) > 1:
            return sign == "."
        match = _GROUPED.match(text)
        if match is None:
            return sign == ","
        grouped.add(match[1])
    if "," in grouped and currency:
        return False
    return True if "." in grouped and currency and currency_digits(currency) == 0 else None


def day_first(texts: Iterable[str], *, default: bool) -> bool:
    """Whether 06/07/2026 is the 6th of July in a file: by dates that can only be read one way, else `default`."""
    for text in texts:
        match = _SLASHED_DAY.match(text)
        if match and (int(match[1]) > 12) != (int(match[2]) > 12):
            return int(match[1]) > 12
    return default


def header_key(header: str) -> str:
    """How headers are compared: without case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_\-]+", "", header.strip().strip('"').casefold())


def locate(headers: Sequence[str], wanted: str) -> int | None:
    """The position of a header (compared without case and blanks), or of a 0-based position given as text."""
    if wanted.isdigit() and int(wanted) < len(headers):
        return int(wanted)
    key = header_key(wanted)
    return next((place for place, header in enumerate(headers) if header_key(header) == key), None)
