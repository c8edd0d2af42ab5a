"""Whatever is sent to a page: without its token, without the right, or by GET, nothing changes."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, reverse

from ledger.urls import urlpatterns
from nova.list_export import xlsx_response
from nova.roles import VIEWER
from tests.nova.desk_world import Fjord, make_fjord, person

pytestmark = pytest.mark.django_db
ROUTES = [route for route in urlpatterns if isinstance(route, URLPattern) and route.name]


@pytest.fixture
def fjord() -> Fjord:
    return make_fjord()


def address(route: URLPattern, fjord: Fjord) -> str:
    values: dict[str, Any] = {"code": fjord.company.code}
    for name, converter in route.pattern.converters.items():
        row = fjord.upload if str(route.name).startswith("import") else fjord.document
        values[name] = row.pk if "Int" in type(converter).__name__ else "x"
    return reverse(f"ledger:{route.name}", kwargs=values)


def client(fjord: Fjord, *, superuser: bool = False, csrf: bool = False) -> Client:
    user = person("vera", fjord.company, superuser=superuser)
    if not superuser:
        user.groups.set([Group.objects.get(name=VIEWER)])
    made = Client(enforce_csrf_checks=csrf)
    made.force_login(user)
    return made


def writes(captured: CaptureQueriesContext) -> list[str]:
    words = ("INSERT", "UPDATE", "DELETE", "COPY")
    found = [query["sql"] for query in captured.captured_queries if query["sql"].lstrip().upper().startswith(words)]
    return [sql for sql in found if "django_session" not in sql and "nova_user" not in sql]


def test_a_viewer_can_send_nothing_that_changes_books(fjord):
    browser = client(fjord)
    assert len(ROUTES) > 15
    for route in ROUTES:
        with CaptureQueriesContext(connection) as captured:
            answer = browser.post(address(route, fjord), {"reason": "x", "answer": "yes", "files": "", "shop": "x", "ids": "1"})
        assert answer.status_code < 500, route.name
        if "view" not in str(route.name):  # saved views are the viewer's own
            assert not writes(captured), (route.name, writes(captured))


def test_no_form_is_taken_without_its_token(fjord):
    browser = client(fjord, superuser=True, csrf=True)
    for route in ROUTES:
        assert browser.post(address(route, fjord), {"reason": "x"}).status_code in (403, 405), route.name
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        assert browser.post(reverse(name), {"action": "x"}).status_code in (403, 405), name


def test_looking_at_a_page_writes_nothing(fjord):
    browser = client(fjord, superuser=True)
    browser.get(reverse("admin:index"))
    for route in ROUTES:
        with CaptureQueriesContext(connection) as captured:
            answer = browser.get(address(route, fjord))
        assert answer.status_code < 500, route.name
        assert not writes(captured), (route.name, writes(captured))


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "https:evil.example"]
)
def test_no_form_leads_to_another_site(fjord, elsewhere):
    browser = client(fjord, superuser=True)
    for route in ROUTES:
        answer: Any = browser.post(address(route, fjord), {"next": elsewhere, "back": elsewhere, "answer": "x", "reason": "x"})
        assert "evil" not in answer.headers.get("Location", "") and "alert" not in answer.headers.get("Location", ""), route.name


def test_control_characters_of_the_outside_do_not_break_a_workbook():
    body = xlsx_response(["Title"], [["Lan\x0btern\x00"], ["=1+1"]], "list").content
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    assert [row[0].value for row in sheet.iter_rows()] == ["Title", "Lantern", "'=1+1"]
