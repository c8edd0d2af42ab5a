"""Vouchers and fee lines: one movement of money of one kind, with its proof. Append-only."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from channels.models import Document, Shop
from channels.records import EventKind, EventSource, State
from inventory.models import Listing
from ledger.models.fees import FeeType
from ledger.models.statements import Statement
from nova.fields import CompanyForeignKey, CurrencyField, MoneyField, Owned, PlainForeignKey

STATES = [(state.value, state.value.capitalize()) for state in State]


class Voucher(Owned):
    """What one document says about one order event or one transaction, taken as a whole, in versions.

    A changed voucher is reversed whole and taken again as the next version. `active` says that its lines count now:
    of several sources of the same money only the best one is active, the others are counter-booked by a reversal
    (`reversal` rows carry the negated lines of the version they name).
    """

    shop = CompanyForeignKey(Shop, db_index=False)
    document = CompanyForeignKey(Document, db_index=False)
    statement = CompanyForeignKey(Statement, db_index=False, null=True, blank=True)
    family = models.CharField(max_length=30)
    outside_id = models.CharField(max_length=300)
    version = models.PositiveIntegerField(default=1)
    reversal = models.BooleanField(default=False, help_text="Carries the negated lines of the same version.")
    state = models.CharField(max_length=12, choices=STATES)
    authority = models.SmallIntegerField()
    detail = models.BooleanField(default=False, help_text="Finer grain of the books: counts only where it says the same money.")
    order_ref = models.CharField(max_length=100, blank=True)
    event = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in EventKind])
    part = models.CharField(max_length=100, blank=True)
    currency = CurrencyField()
    event_on = models.DateField(help_text="Day of the event in the company's time zone.")
    event_source = models.CharField(max_length=10, choices=[(source.value, source.value) for source in EventSource])
    posted_on = models.DateField(help_text="Day the channel posted it, in the company's time zone.")
    posted_at = models.DateTimeField(null=True, blank=True, help_text="The moment the channel posted it, when it tells the time.")
    row = models.IntegerField(null=True, blank=True, help_text="Place in the document.")
    digest = models.BinaryField(max_length=16, help_text="Hash of the lines: the same again changes nothing.")
    money_digest = models.BinaryField(
        max_length=16, help_text="Linear hash of the sums per fee type and date: the hashes of vouchers add up like their money."
    )
    amount = MoneyField(help_text="Sum of the lines.")
    current = models.BooleanField(default=True, help_text="The latest version of its outside id.")
    active = models.BooleanField(default=True, help_text="Its lines count now.")
    withdrawn = models.BooleanField(default=False)
    taken_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["company", "shop", "family", "outside_id", "version", "reversal"], name="ledger_voucher_natural"
            ),
            models.CheckConstraint(condition=Q(state__in=[state.value for state in State]), name="ledger_voucher_state"),
            models.CheckConstraint(condition=~Q(reversal=True) | Q(current=False, active=False), name="ledger_voucher_reversal"),
            models.CheckConstraint(condition=Q(active=False) | Q(current=True, withdrawn=False), name="ledger_voucher_active"),
        ]
        indexes = [
            models.Index(fields=["company", "shop", "order_ref"], name="ledger_voucher_order", condition=~Q(order_ref="")),
            models.Index(fields=["company", "document"], name="ledger_voucher_document"),
            # How much of a statement is there is asked with every page of it.
            models.Index(
                fields=["company", "statement"],
                name="ledger_voucher_statement",
                condition=Q(current=True, statement__isnull=False),
            ),
            models.Index(
                fields=["company", "shop", "part"],
                name="ledger_voucher_twin",
                condition=Q(current=True, event="other") & ~Q(part=""),
            ),
            models.Index(
                fields=["company", "shop", "posted_on"],
                name="ledger_voucher_weak",
                condition=Q(current=True, event="other") & ~Q(state="settled"),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="flags_only",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "to_jsonb(OLD) - ARRAY['current', 'active', 'withdrawn'] <> to_jsonb(NEW) - ARRAY['current', 'active', 'withdrawn']"
                    " OR OLD.reversal OR (NEW.current AND NOT OLD.current)"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.outside_id}, version {self.version}{' reversed' if self.reversal else ''}"


class FeeLine(Owned):
    """One movement of money of one kind. Seller's view: plus is money to the seller. Never changed, never deleted.

    No enforced foreign keys here (they would halve the speed of imports); `verify_books` proves them.
    """

    voucher = CompanyForeignKey(Voucher, db_index=False, related_name="lines")
    seq = models.IntegerField(help_text="Position in the voucher.")
    shop = CompanyForeignKey(Shop, db_index=False, related_name="+")
    fee_type = PlainForeignKey(FeeType, db_index=False, related_name="+")
    listing = CompanyForeignKey(Listing, db_index=False, null=True, blank=True, related_name="+")
    statement = CompanyForeignKey(Statement, db_index=False, null=True, blank=True, related_name="lines")
    currency = CurrencyField()
    amount = MoneyField()
    quantity = models.IntegerField(null=True, blank=True, help_text="Units sold (plus) or returned (minus), once per item.")
    event_on = models.DateField()
    posted_on = models.DateField()
    state = models.CharField(max_length=12, choices=STATES)
    provisional = models.BooleanField(help_text="The event date only stands in for one not known yet.")
    row = models.IntegerField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["company", "voucher"], name="ledger_feeline_voucher"),
            models.Index(fields=["company", "fee_type", "event_on"], name="ledger_feeline_drill"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.fee_type}"
