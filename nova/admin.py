"""Base classes of Nova's admin: a user sees only the companies they are a member of, in lists, forms, filters and searches.

Below them the admin of companies, people and roles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import NotRelationField, get_fields_from_path
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, PaginationInlineFormSet, UserChangeForm, UserCreationForm

from nova.fields import Owned
from nova.list_export import ListExport
from nova.models import Company, Membership, User
from nova.pages import current_company, my_companies


def member_companies(request: HttpRequest) -> QuerySet[Company]:
    """The companies the signed-in user may see; superusers see no more than their memberships."""
    return Company.objects.for_user(request.user)  # type: ignore[attr-defined, no-any-return]


def labelled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """unfold's `display` decorator (coloured labels, icons for yes and no), typed."""
    decorator: Callable[[Callable[..., Any]], Callable[..., Any]] = display(**options)
    return decorator


def _has_company(model: Any) -> bool:
    return any(field.name == "company" for field in model._meta.fields)


class OwnRelatedFilter(RelatedDropdownFilter):
    """A filter over a related row that offers only rows of the user's companies (of the one filtered by, if any)."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        related = field.remote_field.model
        ordering = self.field_admin_ordering(field, request, model_admin)
        limit: dict[str, Any] = {}
        if related is Company:
            limit = {"pk__in": member_companies(request)}
        elif _has_company(related):
            limit = {"company__in": member_companies(request)}
            chosen = request.GET.get("company__id__exact", "")
            if chosen.isdigit():
                limit["company"] = chosen
        choices: list[tuple[Any, str]] = field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=limit)
        return choices


class OwnedForm(forms.ModelForm):
    """A form whose choices all belong to the company of the row."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        values = self.cleaned_data if cleaned is None else cleaned
        company = values.get("company")
        company_id = company.pk if company is not None else self.instance.company_id
        for name, value in list(values.items()):
            if isinstance(value, Owned) and value.company_id != company_id:  # type: ignore[attr-defined]
                self.add_error(name, f"{value} belongs to another company.")
        return cleaned


class CompanyAdmin(ListExport, ModelAdmin):
    """Admin of a company model: rows, related choices, filters and single objects of other companies do not exist for the user."""

    form = OwnedForm
    list_per_page = 50
    list_filter_submit = True
    show_full_result_count = False
    list_select_related: Any = ("company",)
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> Any:
        # Ids instead of a subquery: the latest rows of millions are then found by the index alone.
        return super().get_queryset(request).filter(company__in=[company.pk for company in my_companies(request)])

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> Any:
        queryset = super().get_field_queryset(db, db_field, request)
        related = db_field.remote_field.model
        if related is Company:
            return member_companies(request)
        if _has_company(related):
            queryset = (related._default_manager.all() if queryset is None else queryset).filter(
                company__in=member_companies(request)
            )
        return queryset

    def get_list_filter(self, request: HttpRequest) -> Any:
        """The filters of the list; those over related rows offer the user's own only, and companies when there are several."""
        found: list[Any] = []
        if len(my_companies(request)) > 1:
            found.append(("company", OwnRelatedFilter))
        for entry in super().get_list_filter(request):
            if entry == "company" or (isinstance(entry, tuple) and entry[0] == "company"):
                continue
            if isinstance(entry, str) and self._leads_to_rows(entry):
                entry = (entry, OwnRelatedFilter)
            found.append(entry)
        return found

    def _leads_to_rows(self, name: str) -> bool:
        try:
            field = get_fields_from_path(self.model, name)[-1]
        except (FieldDoesNotExist, NotRelationField):
            return False
        return bool(field.is_relation and field.many_to_one)

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns of the list; the company only for those who have several."""
        columns = super().get_list_display(request)
        return columns if len(my_companies(request)) > 1 else [name for name in columns if name != "company"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "company") if obj is not None and "company" not in fields else fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        company = current_company(request)
        return {**({"company": company.pk} if company is not None else {}), **super().get_changeform_initial_data(request)}

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.forms:
            if isinstance(row.instance, Owned) and row.instance.company_id is None:  # type: ignore[attr-defined]
                row.instance.company_id = form.instance.company_id  # type: ignore[attr-defined]
        super().save_formset(request, form, formset, change)


class OwnedFormSet(PaginationInlineFormSet):
    """Rows inside the form of another row: they belong to its company."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        if form.instance.company_id is None:
            form.instance.company_id = self.instance.company_id
        return form


