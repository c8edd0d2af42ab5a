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


#: What a row of `read_rows` is.
_CELL, _SHARE, _UNRATED = 3, 1, 2
_DETAIL = """(SELECT *, fee_type_id AS share_type, mapped AS share_mapped, settled AS share_settled, currency AS money
    FROM placed) AS placed"""
_SHARE_SETS = "(share_type, share_mapped, share_settled), (money)"


def read_rows(question: Question, frame: Frame, conditions: tuple[Condition, ...]) -> list[tuple[Any, ...]]:
    """Cells, the money of each fee type (for the shares) and unrated money per currency, as rows of
    (what it is, keys..., mapped, settled, currency, sums..., unrated).

    One statement; two where the breakdown is by article but the filters are not, because then fee types and currencies
    have the same money in the far smaller rollup without listings.
    """
    plan = Plan(question, frame, question.by, conditions, choose_source(question, conditions, frame))
    whole = Plan(question, frame, (), conditions, choose_source(question, conditions, frame, by=()))
    width = len(question.by)
    keys = [f"k{number}" for number in range(width)]
    if plan.by_listing and not whole.by_listing:
        cells = _fetch(
            plan,
            f"SELECT {_CELL}, {', '.join([*keys, 'NULL, NULL, NULL'])}, {SUMS}, 0 FROM placed GROUP BY {', '.join(keys)}",
        )
        return cells + _fetch(whole, _select(["NULL"] * width, _SHARE_SETS))
    return _fetch(plan, _select(keys, f"({', '.join(keys)}), {_SHARE_SETS}"))


def _select(keys: list[str], sets: str) -> str:
    selected = "".join(f"{key}, " for key in keys)
    # A dimension may be a column of another grouping set as well: the sets group by names of their own.
    return f"""
        SELECT GROUPING(share_type, money), {selected}share_mapped, share_settled, money, {SUMS},
            trim_scale(coalesce(sum(unrated), 0))
        FROM {_DETAIL} GROUP BY GROUPING SETS ({sets})
    """


def _fetch(plan: Plan, select: str) -> list[tuple[Any, ...]]:
    statement = compose(plan)
    with connection.cursor() as cursor:
        cursor.execute(statement.having(select), statement.parameters)
        return list(cursor.fetchall())


def _report(question: Question, frame: Frame, rows: list[tuple[Any, ...]]) -> Report:
    by = question.by
    width = len(by)
    cells = [row for row in rows if row[0] == _CELL and any(row[width + 4 : width + 10])]
    keys = Keys(question, frame, by, {dimension: {row[number + 1] for row in cells} for number, dimension in enumerate(by)})
    ranks, words = [keys.ranks(dimension) for dimension in by], [keys.words(dimension) for dimension in by]
    cells.sort(key=lambda row: [rank[raw] for rank, raw in zip(ranks, row[1:])])
    shares = [(row[width + 1], row[width + 2], row[width + 4], row[width + 7]) for row in rows if row[0] == _SHARE]
    settled, mapped, provisional = _shares(shares)
    return Report(
        question=question,
        currency=question.report_currency,
        cells=tuple(_cell(tuple(word[raw] for word, raw in zip(words, row[1:])), *row[width + 4 : width + 10]) for row in cells),
        labels=keys.labels,
        share_settled=settled,
        share_mapped=mapped,
        share_provisional=provisional,
        unrated=tuple(sorted((row[width + 3], row[-1]) for row in rows if row[0] == _UNRATED and row[-1])),
        cash_side_only=frame.cash_side_only if question.scope == UNIFIED else (),
        as_of=question.known_at or timezone.now(),
        translated=question.report_currency != question.company.currency,
        shop_names={shop.code: shop.name for shop in frame.shops.values()},
    )


def _cell(
    keys: tuple[str, ...],
    amount: Decimal,
    settled: Decimal,
    unmapped: Decimal,
    provisional: Decimal,
    quantity: Decimal,
    lines: Decimal,
) -> Cell:
    """A cell, filled past the guard of frozen classes: reports may have a million of them, and the guard costs most of it."""
    cell = object.__new__(Cell)
    cell.__dict__.update(
        keys=keys,
        amount=amount,
        settled=settled,
        unmapped=unmapped,
        provisional=provisional,
        quantity=quantity,
        lines=int(lines),
    )
    return cell


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
