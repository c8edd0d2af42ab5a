"""Imports uploaded files one after the other and says of each what became of it, for the command and the upload page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.adapter import DocumentError
from channels.archives import expand_file
from channels.columns import Suggestion, read_table_for_matching, suggest_columns
from channels.models import Shop, Upload
from channels.registry import get_adapter
from ledger.intake import answer_question, keep_and_queue, take_document
from ledger.models import LedgerIntake

UNCHANGED = "unchanged"
State = LedgerIntake.State


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `state` is an intake's state, or "unchanged" when the same file was taken before.

    `ask` says what a question is about: "confirm", "columns" or "difference" (then `difference` is the amount). With
    "columns" there are `headers`, `suggestions` and, in `missing`, required columns for which nothing could be suggested.
    """

    file: str
    state: str
    kind: str = ""
    document: int | None = None
    statements: tuple[str, ...] = ()
    new: int = 0
    unchanged: int = 0
    replaced: int = 0
    closed: int = 0
    superseded: int = 0
    lines: int = 0
    notes: tuple[str, ...] = ()
    error: str = ""
    question: str = ""
    ask: str = ""
    difference: str = ""
    headers: tuple[str, ...] = field(default=())
    suggestions: tuple[Suggestion, ...] = field(default=())
    missing: tuple[str, ...] = field(default=())

    @property
    def taken(self) -> bool:
        """Whether the books hold what the file says."""
        return self.state in (State.TAKEN, UNCHANGED)


def import_upload(
    *,
    shop: Shop,
    filename: str,
    body: bytes,
    user: Any = None,
    upload: Upload | None = None,
    columns: Mapping[str, str] | None = None,
    confirm: bool = False,
    accept_difference: bool = False,
) -> Iterator[FileReport]:
    """Import one uploaded file, or every file of a zip or gzip, and yield a report for each. Never raises for a bad file.

    `columns` (canonical column code -> header) is used and remembered where headers are not known, and ignored elsewhere.
    """
    try:
        files = expand_file(filename, body)
    except DocumentError as error:
        yield _broken_archive(shop, filename, body, upload, str(error))
        return
    for name, content in files:
        shown = name if len(files) == 1 and name == filename else f"{filename}: {name}" if len(files) > 1 else name
        yield _import_one(shop, shown, name, content, user, upload, columns, confirm, accept_difference)


def _broken_archive(shop: Shop, filename: str, body: bytes, upload: Upload | None, reason: str) -> FileReport:
    """Keep an archive that cannot be opened as a failed document, with the reason."""
    try:
        intake = keep_and_queue(shop=shop, body=body, filename=filename, upload=upload)
    except DocumentError as error:
        return FileReport(filename, State.FAILED, error=str(error))
    if intake.state in (State.FAILED, State.WAITING):
        intake.state, intake.error = State.FAILED, reason
        intake.save()
    return FileReport(filename, State.FAILED, document=intake.document_id, error=reason)


def _import_one(
    shop: Shop,
    shown: str,
    name: str,
    body: bytes,
    user: Any,
    upload: Upload | None,
    columns: Mapping[str, str] | None,
    confirm: bool,
    accept_difference: bool,
) -> FileReport:
    try:
        before = keep_and_queue(shop=shop, body=body, filename=name, upload=upload)
        if before.state == State.TAKEN:
            return report_of(before, shown, repeated=True)
        if before.state == State.WITHDRAWN or not before.document.kind:  # taken back, or a file of nobody's
            return report_of(before, shown)
        wrong = ""
        if columns and _headers_unknown(shop, before):
            try:
                intake = answer_question(
                    intake_id=before.pk, user=user, confirm=confirm, accept_difference=accept_difference, columns=columns
                )
            except ValueError as error:  # the match does not fit this file: ask for another one
                wrong = str(error)
                intake = take_document(intake_id=before.pk)
        elif confirm or accept_difference:
            intake = answer_question(intake_id=before.pk, user=user, confirm=confirm, accept_difference=accept_difference)
        else:
            intake = take_document(intake_id=before.pk)
    except DocumentError as error:
        return FileReport(shown, State.FAILED, error=str(error))
    return report_of(intake, shown, wrong=wrong)


def _headers_unknown(shop: Shop, intake: LedgerIntake) -> bool:
    document = intake.document
    found = get_adapter(shop.channel).recognise(document.content(), document.filename)
    return found is not None and found.unknown_columns


def report_of(intake: LedgerIntake, file: str, *, repeated: bool = False, wrong: str = "") -> FileReport:
    """The report of an intake row as it stands. `wrong` is a reason why a given column match was not used."""
    result = intake.result or {}
    error = wrong or intake.error
    if intake.state == State.WITHDRAWN:
        error = "This import was withdrawn. Undo the withdrawal to count it again."
    elif intake.state in (State.WAITING, State.RUNNING) and not error:
        error = "Another process is reading this file; look again in a moment."
    numbers = (
        {} if repeated else {name: int(result.get(name, 0)) for name in ("new", "replaced", "closed", "superseded", "lines")}
    )
    ask = "" if repeated else str(result.get("ask", ""))
    suggestions, missing = suggest_for(intake) if ask == "columns" else ((), ())
    same = int(result.get("unchanged", 0))
    if repeated:
        same += int(result.get("new", 0)) + int(result.get("replaced", 0))
    return FileReport(
        file=file,
        state=UNCHANGED if repeated else str(intake.state),
        kind=str(result.get("kind") or intake.document.kind),
        document=intake.document_id,
        statements=tuple(result.get("statements", ())),
        unchanged=same,
        notes=tuple(result.get("notes", ())),
        error="" if repeated else error,
        question="" if repeated else intake.question,
        ask=ask,
        difference=str(result.get("difference", "")),
        headers=tuple(result.get("headers", ())),
        suggestions=suggestions,
        missing=missing,
        **numbers,
    )


def suggest_for(intake: LedgerIntake) -> tuple[tuple[Suggestion, ...], tuple[str, ...]]:
    """How the columns of a document that asks for a match may be meant, and the required columns without any suggestion."""
    document = intake.document
    result = intake.result or {}
    kind = get_adapter(document.shop.channel).kinds[str(result["kind"])]
    headers = [str(header) for header in result.get("headers", ())]
    try:
        table = read_table_for_matching(document.content(), document.filename, headers)
    except DocumentError:
        rows: list[list[str]] = []
    else:
        headers, rows = list(table.headers), [cells for _number, cells in table.rows]
    suggestions = tuple(suggest_columns(kind, headers, rows))
    known = {item.column for item in suggestions}
    return suggestions, tuple(column.code for column in kind.columns if column.required and column.code not in known)
