"""Company, people and exchange rates: what every part of Nova needs and none of it owns."""

from __future__ import annotations

import zoneinfo
from typing import Any

import pgtrigger
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from nova.fields import CurrencyField

code_validator = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "Use letters, digits, '.', '_' and '-', without blanks.")
currency_validator = RegexValidator(r"^[A-Z]{3}$", "A currency is three capital letters, such as EUR.")


def validate_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` is an IANA time zone name."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(f"{value} is not a time zone name such as Europe/Berlin or UTC.") from None


class CompanyQuerySet(models.QuerySet["Company"]):
    def for_user(self, user: Any) -> CompanyQuerySet:
        """The companies `user` is a member of; nobody sees more, superusers included."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(membership__user=user)


class Company(models.Model):
    """A legal entity whose books these are; an agency has many."""

    placement = "reference"

    code = models.CharField(
        max_length=40, unique=True, validators=[code_validator], help_text="Short name used in commands and addresses."
    )
    name = models.CharField(max_length=200)
    currency = CurrencyField(validators=[currency_validator], help_text="Base currency of the books.")
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Days and months of the P&L are cut in this zone. Fixed after the first fee line.",
    )
    has_lines = models.BooleanField(
        default=False, editable=False, help_text="Set with the first fee line; from then on currency and time zone are fixed."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CompanyQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        verbose_name_plural = "companies"
        constraints = [
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="nova_company_currency"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="fixed_after_first_line",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.has_lines AND (OLD.currency IS DISTINCT FROM NEW.currency OR OLD.time_zone IS DISTINCT FROM NEW.time_zone OR NOT NEW.has_lines)"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone of the books."""
        return zoneinfo.ZoneInfo(self.time_zone)


class User(AbstractUser):
    """Somebody who signs in. What they may do is in their groups, where they may do it in their memberships."""

    placement = "local"

    companies: Any = models.ManyToManyField(Company, through="nova.Membership", related_name="users")

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Membership(models.Model):
    """A user may see and work on one company."""

    placement = "local"

    company = models.ForeignKey(Company, on_delete=models.CASCADE)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("company", "user")
        constraints = [models.UniqueConstraint(fields=["company", "user"], name="nova_membership_natural")]

    def __str__(self) -> str:
        return f"{self.user} at {self.company}"


class ExchangeRate(models.Model):
    """What one euro cost in `currency` on a day: the European Central Bank's reference rate, or one entered by staff.

    Days without a rate (weekends, holidays) use the latest one before.
    """

    placement = "reference"

    currency = CurrencyField(validators=[currency_validator])
    on_date = models.DateField()
    rate = models.DecimalField(max_digits=20, decimal_places=8, help_text="Units of the currency for one euro.")
    source = models.CharField(max_length=40, default="ECB")

    class Meta:
        ordering = ("-on_date", "currency")
        constraints = [
            models.UniqueConstraint(fields=["currency", "on_date"], name="nova_exchangerate_natural"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="nova_exchangerate_positive"),
            models.CheckConstraint(condition=~models.Q(currency="EUR"), name="nova_exchangerate_not_euro"),
        ]

    def __str__(self) -> str:
        return f"1 EUR = {self.rate.normalize():f} {self.currency} on {self.on_date}"
