"""Tables that sellers export from TikTok's Seller Center: finds the sheet, the header row below the banners, and the columns.

English editions are known by their headers. A table of another language is told by what it holds (long order ids
beside amounts) and asks staff to match its columns once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from channels.adapter import Column, DocumentError, Recognised
from channels.tables import Table, decode, header_key, locate, read_sheets, read_text_table, separator_of, unpack
from channels.tiktok.columns import INCOME_COLUMNS, UNSETTLED_COLUMNS

_HEADER_WITHIN = 40
_ZONE = re.compile(r"\(\s*(?:UTC|GMT)\s*([+-]\s*\d{1,2}(?::?\d{2})?)?\s*\)", re.IGNORECASE)
_ORDER_ID = re.compile(r"^['\t]?[5-7]\d{16,18}$")
#: Headers of the export of orders, which tells no settled money (and names buyers): not one of these tables.
_OF_ORDERS = ("orderstatus", "buyerusername", "recipient", "trackingid")
_AMOUNT = re.compile(r"^\(?-?[\d.,\s]*\d\)?$")

COLUMNS: dict[str, tuple[Column, ...]] = {"income_export": INCOME_COLUMNS, "unsettled_export": UNSETTLED_COLUMNS}


@dataclass
class Found:
    """A table of an export: its kind, where each canonical column is, and the other sheets of its workbook.

    `known` is False where staff matched the columns of an edition that Nova does not know.
    """

    kind: str
    table: Table
    places: dict[str, int]
    others: list[list[list[str]]] = field(default_factory=list)
    known: bool = True


def plain(header: str) -> str:
    """A header as it is compared: without zone, case, blanks and hyphens."""
    return header_key(_ZONE.sub("", header).replace("\\", "/"))


def zone_of(header: str) -> str:
    """The offset that a header names for its times, "" for UTC or none."""
    match = _ZONE.search(header)
    return (match[1] or "").replace(" ", "") if match else ""


def recognise_export(body: bytes) -> Recognised | None:
    """An income or unsettled export, or a table that may be one in another language; never raises."""
    if body[:1] in (b"{", b"["):
        return None
    try:
        best: Recognised | None = None
        for table in _tables(_beginning(body)):
            found = _known(table)
            if found is not None:
                return Recognised(found.kind, headers=found.table.headers)
            if best is None and (unknown := _unknown(table)) is not None:
                best = Recognised("income_export", unknown_columns=True, headers=unknown.headers)
        return best
    except DocumentError:
        return None


def _beginning(body: bytes) -> bytes:
    """The first lines of a large text: enough to tell what it is."""
    if len(body) < 500_000 or body[:2] in (b"PK", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff"):
        return body
    return body[: body.rfind(b"\n", 0, 500_000) + 1] or body


def find_table(body: bytes, kind: str, columns: Mapping[str, str]) -> Found:
    """The table of an export. `columns` are the matches of staff for an edition whose headers are not known.

    Raises:
        DocumentError: there is no such table, or a column that is needed is missing.
    """
    tables = list(_tables(body))
    for number, table in enumerate(tables):
        others = [[list(rest.headers), *(cells for _line, cells in rest.rows)] for rest in tables[:number] + tables[number + 1 :]]
        if columns:
            unknown = _known_any(table) or _unknown(table)
            places = _matched(unknown, kind, columns) if unknown is not None else None
            if unknown is not None and places is not None:
                return Found(kind, unknown, places, others, known=False)
        else:
            found = _known(table)
            if found is not None and found.kind == kind:
                return Found(kind, found.table, found.places, others)
    names = ", ".join(column.label for column in COLUMNS[kind] if column.required)
    raise DocumentError(f"There is no table with the columns {names} in this file.")


def _tables(body: bytes) -> Iterator[Table]:
    """Every sheet, or the text, as a table that starts with its first row."""
    plain_body = unpack(body)
    if plain_body[:2] == b"PK":
        for _name, rows in read_sheets(plain_body):
            if rows:
                yield Table(tuple(rows[0]), list(enumerate(rows[1:], start=2)))
        return
    text = decode(plain_body)
    lines = text.splitlines()
    for number, line in enumerate(lines[:_HEADER_WITHIN]):
        if line.count(separator_of(line)) >= 4:
            yield read_text_table(text, header_line=number)
            return


def _candidates(table: Table) -> Iterator[Table]:
    """The table as it would be with each of its first rows as the header."""
    yield table
    for place, (_number, cells) in enumerate(table.rows[:_HEADER_WITHIN]):
        yield Table(tuple(cell.strip() for cell in cells), table.rows[place + 1 :])


def _known(table: Table) -> Found | None:
    for candidate in _candidates(table):
        if len(candidate.headers) < 4:
            continue
        for kind, columns in COLUMNS.items():
            places = places_of(candidate.headers, columns)
            if all(column.code in places for column in columns if column.required):
                return Found(kind, candidate, places)
    return None


def _known_any(table: Table) -> Table | None:
    found = _known(table)
    return found.table if found else None


def places_of(headers: Sequence[str], columns: Sequence[Column]) -> dict[str, int]:
    """Where each canonical column is, by the headers known of it; of two equal headers the first counts."""
    by_key: dict[str, int] = {}
    for place, header in enumerate(headers):
        by_key.setdefault(plain(header), place)
    return {
        column.code: next(by_key[plain(name)] for name in column.known if plain(name) in by_key)
        for column in columns
        if any(plain(name) in by_key for name in column.known)
    }


def _unknown(table: Table) -> Table | None:
    """A table whose header nobody knows but whose rows look like TikTok's: long ids as text and several amounts."""
    for candidate in _candidates(table):
        headers = candidate.headers
        if any(plain(header) in _OF_ORDERS for header in headers):
            return None
        if sum(1 for header in headers if header and not _AMOUNT.match(header)) < max(6, len(headers) * 2 // 3):
            continue
        rows = [cells for _number, cells in candidate.rows[:20]]
        ids = [
            sum(1 for cells in rows if place < len(cells) and _ORDER_ID.match(cells[place].strip()))
            for place in range(len(headers))
        ]
        amounts = [
            place
            for place in range(len(headers))
            if rows
            and all(
                place >= len(cells) or cells[place].strip() in ("", "/", "-") or _AMOUNT.match(cells[place].strip())
                for cells in rows
            )
            and any(place < len(cells) and _AMOUNT.match(cells[place].strip()) for cells in rows)
            and not ids[place]
        ]
        if rows and max(ids, default=0) * 2 >= len(rows) and len(amounts) >= 4:
            return candidate
    return None


def _matched(table: Table, kind: str, columns: Mapping[str, str]) -> dict[str, int] | None:
    places = {}
    for code, header in columns.items():
        found = locate(table.headers, header) if header else None
        if found is not None:
            places[code] = found
    needed = [column.code for column in COLUMNS[kind] if column.required]
    return places if all(code in places for code in needed) else None
