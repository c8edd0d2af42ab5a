"""Proposing categories for fee types: one or many, with their effect before they are sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from channels.records import CONTEXTS
from ledger.models import FeeType, PnlMonth
from ledger.pages.rule_inbox import Effect
from ledger.pages.rule_words import category_choices, channel_label, read_category, read_ids, read_month, read_words
from ledger.preview import preview_rules
from ledger.propose import RuleData, RuleRefused, build_rules, may_propose, propose_rules
from ledger.suggest import Suggestion, suggest
from ledger.worklist import Item, read_worklist
from nova.models import Company
from nova.pages import company_page, render_page

#: How far a rule reaches, from the narrowest; the words of the choice.
REACH = {
    "exact": "This name in this place, on all marketplaces",
    "marketplace": "Only on this marketplace",
    "anywhere": "This name in any place",
    "suggested": "As suggested",
    "own": "My own pattern",
}


@dataclass
class Row:
    """One fee type of the form, with what was entered for it."""

    fee_type: FeeType
    item: Item | None
    suggestion: Suggestion | None
    category: str = ""
    reach: str = "exact"
    path: str = ""
    name: str = ""
    context: str = ""
    use: bool = True
    error: str = ""

    @property
    def channel(self) -> str:
        return channel_label(self.fee_type.channel)

    @property
    def reaches(self) -> list[tuple[str, str]]:
        """The choices that make sense for this type."""
        wide = self.suggestion is not None and "*" in f"{self.suggestion.path}{self.suggestion.name}"
        return [
            (
                key,
                f"{words}: {self.suggestion.path} / {self.suggestion.name}" if key == "suggested" and self.suggestion else words,
            )
            for key, words in REACH.items()
            if (key != "suggested" or wide) and (key != "marketplace" or self.fee_type.marketplace)
        ]

    def data(self) -> RuleData:
        """What would be proposed."""
        kind, place = self.fee_type, self.fee_type.path or "*"
        path, name, marketplace, context = place, kind.name, "", kind.context
        if self.reach == "marketplace":
            marketplace = kind.marketplace
        elif self.reach == "anywhere":
            path = "*"
        elif self.reach == "suggested" and self.suggestion:
            path, name = self.suggestion.path, self.suggestion.name
            marketplace, context = self.suggestion.marketplace, self.suggestion.context
        elif self.reach == "own":
            path, name, context = self.path or "*", self.name, self.context
        return RuleData(kind.channel, name, read_category(self.category), path, marketplace, context)


@dataclass
class Form:
    """The whole form."""

    rows: list[Row]
    valid_from: str = ""
    reason: str = ""
    errors: list[str] = field(default_factory=list)


@company_page(permission="ledger.view_feerule")
def propose(request: HttpRequest, company: Company) -> HttpResponse:
    """Choose categories for fee types, see what the P&L would change, and send the proposals to the approver."""
    user: Any = request.user
    if not may_propose(user):
        raise PermissionDenied("Your role does not allow this.")
    form = _read(request, company)
    effect = None
    if request.method == "POST":
        try:
            items = _items(form, reason_needed=request.POST.get("action") == "send")
            start = read_month(form.valid_from)
            if request.POST.get("action") == "send":
                rules = propose_rules(company=company, author=user, items=items, reason=form.reason.strip(), valid_from=start)
                count = len(rules)
                messages.success(
                    request,
                    f"{count:,} proposal{'' if count == 1 else 's'} sent. Somebody else approves; nothing has changed yet.",
                )
                return redirect("ledger:worklist", code=company.code)
            supposed = build_rules(company=company, author=user, items=items, valid_from=start)
            effect = Effect.of(preview_rules(company=company, proposals=supposed))
        except (RuleRefused, ValueError) as refusal:
            form.errors.append(str(refusal))
    return render_page(
        request,
        "ledger/rules_propose.html",
        title="Propose a category" if len(form.rows) == 1 else f"Propose categories for {len(form.rows)} fee types",
        company=company,
        form=form,
        categories=category_choices(),
        contexts=[*CONTEXTS, "*"],
        effect=effect,
        status=422 if form.errors else 200,
    )


def _items(form: Form, *, reason_needed: bool) -> list[RuleData]:
    items: dict[tuple[str, ...], RuleData] = {}
    chosen = [row for row in form.rows if row.use]
    if not chosen:
        raise RuleRefused("Tick at least one fee type.")
    for row in chosen:
        if not read_category(row.category):
            row.error = "Choose a category, or untick this fee."
            continue
        data = row.data()
        # Several types may share one rule: the same name on two marketplaces, or a pattern.
        key = (data.channel, data.path, data.name, data.marketplace, data.context)
        if key in items and items[key].category != data.category:
            row.error = f"Another row gives the same name {items[key].category}."
            continue
        items[key] = data
    if any(row.error for row in chosen):
        raise RuleRefused("Some fees still need a decision; see below.")
    if reason_needed and not form.reason.strip():
        raise RuleRefused("Say why, for the approver and for the auditor.")
    return list(items.values())


def _read(request: HttpRequest, company: Company) -> Form:
    values: Any = request.POST if request.method == "POST" else request.GET
    ids = read_ids(values.getlist("type"))
    seen = PnlMonth.objects.filter(company=company, fee_type__in=ids).order_by().values("fee_type").distinct()
    types = FeeType.objects.in_bulk(list(seen.values_list("fee_type", flat=True)))
    if not types:
        raise Http404("None of these fee types has money in this company.")
    work = read_worklist(company=company, user=request.user, fee_type_ids=list(types), limit=len(ids))  # type: ignore[arg-type]
    items = {item.fee_type.pk: item for item in work.items}
    suggestions = {pk: item.suggestion for pk, item in items.items()}
    if mapped := [fee_type for pk, fee_type in types.items() if pk not in items]:
        suggestions |= suggest(company=company, user=request.user, fee_types=mapped)  # type: ignore[arg-type]
    form = Form(rows=[], valid_from=values.get("valid_from", ""), reason=read_words(values.get("reason", "")))
    for pk in ids:
        if pk not in types:
            continue
        suggestion = suggestions.get(pk)
        row = Row(
            types[pk], items.get(pk), suggestion, path=types[pk].path or "*", name=types[pk].name, context=types[pk].context
        )
        if request.method == "POST":
            row.use = f"use-{pk}" in values
            row.category = read_words(values.get(f"category-{pk}", ""))
            reach = values.get(f"reach-{pk}", "exact")
            row.reach = reach if reach in REACH else "exact"
            row.path = read_words(values.get(f"path-{pk}", row.path))[:200]
            row.name = read_words(values.get(f"name-{pk}", row.name))[:200]
            context = values.get(f"context-{pk}", row.context)
            row.context = context if context in (*CONTEXTS, "*") else row.context
        elif suggestion:
            row.category = f"{suggestion.category.code} · {suggestion.category.name}"
            row.reach = "suggested" if "*" in f"{suggestion.path}{suggestion.name}" else "exact"
        form.rows.append(row)
    return form
