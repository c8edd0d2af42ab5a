"""A channel's page: from gross sales to the settled amount, money on its way, payouts, commission and refund rate."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels import registry
from channels.models import Shop
from ledger.models import FeeCategory, Statement
from ledger.models.rollups import Clock
from ledger.pages import channel_figures
from ledger.pages.asked import Asked, read_address
from ledger.pnl import UNIFIED, answer
from nova.models import Company
from nova.pages import company_page, render_page

#: Months shown when the address names no period.
MONTHS = 12


@company_page(permission="ledger.view_pnlmonth")
@require_safe
def channel_page(request: HttpRequest, company: Company, channel: str) -> HttpResponse:
    """GET /c/<code>/channels/<channel>/ with `from`, `to` (whole months), `clock` event or posted, `calendar` (a month)."""
    adapter = registry.adapters().get(channel)
    shops = list(Shop.objects.filter(company=company, channel=channel).order_by("name"))
    if adapter is None or not shops:
        raise Http404(f"{company.name} has no shop on {channel}.")
    asked, problems = _read(request, company, channel)
    context: dict[str, Any] = {}
    if not problems:
        try:
            context = _figures(company, shops, asked, _month(request.GET.get("calendar", "")))
        except ValueError as error:
            problems = [str(error)]
    return render_page(
        request,
        "ledger/channel.html",
        title=adapter.label,
        company=company,
        channel=channel,
        channel_label=adapter.label,
        shops=shops,
        asked=asked,
        problems=problems,
        status=400 if problems else 200,
        currency=company.currency,
        period_query=urlencode({"clock": asked.clock, "from": asked.start, "to": asked.last}),
        pnl_query=replace(asked, filters={}).query(columns="month"),
        pnl_path=reverse("ledger:pnl", kwargs={"code": company.code}),
        **context,
    )


def _read(request: HttpRequest, company: Company, channel: str) -> tuple[Asked, list[str]]:
    """The period in whole months on the clock asked for (posted, as statements are), this channel's own scope."""
    asked = read_address(company, request.GET)
    problems = list(asked.problems)
    clock = asked.clock if request.GET.get("clock") in (Clock.EVENT, Clock.POSTED) else Clock.POSTED
    if request.GET.get("clock") == Clock.PAID:
        problems.append("A channel's page is by event or posted; the P&L page has the paid clock.")
    today = timezone.now().astimezone(company.zone).date()
    last = asked.last or today
    last = (last.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    start = asked.start.replace(day=1) if asked.start else _months_before(last, MONTHS - 1)
    plain = Asked(company, columns="month", clock=clock, scope=channel, start=start, last=last)
    return plain, problems


def _months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _month(text: str) -> date | None:
    try:
        day = date.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError:
        return None
    return day.replace(day=1) if 1990 <= day.year <= 2100 else None


def _figures(company: Company, shops: list[Shop], asked: Asked, month: date | None) -> dict[str, Any]:
    lines = reverse("ledger:lines", kwargs={"code": company.code})
    sections = dict(FeeCategory.objects.values_list("code", "section"))
    report = channel_figures.settled_report(asked)
    outside = channel_figures.outside_money(company=company, shops=shops, asked=asked)
    lags = channel_figures.usual_lags(company=company, shops=shops)
    unified = answer(replace(asked, scope=UNIFIED).question())
    statements = Statement.objects.filter(company=company, shop__in=shops)
    months = channel_figures.month_rates(asked, report.cells, sections, lines)
    return {
        "report": report,
        "rungs": channel_figures.ladder(asked, report.cells, sections, outside, lines),
        "outside": outside,
        "months": months,
        "has_units": any(row.units for row in months),
        "open_rows": channel_figures.open_money(asked=asked, lags=lags, lines=lines),
        "cash_only": [shop for shop in shops if shop.code in unified.cash_side_only],
        "lags": lags,
        "reserves": channel_figures.reserves(company=company, shops=shops),
        "calendar": channel_figures.payout_calendar(company=company, shops=shops, month=month),
        "statement_count": statements.count(),
    }


urlpatterns = [path("channels/<str:channel>/", channel_page, name="channel")]
