"""Payouts, and what each of them pays: balance transactions joined to their payout, so that every document proves itself."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import requests

from channels.fetched import FetchedPage
from channels.shopify.auth import Login, Sleep
from channels.shopify.client.walk import walk, window
from nova.http import Permanent, Surprise

PAYOUTS_PER_PAGE = 50
TRANSACTIONS_PER_PAGE = 250
#: 250,000 transactions in one payout.
_MOST_PAGES_OF_PAYOUT = 1000
_PAYOUTS, _TRANSACTIONS = ("shopifyPaymentsAccount", "payouts"), ("shopifyPaymentsAccount", "balanceTransactions")
#: How a resume word begins once all payouts are done and what no payout holds yet is read.
_PENDING = "pending:"


def _issued(start: datetime | None, end: datetime | None) -> str | None:
    """Payouts are known by days: those of both ends are in."""
    terms = [f"issued_at:>='{start.astimezone(UTC).date()}'"] if start else []
    terms += [f"issued_at:<='{end.astimezone(UTC).date()}'"] if end else []
    return " ".join(terms) or None


def payout_pages(
    login: Login,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """Payouts issued on the days from `start` to `end`, both included. Nothing when the store has no Shopify Payments."""
    for reply, connection, following in walk(
        login,
        "Payouts",
        _PAYOUTS,
        {"query": _issued(start, end)},
        first=PAYOUTS_PER_PAGE,
        session=session,
        after=resume,
        sleep=sleep,
    ):
        rows = len(connection.get("edges") or [])
        if rows:
            yield FetchedPage("payouts", f"payouts {window(start, end)} {resume}".strip(), reply.body, following, rows)
        resume = following


def balance_pages(
    login: Login,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """One page per payout of these days, with all its transactions; then those that no payout holds yet, whatever their date."""
    if not resume.startswith(_PENDING):
        variables = {"query": _issued(start, end)}
        for _reply, connection, _following in walk(
            login, "Payouts", _PAYOUTS, variables, first=PAYOUTS_PER_PAGE, session=session, after=resume, sleep=sleep
        ):
            for edge in connection.get("edges") or []:
                yield _whole_payout(login, edge["node"], str(edge["cursor"]), session, sleep)
        resume = _PENDING
    after = resume.removeprefix(_PENDING)
    variables = {"query": "payout_status:pending"}
    for reply, connection, following in walk(
        login,
        "BalanceTransactions",
        _TRANSACTIONS,
        variables,
        first=TRANSACTIONS_PER_PAGE,
        session=session,
        after=after,
        sleep=sleep,
    ):
        rows = len(connection.get("nodes") or [])
        if rows:
            going_on = f"{_PENDING}{following}" if following else ""
            yield FetchedPage("balance_transactions", f"pending {after}".strip(), reply.body, going_on, rows)
        after = following


def _whole_payout(login: Login, payout: dict[str, Any], cursor: str, session: requests.Session, sleep: Sleep) -> FetchedPage:
    number = str(payout.get("legacyResourceId") or "") or str(payout["id"]).rsplit("/", 1)[-1]
    if not re.fullmatch(r"\d+", number):
        raise Surprise("A payout has no number that its transactions can be asked by.")
    found: list[dict[str, Any]] = []
    account = None
    for reply, connection, _following in walk(
        login,
        "BalanceTransactions",
        _TRANSACTIONS,
        {"query": f"payments_transfer_id:{number}"},
        first=TRANSACTIONS_PER_PAGE,
        session=session,
        most=_MOST_PAGES_OF_PAYOUT,
        sleep=sleep,
    ):
        account = reply.data["shopifyPaymentsAccount"]["id"]
        found += connection.get("nodes") or []
    for node in found:
        told = str((node.get("associatedPayout") or {}).get("id") or "").rsplit("/", 1)[-1]
        if told and told != number:  # a search term that Shopify does not know is passed over, and everything comes
            raise Permanent(f"Shopify sent transactions of other payouts than {number}.")
    body = {
        "data": {
            "shopifyPaymentsAccount": {
                "id": account,
                "payouts": {"nodes": [payout], "pageInfo": {"hasNextPage": False}},
                "balanceTransactions": {"nodes": found, "pageInfo": {"hasNextPage": False}},
            }
        }
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return FetchedPage("balance_transactions", f"payout {number}", text.encode(), cursor, len(found))
