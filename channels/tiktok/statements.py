"""TikTok's list of statements: what each day's closed list comes to and which payment carries it.

Statements close daily at 00:00 UTC. Identity: revenue (net sales) + shipping cost + fees + adjustment = settlement; reserves
are outside it.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import ParsedDocument, StatementRecord
from channels.tiktok.answers import ZERO, amount, currency_of, given, load, moment, pages, text_id

#: Regions tell either revenue or net sales and shipping cost apart from it.
_PARTS = ("revenue_amount", "net_sales_amount", "shipping_cost_amount", "fee_amount", "adjustment_amount")


def parse(source: Source) -> ParsedDocument:
    """The statements of an answer of Get Statements; they carry no lines.

    Raises:
        DocumentError: not such an answer, or a statement without id, currency, time or settlement amount.
    """
    parsed = ParsedDocument()
    seen: dict[str, StatementRecord] = {}
    for page in pages(load(source.body), ("statements",)):
        for row in page["statements"]:
            parsed.rows += 1
            record = _statement(row, parsed.rows, source, parsed)
            seen[record.outside_id] = record
    parsed.statements = list(seen.values())
    return parsed


def _statement(row: Any, number: int, source: Source, parsed: ParsedDocument) -> StatementRecord:
    if not isinstance(row, dict):
        raise DocumentError(f"Statement {number} is not an object.")
    outside_id = text_id(row.get("id") or row.get("statement_id"))
    if not outside_id:
        raise DocumentError(f"Statement {number} has no id.")
    where = f"Statement {outside_id}"
    total = given(row.get("settlement_amount"), f"{where}, settlement_amount")
    if total is None:
        raise DocumentError(f"{where} has no settlement_amount.")
    closed = moment(row.get("statement_time"), f"{where}, statement_time")
    parts = {name: found for name in _PARTS if (found := given(row.get(name), f"{where}, {name}")) is not None}
    problem = _difference(parts, total)
    if problem:
        parsed.notes.append(f"{where}: its parts differ from its settlement amount {total} by {problem}.")
    return StatementRecord(
        outside_id=outside_id,
        currency=currency_of(row.get("currency"), source, where),
        total=total,
        period_start=closed - timedelta(days=1),
        period_end=closed,
        closed_at=closed,
        payout=text_id(row.get("payment_id")),
        parts=parts,
    )


def _difference(parts: dict[str, Decimal], total: Decimal) -> Decimal:
    """What the settlement has beyond its parts; zero as well when the parts are not told."""
    fees = parts.get("fee_amount", ZERO) + parts.get("adjustment_amount", ZERO)
    shipping = parts.get("shipping_cost_amount", ZERO)
    ways = [parts[name] + fees for name in ("net_sales_amount", "revenue_amount") if name in parts]
    if not ways or any(total in (way, way + shipping) for way in ways):
        return ZERO
    return total - ways[0] - shipping


def head_of(page: dict[str, Any], source: Source) -> StatementRecord:
    """The statement that a page of statement transactions belongs to, with the totals the page repeats.

    Raises:
        DocumentError: the page names no statement, or a total is no amount.
    """
    outside_id = text_id(page.get("id") or page.get("statement_id"))
    if not outside_id:
        raise DocumentError("The page does not say which statement it belongs to (its id is missing).")
    where = f"Statement {outside_id}"
    count = page.get("total_count")
    currency = page.get("currency") or next(
        (row.get("currency") for row in page["transactions"] if isinstance(row, dict) and row.get("currency")), None
    )
    closed = page.get("create_time") or page.get("statement_time")
    closed_at = moment(closed, f"{where}, create_time") if closed else None
    reserve = given(page.get("total_reserve_amount"), f"{where}, total_reserve_amount")
    payable = given(page.get("payable_amount"), f"{where}, payable_amount")
    total = given(page.get("total_settlement_amount"), f"{where}, total_settlement_amount")
    breakdown = page.get("total_settlement_breakdown") or {}
    return StatementRecord(
        outside_id=outside_id,
        currency=currency_of(currency, source, where),
        total=total,
        deposit=payable if payable is not None or total is None else total + (reserve or ZERO),
        reserve=reserve,
        period_start=closed_at - timedelta(days=1) if closed_at else None,
        period_end=closed_at,
        closed_at=closed_at,
        line_count=int(count) if isinstance(count, int) or (isinstance(count, str) and count.isdigit()) else None,
        parts={name: amount(value, f"{where}, {name}") for name, value in breakdown.items() if not isinstance(value, dict)},
    )
