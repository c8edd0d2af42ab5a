"""Makes sure of the fee types a document names: normalised, capped, mapped at once where an approved rule knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from channels.models import Shop
from channels.registry import fee_proposals
from ledger.models import FeeType

#: Names that one channel may add per day before the rest goes into one bucket: free text must not flood the worklist.
NEW_NAMES_PER_DAY = 500
OVERFLOW = ("(too many names)", "(too many names)")
_DIGITS = re.compile(r"[0-9][0-9A-Za-z\-./:]*[0-9]|[0-9]+")
_BLANKS = re.compile(r"\s+")
MAX_LENGTH = 200

Key = tuple[str, str, str, str]


@cache
def _catalogue(channel: str) -> frozenset[str]:
    try:
        return frozenset(word for proposal in fee_proposals(channel) for word in (proposal.path, proposal.name))
    except (LookupError, FileNotFoundError):
        return frozenset()


def normalise_name(text: str, *, channel: str = "") -> str:
    """A raw name as fee types carry it: ids and digits become `#`, blanks one blank, at most 200 characters.

    Names in the channel's own fees.csv stay as they are.
    """
    plain = _BLANKS.sub(" ", text.replace("\x00", "")).strip()
    if plain in _catalogue(channel):
        return plain[:MAX_LENGTH]
    return _DIGITS.sub("#", plain)[:MAX_LENGTH]


_cache: dict[tuple[str, Key], int] = {}


def ensure_fee_types(*, channel: str, keys: Iterable[Key], shop: Shop | None = None) -> dict[Key, int]:
    """Ids of fee types by raw (marketplace, path, name, context); new ones are inserted in a transaction of their own.

    New types are compiled against the approved rules of every company with rules for the channel. Past
    NEW_NAMES_PER_DAY new names of a channel a day, further ones share one type.
    """
    wanted = list(keys)
    found = {key: _cache[channel, key] for key in wanted if (channel, key) in _cache}
    missing = [key for key in wanted if key not in found]
    if not missing:
        return found
    normal = {
        key: (key[0][:60], normalise_name(key[1], channel=channel), normalise_name(key[2], channel=channel), key[3])
        for key in missing
    }
    ids = _lookup(channel, set(normal.values()))
    new = sorted(set(normal.values()) - ids.keys())
    if new:
        room = NEW_NAMES_PER_DAY + len(_catalogue(channel)) - _added_today(channel)
        listed, overflow = new[: max(0, room)], new[max(0, room) :]
        if overflow:
            bucket = {name: (name[0], *OVERFLOW, name[3]) for name in overflow}
            normal = {key: bucket.get(name, name) for key, name in normal.items()}
            listed = sorted({*listed, *bucket.values()})
        ids |= _insert(channel, listed)
    for key, name in normal.items():
        found[key] = ids[name]
    if not connection.in_atomic_block:  # inside a transaction the types might still vanish with it
        _cache.update({(channel, key): found[key] for key in normal})
    return found


def _lookup(channel: str, names: set[Key]) -> dict[Key, int]:
    columns: list[list[Any]] = [list(column) for column in zip(*names, strict=True)] if names else [[], [], [], []]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT type.marketplace, type.path, type.name, type.context, type.id
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS wanted(marketplace, path, name, context)
            JOIN ledger_feetype type ON type.channel = %s AND type.marketplace = wanted.marketplace AND type.path = wanted.path
                AND type.name = wanted.name AND type.context = wanted.context
            """,
            [*columns, channel],
        )
        return {(row[0], row[1], row[2], row[3]): row[4] for row in cursor.fetchall()}


def _added_today(channel: str) -> int:
    return FeeType.objects.filter(channel=channel, first_seen_at__gte=timezone.now() - timedelta(days=1)).count()


def _insert(channel: str, names: list[Key]) -> dict[Key, int]:
    from ledger.classify import compile_mappings_for_types

    with transaction.atomic():
        FeeType.objects.bulk_create(
            [FeeType(channel=channel, marketplace=name[0], path=name[1], name=name[2], context=name[3]) for name in names],
            ignore_conflicts=True,
        )
        ids = _lookup(channel, set(names))
        done = compile_mappings_for_types(channel=channel, fee_type_ids=sorted(ids.values()))
    # A company's first rule may have been proposed and approved meanwhile, before our types could be seen.
    compile_mappings_for_types(channel=channel, fee_type_ids=sorted(ids.values()), but=done)
    return ids
