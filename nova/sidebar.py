"""What is around every page: the company switcher, the sidebar with its counts, and the search over everything."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.encoding import force_bytes
from unfold.dataclasses import SearchResult

from channels.models import Shop
from channels.registry import adapters
from ledger.pages.search import find
from nova.models import Company
from nova.pages import current_company, my_companies

#: Models whose rows the search box finds through their admin's search fields; ids are looked up by `search` below.
SEARCHED_MODELS = ["channels.shop", "ledger.feetype", "ledger.feecategory"]


def style_sheet(request: HttpRequest) -> str:
    return static("nova/nova.css")


def favicon(request: HttpRequest) -> str:
    return static("nova/favicon.svg")


def script(request: HttpRequest) -> str:
    return static("nova/nova.js")


def searched_models(request: HttpRequest) -> list[str]:
    return SEARCHED_MODELS


def company_name(request: HttpRequest) -> str:
    """What stands under "Nova": the company in hand."""
    company = current_company(request)
    return company.name if company else ""


def company_switcher(request: HttpRequest) -> list[dict[str, Any]]:
    """The companies to choose from; nothing to choose when there is one."""
    rows = my_companies(request)
    if len(rows) < 2:
        return []
    here = current_company(request)
    items = [
        {
            "title": row.name,
            "link": reverse("company", args=[row.code]),
            "icon": "check" if here is not None and row.pk == here.pk else "domain",
            "attrs": {"aria-current": "true"} if here is not None and row.pk == here.pk else {},
        }
        for row in rows
    ]
    return [*items, {"title": "All companies", "link": reverse("portfolio"), "icon": "grid_view", "attrs": {}}]


def page_link(name: str, **kwargs: Any) -> str:
    """The address of a page, "" when the installation has no such page."""
    try:
        return reverse(name, kwargs=kwargs or None)
    except NoReverseMatch:
        return ""


def list_link(model: str, company: Company | None, *, many: bool) -> str:
    """The address of a list (such as "ledger_payout"), limited to the company in hand when the user has several."""
    address = page_link(f"admin:{model}_changelist")
    return f"{address}?company__id__exact={company.pk}" if address and many and company is not None else address


def counts(company: Company, user: Any) -> dict[str, int]:
    """What waits in this company, in one query: fee types without a category, proposals of others, imports to look at."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                (SELECT count(DISTINCT month.fee_type_id) FROM ledger_pnlmonth month
                 WHERE month.company_id = %(company)s AND month.clock = 'event' AND month.amount <> 0 AND NOT EXISTS (
                    SELECT 1 FROM ledger_mapping mapping
                    WHERE mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
                        AND mapping.known_to IS NULL
                        AND mapping.valid_from <= month.event_month AND mapping.valid_to > month.event_month)),
                (SELECT count(*) FROM ledger_feerule
                 WHERE company_id = %(company)s AND status = 'proposed' AND author_id <> %(user)s)
                + (SELECT count(*) FROM ledger_scoperule
                   WHERE company_id = %(company)s AND status = 'proposed' AND author_id <> %(user)s),
                (SELECT count(*) FROM ledger_ledgerintake WHERE company_id = %(company)s AND state IN ('asking', 'failed') AND NOT result ? 'refused')
            """,
            {"company": company.pk, "user": user.pk},
        )
        worklist, inbox, imports = cursor.fetchone()
    return {"worklist": worklist, "inbox": inbox, "imports": imports}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of the signed-in user: what they may see, for the company in hand."""
    company = current_company(request)
    user = request.user
    many = len(my_companies(request)) > 1
    may = user.has_perm
    waiting = counts(company, user) if company is not None else {}

    def item(title: str, link: str, icon: str, permission: str = "", badge: str = "", variant: str = "warning") -> dict[str, Any]:
        row: dict[str, Any] = {"title": title, "link": link, "icon": icon}
        if not link or (permission and not may(permission)):
            row["permission"] = "nova.sidebar.never"
        if waiting.get(badge):
            row |= {"badge": waiting[badge], "badge_variant": variant}
        return row

    def page(title: str, name: str, icon: str, permission: str, badge: str = "", variant: str = "warning", **kwargs: Any) -> Any:
        link = page_link(name, code=company.code, **kwargs) if company is not None else ""
        return item(title, link, icon, permission, badge, variant)

    def rows(title: str, model: str, icon: str) -> dict[str, Any]:
        app, name = model.split("_", 1)
        return item(title, list_link(model, company, many=many), icon, f"{app}.view_{name}")

    def table(title: str, model: str, icon: str) -> dict[str, Any]:
        app, name = model.split("_", 1)
        return item(title, page_link(f"admin:{model}_changelist"), icon, f"{app}.view_{name}")

    used = sorted(set(Shop.objects.filter(company=company).values_list("channel", flat=True))) if company is not None else []
    channel_pages = [
        page(adapters()[code].label, "ledger:channel", "storefront", "ledger.view_pnlmonth", channel=code)
        for code in used
        if code in adapters()
    ]
    return [
        {
            "items": [
                item("Home", reverse("admin:index"), "home"),
                *([item("All companies", reverse("portfolio"), "grid_view")] if many else []),
            ]
        },
        {
            "title": "P&L",
            "items": [page("P&L", "ledger:pnl", "table_chart", "ledger.view_pnlmonth"), *channel_pages],
        },
        {
            "title": "Fees",
            "items": [
                page("Worklist", "ledger:worklist", "rule", "ledger.view_feerule", "worklist"),
                page("Approval inbox", "ledger:inbox", "approval", "ledger.view_feerule", "inbox", "primary"),
                rows("Rules", "ledger_feerule", "gavel"),
                rows("Scope rules", "ledger_scoperule", "filter_alt"),
                table("Categories", "ledger_feecategory", "category"),
            ],
        },
        {
            "title": "Documents",
            "items": [
                page("Imports", "ledger:upload", "upload_file", "channels.view_document", "imports"),
                rows("Documents", "channels_document", "description"),
                page("Statements", "ledger:statements", "receipt_long", "ledger.view_statement"),
                rows("Payouts", "ledger_payout", "account_balance"),
            ],
        },
        {
            "title": "Catalogue",
            "items": [
                rows("Shops", "channels_shop", "store"),
                rows("SKUs", "inventory_sku", "inventory_2"),
                rows("Listings", "inventory_listing", "sell"),
                rows("What listings are made of", "inventory_listingcomponent", "account_tree"),
            ],
        },
        {
            "title": "Settings",
            "items": [
                table("Companies", "nova_company", "domain"),
                table("People", "nova_user", "group"),
                table("Exchange rates", "nova_exchangerate", "currency_exchange"),
            ],
        },
    ]


