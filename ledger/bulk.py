"""The bulk way in: many pages of one kind of document of one shop, worked out ahead by one thread, written by another.

Working out (hash, known?, parse, compress; rows, text and sums of the lines) and writing (keep, take, rollup) of
consecutive batches overlap, so that Python and the database both work; memory holds a few batches, whatever the number of
lines. Each batch is one transaction.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import queue
import sys
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, connections, transaction
from psycopg import Cursor

from channels.adapter import DocumentError, DocumentKind, Source
from channels.intake import IntakeState
from channels.keep import COMPRESSION_LEVEL, storable
from channels.models import Document, Shop
from channels.personal import store_personal_data
from channels.records import ParsedDocument, PersonalRecord
from channels.registry import get_adapter
from ledger.intake import prepare_writer, take_parsed
from ledger.take import Counts, Writer, lock_shop
from nova.models import Company

log = logging.getLogger(__name__)

_BATCHES_PER_COLLECTION = 25
_TURN_SECONDS = 0.0002


@dataclass(slots=True)
class BulkResult:
    """What a bulk import did. `failed` lists (outside id, reason) of pages that could not be read."""

    pages: int = 0
    known: int = 0
    counts: Counts = field(default_factory=Counts)
    failed: list[tuple[str, str]] = field(default_factory=list)


_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a thread stumbled over, on its way to the thread that asked."""

    error: BaseException


@dataclass(slots=True)
class _Page:
    outside_id: str
    size: int
    digest: bytes
    body: bytes
    parsed: ParsedDocument | None
    error: str = ""
    personal: Sequence[PersonalRecord] = ()


def ingest_pages(*, shop: Shop, kind: str, pages: Iterable[tuple[str, bytes]], pages_per_batch: int = 125) -> BulkResult:
    """Keep and take API pages, given as (outside id, bytes). Pages taken before are told by their hash and skipped.

    A page that cannot be read is kept as failed and the others go on. After an interruption the same call finishes the
    work: what is committed is skipped, nothing is half taken.

    Raises:
        LookupError: the channel has no such document kind.
    """
    adapter = get_adapter(shop.channel)
    if kind not in adapter.kinds:
        raise LookupError(f"{adapter.label} has no document kind {kind!r}.")
    company = Company.objects.get(pk=shop.company_id)
    result = BulkResult()
    with _tuned_for_bulk() as collect:
        # Another connection would wait for what the caller has not committed: nothing is formed ahead then.
        ahead = not connection.in_atomic_block
        batches = _batches(shop, adapter.kinds[kind], pages, pages_per_batch)
        formed = _read_ahead(_formed(shop, company, adapter.kinds[kind], batches, ahead=ahead))
        for batch, known, writer in formed:
            result.pages += len(batch) + known
            result.known += known
            if batch:
                result.counts.add(_write_whole(shop, company, adapter.kinds[kind], batch, writer))
                collect()
            result.failed += [(page.outside_id, page.error) for page in batch if page.parsed is None]
    return result


@contextmanager
def _tuned_for_bulk() -> Iterator[Callable[[], None]]:
    """Look for cycles every so many batches only, when the caller says that one is done; let threads take short turns.

    Records are trees, freed as they go out of use; looking for cycles among a million of them after every few hundred new
    ones would take a third of an import's time.
    """
    batches = 0

    def collect() -> None:
        nonlocal batches
        batches += 1
        if batches % _BATCHES_PER_COLLECTION == 0:
            gc.collect()

    enabled = gc.isenabled()
    interval = sys.getswitchinterval()
    gc.disable()
    # The writing thread asks for little time of Python, but often: it must not wait for the other one's turn to end.
    sys.setswitchinterval(min(interval, _TURN_SECONDS))
    try:
        yield collect
    finally:
        sys.setswitchinterval(interval)
        if enabled:
            gc.enable()