class OwnedInline(TabularInline):
    """Rows of the same company inside the form of another row."""

    form = OwnedForm
    formset = OwnedFormSet
    exclude = ("company",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(company__in=member_companies(request))

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> Any:
        queryset = super().get_field_queryset(db, db_field, request)
        related = db_field.remote_field.model
        if _has_company(related):
            queryset = (related._default_manager.all() if queryset is None else queryset).filter(
                company__in=member_companies(request)
            )
        return queryset


class ReadOnly:
    """Nobody adds, changes or deletes rows by hand."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, CompanyAdmin):
    """Admin of rows that nobody edits by hand: documents, fee lines, vouchers, statements."""


class SuperuserAdmin(ModelAdmin):
    """People and companies: superusers only, whatever permissions a group was given by hand."""

    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(TabularInline):
    """Where somebody may work. A superuser gives access to companies they are a member of themselves."""

    model = Membership
    extra = 0
    fields = ("company", "user")
    autocomplete_fields = ("user",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("company", "user").filter(company__in=member_companies(request))

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> Any:
        if db_field.remote_field.model is Company:
            return member_companies(request)
        return super().get_field_queryset(db, db_field, request)


@admin.register(Company)
class CompaniesAdmin(SuperuserAdmin):
    """The companies of the signed-in superuser. Who adds one becomes its first member."""

    list_display = ("name", "code", "currency", "time_zone", "people", "created_at")
    search_fields = ("name", "code")
    ordering = ("name", "id")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("name", "code")}),
        (
            "Books",
            {
                "fields": ("currency", "time_zone"),
                "description": "Both are fixed by the first fee line: every day and month of the P&L is cut in this zone.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(pk__in=member_companies(request)).annotate(_people=models.Count("membership"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "currency", "time_zone") if obj is not None and obj.has_lines else fields

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            Membership.objects.get_or_create(company=form.instance, user_id=request.user.pk or 0)

    @admin.display(description="people", ordering="_people")
    def people(self, obj: Any) -> int:
        return int(obj._people)


@admin.register(User)
class PeopleAdmin(SuperuserAdmin, UserAdmin):
    """People, their roles and their companies. People are switched off, not deleted: what they decided keeps their name."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (MembershipInline,)
    list_display = ("username", "first_name", "last_name", "email", "roles", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("What they may do", {"fields": ("groups", "is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2")}),
        ("Person", {"classes": ("wide",), "fields": ("first_name", "last_name", "email")}),
        ("What they may do", {"classes": ("wide",), "fields": ("groups", "is_staff")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"is_staff": True, **super().get_changeform_initial_data(request)}

    @admin.display(description="roles")
    def roles(self, obj: Any) -> str:
        return ", ".join(group.name for group in obj.groups.all())


admin.site.unregister(Group)
admin.site.index_template = "nova/home.html"
# A form that schedules any function would be a way around every permission and every second signature.
for _model in (Schedule, Success, Failure, OrmQ):
    admin.site.unregister(_model)


@admin.register(Group)
class RolesAdmin(SuperuserAdmin, GroupAdmin):
    """Roles. Nova's own five are described in `nova/roles.py`; others may be added."""

    search_fields = ("name",)
    ordering = ("name",)


@admin.register(Failure)
class FailedTaskAdmin(ReadOnly, SuperuserAdmin):
    """Background tasks that died, with the reason. Nothing is started from here: readers find their own work again."""

    list_display = ("name", "func", "started", "stopped", "short_reason")
    search_fields = ("name", "func")
    ordering = ("-stopped",)
    fields = ("name", "func", "args", "kwargs", "started", "stopped", "result")
    readonly_fields = fields

    @admin.display(description="reason")
    def short_reason(self, obj: Any) -> str:
        return str(obj.result or "").strip().rsplit("\n", 1)[-1][:160]
