"""Fee types as the channels name them, the rules by which staff map them to categories, and what approval compiles."""

from __future__ import annotations

import pghistory
import pgtrigger
from django.db import models
from django.db.models import F, Q

from ledger.models.categories import FeeCategory
from nova.models import Company, User


class FeeType(models.Model):
    """A kind of money as a channel names it: the small table that makes the big one fast.

    `name` is normalised: ids and digits are replaced by `#`. `context` is one of `channels.records.CONTEXTS`.
    """

    placement = "reference"

    channel = models.CharField(max_length=20)
    marketplace = models.CharField(max_length=60, blank=True)
    path = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    context = models.CharField(max_length=20, blank=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("channel", "path", "name", "marketplace", "context")
        constraints = [
            models.UniqueConstraint(fields=["channel", "marketplace", "path", "name", "context"], name="ledger_feetype_natural"),
        ]

    def __str__(self) -> str:
        return f"{self.path} / {self.name}" if self.path else self.name


class RuleStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    PROPOSED = "proposed", "Proposed"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Returned"
    WITHDRAWN = "withdrawn", "Withdrawn"
    RETIRED = "retired", "Retired"


# What may change once a rule has left the draft: the decision itself, and the end of its validity.
_PROPOSAL_GUARD = """
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' THEN
            RAISE EXCEPTION 'Rule % has been proposed and cannot be deleted.', OLD.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF NEW.company_id <> OLD.company_id OR NEW.author_id <> OLD.author_id THEN
        RAISE EXCEPTION 'The company and the author of rule % cannot change.', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status = 'draft' AND NEW.status IN ('draft', 'proposed') THEN
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - ARRAY['status', 'approver_id', 'decided_at', 'decision_reason', 'valid_to']
       <> to_jsonb(OLD) - ARRAY['status', 'approver_id', 'decided_at', 'decision_reason', 'valid_to'] THEN
        RAISE EXCEPTION 'Rule % has been proposed and cannot be edited; propose another one.', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = 'withdrawn' AND NEW.approver_id IS NOT NULL THEN
        RAISE EXCEPTION 'Rule % is taken back by its author; nobody decides on it.', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NOT ((OLD.status = 'proposed' AND NEW.status IN ('proposed', 'approved', 'rejected', 'withdrawn'))
            OR (OLD.status = 'approved' AND NEW.status IN ('approved', 'retired'))
            OR OLD.status = NEW.status) THEN
        RAISE EXCEPTION 'Rule % cannot go from % to %.', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status <> 'proposed' AND (NEW.approver_id IS DISTINCT FROM OLD.approver_id) THEN
        RAISE EXCEPTION 'The decision on rule % cannot change.', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.valid_to IS DISTINCT FROM OLD.valid_to
       AND NOT (OLD.status = 'approved' AND NEW.valid_to IS NOT NULL AND (OLD.valid_to IS NULL OR NEW.valid_to < OLD.valid_to)) THEN
        RAISE EXCEPTION 'The end of rule % can only be brought forward.', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""

_INSERT_GUARD = """
    IF NEW.status NOT IN ('draft', 'proposed') OR NEW.approver_id IS NOT NULL THEN
        RAISE EXCEPTION 'A rule starts as a draft or a proposal.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class Proposal(models.Model):
    """Something one person proposes and another approves. The author can never approve; what is proposed is never edited."""

    placement = "local"

    Status = RuleStatus

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=10, choices=RuleStatus.choices, default=RuleStatus.DRAFT)
    valid_from = models.DateField(
        null=True, blank=True, help_text="First of the month from which it holds, compared with the event date. Empty: always."
    )
    valid_to = models.DateField(
        null=True, blank=True, help_text="First of the month from which it no longer holds. Empty: still."
    )
    source = models.CharField(
        max_length=80, blank=True, help_text="Empty: staff. Otherwise the pack it came from, such as Nova's defaults."
    )
    reason = models.TextField(blank=True, help_text="Why, for the approver and for the auditor.")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(null=True, blank=True)
    approver = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(status__in=RuleStatus.values), name="%(app_label)s_%(class)s_status"),
            models.CheckConstraint(
                condition=Q(approver__isnull=True) | ~Q(approver=F("author")),
                name="%(app_label)s_%(class)s_four_eyes",
                violation_error_message="The author of a rule cannot approve it.",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "rejected", "retired"]) | Q(approver__isnull=False),
                name="%(app_label)s_%(class)s_decided",
            ),
            models.CheckConstraint(
                condition=(Q(valid_from__isnull=True) | Q(valid_from__day=1)) & (Q(valid_to__isnull=True) | Q(valid_to__day=1)),
                name="%(app_label)s_%(class)s_months",
            ),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_to__isnull=True) | Q(valid_from__lte=F("valid_to")),
                name="%(app_label)s_%(class)s_dates",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="guard",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                level=pgtrigger.Row,
                func=_PROPOSAL_GUARD,
            ),
            pgtrigger.Trigger(
                name="start", when=pgtrigger.Before, operation=pgtrigger.Insert, level=pgtrigger.Row, func=_INSERT_GUARD
            ),
        ]


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), attrs={"placement": "local"})
class FeeRule(Proposal):
    """Maps a raw fee name of a channel to a category, for one company.

    `path` and `name` may hold `*`; an empty marketplace means all; context `*` means any. Specific beats general:
    `precedence` is higher the more exact the rule is.
    """

    channel = models.CharField(max_length=20)
    marketplace = models.CharField(max_length=60, blank=True)
    path = models.CharField(max_length=200, default="*")
    name = models.CharField(max_length=200)
    context = models.CharField(max_length=20, blank=True)
    category = models.ForeignKey(FeeCategory, on_delete=models.PROTECT, related_name="+")
    precedence = models.PositiveIntegerField(default=0, editable=False)

    class Meta(Proposal.Meta):
        abstract = False
        ordering = ("-id",)
        indexes = [models.Index(fields=["company", "status", "channel"], name="ledger_feerule_company")]
        permissions = [("approve_rules", "Can approve rules that somebody else proposed")]

    def __str__(self) -> str:
        return f"{self.path} / {self.name} -> {self.category.code}"


