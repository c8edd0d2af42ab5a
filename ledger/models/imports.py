"""How far the ledger is with each document, and imports that were withdrawn."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from channels.intake import Intake, IntakeState
from channels.models import Document
from nova.fields import CompanyForeignKey, CompanyReference, Owned, PlainForeignKey, owned_constraints


class LedgerIntake(Intake):
    """The ledger has taken this document, or says why not.

    `question` is what staff are asked before an import goes on; `answered` that they said yes.
    `result` counts what was taken: vouchers new, unchanged, replaced; lines; statements; notes.
    """

    document = CompanyForeignKey(Document, related_name="intakes")
    question = models.TextField(blank=True)
    answered = models.BooleanField(default=False, help_text="Staff confirmed that the document belongs to this shop.")
    answered_by = PlainForeignKey("nova.User", null=True, blank=True, related_name="+")
    accept_difference = models.BooleanField(default=False, help_text="Staff agreed to take a statement that does not add up.")
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-id",)
        permissions = [
            ("import_documents", "Can upload and import documents"),
            ("withdraw_imports", "Can withdraw an import and undo that"),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"], name="ledger_intake_work", condition=Q(state__in=["waiting", "running"]))
        ]
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "document"], name="ledger_intake_natural"),
            CompanyReference(field="document", name="ledger_intake_document"),
            models.CheckConstraint(condition=Q(state__in=IntakeState.values), name="ledger_intake_state"),
            referenced=False,
        )

    def __str__(self) -> str:
        return f"{self.document}: {self.get_state_display()}"


class Withdrawal(Owned):
    """Somebody took an import back, for a reason; its lines are reversed. It can be undone."""

    document = CompanyForeignKey(Document)
    reason = models.TextField()
    withdrawn_by = PlainForeignKey("nova.User", related_name="+")
    withdrawn_at = models.DateTimeField(auto_now_add=True)
    undone_by = PlainForeignKey("nova.User", null=True, blank=True, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = owned_constraints(
            CompanyReference(field="document", name="ledger_withdrawal_document"),
            models.UniqueConstraint(
                fields=["company", "document"], condition=Q(undone_at__isnull=True), name="ledger_withdrawal_open"
            ),
            referenced=False,
        )

    def __str__(self) -> str:
        return f"Withdrawal of {self.document}"
