"""Admin of fee rules, scope rules, fee types and categories. Adding a rule proposes it; what is proposed is never edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import F, OuterRef, QuerySet, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from channels import registry
from channels.records import CONTEXTS
from ledger.approve import RuleData, RuleRefused, ScopeData, propose_rules, propose_scopes, withdraw
from ledger.models import FeeCategory, FeeRule, FeeType, Mapping, PnlMonth, ScopeRule
from ledger.pages.rule_inbox import preview_link
from ledger.pages.rule_words import channel_label, months_of
from ledger.propose import UNMAPPED
from nova.admin import CompanyAdmin, ReadOnly, member_companies

_STATUS = {"proposed": "info", "approved": "success", "rejected": "danger", "retired": "default", "withdrawn": "default"}


class CategoryChoice(forms.ModelChoiceField):
    """Categories with their codes, found by typing either."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.code})"


class ProposalForm(forms.ModelForm):
    """What a rule says; sending it proposes it, in the name of the signed-in user."""

    channel = forms.ChoiceField(choices=registry.channel_choices, widget=UnfoldAdminSelectWidget)
    category = CategoryChoice(queryset=FeeCategory.objects.exclude(code=UNMAPPED), widget=UnfoldAdminSelect2Widget)
    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="Why, for the approver and for the auditor."
    )
    request: HttpRequest

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors:
            try:
                self.proposed = self.propose(self.cleaned_data)
            except (RuleRefused, PermissionDenied) as refusal:
                raise ValidationError(str(refusal)) from refusal
        return cleaned

    def propose(self, values: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _post_clean(self) -> None:
        """The row is made by the job function; Django's own validation of a half-filled instance has nothing to say."""

    def save(self, commit: bool = True) -> Any:
        self.instance = self.proposed
        return self.instance

    def save_m2m(self) -> None:
        """Rules have no many-to-many fields."""


class FeeRuleForm(ProposalForm):
    """A fee rule; `*` stands for any letters."""

    path = forms.CharField(
        initial="*",
        max_length=200,
        label="Place (path)",
        help_text="* stands for any letters.",
        widget=UnfoldAdminTextInputWidget,
    )
    context = forms.ChoiceField(
        choices=[("", "none"), *((context, context) for context in CONTEXTS if context), ("*", "any")],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = FeeRule
        fields = ("company", "channel", "marketplace", "path", "name", "context", "category", "valid_from", "reason")

    def propose(self, values: dict[str, Any]) -> FeeRule:
        item = RuleData(
            channel=values["channel"],
            name=values["name"],
            category=values["category"].code,
            path=values["path"],
            marketplace=values["marketplace"],
            context=values["context"],
        )
        user: Any = self.request.user
        return propose_rules(
            company=values["company"], author=user, items=[item], reason=values["reason"], valid_from=values["valid_from"]
        )[0]


class ScopeRuleForm(ProposalForm):
    """A scope rule."""

    class Meta:
        model = ScopeRule
        fields = ("company", "channel", "category", "scope", "valid_from", "reason")

    def propose(self, values: dict[str, Any]) -> ScopeRule:
        item = ScopeData(channel=values["channel"], category=values["category"].code, scope=values["scope"])
        user: Any = self.request.user
        return propose_scopes(
            company=values["company"], author=user, items=[item], reason=values["reason"], valid_from=values["valid_from"]
        )[0]


class ProposalAdmin(CompanyAdmin):
    """Proposals: added, withdrawn and decided on, never edited or deleted here."""

    proposal_form: type[ProposalForm]
    list_select_related = ("company", "category", "author", "approver")
    list_filter = ("status", "channel", "source")
    date_hierarchy = None
    actions: Any = ("withdraw_own",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        form = super().get_form(request, obj, change, form=self.proposal_form, **kwargs)
        return type(form.__name__, (form,), {"request": request})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """`propose_rules` has written it."""

    @display(description="status", ordering="status", label=_STATUS)  # type: ignore[untyped-decorator]
    def state(self, obj: Any) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @admin.display(description="holds")
    def months(self, obj: Any) -> str:
        return months_of(obj.valid_from, obj.valid_to)

    @admin.display(description="category", ordering="category__position")
    def category_with_code(self, obj: Any) -> str:
        return f"{obj.category.name} ({obj.category.code})"

    @admin.action(description="Withdraw own proposals", permissions=["add"])
    def withdraw_own(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        try:
            count = withdraw(rule_ids=list(queryset.values_list("pk", flat=True)), author=request.user, model=self.model)  # type: ignore[arg-type]
            self.message_user(request, f"{count} withdrawn.", messages.SUCCESS)
        except RuleRefused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)


@admin.register(FeeRule)
class FeeRuleAdmin(ProposalAdmin):
    """Fee rules of the user's companies. The inbox decides; here they are found."""

    proposal_form = FeeRuleForm
    list_display = ("name", "path", "company", "channel", "category_with_code", "months", "state", "author", "approver")
    search_fields = ("name", "path", "category__code", "category__name", "reason", "=id")
    actions = ("preview", "withdraw_own")
    readonly_fields = ("page",)

    @admin.display(description="effect and history")
    def page(self, obj: Any) -> str:
        if obj is None or obj.pk is None:
            return ""
        address = reverse("ledger:rule", kwargs={"code": obj.company.code, "pk": obj.pk})
        return format_html('<a href="{}">Rule {}</a>', address, obj.pk)

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        return None if obj is not None else ("page",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj is not None else ()

    @admin.action(description="Preview the effect and decide")
    def preview(self, request: HttpRequest, queryset: QuerySet[FeeRule]) -> HttpResponseRedirect | None:
        rules = list(queryset.select_related("company")[:500])
        if len({rule.company_id for rule in rules}) == 1:
            return HttpResponseRedirect(preview_link(rules[0].company, rules))
        self.message_user(request, "Choose rules of one company: a preview is of one P&L.", messages.WARNING)
        return None


@admin.register(ScopeRule)
class ScopeRuleAdmin(ProposalAdmin):
    """Where the money of a category is shown, per company and channel."""

    proposal_form = ScopeRuleForm
    list_display = ("category_with_code", "company", "channel", "scope", "months", "state", "author", "approver")
    search_fields = ("category__code", "category__name", "reason", "=id")


@admin.register(FeeType)
class FeeTypeAdmin(ReadOnly, ModelAdmin):
    """Fee types under which the user's companies have money, with the category each has there now."""

    list_display = ("name", "path", "channel_name", "marketplace", "context", "categories", "first_seen_at")
    list_filter = ("channel", "context")
    search_fields = ("name", "path", "marketplace")
    list_per_page = 50
    show_full_result_count = False
    readonly_fields = ("categories",)

    def get_queryset(self, request: HttpRequest) -> Any:
        companies = member_companies(request)
        seen = PnlMonth.objects.filter(company__in=companies).order_by().values("fee_type").distinct()
        mapped = (
            Mapping.objects.filter(fee_type=OuterRef("pk"), company__in=companies, known_to__isnull=True)
            .annotate(
                words=Concat(F("company__name"), Value(": "), F("category__name"), Value(" ("), F("category__code"), Value(")"))
            )
            .order_by("company__name", "valid_from")
        )
        return super().get_queryset(request).filter(pk__in=seen).annotate(mapped=ArraySubquery(mapped.values("words")))

    @admin.display(description="channel", ordering="channel")
    def channel_name(self, obj: Any) -> str:
        return channel_label(obj.channel)

    @admin.display(description="category now")
    def categories(self, obj: Any) -> str:
        return "; ".join(dict.fromkeys(obj.mapped)) or "none: suspense"


@admin.register(FeeCategory)
class FeeCategoryAdmin(ReadOnly, ModelAdmin):
    """Nova's categories, in the order of the P&L."""

    list_display = ("name", "code", "section", "sign", "level", "gl_type", "definition")
    list_filter = ("section", "sign")
    search_fields = ("code", "name", "definition")
    list_per_page = 100
    ordering = ("position",)
