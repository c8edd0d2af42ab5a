"""The first screen: what needs the signed-in user today."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from nova.models import Company
from nova.pages import company_page, current_company, my_companies, render_page


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the first screen shows (called by unfold for the admin's index)."""
    return {**context, "company": current_company(request), "title": "Home"}


@company_page()
def company_home(request: HttpRequest, company: Company) -> HttpResponse:
    """Work on this company from now on."""
    return redirect("admin:index")


@admin.site.admin_view
def portfolio(request: HttpRequest) -> HttpResponse:
    """All companies of the user, one row each."""
    return render_page(request, "nova/portfolio.html", title="All companies", companies=my_companies(request))
