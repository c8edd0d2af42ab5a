"""Finances 2024-06-19 (transactions) and transfers 2024-06-01 (payouts, read only: Nova never starts a payout)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from channels.amazon.client.caller import Caller, Reply, moment
from channels.amazon.client.walk import Stretch, walk
from channels.amazon.client.windows import windows
from channels.fetched import FetchedPage

#: A longer window answers with nothing at all.
LONGEST = timedelta(days=180)


def transaction_pages(caller: Caller, *, start: datetime, end: datetime, resume: str = "") -> Iterator[FetchedPage]:
    """Transactions posted between two aware moments, in windows of 180 days at most. All states, all marketplaces.

    A page may be empty and still not be the last. Sales of the last 48 hours can be missing: overlap windows by as much. A
    deferred sale comes again in another state.
    """
    stretches = [
        Stretch(name, partial(_transactions, caller, after, before))
        for name, after, before in windows(start, end, now=caller.clock(), longest=LONGEST, resume=resume)
    ]
    return walk(
        "finances",
        stretches,
        resume=resume,
        count=lambda reply: len(reply.rows("payload", "transactions", needed=False)),
        next_token=lambda reply: reply.token("payload", "nextToken"),
    )


def _transactions(caller: Caller, after: datetime, before: datetime, token: str) -> Reply:
    params = {"postedAfter": moment(after), "postedBefore": moment(before)} | ({"nextToken": token} if token else {})
    return caller.ask("listTransactions", "GET", "/finances/2024-06-19/transactions", params=params, repeatable=True)


def payout_pages(caller: Caller, *, start: datetime, end: datetime, resume: str = "") -> Iterator[FetchedPage]:
    """Payouts made between two aware moments. Their state changes later: ask again until PAID, FAILED or CANCELLED.

    A payout names its settlement (SETTLEMENT_ID); its amount is that settlement's total.
    """
    stretches = [
        Stretch(name, partial(_payouts, caller, after, before))
        for name, after, before in windows(start, end, now=caller.clock(), longest=LONGEST, resume=resume)
    ]
    return walk(
        "payouts",
        stretches,
        resume=resume,
        count=lambda reply: len(reply.rows("payouts", needed=False)),
        next_token=lambda reply: reply.token("nextToken"),
    )


def _payouts(caller: Caller, after: datetime, before: datetime, token: str) -> Reply:
    params = {"createdAfter": moment(after), "createdBefore": moment(before), **_marketplaces(caller)}
    params |= {"nextToken": token} if token else {}
    return caller.ask("listPayouts", "GET", "/finances/transfers/2024-06-01/payouts", params=params, repeatable=True)


def expected_payout_pages(caller: Caller, *, resume: str = "") -> Iterator[FetchedPage]:
    """The payouts that Amazon expects to make next, as of now."""

    def ask(token: str) -> Reply:
        params = _marketplaces(caller) | ({"nextToken": token} if token else {})
        path = "/finances/transfers/2024-06-01/payouts/expected"
        return caller.ask("listExpectedPayouts", "GET", path, params=params, repeatable=True)

    return walk(
        "expected_payouts",
        [Stretch("now", ask)],
        resume=resume,
        count=lambda reply: len(reply.rows("expectedPayouts", needed=False)),
        next_token=lambda reply: reply.token("nextToken"),
    )


def _marketplaces(caller: Caller) -> dict[str, str]:
    return {"marketplaceIds": ",".join(caller.login.marketplace_ids)} if caller.login.marketplace_ids else {}
