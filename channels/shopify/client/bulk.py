"""Bulk operations: Shopify runs a query over everything by itself and puts the result into a file of JSON lines.

For the first reading of a large store. Bulk orders hold no refunds (Shopify refuses lists within lists there): the pages of orders
that were refunded must be read too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from channels.fetched import FetchedPage
from channels.shopify.auth import Login, Sleep
from channels.shopify.client.documents import bulk_query
from channels.shopify.client.graphql import ask, failures
from channels.shopify.client.walk import changed
from nova.http import Answer, Permanent, Surprise, Temporary, call, judge_status

#: What can be asked for -> the document kind of the result.
SUBJECTS = {"orders": "orders", "stock": "inventory_levels_bulk"}
_ANY_TIME = "updated_at:>=2000-01-01"
#: Statuses after which nothing comes any more.
_ENDED = frozenset({"COMPLETED", "CANCELED", "FAILED", "EXPIRED"})


@dataclass(frozen=True)
class BulkJob:
    """A bulk operation. `url` is signed: who has it can read the result, for seven days; "" where there is none."""

    id: str
    status: str
    error: str = ""
    rows: int = 0
    url: str = field(default="", repr=False)

    @property
    def is_ended(self) -> bool:
        return self.status in _ENDED

    @property
    def is_done(self) -> bool:
        return self.status == "COMPLETED"


def bulk_start(
    login: Login,
    subject: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    session: requests.Session,
    sleep: Sleep = time.sleep,
) -> BulkJob:
    """Let Shopify gather "orders" (that changed from `start` until before `end`) or all "stock".

    Raises:
        Temporary: too many are running. Permanent: the query is refused. And what `ask` raises; it is never sent twice.
    """
    query = bulk_query(subject)
    search = changed(start, end) if subject == "orders" else None
    if search:
        query = query.replace(_ANY_TIME, search)
    reply = ask(login, "BulkRun", {"query": query}, session=session, repeatable=False, sleep=sleep)
    payload = reply.data.get("bulkOperationRunQuery")
    failed = failures(payload)
    if any(failure.code in ("LIMIT_REACHED", "OPERATION_IN_PROGRESS") for failure in failed):
        raise Temporary("Too many bulk operations are running in the store.", retry_after=60.0)
    if failed:
        raise Permanent(f"Shopify refuses the bulk query: {failed[0].message}")
    made = (payload or {}).get("bulkOperation")
    if not isinstance(made, dict):
        raise Surprise("Shopify started no bulk operation, and does not say why.")
    return _job(made)


def bulk_poll(login: Login, job_id: str, *, session: requests.Session, sleep: Sleep = time.sleep) -> BulkJob:
    """How far it is. Ask every few seconds at first, then every minute; the message `bulk_operations/finish` may not come.

    Raises:
        Permanent: Shopify does not know it (any more). And what `ask` raises.
    """
    found = ask(login, "BulkStatus", {"id": job_id}, session=session, sleep=sleep).data.get("bulkOperation")
    if not isinstance(found, dict):
        raise Permanent("Shopify does not know this bulk operation (any more).")
    return _job(found)


def bulk_download(job: BulkJob, subject: str, *, session: requests.Session, sleep: Sleep = time.sleep) -> FetchedPage | None:
    """The result as one page; None when there are no rows. The address is signed, so no token goes with the call.

    Raises:
        Permanent: it did not end well (by its code), or the address is none. Temporary, Surprise: by the network.
    """
    if not job.is_done:
        raise Permanent(
            f"The bulk operation is {job.status.lower()}{f' ({job.error})' if job.error else ''}; it has no whole result."
        )
    if not job.url:
        return None
    parts, own = urlsplit(job.url), urlsplit(str(settings.NOVA_SHOPIFY_URL))
    if parts.scheme != "https" and (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
        raise Permanent("The result of the bulk operation lies at an address that is not safe to ask.")

    def whole(answer: Answer) -> None:
        judge_status(answer, where="The store of bulk results")
        if not answer.body.rstrip().endswith(b"}"):
            raise Temporary("The result of the bulk operation came cut off.", status=answer.status)

    answer = call(session, "GET", job.url, judge=whole, repeatable=True, sleep=sleep)
    lines = [line for line in answer.body.splitlines() if line.strip()]
    if job.rows and len(lines) < job.rows:
        raise Temporary("The result of the bulk operation holds fewer rows than Shopify counted.")
    number = job.id.rsplit("/", 1)[-1]
    return FetchedPage(SUBJECTS[subject], f"bulk {number}", answer.body, "", len(lines))


def _job(node: dict[str, Any]) -> BulkJob:
    rows = str(node.get("objectCount") or "0")
    return BulkJob(
        id=str(node["id"]),
        status=str(node.get("status") or "").upper(),
        error=str(node.get("errorCode") or ""),
        rows=int(rows) if rows.isdigit() else 0,
        url=str(node.get("url") or ""),
    )
