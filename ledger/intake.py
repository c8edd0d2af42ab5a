"""The ledger takes documents: parse, ask where staff must decide, book vouchers, check statements, withdraw.

Every document has one LedgerIntake row that says how far it is. Taking is repeatable: the same document again changes
nothing, and a process that dies leaves the document waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from channels.adapter import DocumentError, DocumentKind, Source, headers_digest
from channels.keep import keep_document, storable
from channels.models import ColumnMatch, Document, Shop, Upload
from channels.records import (
    EventSource,
    LineRecord,
    ListingRecord,
    ParsedDocument,
    PayoutRecord,
    StatementRecord,
    VoucherRecord,
)
from channels.registry import get_adapter
from inventory.models import Listing
from ledger.models import LedgerIntake, Payout, Statement, Voucher, Withdrawal
from ledger.take import (
    REMAINDER_TYPE,
    Batch,
    Counts,
    Writer,
    ensure_listings,
    lock_shop,
    shorten,
    take_batches,
    withdraw_vouchers,
)
from nova.models import Company

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
#: A document being read for longer than this belongs to a process that died, whatever its connection says.
STALE_AFTER = timedelta(minutes=30)
#: Key in the result of a document being read: process id and start of the database connection that reads it.
READER = "reader"
State = LedgerIntake.State


class WithdrawalRefused(Exception):
    """An import cannot be withdrawn, or a withdrawal not be undone; the message says why."""


@dataclass(frozen=True)
class WithdrawalPreview:
    """What withdrawing a document would reverse: fee lines, vouchers, net amount per currency and per (month, currency)."""

    lines: int
    vouchers: int
    amounts: dict[str, Decimal]
    months: list[tuple[date, str, Decimal, int]]
    refused: str = ""


def import_file(
    *,
    shop: Shop,
    body: bytes,
    filename: str,
    user: Any = None,
    upload: Upload | None = None,
    columns: Mapping[str, str] | None = None,
    confirm: bool = False,
    accept_difference: bool = False,
) -> LedgerIntake:
    """Keep a file and take it at once. `confirm` answers questions about another shop or currency with yes.

    Returns the intake row; its state, error, question and result tell what became of the file.

    Raises:
        DocumentError: the file is too large to be kept.
    """
    intake = keep_and_queue(shop=shop, body=body, filename=filename, upload=upload)
    if intake.state == State.TAKEN:
        return intake
    if confirm or accept_difference or columns:
        return answer_question(
            intake_id=intake.pk, user=user, confirm=confirm, accept_difference=accept_difference, columns=columns
        )
    return take_document(intake_id=intake.pk)


def keep_and_queue(*, shop: Shop, body: bytes, filename: str, upload: Upload | None = None) -> LedgerIntake:
    """Keep a file and leave it waiting for the background. A file kept before keeps the state it has.

    Raises:
        DocumentError: the file is too large to be kept.
    """
    kept = keep_document(shop=shop, body=body, filename=filename, upload=upload)
    intake, created = LedgerIntake.objects.get_or_create(
        company_id=shop.company_id,
        document=kept.document,
        defaults={"state": State.FAILED if kept.problem else State.WAITING, "error": kept.problem},
    )
    if not created and intake.state == State.FAILED and not kept.problem:
        intake.state, intake.error, intake.attempts = State.WAITING, "", 0
        intake.save()
    return intake


def answer_question(
    *,
    intake_id: int,
    user: Any = None,
    confirm: bool = True,
    accept_difference: bool = False,
    columns: Mapping[str, str] | None = None,
) -> LedgerIntake:
    """Staff answer what an import asked, and it goes on.

    `columns` maps canonical column codes to headers of the file and is remembered for the next file like it.

    Raises:
        ValueError: a column mapping was given for a document that did not ask for one, or it names unknown columns.
    """
    intake = note_answer(intake_id=intake_id, user=user, confirm=confirm, accept_difference=accept_difference, columns=columns)
    return intake if intake.state == State.TAKEN else take_document(intake_id=intake.pk)


def note_answer(
    *,
    intake_id: int,
    user: Any = None,
    confirm: bool = False,
    accept_difference: bool = False,
    columns: Mapping[str, str] | None = None,
) -> LedgerIntake:
    """Write down an answer and leave the document waiting for whoever reads it next. Without an answer: try again.

    Raises:
        ValueError: as `answer_question`.
    """
    intake = LedgerIntake.objects.select_related("document", "document__shop").get(pk=intake_id)
    if intake.state == State.TAKEN:
        return intake
    if columns:
        remember_columns(document=intake.document, columns=columns, user=user)
    if confirm:
        intake.answered, intake.answered_by = True, user
    intake.accept_difference = intake.accept_difference or accept_difference
    intake.state, intake.question, intake.error, intake.attempts = State.WAITING, "", "", 0
    intake.save()
    return intake


def remember_columns(*, document: Document, columns: Mapping[str, str], user: Any = None) -> ColumnMatch:
    """Remember how the headers of this document match the canonical columns.

    Raises:
        ValueError: the document has no table of unknown headers, or a column is not one of the kind's.
    """
    adapter = get_adapter(document.shop.channel)
    recognised = adapter.recognise(document.content(), document.filename)
    if recognised is None or not recognised.headers:
        raise ValueError(f"{document} is not a table whose columns could be matched.")
    known = {column.code for column in adapter.kinds[recognised.kind].columns}
    unknown = sorted(set(columns) - known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such column; there are {', '.join(sorted(known))}.")
    missing = [
        column.label for column in adapter.kinds[recognised.kind].columns if column.required and not columns.get(column.code)
    ]
    if missing:
        raise ValueError(f"These columns must be matched: {', '.join(missing)}.")
    strange = sorted(
        {header for header in columns.values() if header and header not in recognised.headers and not header.isdigit()}
    )
    if strange:
        raise ValueError(f"{', '.join(strange)}: the file has no such header.")
    match, _created = ColumnMatch.objects.update_or_create(
        company_id=document.company_id,
        channel=document.shop.channel,
        headers_digest=headers_digest(recognised.headers),
        defaults={
            "kind": recognised.kind,
            "headers": list(recognised.headers),
            "columns": {code: header for code, header in columns.items() if header},
            "matched_by_id": user.pk if user is not None else None,
        },
    )
    return match


def take_document(*, intake_id: int) -> LedgerIntake:
    """Read one document and book what it says, whole or not at all. Safe to run twice and after a crash.

    Never raises for what the document holds: the row is then "failed" or "needs an answer", with the reason.
    """
    intake = _claim(intake_id)
    if intake is None:
        return LedgerIntake.objects.get(pk=intake_id)
    try:
        parsed = _parse(intake)
        if parsed is not None:
            _take(intake, parsed)
    except DocumentError as error:
        _finish(intake, State.FAILED, error=str(error))
    except Exception as error:
        log.exception("Document %s could not be taken", intake.document_id)
        if intake.attempts >= MAX_ATTEMPTS or not _worth_another_try(error):
            _finish(intake, State.FAILED, error=f"Nova could not take this document ({type(error).__name__}): {error}")
        else:
            intake.not_before = timezone.now() + timedelta(seconds=2**intake.attempts * 5)
            _finish(intake, State.WAITING, error=f"{type(error).__name__}: {error}")
    return intake


def waiting_intakes(*, limit: int = 100) -> list[int]:
    """Documents to read now, oldest first: waiting ones whose time has come, and those of processes that died."""
    now = timezone.now()
    rows = LedgerIntake.objects.filter(state__in=[State.WAITING, State.RUNNING]).order_by("pk")
    ids: list[int] = []
    fields = ("pk", "state", "not_before", "started_at", "result")
    for pk, state, not_before, started_at, result in rows.values_list(*fields).iterator(chunk_size=500):
        due = not_before is None or not_before <= now if state == State.WAITING else not _is_read(started_at, result)
        if due:
            ids.append(pk)
            if len(ids) >= limit:
                break
    return ids


def _claim(intake_id: int) -> LedgerIntake | None:
    """Mark the row as being read by us; None when it is taken, withdrawn or in somebody else's hands."""
    with transaction.atomic():
        intake = (
            LedgerIntake.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("document", "document__shop")
            .filter(pk=intake_id)
            .first()
        )
        if intake is None or intake.state in (State.TAKEN, State.WITHDRAWN):
            return None
        if intake.state == State.RUNNING and _is_read(intake.started_at, intake.result):
            return None
        intake.state, intake.started_at, intake.finished_at = State.RUNNING, timezone.now(), None
        intake.attempts += 1
        intake.error = ""
        intake.question = ""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            intake.result = {READER: list(cursor.fetchone() or ())}
        intake.save()
        intake.result = {}
        return intake


