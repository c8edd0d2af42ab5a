"""The first screen: what needs the signed-in user today; and the portfolio: all their companies, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from channels.models import Document, Shop
from ledger.health import MonthState, UnmappedType, last_full_months, shop_health, unmapped_types
from ledger.pnl import Dimension, Question, answer
from ledger.pnl_layout import layout
from ledger.pnl_remarks import COST_UNKNOWN, cost_remark
from nova import blocks
from nova.models import Company
from nova.pages import company_page, current_company, my_companies, render_page
from nova.sidebar import waiting_proposals


def _today(company: Company) -> date:
    return timezone.now().astimezone(company.zone).date()


def home_blocks(request: HttpRequest, company: Company) -> list[blocks.Block]:
    """The blocks that this user may act on, in the order of what they are here for."""
    may = request.user.has_perm
    found: list[blocks.Block] = []
    figures = [blocks.pnl_block(company, today=_today(company))] if may("ledger.view_pnlmonth") else []
    if may("ledger.approve_rules"):
        found.append(blocks.inbox_block(company, request.user))
    acts = may("ledger.import_documents") or may("ledger.approve_rules")
    if not acts:
        found += figures
    if may("ledger.view_feerule") and may("ledger.view_pnlmonth"):
        found += [blocks.unmapped_block(company), blocks.rates_block(company)]
    if may("channels.view_document"):
        found.append(blocks.documents_block(company))
    if may("ledger.view_statement"):
        found.append(blocks.statements_block(company))
    if may("ledger.add_feerule"):
        found.append(blocks.own_proposals_block(company, request.user))
    if acts:
        found += figures
    if may("channels.view_shop"):
        found.append(blocks.shops_block(company))
    # Work first, then figures, then what says that there is nothing to do.
    return sorted(found, key=lambda block: block.empty)


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the first screen shows (called by unfold for the admin's index)."""
    company = current_company(request)
    context |= {"company": company, "title": f"{company.name}" if company else "Home", "blocks": [], "steps": []}
    if company is None:
        return context
    if not Document.objects.filter(company=company).exists():
        context["steps"] = _first_steps(request, company)
    else:
        context["blocks"] = home_blocks(request, company)
    return context


def _first_steps(request: HttpRequest, company: Company) -> list[tuple[str, str, str, bool]]:
    """What to do with a company that has no document: (step, address, why, done)."""
    has_shop = Shop.objects.filter(company=company).exists()
    shop_page = reverse("admin:channels_shop_add") if request.user.has_perm("channels.add_shop") else ""
    upload = reverse("ledger:upload", kwargs={"code": company.code}) if has_shop else ""
    return [
        ("Add a shop", "" if has_shop else shop_page, "One seller login on TikTok Shop, Amazon or Shopify.", has_shop),
        ("Upload its settlements or statements", upload, "Nova checks that the lines of each come to its total.", False),
        ("Propose a category for each fee", "", "Nova suggests one; a colleague approves.", False),
        ("Read the P&L", "", "Every figure opens the lines behind it, every line its document.", False),
    ]


@company_page()
def company_home(request: HttpRequest, company: Company) -> HttpResponse:
    """Work on this company from now on."""
    return redirect("admin:index")


@dataclass
class PortfolioRow:
    """One company. Amounts are in its currency; margins are fractions of net sales (contribution 2).

    `cost_missing` tells that the margin is before cost of goods, which is not known.
    """

    company: Company
    unmapped: Decimal
    unmapped_types: int
    unrated: bool
    ill: list[str]
    shops: int
    state: MonthState | None
    margin: Decimal | None
    change: Decimal | None
    net_sales: Decimal | None
    cost_missing: bool
    inbox: int


@admin.site.admin_view
def portfolio(request: HttpRequest) -> HttpResponse:
    """All companies of the user: close status, unmapped money, unhealthy shops, change of the margin."""
    rows = portfolio_rows(request, my_companies(request))
    return render_page(
        request,
        "nova/portfolio.html",
        title="All companies",
        rows=rows,
        cost_remark=COST_UNKNOWN if any(row.cost_missing for row in rows) else "",
        company_for_packs=current_company(request),
        as_of=timezone.now(),
    )


def portfolio_rows(request: HttpRequest, companies: list[Company]) -> list[PortfolioRow]:
    """The rows, those with most to do first. The P&L is asked per company; everything else is read for all at once."""
    ids = [company.pk for company in companies]
    money: dict[int, list[UnmappedType]] = {}
    sees_money = request.user.has_perm("ledger.view_pnlmonth")
    for row in unmapped_types(ids) if sees_money else ():
        money.setdefault(row.company_id, []).append(row)
    shops = shop_health(ids)
    states = last_full_months(ids, before=timezone.now().date()) if sees_money else {}
    inbox = waiting_proposals(ids, request.user)
    rows = []
    for company in companies:
        state = states.get(company.pk)
        margin, change, net_sales, costless = _margins(company, state.month) if state is not None else (None, None, None, False)
        mine = [shop for shop in shops if shop.company_id == company.pk]
        rows.append(
            PortfolioRow(
                company,
                sum((row.absolute for row in money.get(company.pk, [])), Decimal(0)),
                len(money.get(company.pk, [])),
                any(row.unrated for row in money.get(company.pk, [])),
                [f"{shop.name}: {'; '.join(shop.problems)}" for shop in mine if shop.problems],
                len(mine),
                state,
                margin,
                change,
                net_sales,
                costless,
                inbox.get(company.pk, 0),
            )
        )
    return sorted(rows, key=lambda row: (-len(row.ill), -row.inbox, -row.unmapped_types, row.company.name))


def _margins(company: Company, month: date) -> tuple[Decimal | None, Decimal | None, Decimal | None, bool]:
    """Contribution 2 margin of a month, its change against the month before, and net sales (None without net sales); whether
    a month's cost of goods is not known.
    """
    before = date(month.year - (month.month == 1), month.month - 1 or 12, 1)
    end = date(month.year + (month.month == 12), month.month % 12 + 1, 1)
    report = answer(Question(company, by=(Dimension.MONTH, Dimension.CATEGORY), start=before, end=end))
    if not report.cells:
        return None, None, None, False
    table = layout(report)
    at = {column: place for place, column in enumerate(table.columns)}
    rows = {row.code: row for row in table.rows}
    here = at.get(month.isoformat())
    earlier = at.get(before.isoformat())
    margins = rows["contribution_2_margin"].amounts
    now = margins[here] if here is not None else None
    then = margins[earlier] if earlier is not None else None
    change = now - then if now is not None and then is not None else None
    return now, change, rows["net_sales"].amounts[here] if here is not None else None, bool(cost_remark(report))
