"""One row of an export as fee lines: the parts of each block, and what they leave of its total as a remainder.

Identity of every edition: total = revenue + fees + adjustment, with shipping either inside the fees (South-East Asia) or
beside them (US, UK, EU, Brazil); the row's own arithmetic tells which. Columns that nobody knows are lines when the total
of their block needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations

from channels.adapter import DocumentError
from channels.records import LineRecord
from channels.tiktok.answers import ZERO
from channels.tiktok.breakdown import ADJUSTMENT, FEE, FEE_TAX, GROSS, GROSS_REFUND, NOT_ITEMISED, REVENUE, SETTLEMENT, SHIPPING
from channels.tiktok.columns import BLOCKS, INSTEAD, PARTS, REPEATED, Part
from channels.tiktok.exports import Found, plain
from nova.money import parse_amount

_NAMES = {"revenue": REVENUE, "shipping": SHIPPING, "fees": FEE_TAX}
_AFTER = ("Related order ID", "Customer payment", "Adjustment reason", "Customer refund")


class RowReader:
    """Reads the money of rows of one table.

    Raises (from its methods):
        DocumentError: a cell that is no amount, or a row that is cut off; with its line.
    """

    def __init__(self, found: Found, *, decimal_comma: bool | None) -> None:
        self.places = found.places
        self.headers = found.table.headers
        self.decimal_comma = decimal_comma
        self.least = max(found.places.values()) + 1
        self.parts = self._parts()
        #: Where staff matched the columns they have said which are parts: what is left is a remainder, not a guess.
        self.strangers = self._strangers() if found.known else {block: [] for block in (*BLOCKS, "after")}
        self._amounts: dict[str, Decimal] = {}

    def _parts(self) -> dict[str, list[tuple[Part, int]]]:
        """The columns of each block's parts; a part that stands in several columns is all of them."""
        keys = [plain(header) for header in self.headers]
        found: dict[str, list[tuple[Part, int]]] = {block: [] for block in BLOCKS}
        for part in PARTS:
            known = {plain(name) for name in part.known}
            places = {place for place, key in enumerate(keys) if key in known} | {self.places.get(part.name, -1)} - {-1}
            if not places and part.name in INSTEAD:
                places = {place for place, key in enumerate(keys) if key == plain(INSTEAD[part.name])}
            block = next(block for block, paths in BLOCKS.items() if part.path in paths)
            found[block] += [(part, place) for place in sorted(places)]
        return found

    def text(self, cells: Sequence[str], code: str) -> str:
        """The text of a cell; "" where the edition has no such column and for "/", which stands for nothing."""
        place = self.places.get(code)
        value = cells[place].strip().strip("'\t") if place is not None and place < len(cells) else ""
        return "" if value == "/" else value

    def amount(self, cells: Sequence[str], place: int | None, line: int) -> Decimal:
        """The amount of a cell, zero for an empty one."""
        text = cells[place].strip().strip("'") if place is not None and place < len(cells) else ""
        known = self._amounts.get(text)
        if known is None:
            try:
                known = parse_amount(text, decimal_comma=self.decimal_comma)
            except ValueError:
                header = self.headers[place] if place is not None else ""
                raise DocumentError(f"{header}: {text!r} is not an amount.", row=line) from None
            self._amounts[text] = known
        return known

    def total(self, cells: Sequence[str], line: int) -> Decimal:
        """What the row says it settles."""
        return self.amount(cells, self.places["total"], line)

    def lines(self, cells: Sequence[str], line: int, kind: str) -> list[LineRecord]:
        """The money of a row. `kind` is "" for an order and the name of an adjustment else."""
        found: list[LineRecord] = []
        total = self.total(cells, line)
        stated = {
            block: self.amount(cells, self.places[block], line) if block in self.places else None
            for block in ("revenue", "shipping", "fees")
        }
        adjusted = self.amount(cells, self.places.get("adjustment"), line)
        revenue = self._block("revenue", cells, line, stated["revenue"], found)
        shipping = self._block("shipping", cells, line, stated["shipping"], found)
        fees = stated["fees"]
        beside = fees is None or self._beside(total, revenue, shipping, fees, adjusted)
        inside = ZERO if beside else shipping
        fees = self._block("fees", cells, line, None if fees is None else fees - inside, found)
        if kind and not adjusted and not found:
            adjusted = total  # editions without a column of adjustments of their own
        if adjusted:
            name = kind or "adjustment_amount"
            found.append(LineRecord(ADJUSTMENT, name, "sample" if "SAMPLE" in name else "adjustment", adjusted, "", None, line))
        rest = total - revenue - shipping - fees - adjusted
        if rest:
            found.append(LineRecord(SETTLEMENT, NOT_ITEMISED, "remainder", rest, "", None, line))
        return found

    def _beside(self, total: Decimal, revenue: Decimal, shipping: Decimal, fees: Decimal, adjusted: Decimal) -> bool:
        """Whether shipping stands beside the fees of this row, not inside them."""
        if total == revenue + shipping + fees + adjusted:
            return True
        if total == revenue + fees + adjusted:
            return False
        return self.places.get("shipping", 0) < self.places["fees"]

    def _block(self, block: str, cells: Sequence[str], line: int, stated: Decimal | None, found: list[LineRecord]) -> Decimal:
        """Append the lines of a block; returns its total."""
        sure: list[LineRecord] = []
        doubtful: list[LineRecord] = []
        for part, place in self.parts[block]:
            amount = self.amount(cells, place, line)
            if amount:
                (doubtful if part.doubtful else sure).append(LineRecord(part.path, part.name, "", amount, "", None, line))
        strange = [
            LineRecord(FEE if block == "fees" else _NAMES[block], self.headers[place], "", amount, "", None, line)
            for place in self.strangers[block]
            if (amount := self.amount(cells, place, line))
        ]
        late = [
            LineRecord(FEE, self.headers[place], "", amount, "", None, line)
            for place in self.strangers["after"]
            if block == "fees" and (amount := self._lenient(cells, place))
        ]
        sums = _sum(sure)
        if stated is None:
            stated = sums + _sum(doubtful)
            chosen = [*sure, *doubtful]
        else:
            rest = stated - sums
            chosen = [*sure, *next((more for more in _tries(doubtful, strange, late) if _sum(more) == rest), ())]
        found.extend(chosen)
        rest = stated - _sum(chosen)
        if rest:
            found.append(LineRecord(_NAMES[block], NOT_ITEMISED, "remainder", rest, "", None, line))
        return stated

    def _lenient(self, cells: Sequence[str], place: int) -> Decimal:
        try:
            return parse_amount(cells[place] if place < len(cells) else "", decimal_comma=self.decimal_comma)
        except ValueError:
            return ZERO

    def _strangers(self) -> dict[str, list[int]]:
        """Columns that nobody knows, by the block whose columns they stand among."""
        known = set(self.places.values()) | {place for parts in self.parts.values() for _part, place in parts}
        repeated = {plain(name) for name in REPEATED}
        after = {plain(name) for name in _AFTER}
        found: dict[str, list[int]] = {"revenue": [], "shipping": [], "fees": [], "after": []}
        block = ""
        starts = {self.places[code]: code for code in ("revenue", "shipping", "fees") if code in self.places}
        for place, header in enumerate(self.headers):
            key = plain(header)
            if place in starts:
                block = starts[place]
            elif place == self.places.get("adjustment") or key in after:
                block = "after"
            elif block == "shipping" and self._is_fee(place):
                block = "fees"
            if block and header and place not in known and key not in repeated:
                found[block].append(place)
        return found

    def _is_fee(self, place: int) -> bool:
        """A known fee after the shipping columns, in editions whose shipping is inside the fees."""
        return any(place == known for _part, known in self.parts["fees"])


def _sum(lines: Iterable[LineRecord]) -> Decimal:
    return sum((line.amount for line in lines), ZERO)


def _tries(doubtful: list[LineRecord], strange: list[LineRecord], late: list[LineRecord]) -> Iterator[list[LineRecord]]:
    """Which columns beside the known ones may be parts of the total, the likeliest first."""
    for known in (doubtful, []) if doubtful else ([],):
        yield known
        sizes = range(len(strange), 0, -1) if len(strange) <= 8 else (len(strange), 1)
        for size in sizes:
            for some in combinations(strange, size):
                yield [*known, *some]
        for line in late:
            yield [*known, line]


def is_unit(line: LineRecord) -> int:
    """1 for the line that counts units sold, -1 for units given back, 0 else."""
    if line.path != REVENUE:
        return 0
    return 1 if line.name == GROSS and line.amount > 0 else -1 if line.name == GROSS_REFUND and line.amount < 0 else 0
