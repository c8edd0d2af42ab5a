"""One order: its lines per event, what counts and what was replaced, sums per category, statements, payouts, documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from channels import registry
from channels.models import Shop
from channels.records import EventKind, EventSource
from ledger.models import FeeCategory, Section, Statement
from ledger.pages.line_rows import ShownLine, document_link, read_voucher_lines
from nova.models import Company
from nova.money import ZERO
from nova.pages import company_page, render_page

MAX_VOUCHERS = 500
_EVENT_WORDS = {EventKind.SALE.value: "Sale", EventKind.REFUND.value: "Refund", EventKind.OTHER.value: "Other"}
_SOURCE_WORDS = {
    EventSource.SHIPMENT: "shipped",
    EventSource.DELIVERY: "delivered",
    EventSource.REFUND: "refunded",
    EventSource.SERVICE: "served",
    EventSource.ORDER: "ordered; the day it was shipped is not known yet",
    EventSource.POSTED: "posted; the day it happened is not known yet",
}


@dataclass
class ShownVoucher:
    """What one document says of the order. `why` tells why it does not count, "" when it does."""

    id: int
    shop_id: int
    document_id: int
    statement_id: int | None
    family: str
    outside_id: str
    version: int
    state: str
    event: str
    currency: str
    amount: Decimal
    event_on: Any
    event_source: str
    posted_on: Any
    taken_at: datetime
    current: bool
    active: bool
    withdrawn: bool
    row: int | None
    lines: list[ShownLine] = field(default_factory=list)

    @property
    def why(self) -> str:
        if self.active:
            return ""
        if self.withdrawn:
            return "its import was withdrawn"
        return "a better source counts" if self.current else "a later version replaced it"

    @property
    def date_words(self) -> str:
        return _SOURCE_WORDS.get(EventSource(self.event_source), self.event_source)


@dataclass
class ShownEvent:
    """A sale, a refund or something else of the order; `totals` are of what counts, per currency."""

    name: str
    counting: list[ShownVoucher]
    replaced: list[ShownVoucher]
    totals: list[tuple[str, Decimal]]


@dataclass
class ShownOrder:
    """The order at one shop."""

    shop: Shop
    channel: str
    outside_url: str
    events: list[ShownEvent]
    categories: list[tuple[str, str, str, str, Decimal, int]]
    totals: list[tuple[str, Decimal]]
    states: list[tuple[str, str, Decimal]]
    statements: list[Statement]
    documents: list[tuple[int, str, str]]


_VOUCHERS = """
    SELECT id, shop_id, document_id, statement_id, family, outside_id, version, state, event, currency, amount, event_on,
        event_source, posted_on, taken_at, current, active, withdrawn, row
    FROM ledger_voucher
    WHERE company_id = %s AND shop_id = ANY(%s) AND order_ref = %s AND order_ref <> '' AND NOT reversal
    ORDER BY event_on, id
    LIMIT %s
"""


def read_order(*, company: Company, outside_id: str) -> list[ShownOrder]:
    """The order by the channel's id, once per shop that knows it; empty when none does. Five queries."""
    if "\x00" in outside_id or not outside_id:
        return []
    shops = {shop.pk: shop for shop in Shop.objects.filter(company=company)}
    with connection.cursor() as cursor:
        cursor.execute(_VOUCHERS, [company.pk, list(shops), outside_id, MAX_VOUCHERS])
        vouchers = [ShownVoucher(*row) for row in cursor.fetchall()]
    lines: dict[int, list[ShownLine]] = defaultdict(list)
    for line in read_voucher_lines(company=company, voucher_ids=[voucher.id for voucher in vouchers]):
        lines[line.voucher_id].append(line)
    for voucher in vouchers:
        voucher.lines = lines[voucher.id]
    statements = Statement.objects.filter(company=company, pk__in={row.statement_id for row in vouchers if row.statement_id})
    by_id = {statement.pk: statement for statement in statements.select_related("payout")}
    sections = dict(FeeCategory.objects.values_list("code", "position")) if vouchers else {}
    grouped: dict[int, list[ShownVoucher]] = defaultdict(list)
    for voucher in vouchers:
        grouped[voucher.shop_id].append(voucher)
    return [_shown(company, shops[shop_id], rows, by_id, sections, outside_id) for shop_id, rows in sorted(grouped.items())]


def _shown(
    company: Company,
    shop: Shop,
    vouchers: Sequence[ShownVoucher],
    statements: dict[int, Statement],
    positions: dict[str, int],
    outside_id: str,
) -> ShownOrder:
    adapter = registry.adapters().get(shop.channel)
    counting = [voucher for voucher in vouchers if voucher.active]
    lines = [line for voucher in counting for line in voucher.lines]
    sums: dict[tuple[int, str, str, str, str], list[Any]] = {}
    for line in lines:
        section = Section(line.section).label if line.section else "On no approved rule"
        key = (positions.get(line.category, 9999), line.category, line.category_name or "Unmapped", section, line.currency)
        entry = sums.setdefault(key, [ZERO, 0])
        entry[0] += line.amount
        entry[1] += 1
    documents = {line.document_id: line.document for voucher in vouchers for line in voucher.lines}
    for voucher in vouchers:
        documents.setdefault(voucher.document_id, f"Document {voucher.document_id}")
    states: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        states[line.state, line.currency] += line.amount
    return ShownOrder(
        shop=shop,
        channel=adapter.label if adapter else shop.channel,
        outside_url=adapter.outside_url("order", outside_id, shop.region) if adapter else "",
        events=[
            ShownEvent(
                name=_EVENT_WORDS[kind],
                counting=[voucher for voucher in counting if voucher.event == kind],
                replaced=[voucher for voucher in vouchers if voucher.event == kind and not voucher.active],
                totals=_totals(voucher.lines for voucher in counting if voucher.event == kind),
            )
            for kind in _EVENT_WORDS
            if any(voucher.event == kind for voucher in vouchers)
        ],
        categories=[
            (code, name, section, currency, *values) for (_p, code, name, section, currency), values in sorted(sums.items())
        ],
        totals=_totals([lines]),
        states=[(state, currency, amount) for (state, currency), amount in sorted(states.items())],
        statements=[statements[key] for key in dict.fromkeys(row.statement_id for row in vouchers) if key in statements],
        documents=[
            (
                document_id,
                name,
                document_link(company, document_id, next((v.row for v in vouchers if v.document_id == document_id), None)),
            )
            for document_id, name in documents.items()
        ],
    )


def _totals(groups: Iterable[Iterable[ShownLine]]) -> list[tuple[str, Decimal]]:
    """(currency, sum) of lines, by currency."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for lines in groups:
        for line in lines:
            sums[line.currency] += line.amount
    return sorted(sums.items())


@company_page(permission="ledger.view_feeline")
def order_page(request: HttpRequest, company: Company, outside_id: str) -> HttpResponse:
    """GET /c/<code>/orders/<the channel's order id>/"""
    orders = read_order(company=company, outside_id=outside_id)
    if not orders:
        raise Http404(f"No document of {company.name} names the order {outside_id}.")
    return render_page(
        request, "ledger/order.html", title=f"Order {outside_id}", company=company, outside_id=outside_id, orders=orders
    )


urlpatterns = [path("orders/<path:outside_id>/", order_page, name="order")]
