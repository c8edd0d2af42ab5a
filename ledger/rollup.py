"""Keeps the rollups of the fee lines: the only place that writes PnlDay, PnlMonth and PnlListingMonth.

Amounts in base currency are amount x rate of the event day, exact: the rate has ten decimals (`nova_day_rate`), so sums
of any grouping agree to the last digit and a rebuild gives the same figures as the increments did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from django.db import connection, transaction

from channels.models import Shop
from nova.models import Company

_DAY_COLUMNS = "company_id, shop_id, listing_id, fee_type_id, statement_id, currency, state, provisional, event_on, posted_on"

DELTA_COLUMNS = f"{_DAY_COLUMNS}, amount, quantity, lines"

# A reversal's lines carry negated amounts and quantities; they also take their line count back. The lateral join makes
# the server go through the index voucher by voucher whatever its statistics say of a table that grows this fast.
_DELTA_FROM_VOUCHERS = f"""
    INSERT INTO ledger_pnlday ({DELTA_COLUMNS})
    SELECT {_DAY_COLUMNS}, sum(amount), coalesce(sum(quantity), 0), %(sign)s * count(*)
    FROM unnest(%(vouchers)s::bigint[]) AS wanted(voucher_id)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger_feeline line
        WHERE line.company_id = %(company)s AND line.voucher_id = wanted.voucher_id
        OFFSET 0
    ) AS line
    GROUP BY {_DAY_COLUMNS}
    RETURNING *
"""

_STAGE = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS nova_delta ON COMMIT DELETE ROWS
    AS SELECT {DELTA_COLUMNS} FROM ledger_pnlday WITH NO DATA
"""
_DELTA_FROM_STAGE = f"INSERT INTO ledger_pnlday ({DELTA_COLUMNS}) SELECT {DELTA_COLUMNS} FROM nova_delta RETURNING *"

_KEYED = """
    keyed AS (
        SELECT delta.*, clock.clock, clock.month, date_trunc('month', delta.event_on)::date AS event_month, rates.rate
        FROM delta
        JOIN (
            SELECT currency, event_on, nova_day_rate(currency, %(base)s, event_on) AS rate
            FROM (SELECT DISTINCT currency, event_on FROM delta) AS pair
            OFFSET 0 -- a fence: else the rate would be looked up anew for every row and every sum
        ) AS rates USING (currency, event_on)
        CROSS JOIN LATERAL (VALUES
            ('event', date_trunc('month', delta.event_on)::date),
            ('posted', date_trunc('month', delta.posted_on)::date)
        ) AS clock(clock, month)
    )
"""

_MONTH_SUMS = """
    sum(amount) AS amount,
    coalesce(sum(amount * rate), 0) AS base_amount,
    coalesce(sum(amount) FILTER (WHERE rate IS NULL), 0) AS unrated_amount,
    coalesce(sum(amount * rate) FILTER (WHERE provisional), 0) AS provisional_base,
    sum(quantity) AS quantity,
    sum(lines) AS lines
"""


def _month_insert(table: str, keys: str, where: str) -> str:
    return f"""
    INSERT INTO {table} AS month ({keys}, amount, base_amount, unrated_amount, provisional_base, quantity, lines)
    SELECT {keys}, {_MONTH_SUMS}
    FROM keyed {where}
    GROUP BY {keys}
    ORDER BY {keys}
    ON CONFLICT ({keys}) DO UPDATE SET
        amount = month.amount + excluded.amount,
        base_amount = month.base_amount + excluded.base_amount,
        unrated_amount = month.unrated_amount + excluded.unrated_amount,
        provisional_base = month.provisional_base + excluded.provisional_base,
        quantity = month.quantity + excluded.quantity,
        lines = month.lines + excluded.lines
    """


_MONTH = _month_insert("ledger_pnlmonth", "company_id, clock, month, shop_id, fee_type_id, currency, state, event_month", "")
_LISTING_MONTH = _month_insert(
    "ledger_pnllistingmonth",
    "company_id, listing_id, clock, month, shop_id, fee_type_id, currency, state, event_month",
    "WHERE listing_id IS NOT NULL",
)
_ROLL_VOUCHERS = f"WITH delta AS ({_DELTA_FROM_VOUCHERS}), {_KEYED}, months AS ({_MONTH}) {_LISTING_MONTH}"
_ROLL_STAGE = f"WITH delta AS ({_DELTA_FROM_STAGE}), {_KEYED}, months AS ({_MONTH}) {_LISTING_MONTH}"


def roll_vouchers(*, company: Company, voucher_ids: Sequence[int], reversal: bool = False) -> None:
    """Add the lines of vouchers just written to the rollups. Runs in the caller's transaction, which holds the shop's lock."""
    if not voucher_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _ROLL_VOUCHERS,
            {"company": company.pk, "base": company.currency, "vouchers": list(voucher_ids), "sign": -1 if reversal else 1},
        )


