"""Reports 2021-06-30: settlements (Amazon makes them, they are only found) and reports that are asked for.

A report that is asked for is made in minutes; `report_pages` looks for one that was asked for before it asks again, so that a
run which was stopped goes on with it. None of the types here needs restricted data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from channels.amazon.auth import api_url, is_this_machine
from channels.amazon.client.caller import Caller, moment, text
from channels.amazon.client.documents import readable_text
from channels.fetched import FetchedPage
from nova.http import Answer, Permanent, Surprise, Temporary, call, judge_status

SETTLEMENT_V2 = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
#: Amazon keeps reports for 90 days.
KEPT = timedelta(days=90)
#: A window of reports is listed to its end, 100 a page.
_MOST_LIST_PAGES = 50
_WAITING = ("IN_QUEUE", "IN_PROGRESS")
#: How a store refuses an address that is too old.
_EXPIRED = (400, 401, 403)


@dataclass(frozen=True)
class ReportType:
    """A report to ask for: Amazon's name, its fixed options, and whether it is about a span of time or about now."""

    name: str
    options: Mapping[str, str]
    spans: bool = True
    #: A snapshot that was asked for less than this ago is taken instead of a new one.
    fresh: timedelta = timedelta(minutes=30)


#: kind of page -> report
REPORTS = {
    "fba_inventory_report": ReportType("GET_FBA_MYI_ALL_INVENTORY_DATA", {}, spans=False),
    "fba_reimbursements": ReportType("GET_FBA_REIMBURSEMENTS_DATA", {}),
    "fba_storage_fees": ReportType("GET_FBA_STORAGE_FEE_CHARGES_DATA", {}),
    "fba_longterm_storage_fees": ReportType("GET_FBA_FULFILLMENT_LONGTERM_STORAGE_FEE_CHARGES_DATA", {}),
    "fba_ledger": ReportType(
        "GET_LEDGER_SUMMARY_VIEW_DATA", {"aggregateByLocation": "COUNTRY", "aggregatedByTimePeriod": "DAILY"}
    ),
    "fba_ledger_detail": ReportType("GET_LEDGER_DETAIL_VIEW_DATA", {}),
}


@dataclass(frozen=True)
class Report:
    """A report as Amazon knows it. `state` is IN_QUEUE, IN_PROGRESS, DONE, CANCELLED (also: there is no data) or FATAL."""

    report_id: str
    report_type: str
    state: str
    document_id: str
    created_at: str
    data_from: str
    data_until: str
    marketplace_ids: tuple[str, ...]


def _read(row: Mapping[str, Any]) -> Report:
    if not row.get("reportId") or not row.get("processingStatus"):
        raise Surprise("Amazon told of a report without an id or a state.")
    return Report(
        text(row["reportId"]),
        text(row.get("reportType")),
        text(row["processingStatus"]),
        text(row.get("reportDocumentId")),
        text(row.get("createdTime")),
        text(row.get("dataStartTime")),
        text(row.get("dataEndTime")),
        tuple(text(market) for market in row.get("marketplaceIds") or ()),
    )


def list_reports(caller: Caller, types: Sequence[str], *, since: datetime, until: datetime) -> list[Report]:
    """Reports of some types created between two aware moments, each once, oldest first; 90 days back at most.

    Raises: see `Caller.ask`. Surprise: more pages than a shop can have.
    """
    since = max(since, caller.clock() - KEPT + timedelta(minutes=10))
    if since >= until:
        return []
    first = {"reportTypes": ",".join(types), "createdSince": moment(since), "createdUntil": moment(until), "pageSize": "100"}
    found: dict[str, Report] = {}
    params = first
    for _ in range(_MOST_LIST_PAGES):
        reply = caller.ask("getReports", "GET", "/reports/2021-06-30/reports", params=params, repeatable=True)
        for row in reply.rows("reports"):
            report = _read(row)
            found[report.report_id] = report
        token = reply.token("nextToken")
        if not token:
            return sorted(found.values(), key=lambda report: (report.created_at, report.report_id))
        params = {"nextToken": token}  # alone: Amazon refuses it beside other parameters
    raise Surprise(f"Amazon lists more than {_MOST_LIST_PAGES} pages of reports; ask for a shorter time.")


def request_report(
    caller: Caller,
    report_type: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    options: Mapping[str, str] | None = None,
) -> str:
    """Ask Amazon to make a report of the login's marketplaces; returns its id. Twice makes two reports: never repeated."""
    body: dict[str, Any] = {"reportType": report_type, "marketplaceIds": list(caller.marketplaces()[:25])}
    if start is not None:
        body["dataStartTime"] = moment(start)
    if end is not None:
        body["dataEndTime"] = moment(end)
    if options:
        body["reportOptions"] = dict(options)
    reply = caller.ask("createReport", "POST", "/reports/2021-06-30/reports", body=body, repeatable=False)
    if not reply.data.get("reportId"):
        raise Surprise("Amazon took a report but told no id.", request_id=reply.request_id)
    return text(reply.data["reportId"])


def read_report(caller: Caller, report_id: str) -> Report:
    """The state of a report."""
    path = f"/reports/2021-06-30/reports/{quote(report_id, safe='')}"
    return _read(caller.ask("getReport", "GET", path, repeatable=True).data)


