"""Statements (the channel's closed list of lines) and payouts (the transfer to the bank)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from channels.models import Document, Shop
from nova.fields import CompanyForeignKey, CompanyReference, CurrencyField, MoneyField, Owned, owned_constraints


class PayoutStatus(models.TextChoices):
    EXPECTED = "expected", "Expected"
    IN_TRANSIT = "in_transit", "In transit"
    PAID = "paid", "Paid"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Payout(Owned):
    """A transfer from the channel to the bank (plus), or a charge by the channel (minus)."""

    Status = PayoutStatus

    shop = CompanyForeignKey(Shop)
    outside_id = models.CharField(max_length=100)
    currency = CurrencyField()
    amount = MoneyField()
    status = models.CharField(max_length=12, choices=PayoutStatus.choices)
    paid_on = models.DateField(null=True, blank=True, help_text="In the company's time zone.")
    trace = models.CharField(max_length=100, blank=True, help_text="The bank's reference, when the channel tells it.")
    document = CompanyForeignKey(Document, related_name="+")

    class Meta:
        ordering = ("-paid_on", "-id")
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "shop", "outside_id"], name="ledger_payout_natural"),
            models.CheckConstraint(condition=Q(status__in=PayoutStatus.values), name="ledger_payout_status"),
            CompanyReference(field="shop", name="ledger_payout_shop"),
            CompanyReference(field="document", name="ledger_payout_document"),
        )

    def __str__(self) -> str:
        return f"Payout {self.outside_id}"


class Statement(Owned):
    """The channel's closed list of lines. `total` is what it says they add up to, `deposit` what it says was paid out."""

    shop = CompanyForeignKey(Shop)
    outside_id = models.CharField(max_length=100)
    currency = CurrencyField()
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    total = MoneyField(null=True, blank=True)
    deposit = MoneyField(null=True, blank=True)
    reserve = MoneyField(null=True, blank=True)
    complete = models.BooleanField(default=False, help_text="All its lines are there.")
    voucher_count = models.PositiveIntegerField(null=True, blank=True, help_text="How many transactions the channel announced.")
    payout = CompanyForeignKey(Payout, null=True, blank=True, related_name="statements")
    payout_ref = models.CharField(max_length=100, blank=True)
    document = CompanyForeignKey(Document, related_name="+")

    class Meta:
        ordering = ("-closed_at", "-id")
        indexes = [models.Index(fields=["company", "shop", "payout_ref"], name="ledger_statement_payout_ref")]
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "shop", "outside_id"], name="ledger_statement_natural"),
            CompanyReference(field="shop", name="ledger_statement_shop"),
            CompanyReference(field="payout", name="ledger_statement_payout"),
            CompanyReference(field="document", name="ledger_statement_document"),
        )

    def __str__(self) -> str:
        return f"Statement {self.outside_id}"
