"""The approver's inbox: what waits, the exact effect of one proposal or a batch, and the decision."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Min, Q, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from ledger.approve import RuleRefused, approve, reject, retire, withdraw
from ledger.models import FeeCategory, FeeRule, ScopeRule
from ledger.pages.rule_words import RuleRow, channel_label, months_of, read_ids, read_month, read_words
from ledger.preview import Preview, preview_each, preview_rules
from ledger.propose import APPROVE, OWN_PROPOSAL
from ledger.scope_preview import preview_scopes_each
from nova.models import Company, User
from nova.pages import company_page, render_page

PER_GROUP = 50
ZERO = Decimal(0)


@dataclass(frozen=True)
class Group:
    """Proposals of one source and author that wait together."""

    key: str
    source: str
    author: User
    count: int
    since: Any
    rows: Sequence[RuleRow]

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


@dataclass(frozen=True)
class EffectRow:
    """A move as a table row: one cell (amount, lines, address of the lines) or None per month."""

    origin: Any
    target: Any
    cells: Sequence[tuple[Decimal, int, str] | None]
    amount: Decimal
    lines: int


@dataclass(frozen=True)
class Effect:
    """A preview as pages show it."""

    preview: Preview
    months: Sequence[date]
    rows: Sequence[EffectRow]
    result: Sequence[Decimal]
    result_total: Decimal

    @classmethod
    def of(cls, preview: Preview) -> Effect:
        """Bring a preview into rows and columns, with the names of its categories."""
        months = preview.months
        categories = {category.code: category for category in FeeCategory.objects.all()}
        rows = [
            EffectRow(
                categories[move.origin],
                categories[move.target],
                [
                    (*move.months[month], lines_link(preview.company, move.fee_types.get(month, ()), move.channels, month))
                    if month in move.months
                    else None
                    for month in months
                ],
                move.amount,
                move.lines,
            )
            for move in preview.moves
        ]
        result = preview.result
        return cls(preview, months, rows, [result.get(month, ZERO) for month in months], sum(result.values(), ZERO))

    @property
    def endings(self) -> list[tuple[FeeRule, str, FeeRule]]:
        """Approved rules that give way: the rule, what becomes of it, and for which one."""
        return [
            (
                ending.rule,
                "is retired" if ending.valid_to is None else f"holds {months_of(ending.rule.valid_from, ending.valid_to)}",
                ending.successor,
            )
            for ending in self.preview.endings
        ]


@company_page(permission="ledger.view_feerule")
def inbox(request: HttpRequest, company: Company) -> HttpResponse:
    """Everything that waits for a decision, by source and author, each with its own effect."""
    waiting = FeeRule.objects.filter(company=company, status=FeeRule.Status.PROPOSED)
    found = waiting.order_by().values("source", "author").annotate(count=Count("pk"), since=Min("proposed_at")).order_by("since")
    heads = list(found)
    people = User.objects.in_bulk({head["author"] for head in heads})
    place = Window(RowNumber(), partition_by=[F("source"), F("author")], order_by=F("pk").asc())
    everything = list(
        waiting.annotate(place=place).filter(place__lte=PER_GROUP).select_related("category", "author").order_by("pk")
    )
    shown: dict[tuple[str, int], list[FeeRule]] = {}
    for rule in everything:
        shown.setdefault((rule.source, rule.author_id), []).append(rule)
    effects = preview_each(company=company, proposals=everything) if everything else {}
    groups = [
        Group(
            key=group_key(head["source"], head["author"]),
            source=head["source"],
            author=people[head["author"]],
            count=head["count"],
            since=head["since"],
            rows=sorted(
                (RuleRow(rule, request.user, effects.get(rule.pk)) for rule in shown.get((head["source"], head["author"]), [])),
                key=lambda row: (-(row.effect.absolute if row.effect else ZERO), row.rule.pk),
            ),
        )
        for head in heads
    ]
    scopes = list(
        ScopeRule.objects.filter(company=company, status=ScopeRule.Status.PROPOSED).select_related("category", "author")[
            :PER_GROUP
        ]
    )
    scope_effects = preview_scopes_each(company=company, proposals=scopes)
    decided = FeeRule.objects.filter(company=company, decided_at__isnull=False).select_related("category", "author", "approver")
    mine = Q(author=request.user) & Q(status=FeeRule.Status.REJECTED)
    return render_page(
        request,
        "ledger/rules_inbox.html",
        title="Approval inbox",
        company=company,
        groups=groups,
        scopes=[(rule, channel_label(rule.channel), scope_effects[rule.pk]) for rule in scopes],
        may_approve=request.user.has_perm(APPROVE),
        own_refusal=OWN_PROPOSAL,
        returned=[RuleRow(rule, request.user) for rule in decided.filter(mine).order_by("-decided_at")[:10]],
        latest=[RuleRow(rule, request.user) for rule in decided.order_by("-decided_at")[:10]],
    )


@company_page(permission="ledger.view_feerule")
def rule_preview(request: HttpRequest, company: Company) -> HttpResponse:
    """The exact effect of approving some proposals together, and the decision on them. `part=1` is for the inbox itself."""
    rules = _chosen(request, company)
    if not rules:
        messages.warning(request, "None of these proposals waits any more.")
        return redirect("ledger:inbox", code=company.code)
    return _show(request, company, rules)


def _show(request: HttpRequest, company: Company, rules: Sequence[FeeRule], *, changed: bool = False) -> HttpResponse:
    effect = Effect.of(preview_rules(company=company, proposals=rules))
    own = [rule for rule in rules if rule.author_id == request.user.pk]
    part = request.GET.get("part") == "1"
    return render_page(
        request,
        "ledger/rules_detail.html" if part else "ledger/rules_preview.html",
        title="What these proposals change" if len(rules) > 1 else "What this proposal changes",
        company=company,
        rules=[RuleRow(rule, request.user, effect.preview.by_rule.get(rule.pk)) for rule in rules[:200]],
        rules_left=max(0, len(rules) - 200),
        count=len(rules),
        effect=effect,
        token=token_of(effect.preview, rules),
        chosen=[("group", key) for key in _posted(request).getlist("group")] or [("rule", rule.pk) for rule in rules],
        own=own,
        own_refusal=OWN_PROPOSAL,
        may_approve=request.user.has_perm(APPROVE),
        changed=changed,
        reason=_posted(request).get("reason", ""),
    )


@require_POST
@company_page(permission="ledger.view_feerule")
def decide(request: HttpRequest, company: Company) -> HttpResponse:
    """Approve, return, withdraw or end rules. An approval counts only for the effect that was shown."""
    action, reason = request.POST.get("action", ""), read_words(request.POST.get("reason", ""))
    back = _back(request, company)
    user: Any = request.user
    try:
        if action == "retire":
            ids = list(
                FeeRule.objects.filter(company=company, pk__in=read_ids(request.POST.getlist("rule"))).values_list(
                    "pk", flat=True
                )
            )
            retire(rule_ids=ids, approver=user, reason=reason, valid_to=read_month(request.POST.get("valid_to", "")))
            messages.success(request, "The rule was ended.")
            return HttpResponseRedirect(back)
        rules = _chosen(request, company)
        ids = [rule.pk for rule in rules]
        if not rules:
            messages.warning(request, "None of these proposals waits any more.")
        elif action == "approve":
            if not user.has_perm(APPROVE):
                raise PermissionDenied("Your role does not allow this.")
            own = any(rule.author_id == user.pk for rule in rules)  # refused below, whatever was shown
            if not own and request.POST.get("token", "") != token_of(preview_rules(company=company, proposals=rules), rules):
                return _show(request, company, rules, changed=True)
            decision = approve(rule_ids=ids, approver=user, reason=reason, replace=True)
            messages.success(request, f"{_count(len(decision.approved), 'rule')} approved; the P&L shows them at once.")
        elif action == "return":
            count = reject(rule_ids=ids, approver=user, reason=reason)
            messages.success(request, f"{_count(count, 'proposal')} returned; the author reads your reason.")
        elif action == "withdraw":
            count = withdraw(rule_ids=ids, author=user)
            messages.success(request, f"{_count(count, 'proposal')} withdrawn.")
        else:
            messages.error(request, "Choose what to do: approve, return or withdraw.")
    except (RuleRefused, ValueError) as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(back)


@require_POST
@company_page(permission="ledger.view_scoperule")
def decide_scopes(request: HttpRequest, company: Company) -> HttpResponse:
    """Approve, return or withdraw scope rules."""
    action, reason = request.POST.get("action", ""), read_words(request.POST.get("reason", ""))
    ids = list(
        ScopeRule.objects.filter(company=company, pk__in=read_ids(request.POST.getlist("rule"))).values_list("pk", flat=True)
    )
    user: Any = request.user
    try:
        if action == "approve":
            approve(rule_ids=ids, approver=user, reason=reason, replace=True, model=ScopeRule)
            messages.success(request, "Approved; the P&L shows it at once.")
        elif action == "return":
            reject(rule_ids=ids, approver=user, reason=reason, model=ScopeRule)
            messages.success(request, "Returned; the author reads your reason.")
        elif action == "withdraw":
            withdraw(rule_ids=ids, author=user, model=ScopeRule)
            messages.success(request, "Withdrawn.")
    except RuleRefused as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(_back(request, company))


def group_key(source: str, author_id: int) -> str:
    """How an address names a group of proposals."""
    return f"{author_id}:{source}"


def token_of(preview: Preview, rules: Sequence[FeeRule]) -> str:
    """Stands for what somebody was shown: these proposals with this effect on the mapping."""
    ids = ",".join(str(rule.pk) for rule in sorted(rules, key=lambda rule: rule.pk))
    return hashlib.blake2b(f"{ids}|{preview.digest}".encode(), digest_size=12).hexdigest()


def preview_link(company: Company, rules: Sequence[FeeRule]) -> str:
    """The address of the preview of some proposals."""
    query = urlencode([("rule", rule.pk) for rule in rules])
    return f"{reverse('ledger:rule_preview', kwargs={'code': company.code})}?{query}"


def lines_link(company: Company, fee_types: Collection[int], channels: Collection[str], month: date | None = None) -> str:
    """The address of the lines of some fee types, of one month of the event or of all; "" when they are not told.

    The channel's own view shows all of them, also what the unified P&L leaves out.
    """
    if not fee_types:
        return ""
    query: list[tuple[str, Any]] = [("fee_type", pk) for pk in sorted(fee_types)]
    if len(channels) == 1:
        query.append(("scope", next(iter(channels))))
    if month is not None:
        last = date(month.year + month.month // 12, month.month % 12 + 1, 1) - timedelta(days=1)
        query += [("from", month.isoformat()), ("to", last.isoformat())]
    return f"{reverse('ledger:lines', kwargs={'code': company.code})}?{urlencode(query)}"


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else request.GET


def _chosen(request: HttpRequest, company: Company) -> list[FeeRule]:
    """The waiting proposals that an address or a form names, by id or by group. Others are left out."""
    values = _posted(request)
    waiting = FeeRule.objects.filter(company=company, status=FeeRule.Status.PROPOSED)
    wanted = Q(pk__in=read_ids(values.getlist("rule")))
    for key in values.getlist("group"):
        author, _, source = key.partition(":")
        if ids := read_ids([author]):
            wanted |= Q(author__in=ids, source=read_words(source))
    return list(waiting.filter(wanted).select_related("category", "author", "company").order_by("pk"))


def _back(request: HttpRequest, company: Company) -> str:
    wanted = request.POST.get("next", "")
    if wanted and url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("ledger:inbox", kwargs={"code": company.code})


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
