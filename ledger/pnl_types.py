"""The fee types of a company with their money and their category."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection

from ledger.models import FeeType
from nova.models import Company

ZERO = Decimal(0)


@dataclass
class TypeMoney:
    """The money of a fee type under one category (None: unmapped): original amounts per currency, and base amounts.

    `at_stake` is the sum of the absolute base amounts per month, shop, currency and state.
    """

    fee_type: FeeType
    category: str | None
    lines: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    base_amount: Decimal = ZERO
    at_stake: Decimal = ZERO


_MONEY = """
    SELECT month.fee_type_id, category.code, month.currency, sum(month.lines), sum(month.amount), sum(month.base_amount),
        sum(abs(month.base_amount))
    FROM ledger_pnlmonth month
    LEFT JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
        AND mapping.known_to IS NULL AND mapping.valid_from <= month.event_month AND month.event_month < mapping.valid_to
    LEFT JOIN ledger_feecategory category ON category.id = mapping.category_id
    WHERE month.company_id = %s AND month.clock = 'event'
    GROUP BY 1, 2, 3
    HAVING sum(month.lines) <> 0 OR sum(month.amount) <> 0
"""


def types_of(*, company: Company) -> list[TypeMoney]:
    """Every fee type with money, most money first; one that changed its category appears once per category."""
    with connection.cursor() as cursor:
        cursor.execute(_MONEY, [company.pk])
        rows = cursor.fetchall()
    types = FeeType.objects.in_bulk({row[0] for row in rows})
    found: dict[tuple[int, str | None], TypeMoney] = {}
    for type_id, category, currency, lines, amount, base, stake in rows:
        row = found.setdefault((type_id, category), TypeMoney(types[type_id], category))
        row.lines += int(lines)
        row.amounts[currency] = row.amounts.get(currency, ZERO) + amount
        row.base_amount += base
        row.at_stake += stake
    return sorted(found.values(), key=lambda row: (-row.at_stake, -row.lines, row.fee_type.pk, row.category or ""))
