"""Suggests which header of an export stands for which column that Nova knows: by words, by arithmetic, by place.

Arithmetic is the surest guide in a foreign language: columns that add up to another one on every row can be told whatever
they are called. All of it is a suggestion to staff, with a confidence and the reason in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from channels.adapter import Column, DocumentError, DocumentKind
from channels.column_relations import match_relations
from channels.tables import Table, decimal_comma, decode, header_key, parse_moment, read_sheets, read_text_table, unpack
from nova.money import parse_amount

#: Rows that are looked at; enough to tell, few enough to be quick.
SAMPLE_ROWS = 2000
HIGH, MEDIUM = 0.85, 0.5
_SIMILAR = 0.75
_HEADER_WITHIN = 40
_LONG_NUMBER = re.compile(r"^\d{10,}$")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Suggestion:
    """One canonical column and what stands for it here. `header` is the header's text where it is unique, else its 0-based
    position as text (both are what `Source.columns` takes); `confidence` is between 0 and 1.
    """

    column: str
    header: str
    place: int
    confidence: float
    reason: str

    @property
    def level(self) -> str:
        """high, medium or low."""
        return "high" if self.confidence >= HIGH else "medium" if self.confidence >= MEDIUM else "low"


@dataclass(frozen=True)
class _Shape:
    """What the cells of one column look like. `amounts` are ten-thousandths of a unit, None where not all are amounts."""

    filled: int
    amounts: tuple[int, ...] | None
    integers: bool
    dates: bool

    def fits(self, kind: str) -> bool:
        if not self.filled or kind == "text":
            return not (kind == "text" and self.dates)
        return {"amount": self.amounts is not None, "integer": self.integers, "date": self.dates}.get(kind, True)


def read_table_for_matching(body: bytes, filename: str, headers: Sequence[str] = ()) -> Table:
    """Headers and rows of an export of any edition: separated text or the first sheet of a workbook that has them.

    `headers` are those that an adapter recognised; without them the header is the first row that has about as many texts
    as the rows below it have cells, so that titles and explanations above it are passed over.

    Raises:
        DocumentError: there is no table in the file.
    """
    plain = unpack(body)
    if plain.startswith(b"PK"):
        for _name, rows in read_sheets(plain):
            place = _header_row(rows, headers)
            if place is not None:
                cells = [(number, row) for number, row in enumerate(rows[place + 1 :], start=place + 2) if any(row)]
                return Table(tuple(rows[place]), cells)
        raise DocumentError(f"{filename or 'The workbook'} has no sheet with a table.")
    text = decode(plain)
    lines = text.splitlines()
    for place in range(min(len(lines), _HEADER_WITHIN)):
        if not lines[place].strip():
            continue
        sample = read_text_table("\n".join(lines[place : place + 20]))
        if _header_row([list(sample.headers), *(cells for _number, cells in sample.rows)], headers) == 0:
            return read_text_table(text, header_line=place)
    raise DocumentError(f"{filename or 'The file'} has no table with headers.")


def _header_row(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> int | None:
    wanted = [header_key(header) for header in headers]
    for place, row in enumerate(rows[:_HEADER_WITHIN]):
        keys = [header_key(cell) for cell in row]
        if wanted:
            if keys[: len(wanted)] == wanted:
                return place
            continue
        texts = sum(1 for cell in row if cell.strip() and not _DIGIT.match(cell.strip().lstrip("-+(")))
        below = max((len(cells) for cells in rows[place + 1 : place + 20]), default=0)
        if texts >= 2 and texts * 2 > below and below > 1:
            return place
    return None


def suggest_columns(kind: DocumentKind, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Suggestion]:
    """The best header for each canonical column of `kind`, surest first; columns without any hint are left out.

    No header is suggested twice. The same table gives the same suggestions, in any order of its columns where words or
    sums decide.
    """
    sample = [list(cells) for _number, cells in zip(range(SAMPLE_ROWS), rows)]
    shapes = _shapes(len(headers), sample)
    found = [*_by_words(kind.columns, headers, shapes), *_by_place(kind.columns, headers, shapes)]
    taken = _choose(found, kind.columns)
    sums = match_relations(
        kind.columns,
        {place: shape.amounts for place, shape in enumerate(shapes) if shape.amounts is not None and shape.filled},
        words={(item.column, item.place): item.confidence for item in found},
        known={item.column: item.place for item in taken if item.confidence >= 1.0},
        names=[_name(headers, place) for place in range(len(headers))],
        rows=len(sample),
    )
    found += [Suggestion(item.column, _name(headers, item.place), item.place, item.confidence, item.reason) for item in sums]
    chosen = _choose(found, kind.columns)
    confirmed = {(item.column, item.place): item.reason for item in sums if item.confidence >= HIGH}
    chosen = [
        replace(item, reason=f"{item.reason}; {confirmed[item.column, item.place]}")
        if item.confidence >= 1.0 and (item.column, item.place) in confirmed
        else item
        for item in chosen
    ]
    chosen += _last_of_their_kind(kind.columns, headers, shapes, chosen)
    return sorted(chosen, key=lambda item: (-item.confidence, item.place))


def _name(headers: Sequence[str], place: int) -> str:
    text = headers[place]
    return text if text.strip() and list(headers).count(text) == 1 and not text.strip().isdigit() else str(place)


def _choose(found: Sequence[Suggestion], columns: Sequence[Column]) -> list[Suggestion]:
    """The surest suggestions, each column and each place once."""
    order = {column.code: number for number, column in enumerate(columns)}
    chosen: list[Suggestion] = []
    columns_taken: set[str] = set()
    places: set[int] = set()
    for item in sorted(found, key=lambda item: (-item.confidence, order[item.column], item.place)):
        if item.column not in columns_taken and item.place not in places:
            chosen.append(item)
            columns_taken.add(item.column)
            places.add(item.place)
    return chosen


def _shapes(width: int, rows: Sequence[Sequence[str]]) -> list[_Shape]:
    cells = [[row[place].strip().strip('"') if place < len(row) else "" for row in rows] for place in range(width)]
    numeric = [column for column in cells if any(text and _DIGIT.search(text) for text in column)]
    comma = decimal_comma((text for column in numeric for text in column if _looks_like_amount(text)), "EUR")
    return [_shape(column, comma) for column in cells]


def _looks_like_amount(text: str) -> bool:
    return bool(_DIGIT.search(text)) and not _WORD.search(text) and text.count(":") == 0 and text.count("/") == 0


def _shape(cells: Sequence[str], comma: bool | None) -> _Shape:
    filled = [text for text in cells if text]
    amounts: tuple[int, ...] | None = None
    if not any(_LONG_NUMBER.match(text) for text in filled):
        try:
            amounts = tuple(_units(text, comma) for text in cells)
        except ValueError:
            amounts = None
    return _Shape(
        filled=len(filled),
        amounts=amounts,
        integers=amounts is not None and all(value % 10_000 == 0 for value in amounts),
        dates=bool(filled) and all(_is_date(text) for text in filled[:50]),
    )


def _units(text: str, comma: bool | None) -> int:
    if not text:
        return 0
    own = decimal_comma([text], "")
    return int(parse_amount(text, decimal_comma=comma if own is None else own).scaleb(4).to_integral_exact())


def _is_date(text: str) -> bool:
    try:
        parse_moment(text)
    except ValueError:
        return False
    return True


def _by_words(columns: Sequence[Column], headers: Sequence[str], shapes: Sequence[_Shape]) -> list[Suggestion]:
    found = []
    keys = [header_key(header) for header in headers]
    for column in columns:
        names = {header_key(name): name for name in (column.code, column.label, *column.known)}
        for place, key in enumerate(keys):
            if not key or not shapes[place].fits(column.kind):
                continue
            if key in names:
                found.append(Suggestion(column.code, _name(headers, place), place, 1.0, "its header is known"))
                continue
            likeness, name = max((_likeness(key, known), name) for known, name in names.items())
            if likeness >= _SIMILAR:
                reason = f"its header is much like {name}"
                found.append(Suggestion(column.code, _name(headers, place), place, round(likeness * 0.8, 3), reason))
    return found


def _likeness(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _SIMILAR and matcher.quick_ratio() >= _SIMILAR else 0.0


def _by_place(columns: Sequence[Column], headers: Sequence[str], shapes: Sequence[_Shape]) -> list[Suggestion]:
    """As many headers as columns, and every cell of the kind that its place asks for: the usual layout in another language."""
    if len(headers) != len(columns) or not all(shape.fits(column.kind) for column, shape in zip(columns, shapes)):
        return []
    reason = "it stands where the usual layout has it"
    return [Suggestion(column.code, _name(headers, place), place, 0.6, reason) for place, column in enumerate(columns)]


def _last_of_their_kind(
    columns: Sequence[Column], headers: Sequence[str], shapes: Sequence[_Shape], chosen: Sequence[Suggestion]
) -> list[Suggestion]:
    """A required date or amount for which only one header is left."""
    codes = {item.column for item in chosen}
    places = {item.place for item in chosen}
    found = []
    for kind in ("date", "amount", "integer"):
        wanted = [column for column in columns if column.required and column.kind == kind and column.code not in codes]
        left = [
            place
            for place, shape in enumerate(shapes)
            if place not in places and shape.filled and kind != "text" and shape.fits(kind)
        ]
        if len(wanted) == 1 and len(left) == 1:
            reason = f"the only {kind} left"
            found.append(Suggestion(wanted[0].code, _name(headers, left[0]), left[0], 0.3, reason))
            places.add(left[0])
    return found


def as_match(suggestions: Iterable[Suggestion]) -> dict[str, str]:
    """Canonical column -> header, as a column match is stored and as `import_file --columns` reads it."""
    return {item.column: item.header for item in suggestions}
