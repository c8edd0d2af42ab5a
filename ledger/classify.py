"""Which category a fee type has: matches approved rules and compiles them into `Mapping`, which ingest and P&L join."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.db import transaction
from django.utils import timezone

from ledger.models import FeeRule, FeeType, Mapping
from nova.models import Company

ALWAYS_FROM = date(1, 1, 1)
ALWAYS_TO = date(9999, 12, 1)
_IGNORED = re.compile(r"[\s_-]+")


@lru_cache(maxsize=100_000)
def canonical(text: str) -> str:
    """How names are compared: without case, blanks, hyphens and underscores, as channels write the same name in several ways."""
    return _IGNORED.sub("", text.casefold())


@lru_cache(maxsize=20_000)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in canonical(text).split("*")), re.DOTALL)


def matches(rule: FeeRule, fee_type: FeeType) -> bool:
    """Whether a rule says anything about a fee type."""
    return (
        rule.channel == fee_type.channel
        and (not rule.marketplace or rule.marketplace.casefold() == fee_type.marketplace.casefold())
        and (rule.context == "*" or rule.context == fee_type.context)
        and _pattern(rule.name).fullmatch(canonical(fee_type.name)) is not None
        and _pattern(rule.path).fullmatch(canonical(fee_type.path)) is not None
    )


def precedence(*, marketplace: str, path: str, name: str, context: str) -> int:
    """How specific a rule is; the higher number wins.

    In this order: an exact name before a wildcard (of wildcards the one with more letters), then the same for the path,
    then a named marketplace before all, then a named context before any.
    """

    def score(text: str) -> int:
        return 999 if "*" not in text else min(len(canonical(text).replace("*", "")), 998)

    return score(name) * 1_000_000 + score(path) * 1_000 + (100 if marketplace else 0) + (10 if context != "*" else 0)


@dataclass(frozen=True)
class Interval:
    """From month to month (exclusive) one rule decides."""

    valid_from: date
    valid_to: date
    rule: FeeRule


class RuleBook:
    """Approved (and, for a preview, supposed) rules of one company, indexed so that thousands of types compile quickly."""

    def __init__(self, rules: Iterable[FeeRule]) -> None:
        self._exact: dict[tuple[str, str], list[FeeRule]] = defaultdict(list)
        self._wild: dict[str, list[FeeRule]] = defaultdict(list)
        for rule in rules:
            if "*" in rule.name:
                self._wild[rule.channel].append(rule)
            else:
                self._exact[rule.channel, canonical(rule.name)].append(rule)

    def candidates(self, fee_type: FeeType) -> list[FeeRule]:
        """The rules that say something about a fee type, the winner of equal months first."""
        near = [*self._exact[fee_type.channel, canonical(fee_type.name)], *self._wild[fee_type.channel]]
        found = [rule for rule in near if matches(rule, fee_type)]
        return sorted(found, key=lambda rule: (-rule.precedence, -(rule.pk or 0)))

    def intervals(self, fee_type: FeeType) -> list[Interval]:
        """Who decides when; months without a rule are left out."""
        rules = self.candidates(fee_type)
        edges = sorted({edge for rule in rules for edge in (rule.valid_from or ALWAYS_FROM, rule.valid_to or ALWAYS_TO)})
        found: list[Interval] = []
        for start, end in itertools.pairwise(edges):
            winner = next(
                (rule for rule in rules if (rule.valid_from or ALWAYS_FROM) <= start and (rule.valid_to or ALWAYS_TO) >= end),
                None,
            )
            if winner is None:
                continue
            if (
                found
                and found[-1].valid_to == start
                and found[-1].rule.category_id == winner.category_id
                and found[-1].rule.pk == winner.pk
            ):
                found[-1] = Interval(found[-1].valid_from, end, winner)
            else:
                found.append(Interval(start, end, winner))
        return found


def approved_rules(*, company_id: int, channel: str = "") -> list[FeeRule]:
    """The rules in force (at some time) for a company."""
    rules = FeeRule.objects.filter(company=company_id, status=FeeRule.Status.APPROVED)
    return list(rules.filter(channel=channel) if channel else rules)


def compile_mappings(*, company: Company, fee_type_ids: Sequence[int] | None = None) -> int:
    """Bring `Mapping` in line with the approved rules, for all or some fee types. Returns how many rows changed.

    What no longer holds is closed (`known_to`), what is new begins (`known_from`): so the P&L can be shown as it was
    known at any time. Nothing changes when nothing changed. Locks the company's open mapping rows.
    """
    types = FeeType.objects.all() if fee_type_ids is None else FeeType.objects.filter(pk__in=fee_type_ids)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        book = RuleBook(approved_rules(company_id=company.pk))
        open_rows: dict[int, list[Mapping]] = defaultdict(list)
        rows = Mapping.objects.select_for_update().filter(company=company, known_to__isnull=True)
        for row in rows if fee_type_ids is None else rows.filter(fee_type__in=fee_type_ids):
            open_rows[row.fee_type_id].append(row)
        now = timezone.now()
        close: list[int] = []
        create: list[Mapping] = []
        for fee_type in types:
            wanted = {
                (interval.valid_from, interval.valid_to, interval.rule.category_id, interval.rule.pk)
                for interval in book.intervals(fee_type)
            }
            have = {
                (row.valid_from, row.valid_to, row.category_id, row.rule_id): row.pk for row in open_rows.pop(fee_type.pk, [])
            }
            close += [pk for key, pk in have.items() if key not in wanted]
            create += [
                Mapping(
                    company=company,
                    fee_type=fee_type,
                    valid_from=valid_from,
                    valid_to=valid_to,
                    category_id=category,
                    rule_id=rule,
                    known_from=now,
                )
                for valid_from, valid_to, category, rule in sorted(wanted - have.keys())
            ]
        Mapping.objects.filter(pk__in=close).update(known_to=now)
        Mapping.objects.bulk_create(create, batch_size=2000)
        return len(close) + len(create)


def compile_mappings_for_types(*, channel: str, fee_type_ids: Sequence[int], but: Iterable[int] = ()) -> list[int]:
    """Map new fee types for every company that has rules for the channel, other than `but`. Returns the companies.

    Also for companies whose rules still wait: one may be being approved at this moment by a transaction that does not
    see the new types. Its company's lock makes us wait for it, and the rules read then are the approved ones.
    """
    if not fee_type_ids:
        return []
    ids = set(FeeRule.objects.filter(channel=channel).values_list("company", flat=True).distinct()) - set(but)
    companies = list(Company.objects.filter(pk__in=ids).order_by("pk"))
    for company in companies:
        compile_mappings(company=company, fee_type_ids=fee_type_ids)
    return [company.pk for company in companies]
