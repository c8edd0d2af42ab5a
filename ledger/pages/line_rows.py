"""Fee lines as pages and exports show them: with category, rule, order, statement and the place in the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse

from nova.models import Company


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One fee line. `amount` is in `currency`, seller's view; days are in the company's time zone.

    `category` is "" while no approved rule knows the fee type; `rule_id` is the rule that decided.
    """

    id: int
    voucher_id: int
    shop: str
    shop_name: str
    channel: str
    marketplace: str
    path: str
    name: str
    context: str
    fee_type_id: int
    category: str
    category_name: str
    section: str
    rule_id: int | None
    listing: str
    amount: Decimal
    currency: str
    quantity: int | None
    event_on: date
    posted_on: date
    state: str
    provisional: bool
    order: str
    event: str
    reversal: bool
    voucher: str
    document_id: int
    document: str
    row: int | None
    statement_id: int | None
    statement: str

    @property
    def fee_type(self) -> str:
        """The channel's own words."""
        words = f"{self.path} / {self.name}" if self.path else self.name
        return f"{words} ({self.context})" if self.context else words


_READ = """
    SELECT line.id, line.voucher_id, shop.code, shop.name, shop.channel, type.marketplace, type.path, type.name, type.context, type.id,
        coalesce(category.code, ''), coalesce(category.name, ''), coalesce(category.section, ''), mapping.rule_id,
        coalesce(listing.code, ''), line.amount, line.currency, line.quantity, line.event_on, line.posted_on, line.state,
        line.provisional, voucher.order_ref, voucher.event, voucher.reversal, voucher.outside_id, voucher.document_id,
        coalesce(nullif(document.filename, ''), document.kind || ' ' || document.outside_id, ''), coalesce(line.row, voucher.row),
        line.statement_id, coalesce(statement.outside_id, '')
    FROM ledger_feeline line
    JOIN ledger_voucher voucher ON voucher.company_id = line.company_id AND voucher.id = line.voucher_id
    JOIN channels_shop shop ON shop.company_id = line.company_id AND shop.id = line.shop_id
    JOIN ledger_feetype type ON type.id = line.fee_type_id
    LEFT JOIN inventory_listing listing ON listing.company_id = line.company_id AND listing.id = line.listing_id
    LEFT JOIN channels_document document ON document.company_id = line.company_id AND document.id = voucher.document_id
    LEFT JOIN ledger_statement statement ON statement.company_id = line.company_id AND statement.id = line.statement_id
    LEFT JOIN ledger_mapping mapping ON mapping.company_id = line.company_id AND mapping.fee_type_id = line.fee_type_id
        AND date_trunc('month', line.event_on)::date >= mapping.valid_from AND date_trunc('month', line.event_on)::date < mapping.valid_to
        AND CASE WHEN %(known)s::timestamptz IS NULL THEN mapping.known_to IS NULL
            ELSE mapping.known_from <= %(known)s AND (mapping.known_to IS NULL OR mapping.known_to > %(known)s) END
    LEFT JOIN ledger_feecategory category ON category.id = mapping.category_id
    WHERE line.company_id = %(company)s AND {where}
"""


def read_lines(*, company: Company, ids: Sequence[int], known_at: datetime | None = None) -> list[ShownLine]:
    """The lines of these ids, in the order of `ids`; one query. Ids of other companies are left out."""
    if not ids:
        return []
    found = {row.id: row for row in _read(company, "line.id = ANY(%(ids)s)", {"ids": list(ids)}, known_at)}
    return [found[line_id] for line_id in ids if line_id in found]


def read_voucher_lines(*, company: Company, voucher_ids: Sequence[int]) -> list[ShownLine]:
    """All lines of some vouchers, in the order they stand in them; one query."""
    if not voucher_ids:
        return []
    where = "line.voucher_id = ANY(%(ids)s) ORDER BY line.voucher_id, line.seq"
    return _read(company, where, {"ids": list(voucher_ids)}, None)


def _read(company: Company, where: str, parameters: dict[str, Any], known_at: datetime | None) -> list[ShownLine]:
    with connection.cursor() as cursor:
        cursor.execute(_READ.format(where=where), {"company": company.pk, "known": known_at, **parameters})
        return [ShownLine(*row) for row in cursor.fetchall()]


def document_link(company: Company, document_id: int, row: int | None) -> str:
    """The page of a document, at the right place."""
    address = reverse("ledger:document", kwargs={"code": company.code, "pk": document_id})
    return f"{address}?{urlencode({'row': row})}" if row is not None else address
