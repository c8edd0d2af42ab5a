"""What the CSV exports of the Shopify admin have in common: canonical columns, cells by column, errors that name the line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from channels.adapter import Column, DocumentError, Source
from channels.tables import Table, decode, header_key, locate, parse_moment, read_text_table, unpack
from nova.money import parse_amount

#: Bytes that are looked at to recognise a file: enough for the widest header and some rows.
_HEAD = 60_000


def column(
    code: str,
    label: str,
    *known: str,
    kind: str = "text",
    required: bool = False,
    sum_of: tuple[str, ...] = (),
) -> Column:
    """A canonical column; its own label is a header that is known, too."""
    return Column(code, label, kind, required, (label, *known), sum_of)


def read_head(body: bytes) -> Table | None:
    """Headers and the first rows of a separated text file; None for anything else. Never raises."""
    if body[:2] in (b"PK", b"\xd0\xcf") or body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b"<")):
        return None
    try:
        plain = unpack(body)
        if len(plain) > _HEAD and not plain.startswith((b"\xff\xfe", b"\xfe\xff")):
            plain = plain[: plain.rfind(b"\n", 0, _HEAD) + 1] or plain
        table = read_text_table(decode(plain))
    except DocumentError:
        return None
    return table if len(table.headers) >= 4 else None


def places(columns: Sequence[Column], headers: Sequence[str]) -> dict[str, int]:
    """Where the canonical columns stand, told by their known headers."""
    keys = {header_key(header): place for place, header in reversed(list(enumerate(headers)))}
    found = {}
    for item in columns:
        place = next((keys[key] for name in item.known if (key := header_key(name)) in keys), None)
        if place is not None:
            found[item.code] = place
    return found


def knows(columns: Sequence[Column], headers: Sequence[str]) -> bool:
    """Whether all required columns are there under known headers."""
    found = places(columns, headers)
    return all(item.code in found for item in columns if item.required)


class Sheet:
    """The rows of an export, read by canonical column code. `columns` of the source (staff's match) win over known headers.

    Raises:
        DocumentError: no header, a required column is missing, or a row is shorter than the header (named by line).
    """

    def __init__(self, source: Source, columns: Sequence[Column]) -> None:
        self.table = read_text_table(decode(unpack(source.body)))
        self.places = places(columns, self.table.headers)
        for code, header in source.columns.items():
            place = locate(self.table.headers, header)
            if place is not None:
                self.places[code] = place
        missing = [item.label for item in columns if item.required and item.code not in self.places]
        if missing:
            raise DocumentError(f"These columns are missing: {', '.join(missing)}.")
        self.rows: list[tuple[int, list[str]]] = []
        head = [header_key(header) for header in self.table.headers]
        for number, cells in self.table.rows:
            if [header_key(cell) for cell in cells] == head:
                continue  # files that were put together repeat the header
            if len(cells) < len(self.table.headers):
                raise DocumentError(
                    f"The row has {len(cells)} of {len(self.table.headers)} cells; the file may be cut off here.", row=number
                )
            self.rows.append((number, cells))
        if not self.rows:
            raise DocumentError("The file has headers but no rows.")
        self._comma = self._decimal_comma([item.code for item in columns if item.kind == "amount" and item.code in self.places])

    def _decimal_comma(self, codes: Sequence[str]) -> bool | None:
        for _number, cells in self.rows:
            for code in codes:
                text = self.text(cells, code).strip("$€£ ")
                if len(text) > 2 and text[-3] in ",." and text[-2:].isdigit():
                    return text[-3] == ","
        return None

    def has(self, code: str) -> bool:
        """Whether the export has this column."""
        return code in self.places

    def text(self, cells: list[str], code: str) -> str:
        """The cell without blanks around; "" where the export has no such column."""
        place = self.places.get(code)
        return cells[place].strip() if place is not None and place < len(cells) else ""

    def amount(self, number: int, cells: list[str], code: str) -> Decimal:
        """The cell as an amount; an empty cell is zero."""
        text = self.text(cells, code)
        try:
            return parse_amount(text, decimal_comma=self._comma)
        except ValueError:
            raise DocumentError(f"{self._header(code)}: {text!r} is not an amount.", row=number) from None

    def integer(self, number: int, cells: list[str], code: str) -> int:
        """The cell as a whole number; an empty cell is zero."""
        value = self.amount(number, cells, code)
        if value != value.to_integral_value():
            raise DocumentError(f"{self._header(code)}: {self.text(cells, code)!r} is not a whole number.", row=number)
        return int(value)

    def moment(self, number: int, cells: list[str], code: str) -> datetime | date | None:
        """The cell as an aware time ("2026-03-02 14:05:11 -0500") or a day; None when empty."""
        text = self.text(cells, code)
        if not text:
            return None
        try:
            return parse_moment(text)
        except ValueError:
            raise DocumentError(f"{self._header(code)}: {text!r} is not a date.", row=number) from None

    def currency(self, number: int, cells: list[str], source: Source) -> str:
        """The currency of the row; an edition without that column speaks of the shop's only one."""
        code = self.text(cells, "currency").upper()
        if not code and not self.has("currency") and len(source.currencies) == 1:
            code = source.currencies[0]
        if len(code) != 3 or not code.isalpha() or not code.isascii():
            raise DocumentError(f"Currency: {code!r} is not a currency code.", row=number)
        return code

    def _header(self, code: str) -> str:
        return self.table.headers[self.places[code]]
