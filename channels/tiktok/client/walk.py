"""Going through the pages of a list: to its end, never twice over the same page, never past a limit, from where one left off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from channels.tiktok.client.calls import Client, Told
from nova.http import Permanent, Surprise

#: More pages than this in one window are a loop, not a shop.
MOST_PAGES = 20_000


@dataclass(frozen=True)
class Place:
    """Where a walk goes on: after page `number`, from `since` (unix seconds, 0: the window's start) with TikTok's page `token`.
    `list_number` and the rest are of the list that a nested walk goes through (statements, products, days)."""

    number: int = 0
    since: int = 0
    token: str = ""
    inside: str = ""
    inside_number: int = 0
    inside_token: str = ""

    def text(self) -> str:
        """The place as text, for `FetchedPage.resume`."""
        return orjson.dumps([self.number, self.since, self.token, self.inside, self.inside_number, self.inside_token]).decode()


def place_of(resume: str) -> Place:
    """The place that a text names; the start for "".

    Raises:
        Permanent: it is no place.
    """
    if not resume:
        return Place()
    try:
        number, since, token, inside, inside_number, inside_token = orjson.loads(resume)
        return Place(int(number), int(since), str(token), str(inside), int(inside_number), str(inside_token))
    except (orjson.JSONDecodeError, TypeError, ValueError):
        raise Permanent("The place to resume at is not one of TikTok's client; start the window anew.") from None


@dataclass(frozen=True)
class Listing:
    """A list of TikTok: the call, the name of its rows, and how it is filtered.

    `since`, `until` name the window's filters, "" for none (`until_included`: TikTok's takes the last second too), in the
    query or the body. Where rows can be sorted by the filtered time (`sort`, the field of a row), each page is asked from the last
    time of the page before on instead of by token: rows that meanwhile left the window then shift no other past the reader.
    """

    call: str
    rows: str
    size: int
    since: str
    until: str
    in_body: bool
    sort: str = ""
    row_time: str = ""
    until_included: bool = False
    query: tuple[tuple[str, str], ...] = ()
    body: tuple[tuple[str, Any], ...] = ()


def walk(
    client: Client, listing: Listing, start: int, end: int, place: Place | None = None
) -> Iterator[tuple[Place, Told, Place | None]]:
    """Each page of a window: the place it was asked at, the page, and the place of the next (None after the last).

    Raises:
        Surprise: TikTok gives the same page token twice, or does not come to an end.
    """
    here: Place | None = place or Place()
    tokens: set[tuple[int, str]] = set()
    while here is not None:
        told = _page(client, listing, start, end, here)
        following = _next(listing, told, start, here)
        yield here, told, following
        if following is not None:
            mark = (following.since, following.token)
            if mark in tokens or following.number > MOST_PAGES:
                raise Surprise(f"TikTok's list of {listing.rows} does not come to an end.", request_id=told.request_id)
            tokens.add(mark)
        here = following


def page_at(client: Client, listing: Listing, start: int, end: int, place: Place) -> tuple[Told, Place | None]:
    """One page of a window, and the place of the next."""
    told = _page(client, listing, start, end, place)
    return told, _next(listing, told, start, place)


def _page(client: Client, listing: Listing, start: int, end: int, place: Place) -> Told:
    query = {"page_size": str(listing.size), **dict(listing.query)}
    body: dict[str, Any] = dict(listing.body)
    since, until = max(start, place.since), end - 1 if listing.until_included else end
    if not listing.since:
        pass  # a list without a window
    elif listing.in_body:
        body |= {listing.since: since, listing.until: until}
    else:
        query |= {listing.since: str(since), listing.until: str(until)}
    if listing.sort:
        query |= {"sort_field": listing.sort, "sort_order": "ASC"}
    if place.token:
        query["page_token"] = place.token
    return client.ask(listing.call, query=query, body=body or None, repeatable=True)


def _next(listing: Listing, told: Told, start: int, place: Place) -> Place | None:
    token = str(told.data.get("next_page_token") or "")
    if not token:
        return None
    times = _times(listing, told)
    since = max(start, place.since)
    if times and times == sorted(times) and times[0] >= since and times[-1] > since:
        return Place(number=place.number + 1, since=times[-1])
    return Place(number=place.number + 1, since=place.since, token=token)


def _times(listing: Listing, told: Told) -> list[int]:
    """The times of a page's rows; none where one of them does not tell it."""
    if not listing.row_time:
        return []
    texts = [str(row.get(listing.row_time) or "") for row in told.rows(listing.rows)]
    return [int(text) for text in texts] if all(text.isdigit() for text in texts) else []