def _batches(
    shop: Shop, kind: DocumentKind, pages: Iterable[tuple[str, bytes]], size: int
) -> Generator[tuple[list[_Page], int], None, None]:
    adapter = get_adapter(shop.channel)
    source = iter(pages)
    step = size // 8 if size >= 64 else size  # small batches first: the writer does not wait long for the first one
    while chunk := list(islice(source, step)):
        step = min(size, step * 2)
        hashed = []
        for outside_id, raw in chunk:  # buyer data never enters a document, whichever way it comes
            body, personal = adapter.separate_personal_data(Source(body=raw, kind=kind.code, region=shop.region))
            hashed.append((storable(outside_id), body, hashlib.sha256(body).digest(), personal))
        taken = _taken(shop, kind.code, [(outside_id, digest) for outside_id, _body, digest, _personal in hashed])
        batch: list[_Page] = []
        for outside_id, body, digest, personal in hashed:
            if (outside_id, digest) in taken:
                continue
            taken.add((outside_id, digest))  # the same page twice in one batch is one page
            parsed: ParsedDocument | None = None
            error = ""
            try:
                parsed = adapter.parse(Source(body=body, kind=kind.code, region=shop.region, currencies=tuple(shop.currencies)))
            except DocumentError as problem:
                error = str(problem)
            except Exception as problem:  # a page that the parser did not foresee must not stop the others
                log.exception("Page %s of %s could not be read", outside_id, shop)
                error = storable(f"Nova could not take this document ({type(problem).__name__}): {problem}")
            batch.append(_Page(outside_id, len(body), digest, zlib.compress(body, COMPRESSION_LEVEL), parsed, error, personal))
        yield batch, len(chunk) - len(batch)


def _taken(shop: Shop, kind: str, keys: Sequence[tuple[str, bytes]]) -> set[tuple[str, bytes]]:
    """Pages among `keys` that are kept and taken already."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT document.outside_id, document.digest
            FROM unnest(%s::text[], %s::bytea[]) AS page(outside_id, digest)
            JOIN channels_document document ON document.company_id = %s AND document.shop_id = %s AND document.kind = %s
                AND document.outside_id = page.outside_id AND document.digest = page.digest
            JOIN ledger_ledgerintake intake ON intake.company_id = document.company_id AND intake.document_id = document.id
                AND intake.state IN ('taken', 'withdrawn')
            """,
            [[key[0] for key in keys], [key[1] for key in keys], shop.company_id, shop.pk, kind],
        )
        return {(row[0], bytes(row[1])) for row in cursor.fetchall()}


def _formed(
    shop: Shop, company: Company, kind: DocumentKind, batches: Iterable[tuple[list[_Page], int]], *, ahead: bool
) -> Generator[tuple[list[_Page], int, Writer | None], None, None]:
    """The same batches, each with what will write it, worked out ahead; None where that failed: writing will say why."""
    for batch, known in batches:
        writer: Writer | None = None
        parsed = [page.parsed for page in batch if page.parsed is not None]
        if parsed and ahead:
            try:
                writer = prepare_writer(shop=shop, company=company, parsed=parsed)
                writer.form(kind=kind, vouchers=[voucher for document in parsed for voucher in document.vouchers])
            except Exception:
                log.warning("A batch of %s could not be formed ahead; it is taken page by page if need be", shop, exc_info=True)
                writer = None
        yield batch, known, writer