def download(caller: Caller, document_id: str) -> bytes:
    """The content of a report, unpacked, as text that reads right without its headers (see `readable_text`).

    Its address holds for five minutes and takes no token: where it is refused, a new one is asked for, once.

    Raises:
        Temporary: the content is cut off. Surprise: an address that is not https, or content that is no text.
    """
    for last in (False, True):
        path = f"/reports/2021-06-30/documents/{quote(document_id, safe='')}"
        reply = caller.ask("getReportDocument", "GET", path, repeatable=True)
        address, packed = text(reply.data.get("url")), text(reply.data.get("compressionAlgorithm"))
        if urlsplit(address).scheme != "https" and not _is_ours(caller, address):
            raise Surprise("Amazon named an address of a report that is not https.", request_id=reply.request_id)
        if packed not in ("", "GZIP"):
            raise Surprise(f"Amazon packed a report as {packed[:20]}, which Nova does not know.", request_id=reply.request_id)
        content: list[bytes] = []

        def judge(answer: Answer, content: list[bytes] = content) -> None:
            if answer.status in _EXPIRED:  # it says nothing about the login
                raise Permanent("Amazon's store does not give out the report.", status=answer.status)
            judge_status(answer, where="The store of Amazon's reports")
            content[:] = [readable_text(answer)]

        try:
            call(caller.session, "GET", address, judge=judge, repeatable=True, sleep=caller.sleep)
        except Permanent as error:
            if last or error.status not in _EXPIRED:
                raise
            continue
        return content[0]
    raise AssertionError("the second attempt returns or raises")


def _is_ours(caller: Caller, address: str) -> bool:
    """Plain http is taken only where the API itself is on this machine."""
    return is_this_machine(address) and is_this_machine(api_url(caller.login.region))


def settlement_pages(caller: Caller, *, start: datetime, end: datetime, resume: str = "") -> Iterator[FetchedPage]:
    """Settlement files that Amazon made between two aware moments, oldest first, each once; `outside_id` is the report's id.

    One file holds one settlement whole. A file that Amazon was still making is left out: overlap windows by some days.
    Documents may be fetched once a minute (15 at once): Temporary then says how long to wait.
    """
    reports = list_reports(caller, [SETTLEMENT_V2], since=start, until=min(end, caller.clock()))
    done = [report for report in reports if report.state == "DONE" and report.document_id]
    waiting = [(report.created_at, report.report_id) for report in done]
    begin = _last_taken(resume)
    left = [report for report, key in zip(done, waiting, strict=True) if key > begin]
    for number, report in enumerate(left, start=1):
        body = download(caller, report.document_id)
        after = json.dumps([report.created_at, report.report_id]) if number < len(left) else ""
        yield FetchedPage("settlement_v2", report.report_id, body, after, max(body.count(b"\n") - 1, 0))


def _last_taken(resume: str) -> tuple[str, str]:
    """Time and id of the last file that was taken. Raises ValueError: not what `settlement_pages` has written."""
    if not resume:
        return "", ""
    try:
        created_at, report_id = json.loads(resume)
    except (ValueError, TypeError):
        raise ValueError("This is no place to go on from.") from None
    return str(created_at), str(report_id)


def report_pages(
    caller: Caller, kind: str, *, start: datetime, end: datetime, polls: int = 20, poll_seconds: float = 15.0
) -> Iterator[FetchedPage]:
    """A report of a span of time (or of now, for a snapshot), as one page; none where Amazon says that there is no data.

    Raises:
        Temporary: Amazon is still at it after `polls` looks; the next call goes on with the same report.
        Permanent: Amazon could not make it. Others: see `Caller.ask`.
    """
    wanted = REPORTS[kind]
    span = (start, end) if wanted.spans else (None, None)
    report = _asked_before(caller, wanted, start, end)
    if report is None:
        report = read_report(caller, request_report(caller, wanted.name, start=span[0], end=span[1], options=wanted.options))
    for _ in range(polls):
        if report.state not in _WAITING:
            break
        caller.sleep(poll_seconds)
        report = read_report(caller, report.report_id)
    if report.state in _WAITING:
        raise Temporary(f"Amazon is still making the report {report.report_id}.", retry_after=60.0)
    if report.state == "CANCELLED":
        return  # Amazon's word for "nothing to tell"
    if report.state != "DONE" or not report.document_id:
        raise Permanent(f"Amazon could not make the report {report.report_id} ({report.state}).")
    body = download(caller, report.document_id)
    yield FetchedPage(kind, report.report_id, body, "", max(body.count(b"\n") - 1, 0))


def _asked_before(caller: Caller, wanted: ReportType, start: datetime, end: datetime) -> Report | None:
    """The newest report of the same type, span and marketplaces; a failed or an old one is asked for anew."""
    now = caller.clock()
    markets = set(caller.marketplaces()[:25])
    fresh = wanted.fresh if not wanted.spans else timedelta(hours=6)
    for report in reversed(list_reports(caller, [wanted.name], since=now - fresh, until=now)):
        same_span = not wanted.spans or (_same(report.data_from, start) and _same(report.data_until, end))
        if same_span and set(report.marketplace_ids) == markets and report.state != "FATAL":
            return report
    return None


def _same(said: str, meant: datetime) -> bool:
    try:
        found = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except ValueError:
        return False
    return found.tzinfo is not None and abs(found.astimezone(UTC) - meant) < timedelta(seconds=1)