def _is_read(started_at: datetime | None, result: Mapping[str, Any] | None) -> bool:
    """Whether the process that began to read a document still does: not for too long, and its connection is there.

    Behind a connection pool a connection may outlive its process; the time limit then decides alone.
    """
    if started_at is None or started_at < timezone.now() - STALE_AFTER:
        return False
    reader = (result or {}).get(READER)
    if not reader:
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid <> pg_backend_pid() FROM pg_stat_activity WHERE pid = %s AND backend_start = %s::timestamptz", reader
        )
        row = cursor.fetchone()
    return row is not None and bool(row[0])


def _finish(
    intake: LedgerIntake, state: str, *, error: str = "", question: str = "", result: dict[str, Any] | None = None
) -> None:
    # What documents say goes into messages and results: it must never keep the row from saying how far it is.
    intake.state, intake.error, intake.question, intake.finished_at = state, storable(error), storable(question), timezone.now()
    intake.result = _storable(intake.result if result is None else result)
    intake.save()


def _storable(value: Any) -> Any:
    """A JSON value whose texts PostgreSQL can keep."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list | tuple) else value


def _worth_another_try(error: Exception) -> bool:
    from django.db import InterfaceError, OperationalError

    return isinstance(error, (OperationalError, InterfaceError))


def _parse(intake: LedgerIntake) -> ParsedDocument | None:
    """The records of the document; None when staff must answer first (the row then asks)."""
    document = intake.document
    shop = document.shop
    adapter = get_adapter(shop.channel)
    body = document.content()
    recognised = adapter.recognise(body, document.filename)
    if recognised is None:
        _finish(intake, State.FAILED, error=intake.error or f"No known {adapter.label} document was recognised.")
        return None
    columns: Mapping[str, str] = {}
    if recognised.unknown_columns:
        match = ColumnMatch.objects.filter(
            company=document.company_id, channel=shop.channel, headers_digest=headers_digest(recognised.headers)
        ).first()
        if match is None:
            label = adapter.kinds[recognised.kind].label
            _finish(
                intake,
                State.ASKING,
                question=f"This looks like {label}, but its headers are not known. Match its columns once; Nova remembers it.",
                result={"ask": "columns", "kind": recognised.kind, "headers": list(recognised.headers)},
            )
            return None
        columns = match.columns
    source = Source(
        body=body,
        kind=recognised.kind,
        filename=document.filename,
        region=shop.region,
        currencies=tuple(shop.currencies),
        columns=columns,
        accept_difference=intake.accept_difference,
    )
    try:
        parsed = adapter.parse(source)
    except DocumentError as error:
        if error.difference is not None and not intake.accept_difference:
            _finish(
                intake,
                State.FAILED,
                error=str(error),
                result={"ask": "difference", "difference": str(error.difference), "kind": recognised.kind},
            )
            return None
        raise
    intake.progress_total = len(parsed.vouchers)
    intake.parser_version = adapter.kinds[recognised.kind].parser_version
    question = "" if intake.answered else _doubts(shop, parsed)
    if question:
        _finish(intake, State.ASKING, question=question, result={"ask": "confirm", "kind": recognised.kind})
        return None
    intake.result = {"kind": recognised.kind}
    return parsed


def _doubts(shop: Shop, parsed: ParsedDocument) -> str:
    """Why this document may belong to another shop, as a question to staff; "" when nothing speaks for that."""
    others = {row.pk: row.name for row in Shop.objects.filter(company=shop.company_id, channel=shop.channel).exclude(pk=shop.pk)}
    currencies = {voucher.currency for voucher in parsed.vouchers} | {statement.currency for statement in parsed.statements}
    strange = sorted(currencies - set(shop.currencies))
    if shop.currencies and strange:
        return (
            f"The document is in {', '.join(strange)}, but {shop.name} has only had {', '.join(sorted(shop.currencies))} so far. "
            "Is it really of this shop?"
        )
    if not others:
        return ""
    statements = [statement.outside_id for statement in parsed.statements]
    # What a withdrawn import left behind is no knowledge: only statements with lines in force count.
    in_force = Voucher.objects.filter(company=OuterRef("company"), statement=OuterRef("pk"), current=True)
    hit = (
        Statement.objects.filter(company=shop.company_id, shop__in=others, outside_id__in=statements)
        .filter(Exists(in_force))
        .first()
    )
    if hit is not None:
        return f"Statement {hit.outside_id} is known of {others[hit.shop_id]}. Is this document really of {shop.name}?"
    orders = sorted({voucher.order for voucher in parsed.vouchers if voucher.order})
    if orders and not get_adapter(shop.channel).order_ids_are_unique:
        # The same order number says nothing here; the same voucher does.
        known_id = _known_voucher(shop, list(others), parsed)
        if known_id is not None:
            return f"{known_id[0]} is known of {others[known_id[1]]}. Is this document really of {shop.name}?"
    elif orders:
        sample = orders[:: max(1, len(orders) // 200)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT order_ref, shop_id FROM ledger_voucher WHERE company_id = %s AND shop_id = ANY(%s) AND order_ref = ANY(%s) AND current LIMIT 1",
                [shop.company_id, list(others), sample],
            )
            row = cursor.fetchone()
        if row is not None:
            return f"Order {row[0]} is known of {others[row[1]]}. Is this document really of {shop.name}?"
    codes = {line.listing for voucher in parsed.vouchers for line in voucher.lines if line.listing}
    has_listings = Listing.objects.filter(company=shop.company_id, shop=shop).exists()
    if codes and has_listings and not _sold_listings(shop, shop.pk, codes):
        for other_id, name in others.items():
            known = _sold_listings(shop, other_id, codes)
            if known * 2 >= len(codes):
                return f"{known} of its {len(codes)} article codes are known of {name}, none of {shop.name}. Is it really of {shop.name}?"
    return ""


def _known_voucher(shop: Shop, others: list[int], parsed: ParsedDocument) -> tuple[str, int] | None:
    """A voucher of the document that another shop has told of: its name in words and the shop. A sample of 200 is looked up."""
    keys = sorted({(voucher.family, shorten(voucher.outside_id, 300)) for voucher in parsed.vouchers})
    sample = keys[:: max(1, len(keys) // 200)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT voucher.family || ' ' || voucher.outside_id, voucher.shop_id
            FROM unnest(%s::text[], %s::text[]) AS wanted(family, outside_id)
            JOIN ledger_voucher voucher ON voucher.company_id = %s AND voucher.shop_id = ANY(%s)
                AND voucher.family = wanted.family AND voucher.outside_id = wanted.outside_id AND voucher.current
            LIMIT 1
            """,
            [[key[0] for key in sample], [key[1] for key in sample], shop.company_id, others],
        )
        row = cursor.fetchone()
    return (row[0], row[1]) if row is not None else None


