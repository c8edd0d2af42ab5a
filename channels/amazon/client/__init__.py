"""Nova's client of Amazon's Selling Partner API: `pages` reads, the modules beside it write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import requests

from channels.amazon.auth import Login
from channels.amazon.client.caller import Caller
from channels.amazon.client.finance import expected_payout_pages, payout_pages, transaction_pages
from channels.amazon.client.orders import order_pages
from channels.amazon.client.reports import REPORTS, report_pages, settlement_pages
from channels.amazon.client.stock import inventory_pages, marketplace_pages
from channels.fetched import FetchedPage

__all__ = ["KINDS", "Caller", "pages", "pages_of"]

#: Kinds that `pages` can fetch.
KINDS = (
    "finances",
    "settlement_v2",
    "orders",
    "payouts",
    "expected_payouts",
    "fba_inventory",
    "marketplaces",
    *REPORTS,
)


def pages(
    login: Login, kind: str, *, start: datetime, end: datetime, session: requests.Session, resume: str = ""
) -> Iterator[FetchedPage]:
    """All pages of one kind between two aware moments; of kinds that only know the present, as of now.

    `resume` goes on after a page that was kept. What may come twice, and by how much windows must overlap, is said by the
    functions below; the end of a window is never later than two minutes ago. Pages may have no rows.

    Raises:
        ValueError: a kind that this client does not fetch, or a moment without a time zone.
        Temporary, Permanent, Withdrawn, Surprise: see `channels.amazon.client.caller.Caller.ask`.
    """
    return pages_of(Caller(login, session), kind, start=start, end=end, resume=resume)


def pages_of(caller: Caller, kind: str, *, start: datetime, end: datetime, resume: str = "") -> Iterator[FetchedPage]:
    """`pages` with a caller that is kept, so that its access token is too."""
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("A window needs moments with a time zone.")
    if kind == "finances":
        return transaction_pages(caller, start=start, end=end, resume=resume)
    if kind == "settlement_v2":
        return settlement_pages(caller, start=start, end=end, resume=resume)
    if kind == "orders":
        return order_pages(caller, start=start, end=end, resume=resume)
    if kind == "payouts":
        return payout_pages(caller, start=start, end=end, resume=resume)
    if kind == "expected_payouts":
        return expected_payout_pages(caller, resume=resume)
    if kind == "fba_inventory":
        return inventory_pages(caller, resume=resume)
    if kind == "marketplaces":
        return marketplace_pages(caller)
    if kind in REPORTS:
        return report_pages(caller, kind, start=start, end=end)
    raise ValueError(f"Amazon has no pages of kind {kind!r}.")
