"""The desk: roles, first screen, portfolio, sidebar, lists whose cost does not grow, catalogue files, errors."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels.models import Shop
from inventory.models import Listing, ListingComponent, Sku
from ledger.approve import approve
from ledger.health import last_full_months, shop_health, unmapped_types
from ledger.intake import import_file, withdraw
from ledger.models import FeeCategory, FeeRule, LedgerIntake
from nova.list_export import plain_value
from nova.models import Company, ExchangeRate, Membership, User
from nova.roles import ROLES, ensure_roles
from nova.templatetags.nova_tags import ago, file_size, money, money_text, percent
from tests.nova.desk_world import company, person, settlement

pytestmark = pytest.mark.django_db


@pytest.fixture
def harbour() -> Company:
    return company("harbour", "Harbour Goods")[0]


@pytest.fixture
def shop(harbour: Company) -> Shop:
    return Shop.objects.get(company=harbour)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def take(shop: Shop, number: str, **more: Any) -> LedgerIntake:
    intake = import_file(shop=shop, body=settlement(number, **more), filename=f"{number}.txt")
    return intake


def blocks(client: Client) -> dict[str, Any]:
    return {block.key: block for block in client.get(reverse("admin:index")).context["blocks"]}


def map_fees(company: Company, author: User, approver: User, **names: str) -> None:
    for name, category in names.items():
        rule = FeeRule.objects.create(
            company=company, channel="amazon", path="*", name=name, context="*", author=author, status="proposed",
            category=FeeCategory.objects.get(code=category), proposed_at=timezone.now(), reason="as the channel says",
        )  # fmt: skip
        approve(rule_ids=[rule.pk], approver=approver)


def test_every_role_has_the_permissions_it_names() -> None:
    for name, labels in ROLES.items():
        user = User.objects.create_user(name, is_staff=True)
        user.groups.add(Group.objects.get(name=name))
        assert {label for label in labels if not user.has_perm(label)} == set()
    assert ensure_roles() == 0


def test_only_the_approver_approves_and_only_the_clerk_imports() -> None:
    who = {name for name, labels in ROLES.items() if "ledger.approve_rules" in labels}
    assert who == {"Approver"}
    assert {name for name, labels in ROLES.items() if "ledger.import_documents" in labels} == {"Finance clerk"}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_people_and_companies_are_managed_by_superusers_only(role: str, harbour: Company) -> None:
    user = person("somebody", harbour, role=role)
    client = signed_in(user)
    for name in ("nova_company", "nova_user", "auth_group"):
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 403
        assert client.get(reverse(f"admin:{name}_add")).status_code == 403


def test_who_adds_a_company_is_its_first_member() -> None:
    mara = person("mara", superuser=True)
    signed_in(mara).post(
        reverse("admin:nova_company_add"),
        {
            "name": "Fjord Outdoor",
            "code": "fjord",
            "currency": "EUR",
            "time_zone": "Europe/Oslo",
            "membership_set-TOTAL_FORMS": "1",
            "membership_set-INITIAL_FORMS": "0",
            "membership_set-0-user": mara.pk,
        },
    )
    assert list(Membership.objects.values_list("company__code", "user__username")) == [("fjord", "mara")]


def test_a_company_with_fee_lines_keeps_currency_and_zone(harbour: Company, shop: Shop) -> None:
    take(shop, "9001")
    page = signed_in(person("mara", harbour, superuser=True)).get(reverse("admin:nova_company_change", args=[harbour.pk]))
    assert {"currency", "time_zone"}.isdisjoint(page.context["adminform"].form.fields)


def test_the_first_screen_of_a_new_company_teaches_the_first_step(harbour: Company) -> None:
    page = signed_in(person("clara", harbour, role="Finance clerk")).get(reverse("admin:index"))
    assert [step[0] for step in page.context["steps"]][:2] == ["Add a shop", "Upload its settlements or statements"]
    assert reverse("ledger:upload", kwargs={"code": "harbour"}) in page.content.decode()


def test_who_signs_in_on_the_bare_sign_in_page_comes_home(harbour: Company) -> None:
    person("clara", harbour, role="Finance clerk")
    answer = Client().post(reverse("admin:login"), {"username": "clara", "password": "clara"}, follow=True)
    assert (answer.status_code, answer.redirect_chain[-1][0]) == (200, reverse("admin:index"))
    title = answer.content.decode().partition("<title>")[2].partition("</title>")[0]
    assert " ".join(title.split()) == "Harbour Goods | Nova", "the company is named once"


def test_the_clerk_sees_fees_documents_and_statements_that_need_work(harbour: Company, shop: Shop) -> None:
    take(shop, "9001")
    import_file(shop=shop, body=settlement("9002", order="114-2", total="80.00"), filename="july.txt", accept_difference=True)
    import_file(shop=shop, body=b"\x00", filename="photo.png")
    found = blocks(signed_in(person("clara", harbour, role="Finance clerk")))
    assert found["unmapped"].count == 3
    assert found["unmapped"].amount == 235
    assert [line.text for line in found["unmapped"].lines] == ["Principal", "Commission", "difference"]
    assert found["documents"].count == 1
    assert "Not taken" in found["documents"].lines[0].note
    assert (found["statements"].count, found["statements"].lines[0].amount) == (1, -5)
    assert found["own"].empty
    assert "inbox" not in found
    assert found["shops"].count == 1


def test_the_approver_sees_what_waits_for_a_signature_first(harbour: Company, shop: Shop) -> None:
    take(shop, "9001")
    clara, anton = person("clara", harbour, role="Finance clerk"), person("anton", harbour, role="Approver")
    rule = FeeRule.objects.create(
        company=harbour, channel="amazon", path="*", name="Principal", context="*", author=clara, status="proposed",
        category=FeeCategory.objects.get(code="rev.product"), proposed_at=timezone.now(), reason="sales",
    )  # fmt: skip
    found = blocks(signed_in(anton))
    assert next(iter(found)) == "inbox"
    assert found["inbox"].count == 1
    assert "clara" in found["inbox"].lines[0].note
    assert blocks(signed_in(clara))["own"].lines[0].note == "waits for an approver"
    approve(rule_ids=[rule.pk], approver=anton)
    assert blocks(signed_in(anton))["inbox"].empty


def test_a_block_with_nothing_to_do_is_one_quiet_line(harbour: Company, shop: Shop) -> None:
    take(shop, "9001")
    clara, anton = person("clara", harbour, role="Finance clerk"), person("anton", harbour, role="Approver")
    map_fees(harbour, clara, anton, Principal="rev.product", Commission="plt.referral")
    text = signed_in(clara).get(reverse("admin:index")).content.decode()
    assert "Every fee has a category." in text
    assert "Every complete statement adds up to its total." in text


def test_the_viewer_sees_the_latest_month_beside_the_last_settled_one(harbour: Company, shop: Shop) -> None:
    today = timezone.now().date()
    last = date(today.year - (today.month == 1), today.month - 1 or 12, 3)
    take(shop, "9001", day=last.isoformat())
    take(shop, "9002", order="114-2", day=today.replace(day=1).isoformat())
    map_fees(
        harbour,
        person("clara", harbour, role="Finance clerk"),
        person("anton", harbour, role="Approver"),
        Principal="rev.product",
        Commission="plt.referral",
    )
    block = blocks(signed_in(person("vera", harbour, role="Viewer")))["pnl"]
    rows = {row.code: (row.now, row.before) for row in block.data.rows}
    assert rows["net_sales"] == (100, 100)
    assert str(rows["take_rate"][0]) == "0.15"
    assert block.data.settled == last.replace(day=1).isoformat()
    assert (block.data.share_settled, block.data.share_mapped) == (1, 1)


def test_money_without_a_rate_is_said_to_be_in_no_figure(shop: Shop) -> None:
    euro, euro_shop = company("fjord", "Fjord Outdoor", currency="EUR")
    take(euro_shop, "9001")
    found = blocks(signed_in(person("clara", euro, role="Finance clerk")))
    assert [(line.text, line.amount) for line in found["rates"].lines] == [("USD", 115)]


def test_the_portfolio_has_one_row_per_company_those_with_most_to_do_first(harbour: Company, shop: Shop) -> None:
    fjord, fjord_shop = company("fjord", "Fjord Outdoor")
    clara, anton = person("clara", harbour, fjord, role="Finance clerk"), person("anton", harbour, fjord, role="Approver")
    take(shop, "9001", day="2026-05-03")
    take(shop, "9002", order="114-2", day="2026-06-03")
    take(fjord_shop, "9001")
    map_fees(harbour, clara, anton, Principal="rev.product", Commission="plt.referral")
    import_file(shop=fjord_shop, body=b"\x00", filename="photo.png")
    rows = signed_in(clara).get(reverse("portfolio")).context["rows"]
    assert [row.company.code for row in rows] == ["fjord", "harbour"]
    fjord_row, harbour_row = rows
    assert (fjord_row.unmapped, fjord_row.unmapped_types, len(fjord_row.ill)) == (115, 2, 1)
    assert not fjord_row.state.ready
    assert (harbour_row.state.month, harbour_row.state.ready) == (date(2026, 6, 1), True)
    assert (str(harbour_row.margin), harbour_row.change, harbour_row.net_sales) == ("0.85", 0, 100)


def test_health_is_read_for_all_companies_in_a_fixed_number_of_queries(harbour: Company, shop: Shop) -> None:
    shops = [shop, *(company(f"brand-{number}", f"Brand {number}")[1] for number in range(4))]
    for row in shops:
        take(row, "9001")
    ids = [row.company_id for row in shops]
    for read in (shop_health, unmapped_types):
        with CaptureQueriesContext(connection) as queries:
            assert {row.company_id for row in read(ids)} == set(ids)  # type: ignore[attr-defined]
        assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert set(last_full_months(ids, before=date(2026, 9, 9))) == set(ids)
    assert len(queries) == 1


def test_the_sidebar_shows_what_the_role_may_and_counts_what_waits(harbour: Company, shop: Shop) -> None:
    take(shop, "9001")

    def shown(role: str) -> dict[str, Any]:
        groups = (
            signed_in(person(role.split()[0].lower(), harbour, role=role))
            .get(reverse("admin:index"))
            .context["sidebar_navigation"]
        )
        return {item["title"]: item.get("badge") for group in groups for item in group["items"] if item["has_permission"]}

    clerk = shown("Finance clerk")
    assert clerk["Worklist"] == 2
    assert {"P&L", "Amazon", "Approval inbox", "Imports", "Statements", "Payouts", "SKUs", "Shops"} <= set(clerk)
    assert "People" not in clerk
    operations = shown("Operations")
    assert {"SKUs", "Listings", "Shops", "Documents"} <= set(operations)
    assert {"P&L", "Worklist", "Statements", "Payouts"}.isdisjoint(operations)


def test_the_company_in_hand_is_remembered(harbour: Company) -> None:
    fjord = company("fjord", "Fjord Outdoor")[0]
    client = signed_in(person("mara", harbour, fjord, role="Viewer"))
    assert client.get(reverse("admin:index")).context["site_subheader"] == "Fjord Outdoor"
    client.get(reverse("ledger:statements", kwargs={"code": "harbour"}))
    assert client.get(reverse("admin:index")).context["site_subheader"] == "Harbour Goods"
    client.get(reverse("company", args=["fjord"]))
    assert client.get(reverse("portfolio")).context["site_subheader"] == "Fjord Outdoor"


def test_lists_cost_the_same_queries_however_many_rows(harbour: Company, shop: Shop) -> None:
    mara = person("mara", harbour, superuser=True)
    client = signed_in(mara)
    lists = [model for model in admin.site._registry if any(f.name == "company" for f in model._meta.get_fields())]

    def fill(start: int, number: int) -> None:
        for n in range(start, start + number):
            intake = take(shop, str(n), order=f"114-{n}", sku=f"LANTERN-{n}")
            sku = Sku.objects.create(company=harbour, code=f"SKU-{n}")
            listing = Listing.objects.get_or_create(company=harbour, shop=shop, code=f"LANTERN-{n}")[0]
            ListingComponent.objects.create(company=harbour, listing=listing, sku=sku)
            FeeRule.objects.create(
                company=harbour, channel="amazon", path="*", name=f"Fee {n}", context="*", author=mara, status="proposed",
                category=FeeCategory.objects.get(code="plt.referral"), proposed_at=timezone.now(), reason="x",
            )  # fmt: skip
            if n % 2:
                withdraw(document=intake.document, reason="test", user=mara)

    def count() -> dict[str, int]:
        found = {}
        for model in lists:
            target = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            client.get(target)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(target).status_code == 200
            found[str(model._meta.label)] = len(queries)
        return found

    fill(100, 2)
    few = count()
    fill(200, 8)
    more = count()
    assert {label: (few[label], more[label]) for label in few if more[label] > few[label]} == {}
    assert max(more.values()) <= 20


def import_file_of(client: Client, model: str, content: bytes, code: str = "harbour") -> Any:
    file = SimpleUploadedFile("rows.csv", content)
    preview = client.post(
        reverse(f"admin:inventory_{model}_import"), {"company": code, "format": "0", "resource": "0", "import_file": file}
    )
    assert preview.status_code == 200
    if "confirm_form" in preview.context and preview.context["confirm_form"] is not None:
        return client.post(reverse(f"admin:inventory_{model}_process_import"), preview.context["confirm_form"].initial)
    return preview


def test_skus_and_their_listings_come_and_go_as_files(harbour: Company, shop: Shop) -> None:
    client = signed_in(person("olof", harbour, role="Operations"))
    import_file_of(client, "sku", b'code,name,brand,tags\nLAMP,Lamp,Harbour,"summer, gift"\nBULB,Bulb,Harbour,\n')
    lamp = Sku.objects.get(company=harbour, code="LAMP")
    assert (lamp.name, lamp.tags) == ("Lamp", ["summer", "gift"])
    import_file_of(client, "sku", b"code,name\nLAMP,Lamp of brass\n")
    lamp.refresh_from_db()
    assert (lamp.name, lamp.brand) == ("Lamp of brass", "Harbour")
    Listing.objects.create(company=harbour, shop=shop, code="LAMP-US")
    import_file_of(client, "listingcomponent", b"shop,listing,sku,quantity,share\nharbour-us,LAMP-US,LAMP,1,1\n")
    assert ListingComponent.objects.get().sku == lamp
    refused = import_file_of(client, "listingcomponent", b"shop,listing,sku,quantity,share\nharbour-us,NOWHERE,LAMP,1,1\n")
    assert "There is no listing NOWHERE." in refused.content.decode()
    exported = client.post(reverse("admin:inventory_listingcomponent_export"), {"format": "0", "resource": "0"})
    assert exported.content.decode().splitlines()[1].startswith("harbour-us,LAMP-US,LAMP,1,1")


def test_a_form_refuses_rows_of_another_company(harbour: Company, shop: Shop) -> None:
    fjord, fjord_shop = company("fjord", "Fjord Outdoor")
    listing = Listing.objects.create(company=fjord, shop=fjord_shop, code="TENT")
    sku = Sku.objects.create(company=harbour, code="LAMP")
    client = signed_in(person("mara", harbour, fjord, superuser=True))
    page = client.post(
        reverse("admin:inventory_listingcomponent_add"),
        {"company": harbour.pk, "listing": listing.pk, "sku": sku.pk, "quantity": "1", "share": "1"},
    )
    assert page.status_code == 200
    assert "belongs to another company" in page.content.decode()


def test_a_shop_says_its_channel_and_a_region_of_it(harbour: Company) -> None:
    client = signed_in(person("clara", harbour, role="Finance clerk"))
    values = {
        "company": harbour.pk,
        "name": "Harbour EU",
        "code": "harbour-eu",
        "channel": "amazon",
        "currencies": "EUR",
        "active": "on",
    }
    wrong = client.post(reverse("admin:channels_shop_add"), {**values, "region": "US"})
    assert "has the regions" in wrong.content.decode()
    assert client.post(reverse("admin:channels_shop_add"), {**values, "region": "EU"}).status_code == 302
    assert Shop.objects.get(code="harbour-eu").currencies == ["EUR"]


def test_errors_say_what_happened_and_what_to_do(harbour: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(person("vera", harbour, role="Viewer"))
    missing = client.get("/c/nobody/imports/", headers={"X-Request-ID": "request-4711"})
    assert missing.status_code == 404
    assert "There is nothing here" in missing.content.decode()
    assert "request-4711" in missing.content.decode()
    assert missing.headers["X-Request-ID"] == "request-4711"
    refused = client.post(reverse("ledger:upload", kwargs={"code": "harbour"}))
    assert refused.status_code == 403
    assert "needs the role Finance clerk" in refused.content.decode()
    assert "Ask a colleague" in refused.content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="vera"))
    assert "This form is too old" in strict.post(reverse("ledger:upload", kwargs={"code": "harbour"})).content.decode()


def test_our_own_failure_is_a_page_with_the_requests_number(harbour: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person("vera", harbour, role="Viewer"))

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("ledger.pages.statements.statement_checks", fail)
    monkeypatch.setattr("ledger.pages.statements.Paginator", fail)
    page = client.get(reverse("ledger:statements", kwargs={"code": "harbour"}))
    assert page.status_code == 500
    assert "Nova failed here" in page.content.decode()
    assert page.headers["X-Request-ID"] in page.content.decode()
    assert "a fault of ours" not in page.content.decode()


def test_money_is_shown_in_the_currencys_digits_with_a_minus_sign_and_full_precision_on_hover() -> None:
    assert money("-1234.5678", "EUR") == '<span class="nv-money nv-neg" title="-1234.5678 EUR">\u22121,234.57</span>'
    assert money("1234.4", "JPY") == '<span class="nv-money" title="1234.4 JPY">1,234</span>'
    assert money("0.0000", "EUR") == '<span class="nv-money nv-zero" title="0 EUR">\u2013</span>'
    assert money(None, "EUR") == ""
    assert money_text("-0.005", "KWD") == "\u22120.005 KWD"


def test_shares_are_whole_only_when_they_are() -> None:
    assert [percent(value) for value in ("1", "0.99999", "0.5", "0.00001", "0", None)] == [
        "100\u202f%",
        "99.9\u202f%",
        "50\u202f%",
        "< 0.1\u202f%",
        "0\u202f%",
        "\u2013",
    ]


def test_times_are_relative_with_the_moment_in_the_companys_zone_on_hover(harbour: Company) -> None:
    harbour.time_zone = "Asia/Tokyo"
    assert "12 s ago" in ago(timezone.now() - timezone.timedelta(seconds=12, milliseconds=1), harbour)
    assert "JST" in ago(timezone.now(), harbour)
    assert ">2020-01-02<" in ago(timezone.datetime(2020, 1, 1, 20, tzinfo=timezone.get_default_timezone()), harbour)
    assert file_size(1_234_567) == "1.2 MB"


def test_rates_are_entered_by_the_clerk(harbour: Company) -> None:
    client = signed_in(person("clara", harbour, role="Finance clerk"))
    client.post(
        reverse("admin:nova_exchangerate_add"), {"currency": "USD", "on_date": "2026-06-17", "rate": "1.1", "source": "staff"}
    )
    assert ExchangeRate.objects.get().currency == "USD"


def test_a_list_is_exported_as_it_is_shown_with_exact_amounts(harbour: Company, shop: Shop) -> None:
    take(shop, "9001")
    take(shop, "9002", order="114-2")
    client = signed_in(person("vera", harbour, role="Viewer"))
    lines = reverse("admin:ledger_feeline_changelist")
    page = client.get(lines, {"q": "114-2"})
    assert "Export this list as CSV" in page.content.decode()
    answer = client.get(lines, {"q": "114-2", "_export": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = [line.split(",") for line in text.splitlines()]
    assert rows[0][:3] == ["Event on", "Posted on", "Shop"]
    assert "Document" not in rows[0]
    place = rows[0].index("Amount")
    assert sorted(row[place] for row in rows[1:]) == ["-15.0000", "100.0000"]
    assert rows[1][0] == "2026-06-17"
    statements = client.get(reverse("admin:ledger_statement_changelist"), {"_export": "csv"})
    found = b"".join(statements.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert "9001,Harbour Goods US" in found
    assert "85.0000,85.0000" in found
    book = client.get(reverse("admin:ledger_statement_changelist"), {"_export": "xlsx"})
    assert book.content.startswith(b"PK")


def test_exported_text_cannot_run_in_a_spreadsheet() -> None:
    assert [plain_value(value) for value in ("=1+1", "@x", "lamp", True, None, date(2026, 6, 17))] == [
        "'=1+1",
        "'@x",
        "lamp",
        "yes",
        "",
        "2026-06-17",
    ]


def test_a_rate_entered_or_imported_converts_the_figures_at_once() -> None:
    euro, euro_shop = company("fjord", "Fjord Outdoor", currency="EUR")
    take(euro_shop, "9001")
    client = signed_in(person("clara", euro, role="Finance clerk"))
    assert not blocks(client)["rates"].empty
    client.post(reverse("admin:nova_exchangerate_add"), {"currency": "USD", "on_date": "2026-06-17", "rate": "1.25"})
    found = blocks(client)
    assert found["rates"].empty
    assert found["unmapped"].amount == 92  # 115 USD
    assert ExchangeRate.objects.get().source == "staff"
    page = reverse("admin:nova_exchangerate_ecb")
    bad = client.post(page, {"file": SimpleUploadedFile("rates.csv", b"nonsense")})
    assert bad.status_code == 400
    assert "Line 1" in bad.content.decode()
    good = SimpleUploadedFile("rates.csv", b"Date,USD,GBP,\n2026-06-16,1.1,0.9,\n2026-06-17,1.1,0.9,\n")
    answer = client.post(page, {"file": good}, follow=True)
    assert "3 rates new" in answer.content.decode()
    assert "1 entered by staff and kept" in answer.content.decode()
    assert blocks(client)["unmapped"].amount == 92


def test_a_viewer_imports_no_rates(harbour: Company) -> None:
    client = signed_in(person("vera", harbour, role="Viewer"))
    assert client.get(reverse("admin:nova_exchangerate_ecb")).status_code == 403


def test_a_company_made_by_command_has_the_members_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    mara = person("mara", superuser=True)
    call_command("add_company", "fjord", "--currency", "EUR", "--member", "mara")
    assert signed_in(mara).get(reverse("admin:index")).context["site_subheader"] == "fjord"
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("add_company", "harbour", "--currency", "EUR", "--member", "nobody")
    assert not Company.objects.filter(code="harbour").exists()
