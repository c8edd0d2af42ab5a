"""Which of several sources of the same money counts: pure decisions over what the vouchers of one order event say.

`ledger.take` asks after every batch, with all current vouchers of the event, so that the answer does not depend on which
document came first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

from channels.records import ANY_PART, State

RANK = {State.ESTIMATED.value: 0, State.PRELIMINARY.value: 1, State.SETTLED.value: 2}
#: Modulus of the linear money hash: a Mersenne prime, so that sums of hashes are hashes of sums.
PRIME = (1 << 127) - 1
#: Up to so many parts every choice of them is tried against a settled sum; more are paired one by one.
_MAX_PARTS = 10


class Known(NamedTuple):
    """A current voucher as the database has it; what `resolve` decides about."""

    id: int
    family: str
    outside_id: str
    version: int
    order_ref: str
    event: str
    part: str
    state: str
    authority: int
    detail: bool
    digest: bytes
    money: int
    active: bool
    event_on: date
    event_source: str
    posted_on: date
    amount: Decimal = Decimal(0)


def resolve(group: Iterable[Known]) -> set[int]:
    """Which vouchers of one order event count: ids of the best sources.

    Per `part` (statement, shipment) the source of highest authority wins; a detail source takes its place when it says
    exactly the same money per fee type, because then it only says it in finer grain (`dates_of_books` gives it the dates).
    A settled source that cannot tell the part (ANY_PART) counts only while no other does. Surer money takes the place of
    weaker money: preliminary of all estimated, settled of the parts that it settles (`still_open` says which it does
    not: an order may have one shipment in a settlement and another still deferred).
    """
    rows = list(group)
    by_rank: dict[int, list[Known]] = defaultdict(list)
    for row in rows:
        by_rank[RANK[row.state]].append(row)
    top = max(by_rank)
    parts = _by_part(by_rank[top])
    settled = RANK[State.SETTLED.value]
    if top == settled and len(parts) > 1:
        parts.pop(ANY_PART, None)
    best = [row for part in parts.values() for row in _best_of(part)]
    weaker = max((rank for rank in by_rank if rank < top), default=None)
    if top == settled and weaker is not None:
        told = {part: _best_of(sources) for part, sources in _by_part(by_rank[weaker]).items()}
        for part in still_open(settled=best, told=told):
            best += told[part]
    return {row.id for row in best}


def still_open(*, settled: Sequence[Known], told: Mapping[str, Sequence[Known]]) -> set[str]:
    """Which parts of an order event, told by weaker sources, the settled vouchers do not settle.

    Where both name the same part, that decides for all. Else the amounts do: those parts are settled that add up to the
    settled money. Where these say nothing either, as many parts are settled as there are settled vouchers, those that
    come nearest to their amounts first: money shown twice is worse than money shown when its statement comes.
    """
    named = {row.part for row in settled}
    if len(told) == 1 and not named & told.keys():
        return set()
    left = set(told) - named
    if not left:
        return set()
    rest = [row for row in settled if row.part not in told]
    agree = len(rest) < len(settled)
    if not rest:
        return left
    amounts = {part: sum((row.amount for row in told[part]), Decimal(0)) for part in left}
    order = sorted(left, key=lambda part: _likely_settled(part, told[part]))
    found = _adding_up(sum((row.amount for row in rest), Decimal(0)), order, amounts)
    if found is not None:
        return left - found
    for row in sorted(rest, key=lambda row: (row.posted_on, row.outside_id)):
        if not left:
            break
        nearest = min((part for part in order if part in left), key=lambda part: abs(amounts[part] - row.amount))
        if amounts[nearest] == row.amount or not agree:
            left.discard(nearest)
    return left


def _likely_settled(part: str, rows: Sequence[Known]) -> tuple[int, date, str]:
    """Among parts of equal amounts: the surer and then the older one is the settled one."""
    return (-max(row.authority for row in rows), min(row.posted_on for row in rows), part)


def _adding_up(wanted: Decimal, order: Sequence[str], amounts: Mapping[str, Decimal]) -> set[str] | None:
    """The parts whose amounts add up to the settled money: all of them, else the fewest."""
    if sum(amounts.values(), Decimal(0)) == wanted:
        return set(order)
    if len(order) > _MAX_PARTS:
        return None
    for number in range(1, len(order)):
        for choice in combinations(order, number):
            if sum((amounts[part] for part in choice), Decimal(0)) == wanted:
                return set(choice)
    return None


def _by_part(rows: Sequence[Known]) -> dict[str, list[Known]]:
    """Vouchers by part. A weaker one may name as its part the voucher it goes on from (a release its deferral), by the
    id before the state in that one's outside id: then it tells of the part of that one.
    """
    own = {row.outside_id.rpartition("/")[0]: row.part for row in rows if row.state != State.SETTLED.value}
    parts: dict[str, list[Known]] = defaultdict(list)
    for row in rows:
        parts[row.part if row.state == State.SETTLED.value else own.get(row.part, row.part)].append(row)
    return parts


def _best_of(part: Sequence[Known]) -> list[Known]:
    books = [row for row in part if not row.detail]
    details = [row for row in part if row.detail]
    highest = max((row.authority for row in books), default=-1)
    books = [row for row in books if row.authority == highest]
    same = sum(row.money for row in details) % PRIME == sum(row.money for row in books) % PRIME
    same = same and len({(row.event_on, row.event_source, row.posted_on) for row in books}) == 1
    return details if details and (not books or same or max(row.authority for row in details) > highest) else books


def dates_of_books(group: Iterable[Known], best: set[int]) -> dict[int, int]:
    """Which details of the best have other dates than the books they refine: detail id -> id of a voucher of the books.

    A detail need not know when its statement closed or which day stands for the event; the books do.
    """
    rows = list(group)
    found: dict[int, int] = {}
    for detail in rows:
        if detail.id not in best or not detail.detail:
            continue
        books = [row for row in rows if not row.detail and row.part == detail.part and row.state == detail.state]
        highest = max((row.authority for row in books), default=-1)
        dates = {(row.event_on, row.event_source, row.posted_on): row.id for row in books if row.authority == highest}
        if len(dates) == 1 and (detail.event_on, detail.event_source, detail.posted_on) not in dates:
            found[detail.id] = next(iter(dates.values()))
    return found


def resolve_twins(group: Iterable[Known]) -> set[int]:
    """Which vouchers count where families tell the same money under ids of their own: all of the best family.

    The best is the one with the surest state, then the highest authority. A family may tell two equal movements: both count.
    """
    rows = list(group)
    families: dict[str, tuple[int, int, str]] = {}
    for row in rows:
        families[row.family] = max(families.get(row.family, (-1, -1, "")), (RANK[row.state], row.authority, row.family))
    best = max(families.values())
    return {row.id for row in rows if row.family == best[2]}
