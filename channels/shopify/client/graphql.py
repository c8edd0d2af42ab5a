"""One GraphQL call: its version, its cost, its errors.

Shopify answers HTTP 200 also when it refuses: `errors` says why, by a code. Every app and store has a bucket of points; an answer says
how many a call needs, how many are there and how many come back per second. A call that finds too few waits for just that long.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from django.conf import settings

from channels.shopify.auth import Login, Sleep, TokenAuth, shop_url
from channels.shopify.client.documents import is_mutation, operations
from nova.http import Answer, Permanent, Surprise, Temporary, Withdrawn, call, judge_status, retry_after

logger = logging.getLogger(__name__)

#: The version that the documents in `queries/` are written for.
API_VERSION = "2026-10"
#: How long to leave a store alone that is closed for now: its bill is open, or Shopify locked it.
_CLOSED_SECONDS = 3600.0
_CLOSED_STATUS = {402: "is frozen until its bill is paid", 423: "is locked", 430: "is protected against calls"}


def version() -> str:
    """The version to call, by the setting NOVA_SHOPIFY_API_VERSION.

    Raises:
        Permanent: the setting is none ("2026-10", "unstable").
    """
    found = str(getattr(settings, "NOVA_SHOPIFY_API_VERSION", API_VERSION))
    if not re.fullmatch(r"20\d\d-(01|04|07|10)|unstable", found):
        raise Permanent(f"{found!r} is no version of Shopify's API (as {API_VERSION}).")
    return found


def sunset(name: str) -> datetime | None:
    """From when on a version may be gone: 12 months after it came, which is at 17:00 UTC of its month's first day.

    None for "unstable". A call for a dead version does not fail: Shopify runs the oldest living one instead.
    """
    if name == "unstable":
        return None
    year, month = name.split("-")
    return datetime(int(year) + 1, int(month), 1, 17, tzinfo=UTC)


class TooDear(Permanent):
    """The query costs more points than one query may; it can be asked in smaller pages."""


@dataclass(frozen=True)
class Reply:
    """What a call brought: the bytes as they came, the same read, and the points that are left (None when not told)."""

    body: bytes
    data: Mapping[str, Any]
    points_left: float | None = None


def ask(
    login: Login,
    operation: str,
    variables: Mapping[str, Any],
    *,
    session: requests.Session,
    repeatable: bool | None = None,
    sleep: Sleep = time.sleep,
) -> Reply:
    """Run one of the documents and return its answer. Queries may be repeated, mutations only where `repeatable` says so.

    Raises:
        Temporary: too few points (with the seconds until there are enough), Shopify is in trouble, the store is closed for now, or
            the login's token has run out and must be renewed first. Withdrawn: the token does not hold. TooDear, Permanent: refused
            for good. Surprise: no answer of this API.
    """
    if login.runs_out():
        raise Temporary("The token of the store has run out; it must be renewed before the next call.")
    wanted = version()
    document = operations()[operation]
    answer = call(
        session,
        "POST",
        f"{shop_url(login.shop)}/admin/api/{wanted}/graphql.json",
        judge=lambda answer: judge(answer, operation),
        auth=TokenAuth(login),
        body=json.dumps({"query": document, "operationName": operation, "variables": dict(variables)}).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        repeatable=not is_mutation(operation) if repeatable is None else repeatable,
        sleep=sleep,
    )
    _watch_version(answer, wanted)
    whole = json.loads(answer.body)
    left = _status(whole).get("currentlyAvailable")
    return Reply(answer.body, whole["data"], float(left) if isinstance(left, int | float) else None)


def judge(answer: Answer, operation: str) -> None:
    """Read an answer's status and errors.

    Raises:
        Temporary, Withdrawn, Permanent, Surprise: as `ask` says.
    """
    request_id = answer.headers.get("x-request-id", "")
    more: dict[str, Any] = {"request_id": request_id, "status": answer.status}
    if answer.status in _CLOSED_STATUS:
        wait = retry_after(answer.headers)
        raise Temporary(f"The store {_CLOSED_STATUS[answer.status]}.", retry_after=wait or _CLOSED_SECONDS, **more)
    judge_status(answer, request_id=request_id, where="Shopify")
    try:
        whole = json.loads(answer.body)
    except (ValueError, RecursionError):
        if answer.body.lstrip().startswith(b"{") or not answer.body:
            raise Temporary(f"Shopify's answer to {operation} came cut off.", **more) from None
        raise Surprise(f"Shopify's answer to {operation} is no JSON.", **more) from None
    if not isinstance(whole, dict):
        raise Surprise(f"Shopify's answer to {operation} is no object.", **more)
    errors = whole.get("errors")
    if errors:
        _raise(errors, whole, operation, more)
    if not isinstance(whole.get("data"), dict):
        raise Surprise(f"Shopify answered {operation} without data.", **more)


def _raise(errors: Any, whole: dict[str, Any], operation: str, more: dict[str, Any]) -> None:
    listed = [
        error if isinstance(error, dict) else {"message": error} for error in (errors if isinstance(errors, list) else [errors])
    ]
    codes = [str((error.get("extensions") or {}).get("code") or "") for error in listed]
    text = "; ".join(str(error.get("message") or "no reason")[:300] for error in listed[:3])
    if "THROTTLED" in codes:
        raise Temporary(f"Shopify has too few points left for {operation}.", retry_after=_wait(whole), **more)
    if is_mutation(operation) and any(value is not None for value in (whole.get("data") or {}).values()):
        raise Surprise(f"{operation} may have been done, but Shopify says: {text}", **more)
    if "MAX_COST_EXCEEDED" in codes:
        raise TooDear(f"{operation} is too dear for one query: {text}", **more)
    if "SHOP_INACTIVE" in codes:
        raise Temporary("The store is not active.", retry_after=_CLOSED_SECONDS, **more)
    if "IDEMPOTENCY_CONCURRENT_REQUEST" in codes:
        raise Temporary(f"{operation} is running already under this key.", retry_after=5.0, **more)
    if "INTERNAL_SERVER_ERROR" in codes or "TIMEOUT" in codes:
        raise Temporary(f"Shopify is in trouble with {operation}: {text}", **more)
    if "UNAUTHORIZED" in codes:
        raise Withdrawn("Shopify does not accept the login any more.", **more)
    raise Permanent(f"Shopify refuses {operation}: {text}", **more)


def _status(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    status = ((whole.get("extensions") or {}).get("cost") or {}).get("throttleStatus")
    return status if isinstance(status, dict) else {}


def _wait(whole: Mapping[str, Any]) -> float | None:
    """Seconds until the bucket holds what the call needs, at least one; None when Shopify tells no figures."""
    try:
        needed = float(whole["extensions"]["cost"]["requestedQueryCost"])
        status = _status(whole)
        return max(1.0, (needed - float(status["currentlyAvailable"])) / float(status["restoreRate"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _watch_version(answer: Answer, wanted: str) -> None:
    ran = answer.headers.get("x-shopify-api-version", "")
    if ran and ran != wanted:
        logger.warning("Shopify ran version %s instead of %s, which is past its time.", ran[:20], wanted)
    if reason := answer.headers.get("x-shopify-api-deprecated-reason"):
        logger.warning("Shopify calls something in use deprecated: %s", reason[:200])


@dataclass(frozen=True)
class Failure:
    """One thing that a write did not do. `index` is the place in what was asked, None when the whole is meant."""

    code: str
    message: str
    field: tuple[str, ...] = ()
    index: int | None = None


def failures(payload: Any, *, list_name: str = "") -> tuple[Failure, ...]:
    """The `userErrors` of a mutation's payload; a number behind `list_name` in a field's path is the place in that list."""
    found = []
    for error in (payload or {}).get("userErrors") or ():
        path = tuple(str(part) for part in error.get("field") or ())
        after = path[path.index(list_name) + 1 :] if list_name in path else ()
        index = int(after[0]) if after and after[0].isdigit() else None
        found.append(Failure(str(error.get("code") or ""), str(error.get("message") or "")[:300], path, index))
    return tuple(found)
