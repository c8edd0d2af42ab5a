"""What the import pages say about each file: its state in words, its statements, and the questions it asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentKind
from channels.models import Document, UploadFile
from channels.registry import get_adapter
from ledger.models import LedgerIntake, Statement, Withdrawal
from ledger.pages.column_form import ColumnChoice, column_choices
from ledger.statements import StatementCheck, statement_checks

State = LedgerIntake.State
BADGES = {
    State.WAITING: ("Waiting", "is-info"),
    State.RUNNING: ("Being read", "is-info"),
    State.ASKING: ("Needs an answer", "is-warn"),
    State.TAKEN: ("In the books", "is-ok"),
    State.FAILED: ("Not taken", "is-bad"),
    State.WITHDRAWN: ("Withdrawn", "is-warn"),
}
_COUNT_WORDS = (
    ("new", "new voucher", "new vouchers"),
    ("unchanged", "unchanged", "unchanged"),
    ("replaced", "replaced by a newer version", "replaced by newer versions"),
    ("closed", "closed, as the document no longer has it", "closed, as the document no longer has them"),
    ("superseded", "only compared, a better source has it", "only compared, a better source has them"),
    ("restored", "counts again", "count again"),
    ("lines", "fee line", "fee lines"),
    ("payouts", "payout", "payouts"),
)
_LINE = re.compile(r"^Line (\d+):")


@dataclass
class FileRow:
    """One file on the page of an upload, or one document on its own page."""

    name: str
    size: int
    badge: str
    badge_class: str
    document: Document | None = None
    intake: LedgerIntake | None = None
    file: UploadFile | None = None
    kind: str = ""
    shop: str = ""
    unchanged: bool = False
    checks: list[StatementCheck] = field(default_factory=list)
    counts: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    error_row: int | None = None
    ask: str = ""
    difference: Decimal | None = None
    currency: str = ""
    columns: list[ColumnChoice] = field(default_factory=list)
    samples: list[Sequence[str]] = field(default_factory=list)
    headers: Sequence[str] = ()
    withdrawal: Withdrawal | None = None
    refused: bool = False

    @property
    def version(self) -> str:
        """Changes whenever the row looks otherwise."""
        if self.intake is None:
            return "none"
        moment = self.intake.finished_at or self.intake.started_at
        return f"{self.intake.state}-{self.intake.attempts}-{moment.timestamp() if moment else 0}-{self.withdrawal is not None}"

    @property
    def card_class(self) -> str:
        return {"is-bad": "is-bad", "is-warn": "is-warn", "is-ok": "is-ok"}.get(self.badge_class, "")

    @property
    def key(self) -> int:
        """What the row is told apart by on its page."""
        return self.file.pk if self.file is not None else self.document.pk if self.document is not None else 0


def kind_label(channel: str, code: str) -> str:
    """The label of a document kind; "" when the channel or the kind is not known."""
    try:
        kind: DocumentKind | None = get_adapter(channel).kinds.get(code)
    except LookupError:
        return ""
    return kind.label if kind is not None else ""


def file_rows(company_id: int, files: Iterable[UploadFile]) -> list[FileRow]:
    """The rows of an upload's files, in their order. The number of queries does not grow with the files."""
    files = list(files)
    rows = document_rows(company_id, [file.document for file in files if file.document is not None])
    by_document = {row.document.pk: row for row in rows if row.document is not None}
    found: list[FileRow] = []
    for file in files:
        if file.document_id is None:
            found.append(FileRow(file.filename, file.size, "Not kept", "is-bad", file=file, error=file.problem))
            continue
        row = by_document.pop(file.document_id, None)
        if row is None:  # the same bytes under another name in the same upload
            found.append(
                FileRow(file.filename, file.size, "Nothing new", "is-ok", file=file, unchanged=True, document=file.document)
            )
            continue
        row.file, row.name, row.size = file, file.filename, file.size
        if file.repeated and row.intake is not None and row.intake.state == State.TAKEN:
            earlier = row.intake.finished_at is None or row.intake.finished_at < file.upload.created_at
            if earlier:
                row.badge, row.unchanged = "Nothing new", True
        found.append(row)
    return found


def document_rows(company_id: int, documents: Sequence[Document]) -> list[FileRow]:
    """The rows of documents (with their shops loaded), in their order."""
    ids = [document.pk for document in documents]
    intakes = {row.document_id: row for row in LedgerIntake.objects.filter(company=company_id, document__in=ids)}
    withdrawals = {
        row.document_id: row
        for row in Withdrawal.objects.select_related("withdrawn_by").filter(
            company=company_id, document__in=ids, undone_at__isnull=True
        )
    }
    checks = _checks(company_id, documents, intakes)
    rows = []
    for document in {document.pk: document for document in documents}.values():
        intake = intakes.get(document.pk)
        row = FileRow(
            str(document),
            document.size,
            *(BADGES[State(intake.state)] if intake is not None else ("Not read", "")),
            document=document,
            intake=intake,
            shop=document.shop.name,
            kind=kind_label(document.shop.channel, str((intake.result if intake else {}).get("kind") or document.kind)),
            withdrawal=withdrawals.get(document.pk),
        )
        if intake is not None:
            row.checks = checks.get(document.pk, [])
            _tell(row, intake)
        rows.append(row)
    return rows


def _checks(company_id: int, documents: Sequence[Document], intakes: dict[int, LedgerIntake]) -> dict[int, list[StatementCheck]]:
    """The statements that each document names, checked."""
    wanted: dict[tuple[int, str], list[int]] = {}
    for document in documents:
        intake = intakes.get(document.pk)
        if intake is not None and intake.state == State.TAKEN:
            for outside_id in intake.result.get("statements", []):
                wanted.setdefault((document.shop_id, outside_id), []).append(document.pk)
    if not wanted:
        return {}
    ids = list(
        Statement.objects.filter(
            company=company_id, shop__in={shop for shop, _id in wanted}, outside_id__in={outside for _shop, outside in wanted}
        ).values_list("pk", flat=True)
    )
    found: dict[int, list[StatementCheck]] = {}
    for check in statement_checks(company_id, ids=ids):
        for document_id in wanted.get((check.shop_id, check.outside_id), []):
            found.setdefault(document_id, []).append(check)
    return found


def _tell(row: FileRow, intake: LedgerIntake) -> None:
    result: dict[str, Any] = intake.result or {}
    row.error = intake.error
    match = _LINE.match(intake.error)
    row.error_row = int(match[1]) if match else None
    row.notes = list(result.get("notes", ()))
    if intake.state == State.TAKEN:
        row.counts = [
            (int(result[name]), one if int(result[name]) == 1 else many) for name, one, many in _COUNT_WORDS if result.get(name)
        ]
    if result.get("refused"):
        row.badge, row.badge_class, row.refused = "Left out", "", True
    elif intake.state == State.ASKING:
        row.ask = str(result.get("ask", "confirm"))
    elif intake.state == State.FAILED and result.get("ask") == "difference":
        row.ask = "difference"
        row.difference = Decimal(str(result.get("difference", "0")))
    if row.ask == "columns":
        row.headers, row.samples, row.columns = column_choices(intake)
