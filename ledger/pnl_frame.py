"""What one P&L question needs from the small tables: shops, categories, scope rules, the rows its filters name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from channels import registry
from ledger.models.categories import Section
from ledger.pnl_question import ARTICLES, UNIFIED, Condition, Dimension, Question

SUSPENSE = "adj.unmapped"
#: Sections whose money is never in a P&L.
OUTSIDE = (Section.BALANCE_SHEET.value, Section.MEMO.value)


@dataclass(frozen=True)
class ShopRow:
    id: int
    code: str
    name: str
    channel: str
    cash_side_only: bool


@dataclass(frozen=True)
class CategoryRow:
    id: int
    code: str
    name: str
    section: str
    position: int


@dataclass(frozen=True)
class ScopeRow:
    """An approved scope rule; an open end is None."""

    channel: str
    category_id: int
    scope: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True)
class Frame:
    """The small tables around one question.

    `shops` are all of the company, `shop_ids` those whose money is asked for (None: all of them). `named` are the
    listings that each filter by listing names; `listing_ids` the only ones that can matter (None: any, and lines without
    one). `dated` says how fine SKU components are dated: "" never, "month", "day".
    """

    shops: Mapping[int, ShopRow]
    categories: Mapping[int, CategoryRow]
    scopes: Sequence[ScopeRow]
    shop_ids: tuple[int, ...] | None
    named: Mapping[Condition, tuple[int, ...]]
    listing_ids: tuple[int, ...] | None
    dated: str
    today: date

    @property
    def suspense_id(self) -> int:
        return next(row.id for row in self.categories.values() if row.code == SUSPENSE)

    @property
    def cash_side_only(self) -> tuple[str, ...]:
        return tuple(sorted(shop.code for shop in self.shops.values() if shop.cash_side_only))


_FRAME = """
    SELECT
        (SELECT json_agg(json_build_array(shop.id, shop.code, shop.name, shop.channel, shop.channel = ANY(%(channels)s::text[])
            AND NOT EXISTS (
                SELECT 1 FROM unnest(%(channels)s::text[], %(kinds)s::text[]) AS revenue(channel, kind)
                JOIN channels_document document ON document.company_id = shop.company_id AND document.shop_id = shop.id
                    AND document.kind = revenue.kind
                JOIN ledger_ledgerintake intake ON intake.company_id = document.company_id AND intake.document_id = document.id
                WHERE revenue.channel = shop.channel AND intake.state = 'taken'
            )))
         FROM channels_shop shop WHERE shop.company_id = %(company)s),
        (SELECT json_agg(json_build_array(id, code, name, section, position)) FROM ledger_feecategory),
        (%(articles)s AND EXISTS (
            SELECT 1 FROM inventory_listingcomponent
            WHERE company_id = %(company)s AND (valid_from IS NOT NULL OR valid_to IS NOT NULL))),
        (%(articles)s AND EXISTS (
            SELECT 1 FROM inventory_listingcomponent
            WHERE company_id = %(company)s AND (extract(day FROM valid_from) <> 1 OR extract(day FROM valid_to) <> 1))),
        %(currency)s IN ('EUR', %(base)s) OR EXISTS (SELECT 1 FROM nova_exchangerate WHERE currency = %(currency)s),
        (SELECT json_agg(json_build_array(channel, category_id, scope, valid_from, valid_to)) FROM {rules} AS rule
         WHERE company_id = %(company)s AND status = 'approved')
"""
_RULES_KNOWN_AT = """(
    SELECT DISTINCT ON (pgh_obj_id) * FROM ledger_scoperuleevent
    WHERE company_id = %(company)s AND pgh_created_at <= %(known_at)s ORDER BY pgh_obj_id, pgh_id DESC
)"""


def read_frame(question: Question, conditions: Sequence[Condition]) -> Frame:
    """Read the small tables and resolve the filters.

    Raises:
        ValueError: a filter names something that does not exist, or there is no exchange rate for the currency.
    """
    company = question.company
    revenue = [(code, kind) for code, adapter in registry.adapters().items() for kind in sorted(adapter.revenue_kinds)]
    wanted = {condition.dimension for condition in conditions} | set(question.by)
    with connection.cursor() as cursor:
        cursor.execute(
            _FRAME.format(rules="ledger_scoperule" if question.known_at is None else _RULES_KNOWN_AT),
            {
                "company": company.pk,
                "channels": [code for code, _kind in revenue],
                "kinds": [kind for _code, kind in revenue],
                "articles": bool(wanted & ARTICLES),
                "currency": question.report_currency,
                "base": company.currency,
                "known_at": question.known_at,
            },
        )
        shop_rows, category_rows, dated, by_day, rated, scope_rows = cursor.fetchone()
    if not rated:
        raise ValueError(f"There is no exchange rate for {question.report_currency}.")
    shops = {row[0]: ShopRow(*row) for row in shop_rows or []}
    categories = {row[0]: CategoryRow(*row) for row in category_rows or []}
    _check_categories(conditions, categories)
    named, listing_ids = _listings(company.pk, conditions, shops)
    return Frame(
        shops=shops,
        categories=categories,
        scopes=[ScopeRow(*row[:3], *(day and date.fromisoformat(day) for day in row[3:])) for row in scope_rows or []],
        shop_ids=_shop_ids(question, conditions, shops),
        named=named,
        listing_ids=listing_ids,
        dated="day" if by_day else "month" if dated else "",
        today=timezone.now().astimezone(company.zone).date(),
    )


def _check_categories(conditions: Sequence[Condition], categories: Mapping[int, CategoryRow]) -> None:
    codes = {row.code for row in categories.values()}
    for condition in conditions:
        if condition.dimension is Dimension.CATEGORY and (unknown := set(condition.known) - codes):
            raise ValueError(f"There is no category {', '.join(sorted(unknown))}.")


def _shop_ids(question: Question, conditions: Sequence[Condition], shops: Mapping[int, ShopRow]) -> tuple[int, ...] | None:
    wanted = set(shops.values())
    if question.scope == UNIFIED:
        wanted = {shop for shop in wanted if not shop.cash_side_only}
    else:
        wanted = {shop for shop in wanted if shop.channel == question.scope}
    for condition in conditions:
        if condition.dimension is Dimension.SHOP:
            if unknown := set(condition.known) - {shop.code for shop in shops.values()}:
                raise ValueError(f"There is no shop {', '.join(sorted(unknown))}.")
            wanted = {shop for shop in wanted if shop.code in condition.values}
        elif condition.dimension is Dimension.CHANNEL:
            if unknown := set(condition.known) - {shop.channel for shop in shops.values()} - set(registry.adapters()):
                raise ValueError(f"There is no channel {', '.join(sorted(unknown))}.")
            wanted = {shop for shop in wanted if shop.channel in condition.values}
    return None if len(wanted) == len(shops) else tuple(sorted(shop.id for shop in wanted))


_LISTINGS = """
    SELECT shop_id, code, id FROM inventory_listing WHERE company_id = %(company)s AND code = ANY(%(codes)s)
