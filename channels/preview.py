"""Shows a stored document as rows, around the place that a fee line names.

A line's `row` is the 1-based line of a text file or sheet row (header included), or the 0-based index of the record in
a JSON document; this module finds that place again, without knowing more of a channel than how answers are wrapped.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from channels.adapter import DocumentError
from channels.models import Document
from channels.tables import decode, read_sheets, separator_of, unpack

PAGE_ROWS = 100
MAX_CELL = 300
#: Names that wrap the records of an answer, the outermost first; anything else belongs to a record.
_WRAPPERS = (
    "data", "payload", "shopifyPaymentsAccount", "balanceTransactions", "statement_transactions", "sku_transactions",
    "transactions", "statements", "payments", "payouts", "unsettled_transactions", "orders", "edges", "nodes", "node",
)  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """A window of a document. `shape` is "table", "lines", "records" or "binary"; numbers are as fee lines name them.

    `rows` pairs a number with cells (a table), one text (lines) or the pretty-printed record. `mark` is the number
    asked for. `before` and `after` are where the neighbouring windows start, None at the ends. `sheets` are the names
    of a workbook's sheets, `sheet` the one shown. `problem` says why there is nothing to see.
    """

    shape: str
    rows: Sequence[tuple[int, Sequence[str]]] = ()
    headers: Sequence[str] = ()
    header_number: int = 0
    mark: int | None = None
    total: int = 0
    first: int = 0
    before: int | None = None
    after: int | None = None
    sheets: Sequence[str] = field(default=())
    sheet: int = 0
    problem: str = ""

    @property
    def marked(self) -> list[tuple[str, str]]:
        """The filled cells of the marked row of a table with their headers."""
        if self.shape != "table":
            return []
        cells = next((cells for number, cells in self.rows if number == self.mark), ())
        names = [*self.headers, *(f"column {place + 1}" for place in range(len(self.headers), len(cells)))]
        return [(name or f"column {place + 1}", cell) for place, (name, cell) in enumerate(zip(names, cells)) if cell]


def preview_document(
    document: Document, *, row: int | None = None, start: int | None = None, sheet: int | None = None
) -> Preview:
    """The rows of a document around `row`, or from number `start` on. Never raises: a damaged document says so."""
    body = document.content()
    try:
        if body.startswith(b"PK"):
            return _workbook(body, row, start, sheet)
        plain = unpack(body)
        if b"\x00" in plain[:4096] and not plain.startswith((b"\xff\xfe", b"\xfe\xff")):
            return Preview("binary", problem="This is not a text file, a spreadsheet or JSON. Download it to look into it.")
        text = decode(plain)
    except DocumentError as error:
        return Preview("binary", problem=str(error))
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _records(json.loads(text), row, start)
        except (ValueError, RecursionError):
            return _lines(text, row, start)
    return _text(text, row, start)


def _window(
    total: int, first_number: int, row: int | None, start: int | None, size: int
) -> tuple[int, int, int | None, int | None]:
    """Offsets (begin, end) of the window over `total` rows whose numbers start at `first_number`, and its neighbours' starts."""
    wanted = start if start is not None else (row - size // 3 if row is not None else first_number)
    begin = max(0, min(wanted - first_number, max(0, total - 1)))
    end = min(total, begin + size)
    before = first_number + max(0, begin - size) if begin > 0 else None
    return begin, end, before, (first_number + end if end < total else None)


def _shorten(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL else cell[:MAX_CELL] + "…"


def _text(text: str, row: int | None, start: int | None) -> Preview:
    lines = text.splitlines()
    header_at = next((number for number, line in enumerate(lines) if line.strip()), None)
    if header_at is None:
        return Preview("lines", problem="The document is empty.")
    separator = separator_of(lines[header_at])
    if separator not in lines[header_at]:
        return _lines(text, row, start)
    if separator == "\t":  # Amazon does not quote
        cells = [(number, line.split("\t")) for number, line in enumerate(lines, start=1) if line.strip()]
    else:
        try:
            cells = list(_csv_rows(lines, separator))
        except csv.Error:
            return _lines(text, row, start)
    if not cells:
        return _lines(text, row, start)
    return _table(cells, row, start)


def _csv_rows(lines: Sequence[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _table(cells: list[tuple[int, list[str]]], row: int | None, start: int | None, **more: Any) -> Preview:
    """A window of numbered rows under their header, which is the first row with as many cells as most rows have."""
    widths = [sum(1 for cell in row_cells if cell.strip()) for _number, row_cells in cells[:200]]
    common = sorted(widths)[len(widths) // 2]
    place = next((index for index, width in enumerate(widths) if width * 2 > common and width > 1), 0)
    header_number, headers = cells[place]
    body = cells[place + 1 :]
    offset = None
    if row is not None:
        offset = next((index for index, (number, _cells) in enumerate(body) if number >= row), None)
    elif start is not None:
        offset = next((index for index, (number, _cells) in enumerate(body) if number >= start), max(0, len(body) - 1))
    begin, end, _before, _after = _window(
        len(body), 0, offset if row is not None else None, offset if row is None else None, PAGE_ROWS
    )
    return Preview(
        "table",
        rows=[(number, [_shorten(cell.strip()) for cell in row_cells]) for number, row_cells in body[begin:end]],
        headers=[cell.strip().strip('"') for cell in headers],
        header_number=header_number,
        mark=row,
        total=len(body),
        first=begin + 1,
        before=body[max(0, begin - PAGE_ROWS)][0] if begin else None,
        after=body[end][0] if end < len(body) else None,
        **more,
    )


def _lines(text: str, row: int | None, start: int | None) -> Preview:
    lines = text.splitlines()
    begin, end, before, after = _window(len(lines), 1, row, start, PAGE_ROWS)
    return Preview(
        "lines",
        rows=[(number, [line[:2000]]) for number, line in enumerate(lines[begin:end], start=begin + 1)],
        mark=row,
        total=len(lines),
        first=begin + 1,
        before=before,
        after=after,
    )


def _workbook(body: bytes, row: int | None, start: int | None, sheet: int | None) -> Preview:
    sheets = list(read_sheets(body))
    if not sheets:
        return Preview("binary", problem="The workbook has no sheets.")
    chosen = sheet if sheet is not None and 0 <= sheet < len(sheets) else None
    if chosen is None:  # the lines of an export are on its largest sheet
        chosen = max(
            range(len(sheets)), key=lambda index: len(sheets[index][1]) * max((len(r) for r in sheets[index][1]), default=0)
        )
    names = [name for name, _rows in sheets]
    cells = [(number, cells) for number, cells in enumerate(sheets[chosen][1], start=1) if any(cell.strip() for cell in cells)]
    if not cells:
        return Preview("lines", sheets=names, sheet=chosen, problem="This sheet is empty.")
    return _table(cells, row, start, sheets=names, sheet=chosen)


def records_of(data: Any) -> Iterator[Any]:
    """The records inside one or several answers of an API, in the order in which parsers number them."""
    if isinstance(data, list):
        for part in data:
            yield from records_of(part)
    elif isinstance(data, dict):
        inner = next((data[name] for name in _WRAPPERS if isinstance(data.get(name), (list, dict))), None)
        if inner is None:
            yield data
        else:
            yield from records_of(inner)


def _records(data: Any, row: int | None, start: int | None) -> Preview:
    records = list(records_of(data))
    if not records:
        return Preview("records", rows=[(0, [json.dumps(data, indent=2, ensure_ascii=False)])], total=1, first=1)
    begin, end, before, after = _window(len(records), 0, row, start, 10)
    if row is not None and start is None and 0 <= row < len(records):
        begin, end = row, row + 1
        before, after = (row - 1 if row else None), (row + 1 if row + 1 < len(records) else None)
    return Preview(
        "records",
        rows=[
            (number, [json.dumps(record, indent=2, ensure_ascii=False)])
            for number, record in enumerate(records[begin:end], start=begin)
        ],
        mark=row,
        total=len(records),
        first=begin + 1,
        before=before,
        after=after,
    )
