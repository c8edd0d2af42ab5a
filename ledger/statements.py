"""What each statement says and what its lines come to: the identity that proves an import, read for pages and commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from ledger.intake import STATEMENT_SUMS
from ledger.models import Statement


@dataclass(frozen=True)
class StatementCheck:
    """One statement against its lines, all amounts in `currency`, seller's view.

    `lines` and `sum` count settled lines inside the statement's total; `remainder` is the visible line that closes a gap.
    `difference` is `total - sum`, None while the channel has told no total; it means something once `complete` is true.
    `closed_at`, `period_start` and `period_end` are aware; `paid_on` is in the company's time zone.
    """

    id: int
    shop_id: int
    shop: str
    outside_id: str
    currency: str
    period_start: datetime | None
    period_end: datetime | None
    closed_at: datetime | None
    complete: bool
    lines: int
    sum: Decimal
    remainder: Decimal
    total: Decimal | None
    deposit: Decimal | None
    reserve: Decimal | None
    difference: Decimal | None
    payout: str
    payout_status: str
    paid_on: date | None
    document_id: int

    @property
    def balanced(self) -> bool:
        """Whether nothing is left to explain: no difference, or not yet all lines or no total to compare with."""
        return not self.complete or not self.difference


def statement_checks(company_id: int, shop_id: int | None = None, ids: Iterable[int] | None = None) -> list[StatementCheck]:
    """The statements of a company (of one shop, or those of `ids`), the latest first, each with the sum of its lines.

    Three queries, whatever the number of statements.
    """
    found = Statement.objects.filter(company=company_id).select_related("shop", "payout").order_by("-closed_at", "-id")
    if shop_id is not None:
        found = found.filter(shop=shop_id)
    if ids is not None:
        found = found.filter(pk__in=list(ids))
    statements = list(found)
    wanted = [statement.pk for statement in statements]
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT_SUMS, {"company": company_id, "ids": wanted})
        sums = {row[0]: (row[6], row[7]) for row in cursor.fetchall()}
        cursor.execute(_LINES, {"company": company_id, "ids": wanted})
        lines = dict(cursor.fetchall())
    checks = []
    for statement in statements:
        total, (amount, remainder) = statement.total, sums[statement.pk]
        payout = statement.payout
        checks.append(
            StatementCheck(
                id=statement.pk,
                shop_id=statement.shop_id,
                shop=statement.shop.code,
                outside_id=statement.outside_id,
                currency=statement.currency,
                period_start=statement.period_start,
                period_end=statement.period_end,
                closed_at=statement.closed_at,
                complete=statement.complete,
                lines=int(lines.get(statement.pk, 0)),
                sum=amount,
                remainder=remainder,
                total=total,
                deposit=statement.deposit,
                reserve=statement.reserve,
                difference=None if total is None else total - amount,
                payout=payout.outside_id if payout else statement.payout_ref,
                payout_status=payout.status if payout else "",
                paid_on=payout.paid_on if payout else None,
                document_id=statement.document_id,
            )
        )
    return checks


#: The lines that STATEMENT_SUMS adds up, counted.
_LINES = """
    SELECT day.statement_id, sum(day.lines)
    FROM ledger_pnlday day
    JOIN ledger_feetype type ON type.id = day.fee_type_id
    WHERE day.company_id = %(company)s AND day.statement_id = ANY(%(ids)s) AND day.state = 'settled'
        AND type.context <> 'reserve' AND NOT (type.path = 'statement' AND type.context = 'remainder')
    GROUP BY day.statement_id
"""
