"""Decisions on rules: proposed by one person, decided by another, compiled into mappings in the same transaction.

Every write opens its own transaction and locks in one order: companies by id, then rules by id, then (in
`compile_mappings`) the company's open mapping rows. Times are UTC; months are firsts of months of the event date in the
company's time zone. What staff must be told comes as `RuleRefused`; a missing right as Django's PermissionDenied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.classify import compile_mappings
from ledger.models import FeeRule, FeeType, Proposal
from ledger.packs import propose_pack, propose_to_companies
from ledger.propose import (
    APPROVE,
    OWN_PROPOSAL,
    PROPOSE,
    RuleData,
    RuleRefused,
    ScopeData,
    check_months,
    lock_companies,
    plain_error,
    propose_rules,
    propose_scopes,
    require_member,
    told,
)
from ledger.supersede import affected_types, ends, plan_endings, say_months, selector, starts
from nova.models import Company, User

__all__ = [
    "Decision",
    "RuleData",
    "RuleRefused",
    "ScopeData",
    "approve",
    "propose_pack",
    "propose_rules",
    "propose_scopes",
    "propose_to_companies",
    "reject",
    "retire",
    "withdraw",
]

Status = FeeRule.Status
P = TypeVar("P", bound=Proposal)


@dataclass
class Decision:
    """What an approval did: rules approved, rules that ended for it, mapping rows closed or begun."""

    approved: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    mappings: int = 0


def approve(
    *,
    rule_ids: Sequence[int],
    approver: User,
    reason: str = "",
    replace: bool = False,
    model: type[P] = FeeRule,  # type: ignore[assignment]
) -> Decision:
    """Approve proposals, all or none, and compile them into mappings in the same transaction.

    `replace` also ends the approved rules with the same selector: where the new one begins, or altogether when it covers
    them. Without it such a rule stands in the way. Locks the companies, the rules and the companies' mappings.

    Raises:
        PermissionDenied: the approver is no member of a company or may not approve.
        RuleRefused: the approver is the author, a rule does not wait (any more), or another one holds at the same time.
    """
    decision = Decision()
    with transaction.atomic(), told(approver, reason):
        for company, rules in _locked(model, rule_ids, approver, (APPROVE,)):
            for rule in rules:
                if rule.status != Status.PROPOSED:
                    raise RuleRefused(f"Rule {rule.pk} ({rule}) does not wait for approval: it is {_status(rule)}.")
                if rule.author_id == approver.pk:
                    raise RuleRefused(f"{OWN_PROPOSAL} Rule {rule.pk}: {rule}.")
            near = _approved_near(model, company, rules)
            plan = plan_endings(approved=near, proposals=rules)
            if plan.conflicts:
                raise RuleRefused(" ".join(plan.conflicts))
            if plan.endings and not replace:
                raise RuleRefused(
                    " ".join(
                        f"Rule {ending.rule.pk} ({ending.rule}) holds {say_months(ending.rule)} and decides the same as "
                        f"rule {ending.successor.pk}. Approve it as a replacement, or end that rule first."
                        for ending in plan.endings
                    )
                )
            for ending in plan.endings:
                note = f"Replaced by rule {ending.successor.pk}."
                changes: dict[str, Any] = {"decision_reason": f"{ending.rule.decision_reason}\n{note}".strip()}
                changes |= {"status": Status.RETIRED} if ending.valid_to is None else {"valid_to": ending.valid_to}
                model._default_manager.filter(pk=ending.rule.pk).update(**changes)
                decision.ended.append(ending.rule.pk)
            ids = [rule.pk for rule in rules]
            try:
                with transaction.atomic():
                    model._default_manager.filter(pk__in=ids).update(
                        status=Status.APPROVED, approver=approver, decided_at=timezone.now(), decision_reason=reason.strip()
                    )
            except IntegrityError as error:
                raise RuleRefused(plain_error(error)) from error
            decision.approved += ids
            decision.mappings += _compile(company, [*rules, *(ending.rule for ending in plan.endings)])
    return decision


def reject(*, rule_ids: Sequence[int], approver: User, reason: str, model: type[P] = FeeRule) -> int:  # type: ignore[assignment]
    """Return proposals to their authors with a reason. Returns how many. Locks the companies and the rules.

    Raises:
        PermissionDenied: the approver is no member of a company or may not approve.
        RuleRefused: no reason, an own proposal, or a rule that does not wait.
    """
    if not reason.strip():
        raise RuleRefused("Say why: the author reads your reason.")
    count = 0
    with transaction.atomic(), told(approver, reason):
        for _company, rules in _locked(model, rule_ids, approver, (APPROVE,)):
            for rule in rules:
                if rule.status != Status.PROPOSED:
                    raise RuleRefused(f"Rule {rule.pk} ({rule}) does not wait for approval: it is {_status(rule)}.")
                if rule.author_id == approver.pk:
                    raise RuleRefused(f"You proposed rule {rule.pk} yourself: withdraw it instead.")
            count += model._default_manager.filter(pk__in=[rule.pk for rule in rules]).update(
                status=Status.REJECTED, approver=approver, decided_at=timezone.now(), decision_reason=reason.strip()
            )
    return count


def withdraw(*, rule_ids: Sequence[int], author: User, model: type[P] = FeeRule) -> int:  # type: ignore[assignment]
    """Take own proposals back before anybody decides. Returns how many. Locks the companies and the rules.

    Raises:
        PermissionDenied: no member of the company, or may not propose.
        RuleRefused: somebody else's proposal, or one that does not wait.
    """
    count = 0
    with transaction.atomic(), told(author, ""):
        for _company, rules in _locked(model, rule_ids, author, PROPOSE):
            for rule in rules:
                if rule.author_id != author.pk:
                    raise RuleRefused(f"Rule {rule.pk} was proposed by {rule.author}; only they can withdraw it.")
                if rule.status != Status.PROPOSED:
                    raise RuleRefused(f"Rule {rule.pk} ({rule}) does not wait for approval: it is {_status(rule)}.")
            count += model._default_manager.filter(pk__in=[rule.pk for rule in rules]).update(
                status=Status.WITHDRAWN, decided_at=timezone.now()
            )
    return count


def retire(
    *,
    rule_ids: Sequence[int],
    approver: User,
    reason: str,
    valid_to: date | None = None,
    model: type[P] = FeeRule,  # type: ignore[assignment]
) -> Decision:
    """End approved rules from the month `valid_to` on, or retire them altogether; what they mapped falls to other rules or suspense.

    Only an approver who is not the author can: two people have then agreed to the change. Locks as `approve`.

    Raises:
        PermissionDenied: the approver is no member of a company or may not approve.
        RuleRefused: no reason, the author's own rule, not approved, or `valid_to` is no month inside its validity.
    """
    if not reason.strip():
        raise RuleRefused("Say why the rule ends: the auditor reads your reason.")
    check_months(None, valid_to)
    decision = Decision()
    with transaction.atomic(), told(approver, reason):
        for company, rules in _locked(model, rule_ids, approver, (APPROVE,)):
            for rule in rules:
                if rule.status != Status.APPROVED:
                    raise RuleRefused(f"Rule {rule.pk} ({rule}) is not in force: it is {_status(rule)}.")
                if rule.author_id == approver.pk:
                    raise RuleRefused(f"You proposed rule {rule.pk} yourself: somebody else must end it.")
                if valid_to is not None and not starts(rule) < valid_to < ends(rule):
                    raise RuleRefused(f"Rule {rule.pk} holds {say_months(rule)}; it cannot end in {valid_to:%B %Y}.")
                note = f"Ended from {valid_to:%B %Y}" if valid_to else "Retired"
                model._default_manager.filter(pk=rule.pk).update(
                    decision_reason=f"{rule.decision_reason}\n{note} by {approver}: {reason.strip()}".strip(),
                    **({"valid_to": valid_to} if valid_to else {"status": Status.RETIRED}),
                )
                decision.ended.append(rule.pk)
            decision.mappings += _compile(company, rules)
    return decision


# Parts ----------------------------------------------------------------------------------------------------------------


def _locked(model: type[P], rule_ids: Sequence[int], user: User, permissions: Sequence[str]) -> Iterator[tuple[Company, list[P]]]:
    """The rules by company, locked. Rules of companies the user is no member of do not exist for them."""
    wanted = set(rule_ids)
    rows = model._default_manager.filter(pk__in=wanted, company__in=Company.objects.for_user(user))
    companies = set(rows.values_list("company", flat=True))
    if not wanted or rows.count() != len(wanted):
        raise RuleRefused("There is no such rule." if len(wanted) == 1 else "Not all of these rules exist.")
    require_member(user=user, company_ids=companies, permissions=permissions)
    locked = lock_companies(companies)
    by_company: dict[int, list[P]] = defaultdict(list)
    for rule in rows.select_for_update(of=("self",)).select_related("category", "author").order_by("pk"):  # type: ignore[misc]
        by_company[rule.company_id].append(rule)
    for company_id in sorted(by_company):
        yield locked[company_id], by_company[company_id]


def _approved_near(model: type[P], company: Company, rules: Sequence[P]) -> list[P]:
    """Approved rules with the selector of one of `rules`, locked."""
    keys = {selector(rule) for rule in rules}
    channels = {rule.channel for rule in rules}  # type: ignore[attr-defined]
    found = model._default_manager.filter(company=company, status=Status.APPROVED, channel__in=channels)
    found = found.select_for_update(of=("self",)).select_related("category").order_by("pk")  # type: ignore[misc]
    return [rule for rule in found if selector(rule) in keys]


def _compile(company: Company, rules: Sequence[Proposal]) -> int:
    fee_rules = [rule for rule in rules if isinstance(rule, FeeRule)]
    if not fee_rules:
        return 0
    types = FeeType.objects.filter(channel__in={rule.channel for rule in fee_rules})
    return compile_mappings(
        company=company, fee_type_ids=[fee_type.pk for fee_type in affected_types(rules=fee_rules, fee_types=types)]
    )


def _status(rule: Proposal) -> str:
    return str(rule.get_status_display()).lower()
