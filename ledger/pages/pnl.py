"""The P&L page: one address per breakdown, every figure a way to its fee lines, saved views, CSV and XLSX of what is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from channels import registry
from channels.models import Shop
from ledger.models import Payout, PnlDay, PnlMonth
from ledger.models.rollups import Clock
from ledger.pages import views
from ledger.pages.asked import CLOCK_WORDS, COLUMNS, MAX_DEPTH, ROW_WORDS, WORDS, Asked, Chip, read_address
from ledger.pages.chart import read_chart
from ledger.pages.exports import export_chart, export_grid
from ledger.pages.grid import Grid, dimensions_of, make_grid
from ledger.pages.words import column_label, row_words
from ledger.pnl import UNIFIED, Dimension, Report, answer
from ledger.pnl_question import periods_between
from ledger.pnl_remarks import cost_remark, payout_remark
from nova.models import Company, ExchangeRate
from nova.pages import company_page, render_page

#: Periods of one page; more are cut to the latest, and the page says so.
MAX_PERIODS = {"month": 36, "week": 53, "day": 62}
#: The same where rows are nested, so that the page comes at once; exports hold all.
MAX_NESTED = {"month": 36, "week": 26, "day": 31}
#: Filters offered as choices; the others are reached by clicking a row or by an address.
_CHOICES = (Dimension.CHANNEL, Dimension.SHOP, Dimension.MARKETPLACE, Dimension.STATE, Dimension.BRAND, Dimension.PRODUCT_GROUP)


@dataclass(frozen=True)
class Shown:
    """An address with its answer. `cut` tells that earlier periods were left away."""

    asked: Asked
    report: Report
    cut: int = 0


def read_report(asked: Asked, *, whole: bool = False) -> Shown:
    """Ask the engine; of too many periods the latest are shown, or all if `whole` (for exports).

    Raises:
        ValueError: what the engine refuses, in words for staff.
    """
    asked, cut = (asked, 0) if whole else latest_periods(asked)
    return Shown(asked, answer(asked.question(*dimensions_of(asked))), cut)


def latest_periods(asked: Asked) -> tuple[Asked, int]:
    """The address limited to the latest periods a page can hold, and how many earlier ones that leaves away."""
    limit = (MAX_NESTED if len(asked.rows) > 1 else MAX_PERIODS).get(asked.columns)
    if limit is None or asked.period is None:
        return asked, 0
    clock = Clock.POSTED if asked.clock == Clock.PAID else asked.clock
    span = PnlMonth.objects.filter(company=asked.company, clock=clock).aggregate(first=Min("month"), last=Max("month"))
    if span["first"] is None:
        return asked, 0
    first = max(asked.start or date.min, span["first"])
    # Months say where to look; the day itself is among rows whose event is not long before (an index has the event days).
    late = PnlDay.objects.filter(company=asked.company, event_on__gte=span["last"] - timedelta(days=120))
    last = late.aggregate(last=Max("event_on" if clock == Clock.EVENT else "posted_on"))["last"] or first
    if asked.clock == Clock.PAID:
        last = max(last, Payout.objects.filter(company=asked.company).aggregate(last=Max("paid_on"))["last"] or last)
    last = min(last, asked.last or last)
    periods = list(periods_between(asked.period, first, last + timedelta(days=1)))
    if len(periods) <= limit:
        return asked, 0
    return replace(asked, start=periods[-limit]), len(periods) - limit


@company_page(permission="ledger.view_pnlmonth")
@require_safe
def pnl_page(request: HttpRequest, company: Company) -> HttpResponseBase:
    """GET /c/<code>/pnl/: without a query string the last used view comes back; `format` csv or xlsx exports it."""
    if not request.GET:
        last = views.last_query(company=company, user=request.user)
        if last:
            return HttpResponseRedirect(f"{request.path}?{last}")
    asked = read_address(company, request.GET)
    shown: Shown | None = None
    problems = list(asked.problems)
    export = request.GET.get("format", "")
    if not problems:
        try:
            shown = read_report(asked, whole=export in ("csv", "xlsx"))
        except ValueError as error:
            problems.append(str(error))
    if shown is not None and export in ("csv", "xlsx"):
        if request.GET.get("what") == "chart":
            return export_chart(shown.asked, read_chart(shown.asked, shown.report))
        grid = make_grid(shown.asked, shown.report, lines_path=_lines_path(company), unlimited=True)
        return export_grid(shown.asked, shown.report, grid, export)
    if shown is not None and request.GET:
        views.remember(company=company, user=request.user, query=asked.query())
    return _render(request, company, asked, shown, problems)


def _lines_path(company: Company) -> str:
    return reverse("ledger:lines", kwargs={"code": company.code})


def _render(request: HttpRequest, company: Company, asked: Asked, shown: Shown | None, problems: list[str]) -> HttpResponse:
    grid: Grid | None = None
    context: dict[str, Any] = {}
    if shown is not None:
        asked = shown.asked
        grid = make_grid(asked, shown.report, lines_path=_lines_path(company))
        chart = read_chart(asked, shown.report)
        context = {
            "report": shown.report,
            "chart": chart.picture,
            "chart_rows": chart.rows,
            "shares": _shares(company, asked, shown.report),
            "cash_side_only": [(code, shown.report.shop_names.get(code, code)) for code in shown.report.cash_side_only],
            "cut": shown.cut,
            "remarks": [remark for remark in (cost_remark(shown.report), payout_remark(shown.report)) if remark],
            "has_folds": any(row.has_children for row in grid.rows),
            "has_share": any(row.share is not None for row in grid.rows),
        }
    return render_page(
        request,
        "ledger/pnl.html",
        title=_title(asked),
        company=company,
        asked=asked,
        grid=grid,
        problems=problems,
        status=400 if problems else 200,
        is_fullwidth="1",
        chips=_chips(company, asked, shown.report if shown else None),
        form=_form(company, asked),
        saved=views.saved_views(company=company, user=request.user, query=asked.query()),
        query=asked.query(),
        all_query=asked.query(show_all=True),
        plain_query=Asked(company).query(),
        row_words=row_words(asked),
        clock_word=asked.clock.label,
        currency=asked.currency or company.currency,
        **context,
    )


def _title(asked: Asked) -> str:
    if asked.scope == UNIFIED:
        return "P&L"
    return f"P&L of {registry.adapters()[asked.scope].label} alone"


# The form -----------------------------------------------------------------------------------------------------------


def _form(company: Company, asked: Asked) -> dict[str, Any]:
    """What the form offers, and what it must carry along unseen."""
    used = list(Shop.objects.filter(company=company).order_by("name").values_list("channel", "code", "name"))
    channels = [code for code in registry.adapters() if any(code == channel for channel, _code, _name in used)]
    rates = list(ExchangeRate.objects.order_by("currency").values_list("currency", flat=True).distinct())
    hidden = [(str(dimension), value or "(none)") for dimension, values in asked.filters.items() for value in values]
    if asked.known_at:
        hidden.append(("known", asked.known_at.isoformat()))
    return {
        "columns": [(code, word, code == asked.columns) for code, word in COLUMNS.items()],
        "row_choices": [(str(row), word) for row, word in ROW_WORDS.items()],
        "row_slots": ([str(row) for row in asked.rows] + [""])[:MAX_DEPTH],
        "clocks": [(clock.value, word, clock == asked.clock) for clock, word in CLOCK_WORDS.items()],
        "scopes": [
            (UNIFIED, "All channels together", asked.scope == UNIFIED),
            *[(code, f"{registry.adapters()[code].label} alone", asked.scope == code) for code in channels],
        ],
        "currencies": [
            (code, code == (asked.currency or company.currency))
            for code in sorted({company.currency, asked.currency or company.currency, *rates, *(["EUR"] if rates else [])})
        ],
        "shops": [(code, name) for _channel, code, name in used],
        "hidden": hidden,
    }


def _chips(company: Company, asked: Asked, report: Report | None) -> list[Chip]:
    """Every filter with the address without it."""
    chips = []
    for dimension, values in asked.filters.items():
        known = report.labels.get(dimension, {}) if report else {}
        for value in values:
            if dimension is Dimension.MONTH and value:
                label = column_label(dimension, value)
            else:
                label = known.get(value, value) if value else "none"
            chips.append(Chip(f"{WORDS[dimension]}: {label}", asked.without(dimension, value)))
    if asked.start:
        chips.append(Chip(f"From {asked.start}", asked.query(start=None)))
    if asked.last:
        chips.append(Chip(f"To {asked.last}", asked.query(last=None)))
    if asked.known_at:
        chips.append(Chip(f"Rules as of {asked.known_at:%Y-%m-%d %H:%M} UTC", asked.query(known_at=None)))
    if asked.scope != UNIFIED:
        chips.append(Chip(f"{registry.adapters()[asked.scope].label} alone", asked.query(scope=UNIFIED)))
    if asked.currency:
        chips.append(Chip(f"Shown in {asked.currency}", asked.query(currency="")))
    return chips


# What stands beside the figures -------------------------------------------------------------------------------------


def _shares(company: Company, asked: Asked, report: Report) -> list[dict[str, Any]]:
    """Settled, mapped and provisional, each with what to do about it."""
    lines = _lines_path(company)
    open_query = asked.query(narrow={Dimension.STATE: ("preliminary", "estimated")})
    return [
        {
            "word": "settled",
            "share": report.share_settled,
            "good": report.share_settled in (None, Decimal(1)),
            "help": "The rest is expected by the channel but on no closed statement yet.",
            "href": f"{lines}?{open_query}",
        },
        {
            "word": "mapped",
            "share": report.share_mapped,
            "good": report.share_mapped in (None, Decimal(1)),
            "help": "The rest is of fee types that no approved rule knows; the worklist has them.",
            "href": reverse("ledger:worklist", kwargs={"code": company.code}),
        },
        {
            "word": "with a provisional date",
            "share": report.share_provisional,
            "good": report.share_provisional in (None, Decimal(0)),
            "help": "Its day of shipment is not known yet; the day it was ordered or posted stands in for it.",
            "href": "",
        },
    ]


urlpatterns = [
    path("pnl/", pnl_page, name="pnl"),
    path("pnl/views/", views.save_page, name="save_view"),
    path("pnl/views/<int:pk>/", views.change_page, name="change_view"),
]
