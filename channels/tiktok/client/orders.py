"""Orders: found by update time, read in detail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from channels.fetched import FetchedPage
from channels.tiktok.client.calls import Client, Told
from channels.tiktok.client.walk import Listing, Place, walk
from nova.http import Surprise

#: Orders that one detail call takes; a page of the search holds as many.
MOST_IDS = 50
SEARCH = Listing(
    "orders_search",
    "orders",
    MOST_IDS,
    "update_time_ge",
    "update_time_lt",
    in_body=True,
    sort="update_time",
    row_time="update_time",
)


def read(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
    """Orders changed in a window, each page the detail answer of up to 50.

    Where the detail does not give an order that the search has named, the search's own page (rows of the same shape, with
    less in them) comes before it, so that no order is lost in silence.
    """
    for here, told, following in walk(client, SEARCH, start, end, place):
        resume = following.text() if following else ""
        outside_id = f"{start}-{end}/{here.number + 1}"
        ids = list(dict.fromkeys(_id(row, told) for row in told.rows("orders")))
        if not ids:
            yield FetchedPage("orders", outside_id, told.body, resume, 0)
            continue
        detail = details(client, ids)
        found = {_id(row, detail) for row in detail.rows("orders")}
        if not found.issuperset(ids):
            yield FetchedPage("orders", f"{outside_id}/search", told.body, here.text(), len(ids))
        yield FetchedPage("orders", outside_id, detail.body, resume, len(detail.rows("orders")))


def details(client: Client, order_ids: Sequence[str]) -> Told:
    """The detail answer of up to 50 orders, also for reading anew what a webhook was about."""
    if not 0 < len(order_ids) <= MOST_IDS:
        raise ValueError(f"An order detail call takes 1 to {MOST_IDS} orders.")
    return client.ask("orders", query={"ids": ",".join(order_ids)}, repeatable=True)


def detail(client: Client, order_id: str) -> dict[str, Any] | None:
    """One order as it is now, None when the shop has none of this id."""
    told = details(client, [order_id])
    return next((row for row in told.rows("orders") if str(row.get("id") or "") == order_id), None)


def _id(row: dict[str, Any], told: Told) -> str:
    found = str(row.get("id") or "")
    if not found:
        raise Surprise("TikTok named an order without an id.", request_id=told.request_id)
    return found
