"""The one P&L: what a company earned and paid, by any nesting of dimensions, on three clocks, in one currency.

Reads the rollups joined to `Mapping`; writes nothing. Amounts are exact decimals in the report's currency, seller's view
(plus is money to the seller); days and months are the company's time zone. In the company's currency every amount is the
original one at the rate of its event day, as the rollups keep it; in another currency the report is a translation of the
original amounts at the rates of the same event days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from ledger.pnl_frame import Frame, read_frame
from ledger.pnl_labels import Keys
from ledger.pnl_question import UNIFIED, Condition, Dimension, Question, check_question, conditions_of
from ledger.pnl_sql import SUMS, Plan, choose_source, compose
from nova.money import round_to_currency

__all__ = ["UNIFIED", "Cell", "Dimension", "Question", "Report", "answer", "display", "exact_sum"]

ZERO = Decimal(0)
# Base amounts have up to fourteen decimals and SKU shares eight more: Python's usual 28 digits could round a sum.
_WIDE = Context(prec=100)


@dataclass(frozen=True)
class Cell:
    """One figure: `keys` in the order of `Question.by`; amounts in the report's currency, not rounded.

    `settled` is the part that is settled, `unmapped` the part on no approved rule (or mapped to suspense), `provisional`
    the part whose event date only stands in for one not known yet. `quantity` counts units sold less returned; broken down
    by SKU, the units of the SKU. `lines` counts the fee lines; one that several SKUs share counts for each.
    Add amounts up with `exact_sum`: they may have more digits than Python's decimals keep by themselves.
    """

    keys: tuple[str, ...]
    amount: Decimal
    settled: Decimal
    unmapped: Decimal
    provisional: Decimal
    quantity: Decimal
    lines: int


@dataclass(frozen=True)
class Report:
    """The answer. Shares are of the sum of absolute amounts, between 0 and 1, None when there is nothing.

    Absolute amounts are taken per fee type, settled or not, so that shares are the same however the report is broken down.
    `labels` give the words for keys. `unrated` is money that could not be converted for want of a rate (currency, amount);
    it is in no amount. `cash_side_only` are the codes of shops left out of the unified P&L until their orders are imported
    (MONEY.md 4). `translated` says that the figures are not in the company's currency.
    """

    question: Question
    currency: str
    cells: tuple[Cell, ...]
    labels: Mapping[Dimension, Mapping[str, str]]
    share_settled: Decimal | None
    share_mapped: Decimal | None
    share_provisional: Decimal | None
    unrated: tuple[tuple[str, Decimal], ...]
    cash_side_only: tuple[str, ...]
    as_of: datetime
    translated: bool = False
    shop_names: Mapping[str, str] = field(default_factory=dict)


def answer(question: Question) -> Report:
    """The P&L that `question` asks for, cells sorted by their keys' natural order.

    Raises:
        ValueError: an unknown dimension, period, currency or word of a filter, two periods in one question, or no rate for
            the currency.
    """
    conditions = tuple(conditions_of(question))
    check_question(question, conditions)
    frame = read_frame(question, conditions)
    rows = read_rows(question, frame, conditions)
    return _report(question, frame, rows)


def read_rows(question: Question, frame: Frame, conditions: tuple[Condition, ...]) -> list[tuple[Any, ...]]:
    """Cells, shares and unrated money in one statement: rows of (set, keys..., fee type, mapped, settled, currency, sums...).

    `set` is 3 for a cell, 1 for the money of a fee type (for the shares), 2 for the unrated money of a currency.
    """
    plan = Plan(question, frame, question.by, conditions, choose_source(question, conditions, frame))
    statement = compose(plan)
    keys = [f"k{number}" for number in range(len(question.by))]
    selected = "".join(f"{key}, " for key in keys)
    # A dimension may be a column of another grouping set as well: the sets group by names of their own.
    select = f"""
        SELECT GROUPING(share_type, money) AS kind, {selected}share_type, share_mapped, share_settled, money, {SUMS},
            trim_scale(coalesce(sum(unrated), 0)) AS unrated
        FROM (SELECT *, fee_type_id AS share_type, mapped AS share_mapped, settled AS share_settled, currency AS money
              FROM placed) AS placed
        GROUP BY GROUPING SETS (({", ".join(keys)}), (share_type, share_mapped, share_settled), (money))
    """
    with connection.cursor() as cursor:
        cursor.execute(statement.having(select), statement.parameters)
        return list(cursor.fetchall())


def _report(question: Question, frame: Frame, rows: list[tuple[Any, ...]]) -> Report:
    by = question.by
    width = len(by)
    cells = [row for row in rows if row[0] == 3 and any(row[width + 5 : width + 11])]
    raw = {dimension: {row[number + 1] for row in cells} for number, dimension in enumerate(by)}
    keys = Keys(question, frame, by, raw)
    cells.sort(key=lambda row: [keys.rank(dimension, row[number + 1]) for number, dimension in enumerate(by)])
    shares = [(row[width + 2], row[width + 3], row[width + 5], row[width + 8]) for row in rows if row[0] == 1]
    settled, mapped, provisional = _shares(shares)
    return Report(
        question=question,
        currency=question.report_currency,
        cells=tuple(
            _cell(row, tuple(keys.key(dimension, row[number + 1]) for number, dimension in enumerate(by))) for row in cells
        ),
        labels=keys.labels,
        share_settled=settled,
        share_mapped=mapped,
        share_provisional=provisional,
        unrated=tuple(sorted((row[width + 4], row[width + 11]) for row in rows if row[0] == 2 and row[width + 11])),
        cash_side_only=frame.cash_side_only if question.scope == UNIFIED else (),
        as_of=question.known_at or timezone.now(),
        translated=question.report_currency != question.company.currency,
        shop_names={shop.code: shop.name for shop in frame.shops.values()},
    )


def _cell(row: tuple[Any, ...], keys: tuple[str, ...]) -> Cell:
    amount, settled, unmapped, provisional, quantity, lines = row[len(keys) + 5 : len(keys) + 11]
    return Cell(keys, amount, settled, unmapped, provisional, quantity, int(lines))


def _shares(rows: list[tuple[bool, bool, Decimal, Decimal]]) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Settled, mapped and provisional share from (mapped, settled, amount, provisional part) per fee type."""
    total = settled = mapped = unsure = ZERO
    for is_mapped, is_settled, amount, provisional in rows:
        size = abs(provisional) + abs(amount - provisional)
        total += size
        unsure += abs(provisional)
        if is_mapped:
            mapped += size
        if is_settled:
            settled += size
    if not total:
        return None, None, None
    return settled / total, mapped / total, unsure / total


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum to the last digit."""
    total = ZERO
    for amount in amounts:
        total = _WIDE.add(total, amount)
    return total


def display(amount: Decimal, currency: str) -> str:
    """An amount as tables show it: rounded half even to the currency's smallest unit, thousands parted, zero as a dash."""
    rounded = round_to_currency(amount, currency)
    return f"{rounded:,f}".replace("-", "\N{MINUS SIGN}") if rounded else "\N{EN DASH}"
