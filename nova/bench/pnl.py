"""`bench pnl`: the P&L page's two main queries over the rollup, against DuckDB over the very same fee lines."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection

from channels.models import Shop
from inventory.models import Listing
from ledger.models import FeeType, Mapping
from ledger.pnl import Report, answer
from ledger.pnl_question import Dimension, Question
from ledger.rollup import rebuild_rollups
from nova.models import Company, ExchangeRate

Say = Callable[[str], None]
CURRENCIES = ("USD", "CAD", "GBP", "USD", "USD")
LISTINGS, TYPES, CATEGORIES = 2000, 60, 40
FIRST_DAY, DAYS = date(2025, 1, 1), 365
SERIES = ("page", "listing")


@dataclass(frozen=True)
class PnlFigures:
    """p50 in milliseconds: `page` is month x category of a year, `listing` the same for one listing, both in base currency.

    The figures of DuckDB are None where the package (group `bench`) is missing; `skipped` then says so.
    """

    lines: int
    day_rows: int
    build_seconds: float
    rebuild_seconds: float
    page_ms: float
    listing_ms: float
    duckdb_memory_page_ms: float | None
    duckdb_memory_listing_ms: float | None
    duckdb_parquet_page_ms: float | None
    duckdb_parquet_listing_ms: float | None
    skipped: str


def bench_pnl(*, lines: int, say: Say) -> PnlFigures:
    """Measure inside a database of the benchmark's own. Raises AssertionError where DuckDB comes to other figures."""
    began = time.perf_counter()
    company = _make_company()
    say(f"Building {lines:,} fee lines ...")
    _make_lines(company, lines)
    built = time.perf_counter()
    say("Building the rollup ...")
    counts = rebuild_rollups(company=company)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    rebuilt = time.perf_counter()
    page = Question(company)
    code = _middle_listing(company)
    listing = Question(company, filters={Dimension.LISTING: (code,)})
    say("Asking the P&L ...")
    page_ms, whole = _time(lambda: answer(page), rounds=30)
    listing_ms, one = _time(lambda: answer(listing), rounds=50)
    assert whole.cells and one.cells, "the P&L is empty"
    duck: dict[str, float | None] = {f"{place}_{name}": None for place in ("memory", "parquet") for name in SERIES}
    skipped = ""
    try:
        import duckdb
    except ModuleNotFoundError:
        skipped = "DuckDB is not installed (uv sync --group bench): the comparison was skipped."
        say(skipped)
    else:
        say("Asking DuckDB the same ...")
        duck.update(_ask_duckdb(duckdb, company, code, {"page": whole, "listing": one}))
    return PnlFigures(
        lines=lines,
        day_rows=counts["days"],
        build_seconds=built - began,
        rebuild_seconds=rebuilt - built,
        page_ms=page_ms,
        listing_ms=listing_ms,
        duckdb_memory_page_ms=duck["memory_page"],
        duckdb_memory_listing_ms=duck["memory_listing"],
        duckdb_parquet_page_ms=duck["parquet_page"],
        duckdb_parquet_listing_ms=duck["parquet_listing"],
        skipped=skipped,
    )


def _time(ask: Callable[[], Any], *, rounds: int) -> tuple[float, Any]:
    """(p50 in milliseconds, answer) after one round that warms up."""
    found = ask()
    times = []
    for _round in range(rounds):
        began = time.perf_counter()
        found = ask()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), found


