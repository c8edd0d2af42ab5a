"""Pages of fee rules: the worklist of unmapped fee types, a fee type with the rules that compete for it, one rule."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse

from ledger.classify import RuleBook
from ledger.models import FeeRule, FeeType, Mapping, PnlMonth
from ledger.pages import rule_inbox, rule_packs, rule_propose
from ledger.pages.rule_words import RuleRow, channel_label, history_of, months_of, read_ids, read_words, why
from ledger.preview import preview_retirement
from ledger.propose import APPROVE, may_propose
from ledger.supersede import affected_types
from ledger.worklist import read_worklist, unmapped_channels
from nova.models import Company
from nova.pages import company_page, render_page

PER_PAGE = 50


@company_page(permission="ledger.view_feerule")
def worklist(request: HttpRequest, company: Company) -> HttpResponse:
    """Fee types without a category, most money first, each with examples and a suggestion; select some and propose."""
    channel, search = read_words(request.GET.get("channel", "")), read_words(request.GET.get("q", ""))
    page = min(next(iter(read_ids([request.GET.get("page", "")])), 0) or 1, 100_000)
    user: Any = request.user
    work = read_worklist(company=company, user=user, channel=channel, search=search, offset=(page - 1) * PER_PAGE, limit=PER_PAGE)
    rules = FeeRule.objects.filter(company=company)
    return render_page(
        request,
        "ledger/rules_worklist.html",
        title="Fees without a category",
        company=company,
        work=work,
        channels=[(code, channel_label(code)) for code in unmapped_channels(company=company)],
        channel=channel,
        search=search,
        pages=Paginator(range(work.count), PER_PAGE).get_page(page),
        may_propose=may_propose(request.user),  # type: ignore[arg-type]
        waiting=rules.filter(status=FeeRule.Status.PROPOSED).count(),
        has_money=bool(work.count) or PnlMonth.objects.filter(company=company).exists(),
        lines_page=reverse("ledger:lines", kwargs={"code": company.code}),
    )


@company_page(permission="ledger.view_feerule")
def rule_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """One rule: what it says, what it decides about, its history, and for those who may: withdraw it or end it."""
    rule = FeeRule.objects.filter(company=company, pk=pk).select_related("category", "author", "approver", "company").first()
    if rule is None:
        raise Http404("No such rule.")
    seen = PnlMonth.objects.filter(company=company, fee_type__channel=rule.channel).order_by().values("fee_type").distinct()
    types = affected_types(rules=[rule], fee_types=FeeType.objects.filter(pk__in=seen))
    open_rows = Mapping.objects.filter(company=company, known_to__isnull=True, fee_type__in=[fee_type.pk for fee_type in types])
    winners: dict[int, list[Mapping]] = {}
    for row in open_rows.select_related("category").order_by("valid_from"):
        winners.setdefault(row.fee_type_id, []).append(row)
    in_force = rule.status == FeeRule.Status.APPROVED
    may_end = in_force and request.user.has_perm(APPROVE) and rule.author_id != request.user.pk
    return render_page(
        request,
        "ledger/rules_rule.html",
        title=f"Rule {rule.pk}",
        company=company,
        row=RuleRow(rule, user=request.user),
        why=why(rule),
        types=[(fee_type, winners.get(fee_type.pk, [])) for fee_type in types[:200]],
        types_left=max(0, len(types) - 200),
        history=history_of(rule),
        may_end=may_end,
        own=rule.author_id == request.user.pk,
        ending=rule_inbox.Effect.of(preview_retirement(company=company, rules=[rule])) if may_end else None,
    )


@company_page(permission="ledger.view_feerule")
def fee_type_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """One fee type: which rule decides in which month and why, all rules that compete, and what was believed before."""
    fee_type = FeeType.objects.filter(pk=pk).first()
    months = PnlMonth.objects.filter(company=company, fee_type=pk, clock="event")
    if fee_type is None or not months.exists():
        raise Http404("No such fee type in this company.")
    rules = list(
        FeeRule.objects.filter(
            company=company, channel=fee_type.channel, status__in=(FeeRule.Status.APPROVED, FeeRule.Status.PROPOSED)
        ).select_related("category", "author", "approver")
    )
    approved = [rule for rule in rules if rule.status == FeeRule.Status.APPROVED]
    intervals = RuleBook(approved).intervals(fee_type)
    item = next(iter(read_worklist(company=company, user=request.user, fee_type_ids=[pk]).items), None)  # type: ignore[arg-type]
    past = (
        Mapping.objects.filter(company=company, fee_type=fee_type)
        .select_related("category")
        .order_by("-known_from", "valid_from")
    )
    return render_page(
        request,
        "ledger/rules_type.html",
        title=fee_type.name,
        company=company,
        fee_type=fee_type,
        channel=channel_label(fee_type.channel),
        intervals=[(months_of(interval.valid_from, interval.valid_to), interval.rule) for interval in intervals],
        candidates=[
            (rule, why(rule), months_of(rule.valid_from, rule.valid_to)) for rule in RuleBook(rules).candidates(fee_type)
        ],
        winners={interval.rule.pk for interval in intervals},
        item=item,
        past=[(row, months_of(row.valid_from, row.valid_to)) for row in past[:100]],
        may_propose=may_propose(request.user),  # type: ignore[arg-type]
        lines_page=reverse("ledger:lines", kwargs={"code": company.code}),
    )


urlpatterns: list[Any] = [
    path("rules/worklist/", worklist, name="worklist"),
    path("rules/propose/", rule_propose.propose, name="propose"),
    path("rules/inbox/", rule_inbox.inbox, name="inbox"),
    path("rules/preview/", rule_inbox.rule_preview, name="rule_preview"),
    path("rules/decide/", rule_inbox.decide, name="rule_decide"),
    path("rules/scopes/decide/", rule_inbox.decide_scopes, name="scope_decide"),
    path("rules/packs/", rule_packs.packs, name="rule_packs"),
    path("rules/types/<int:pk>/", fee_type_page, name="fee_type"),
    path("rules/<int:pk>/", rule_page, name="rule"),
]
