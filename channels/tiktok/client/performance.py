"""Figures of a shop's videos, products and the shop itself: one call, with its pages, per day of the shop's own zone.

TikTok gives sums over the asked range, so a day is asked for each; they are complete the day after, and some 180 days back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from channels.fetched import FetchedPage
from channels.tiktok.client.calls import Client, Told
from channels.tiktok.client.walk import MOST_PAGES, Place
from channels.tiktok.errors import NO_FIGURES, Refused
from nova.http import Permanent, Surprise, Temporary

#: kind -> the list of its rows, the query beside dates and page
CALLS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "video_performance": ("videos", {"sort_field": "gmv", "sort_order": "DESC", "page_size": "100", "account_type": "ALL"}),
    "product_performance": ("products", {"sort_field": "gmv", "sort_order": "DESC", "page_size": "100"}),
    "shop_performance": ("performance", {"granularity": "1D"}),
}
#: Older days may be gone at TikTok, younger ones that it refuses are not ready yet.
LOOK_BACK = timedelta(days=170)
#: How soon figures that are not ready are worth asking for again, in seconds.
ASK_AGAIN = 6 * 3600.0
CURRENCY = "LOCAL"


def read(client: Client, kind: str, start: datetime, end: datetime, place: Place) -> Iterator[FetchedPage]:
    """The days from the date of `start` on and before the date of `end`; days past TikTok's look-back are left out.

    Raises:
        Temporary: the figures of a day are not ready yet.
    """
    first, last = start.date(), end.date()
    if last <= first:
        raise Permanent("Performance is read by whole days: the window holds none.")
    day = _day(place.inside) if place.inside else first
    token, number = place.inside_token, place.inside_number
    while day < last:
        tokens = {token}
        while True:
            told = _ask(client, kind, day, token)
            if told is None:
                break
            token = str(told.data.get("next_page_token") or "")
            if token and (token in tokens or number > MOST_PAGES):
                raise Surprise(f"TikTok's {kind} of {day} does not come to an end.", request_id=told.request_id)
            tokens.add(token)
            number += 1
            if token:
                following = Place(inside=day.isoformat(), inside_number=number, inside_token=token)
            else:
                following = Place(inside=(day + timedelta(days=1)).isoformat())
            more = bool(token) or day + timedelta(days=1) < last
            yield FetchedPage(kind, f"{day}/{number}", told.body, following.text() if more else "", _rows(kind, told))
            if not token:
                break
        day, token, number = day + timedelta(days=1), "", 0


def _ask(client: Client, kind: str, day: date, token: str) -> Told | None:
    query = {
        **CALLS[kind][1],
        "start_date_ge": day.isoformat(),
        "end_date_lt": (day + timedelta(days=1)).isoformat(),
        "currency": CURRENCY,
    }
    if token:
        query["page_token"] = token
    try:
        told = client.ask(kind, query=query, repeatable=True)
    except Refused as error:
        if error.code != NO_FIGURES:
            raise
        if datetime.fromtimestamp(client.clock(), UTC).date() - day > LOOK_BACK:
            return None
        raise _not_ready(kind, day, error.request_id) from None
    latest = str(told.data.get("latest_available_date") or "")[:10]
    if latest and latest < day.isoformat():
        raise _not_ready(kind, day, told.request_id)
    return told


def _not_ready(kind: str, day: date, request_id: str) -> Temporary:
    return Temporary(f"TikTok has no {kind.replace('_', ' ')} of {day} yet.", retry_after=ASK_AGAIN, request_id=request_id)


def _rows(kind: str, told: Told) -> int:
    rows: Any = told.data.get(CALLS[kind][0])
    if isinstance(rows, dict):
        rows = rows.get("intervals", [rows])
    return len(rows) if isinstance(rows, list) else 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Permanent("The place to resume at is not a day; start the window anew.") from None
