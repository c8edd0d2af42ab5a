"""What is around every page: the company switcher, the sidebar with its counts, and the search over everything."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse

from channels.models import Shop
from channels.registry import adapters
from nova.models import Company
from nova.pages import current_company, my_companies

#: Models whose rows the search box finds, each through its admin's search fields and company filter.
SEARCHED_MODELS = [
    "channels.shop",
    "channels.document",
    "inventory.sku",
    "inventory.listing",
    "ledger.statement",
    "ledger.payout",
    "ledger.feetype",
]


def style_sheet(request: HttpRequest) -> str:
    return static("nova/nova.css")


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
                (SELECT count(*) FROM ledger_ledgerintake WHERE company_id = %(company)s AND state IN ('asking', 'failed'))
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


def never(request: HttpRequest) -> bool:
    """The permission of what a user may not see."""
    return False


def search(request: HttpRequest, term: str) -> list[Any]:
    """More results for the search box: whatever an outside id leads to."""
    return []
