"""Gives every request a number that error pages show and the log names, and shows times in the company's zone."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from nova.pages import current_company

log = logging.getLogger("nova.request")
_GOOD = re.compile(r"^[A-Za-z0-9._-]{6,64}$")


class RequestId:
    """Sets `request.id` (from X-Request-ID when a proxy gave one) and answers with it in X-Request-ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request.id = given if _GOOD.match(given) else uuid.uuid4().hex[:16]  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        if response.status_code >= 500:
            log.error("Request %s failed: %s %s", request.id, request.method, request.path)  # type: ignore[attr-defined]
        return response


class CompanyZone:
    """Shows times in the zone of the company in hand (the one in the address, else the last one) to signed-in staff."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        company = current_company(request) if user is not None and user.is_authenticated and user.is_staff else None
        with timezone.override(company.zone if company is not None else None):
            return self.get_response(request)
