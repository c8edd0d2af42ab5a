"""The P&L as a table: rows nested as asked, the layout of FEE_CATEGORIES.md wherever categories come in, every figure with
the address of the fee lines behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from urllib.parse import urlencode

from ledger.models import FeeCategory, Section
from ledger.pages.asked import LAYOUT_ROWS, NONE, Asked
from ledger.pages.words import column_label, period_keys
from ledger.pnl import Dimension, Report
from ledger.pnl_layout import LAYOUT, RATIOS, SUBTOTALS, Subtotal, lacking
from nova.money import ZERO

#: Rows shown per level before the rest is one row, and figures of one page; exports hold all.
LEVEL_LIMIT = (100, 40, 25, 15)
PAGE_FIGURES = 2_000
#: Dimensions whose rows stand in the order of their names; the others in the order of their money.
_BY_NAME = {Dimension.CHANNEL, Dimension.SHOP, Dimension.MARKETPLACE, Dimension.STATE, Dimension.CURRENCY}
# Figures may have more digits than Python's decimals keep by themselves.
_WIDE = Context(prec=100)


@dataclass(slots=True)
class Figure:
    """One number of the table. `href` leads to its fee lines, "" when there are none."""

    amount: Decimal = ZERO
    settled: Decimal = ZERO
    unmapped: Decimal = ZERO
    provisional: Decimal = ZERO
    quantity: Decimal = ZERO
    lines: int = 0
    href: str = ""

    def add(self, other: Figure) -> None:
        self.amount = _WIDE.add(self.amount, other.amount)
        self.settled = _WIDE.add(self.settled, other.settled)
        self.unmapped = _WIDE.add(self.unmapped, other.unmapped)
        self.provisional = _WIDE.add(self.provisional, other.provisional)
        self.quantity = _WIDE.add(self.quantity, other.quantity)
        self.lines += other.lines

    @property
    def open(self) -> Decimal:
        """The part that is not settled yet."""
        return _WIDE.subtract(self.amount, self.settled)


@dataclass(frozen=True)
class Column:
    """A column of figures. `key` is the period, the section's code or the subtotal's; "total" is the sum."""

    key: str
    label: str
    title: str = ""


@dataclass
class Row:
    """A row. `kind` is section, subtotal, group, rest or plain; `share` is the part of net sales; `only` is the address that
    narrows the page to this row.
    """

    id: int
    parent: int | None
    depth: int
    kind: str
    label: str
    code: str
    figures: list[Figure]
    share: Decimal | None = None
    only: str = ""
    has_children: bool = False
    closed: bool = False
    hidden: bool = False


@dataclass
class Grid:
    """The table of one P&L page. `left_out` counts rows that only `all` and exports show."""

    columns: list[Column]
    rows: list[Row]
    left_out: int = 0
    units: list[Decimal] = field(default_factory=list)
    ratios: list[tuple[str, list[Decimal | None]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    """A cell of the report, ready to be summed: its column, the keys of its row, its section."""

    column: str
    keys: tuple[str, ...]
    section: str
    figure: Figure


def dimensions_of(asked: Asked) -> tuple[Dimension, ...]:
    """What the engine must be asked by for this page: the period, the rows, and the section where no row says it."""
    rows = asked.rows if any(row in LAYOUT_ROWS for row in asked.rows) else (*asked.rows, Dimension.SECTION)
    return (asked.period, *rows) if asked.period else rows


def make_grid(asked: Asked, report: Report, *, lines_path: str, unlimited: bool = False) -> Grid:
    """The table of a report that answers `asked.question(*dimensions_of(asked))`.

    `lines_path` is the path of the lines page. Figures are exact; sums of rows equal their subtotals.
    """
    return _Builder(asked, report, lines_path, unlimited or asked.show_all).build()


class _Builder:
    def __init__(self, asked: Asked, report: Report, lines_path: str, unlimited: bool) -> None:
        self.asked = asked
        self.report = report
        self.unlimited = unlimited
        self.base = f"{lines_path}?{asked.query(show_all=False)}"
        self.categories = {row.code: row for row in FeeCategory.objects.all()}
        self.rows: list[Row] = []
        self.left_out = 0
        self.dimensions = dimensions_of(asked)
        self.row_dimensions = self.dimensions[1:] if asked.period else self.dimensions
        if asked.columns == "lines":
            self.row_dimensions = tuple(row for row in self.row_dimensions if row not in LAYOUT_ROWS)
        self.columns = self._columns()
        self.column_words = self._column_words()
        self.room = max(80, PAGE_FIGURES // max(1, len(self.columns)))

    def build(self) -> Grid:
        items = self._items()
        if self.asked.columns == "lines":
            self._build(items, self.row_dimensions, (), None, 0)
            self._add("subtotal", "Total", "", (), items, None, 0)
        else:
            self._build(items, self.row_dimensions, (), None, 0)
            if not self._is_layout(self.row_dimensions[0]):
                self._add("subtotal", "Total", "", (), items, None, 0)
        self._shares(items)
        return Grid(self.columns, self.rows, self.left_out, self._units(items), self._ratios(items))

    def _units(self, items: Sequence[_Item]) -> list[Decimal]:
        """Units sold less returned, per column; empty where columns are no periods but lines of the P&L."""
        if self.asked.columns == "lines":
            return []
        return [figure.quantity for figure in self._figures((), items, ())]

    def _ratios(self, items: Sequence[_Item]) -> list[tuple[str, list[Decimal | None]]]:
        """The ratios with a fixed meaning, where the rows know the category."""
        if self.asked.columns == "lines" or Dimension.CATEGORY not in self.row_dimensions:
            return []
        place = self.row_dimensions.index(Dimension.CATEGORY)
        found: list[tuple[str, list[Decimal | None]]] = []
        for ratio in RATIOS:
            parts = self._figures((), [item for item in items if ratio.part(item.keys[place], item.section)], ())
            wholes = self._figures((), [item for item in items if item.section in SUBTOTALS[ratio.of].sections], ())
            needed = self._figures((), [item for item in items if item.section == ratio.needs], ())
            held = [bool(need.lines) or not whole.amount for need, whole in zip(needed, wholes, strict=True)]
            sum_at = len(self.columns) - 1 if self.asked.period and len(self.columns) > 1 else None
            found.append(
                (
                    ratio.label,
                    [
                        ((-part.amount if ratio.cost else part.amount) / whole.amount + ZERO)
                        if whole.amount > 0 and not lacks
                        else None
                        for part, whole, lacks in zip(parts, wholes, lacking(ratio, held, sum_at), strict=True)
                    ],
                )
            )
        return found

    # Columns and items --------------------------------------------------------------------------------------------

    def _columns(self) -> list[Column]:
        period = self.asked.period
        if self.asked.columns == "lines":
            return [
                Column(f"={line.key}", line.label) if isinstance(line, Subtotal) else Column(line.value, line.label)
                for line in LAYOUT
            ]
        total = Column("total", "Total")
        if period is None:
            return [total]
        keys = period_keys(period, [cell.keys[0] for cell in self.report.cells])
        columns = [Column(key, column_label(period, key), key) for key in keys]
        return [*columns, total] if len(columns) != 1 else columns

    def _items(self) -> list[_Item]:
        items = []
        layout_at = next(index for index, dimension in enumerate(self.dimensions) if dimension in LAYOUT_ROWS)
        by_category = self.dimensions[layout_at] is Dimension.CATEGORY
        wide = self.asked.columns == "lines"
        first = 1 if self.asked.period else 0
        for cell in self.report.cells:
            key = cell.keys[layout_at]
            section = (self.categories[key].section if key in self.categories else Section.OTHER.value) if by_category else key
            column = section if wide else cell.keys[0] if self.asked.period else "total"
            keys = tuple(
                value
                for dimension, value in zip(self.dimensions[first:], cell.keys[first:], strict=True)
                if not wide or dimension not in LAYOUT_ROWS
            )
            figure = Figure(cell.amount, cell.settled, cell.unmapped, cell.provisional, cell.quantity, cell.lines)
            items.append(_Item(column, keys, section, figure))
        return items

    # Rows ---------------------------------------------------------------------------------------------------------

    def _is_layout(self, dimension: Dimension) -> bool:
        return dimension in LAYOUT_ROWS

    def _build(
        self,
        items: Sequence[_Item],
        dimensions: Sequence[Dimension],
        path: tuple[tuple[Dimension, str], ...],
        parent: int | None,
        depth: int,
    ) -> None:
        if not dimensions:
            return
        if self._is_layout(dimensions[0]):
            self._build_layout(items, dimensions, path, parent, depth)
            return
        groups = self._groups(items, len(path), dimensions[0])
        shown, rest = self._limit(groups, depth)
        for key, members in shown:
            here = (*path, (dimensions[0], key))
            label, code = self._words(dimensions[0], key)
            row = self._add("group" if len(dimensions) > 1 else "plain", label, code, here, members, parent, depth)
            if not (dimensions[0] is Dimension.TAG and ", " in key):  # a filter takes one tag, a row may carry several
                row.only = self.asked.query(narrow={dimensions[0]: (key,)}, show_all=False)
            if self.unlimited or len(self.rows) < self.room:
                self._build(members, dimensions[1:], here, row.id, depth + 1)
            elif len(dimensions) > 1:  # a full page: the row shows its sum, its name narrows the page to it
                self.left_out += 1
            self._close(row, depth)
        if rest:
            members = [item for _key, group in rest for item in group]
            row = self._add("rest", f"{len(rest):,} more", "", path, members, parent, depth)
            for figure in row.figures:
                figure.href = ""

    def _build_layout(
        self,
        items: Sequence[_Item],
        dimensions: Sequence[Dimension],
        path: tuple[tuple[Dimension, str], ...],
        parent: int | None,
        depth: int,
    ) -> None:
        """The lines of the P&L with their subtotals; below a group, lines without money are left out."""
        by_section: dict[str, list[_Item]] = defaultdict(list)
        for item in items:
            by_section[item.section].append(item)
        # A row above says nothing of the section: its key is kept as a filter beside the path.
        place = len(path)
        for line in LAYOUT:
            if isinstance(line, Subtotal):
                members = [item for section in line.sections for item in by_section.get(section, ())]
                self._add("subtotal", line.label, "", path, members, parent, depth, sections=line.sections)
                continue
            members = by_section.get(line.value, [])
            if not members and depth:
                continue
            row = self._add("section", line.label, "", path, members, parent, depth, sections=(line.value,))
            if dimensions[0] is Dimension.SECTION:
                self._build(members, dimensions[1:], (*path, (Dimension.SECTION, line.value)), row.id, depth + 1)
            else:
                for code, group in sorted(self._groups(members, place, Dimension.CATEGORY), key=self._position):
                    here = (*path, (Dimension.CATEGORY, code))
                    label, shown_code = self._words(Dimension.CATEGORY, code)
                    kind = "group" if len(dimensions) > 1 else "plain"
                    child = self._add(kind, label, shown_code, here, group, row.id, depth + 1)
                    self._build(group, dimensions[1:], here, child.id, depth + 2)
                    self._close(child, depth + 1)
            self._close(row, depth)

    def _position(self, group: tuple[str, object]) -> tuple[int, str]:
        code = group[0]
        return (self.categories[code].position if code in self.categories else 9999, code)

    def _groups(self, items: Sequence[_Item], place: int, dimension: Dimension) -> list[tuple[str, list[_Item]]]:
        groups: dict[str, list[_Item]] = defaultdict(list)
        for item in items:
            groups[item.keys[place]].append(item)
        if dimension in _BY_NAME:
            return sorted(groups.items(), key=lambda pair: (pair[0] == "", self._words(dimension, pair[0])[0].casefold()))
        weight = {key: sum((abs(item.figure.amount) for item in members), ZERO) for key, members in groups.items()}
        return sorted(groups.items(), key=lambda pair: (pair[0] == "", -weight[pair[0]], pair[0]))

    def _limit(
        self, groups: list[tuple[str, list[_Item]]], depth: int
    ) -> tuple[list[tuple[str, list[_Item]]], list[tuple[str, list[_Item]]]]:
        """What is shown of a level and what goes into its "more" row; what has no key at all is always shown."""
        if self.unlimited:
            return groups, []
        room = min(LEVEL_LIMIT[min(depth, len(LEVEL_LIMIT) - 1)], max(1, self.room - len(self.rows)))
        if len(groups) <= room + 1:
            return groups, []
        nothing = [group for group in groups if group[0] == ""]
        named = [group for group in groups if group[0] != ""]
        self.left_out += len(named) - room
        return [*named[:room], *nothing], named[room:]

    def _words(self, dimension: Dimension, key: str) -> tuple[str, str]:
        """(label, code beside it) of a key."""
        if not key:
            return self.report.labels.get(dimension, {}).get("", "None"), ""
        label = self.report.labels.get(dimension, {}).get(key, key)
        if dimension is Dimension.SECTION and label == key and key in Section.values:
            label = Section(key).label
        return label, "" if label == key or dimension in (Dimension.FEE_TYPE, Dimension.SECTION, Dimension.STATE) else key

    def _close(self, row: Row, depth: int) -> None:
        """Rows below the second level start folded away."""
        row.has_children = any(other.parent == row.id for other in self.rows[row.id + 1 :])
        first = 1 if self._is_layout(self.row_dimensions[0]) else 0
        if row.has_children and depth >= first:
            row.closed = True
            self._hide(row.id)

    def _hide(self, parent: int) -> None:
        for other in self.rows[parent + 1 :]:
            if other.depth <= self.rows[parent].depth:
                break
            other.hidden = True

    def _add(
        self,
        kind: str,
        label: str,
        code: str,
        path: tuple[tuple[Dimension, str], ...],
        items: Sequence[_Item],
        parent: int | None,
        depth: int,
        *,
        sections: Sequence[str] = (),
    ) -> Row:
        row = Row(len(self.rows), parent, depth, kind, label, code, self._figures(path, items, sections))
        self.rows.append(row)
        return row

    def _figures(self, path: tuple[tuple[Dimension, str], ...], items: Sequence[_Item], sections: Sequence[str]) -> list[Figure]:
        sums: dict[str, Figure] = defaultdict(Figure)
        for item in items:
            sums[item.column].add(item.figure)
            if self.asked.period and len(self.columns) > 1:
                sums["total"].add(item.figure)
        if self.asked.columns == "lines":
            for line in LAYOUT:
                if isinstance(line, Subtotal):
                    for section in line.sections:
                        if section in sums:
                            sums[f"={line.key}"].add(sums[section])
        row = self.base + "".join(f"&{urlencode({f'key.{dimension}': key or NONE})}" for dimension, key in path)
        row += "".join(f"&lines_of={section}" for section in sections)
        figures = []
        for column in self.columns:
            figure = sums.get(column.key) or Figure()
            if figure.lines:
                figure.href = row + self.column_words[column.key]
            figures.append(figure)
        return figures

    def _column_words(self) -> dict[str, str]:
        """What each column adds to the address of a row's figure."""
        if self.asked.columns == "lines":
            sections = {
                column.key: SUBTOTALS[column.key[1:]].sections if column.key.startswith("=") else (column.key,)
                for column in self.columns
            }
            return {key: "".join(f"&lines_of={section}" for section in found) for key, found in sections.items()}
        period = self.asked.period
        return {
            column.key: f"&{urlencode({f'key.{period}': column.key or NONE})}" if period and column.key != "total" else ""
            for column in self.columns
        }

    def _shares(self, items: Sequence[_Item]) -> None:
        """What part of net sales each row's total is, where the rows begin with the lines of the P&L."""
        if self.asked.columns == "lines" or not self._is_layout(self.row_dimensions[0]):
            return
        net = self._figures((), [item for item in items if item.section in SUBTOTALS["net_sales"].sections], ())[-1].amount
        if net > 0:
            for row in self.rows:
                row.share = row.figures[-1].amount / net