def _read_ahead(batches: Generator[_Item, None, None]) -> Generator[_Item, None, None]:
    """The same items, made by a thread that is one item ahead; its error is raised here."""
    ready: queue.Queue[_Item | _Raised | None] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def offer(item: _Item | _Raised | None) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for batch in batches:
                if not offer(batch):
                    return
            offer(None)
        except BaseException as error:
            offer(_Raised(error))
        finally:
            batches.close()
            connections.close_all()

    thread = threading.Thread(target=read, name="nova-read-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()


def _write_whole(
    shop: Shop, company: Company, kind: DocumentKind, batch: Sequence[_Page], writer: Writer | None = None
) -> Counts:
    """Keep and take a batch. Where a page of it cannot be taken, every page is taken on its own and that one fails alone."""
    try:
        return _write(shop, company, kind, batch, writer)
    except (OperationalError, InterfaceError):  # the database, not the pages: the next run goes on from here
        raise
    except Exception as problem:
        if len(batch) > 1:
            counts = Counts()
            for page in batch:
                counts.add(_write_whole(shop, company, kind, [page]))
            return counts
        page = batch[0]
        if page.parsed is None:
            raise
        log.exception("Page %s of %s could not be taken", page.outside_id, shop)
        page.parsed, page.error = None, storable(f"Nova could not take this document ({type(problem).__name__}): {problem}")
        return _write(shop, company, kind, batch)


def _write(shop: Shop, company: Company, kind: DocumentKind, batch: Sequence[_Page], writer: Writer | None = None) -> Counts:
    writer = writer or prepare_writer(
        shop=shop, company=company, parsed=[page.parsed for page in batch if page.parsed is not None]
    )
    with transaction.atomic():
        lock_shop(shop)
        ids = _keep(shop, kind.code, batch)
        personal = [record for page in batch for record in page.personal]
        if personal:
            store_personal_data(shop=shop, records=personal)
        readable = [
            (
                Document(id=document_id, company_id=shop.company_id, shop=shop, kind=kind.code, outside_id=page.outside_id),
                kind,
                page.parsed,
            )
            for document_id, page in zip(ids, batch, strict=True)
            if page.parsed is not None
        ]
        counts = Counts()
        if readable:
            counts = take_parsed(shop=shop, company=company, documents=readable, writer=writer).counts
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO ledger_ledgerintake (company_id, document_id, state, attempts, error, parser_version, question, answered,
                    accept_difference, progress_done, progress_total, result, started_at, finished_at)
                SELECT %s, page.document_id, page.state, 1, page.error, %s, '', false, false, page.vouchers, page.vouchers,
                    jsonb_build_object('kind', %s::text, 'repeats', %s::boolean), now(), now()
                FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[]) AS page(document_id, state, error, vouchers)
                ON CONFLICT (company_id, document_id) DO UPDATE SET state = excluded.state, error = excluded.error,
                    finished_at = excluded.finished_at
                """,
                [
                    shop.company_id,
                    kind.parser_version,
                    kind.code,
                    counts.unchanged > 0,
                    ids,
                    [IntakeState.FAILED.value if page.parsed is None else IntakeState.TAKEN.value for page in batch],
                    [page.error for page in batch],
                    [len(page.parsed.vouchers) if page.parsed else 0 for page in batch],
                ],
            )
        return counts


def _keep(shop: Shop, kind: str, batch: Sequence[_Page]) -> list[int]:
    """Keep the pages of a batch; ids in order. A page that somebody else kept in between keeps its id."""
    # Bound by the server in binary: as text, every page would be written out in hexadecimal first.
    with Cursor(connection.connection) as cursor:
        cursor.execute(
            """
            INSERT INTO channels_document (company_id, shop_id, kind, outside_id, digest, filename, size, body, kept_at)
            SELECT %s, %s, %s, page.outside_id, page.digest, '', page.size, page.body, now()
            FROM unnest(%s::text[], %s::bytea[], %s::bigint[], %s::bytea[]) AS page(outside_id, digest, size, body)
            ON CONFLICT (company_id, shop_id, kind, outside_id, digest) DO NOTHING
            """,
            [
                shop.company_id,
                shop.pk,
                kind,
                [page.outside_id for page in batch],
                [page.digest for page in batch],
                [page.size for page in batch],
                [page.body for page in batch],
            ],
        )
        cursor.execute(
            """
            SELECT document.id FROM unnest(%s::text[], %s::bytea[]) WITH ORDINALITY AS page(outside_id, digest, place)
            JOIN channels_document document ON document.company_id = %s AND document.shop_id = %s AND document.kind = %s
                AND document.outside_id = page.outside_id AND document.digest = page.digest
            ORDER BY page.place
            """,
            [[page.outside_id for page in batch], [page.digest for page in batch], shop.company_id, shop.pk, kind],
        )
        return [row[0] for row in cursor.fetchall()]