def roll_deltas(*, company: Company, rows: Iterable[str]) -> None:
    """Add sums that the caller made while writing lines: rows of COPY text in the order of `DELTA_COLUMNS`.

    The bulk path: nothing just written is read back. Runs in the caller's transaction, which holds the shop's lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(f"COPY nova_delta ({DELTA_COLUMNS}) FROM STDIN") as copy:
            copy.write("".join(rows))
        cursor.execute(_ROLL_STAGE, {"base": company.currency})
        cursor.execute("TRUNCATE nova_delta")


def lock_shops(*, company_id: int) -> None:
    """Keep imports of all shops of a company out until the transaction ends. Rows are locked in the order of their ids."""
    list(Shop.objects.select_for_update(no_key=True).filter(company=company_id).order_by("pk").values_list("pk", flat=True))


def rebuild_rollups(*, company: Company) -> dict[str, int]:
    """Make all rollups of a company anew from its fee lines. Imports wait meanwhile. Returns rows per table."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock_shops(company_id=company.pk)
        cursor.execute("DELETE FROM ledger_pnlday WHERE company_id = %s", [company.pk])
        columns = ", ".join(f"line.{name.strip()}" for name in _DAY_COLUMNS.split(","))
        cursor.execute(
            f"""
            INSERT INTO ledger_pnlday ({_DAY_COLUMNS}, amount, quantity, lines)
            SELECT {columns}, sum(line.amount), coalesce(sum(line.quantity), 0),
                sum(CASE WHEN voucher.reversal THEN -1 ELSE 1 END)
            FROM ledger_feeline line
            JOIN ledger_voucher voucher ON voucher.company_id = line.company_id AND voucher.id = line.voucher_id
            WHERE line.company_id = %s
            GROUP BY {columns}
            """,
            [company.pk],
        )
        days = cursor.rowcount
        return {"days": days, **_months_from_days(company)}


def compact_days(*, company: Company) -> int:
    """Merge the append-only day rows of a company into one row per key. Returns the rows left."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock_shops(company_id=company.pk)
        cursor.execute(
            f"""
            WITH gone AS (DELETE FROM ledger_pnlday WHERE company_id = %s RETURNING *)
            INSERT INTO ledger_pnlday ({_DAY_COLUMNS}, amount, quantity, lines)
            SELECT {_DAY_COLUMNS}, sum(amount), sum(quantity), sum(lines) FROM gone
            GROUP BY {_DAY_COLUMNS}
            HAVING sum(amount) <> 0 OR sum(quantity) <> 0 OR sum(lines) <> 0
            """,
            [company.pk],
        )
        return int(cursor.rowcount)


def _months_from_days(company: Company) -> dict[str, int]:
    counts = {}
    with connection.cursor() as cursor:
        for name, table, insert in (
            ("months", "ledger_pnlmonth", _MONTH),
            ("listing_months", "ledger_pnllistingmonth", _LISTING_MONTH),
        ):
            cursor.execute(f"DELETE FROM {table} WHERE company_id = %s", [company.pk])
            cursor.execute(
                f"WITH delta AS (SELECT * FROM ledger_pnlday WHERE company_id = %(company)s), {_KEYED} {insert}",
                {"company": company.pk, "base": company.currency},
            )
            counts[name] = cursor.rowcount
    return counts


def rerate(*, currencies: Iterable[str], from_day: date | None = None) -> list[Company]:
    """Convert again after exchange rates changed: the months of every company with money in one of `currencies`.

    `from_day` is the first day whose rate changed; companies without money since then are left alone. Returns the
    companies that were recomputed.
    """
    wanted = sorted(set(currencies))
    # First those whose imports run: they may have converted by the old rates, and their lines cannot be seen yet.
    importing = _importing_companies()
    concerned = _concerned(wanted, from_day)
    done = []
    for company in Company.objects.filter(pk__in=importing | concerned).order_by("pk"):
        with transaction.atomic():
            lock_shops(company_id=company.pk)
            if company.pk in concerned or _concerned(wanted, from_day, company_id=company.pk):
                _months_from_days(company)
                done.append(company)
    return done


def _importing_companies() -> set[int]:
    """Companies with a shop that some transaction has locked at this moment."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH free AS MATERIALIZED (SELECT id FROM channels_shop FOR NO KEY UPDATE SKIP LOCKED)
            SELECT DISTINCT company_id FROM channels_shop WHERE id NOT IN (SELECT id FROM free)
            """
        )
        return {row[0] for row in cursor.fetchall()}


def _concerned(wanted: Sequence[str], from_day: date | None, company_id: int | None = None) -> set[int]:
    """Companies with money whose rate changed: in one of the currencies, or foreign where the company's own currency changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT company.id FROM nova_company company
            WHERE (%(company)s::bigint IS NULL OR company.id = %(company)s) AND EXISTS (
                SELECT 1 FROM ledger_pnlday day
                WHERE day.company_id = company.id AND day.currency <> company.currency
                    AND (day.currency = ANY(%(wanted)s) OR company.currency = ANY(%(wanted)s))
                    AND (%(day)s::date IS NULL OR day.event_on >= %(day)s::date)
            )
            """,
            {"wanted": list(wanted), "day": from_day, "company": company_id},
        )
        return {row[0] for row in cursor.fetchall()}
