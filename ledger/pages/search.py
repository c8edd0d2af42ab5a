"""Finds whatever an outside id leads to: orders, statements, payouts, vouchers, SKUs, listings, documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from channels.models import Document, Shop
from inventory.models import Listing, Sku
from ledger.models import Payout, Statement
from ledger.pnl import Dimension
from nova.models import Company
from nova.pages import company_page, render_page

PER_KIND = 20
MAX_LENGTH = 200
#: Sorts after every character of an id: `prefix <= id < prefix + LAST` uses the index where LIKE would not.
_LAST = "\U0010fffd"


@dataclass(frozen=True)
class Hit:
    """Something that was found: `exact` says that its id is what was typed."""

    kind: str
    title: str
    detail: str
    link: str
    icon: str
    exact: bool = False


def find(*, company: Company, text: str, user: Any) -> list[Hit]:
    """What the outside id (or its beginning, or a part of a name) leads to in one company, exact finds first.

    Only kinds that `user` may view are looked for.
    """
    term = text.replace("\x00", "").strip()[:MAX_LENGTH]
    if len(term) < 2:
        return []
    shops = dict(Shop.objects.filter(company=company).values_list("pk", "name"))
    hits: list[Hit] = []
    if user.has_perm("ledger.view_feeline"):
        hits += _orders(company, shops, term)
    if user.has_perm("ledger.view_statement"):
        rows = Statement.objects.filter(company=company, shop__in=shops, outside_id__gte=term, outside_id__lt=term + _LAST)
        hits += [
            Hit(
                "Statement",
                row.outside_id,
                shops[row.shop_id],
                reverse("ledger:statement", kwargs={"code": company.code, "pk": row.pk}),
                "receipt_long",
                row.outside_id == term,
            )
            for row in rows.order_by("outside_id")[:PER_KIND]
        ]
    if user.has_perm("ledger.view_payout"):
        begins = Q(outside_id__gte=term, outside_id__lt=term + _LAST)
        payouts = Payout.objects.filter(begins | Q(trace=term), company=company, shop__in=shops).order_by("outside_id")
        hits += [
            Hit(
                "Payout",
                row.outside_id,
                f"{shops[row.shop_id]}{f', bank reference {row.trace}' if row.trace else ''}",
                reverse("admin:ledger_payout_change", args=[row.pk]),
                "account_balance",
                term in (row.outside_id, row.trace),
            )
            for row in payouts[:PER_KIND]
        ]
    if user.has_perm("inventory.view_sku"):
        skus = Sku.objects.filter(Q(code__icontains=term) | Q(name__icontains=term) | Q(barcode=term), company=company)
        hits += [
            Hit("SKU", row.code, row.name, _pnl(company, Dimension.SKU, row.code), "inventory_2", row.code == term)
            for row in skus.order_by("code")[:PER_KIND]
        ]
    if user.has_perm("inventory.view_listing"):
        hits += _listings(company, shops, term)
    if user.has_perm("channels.view_document"):
        documents = (
            Document.objects.filter(Q(filename__icontains=term) | Q(outside_id=term), company=company)
            .only("id", "filename", "kind", "outside_id", "shop_id", "company_id")
            .order_by("-id")
        )
        hits += [
            Hit(
                "Document",
                str(row),
                shops.get(row.shop_id, ""),
                reverse("ledger:document", kwargs={"code": company.code, "pk": row.pk}),
                "description",
                term in (row.filename, row.outside_id),
            )
            for row in documents[:PER_KIND]
        ]
    return sorted(hits, key=lambda hit: not hit.exact)


def _orders(company: Company, shops: dict[int, str], term: str) -> list[Hit]:
    """Orders by id or its beginning, also one that stands behind a "#" (Shopify's order names), and vouchers by their id; all by
    index.
    """
    numbered = f"#{term}"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT order_ref, shop_id FROM ledger_voucher
            WHERE company_id = %s AND shop_id = ANY(%s) AND order_ref <> ''
                AND (order_ref >= %s AND order_ref < %s OR order_ref >= %s AND order_ref < %s)
            ORDER BY order_ref, shop_id LIMIT %s
            """,
            [company.pk, list(shops), term, term + _LAST, numbered, numbered + _LAST, PER_KIND],
        )
        orders = cursor.fetchall()
        cursor.execute(
            """
            SELECT DISTINCT ON (family, outside_id) family, outside_id, shop_id, order_ref, document_id, row FROM ledger_voucher
            WHERE company_id = %s AND shop_id = ANY(%s) AND outside_id = %s AND NOT reversal
            ORDER BY family, outside_id, version DESC LIMIT %s
            """,
            [company.pk, list(shops), term, PER_KIND],
        )
        vouchers = cursor.fetchall()
    hits = [
        Hit("Order", order, shops[shop_id], _order(company, order), "shopping_cart", order in (term, numbered))
        for order, shop_id in orders
    ]
    for family, outside_id, shop_id, order, document_id, row in vouchers:
        if order == term:
            continue
        document = reverse("ledger:document", kwargs={"code": company.code, "pk": document_id})
        link = _order(company, order) if order else (f"{document}?row={row}" if row is not None else document)
        hits.append(Hit("Voucher", f"{family} {outside_id}", shops[shop_id], link, "receipt", True))
    return hits


def _listings(company: Company, shops: dict[int, str], term: str) -> list[Hit]:
    named = Q(code__icontains=term) | Q(title__icontains=term) | Q(seller_sku=term) | Q(outside_id=term)
    rows = Listing.objects.filter(named, company=company).order_by("code")
    return [
        Hit(
            "Listing",
            row.code,
            ", ".join(filter(None, (row.title, shops.get(row.shop_id, "")))),
            _pnl(company, Dimension.LISTING, row.code),
            "sell",
            term in (row.code, row.seller_sku, row.outside_id),
        )
        for row in rows[:PER_KIND]
    ]


def _order(company: Company, order: str) -> str:
    return reverse("ledger:order", kwargs={"code": company.code, "outside_id": order})


def _pnl(company: Company, dimension: Dimension, key: str) -> str:
    from ledger.pages.asked import Asked

    return f"{reverse('ledger:pnl', kwargs={'code': company.code})}?{Asked(company, filters={dimension: (key,)}).query()}"


@company_page()
def search_page(request: HttpRequest, company: Company) -> HttpResponse:
    """GET /c/<code>/search/?q=: one exact find is opened at once."""
    text = request.GET.get("q", "")
    hits = find(company=company, text=text, user=request.user)
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1 and len(hits) == 1:
        return HttpResponseRedirect(exact[0].link)
    return render_page(request, "ledger/search.html", title="Search", company=company, text=text, hits=hits)


urlpatterns = [path("search/", search_page, name="search")]
