"""Nobody reaches into a company they are no member of: every admin, every page, every search, superusers included."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, reverse

from inventory.models import Sku
from nova.models import Company, Membership
from tests.nova.desk_world import Fjord, company, make_fjord, person

pytestmark = pytest.mark.django_db

OWNED = [
    model
    for model in admin.site._registry
    if any(field.name == "company" for field in model._meta.get_fields())
    and model._meta.label not in ("nova.User", "nova.Membership")
]
#: What staff of another company must never read on any page.
SECRETS = (b"fjord", b"Fjord", b"FJORD")


def named(model: Any) -> str:
    return str(model._meta.label)


@pytest.fixture
def fjord() -> Fjord:
    return make_fjord()


@pytest.fixture
def stranger(fjord: Fjord) -> Client:
    """A superuser who is a member of Harbour Goods only."""
    harbour, _shop = company("harbour", "Harbour Goods")
    client = Client()
    client.force_login(person("mara", harbour, superuser=True))
    return client


@pytest.fixture
def member(fjord: Fjord) -> Client:
    """A superuser who is a member of Fjord Outdoor: shows that the same requests do lead somewhere."""
    client = Client()
    client.force_login(person("finn", fjord.company, superuser=True))
    return client


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def tells(response: HttpResponse) -> list[bytes]:
    body = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    return [secret for secret in SECRETS if secret in body]


def fjord_row(model: Any, fjord: Fjord) -> Any:
    return model._default_manager.filter(company=fjord.company).first()


def test_every_admin_of_company_rows_is_walked(fjord: Fjord) -> None:
    assert len(OWNED) >= 15
    without_rows = [named(model) for model in OWNED if fjord_row(model, fjord) is None]
    assert not without_rows, f"Fjord Outdoor has no row of {', '.join(without_rows)}: nothing would be proved"


def test_lists_hold_no_row_of_another_company(fjord: Fjord, stranger: Client, member: Client) -> None:
    for model in OWNED:
        exported = stranger.get(address(model, "changelist"), {"_export": "csv"})
        assert not tells(exported), named(model)
        for query in ({}, {"company__id__exact": fjord.company.pk}, {"q": "fjord"}):
            response = stranger.get(address(model, "changelist"), query)
            assert response.status_code == 200, named(model)
            assert not response.context["cl"].queryset.filter(company=fjord.company).exists(), named(model)
            found = tells(response)
            assert not found or query.get("q"), (named(model), found)  # the search box repeats what was typed
        assert member.get(address(model, "changelist")).context["cl"].queryset.exists(), named(model)


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_single_rows_of_another_company_do_not_exist(page: str, fjord: Fjord, stranger: Client, member: Client) -> None:
    for model in OWNED:
        target = address(model, page, fjord_row(model, fjord).pk)
        for response in (stranger.get(target), stranger.post(target, {"post": "yes"})):
            assert response.status_code in (302, 403, 404), target
            if response.status_code == 302:
                assert response.headers["Location"] == reverse("admin:index"), target
            assert not tells(response), target
        if page != "delete":
            assert member.get(target).status_code == 200, target


def test_forms_and_filters_offer_nothing_of_another_company(fjord: Fjord, stranger: Client) -> None:
    for model in OWNED:
        for target in (address(model, "add"), address(model, "changelist")):
            response = stranger.get(target)
            assert response.status_code in (200, 302, 403), target
            assert not tells(response), target


def autocompletes() -> list[Any]:
    found = []
    for model, model_admin in admin.site._registry.items():
        for holder in (model_admin, *(inline(model, admin.site) for inline in model_admin.inlines)):
            for name in holder.autocomplete_fields:
                if holder.model is not Membership:  # superusers give people access: people are no rows of a company
                    found.append((holder.model, name))
    return found


def test_autocompletes_find_nothing_of_another_company(fjord: Fjord, stranger: Client, member: Client) -> None:
    assert autocompletes()
    for model, field in autocompletes():
        query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field, "term": ""}
        assert stranger.get(reverse("admin:autocomplete"), query).json()["results"] == [], (named(model), field)
        assert member.get(reverse("admin:autocomplete"), query).json()["results"] != [], (named(model), field)


@pytest.mark.parametrize("format_number", ["0", "1"], ids=["csv", "xlsx"])
def test_exports_hold_no_row_of_another_company(format_number: str, fjord: Fjord, stranger: Client, member: Client) -> None:
    exporting = [model for model in OWNED if hasattr(admin.site._registry[model], "export_action")]
    assert exporting
    for model in exporting:
        data = {"format": format_number, "resource": "0"}
        plain = stranger.post(address(model, "export"), data)
        named_rows = stranger.post(address(model, "export"), {**data, "export_items": [fjord_row(model, fjord).pk]})
        theirs = member.post(address(model, "export"), data)
        if format_number == "0":
            assert not tells(plain), named(model)
            assert not tells(named_rows), named(model)
            assert tells(theirs), named(model)
        else:
            assert len(theirs.content) > len(plain.content), named(model)


def test_an_import_cannot_write_into_another_company(fjord: Fjord, stranger: Client) -> None:
    file = SimpleUploadedFile("skus.csv", b"code,name\nFJORD-SKU,Taken over\n")
    response = stranger.post(
        reverse("admin:inventory_sku_import"), {"company": "fjord", "format": "0", "resource": "0", "import_file": file}
    )
    assert response.status_code == 200  # the form again: there is no such company to choose
    assert "company" in response.context["form"].errors
    file = SimpleUploadedFile("skus.csv", b"code,name\nFJORD-SKU,Taken over\n")
    previewed = stranger.post(
        reverse("admin:inventory_sku_import"), {"company": "harbour", "format": "0", "resource": "0", "import_file": file}
    )
    confirmed = {**previewed.context["confirm_form"].initial, "company": "fjord"}
    assert stranger.post(reverse("admin:inventory_sku_process_import"), confirmed).status_code == 403
    assert Sku.objects.get(code="FJORD-SKU").name == "Fjord lantern"


def test_the_search_box_finds_nothing_of_another_company(fjord: Fjord, stranger: Client, member: Client) -> None:
    for term in ("FJORD-114-1", "FJORD-SKU", "fjord", "9001", "Fjord Outdoor"):
        for extended in ({}, {"extended": "1"}):
            assert not tells(stranger.get(reverse("admin:search"), {"s": term, **extended})), term
    assert tells(member.get(reverse("admin:search"), {"s": "FJORD-SKU", "extended": "1"}))


def test_who_lost_a_membership_finds_nothing_any_more(fjord: Fjord, member: Client) -> None:
    query = {"s": "FJORD-SKU", "extended": "1"}
    assert tells(member.get(reverse("admin:search"), query))
    Membership.objects.filter(company=fjord.company).delete()
    assert not tells(member.get(reverse("admin:search"), query))


def own_pages() -> list[tuple[str, tuple[str, ...]]]:
    """Every address under /c/<company>/ with the names of its parameters."""
    pages: list[tuple[str, tuple[str, ...]]] = []
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern).startswith("c/<"):
            if hasattr(pattern, "url_patterns"):
                pages += [
                    (f"{pattern.namespace}:{inner.name}", tuple(inner.pattern.converters)) for inner in pattern.url_patterns
                ]
            else:
                pages.append((str(pattern.name), ()))
    return pages


def every_id(fjord: Fjord) -> list[int]:
    """Ids of Fjord's rows, of whatever table: Harbour has none that could be mistaken for them."""
    ids: set[int] = set()
    for model in apps.get_models():
        if getattr(model, "placement", "") in ("company", "local") and any(f.name == "company" for f in model._meta.fields):
            ids |= set(model._default_manager.filter(company=fjord.company).values_list("pk", flat=True))
    return sorted(ids)


