"""Base classes of Nova's admin: a user sees only the companies they are a member of, in lists, forms and autocompletes."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from nova.models import Company


def member_companies(request: HttpRequest) -> QuerySet[Company]:
    """The companies the signed-in user may see; superusers see no more than their memberships."""
    return Company.objects.for_user(request.user)  # type: ignore[attr-defined, no-any-return]


class CompanyAdmin(ModelAdmin):
    """Admin of a company model: rows, related choices and single objects of other companies do not exist for the user."""

    list_per_page = 50
    list_filter_submit = True
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(company__in=member_companies(request))

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> Any:
        queryset = super().get_field_queryset(db, db_field, request)
        related = db_field.remote_field.model
        if related is Company:
            return member_companies(request)
        if any(field.name == "company" for field in related._meta.fields):
            queryset = (related._default_manager.all() if queryset is None else queryset).filter(
                company__in=member_companies(request)
            )
        return queryset


class ReadOnlyAdmin(CompanyAdmin):
    """Admin of rows that nobody edits by hand: documents, fee lines, vouchers, statements."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
