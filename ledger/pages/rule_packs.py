"""Rule packs: Nova's defaults per channel, and the approved rules of one company proposed to others of the same agency."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from channels import registry
from channels.models import Shop
from ledger.models import FeeRule
from ledger.packs import default_rules, new_defaults, propose_pack, propose_to_companies
from ledger.pages.rule_words import RuleRow, channel_label, read_ids, read_words
from ledger.propose import RuleRefused, may_propose
from nova.models import Company
from nova.pages import company_page, my_companies, render_page


@company_page(permission="ledger.view_feerule")
def packs(request: HttpRequest, company: Company) -> HttpResponse:
    """Propose Nova's defaults to this company, or this company's approved rules to others. Each approver decides."""
    user: Any = request.user
    if not may_propose(user):
        raise PermissionDenied("Your role does not allow this.")
    others = [row for row in my_companies(request) if row.pk != company.pk]
    used = set(Shop.objects.filter(company=company).order_by().values_list("channel", flat=True))
    channels = [code for code in registry.adapters() if code in used]
    if request.method == "POST":
        try:
            if request.POST.get("action") == "defaults":
                return _propose_defaults(request, company, channels)
            return _propose_to_others(request, company, others)
        except RuleRefused as refusal:
            messages.error(request, str(refusal))
    approved = FeeRule.objects.filter(company=company, status=FeeRule.Status.APPROVED).select_related("category", "author")
    return render_page(
        request,
        "ledger/rules_packs.html",
        title="Rule packs",
        company=company,
        defaults=[
            {
                "code": code,
                "label": channel_label(code),
                "all": len(default_rules(code)),
                "seen": new_defaults(company=company, channel=code),
                "new": new_defaults(company=company, channel=code, only_seen=False),
            }
            for code in channels
        ],
        others=others,
        rows=[RuleRow(rule, user) for rule in approved.order_by("channel", "path", "name")[:500]],
        count=approved.count(),
    )


def _propose_defaults(request: HttpRequest, company: Company, channels: list[str]) -> HttpResponse:
    channel = request.POST.get("channel", "")
    if channel not in channels:
        raise RuleRefused("This company has no shop on that channel.")
    rules = propose_pack(
        company=company,
        author=request.user,  # type: ignore[arg-type]
        channel=channel,
        only_seen=request.POST.get("extent") != "all",
    )
    count = len(rules)
    if count:
        messages.success(
            request, f"{count:,} of Nova's defaults for {channel_label(channel)} proposed. Somebody else approves them."
        )
        return redirect("ledger:inbox", code=company.code)
    messages.info(request, "Nothing to propose: all of these wait or are in force already.")
    return redirect("ledger:rule_packs", code=company.code)


def _propose_to_others(request: HttpRequest, company: Company, others: list[Company]) -> HttpResponse:
    wanted = set(request.POST.getlist("company"))
    targets = [row for row in others if row.code in wanted]
    if not targets:
        raise RuleRefused("Tick at least one company.")
    picked = read_ids(request.POST.getlist("rule"))
    if request.POST.get("extent") == "picked" and not picked:
        raise RuleRefused("Tick at least one rule, or take all of them.")
    done = propose_to_companies(
        source=company,
        targets=targets,
        author=request.user,  # type: ignore[arg-type]
        rule_ids=picked if request.POST.get("extent") == "picked" else None,
        only_seen="only_seen" in request.POST,
        reason=read_words(request.POST.get("reason", "")),
    )
    for target in targets:
        count = done[target.pk]
        said = f"{count:,} proposal{'' if count == 1 else 's'}" if count else "nothing new"
        messages.success(request, f"{target.name}: {said}.")
    return redirect("ledger:rule_packs", code=company.code)
