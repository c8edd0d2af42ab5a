"""The words for the keys of a P&L report, and the order its cells stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from django.db import connection

from channels import registry
from channels.records import State
from ledger.models.categories import Section
from ledger.pnl_frame import Frame
from ledger.pnl_question import ARTICLES, PERIODS, Dimension, Question

#: The word for the key "".
NONE_LABELS = {
    Dimension.LISTING: "No listing",
    Dimension.SKU: "Unallocated",
    Dimension.BRAND: "No brand",
    Dimension.PARENT_ARTICLE: "No parent article",
    Dimension.PRODUCT_GROUP: "No product group",
    Dimension.TAG: "No tag",
    Dimension.MARKETPLACE: "No marketplace",
}
NOT_PAID = "No payout day"


class Keys:
    """Turns the raw key of a row (an id, a date, a word) into the key of a cell, its label and its place in the order."""

    def __init__(self, question: Question, frame: Frame, by: Iterable[Dimension], raw: Mapping[Dimension, set[Any]]) -> None:
        self._frame = frame
        self._company = question.company.pk
        self.labels: dict[Dimension, dict[str, str]] = {}
        self._key: dict[Dimension, dict[Any, str]] = {}
        self._rank: dict[Dimension, dict[Any, Any]] = {}
        for dimension in by:
            reader = _READERS.get(dimension, Keys._plain)
            self.labels[dimension], self._key[dimension], self._rank[dimension] = {}, {}, {}
            reader(self, dimension, raw[dimension])
            order = {self._key[dimension][word]: place for word, place in self.ranks(dimension).items()}
            self.labels[dimension] = dict(sorted(self.labels[dimension].items(), key=lambda pair: order[pair[0]]))

    def words(self, dimension: Dimension) -> dict[Any, str]:
        """The key a cell carries, by the raw one."""
        return self._key[dimension]

    def ranks(self, dimension: Dimension) -> dict[Any, int]:
        """The places in the natural order, by the raw key; what has none comes last."""
        ranks = self._rank[dimension]
        return {raw: place for place, raw in enumerate(sorted(ranks, key=ranks.__getitem__))}

    def _set(self, dimension: Dimension, raw: Any, key: str, label: str, rank: Any) -> None:
        self._key[dimension][raw] = key
        self.labels[dimension][key] = label
        self._rank[dimension][raw] = (not key, rank)

    def _plain(self, dimension: Dimension, raw: set[Any]) -> None:
        for word in raw:
            self._set(dimension, word, word, word or NONE_LABELS.get(dimension, "None"), word)

    def _periods(self, dimension: Dimension, raw: set[Any]) -> None:
        for day in raw:
            if day is None:
                self._set(dimension, day, "", NOT_PAID, "")
            else:
                self._set(dimension, day, day.isoformat(), period_label(dimension, day), day.isoformat())

    def _channels(self, dimension: Dimension, raw: set[Any]) -> None:
        for code in raw:
            adapter = registry.adapters().get(code)
            self._set(dimension, code, code, adapter.label if adapter else code, code)

    def _shops(self, dimension: Dimension, raw: set[Any]) -> None:
        for shop in raw:
            row = self._frame.shops[shop]
            self._set(dimension, shop, row.code, row.name, row.code)

    def _sections(self, dimension: Dimension, raw: set[Any]) -> None:
        order = {value: number for number, value in enumerate(Section.values)}
        for section in raw:
            self._set(dimension, section, section, str(Section(section).label), order[section])

    def _categories(self, dimension: Dimension, raw: set[Any]) -> None:
        for category in raw:
            row = self._frame.categories[category]
            self._set(dimension, category, row.code, row.name, row.position)

    def _states(self, dimension: Dimension, raw: set[Any]) -> None:
        order = {state.value: number for number, state in enumerate(reversed(State))}
        for state in raw:
            self._set(dimension, state, state, state.capitalize(), order[state])

    def _fee_types(self, dimension: Dimension, raw: set[Any]) -> None:
        rows = _rows("SELECT id, channel, marketplace, path, name, context FROM ledger_feetype WHERE id = ANY(%s)", [list(raw)])
        for type_id, channel, marketplace, path, name, context in rows:
            label = " / ".join(part for part in (path, name) if part) + (f" ({context})" if context else "")
            where = f", {marketplace}" if marketplace else ""
            self._set(dimension, type_id, str(type_id), f"{label}{where}", (channel, path, name, marketplace, context))

    def _listings(self, dimension: Dimension, raw: set[Any]) -> None:
        if None in raw:
            self._set(dimension, None, "", NONE_LABELS[dimension], "")
        rows = _rows(
            "SELECT id, shop_id, code, title FROM inventory_listing WHERE company_id = %s AND id = ANY(%s)",
            [self._company, [listing for listing in raw if listing is not None]],
        )
        for listing, shop, code, title in rows:
            key = f"{self._frame.shops[shop].code}/{code}"
            self._set(dimension, listing, key, title or code, key)

    def _skus(self, dimension: Dimension, raw: set[Any]) -> None:
        rows = _rows(
            "SELECT code, name FROM inventory_sku WHERE company_id = %s AND code = ANY(%s)", [self._company, sorted(raw - {""})]
        )
        names = dict(rows)
        for code in raw:
            self._set(dimension, code, code, (names.get(code) or code) if code else NONE_LABELS[dimension], code)


_READERS: dict[Dimension, Callable[[Keys, Dimension, set[Any]], None]] = {
    **dict.fromkeys(PERIODS, Keys._periods),
    **dict.fromkeys(ARTICLES, Keys._plain),
    Dimension.SKU: Keys._skus,
    Dimension.CHANNEL: Keys._channels,
    Dimension.SHOP: Keys._shops,
    Dimension.SECTION: Keys._sections,
    Dimension.CATEGORY: Keys._categories,
    Dimension.STATE: Keys._states,
    Dimension.FEE_TYPE: Keys._fee_types,
    Dimension.LISTING: Keys._listings,
}


def _rows(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def period_label(dimension: Dimension, day: date) -> str:
    """ "Jan 2026", "2026-W05" (ISO 8601) or "2026-01-31"."""
    if dimension is Dimension.MONTH:
        return f"{_MONTHS[day.month - 1]} {day.year}"
    if dimension is Dimension.WEEK:
        thursday = day + timedelta(days=3)
        return f"{thursday.year}-W{thursday.isocalendar().week:02}"
    return day.isoformat()
