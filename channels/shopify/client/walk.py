"""Reads connections page by page, in pages as large as Shopify lets them be, with an end to every loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import requests

from channels.shopify.auth import Login, Sleep
from channels.shopify.client.graphql import Reply, TooDear, ask
from nova.http import Surprise

#: Pages of one walk; a walk that does not end by then goes in circles.
MOST_PAGES = 20_000


def at(data: Any, path: Sequence[str]) -> Any:
    """The value at a path of field names; None where it ends early."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def walk(
    login: Login,
    operation: str,
    path: Sequence[str],
    variables: Mapping[str, Any],
    *,
    first: int,
    session: requests.Session,
    after: str = "",
    most: int = MOST_PAGES,
    sleep: Sleep = time.sleep,
) -> Iterator[tuple[Reply, dict[str, Any], str]]:
    """(answer, connection, cursor of the next page or "") for each page from `after` on. Nothing when the parent is null.

    A page that is too dear for one query is asked again in halves, down to one member.

    Raises:
        Surprise: not a connection, a cursor that stands still, more than `most` pages. And what `ask` raises.
    """
    for _page in range(most):
        while True:
            try:
                reply = ask(login, operation, {**variables, "first": first, "after": after or None}, session=session, sleep=sleep)
                break
            except TooDear:
                if first == 1:
                    raise
                first //= 2
        connection = at(reply.data, path)
        if connection is None:
            return
        following = next_cursor(connection, operation)
        if following and following == after:
            raise Surprise(f"The pages of {operation} stand still.")
        yield reply, connection, following
        if not following:
            return
        after = following
    raise Surprise(f"{operation} has more than {most:,} pages.")


def next_cursor(connection: Any, operation: str) -> str:
    """Where a connection goes on, "" at its end.

    Raises:
        Surprise: it goes on, but does not say where; it is no connection.
    """
    info = connection.get("pageInfo") if isinstance(connection, dict) else None
    if not isinstance(info, dict):
        raise Surprise(f"Shopify answered {operation} without saying whether it goes on.")
    if not info.get("hasNextPage"):
        return ""
    if not info.get("endCursor"):
        raise Surprise(f"Shopify answered {operation} without saying where it goes on.")
    return str(info["endCursor"])


def zulu(moment: datetime) -> str:
    """A moment as Shopify's searches take it.

    Raises:
        ValueError: a moment without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone names no moment")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def changed(start: datetime | None, end: datetime | None) -> str | None:
    """A search for what changed from `start` until before `end` (whole seconds); None without limits."""
    terms = [f"updated_at:>='{zulu(start)}'"] if start else []
    terms += [f"updated_at:<'{zulu(end)}'"] if end else []
    return " ".join(terms) or None


def window(start: datetime | None, end: datetime | None) -> str:
    """A span as part of a page's name."""
    return f"{zulu(start) if start else ''}..{zulu(end) if end else ''}"
