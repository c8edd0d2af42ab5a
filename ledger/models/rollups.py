"""Rollups of the fee lines, kept current in the same transaction as the lines; `manage.py rebuild` makes them anew.

Neither holds the category: the P&L joins `Mapping`, so that approving a rule moves no rows here.
`PnlDay` is append-only (the sum of its rows is the truth; `rebuild` compacts), the month tables hold one row per key.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from channels.models import Shop
from inventory.models import Listing
from ledger.models.fees import FeeType
from ledger.models.lines import STATES
from ledger.models.statements import Statement
from nova.fields import CompanyForeignKey, CurrencyField, MoneyField, Owned, PlainForeignKey


class Clock(models.TextChoices):
    EVENT = "event", "Event"
    POSTED = "posted", "Posted"
    PAID = "paid", "Paid"


class PnlDay(Owned):
    """Money per shop, listing, fee type, currency, state, event day, posted day and statement, as deltas."""

    shop = CompanyForeignKey(Shop, db_index=False, related_name="+")
    listing = CompanyForeignKey(Listing, db_index=False, null=True, related_name="+")
    fee_type = PlainForeignKey(FeeType, db_index=False, related_name="+")
    statement = CompanyForeignKey(Statement, db_index=False, null=True, related_name="+")
    currency = CurrencyField()
    state = models.CharField(max_length=12, choices=STATES)
    provisional = models.BooleanField()
    event_on = models.DateField()
    posted_on = models.DateField()
    amount = MoneyField()
    quantity = models.BigIntegerField(default=0)
    lines = models.BigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["company", "event_on"], name="ledger_pnlday_event"),
            models.Index(fields=["company", "statement"], name="ledger_pnlday_statement"),
        ]

    def __str__(self) -> str:
        return f"{self.event_on} {self.amount} {self.currency}"


class _Month(Owned):
    """Money per month on one clock. `base_amount` is in the company's currency at the rate of each event day (exact, not
    rounded); `unrated_amount` is what could not be converted for want of a rate; `provisional_base` is the part of
    `base_amount` whose event date only stands in for one not known yet.
    """

    shop = CompanyForeignKey(Shop, db_index=False, related_name="+")
    fee_type = PlainForeignKey(FeeType, db_index=False, related_name="+")
    currency = CurrencyField()
    state = models.CharField(max_length=12, choices=STATES)
    clock = models.CharField(
        max_length=6, choices=[(Clock.EVENT.value, Clock.EVENT.label), (Clock.POSTED.value, Clock.POSTED.label)]
    )
    month = models.DateField(help_text="First of the month on this clock.")
    event_month = models.DateField(help_text="First of the month of the event: the mapping is chosen by it.")
    amount = MoneyField()
    base_amount = models.DecimalField(max_digits=38, decimal_places=14)
    unrated_amount = MoneyField()
    provisional_base = models.DecimalField(max_digits=38, decimal_places=14)
    quantity = models.BigIntegerField()
    lines = models.BigIntegerField()

    class Meta:
        abstract = True


class PnlMonth(_Month):
    """Months without the listing: what the P&L page reads first."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "clock", "month", "shop", "fee_type", "currency", "state", "event_month"],
                name="ledger_pnlmonth_natural",
            ),
            models.CheckConstraint(condition=Q(clock__in=["event", "posted"]), name="ledger_pnlmonth_clock"),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.amount} {self.currency}"


class PnlListingMonth(_Month):
    """Months per listing (only lines that have one; the rest of the shop is its month less these)."""

    listing = CompanyForeignKey(Listing, db_index=False, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "listing", "clock", "month", "shop", "fee_type", "currency", "state", "event_month"],
                name="ledger_pnllistingmonth_natural",
            ),
            models.CheckConstraint(condition=Q(clock__in=["event", "posted"]), name="ledger_pnllistingmonth_clock"),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.listing_id} {self.amount} {self.currency}"
