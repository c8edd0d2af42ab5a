"""`bench ingest`: the whole path of TikTok statement documents to the rollup, against raw COPY and bulk_create of the same rows."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import connection, transaction

from channels.models import Shop
from ledger.bulk import ingest_pages
from ledger.models import FeeLine, PnlDay, Voucher
from nova.bench.database import peak_memory_mb
from nova.bench.documents import read_pages, write_pages
from nova.models import Company

Say = Callable[[str], None]
BULK_SAMPLE = 40_000
ROUNDS = 3


@dataclass(frozen=True)
class IngestFigures:
    """What was measured. Rates are fee lines per second, memory MiB; the rest ratios of this run.

    `memory_growth` is the peak at the end over the peak at half of the lines: 1 where memory is flat.
    """

    lines: int
    pages: int
    document_mb: float
    seconds: float
    lines_per_second: float
    again_seconds: float
    again_times: float
    peak_memory_mb: float
    memory_at_quarter_mb: float
    memory_at_half_mb: float
    memory_growth: float
    raw_copy_per_second: float
    share_of_raw_copy: float
    bulk_create_per_second: float
    times_bulk_create: float
    synchronous_commit: str


def bench_ingest(*, lines: int, say: Say) -> IngestFigures:
    """Measure inside a database of the benchmark's own (`bench_database`). Raises AssertionError where the books are wrong."""
    company = Company.objects.create(code="bench", name="Bench", currency="USD", time_zone="America/New_York")
    shop = Shop.objects.create(
        company=company, code="tiktok", name="Bench on TikTok", channel="tiktok", region="US", currencies=["USD"]
    )
    with tempfile.TemporaryDirectory(prefix="nova-bench-") as folder:
        documents = Path(folder) / "pages"
        say(f"Writing TikTok statement documents of {lines:,} fee lines ...")
        lines = write_pages(documents, lines=lines)
        pages = sum(1 for _page in read_pages(documents))
        marks: dict[int, float] = {}

        def counted() -> Iterator[tuple[str, bytes]]:
            for number, page in enumerate(read_pages(documents), start=1):
                if number in (max(1, pages // 4), max(1, pages // 2)):
                    marks[number] = peak_memory_mb()
                yield page

        say(f"Importing {pages:,} documents ...")
        began = time.perf_counter()
        result = ingest_pages(shop=shop, kind="statement_transactions", pages=counted())
        seconds = time.perf_counter() - began
        memory = peak_memory_mb()
        assert not result.failed, result.failed[:3]
        assert result.counts.lines == lines, f"{result.counts.lines} lines taken of {lines}"
        _check_books(company, lines)
        say(f"{lines / seconds:,.0f} fee lines/s. Importing the same again ...")
        began = time.perf_counter()
        again = ingest_pages(shop=shop, kind="statement_transactions", pages=read_pages(documents))
        again_seconds = time.perf_counter() - began
        assert again.known == pages and again.counts.lines == 0, again
        say("Raw COPY of the same rows into a bare table ...")
        raw = _raw_copy(Path(folder) / "rows", lines)
        say("Django bulk_create of the same rows ...")
        bulk = _bulk_create(min(lines, BULK_SAMPLE))
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            committed = cursor.fetchone()[0]
        rate = lines / seconds
        return IngestFigures(
            lines=lines,
            pages=pages,
            document_mb=documents.stat().st_size / 1_000_000,
            seconds=seconds,
            lines_per_second=rate,
            again_seconds=again_seconds,
            again_times=seconds / again_seconds,
            peak_memory_mb=memory,
            memory_at_quarter_mb=marks[max(1, pages // 4)],
            memory_at_half_mb=marks[max(1, pages // 2)],
            memory_growth=memory / marks[max(1, pages // 2)],
            raw_copy_per_second=raw,
            share_of_raw_copy=rate / raw,
            bulk_create_per_second=bulk,
            times_bulk_create=rate / bulk,
            synchronous_commit=committed,
        )


def _check_books(company: Company, lines: int) -> None:
    """Nothing is measured that is not right: the rollup holds every line and every cent."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT sum(amount) FROM ledger_feeline WHERE company_id = %(company)s),
                (SELECT sum(amount) FROM ledger_pnlday WHERE company_id = %(company)s),
                (SELECT sum(amount) FROM ledger_pnlmonth WHERE company_id = %(company)s AND clock = 'event'),
                (SELECT sum(total) FROM ledger_statement WHERE company_id = %(company)s),
                (SELECT sum(lines) FROM ledger_pnlday WHERE company_id = %(company)s)
            """,
            {"company": company.pk},
        )
        of_lines, of_days, of_months, of_statements, counted = cursor.fetchone()
    assert of_lines == of_days == of_months == of_statements, (of_lines, of_days, of_months, of_statements)
    assert counted == lines, (counted, lines)
    assert PnlDay.objects.filter(company=company).exists()


def _raw_copy(path: Path, lines: int) -> float:
    """Lines per second of COPY of the same fee lines, encoded beforehand, into a table without keys: the median of three."""
    rates = []
    with connection.cursor() as cursor:
        with path.open("wb") as file, cursor.copy("COPY ledger_feeline TO STDOUT") as copy:
            for block in copy:
                file.write(block)
        for _round in range(ROUNDS):
            cursor.execute("DROP TABLE IF EXISTS bench_bare")
            cursor.execute("CREATE TABLE bench_bare AS SELECT * FROM ledger_feeline WITH NO DATA")
            began = time.perf_counter()
            with path.open("rb") as file, cursor.copy("COPY bench_bare FROM STDIN") as copy:
                while block := file.read(1 << 20):
                    copy.write(block)
            rates.append(lines / (time.perf_counter() - began))
        cursor.execute("DROP TABLE bench_bare")
    return statistics.median(rates)


def _bulk_create(sample: int) -> float:
    """Lines per second of Django's bulk_create of the same vouchers and fee lines (a sample), into the same tables, rolled back."""
    lines = list(FeeLine.objects.order_by("pk")[:sample])
    vouchers = list(Voucher.objects.filter(pk__in={line.voucher_id for line in lines}))
    rates = []
    for _round in range(ROUNDS):
        with transaction.atomic():
            began = time.perf_counter()
            copies = {}
            for old in vouchers:
                values = {
                    field.attname: getattr(old, field.attname) for field in Voucher._meta.concrete_fields if field.attname != "id"
                }
                copies[old.pk] = Voucher(**{**values, "version": old.version + 1})
            Voucher.objects.bulk_create(copies.values(), batch_size=2000)
            fresh = []
            for line in lines:
                values = {
                    field.attname: getattr(line, field.attname)
                    for field in FeeLine._meta.concrete_fields
                    if field.attname != "id"
                }
                fresh.append(FeeLine(**{**values, "voucher_id": copies[line.voucher_id].pk}))
            FeeLine.objects.bulk_create(fresh, batch_size=2000)
            rates.append(len(fresh) / (time.perf_counter() - began))
            transaction.set_rollback(True)
    return statistics.median(rates)