def _sold_listings(shop: Shop, other_id: int, codes: set[str]) -> int:
    """How many of these article codes have money in force in a shop of the same company."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM inventory_listing listing
            WHERE listing.company_id = %s AND listing.shop_id = %s AND listing.code = ANY(%s) AND EXISTS (
                SELECT 1 FROM ledger_pnllistingmonth month
                WHERE month.company_id = listing.company_id AND month.listing_id = listing.id AND month.lines > 0
            )
            """,
            [shop.company_id, other_id, sorted(codes)],
        )
        return int(cursor.fetchone()[0])


def _take(intake: LedgerIntake, parsed: ParsedDocument) -> None:
    document = intake.document
    shop = document.shop
    company = Company.objects.get(pk=document.company_id)
    kind = get_adapter(shop.channel).kinds[intake.result["kind"]]
    outcome = take_parsed(shop=shop, company=company, documents=[(document, kind, parsed)], intake=intake)
    log.info("Document %s taken: %s", document.pk, outcome.counts.as_dict())


@dataclass
class Outcome:
    """What taking some documents did. `statements` are rows touched."""

    counts: Counts = field(default_factory=Counts)
    statements: list[int] = field(default_factory=list)


def take_parsed(
    *,
    shop: Shop,
    company: Company,
    documents: Sequence[tuple[Document, DocumentKind, ParsedDocument]],
    intake: LedgerIntake | None = None,
    writer: Writer | None = None,
) -> Outcome:
    """Book parsed documents of one shop in one transaction: statements, payouts, vouchers, remainders, rollups.

    With `intake` its row is marked as taken in the same transaction. Who has a transaction open already gives the
    `writer` that `prepare_writer` made before it began. Locks the shop's row before anything is written.
    """
    outcome = Outcome()
    if writer is None:
        writer = prepare_writer(shop=shop, company=company, parsed=[parsed for _document, _kind, parsed in documents])
    with transaction.atomic():
        lock_shop(shop)
        batches: list[Batch] = []
        touched: dict[str, int] = {}
        told: _Told = {}
        for document, kind, parsed in documents:
            rows = _save_statements(shop, company, document, parsed, told)
            touched.update(rows)
            batches.append(
                Batch(
                    document=document,
                    kind=kind,
                    vouchers=parsed.vouchers,
                    statement_ids=rows,
                    complete=[
                        (family, rows[statement.outside_id])
                        for statement in parsed.statements
                        if statement.complete
                        for family in sorted({voucher.family for voucher in parsed.vouchers})
                    ],
                )
            )
            _save_payouts(shop, company, document, parsed.payouts)
        outcome.counts = writer.write(batches)
        outcome.statements = sorted(touched.values())
        last_document = documents[-1][0]
        _link_payouts(shop)
        _check_statements(shop, company, last_document, documents[-1][1], outcome)
        currencies = {voucher.currency for _d, _k, parsed in documents for voucher in parsed.vouchers} - set(shop.currencies)
        if currencies:
            shop.currencies = sorted({*shop.currencies, *currencies})
            shop.save(update_fields=["currencies"])
        if intake is not None:
            notes = [note for _d, _k, parsed in documents for note in parsed.notes]
            intake.progress_done = intake.progress_total
            _finish(
                intake,
                State.TAKEN,
                result={
                    "kind": documents[0][1].code,
                    **outcome.counts.as_dict(),
                    "statements": [statement.outside_id for _d, _k, parsed in documents for statement in parsed.statements][:200],
                    "payouts": sum(len(parsed.payouts) for _d, _k, parsed in documents),
                    "notes": notes[:200],
                },
            )
    return outcome


