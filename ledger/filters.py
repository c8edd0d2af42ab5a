"""Filters of the ledger's rows, for the API and for lists alike."""

from __future__ import annotations

import django_filters

from ledger.models import FeeRule


class FeeRuleFilter(django_filters.FilterSet):
    """Fee rules by company code, channel, status, category code and words in the name."""

    company = django_filters.CharFilter(field_name="company__code")
    category = django_filters.CharFilter(field_name="category__code")
    name = django_filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = FeeRule
        fields = ("company", "channel", "status", "category", "name", "marketplace")
