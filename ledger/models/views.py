"""Saved breakdowns of the P&L."""

from __future__ import annotations

from django.db import models

from nova.fields import Owned, PlainForeignKey, owned_constraints


class SavedView(Owned):
    """A P&L breakdown with its filters, kept under a name; a shared one is seen by everybody of the company."""

    owner = PlainForeignKey("nova.User", related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, blank=True, help_text="The query string of the page.")
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = owned_constraints(
            models.UniqueConstraint(fields=["company", "owner", "name"], name="ledger_savedview_natural"), referenced=False
        )

    def __str__(self) -> str:
        return self.name
