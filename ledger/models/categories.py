"""Nova's 84 fee categories and the lines of the P&L they add up to."""

from __future__ import annotations

from django.db import models


class Section(models.TextChoices):
    """The lines of the P&L layout, in order. Money of the last two never reaches the P&L."""

    GROSS_SALES = "gross_sales", "Gross sales"
    DISCOUNTS = "discounts", "Discounts"
    REFUNDS = "refunds", "Refunds"
    COST_OF_GOODS = "cost_of_goods", "Cost of goods"
    PLATFORM = "platform", "Platform and payment"
    FULFILMENT = "fulfilment", "Fulfilment, inbound, storage"
    ADS = "ads", "Ads"
    CREATORS = "creators", "Creators"
    OTHER = "other", "Other"
    OVERHEADS = "overheads", "Overheads"
    FINANCE = "finance", "Finance"
    BALANCE_SHEET = "balance_sheet", "Balance sheet"
    MEMO = "memo", "Memo"


class FeeCategory(models.Model):
    """What Nova calls a kind of money, the same on every channel."""

    placement = "reference"

    Section = Section

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    group = models.CharField(max_length=60)
    definition = models.TextField()
    sign = models.CharField(max_length=8, help_text="Usual sign, seller's view: +, -, +/-, dr/cr, memo.")
    level = models.CharField(max_length=20, help_text="What it usually belongs to: line, order, SKU, campaign, account ...")
    gl_type = models.CharField(max_length=60, help_text="Kind of general-ledger account.")
    section = models.CharField(max_length=20, choices=Section.choices)
    position = models.PositiveSmallIntegerField(help_text="Order inside the P&L.")

    class Meta:
        ordering = ("position",)
        verbose_name_plural = "fee categories"
        constraints = [models.CheckConstraint(condition=models.Q(section__in=Section.values), name="ledger_feecategory_section")]

    def __str__(self) -> str:
        return self.name

    @property
    def in_pnl(self) -> bool:
        """False for balance-sheet and memo categories."""
        return self.section not in (Section.BALANCE_SHEET, Section.MEMO)
