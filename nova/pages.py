"""Pages of our own inside the admin: signed-in staff, one company in the address, its members only.

Addresses are `/c/<company code>/...`, so that they can be sent to a colleague with all filters in the query string.
A company that the user is no member of answers like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from nova.models import Company

Page = Callable[..., HttpResponseBase]
#: Session key of the company somebody worked on last.
LAST_COMPANY = "company"


def company_page(*, permission: str = "") -> Callable[[Page], Page]:
    """A view `(request, company, ...)` from a route with `<code>`: sign-in, membership and permission are checked first.

    Raises:
        Http404: no such company among the user's.
        PermissionDenied: the user lacks `permission` (such as "ledger.import_documents").
    """

    def decorate(view: Page) -> Page:
        @wraps(view)
        def guarded(request: HttpRequest, code: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            company = next((row for row in my_companies(request) if row.code == code), None)
            if company is None:
                raise Http404("No such company.")
            remember_company(request, company)
            if permission and not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, company, *args, **kwargs)

        return admin.site.admin_view(guarded)  # type: ignore[return-value]

    return decorate


def my_companies(request: HttpRequest) -> list[Company]:
    """The companies of the signed-in user by name, read once per request."""
    rows: list[Company] | None = getattr(request, "_nova_companies", None)
    if rows is None:
        user = getattr(request, "user", None)
        rows = list(Company.objects.for_user(user)) if user is not None else []  # type: ignore[attr-defined]
        request._nova_companies = rows  # type: ignore[attr-defined]
    return rows


def current_company(request: HttpRequest) -> Company | None:
    """The company the user works on: the one in the address, else the last one, else the first; None without any."""
    rows = my_companies(request)
    session = getattr(request, "session", {})
    code = getattr(request, "_nova_company", "") or session.get(LAST_COMPANY, "")
    return next((row for row in rows if row.code == code), rows[0] if rows else None)


def remember_company(request: HttpRequest, company: Company) -> None:
    """Make `company` the one that the sidebar and the next visit start with."""
    request._nova_company = company.code  # type: ignore[attr-defined]
    timezone.activate(company.zone)
    session = getattr(request, "session", None)
    if session is not None and session.get(LAST_COMPANY) != company.code:
        session[LAST_COMPANY] = company.code


def render_page(
    request: HttpRequest, template: str, *, title: str, company: Company | None = None, **context: Any
) -> HttpResponse:
    """A page in the admin's frame (sidebar, header, messages). Templates extend `nova/page.html`."""
    status = context.pop("status", 200)
    return render(
        request, template, {**admin.site.each_context(request), "title": title, "company": company, **context}, status=status
    )