def waiting_proposals(company_ids: list[int], user: Any) -> dict[int, int]:
    """How many proposals of others wait in each company; companies without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT company_id, count(*) FROM (
                SELECT company_id, author_id FROM ledger_feerule WHERE status = 'proposed' AND company_id = ANY(%(companies)s)
                UNION ALL
                SELECT company_id, author_id FROM ledger_scoperule WHERE status = 'proposed' AND company_id = ANY(%(companies)s)
            ) AS rule WHERE author_id <> %(user)s GROUP BY 1
            """,
            {"companies": company_ids, "user": user.pk},
        )
        return dict(cursor.fetchall())


def never(request: HttpRequest) -> bool:
    """The permission of what a user may not see."""
    return False


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """What the search box finds beside the lists: whatever an outside id leads to, in every company of the user.

    unfold hands the term over in lower case; ids are told apart by case, so the box's own text is read.
    """
    companies = my_companies(request)
    found = []
    for company in companies:
        for hit in find(company=company, text=request.GET.get("s", ""), user=request.user):
            detail = ", ".join(filter(None, (hit.kind, hit.detail, company.name if len(companies) > 1 else "")))
            found.append(SearchResult(title=hit.title, description=detail, link=hit.link, icon=hit.icon))
    return found


@admin.site.admin_view
def search_page(request: HttpRequest) -> HttpResponse:
    """The answer of the search box. unfold keeps answers for minutes; who lost a membership must not see them again."""
    term = request.GET.get("s", "").lower()
    cache.delete(f"unfold_search_{hashlib.sha256(force_bytes(f'{request.user.pk}_{term}')).hexdigest()}")
    response: HttpResponse = admin.site.search(request)  # type: ignore[attr-defined]
    return response