class Scope(models.TextChoices):
    UNIFIED = "unified", "In the unified P&L"
    CHANNEL = "channel", "On the channel's own page only"
    MEMO = "memo", "Memo only"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), attrs={"placement": "local"})
class ScopeRule(Proposal):
    """Where the money of a category of one channel is shown. Without a rule: in the unified P&L."""

    Scope = Scope

    channel = models.CharField(max_length=20)
    category = models.ForeignKey(FeeCategory, on_delete=models.PROTECT, related_name="+")
    scope = models.CharField(max_length=10, choices=Scope.choices)

    class Meta(Proposal.Meta):
        abstract = False
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.channel} {self.category.code}: {self.get_scope_display()}"


class Mapping(models.Model):
    """What approval compiles: the category of a fee type for one company, from a month to a month.

    `valid_from` and `valid_to` (exclusive) are firsts of months in the company's time zone, compared with the month of
    the event date; 0001-01-01 and 9999-12-01 stand for always. `known_from`/`known_to` say when Nova believed it, so that
    an earlier P&L can be shown as it was. The row that holds now has no `known_to`.
    """

    placement = "reference"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    fee_type = models.ForeignKey(FeeType, on_delete=models.PROTECT, related_name="+")
    valid_from = models.DateField()
    valid_to = models.DateField()
    category = models.ForeignKey(FeeCategory, on_delete=models.PROTECT, related_name="+")
    rule_id = models.BigIntegerField(help_text="The approved FeeRule that decided.")
    known_from = models.DateTimeField()
    known_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "fee_type", "valid_from"], condition=Q(known_to__isnull=True), name="ledger_mapping_natural"
            ),
            models.CheckConstraint(condition=Q(valid_from__lt=F("valid_to")), name="ledger_mapping_dates"),
            models.CheckConstraint(
                condition=Q(known_to__isnull=True) | Q(known_from__lte=F("known_to")), name="ledger_mapping_known"
            ),
        ]
        indexes = [models.Index(fields=["fee_type"], name="ledger_mapping_fee_type")]

    def __str__(self) -> str:
        return f"{self.fee_type} -> {self.category.code}"
