"""Which rules give way to new ones: of rules with the same selector only one can hold at a time. Pure, for approval and preview."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, TypeVar

from ledger.classify import ALWAYS_FROM, ALWAYS_TO, canonical, matches
from ledger.models import FeeRule, FeeType, Proposal, ScopeRule

R = TypeVar("R", bound=Proposal)
#: Rules that are only supposed (not saved yet) are numbered from here in previews: newer than every saved one.
SUPPOSED = 1 << 60


def selector(rule: Proposal) -> Hashable:
    """What a rule decides about: two rules with the same selector have the same precedence and match the same fee types."""
    if isinstance(rule, ScopeRule):
        return rule.company_id, rule.channel, rule.category_id
    assert isinstance(rule, FeeRule)
    return (
        rule.company_id,
        rule.channel,
        rule.marketplace.casefold(),
        canonical(rule.path),
        canonical(rule.name),
        rule.context,
    )


def starts(rule: Proposal) -> date:
    """The first month in which the rule holds; ALWAYS_FROM for always."""
    return rule.valid_from or ALWAYS_FROM


def ends(rule: Proposal) -> date:
    """The first month in which it no longer holds; ALWAYS_TO for still."""
    return rule.valid_to or ALWAYS_TO


def overlap(one: Proposal, other: Proposal) -> bool:
    """Whether two rules hold in the same month."""
    return starts(one) < ends(other) and starts(other) < ends(one)


@dataclass(frozen=True)
class Ending(Generic[R]):
    """An approved rule that gives way to `successor`: from `valid_to` on, or altogether when that is None."""

    rule: R
    valid_to: date | None
    successor: R

    @property
    def remaining(self) -> R | None:
        """The rule as it is afterwards, None if nothing of it is left. A copy: the rule itself is not touched."""
        if self.valid_to is None:
            return None
        shorter = copy(self.rule)
        shorter.valid_to = self.valid_to
        return shorter


@dataclass
class Plan(Generic[R]):
    """What approving a set of rules means for those approved before. `conflicts` are sentences; with any, nothing can be approved."""

    endings: list[Ending[R]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def in_force(self, approved: Iterable[R], proposals: Iterable[R]) -> list[R]:
        """The rules in force after approval."""
        gone = {ending.rule.pk for ending in self.endings}
        left = [rest for ending in self.endings if (rest := ending.remaining) is not None]
        return [*(rule for rule in approved if rule.pk not in gone), *left, *proposals]


def name_rule(rule: Proposal) -> str:
    """How messages name a rule."""
    number = f"rule {rule.pk}" if rule.pk and rule.pk < SUPPOSED else "the new rule"
    return f"{number} ({rule})"


def say_months(rule: Proposal) -> str:
    """When a rule holds, in words."""
    if rule.valid_from is None and rule.valid_to is None:
        return "always"
    start = f"from {rule.valid_from:%B %Y}" if rule.valid_from else ""
    return f"{start} until before {rule.valid_to:%B %Y}".strip() if rule.valid_to else start


def plan_endings(*, approved: Sequence[R], proposals: Sequence[R]) -> Plan[R]:
    """Which approved rules end when `proposals` are approved, and what stands against it.

    An approved rule that began earlier ends where its successor begins; one that its successor covers whole is retired.
    """
    plan: Plan[R] = Plan()
    standing: dict[Hashable, list[R]] = defaultdict(list)
    for rule in approved:
        standing[selector(rule)].append(rule)
    chosen: dict[Hashable, list[R]] = defaultdict(list)
    for rule in proposals:
        chosen[selector(rule)].append(rule)
    for key, rules in chosen.items():
        rules.sort(key=starts)
        for before, after in itertools.pairwise(rules):
            if overlap(before, after):
                plan.conflicts.append(
                    f"{name_rule(before)} and {name_rule(after)} decide about the same name in the same months; choose one of them."
                )
        for old in standing[key]:
            inside = [rule for rule in rules if overlap(rule, old)]
            if not inside:
                continue
            first, last = inside[0], inside[-1]
            gap = any(ends(before) < starts(after) for before, after in itertools.pairwise(inside))
            if gap or ends(last) < ends(old):
                until = ends(next(before for before in inside if ends(before) < ends(old)))
                plan.conflicts.append(
                    f"{name_rule(old)} holds {say_months(old)}; {name_rule(first)} would end in {until:%B %Y} and leave a gap. "
                    "Let the new rule hold on, or propose what follows it as well."
                )
            elif starts(old) < starts(first):
                plan.endings.append(Ending(old, first.valid_from, first))
            else:
                plan.endings.append(Ending(old, None, first))
    plan.conflicts = [text[0].upper() + text[1:] for text in plan.conflicts]
    return plan


class TypeIndex:
    """Fee types by name, so that thousands of rules find theirs without comparing each with each."""

    def __init__(self, fee_types: Iterable[FeeType]) -> None:
        self._by_name: dict[tuple[str, str], list[FeeType]] = defaultdict(list)
        self._by_channel: dict[str, list[FeeType]] = defaultdict(list)
        for fee_type in fee_types:
            self._by_name[fee_type.channel, canonical(fee_type.name)].append(fee_type)
            self._by_channel[fee_type.channel].append(fee_type)

    def touched(self, rules: Iterable[FeeRule]) -> list[FeeType]:
        """The fee types that at least one of the rules says something about, in the order of their ids."""
        found: dict[int, FeeType] = {}
        for rule in rules:
            wild = "*" in rule.name
            near = self._by_channel[rule.channel] if wild else self._by_name.get((rule.channel, canonical(rule.name)), ())
            found.update((fee_type.pk, fee_type) for fee_type in near if fee_type.pk not in found and matches(rule, fee_type))
        return [found[pk] for pk in sorted(found)]


def affected_types(*, rules: Sequence[FeeRule], fee_types: Iterable[FeeType]) -> list[FeeType]:
    """The fee types that at least one of the rules says something about."""
    return TypeIndex(fee_types).touched(rules)
