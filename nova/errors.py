"""Error pages: what happened, to which thing, what to do next, and the request's id to quote."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def _page(request: HttpRequest, *, status: int, title: str, what: str, next_step: str) -> HttpResponse:
    context: dict[str, Any] = {"title": title, "what": what, "next_step": next_step, "request_id": getattr(request, "id", "")}
    user = getattr(request, "user", None)
    if status != 500 and user is not None and user.is_authenticated and user.is_staff:
        return render(request, "nova/error.html", {**admin.site.each_context(request), **context}, status=status)
    return render(request, "nova/error_plain.html", context, status=status)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such page, or none among the user's companies; both answer alike."""
    return _page(
        request,
        status=404,
        title="There is nothing here",
        what=f"{request.path} leads to nothing that you can see. It may have been mistyped, or belong to a company you are not a member of.",
        next_step="Check the address, or ask a colleague who manages people to make you a member of that company.",
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: the page exists, the user's roles do not cover it."""
    return _page(
        request,
        status=403,
        title="Your role does not cover this",
        what=str(exception or "") or f"{request.path} needs a permission that none of your roles has.",
        next_step="Ask a colleague who manages people for the role, or ask somebody who has it to do this for you.",
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that was open over a sign-out or in another window."""
    return _page(
        request,
        status=403,
        title="This form is too old",
        what="You signed in again, or out, since this form was opened, so it was not accepted. Nothing was changed.",
        next_step="Go back, reload the page and send it again.",
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request makes no sense."""
    return _page(
        request,
        status=400,
        title="This could not be read",
        what="The address or the form holds something that Nova cannot read. Nothing was changed.",
        next_step="Go back and try again.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault. Drawn without the database, which may be what failed."""
    return _page(
        request,
        status=500,
        title="Nova failed here",
        what=f"An error of Nova's own stopped {request.path}. Whatever was under way is done whole or not at all.",
        next_step="Go back and try again; if it happens again, send the number below to whoever runs this Nova: the log names it.",
    )
