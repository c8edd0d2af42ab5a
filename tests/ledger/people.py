"""People of the test companies: a clerk who proposes, an approver, a viewer. Rights are given one by one, as roles do."""

from __future__ import annotations

import itertools

from django.contrib.auth.models import Permission

from nova.models import Company, Membership, User

_numbers = itertools.count(1)
CLERK = ("add_feerule", "view_feerule", "add_scoperule", "view_scoperule", "view_feetype", "view_feecategory", "import_documents")
APPROVER = ("approve_rules", "view_feerule", "view_scoperule", "view_feetype", "view_feecategory")


def make_user(name: str, *companies: Company, rights: tuple[str, ...] = ()) -> User:
    """A staff user who is a member of the companies; the password is their name."""
    username = f"{name}-{next(_numbers)}"
    user = User.objects.create_user(username, password=username, first_name=name.capitalize(), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("ledger", "nova"), codename__in=rights))
    for company in companies:
        Membership.objects.create(company=company, user=user)
    return User.objects.get(pk=user.pk)  # a fresh row has no cached rights


def make_clerk(*companies: Company) -> User:
    return make_user("clara", *companies, rights=CLERK)


def make_approver(*companies: Company) -> User:
    return make_user("arthur", *companies, rights=APPROVER)
