"""The abstract row by which a reader notes that it has taken a document."""

from __future__ import annotations

from django.db import models

from nova.fields import Owned


class IntakeState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Being read"
    ASKING = "asking", "Needs an answer"
    TAKEN = "taken", "Taken"
    FAILED = "failed", "Failed"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Intake(Owned):
    """How far one reader is with one document: state, attempts, when to try again, and why it failed."""

    State = IntakeState

    state = models.CharField(max_length=12, choices=IntakeState.choices, default=IntakeState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    parser_version = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
