"""Which amount columns of a table add up to which other one, found from the figures alone, exactly and for every row.

The columns are vectors of integers (ten-thousandths of a unit). Every identity "a = b + c + ..." is a vector of the null
space of their matrix with entries 1 and -1. The null space is found modulo a prime, and each of its vectors with such
entries is a combination of the basis by -1, 0 and 1, so that trying those finds them all; each is checked on every row.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence

_PRIME = (1 << 61) - 1
#: More independent identities than this are not told apart (3 to the power of it is tried); a handful is usual.
MAX_IDENTITIES = 8
#: Rows beyond the number of columns, so that chance makes no identity.
_SPARE_ROWS = 8
MAX_PARTS_DOWN = 14

Identity = tuple[int, frozenset[int]]


def sums_across(columns: Mapping[int, Sequence[int]]) -> list[Identity]:
    """Every (total, parts) of at least two parts that holds on every row; keys are those of `columns`.

    Columns of zeros only are left out: they are part of every sum and of none. With too few rows to tell (fewer than
    two that are not zero) there is nothing; with too many independent identities only those of two parts are looked for.
    """
    live = {key: values for key, values in columns.items() if any(values)}
    keys = sorted(live)
    rows = [row for row in set(zip(*(live[key] for key in keys))) if any(row)] if keys else []
    if len(keys) < 3 or len(rows) < 2:
        return []
    basis = _null_space(rows, len(keys))
    if len(basis) > MAX_IDENTITIES:
        return _pairs(live)
    found: set[Identity] = set()
    for factors in itertools.product((0, 1, -1), repeat=len(basis)):
        first = next((factor for factor in factors if factor), 0)
        if first != 1:
            continue  # its negative says the same
        vector = [sum(factor * row[place] for factor, row in zip(factors, basis)) % _PRIME for place in range(len(keys))]
        entries = [1 if entry == 1 else -1 if entry == _PRIME - 1 else 0 if entry == 0 else 2 for entry in vector]
        if 2 in entries:
            continue
        found.update(_read(entries, keys))
    return sorted((item for item in found if _holds(item, live)), key=lambda item: (len(item[1]), item[0], sorted(item[1])))


def _read(entries: Sequence[int], keys: Sequence[int]) -> list[Identity]:
    """The identities that a vector of 1, -1 and 0 states: one entry against at least two others."""
    plus = [key for key, entry in zip(keys, entries) if entry == 1]
    minus = [key for key, entry in zip(keys, entries) if entry == -1]
    found = []
    for one, others in ((plus, minus), (minus, plus)):
        if len(one) == 1 and len(others) >= 2:
            found.append((one[0], frozenset(others)))
    return found


def _holds(identity: Identity, columns: Mapping[int, Sequence[int]]) -> bool:
    total, parts = identity
    return all(whole == sum(values) for whole, *values in zip(columns[total], *(columns[part] for part in parts)))


def _null_space(rows: Sequence[tuple[int, ...]], width: int) -> list[list[int]]:
    """A basis of the vectors that are orthogonal to every row, modulo the prime (reduced: each has a 1 of its own)."""
    draw = random.Random(20_26)  # the same table always gives the same suggestion
    # Rows are sorted before they are mixed: a set has no order of its own.
    ordered = sorted(rows)
    if len(ordered) > width + _SPARE_ROWS:
        mixed = []
        for _ in range(width + _SPARE_ROWS):
            weights = [draw.randrange(_PRIME) for _row in ordered]
            mixed.append([sum(weight * row[place] for weight, row in zip(weights, ordered)) % _PRIME for place in range(width)])
    else:
        mixed = [[value % _PRIME for value in row] for row in ordered]
    pivots: list[int] = []
    reduced: list[list[int]] = []
    for place in range(width):
        row = next((line for line in mixed if line[place]), None)
        if row is None:
            continue
        mixed.remove(row)
        inverse = pow(row[place], -1, _PRIME)
        row = [value * inverse % _PRIME for value in row]
        for lines in (mixed, reduced):
            for index, line in enumerate(lines):
                if factor := line[place]:
                    lines[index] = [(value - factor * own) % _PRIME for value, own in zip(line, row)]
        reduced.append(row)
        pivots.append(place)
    basis = []
    for free in range(width):
        if free in pivots:
            continue
        vector = [0] * width
        vector[free] = 1
        for row, pivot in zip(reduced, pivots):
            vector[pivot] = -row[free] % _PRIME
        basis.append(vector)
    return basis


def _pairs(columns: Mapping[int, Sequence[int]]) -> list[Identity]:
    """Sums of two parts only, by looking up what is missing."""
    by_values: dict[tuple[int, ...], list[int]] = {}
    for key, values in columns.items():
        by_values.setdefault(tuple(values), []).append(key)
    found = []
    for first, second in itertools.combinations(sorted(columns), 2):
        wanted = tuple(map(int.__add__, columns[first], columns[second]))
        found += [(total, frozenset((first, second))) for total in by_values.get(wanted, ()) if total not in (first, second)]
    return found


def sums_down(columns: Mapping[int, Sequence[int]], *, most: int = MAX_PARTS_DOWN) -> list[Identity]:
    """Every (total, parts) where the rows of up to `most` `parts` together come to what `total` says on its few rows.

    A total stands on at most every third row and on none where a part stands; of several sets of parts with the same sum
    those with the most columns are told.
    """
    filled = {key: sum(1 for value in values if value) for key, values in columns.items()}
    found: list[Identity] = []
    for total, values in columns.items():
        if not filled[total] or filled[total] * 3 > len(values):
            continue
        own = {row for row, value in enumerate(values) if value}
        others = [key for key in columns if key != total and filled[key] and not any(columns[key][row] for row in own)]
        others = sorted(others, key=lambda key: -filled[key])[:MAX_PARTS_DOWN]
        sums = {key: sum(columns[key]) for key in others}
        wanted = sum(values)
        for size in range(min(most, len(others)), 0, -1):
            hits = [parts for parts in itertools.combinations(others, size) if sum(sums[key] for key in parts) == wanted]
            if hits:
                found += [(total, frozenset(parts)) for parts in hits]
                break
    return found
