"""Proposing rules: who may, what is a possible rule, and what waits already. Nothing here changes the P&L.

What staff must be told comes as `RuleRefused`; a missing right as Django's PermissionDenied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import pghistory
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from channels import registry
from channels.records import CONTEXTS
from ledger.classify import precedence
from ledger.models import FeeCategory, FeeRule, Proposal, ScopeRule
from ledger.supersede import ends, overlap, say_months, selector, starts
from nova.models import Company, User

PROPOSE = ("ledger.propose_rules", "ledger.add_feerule")
APPROVE = "ledger.approve_rules"
#: Suspense is where money without a rule stands: nobody maps to it.
UNMAPPED = "adj.unmapped"
OWN_PROPOSAL = "You proposed this yourself: somebody else must approve it."
Status = FeeRule.Status
P = TypeVar("P", bound=Proposal)


class RuleRefused(Exception):
    """A proposal or a decision is not possible; the message says why, in words for staff."""


@dataclass(frozen=True)
class RuleData:
    """What a fee rule says, before it is a row. `category` is a code. `valid_from` overrides the month given for all."""

    channel: str
    name: str
    category: str
    path: str = "*"
    marketplace: str = ""
    context: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    reason: str = ""


@dataclass(frozen=True)
class ScopeData:
    """What a scope rule says: where the money of a category of a channel is shown (`ScopeRule.Scope`)."""

    channel: str
    category: str
    scope: str
    valid_from: date | None = None
    valid_to: date | None = None
    reason: str = ""


def may_propose(user: User) -> bool:
    """Whether a user may propose rules to their companies."""
    return any(user.has_perm(permission) for permission in PROPOSE)


def require_member(*, user: User, company_ids: Iterable[int], permissions: Sequence[str]) -> None:
    """Raise PermissionDenied unless the user is a member of all companies and has one of the permissions."""
    wanted = set(company_ids)
    if Company.objects.for_user(user).filter(pk__in=wanted).count() != len(wanted):
        raise PermissionDenied("You are not a member of this company.")
    if not any(user.has_perm(permission) for permission in permissions):
        raise PermissionDenied("Your role does not allow this.")


def propose_rules(
    *,
    company: Company,
    author: User,
    items: Sequence[RuleData],
    reason: str = "",
    valid_from: date | None = None,
    source: str = "",
    skip_known: bool = False,
) -> list[FeeRule]:
    """Propose fee rules; nothing changes in the P&L until somebody else approves them.

    `skip_known` leaves out what waits already or is in force with the same category; otherwise that is refused.
    Locks the company, so that the same proposal is not made twice at once.

    Raises:
        PermissionDenied: the author is no member of the company or may not propose.
        RuleRefused: an item is not a possible rule, or is known already; the message names it.
    """
    require_member(user=author, company_ids=[company.pk], permissions=PROPOSE)
    with transaction.atomic(), told(author, reason):
        lock_companies([company.pk])
        rules = build_rules(company=company, author=author, items=items, reason=reason, valid_from=valid_from, source=source)
        return _insert(FeeRule, company, rules, skip_known=skip_known)


def build_rules(
    *,
    company: Company,
    author: User,
    items: Sequence[RuleData],
    reason: str = "",
    valid_from: date | None = None,
    source: str = "",
) -> list[FeeRule]:
    """The proposals as rows that are not saved: for `propose_rules`, and for a preview before they are sent.

    Raises:
        RuleRefused: an item is not a possible rule.
    """
    categories = _categories(item.category for item in items)
    rules = []
    for item in items:
        name = item.name.strip()
        what = f"{item.path} / {name}"
        if item.channel not in registry.adapters():
            raise RuleRefused(f"{what}: there is no channel {item.channel!r}.")
        if not name:
            raise RuleRefused("A rule needs the name of a fee (with * for any letters).")
        if len(name) > 200 or len(item.path) > 200 or len(item.marketplace) > 60:
            raise RuleRefused("Name and path of a fee have at most 200 characters, a marketplace 60.")
        if "\x00" in f"{name}{item.path}{item.marketplace}{item.reason}{reason}":
            raise RuleRefused("The text holds a character that cannot be kept (NUL).")
        if item.context != "*" and item.context not in CONTEXTS:
            raise RuleRefused(f"{what}: {item.context!r} is no context; there are {', '.join(filter(None, CONTEXTS))} and *.")
        if not (set(name) - {"*"}) and not (set(item.path) - {"*"}):
            raise RuleRefused(f"{what}: a rule for every fee of a channel would hide new ones.")
        start, end = item.valid_from or valid_from, item.valid_to
        check_months(start, end)
        rules.append(
            FeeRule(
                company=company,
                author=author,
                channel=item.channel,
                marketplace=item.marketplace.strip(),
                path=item.path.strip() or "*",
                name=name,
                context=item.context,
                category=categories[item.category],
                precedence=precedence(
                    marketplace=item.marketplace.strip(), path=item.path.strip() or "*", name=name, context=item.context
                ),
                valid_from=start,
                valid_to=end,
                source=source,
                reason=item.reason or reason,
                status=Status.PROPOSED,
                proposed_at=timezone.now(),
            )
        )
    return rules


def propose_scopes(
    *,
    company: Company,
    author: User,
    items: Sequence[ScopeData],
    reason: str = "",
    valid_from: date | None = None,
    source: str = "",
    skip_known: bool = False,
) -> list[ScopeRule]:
    """Propose where the money of categories is shown. As `propose_rules`.

    Raises:
        PermissionDenied: the author is no member of the company or may not propose.
        RuleRefused: an item is not a possible rule, or is known already.
    """
    require_member(user=author, company_ids=[company.pk], permissions=PROPOSE)
    with transaction.atomic(), told(author, reason):
        lock_companies([company.pk])
        rules = build_scopes(company=company, author=author, items=items, reason=reason, valid_from=valid_from, source=source)
        return _insert(ScopeRule, company, rules, skip_known=skip_known)


def build_scopes(
    *,
    company: Company,
    author: User,
    items: Sequence[ScopeData],
    reason: str = "",
    valid_from: date | None = None,
    source: str = "",
) -> list[ScopeRule]:
    """Scope proposals as rows that are not saved.

    Raises:
        RuleRefused: an item is not a possible rule.
    """
    categories = _categories(item.category for item in items)
    rules = []
    for item in items:
        if item.channel not in registry.adapters():
            raise RuleRefused(f"There is no channel {item.channel!r}.")
        if item.scope not in ScopeRule.Scope.values:
            raise RuleRefused(f"{item.scope!r} is no scope; there are {', '.join(ScopeRule.Scope.values)}.")
        start, end = item.valid_from or valid_from, item.valid_to
        check_months(start, end)
        rules.append(
            ScopeRule(
                company=company,
                author=author,
                channel=item.channel,
                category=categories[item.category],
                scope=item.scope,
                valid_from=start,
                valid_to=end,
                source=source,
                reason=item.reason or reason,
                status=Status.PROPOSED,
                proposed_at=timezone.now(),
            )
        )
    return rules


@contextmanager
def told(user: User, reason: str) -> Iterator[None]:
    """The history of every row written inside says who did it and why."""
    with pghistory.context(user=user.pk, reason=reason):
        yield


def lock_companies(ids: Iterable[int]) -> dict[int, Company]:
    rows = Company.objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")
    return {company.pk: company for company in rows}


def split_known(model: type[P], company: Company, rules: Sequence[P]) -> tuple[list[P], list[tuple[P, P]]]:
    """The rules that say something new, and the others each with the rule that waits or holds already."""
    channels = {rule.channel for rule in rules}  # type: ignore[attr-defined]
    known: dict[Any, list[P]] = defaultdict(list)
    for row in model._default_manager.filter(
        company=company, status__in=(Status.PROPOSED, Status.APPROVED), channel__in=channels
    ).select_related("category"):
        known[selector(row)].append(row)
    fresh: list[P] = []
    repeated: list[tuple[P, P]] = []
    for rule in rules:
        same = next((row for row in known[selector(rule)] if overlap(row, rule) and _says_the_same(row, rule)), None)
        if same is None:
            fresh.append(rule)
            known[selector(rule)].append(rule)
        else:
            repeated.append((rule, same))
    return fresh, repeated


def _insert(model: type[P], company: Company, rules: Sequence[P], *, skip_known: bool) -> list[P]:
    fresh, repeated = split_known(model, company, rules)
    if repeated and not skip_known:
        rule, same = repeated[0]
        state = "waits for approval" if same.status == Status.PROPOSED else "is in force"
        number = f" as rule {same.pk}" if same.pk else " in this proposal"
        raise RuleRefused(f"{rule} {state} already{number}, {say_months(same)}.")
    try:
        with transaction.atomic():
            return model._default_manager.bulk_create(fresh, batch_size=1000)
    except IntegrityError as error:
        raise RuleRefused(plain_error(error)) from error


def _says_the_same(one: Proposal, other: Proposal) -> bool:
    """Whether a rule adds nothing to one that overlaps it: the same decision for at least the same months."""
    decision = "scope" if isinstance(one, ScopeRule) else "category_id"
    return getattr(one, decision) == getattr(other, decision) and starts(one) <= starts(other) and ends(other) <= ends(one)


def _categories(codes: Iterable[str]) -> dict[str, FeeCategory]:
    wanted = set(codes)
    found = {category.code: category for category in FeeCategory.objects.filter(code__in=wanted)}
    if missing := sorted(wanted - found.keys()):
        raise RuleRefused(f"There is no category {', '.join(repr(code) for code in missing)}.")
    if UNMAPPED in found:
        raise RuleRefused("Suspense is where money without a rule stands already; choose what the fee is.")
    return found


def check_months(start: date | None, end: date | None) -> None:
    """Raise RuleRefused unless both are firsts of months, in order."""
    if any(month is not None and month.day != 1 for month in (start, end)):
        raise RuleRefused("A rule begins and ends with a month: give the first of a month.")
    if start is not None and end is not None and end <= start:
        raise RuleRefused("A rule must hold for at least one month.")


def plain_error(error: IntegrityError) -> str:
    """What the database refused, in words for staff."""
    text = str(error)
    if "no_overlap" in text:
        return "Another approved rule for the same name holds in the same months; end that one first."
    if "four_eyes" in text:
        return OWN_PROPOSAL
    if "_months" in text or "_dates" in text:
        return "A rule begins and ends with a month: give the first of a month."
    return text.splitlines()[0]
