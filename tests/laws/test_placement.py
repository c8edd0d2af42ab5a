"""Every row knows where it lives: the rules by which the same schema runs on one server or sharded by company."""

from __future__ import annotations

from typing import Any

import pgtrigger
import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from channels.models import Document, Shop
from nova.fields import CompanyForeignKey, CompanyReference, Owned, PlainForeignKey
from nova.models import Company

OWN_APPS = ("nova", "channels", "inventory", "ledger", "creators")
OWN_MODELS = [model for label in OWN_APPS for model in apps.get_app_config(label).get_models(include_auto_created=True)]
COMPANY_MODELS = [model for model in OWN_MODELS if getattr(model, "placement", "") == "company"]
#: Bulk tables carry no enforced foreign keys: they would halve the speed of imports; `verify_books` proves them.
BULK = {"FeeLine", "Voucher", "PnlDay", "PnlMonth", "PnlListingMonth", "Document"}


def named(model: Any) -> str:
    return str(model._meta.label)


def placement(model: Any) -> str:
    """Where a model's rows live; those of Django and other packages (sign-in, sessions, queue) are local."""
    if model._meta.auto_created:  # the table of a many-to-many field lives beside its model
        return placement(model._meta.auto_created)
    return str(getattr(model, "placement", "" if model in OWN_MODELS else "local"))


def foreign_keys(model: Any) -> list[Any]:
    return [field for field in model._meta.local_fields if isinstance(field, models.ForeignKey)]


@pytest.mark.parametrize("model", OWN_MODELS, ids=named)
def test_every_model_says_where_its_rows_live(model: Any) -> None:
    assert placement(model) in ("company", "reference", "local")


@pytest.mark.parametrize("model", OWN_MODELS, ids=named)
def test_keys_are_plain_64_bit_numbers(model: Any) -> None:
    key = model._meta.pk
    if hasattr(model, "pgh_obj_id") or model._meta.label.endswith("Event"):
        assert key.get_internal_type() in ("AutoField", "BigAutoField")
        return
    assert (key.name, key.get_internal_type()) == ("id", "BigAutoField")


@pytest.mark.parametrize("model", COMPANY_MODELS, ids=named)
def test_company_models_carry_a_company_that_is_never_empty(model: Any) -> None:
    field = model._meta.get_field("company")
    assert issubclass(model, Owned)
    assert not field.null
    assert field.remote_field.model is Company


@pytest.mark.parametrize("model", COMPANY_MODELS, ids=named)
def test_every_unique_constraint_of_a_company_model_contains_the_company(model: Any) -> None:
    assert not model._meta.unique_together
    assert not [field.name for field in model._meta.local_fields if field.unique and not field.primary_key]
    assert not [field.name for field in model._meta.local_fields if isinstance(field, models.OneToOneField)]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            assert "company" in constraint.fields, constraint.name


@pytest.mark.parametrize("model", COMPANY_MODELS, ids=named)
def test_references_between_company_models_say_the_company(model: Any) -> None:
    references = {constraint.field for constraint in model._meta.constraints if isinstance(constraint, CompanyReference)}
    for field in foreign_keys(model):
        target = field.remote_field.model
        if placement(target) == "company":
            assert isinstance(field, CompanyForeignKey), field.name
            if model.__name__ not in BULK:
                assert field.name in references, f"{field.name} has no CompanyReference"
        else:
            assert isinstance(field, PlainForeignKey), field.name
        assert not field.db_constraint, field.name


@pytest.mark.parametrize("model", COMPANY_MODELS, ids=named)
def test_what_company_models_point_at_is_unique_by_company_and_id(model: Any) -> None:
    for constraint in model._meta.constraints:
        if isinstance(constraint, CompanyReference):
            target = model._meta.get_field(constraint.field).remote_field.model
            uniques = [row.fields for row in target._meta.constraints if isinstance(row, models.UniqueConstraint)]
            assert ("company", "id") in uniques, f"{target._meta.label} lacks unique (company, id)"


@pytest.mark.parametrize("model", [model for model in OWN_MODELS if model not in COMPANY_MODELS], ids=named)
def test_nothing_outside_a_company_points_into_one(model: Any) -> None:
    assert [field.name for field in foreign_keys(model) if placement(field.remote_field.model) == "company"] == []


@pytest.mark.parametrize("model", COMPANY_MODELS, ids=named)
def test_triggers_of_company_models_touch_no_other_table(model: Any) -> None:
    local_tables = [other._meta.db_table for other in apps.get_models() if placement(other) == "local"]
    for found, trigger in pgtrigger.registered():
        if found is model:
            body = str(getattr(trigger, "func", "") or "")
            assert not [table for table in local_tables if table in body], trigger.name


@pytest.mark.django_db
def test_the_database_agrees_no_exclusion_and_no_single_column_key_between_company_tables() -> None:
    tables = {model._meta.db_table for model in COMPANY_MODELS}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source.relname, target.relname, constr.contype::text, constr.conname,
                (SELECT array_agg(attribute.attname::text) FROM pg_attribute attribute
                 WHERE attribute.attrelid = constr.conrelid AND attribute.attnum = ANY(constr.conkey)),
                constr.condeferrable
            FROM pg_constraint constr
            JOIN pg_class source ON source.oid = constr.conrelid
            LEFT JOIN pg_class target ON target.oid = constr.confrelid
            WHERE source.relnamespace = 'public'::regnamespace
            """
        )
        rows = cursor.fetchall()
    seen = 0
    for source, target, kind, name, columns, deferrable in rows:
        if source not in tables:
            continue
        assert kind != "x", f"{name}: no exclusion constraint on a company table"
        if kind == "f" and target in tables:
            seen += 1
            assert "company_id" in columns, name
            assert not deferrable, name
        if kind == "u":
            assert "company_id" in columns, name
    assert seen > 5


@pytest.mark.django_db
def test_a_row_never_changes_its_company() -> None:
    harbour = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    lagoon = Company.objects.create(code="lagoon", name="Lagoon Supply", currency="USD")
    shop = Shop.objects.create(company=harbour, code="harbour-us", name="Harbour US", channel="tiktok")
    shop = Shop.objects.get(company=harbour, pk=shop.pk)
    shop.company = lagoon
    with pytest.raises(ValueError, match="never changes its company"):
        shop.save()
    assert Shop.objects.filter(company=lagoon).count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_row_cannot_point_into_another_company() -> None:
    from inventory.models import Listing

    harbour = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    lagoon = Company.objects.create(code="lagoon", name="Lagoon Supply", currency="USD")
    shop = Shop.objects.create(company=harbour, code="harbour-us", name="Harbour US", channel="tiktok")
    with pytest.raises(IntegrityError), transaction.atomic():
        Listing.objects.create(company=lagoon, shop_id=shop.pk, code="TEE-1")


@pytest.mark.django_db
def test_joins_between_company_models_say_the_company() -> None:
    sql = str(Document.objects.filter(company=1, shop__code="harbour-us").query)
    assert sql.count('"company_id"') >= 3, sql
