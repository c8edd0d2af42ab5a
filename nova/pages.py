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
from django.shortcuts import render

from nova.models import Company

Page = Callable[..., HttpResponse]


def company_page(*, permission: str = "") -> Callable[[Page], Page]:
    """A view `(request, company, ...)` from a route with `<code>`: sign-in, membership and permission are checked first.

    Raises:
        Http404: no such company among the user's.
        PermissionDenied: the user lacks `permission` (such as "ledger.import_documents").
    """

    def decorate(view: Page) -> Page:
        @wraps(view)
        def guarded(request: HttpRequest, code: str, *args: Any, **kwargs: Any) -> HttpResponse:
            company = Company.objects.for_user(request.user).filter(code=code).first()  # type: ignore[attr-defined]
            if company is None:
                raise Http404("No such company.")
            if permission and not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, company, *args, **kwargs)

        return admin.site.admin_view(guarded)  # type: ignore[return-value]

    return decorate


def render_page(
    request: HttpRequest, template: str, *, title: str, company: Company | None = None, **context: Any
) -> HttpResponse:
    """A page in the admin's frame (sidebar, header, messages). Templates extend `nova/page.html`."""
    status = context.pop("status", 200)
    return render(
        request, template, {**admin.site.each_context(request), "title": title, "company": company, **context}, status=status
    )