def _make_company() -> Company:
    """Five shops in three currencies, 2,000 listings, 60 fee types mapped to 40 categories, a rate for every day."""
    company = Company.objects.create(code="bench", name="Bench", currency="USD", time_zone="UTC")
    shops = [
        Shop.objects.create(
            company=company, code=f"shop-{number}", name=f"Shop {number}", channel="tiktok", currencies=[currency]
        )
        for number, currency in enumerate(CURRENCIES)
    ]
    Listing.objects.bulk_create(
        [Listing(company=company, shop=shops[number % len(shops)], code=f"L{number}") for number in range(LISTINGS)]
    )
    FeeType.objects.bulk_create(
        [FeeType(channel="tiktok", path="bench", name=f"fee {chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(TYPES)]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_mapping (company_id, fee_type_id, valid_from, valid_to, category_id, rule_id, known_from)
            SELECT %s, type.id, '0001-01-01', '9999-12-01', category.id, 1, now()
            FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM ledger_feetype WHERE path = 'bench') AS type
            JOIN (
                SELECT id, row_number() OVER (ORDER BY position) AS place FROM ledger_feecategory
                WHERE section NOT IN ('balance_sheet', 'memo') AND code <> 'adj.unmapped'
            ) AS category ON category.place = 1 + type.place %% %s
            """,
            [company.pk, CATEGORIES],
        )
        cursor.execute(
            """
            INSERT INTO nova_exchangerate (currency, on_date, rate, source)
            SELECT currency, %s::date + day, round((base + 0.05 * sin(day / 40.0))::numeric, 4), 'bench'
            FROM (VALUES ('USD', 1.12), ('CAD', 1.54), ('GBP', 0.86)) AS pair(currency, base), generate_series(-7, %s) AS day
            """,
            [FIRST_DAY, DAYS],
        )
    assert Mapping.objects.filter(company=company).count() == TYPES
    assert ExchangeRate.objects.exists()
    return company


def _make_lines(company: Company, lines: int) -> None:
    """Fee lines by one set-based statement: listings by a power law, fee types and days even, a voucher per shop and day."""
    with connection.cursor() as cursor:
        # Nothing of this benchmark goes through these; they would only make building slower.
        cursor.execute("DROP INDEX ledger_feeline_voucher, ledger_feeline_drill")
        cursor.execute(
            """
            INSERT INTO ledger_voucher (company_id, shop_id, document_id, family, outside_id, version, reversal, state, authority, detail,
                order_ref, event, part, currency, event_on, event_source, posted_on, digest, money_digest, amount, current, active,
                withdrawn, taken_at)
            SELECT %(company)s, shop.id, 0, 'bench', shop.code || '/' || day, 1, false, 'settled', 40, false, '', 'other', '', shop.currencies[1],
                %(first)s::date + day, 'service', %(first)s::date + day + 9, '', '', 0, true, true, false, now()
            FROM channels_shop shop, generate_series(0, %(days)s - 1) AS day WHERE shop.company_id = %(company)s
            """,
            {"company": company.pk, "first": FIRST_DAY, "days": DAYS},
        )
        cursor.execute("ANALYZE ledger_voucher, inventory_listing")
        cursor.execute("SELECT setseed(0.25)")
        cursor.execute(
            """
            WITH numbered AS (
                SELECT listing.id, listing.shop_id, shop.currencies[1] AS currency, row_number() OVER (ORDER BY listing.id) AS place
                FROM inventory_listing listing JOIN channels_shop shop ON shop.id = listing.shop_id WHERE listing.company_id = %(company)s
            ), types AS (
                SELECT array_agg(id ORDER BY id) AS ids FROM ledger_feetype WHERE path = 'bench'
            ), rolled AS MATERIALIZED (
                SELECT number, 1 + floor(%(listings)s * power(random(), 2))::int AS place, 1 + floor(%(types)s * random())::int AS type,
                    %(first)s::date + floor(%(days)s * random())::int AS day, round((100 * random() - 30)::numeric, 2) AS amount
                FROM generate_series(1, %(lines)s) AS number
            )
            INSERT INTO ledger_feeline (company_id, voucher_id, seq, shop_id, fee_type_id, listing_id, currency, amount, quantity, event_on,
                posted_on, state, provisional)
            SELECT %(company)s, voucher.id, rolled.number, numbered.shop_id, types.ids[rolled.type], numbered.id, numbered.currency, rolled.amount,
                1, rolled.day, rolled.day + 9, 'settled', rolled.type %% 7 = 0
            FROM rolled CROSS JOIN types JOIN numbered ON numbered.place = rolled.place
            JOIN ledger_voucher voucher ON voucher.company_id = %(company)s AND voucher.shop_id = numbered.shop_id AND voucher.event_on = rolled.day
            """,
            {"company": company.pk, "listings": LISTINGS, "types": TYPES, "first": FIRST_DAY, "days": DAYS, "lines": lines},
        )
        assert cursor.rowcount == lines, (cursor.rowcount, lines)


def _middle_listing(company: Company) -> str:
    """A listing that sells neither best nor worst."""
    listing = Listing.objects.filter(company=company, code="L700").select_related("shop").get()
    return f"{listing.shop.code}/{listing.code}"


def _ask_duckdb(duckdb: Any, company: Company, code: str, ours: dict[str, Report]) -> dict[str, float]:
    """The same two questions to DuckDB, in memory and on Parquet. Its rows carry the converted amount as a double already,

    which spares it the join of rates and exact sums; its answers must agree with ours to the cent nevertheless.
    """
    shop, listing = code.split("/")
    listing_id = Listing.objects.get(company=company, shop__code=shop, code=listing).pk
    questions = {"page": "", "listing": f"WHERE listing_id = {listing_id}"}
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="nova-bench-") as folder:
        rows = Path(folder) / "lines.csv"
        with connection.cursor() as cursor, rows.open("wb") as file:
            export = """
                COPY (
                    SELECT line.shop_id, line.listing_id, line.fee_type_id, line.event_on, line.amount * rates.rate AS base
                    FROM ledger_feeline line
                    JOIN (
                        SELECT currency, day::date AS on_day, nova_day_rate(currency, 'USD', day::date) AS rate
                        FROM (VALUES ('USD'), ('CAD'), ('GBP')) AS pair(currency),
                            generate_series('2025-01-01'::date, '2025-12-31'::date, '1 day') AS day
                    ) AS rates ON rates.currency = line.currency AND rates.on_day = line.event_on
                ) TO STDOUT (FORMAT csv)
            """
            with cursor.copy(export) as copy:
                for block in copy:
                    file.write(block)
            cursor.execute(
                "SELECT mapping.fee_type_id, category.code FROM ledger_mapping mapping JOIN ledger_feecategory category ON category.id = mapping.category_id"
            )
            pairs = cursor.fetchall()
        duck = duckdb.connect(config={"threads": 2})
        duck.execute("CREATE TABLE mapping (fee_type_id BIGINT, category VARCHAR)")
        duck.executemany("INSERT INTO mapping VALUES (?, ?)", pairs)
        columns = "{'shop_id': 'BIGINT', 'listing_id': 'BIGINT', 'fee_type_id': 'BIGINT', 'event_on': 'DATE', 'base': 'DOUBLE'}"
        duck.execute(f"CREATE TABLE lines AS SELECT * FROM read_csv('{rows}', header = false, columns = {columns})")
        rows.unlink()
        parquet = Path(folder) / "lines.parquet"
        duck.execute(f"COPY lines TO '{parquet}' (FORMAT parquet)")
        for place, source in (("memory", "lines"), ("parquet", f"read_parquet('{parquet}')")):
            for name, where in questions.items():
                query = (
                    f"SELECT date_trunc('month', event_on), category, sum(base) FROM {source} JOIN mapping USING (fee_type_id) "
                    f"{where} GROUP BY ALL"
                )
                milliseconds, found = _time(lambda query=query: duck.execute(query).fetchall(), rounds=11)  # type: ignore[misc]
                _compare(name, ours[name], found)
                figures[f"{place}_{name}"] = milliseconds
        duck.close()
    return figures


def _compare(name: str, ours: Report, found: list[tuple[Any, str, float]]) -> None:
    theirs = {(str(month)[:10], category): amount for month, category, amount in found}
    mine = {(cell.keys[0][:10], cell.keys[1]): cell.amount for cell in ours.cells}
    assert theirs.keys() == mine.keys(), f"{name}: {len(theirs)} cells of DuckDB, {len(mine)} of Nova"
    for key, amount in mine.items():
        assert abs(amount - Decimal(theirs[key])) < Decimal("0.01"), f"{name} {key}: {theirs[key]} of DuckDB, {amount} of Nova"
