"""Fields, constraints and the base class that keep every row inside its company.

Every model says where its rows live (`placement`): "company" (facts of one company, sharded by it on a cluster),
"reference" (small, read by all) or "local" (sign-in, queue, rules under approval). `tests/laws/test_placement.py`
walks the models and holds the rules.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.ddl_references import Statement
from django.db.models.constraints import BaseConstraint

MONEY_DIGITS = 19
MONEY_PLACES = 4


class MoneyField(models.DecimalField):
    """An exact amount of money, numeric(19,4), seller's view: plus is money to the seller.

    The currency stands in a field beside it. Never a float.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", MONEY_DIGITS)
        kwargs.setdefault("decimal_places", MONEY_PLACES)
        super().__init__(*args, **kwargs)


class CurrencyField(models.CharField):
    """An ISO 4217 currency code in capitals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(*args, **kwargs)


class CompanyForeignKey(models.ForeignKey):
    """A foreign key inside one company: every join over it also says company = company.

    The database side is a `CompanyReference` constraint, so that no row can ever point into another company's data.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        kwargs.setdefault("on_delete", models.PROTECT)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_constraint", None)
        return name, path, args, kwargs

    def get_joining_fields(self, reverse_join: bool = False) -> Any:
        own = self.model._meta.get_field("company")
        other = self.remote_field.model._meta.get_field("company")
        pair = (other, own) if reverse_join else (own, other)
        return (*super().get_joining_fields(reverse_join), pair)

    def get_extra_descriptor_filter(self, instance: Any) -> Any:
        return {"company_id": instance.company_id}


class PlainForeignKey(models.ForeignKey):
    """A foreign key from a company model to a reference or local table; its constraint, if any, is a `ReferenceKey`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        kwargs.setdefault("on_delete", models.PROTECT)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_constraint", None)
        return name, path, args, kwargs


class _KeyConstraint(BaseConstraint):
    """A foreign key constraint of our own making, added after the tables exist."""

    def __init__(
        self,
        *,
        field: str,
        name: str,
        violation_error_code: str | None = None,
        violation_error_message: str | None = None,
    ) -> None:
        self.field = field
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    def key_sql(self, model: type[models.Model], quote: Any) -> str:
        raise NotImplementedError

    def constraint_sql(self, model: type[models.Model] | None, schema_editor: Any) -> Any:
        # Inside CREATE TABLE the target may not exist yet: postpone.
        assert model is not None
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return None

    def create_sql(self, model: type[models.Model] | None, schema_editor: Any) -> Any:
        assert model is not None
        return Statement(
            "ALTER TABLE %(table)s ADD %(key)s",
            table=schema_editor.quote_name(model._meta.db_table),
            key=self.key_sql(model, schema_editor.quote_name),
        )

    def remove_sql(self, model: type[models.Model] | None, schema_editor: Any) -> Any:
        assert model is not None
        return schema_editor._delete_constraint_sql(schema_editor.sql_delete_fk, model, self.name)

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        """The database answers; forms choose from rows of the same company anyway."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self.name, self.field) == (other.name, other.field)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.name, self.field))

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs["field"] = self.field
        return path, args, kwargs


class CompanyReference(_KeyConstraint):
    """FOREIGN KEY (company_id, x_id) REFERENCES target (company_id, id): valid on one server and on a cluster alike."""

    def key_sql(self, model: type[models.Model], quote: Any) -> str:
        field: Any = model._meta.get_field(self.field)
        target = field.remote_field.model._meta
        return (
            f"CONSTRAINT {quote(self.name)} FOREIGN KEY ({quote('company_id')}, {quote(field.column)}) "
            f"REFERENCES {quote(target.db_table)} ({quote('company_id')}, {quote(target.pk.column)})"
        )


class ReferenceKey(_KeyConstraint):
    """FOREIGN KEY (x_id) REFERENCES a reference table (id)."""

    def key_sql(self, model: type[models.Model], quote: Any) -> str:
        field: Any = model._meta.get_field(self.field)
        target = field.remote_field.model._meta
        return (
            f"CONSTRAINT {quote(self.name)} FOREIGN KEY ({quote(field.column)}) "
            f"REFERENCES {quote(target.db_table)} ({quote(target.pk.column)})"
        )


class Owned(models.Model):
    """A fact of one company. The company never changes."""

    placement = "company"

    # Every index of a company model that is worth its cost begins with the company anyway.
    company = PlainForeignKey("nova.Company", related_name="+", db_index=False)

    class Meta:
        abstract = True

    def _do_update(
        self,
        base_qs: Any,
        using: Any,
        pk_val: Any,
        values: Any,
        update_fields: Any,
        forced_update: Any,
        *args: Any,
    ) -> Any:
        """UPDATE ... WHERE company_id = its own: one shard, and a changed company never matches a row."""
        return super()._do_update(  # type: ignore[misc]
            base_qs.filter(company_id=self.company_id), using, pk_val, values, update_fields, forced_update, *args
        )

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **kwargs: Any) -> Any:
        instance = super().from_db(db, field_names, values, **kwargs)
        instance._loaded_company_id = instance.__dict__.get("company_id")  # type: ignore[attr-defined]
        return instance

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; refuse a changed company, which would otherwise become a copy.

        Raises:
            ValueError: the row was loaded for another company.
        """
        loaded = getattr(self, "_loaded_company_id", None)
        if loaded is not None and loaded != self.company_id:  # type: ignore[attr-defined]
            raise ValueError(f"{type(self).__name__} {self.pk} belongs to company {loaded}; a row never changes its company.")
        super().save(*args, **kwargs)


def owned_constraints(*constraints: BaseConstraint, referenced: bool = True) -> list[BaseConstraint]:
    """The constraints every company model has, followed by its own.

    `referenced` adds the unique (company, id) that other company models point at.
    """
    rows: list[BaseConstraint] = [ReferenceKey(field="company", name="%(app_label)s_%(class)s_company")]
    if referenced:
        rows.append(models.UniqueConstraint(fields=["company", "id"], name="%(app_label)s_%(class)s_own"))
    return [*rows, *constraints]
