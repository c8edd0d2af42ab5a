"""What can be read of a shop, by kind, as pages of a window of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import requests

from channels.fetched import FetchedPage
from channels.tiktok.auth import Login
from channels.tiktok.client import finance, orders, performance, stock
from channels.tiktok.client.calls import Client
from channels.tiktok.client.walk import Listing, Place, place_of, walk
from nova.http import Permanent

Reader = Callable[[Client, int, int, Place], Iterator[FetchedPage]]
#: Longest window of affiliate orders that TikTok answers (about three months).
AFFILIATE_WINDOW = timedelta(days=85)

_LISTINGS = {
    "packages": Listing(
        "packages", "packages", 50, "update_time_ge", "update_time_lt", in_body=True, sort="update_time", row_time="update_time"
    ),
    "returns": Listing(
        "returns",
        "return_orders",
        50,
        "update_time_ge",
        "update_time_lt",
        in_body=True,
        sort="update_time",
        row_time="update_time",
    ),
    "cancellations": Listing(
        "cancellations",
        "cancellations",
        50,
        "update_time_ge",
        "update_time_lt",
        in_body=True,
        sort="update_time",
        row_time="update_time",
    ),
    "products": Listing(
        "products",
        "products",
        100,
        "update_time_ge",
        "update_time_le",
        in_body=True,
        until_included=True,
        body=(("status", "ALL"),),
    ),
    "statements": finance.STATEMENTS,
    "unsettled": Listing(
        "unsettled", "transactions", 100, "search_time_ge", "search_time_lt", in_body=False, sort="order_create_time"
    ),
    "payments": Listing(
        "payments", "payments", 100, "create_time_ge", "create_time_lt", in_body=False, sort="create_time", row_time="create_time"
    ),
    "withdrawals": Listing(
        "withdrawals",
        "withdrawals",
        100,
        "create_time_ge",
        "create_time_lt",
        in_body=False,
        query=(("types", "WITHDRAW,SETTLE,TRANSFER,REVERSE"),),
    ),
}
_AFFILIATE = Listing("affiliate_orders", "orders", 100, "create_time_ge", "create_time_lt", in_body=True)


def _listing(kind: str) -> Reader:
    def read(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
        listing = _LISTINGS[kind]
        for here, told, following in walk(client, listing, start, end, place):
            yield FetchedPage(
                kind,
                f"{start}-{end}/{here.number + 1}",
                told.body,
                following.text() if following else "",
                len(told.rows(listing.rows)),
            )

    return read


def _affiliate_orders(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
    step = int(AFFILIATE_WINDOW.total_seconds())
    first = int(place.inside) if place.inside.isdigit() else start
    for slice_start in range(first, end, step):
        slice_end = min(slice_start + step, end)
        inner = replace(place, inside="") if slice_start == first else Place()
        for here, told, following in walk(client, _AFFILIATE, slice_start, slice_end, inner):
            if following is not None:
                resume = replace(following, inside=str(slice_start)).text()
            else:
                resume = Place(inside=str(slice_end)).text() if slice_end < end else ""
            yield FetchedPage(
                "affiliate_orders", f"{slice_start}-{slice_end}/{here.number + 1}", told.body, resume, len(told.rows("orders"))
            )


def _single(kind: str, rows: str) -> Reader:
    """A list that TikTok gives whole, without a window."""

    def read(client: Client, start: int, end: int, place: Place) -> Iterator[FetchedPage]:
        told = client.ask(kind, repeatable=True)
        yield FetchedPage(kind, f"{start}-{end}", told.body, "", len(told.rows(rows)))

    return read


KINDS: Mapping[str, Reader] = {
    "shops": _single("shops", "shops"),
    "active_shops": _single("active_shops", "shops"),
    "warehouses": _single("warehouses", "warehouses"),
    "orders": orders.read,
    "inventory": stock.read,
    "statement_transactions": finance.read_statement_transactions,
    "order_transactions": finance.read_order_transactions,
    "affiliate_orders": _affiliate_orders,
    **{kind: _listing(kind) for kind in _LISTINGS},
}
#: Kinds whose window is whole days of the shop's own zone.
DAILY = frozenset(performance.CALLS)


def pages(
    login: Login,
    kind: str,
    *,
    start: datetime,
    end: datetime,
    session: requests.Session,
    resume: str = "",
    client: Client | None = None,
) -> Iterator[FetchedPage]:
    """What `kind` holds from `start` on and before `end` (aware), a page after the other, as TikTok answered.

    Orders, packages, returns, cancellations and products by update time; statements (and the transactions in them, and of
    their orders) by closing time; payments, withdrawals and affiliate orders by creation; unsettled ones by TikTok's search
    time. Inventory, shops and warehouses are as of now, whatever the window. Performance is one call per day: the dates of
    `start` and `end` as given, so give them in the shop's zone.

    What may repeat: rows at the border of two pages, everything changed since at the next overlap, after `resume` the pages
    around that place. What may be missing until the next round: rows of lists that TikTok does not sort (products,
    inventory, unsettled, withdrawals, affiliate orders), if they change while they are read; their absence proves nothing.
    The window is read when the iterator ends: where TikTok's last page holds nothing new, no page with resume "" comes.
    A `resume` is good for the same window only; TikTok may forget a page's token, then start the window anew.
    A given `client` (of the same login) is used, so that the caller sees a fresh cipher in `client.login`.

    Raises:
        Permanent: an unknown kind, a window without zone or end. Otherwise as every call: `AccessExpired` asks for a refresh.
    """
    if kind not in KINDS and kind not in DAILY:
        raise Permanent(f"TikTok's client does not know the kind {kind!r}.")
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise Permanent("A window needs a start before its end, both with a zone.")
    line = client or Client(login, session)
    place = place_of(resume)
    if kind in DAILY:
        yield from performance.read(line, kind, start, end, place)
        return
    yield from KINDS[kind](line, int(start.timestamp()), -(-int(end.timestamp() * 1000) // 1000), place)


#: What a message may be about -> the call that reads it, its path parameter or the filter of its search, the rows' name
_ONES: Mapping[str, tuple[str, str, str]] = {
    "package": ("package", "package_id", ""),
    "product": ("product", "product_id", ""),
    "tracking": ("tracking", "order_id", "tracking"),
    "return": ("returns", "return_ids", "return_orders"),
    "cancellation": ("cancellations", "cancel_ids", "cancellations"),
}


def one(client: Client, noun: str, outside_id: str) -> FetchedPage:
    """One thing as it is now, such as a webhook was about: an order, package, product, return, cancellation, or the tracking
    events of an order. `rows` is 0 when the shop has none of this id.

    The page's kind is that of the list where it has the list's shape ("orders", "returns", "cancellations"), else the noun.

    Raises:
        Permanent: a noun that cannot be read by itself, or no id. Otherwise as every call.
    """
    if noun == "order":
        told = orders.details(client, [outside_id])
        return FetchedPage("orders", outside_id, told.body, "", len(told.rows("orders")))
    if noun not in _ONES or not outside_id:
        raise Permanent(f"TikTok's client cannot read one {noun or 'thing without a name'} by its id {outside_id!r}.")
    call, name, rows = _ONES[noun]
    if call in _LISTINGS:
        told = client.ask(call, query={"page_size": "10"}, body={name: [outside_id]}, repeatable=True)
    else:
        told = client.ask(call, {name: outside_id}, repeatable=True)
    return FetchedPage(call, outside_id, told.body, "", len(told.rows(rows)) if rows else int(bool(told.data)))