def prepare_writer(*, shop: Shop, company: Company, parsed: Sequence[ParsedDocument]) -> Writer:
    """What takes these documents, with their fee types and articles made sure of in transactions of their own."""
    _learn_listings(shop, [record for document in parsed for record in document.listings])
    writer = Writer(shop=shop, company=company)
    writer.prepare(voucher for document in parsed for voucher in document.vouchers)
    return writer


def _learn_listings(shop: Shop, records: Sequence[ListingRecord]) -> None:
    """Note what documents say about articles; what they do not say stays. Only what changed is written."""
    wanted: dict[str, dict[str, str]] = {}
    for record in records:
        told = {
            name: value[:length]
            for name, value, length in (
                ("title", record.title, 500),
                ("seller_sku", record.seller_sku, 100),
                ("outside_id", record.outside_id, 100),
            )
            if value
        }
        wanted.setdefault(shorten(record.code, 200), {}).update(told)
    if not wanted:
        return
    ids = ensure_listings(shop=shop, codes=wanted)
    changed = []
    for row in Listing.objects.filter(company=shop.company_id, shop=shop, pk__in=ids.values()):
        told = {name: value for name, value in wanted[row.code].items() if getattr(row, name) != value}
        if told:
            for name, value in told.items():
                setattr(row, name, value)
            changed.append(row)
    Listing.objects.bulk_update(changed, ["title", "seller_sku", "outside_id"], batch_size=1000)


