"""One door to everything that is read page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import requests

from channels.fetched import FetchedPage
from channels.shopify.auth import Login, Sleep
from channels.shopify.client.fulfilment import fulfilment_order_pages
from channels.shopify.client.orders import order_pages
from channels.shopify.client.payments import balance_pages, payout_pages
from channels.shopify.client.stock import level_pages, plain_pages
from channels.shopify.client.walk import zulu
from nova.http import Surprise

_READERS = {
    "orders": order_pages,
    "payouts": payout_pages,
    "balance_transactions": balance_pages,
    "fulfilment_orders": fulfilment_order_pages,
    "inventory_levels": level_pages,
}
_PLAIN = ("locations", "variants", "inventory_items")
#: What `pages` reads. The first three are document kinds, which the parsers take as they come.
KINDS = (*_READERS, *_PLAIN)


def pages(
    login: Login,
    kind: str,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """Everything of a kind that changed from `start` until before `end` (aware; None: no limit), page by page, from `resume` on.

    Pages without rows are not told, so the last page may name a resume word after which nothing comes.

    What may repeat, or come in the next span only: what changes while its span is read moves to the span of its new time, and a page
    that was read before stays as it was. Spans should therefore overlap by some minutes. Payouts are known by days and come once
    for each day's call; a payout that is not paid yet can still grow; transactions that no payout holds yet ("pending") come with
    every call until a payout does. A store without Shopify Payments has no payouts, which is no error. Locations come whole.

    Raises:
        ValueError: no such kind, or a moment without zone. Temporary, Withdrawn, Permanent, Surprise: as `graphql.ask` says.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is nothing that is read from Shopify page by page")
    for moment in (start, end):
        if moment is not None:
            zulu(moment)
    if kind in _PLAIN:
        found = plain_pages(login, kind, start=start, end=end, session=session, resume=resume, sleep=sleep)
    else:
        found = _READERS[kind](login, start=start, end=end, session=session, resume=resume, sleep=sleep)
    return _as_promised(kind, found)


def _as_promised(kind: str, found: Iterator[FetchedPage]) -> Iterator[FetchedPage]:
    """An answer that lacks what every answer of the API has is a surprise, not a fault of this machine."""
    try:
        yield from found
    except (KeyError, TypeError, AttributeError) as error:
        raise Surprise(f"Shopify's answer for {kind} is not of the shape that its schema promises.") from error
