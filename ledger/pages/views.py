"""Saved breakdowns of the P&L: saved under a name, shared with the company, deleted; the last used one comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from ledger.models import SavedView
from ledger.pages.asked import read_address
from nova.models import Company
from nova.pages import company_page

MAX_QUERY = 2000
#: The row that holds what somebody looked at last has no name; nobody sees it as a saved view.
LAST = ""


@dataclass(frozen=True)
class ShownView:
    """A saved view as the page offers it."""

    pk: int
    name: str
    query: str
    own: bool
    shared: bool
    owner: str
    current: bool


def saved_views(*, company: Company, user: Any, query: str) -> list[ShownView]:
    """The user's own views and those that others share in this company; `query` is the address now shown."""
    rows = (
        SavedView.objects.filter(Q(owner=user.pk) | Q(shared=True), company=company)
        .exclude(name=LAST)
        .select_related("owner")
        .order_by("name", "pk")
    )
    return [
        ShownView(row.pk, row.name, row.query, row.owner_id == user.pk, row.shared, str(row.owner), row.query == query)
        for row in rows
    ]


def last_query(*, company: Company, user: Any) -> str:
    """The query string this user looked at last in this company, "" at the first visit."""
    row = SavedView.objects.filter(company=company, owner=user.pk, name=LAST).values_list("query", flat=True).first()
    return row or ""


def remember(*, company: Company, user: Any, query: str) -> None:
    """Keep what is looked at; writes only when it is another view than the last time."""
    if len(query) > MAX_QUERY or last_query(company=company, user=user) == query:
        return
    SavedView.objects.update_or_create(company=company, owner_id=user.pk, name=LAST, defaults={"query": query, "shared": False})


def save_view(*, company: Company, user: Any, name: str, query: str, shared: bool) -> SavedView:
    """Save a breakdown under a name; the user's own one of that name is replaced. Locks nothing but its row.

    Raises:
        ValueError: no name, a name or an address that is too long, or an address that is not one of the P&L.
    """
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise ValueError("Give the view a name.")
    if len(name) > 80:
        raise ValueError("The name has more than 80 characters.")
    asked = read_address(company, QueryDict(query))
    if asked.problems:
        raise ValueError(asked.problems[0])
    plain = asked.query()
    if len(plain) > MAX_QUERY:
        raise ValueError("The view has too many filters to be saved; take some away.")
    with transaction.atomic():
        view, _created = SavedView.objects.update_or_create(
            company=company, owner_id=user.pk, name=name, defaults={"query": plain, "shared": shared}
        )
    return view


@company_page(permission="ledger.view_pnlmonth")
@require_POST
def save_page(request: HttpRequest, company: Company) -> HttpResponse:
    """POST /c/<code>/pnl/views/ with name, query and shared."""
    query = request.POST.get("query", "")
    address = reverse("ledger:pnl", kwargs={"code": company.code})
    try:
        view = save_view(
            company=company,
            user=request.user,
            name=request.POST.get("name", ""),
            query=query,
            shared=request.POST.get("shared") == "1",
        )
    except ValueError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(f"{address}?{read_address(company, QueryDict(query)).query()}")
    messages.success(request, f"Saved as “{view.name}”{', shared with everybody of the company' if view.shared else ''}.")
    return HttpResponseRedirect(f"{address}?{view.query}")


@company_page(permission="ledger.view_pnlmonth")
@require_POST
def change_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """POST /c/<code>/pnl/views/<id>/ with do=delete, share or unshare; only the owner may."""
    view = SavedView.objects.filter(company=company, owner=request.user.pk, pk=pk).exclude(name=LAST).first()
    if view is None:
        raise Http404("No such view of yours.")
    match request.POST.get("do"):
        case "delete":
            view.delete()
            messages.success(request, f"“{view.name}” is deleted.")
        case "share" | "unshare" as what:
            view.shared = what == "share"
            view.save(update_fields=["shared"])
            messages.success(
                request, f"“{view.name}” is {'shared with everybody of the company' if view.shared else 'yours alone'}."
            )
        case _:
            messages.error(request, "Say what to do with the view: delete, share or unshare.")
    return HttpResponseRedirect(f"{reverse('ledger:pnl', kwargs={'code': company.code})}?{view.query}")