def _moment(value: datetime | date | None, company: Company, *, end: bool = False) -> datetime | None:
    """A point in time for a statement's limits: a plain day starts (or ends) at midnight of the company's zone."""
    if value is None or isinstance(value, datetime):
        return value.astimezone(UTC) if isinstance(value, datetime) else None
    return datetime.combine(value + timedelta(days=1) if end else value, time.min, tzinfo=company.zone).astimezone(UTC)


#: Per statement: what the last document of a batch told of it, and its row; pages of one statement all tell the same.
_Told = dict[str, tuple[dict[str, Any], int]]


def _save_statements(
    shop: Shop, company: Company, document: Document, parsed: ParsedDocument, told_last: _Told
) -> dict[str, int]:
    """Make or update the statements a document tells of or points at; what it does not say stays. Returns id per outside id."""
    records: dict[str, StatementRecord] = {record.outside_id: record for record in parsed.statements}
    for voucher in parsed.vouchers:
        if voucher.statement and voucher.statement not in records:
            records[voucher.statement] = StatementRecord(outside_id=voucher.statement, currency=voucher.currency)
    ids: dict[str, int] = {}
    for outside_id, record in sorted(records.items()):
        known = {
            "currency": record.currency,
            "period_start": _moment(record.period_start, company),
            "period_end": _moment(record.period_end, company, end=True),
            "closed_at": _moment(record.closed_at, company),
            "total": record.total,
            "deposit": record.deposit,
            "reserve": record.reserve,
            "voucher_count": record.line_count,
            "complete": record.complete or None,
            "payout_ref": record.payout or None,
        }
        told = {name: value for name, value in known.items() if value is not None}
        last = told_last.get(outside_id)
        if last is not None and last[0] == told:
            ids[outside_id] = last[1]
            continue
        row, created = Statement.objects.get_or_create(
            company_id=shop.company_id, shop=shop, outside_id=shorten(outside_id, 100), defaults={**told, "document": document}
        )
        if not created:
            changed = [name for name, value in told.items() if getattr(row, name) != value]
            if changed:
                for name in changed:
                    setattr(row, name, told[name])
                row.save(update_fields=changed)
        ids[outside_id] = row.pk
        told_last[outside_id] = (told, row.pk)
    return ids


