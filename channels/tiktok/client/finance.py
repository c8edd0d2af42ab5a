"""Statements, what stands in them, and what stands in them about each order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from channels.fetched import FetchedPage
from channels.tiktok.client.calls import Client, Told
from channels.tiktok.client.walk import MOST_PAGES, Listing, Place, walk
from nova.http import Surprise

STATEMENTS = Listing(
    "statements",
    "statements",
    100,
    "statement_time_ge",
    "statement_time_lt",
    in_body=False,
    sort="statement_time",
    row_time="statement_time",
)


@dataclass(frozen=True)
class _Page:
    """A page of a statement; `here` is its place, `following` that of the next page of the window (None after the last)."""

    statement: str
    here: Place
    told: Told
    following: Place | None


def read_statement_transactions(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
    """Every page of every statement that closed in the window."""
    for page in _statement_pages(client, start, end, place):
        yield FetchedPage(
            "statement_transactions",
            f"{page.statement}/{page.here.inside_number + 1}",
            page.told.body,
            page.following.text() if page.following else "",
            len(page.told.rows("transactions")),
        )


def read_order_transactions(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
    """By SKU, what all statements say of each order that stands in a statement of the window."""
    seen: set[str] = set()
    for page in _statement_pages(client, start, end, place):
        ids = [
            str(row.get("order_id") or "")
            for row in page.told.rows("transactions")
            if str(row.get("type") or "").strip().upper() == "ORDER"
        ]
        fresh = [order for order in dict.fromkeys(ids) if order and order not in seen]
        seen.update(fresh)
        for number, order in enumerate(fresh, start=1):
            following = page.following if number == len(fresh) else page.here
            yield order_transactions(client, order, following.text() if following else "")


def order_transactions(client: Client, order_id: str, resume: str = "") -> FetchedPage:
    """By SKU, what all statements say of one order; TikTok knows nothing before the order's first settlement."""
    told = client.ask("order_transactions", {"order_id": order_id}, repeatable=True)
    return FetchedPage("order_transactions", order_id, told.body, resume, len(told.rows("sku_transactions")))


def _statement_pages(client: Client, start: int, end: int, place: Place) -> Iterator[_Page]:
    seen: set[str] = set()
    wanted, wanted_number, wanted_token = place.inside, place.inside_number, place.inside_token
    outer = Place(place.number, place.since, place.token)
    for here, told, following in walk(client, STATEMENTS, start, end, outer):
        ids = [str(row.get("id") or "") for row in told.rows("statements")]
        if not all(ids):
            raise Surprise("TikTok named a statement without an id.", request_id=told.request_id)
        ids = [statement for statement in dict.fromkeys(ids) if statement not in seen]
        seen.update(ids)
        number, token = 0, ""
        if wanted in ids:
            ids = ids[ids.index(wanted) :]
            number, token = wanted_number, wanted_token
        wanted = ""
        for position, statement in enumerate(ids):
            after = replace(here, inside=ids[position + 1]) if position + 1 < len(ids) else following
            yield from _pages_of(
                client, statement, replace(here, inside=statement, inside_number=number, inside_token=token), after
            )
            number, token = 0, ""


def _pages_of(client: Client, statement: str, here: Place, after: Place | None) -> Iterator[_Page]:
    tokens = {here.inside_token}
    while True:
        query = {"page_size": "100", "sort_field": "order_create_time", "sort_order": "ASC"}
        if here.inside_token:
            query["page_token"] = here.inside_token
        told = client.ask("statement_transactions", {"statement_id": statement}, query=query, repeatable=True)
        token = str(told.data.get("next_page_token") or "")
        if not token:
            yield _Page(statement, here, told, after)
            return
        if token in tokens or here.inside_number > MOST_PAGES:
            raise Surprise(f"Statement {statement} does not come to an end.", request_id=told.request_id)
        tokens.add(token)
        following = replace(here, inside_number=here.inside_number + 1, inside_token=token)
        yield _Page(statement, here, told, following)
        here = following