def fillings(parameters: tuple[str, ...], fjord: Fjord) -> list[dict[str, Any]]:
    words = {"channel": ["amazon"], "outside_id": ["FJORD-114-1"], "pk": every_id(fjord)}
    filled: list[dict[str, Any]] = [{}]
    for name in parameters:
        if name != "code":
            filled = [{**row, name: value} for row in filled for value in words[name]]
    return filled


def test_pages_of_another_company_do_not_exist(fjord: Fjord, stranger: Client) -> None:
    assert len(own_pages()) > 20
    for name, parameters in own_pages():
        for more in fillings(parameters, fjord)[:3]:
            target = reverse(name, kwargs={"code": "fjord", **more})
            for response in (stranger.get(target), stranger.post(target)):
                assert response.status_code in (404, 405), target
                assert not tells(response) or b"/c/fjord/" in response.content  # the address itself is repeated


def test_own_pages_show_nothing_of_another_company(fjord: Fjord, stranger: Client) -> None:
    for name, parameters in own_pages():
        for more in fillings(parameters, fjord):
            target = reverse(name, kwargs={"code": "harbour", **more})
            response = stranger.get(target)
            if "pk" in more and name != "ledger:fee_type":  # fee types are the channels' words, the same for all
                assert response.status_code in (404, 405), target
                assert stranger.post(target).status_code in (403, 404, 405), target
            else:
                assert response.status_code in (200, 302, 404, 405), target
            if "outside_id" not in more:
                assert not tells(response), target


def test_the_first_screen_and_the_portfolio_show_members_companies_only(fjord: Fjord, stranger: Client, member: Client) -> None:
    for page in (reverse("admin:index"), reverse("portfolio")):
        assert not tells(stranger.get(page))
        assert tells(member.get(page))


def test_nobody_sees_anything_without_a_membership(fjord: Fjord) -> None:
    client = Client()
    client.force_login(person("nora", superuser=True))
    for page in (reverse("admin:index"), reverse("portfolio"), *(address(model, "changelist") for model in OWNED)):
        response = client.get(page)
        assert response.status_code == 200
        assert not tells(response)
    assert Company.objects.for_user(response.wsgi_request.user).count() == 0  # type: ignore[attr-defined]