def _save_payouts(shop: Shop, company: Company, document: Document, records: Sequence[PayoutRecord]) -> None:
    for record in records:
        paid_on = None
        if record.paid_at is not None:
            paid_on = record.paid_at.astimezone(company.zone).date() if isinstance(record.paid_at, datetime) else record.paid_at
        Payout.objects.update_or_create(
            company_id=shop.company_id,
            shop=shop,
            outside_id=shorten(record.outside_id, 100),
            defaults={
                "currency": record.currency,
                "amount": record.amount,
                "status": record.status,
                "document": document,
                **({"paid_on": paid_on} if paid_on else {}),
                **({"trace": record.trace[:100]} if record.trace else {}),
            },
            create_defaults={
                "currency": record.currency,
                "amount": record.amount,
                "status": record.status,
                "paid_on": paid_on,
                "trace": record.trace[:100],
                "document": document,
            },
        )


def _link_payouts(shop: Shop) -> None:
    """Join statements to payouts by the reference the channel gives, whichever of the two came first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE ledger_statement statement SET payout_id = payout.id
            FROM ledger_payout payout
            WHERE statement.company_id = %s AND statement.shop_id = %s AND payout.company_id = statement.company_id
                AND payout.shop_id = statement.shop_id AND payout.outside_id = statement.payout_ref
                AND statement.payout_ref <> '' AND statement.payout_id IS DISTINCT FROM payout.id
            """,
            [shop.company_id, shop.pk],
        )


def _check_statements(shop: Shop, company: Company, document: Document, kind: DocumentKind, outcome: Outcome) -> None:
    """Complete statements must add up: a remainder becomes a visible line, one that vanished is taken back.

    Money outside the total (context "reserve") and the remainder itself do not count.
    """
    if not outcome.statements:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE ledger_statement statement SET complete = true
            WHERE company_id = %(company)s AND id = ANY(%(ids)s) AND NOT complete AND voucher_count IS NOT NULL AND voucher_count <= (
                SELECT count(*) FROM ledger_voucher voucher
                WHERE voucher.company_id = %(company)s AND voucher.shop_id = %(shop)s AND voucher.statement_id = statement.id
                    AND voucher.current AND voucher.state = 'settled' AND voucher.family IN ('statement', 'adjustment')
            )
            """,
            {"company": company.pk, "shop": shop.pk, "ids": outcome.statements},
        )
        cursor.execute(STATEMENT_SUMS, {"company": company.pk, "ids": outcome.statements})
        rows = cursor.fetchall()
        # Where the channel announces no number of lines: that they add up to the total says that all are there. The
        # difference is zero then, so that no remainder depends on it here.
        whole = [row[0] for row in rows if not row[5] and row[4] == row[6] and row[8] is not None]
        if whole:
            cursor.execute(
                "UPDATE ledger_statement SET complete = true WHERE company_id = %s AND id = ANY(%s) AND voucher_count IS NULL",
                [company.pk, whole],
            )
    records = []
    for _statement_id, outside_id, currency, closed_at, total, complete, lines, remainder, posted_on in rows:
        # A statement whose lines are not all there has nothing to explain yet; a remainder of before is taken back.
        difference = total - lines if complete and total is not None else Decimal(0)
        if difference == remainder:
            continue
        day = closed_at or posted_on or timezone.now()
        records.append(
            VoucherRecord(
                family="remainder",
                outside_id=f"{outside_id}/remainder",
                currency=currency,
                marketplace="",
                posted_at=day,
                event_at=day,
                event_source=EventSource.SERVICE,
                statement=outside_id,
                part=outside_id,
                lines=[LineRecord(*REMAINDER_TYPE[1:], difference)] if difference else [],
            )
        )
    if records:
        ids = {row[1]: row[0] for row in rows}
        outcome.counts.add(
            take_batches(
                shop=shop, company=company, batches=[Batch(document=document, kind=kind, vouchers=records, statement_ids=ids)]
            )
        )


#: Per statement: what its lines add up to, without money outside the total and without the remainder, and the remainder.
STATEMENT_SUMS = """
    SELECT statement.id, statement.outside_id, statement.currency, statement.closed_at, statement.total, statement.complete,
        coalesce(sum(day.amount) FILTER (WHERE type.context NOT IN ('reserve') AND NOT (type.path = 'statement' AND type.context = 'remainder')), 0),
        coalesce(sum(day.amount) FILTER (WHERE type.path = 'statement' AND type.context = 'remainder'), 0),
        max(day.posted_on)
    FROM ledger_statement statement
    LEFT JOIN ledger_pnlday day ON day.company_id = statement.company_id AND day.statement_id = statement.id AND day.state = 'settled'
    LEFT JOIN ledger_feetype type ON type.id = day.fee_type_id
    WHERE statement.company_id = %(company)s AND statement.id = ANY(%(ids)s)
    GROUP BY statement.id