"""
_SKU_COLUMNS = {
    Dimension.SKU: "sku.code = ANY(%(values)s)",
    Dimension.BRAND: "sku.brand = ANY(%(values)s)",
    Dimension.PARENT_ARTICLE: "sku.parent_article = ANY(%(values)s)",
    Dimension.PRODUCT_GROUP: "sku.product_group = ANY(%(values)s)",
    Dimension.TAG: "sku.tags && %(values)s::varchar[]",
}
_SKU_WORDS = {
    Dimension.SKU: "sku.code",
    Dimension.BRAND: "sku.brand",
    Dimension.PARENT_ARTICLE: "sku.parent_article",
    Dimension.PRODUCT_GROUP: "sku.product_group",
    Dimension.TAG: "unnest(sku.tags)",
}


def _listings(
    company: int, conditions: Sequence[Condition], shops: Mapping[int, ShopRow]
) -> tuple[dict[Condition, tuple[int, ...]], tuple[int, ...] | None]:
    """The listings that filters name, and the only ones that can matter. Checks the words of all other filters, too."""
    named: dict[Condition, tuple[int, ...]] = {}
    only: set[int] | None = None
    for condition in conditions:
        ids: set[int] | None = None
        if condition.dimension is Dimension.LISTING:
            ids = _named_listings(company, condition, shops)
            named[condition] = tuple(sorted(ids))
        elif condition.dimension not in ARTICLES:
            _check_types(condition)
        elif not (condition.exact and condition.dimension is Dimension.TAG):
            ids = _sku_listings(company, condition)
        if ids is not None and not condition.empty:
            only = ids if only is None else only & ids
    return named, None if only is None else tuple(sorted(only))


def named_listings(value: str, rows: Sequence[tuple[int, str, int]], shops: Mapping[int, ShopRow]) -> list[int]:
    """The listings a key means: that of the named shop, else every shop's of that code."""
    shop, _, code = value.partition("/")
    exact = [listing for shop_id, found, listing in rows if found == code and shops[shop_id].code == shop]
    return exact or [listing for _shop, found, listing in rows if found == value]


def _named_listings(company: int, condition: Condition, shops: Mapping[int, ShopRow]) -> set[int]:
    codes = {code for value in condition.known for code in (value, value.partition("/")[2]) if code}
    with connection.cursor() as cursor:
        cursor.execute(_LISTINGS, {"company": company, "codes": sorted(codes)})
        rows = cursor.fetchall()
    ids: set[int] = set()
    for value in condition.known:
        named = named_listings(value, rows, shops)
        if not named:
            raise ValueError(f"There is no listing {value}.")
        ids.update(named)
    return ids


def _sku_listings(company: int, condition: Condition) -> set[int]:
    if not condition.known:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_SKU_WORDS[condition.dimension]}, component.listing_id FROM inventory_sku sku
            LEFT JOIN inventory_listingcomponent component ON component.company_id = sku.company_id AND component.sku_id = sku.id
            WHERE sku.company_id = %(company)s AND {_SKU_COLUMNS[condition.dimension]}
            """,
            {"company": company, "values": list(condition.known)},
        )
        rows = cursor.fetchall()
    if unknown := set(condition.known) - {row[0] for row in rows}:
        raise ValueError(f"There is no {condition.dimension.replace('_', ' ')} {', '.join(sorted(unknown))}.")
    return {listing for _word, listing in rows if listing is not None}


def _check_types(condition: Condition) -> None:
    if condition.dimension not in (Dimension.FEE_TYPE, Dimension.MARKETPLACE) or not condition.known:
        return
    column, label = ("id::text", "fee type") if condition.dimension is Dimension.FEE_TYPE else ("marketplace", "marketplace")
    values: list[Any] = list(condition.known)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {column} FROM ledger_feetype WHERE {column} = ANY(%s)", [values])
        known = {row[0] for row in cursor.fetchall()}
    if unknown := set(values) - known:
        raise ValueError(f"There is no {label} {', '.join(sorted(unknown))}.")
