"""Fits the sums found in a table to the sums that a document kind knows: which of them is which, and what remains open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from channels.adapter import Column
from channels.column_sums import Identity, sums_across, sums_down

#: Steps of the search over which sum is which; more than enough for the nesting that statements have.
_MAX_STEPS = 20_000
_SURE_ROWS = 5


@dataclass(frozen=True)
class Found:
    """A column and the place that a sum gives it, with confidence (0 to 1) and the reason in words."""

    column: str
    place: int
    confidence: float
    reason: str


@dataclass
class _Search:
    relations: list[tuple[str, tuple[str, ...]]]
    options: list[list[tuple[float, Identity]]]
    best: float = 0.0
    winners: list[list[Identity | None]] = field(default_factory=list)
    steps: int = 0

    def run(self, chosen: list[Identity | None], score: float) -> None:
        """Try every option of the next relation, and none; keep all assignments with the highest score."""
        self.steps += 1
        if self.steps > _MAX_STEPS:
            return
        place = len(chosen)
        if place == len(self.relations):
            if score > self.best + 1e-9:
                self.best, self.winners = score, []
            if score > 0 and score >= self.best - 1e-9:
                self.winners.append(list(chosen))
            return
        rest = sum(max((value for value, _identity in options), default=0.0) for options in self.options[place:])
        if score + rest < self.best - 1e-9:
            return
        for value, identity in self.options[place]:
            if all(
                other is None or _agree(self.relations[number], other, self.relations[place], identity)
                for number, other in enumerate(chosen)
            ):
                self.run([*chosen, identity], score + value)
        self.run([*chosen, None], score)


def _agree(one: tuple[str, Sequence[str]], first: Identity, other: tuple[str, Sequence[str]], second: Identity) -> bool:
    """Whether two relations can stand for these two sums at once: totals differ, nesting and shared parts are as known."""
    (code, parts), (other_code, other_parts) = one, other
    if first[0] == second[0]:
        return False
    if (first[0] in second[1]) != (code in other_parts) or (second[0] in first[1]) != (other_code in parts):
        return False
    return bool(set(parts) & set(other_parts)) or not (first[1] & second[1])


def match_relations(
    columns: Sequence[Column],
    amounts: Mapping[int, Sequence[int]],
    *,
    words: Mapping[tuple[str, int], float],
    known: Mapping[str, int],
    names: Sequence[str],
    rows: int,
) -> list[Found]:
    """What the sums of a table say about the columns of a kind.

    `amounts` are ten-thousandths of a unit by place; `words` how much a header is like a column (0 to 1); `known` places
    that are certain. A total found in one way only is sure; parts that only the sum names are told apart by elimination,
    and where several are left by their usual order, which is said and gets little confidence.
    """
    codes = {column.code for column in columns}
    across = sums_across(amounts)
    found = _fit(
        [(column.code, column.sum_of) for column in columns if column.sum_of], across, columns, amounts, words, known, names, rows
    )
    for column in columns:
        parts = tuple(code for code in column.adds_down if code in codes)
        if not parts:
            continue
        down = sums_down(amounts, most=len(parts))
        found += _fit([(column.code, parts)], down, columns, amounts, words, known, names, rows, down=True)
    return found


def _fit(
    relations: list[tuple[str, tuple[str, ...]]],
    identities: Sequence[Identity],
    columns: Sequence[Column],
    amounts: Mapping[int, Sequence[int]],
    words: Mapping[tuple[str, int], float],
    known: Mapping[str, int],
    names: Sequence[str],
    rows: int,
    *,
    down: bool = False,
) -> list[Found]:
    relations = sorted(relations, key=lambda relation: -len(relation[1]))
    zero = {place for place, values in amounts.items() if not any(values)}
    options = [
        sorted(
            (
                (_score(code, parts, identity, words, known), identity)
                for identity in identities
                if _possible(code, parts, identity, known, zero)
            ),
            key=lambda option: (-option[0], option[1][0], sorted(option[1][1])),
        )
        for code, parts in relations
    ]
    search = _Search(relations, options)
    search.run([], 0.0)
    if not search.winners:
        return []
    winner = search.winners[0]
    totals = {code: identity[0] for (code, _parts), identity in zip(relations, winner) if identity is not None}
    candidates: dict[str, set[int]] = {}
    sure: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for number, ((code, parts), identity) in enumerate(zip(relations, winner)):
        if identity is None:
            continue
        others = {chosen[number] for chosen in search.winners}
        enough = down or rows >= _SURE_ROWS
        confidence = 0.95 if len({other and other[0] for other in others}) == 1 and enough else 0.5
        candidates[code] = {identity[0]}
        reason = _reason(identity, amounts, names, rows, down)
        sure[code], reasons[code] = confidence, reason
        for part in parts:
            if part in totals:
                continue
            candidates[part] = candidates.get(part, set(identity[1])) & identity[1]
            sure[part] = min(sure.get(part, 1.0), 0.95 if len(others) == 1 and enough else 0.5)
            reasons.setdefault(part, reason)
    for code, places in candidates.items():
        places -= {total for other, total in totals.items() if other != code}
    for (_code, parts), identity in zip(relations, winner):
        if identity is not None:  # what stands in a sum is one of its parts and nothing else
            for code in candidates.keys() - set(parts) - totals.keys():
                candidates[code] -= identity[1]
    return _tell_apart(candidates, sure, reasons, columns, known, words)


def _possible(code: str, parts: Sequence[str], identity: Identity, known: Mapping[str, int], zero: set[int]) -> bool:
    total, places = identity
    by_place = {place: column for column, place in known.items()}
    if known.get(code, total) != total or by_place.get(total, code) != code or len(places) > len(parts):
        return False
    if any(by_place.get(place, parts[0]) not in parts for place in places):
        return False
    return all(known[part] in places or known[part] in zero for part in parts if part in known)


def _score(
    code: str, parts: Sequence[str], identity: Identity, words: Mapping[tuple[str, int], float], known: Mapping[str, int]
) -> float:
    """How well a sum fits a relation: as many parts as it has, headers that sound like it, places that are known."""
    total, places = identity
    likeness = 5 * words.get((code, total), 0.0)
    likeness += 2 * sum(max(words.get((part, place), 0.0) for part in parts) for place in places)
    return 10 * len(places) / len(parts) + (3 if len(places) == len(parts) else 0) + likeness


def _reason(identity: Identity, amounts: Mapping[int, Sequence[int]], names: Sequence[str], rows: int, down: bool) -> str:
    total, places = identity
    shown = [names[place] for place in sorted(places)]
    parts = " + ".join(shown[:6]) + (f" + {len(shown) - 6} more" if len(shown) > 6 else "")
    if down:
        return f"{parts} of all rows come to {names[total]}: {Decimal(sum(amounts[total])).scaleb(-4):.2f}"
    return f"adds up on {rows} of {rows} rows: {names[total]} = {parts}"


def _tell_apart(
    candidates: dict[str, set[int]],
    sure: Mapping[str, float],
    reasons: Mapping[str, str],
    columns: Sequence[Column],
    known: Mapping[str, int],
    words: Mapping[tuple[str, int], float],
) -> list[Found]:
    """Fix places that can be one column only, and columns that sound like one place only; guess the rest by order.

    A column with one place left is not fixed by that alone: it may be one that this export does not have.
    """
    fixed = {code: place for code, place in known.items() if code in candidates}
    left = {code: places - set(fixed.values()) for code, places in candidates.items() if code not in fixed}
    while True:
        pair = _certain(left) or _alike(left, words)
        if pair is None:
            break
        code, place = pair
        fixed[code] = place
        del left[code]
        for places in left.values():
            places.discard(place)
    found = [Found(code, place, sure[code], reasons[code]) for code, place in fixed.items()]
    groups: dict[frozenset[int], list[str]] = {}
    for column in columns:
        if left.get(column.code):
            groups.setdefault(frozenset(left[column.code]), []).append(column.code)
    for choice, group in groups.items():
        if len(choice) == len(group):
            for code, place in zip(group, sorted(choice)):
                reason = f"one of {len(choice)} columns of a sum, in their usual order; {reasons[code]}"
                found.append(Found(code, place, min(0.4, sure[code]), reason))
    return found


def _certain(left: Mapping[str, set[int]]) -> tuple[str, int] | None:
    """A place that only one column can be."""
    by_place: dict[int, list[str]] = {}
    for code, places in left.items():
        for place in places:
            by_place.setdefault(place, []).append(code)
    return next(((codes[0], place) for place, codes in sorted(by_place.items()) if len(codes) == 1), None)


def _alike(left: Mapping[str, set[int]], words: Mapping[tuple[str, int], float]) -> tuple[str, int] | None:
    """A column and a place that are more alike than either is to any other that is left."""
    for code, places in sorted(left.items()):
        for place in sorted(places):
            likeness = words.get((code, place), 0.0)
            rivals = [words.get((other, place), 0.0) for other in left if other != code and place in left[other]]
            rivals += [words.get((code, other), 0.0) for other in places if other != place]
            if likeness > max(rivals, default=0.0):
                return code, place
    return None