"""


def withdrawal_preview(*, document: Document) -> WithdrawalPreview:
    """What withdrawing this document would take out of the books."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT date_trunc('month', line.event_on)::date, line.currency, sum(line.amount), count(*), count(DISTINCT voucher.id)
            FROM ledger_voucher voucher
            JOIN ledger_feeline line ON line.company_id = voucher.company_id AND line.voucher_id = voucher.id
            WHERE voucher.company_id = %s AND voucher.document_id = %s AND voucher.active
            GROUP BY 1, 2 ORDER BY 1, 2
            """,
            [document.company_id, document.pk],
        )
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT count(*) FROM ledger_voucher WHERE company_id = %s AND document_id = %s AND active",
            [document.company_id, document.pk],
        )
        vouchers = cursor.fetchone()[0]
    amounts: dict[str, Decimal] = {}
    for _month, currency, amount, _lines, _vouchers in rows:
        amounts[currency] = amounts.get(currency, Decimal(0)) + amount
    return WithdrawalPreview(
        lines=sum(row[3] for row in rows),
        vouchers=vouchers,
        amounts=amounts,
        months=[(row[0], row[1], row[2], row[3]) for row in rows],
        refused=_why_not_withdraw(document),
    )


def _why_not_withdraw(document: Document) -> str:
    intake = LedgerIntake.objects.filter(company=document.company_id, document=document).first()
    if intake is None or intake.state != State.TAKEN:
        return "This document has not been taken; there is nothing to withdraw."
    return ""


def withdraw(*, document: Document, reason: str, user: Any) -> Withdrawal:
    """Take an import back: reverse its vouchers, let other sources of the same money count again. It can be undone.

    Raises:
        WithdrawalRefused: no reason, or the document was not taken.
    """
    reason = reason.strip()
    if not reason:
        raise WithdrawalRefused("Say why this import is withdrawn.")
    shop = document.shop
    company = Company.objects.get(pk=document.company_id)
    with transaction.atomic():
        intake = LedgerIntake.objects.select_for_update().get(company=document.company_id, document=document)
        refused = _why_not_withdraw(document)
        if refused:
            raise WithdrawalRefused(refused)
        statements = list(
            Voucher.objects.filter(company=company, document=document, current=True, statement__isnull=False)
            .values_list("statement_id", flat=True)
            .distinct()
        )
        _counts, earlier = withdraw_vouchers(shop=shop, company=company, document=document)
        kind = get_adapter(shop.channel).kinds[intake.result["kind"]]
        _reopen_statements(shop, company, document, kind, statements)
        # A payout that only this document told of is no longer expected; taking the document again restores it.
        Payout.objects.filter(company=company, document=document).update(status=Payout.Status.CANCELLED)
        row = Withdrawal.objects.create(company=company, document=document, reason=reason, withdrawn_by=user)
        intake.state, intake.finished_at = State.WITHDRAWN, timezone.now()
        intake.save()
        again = _read_again(document, intake, earlier=earlier, statements=statements)
    for intake_id in again:
        take_document(intake_id=intake_id)
    return row


def _read_again(
    document: Document, intake: LedgerIntake, *, earlier: Sequence[int], statements: Sequence[int], after: bool = False
) -> list[int]:
    """Mark the documents that may tell the same as this one as waiting, in the order in which they were taken.

    Those are: `earlier` ones, whose vouchers it replaced; those with the channel's same id, whose lines it may have closed;
    those with lines in its statements; and those of the shop that repeated what was there before, because whose vouchers
    they repeated is not noted. Reading one of them for nothing changes nothing. `after`: only those taken after it.
    """
    told = [str(outside_id) for outside_id in (intake.result or {}).get("statements", ())]
    ids = {*statements, *Statement.objects.filter(company=document.company_id, shop=document.shop_id, outside_id__in=told)
           .values_list("pk", flat=True)}  # fmt: skip
    same = Voucher.objects.filter(company=document.company_id, statement__in=ids, current=True).values_list("document_id")
    rows = LedgerIntake.objects.filter(company=document.company_id, document__shop=document.shop_id, state=State.TAKEN)
    rows = rows.exclude(document=document.pk).filter(
        Q(document__in=earlier)
        | Q(document__outside_id=document.outside_id)
        | Q(document__in=same)
        | Q(result__unchanged__gt=0)
        | Q(result__repeats=True)
    )
    if after:
        rows = rows.filter(document__gt=document.pk)
    found = list(rows.order_by("finished_at", "document_id").values_list("pk", flat=True))
    LedgerIntake.objects.filter(company=document.company_id, pk__in=found).update(state=State.WAITING, attempts=0)
    return found


def _reopen_statements(
    shop: Shop, company: Company, document: Document, kind: DocumentKind, statement_ids: Sequence[int]
) -> None:
    """Statements that lost lines are complete no longer, and what was unexplained in them is taken back."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE ledger_statement statement SET complete = false
            WHERE company_id = %(company)s AND id = ANY(%(ids)s) AND complete AND coalesce(voucher_count, 1) > (
                SELECT count(*) FROM ledger_voucher voucher
                WHERE voucher.company_id = %(company)s AND voucher.shop_id = %(shop)s AND voucher.statement_id = statement.id
                    AND voucher.current AND voucher.state = 'settled' AND voucher.family <> 'remainder'
            )
            """,
            {"company": company.pk, "shop": shop.pk, "ids": list(statement_ids)},
        )
    _check_statements(shop, company, document, kind, Outcome(statements=list(statement_ids)))


def undo_withdrawal(*, withdrawal: Withdrawal, user: Any) -> LedgerIntake:
    """Take a withdrawn document again, as it was.

    Raises:
        WithdrawalRefused: it was undone before.
    """
    with transaction.atomic():
        row = Withdrawal.objects.select_for_update().get(company=withdrawal.company_id, pk=withdrawal.pk)
        if row.undone_at is not None:
            raise WithdrawalRefused("This withdrawal was undone already.")
        row.undone_at, row.undone_by = timezone.now(), user
        row.save()
        intake = LedgerIntake.objects.select_for_update().get(company=row.company_id, document=row.document_id)
        intake.state, intake.attempts = State.WAITING, 0
        intake.save()
    taken = take_document(intake_id=intake.pk)
    with transaction.atomic():
        # What came after it was in force when it was withdrawn, and is again.
        again = _read_again(row.document, taken, earlier=_sharing(row.document), statements=(), after=True)
    for intake_id in again:
        take_document(intake_id=intake_id)
    return taken


def _sharing(document: Document) -> list[int]:
    """Documents whose vouchers have an outside id of one of this document's."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT other.document_id
            FROM ledger_voucher own
            JOIN ledger_voucher other ON other.company_id = own.company_id AND other.shop_id = own.shop_id
                AND other.family = own.family AND other.outside_id = own.outside_id AND other.document_id <> own.document_id
            WHERE own.company_id = %s AND own.document_id = %s AND NOT own.reversal AND NOT other.reversal
            """,
            [document.company_id, document.pk],
        )
        return [row[0] for row in cursor.fetchall()]


def retake_documents(*, company: Company) -> Counts:
    """Read every taken document of a company again with today's parsers; vouchers that say the same stay as they are."""
    total = Counts()
    # In the order in which they were taken: of documents that tell the same the last one counts.
    for intake in LedgerIntake.objects.filter(company=company, state=State.TAKEN).order_by("finished_at", "pk"):
        LedgerIntake.objects.filter(company=company, pk=intake.pk).update(state=State.WAITING, attempts=0)
        done = take_document(intake_id=intake.pk)
        for name in Counts.__slots__:
            setattr(total, name, getattr(total, name) + int(done.result.get(name, 0)))
    return total
