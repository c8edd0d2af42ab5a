"""Exports hold exactly what is shown; saved views come back; the lines page pages; orders and the search find things."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal as D
from typing import Any

import openpyxl
import pytest
from django.test import Client

from channels.models import Shop
from inventory.models import Sku
from ledger.models import SavedView
from ledger.pages import lines
from ledger.pages.exports import csv_rows, harmless, number_format
from ledger.pages.lines import PER_PAGE
from nova.models import Company
from tests.ledger.fake_channel import fake_channel, take, voucher
from tests.ledger.page_world import build_pages_world, make_viewer, signed_in

pytestmark = pytest.mark.django_db
QUERY = "columns=month&rows=category"


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


@pytest.fixture
def harbour() -> tuple[Company, Client]:
    company, _shops = build_pages_world()
    return company, signed_in(make_viewer(company))


def read_csv(response: Any) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def read_xlsx(response: Any) -> Any:
    return openpyxl.load_workbook(io.BytesIO(response.content))


def test_the_csv_holds_the_figures_of_the_page_in_full_precision(harbour: Any) -> None:
    company, client = harbour
    shown = client.get(f"/c/{company.code}/pnl/?{QUERY}").context["grid"]
    response = client.get(f"/c/{company.code}/pnl/?{QUERY}&format=csv")
    rows = read_csv(response)
    assert rows[0] == ["Level", "Row", "Code", "2026-01-01 USD", "2026-02-01 USD", "Total USD", "Part of net sales"]
    table = rows[1 : len(shown.rows) + 1]
    assert [[D(cell) for cell in row[3:6]] for row in table] == [[figure.amount for figure in row.figures] for row in shown.rows]
    assert [row[1] for row in rows[len(shown.rows) + 1 :]] == ["Units sold less returned", *[label for label, _ in shown.ratios]]
    referral = next(row for row in rows if row[2] == "plt.referral")
    assert referral[:6] == ["1", "Referral / commission", "plt.referral", "-16.1301", "-0.8699", "-17"]
    assert D(referral[6]) == D("-17") / D("240")
    assert response["Content-Disposition"] == f'attachment; filename="{company.code}_pnl_event_begin_now.csv"'


def test_the_workbook_holds_numbers_with_the_format_of_the_currency(harbour: Any) -> None:
    company, client = harbour
    response = client.get(f"/c/{company.code}/pnl/?{QUERY}&from=2026-01-01&to=2026-12-31&clock=posted&format=xlsx")
    assert f"{company.code}_pnl_posted_2026-01-01_2026-12-31.xlsx" in response["Content-Disposition"]
    book = read_xlsx(response)
    cell = next(row for row in book["Data"].iter_rows(min_row=2) if row[2].value == "plt.referral")[3]
    assert (cell.value, cell.data_type) == (-16.1301, "n")
    assert cell.number_format == number_format("USD")
    take_rate = next(row for row in book["Data"].iter_rows(min_row=2) if row[1].value == "Take rate")[5]
    assert (round(take_rate.value, 6), take_rate.number_format) == (round(17 / 240, 6), "0.0%")
    about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True)}
    assert about["Clock"] == "posted"
    assert about["Currency"] == "USD"
    assert D(about["Share mapped"]) < 1


def test_the_numbers_of_the_chart_can_be_had_as_csv(harbour: Any) -> None:
    company, client = harbour
    rows = read_csv(client.get(f"/c/{company.code}/pnl/?{QUERY}&format=csv&what=chart"))
    assert rows[0][:2] == ["Period", "gross_sales USD"]
    assert [row[:2] for row in rows[1:]] == [["Jan 2026", "235.5"], ["Feb 2026", "60"]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_becomes_a_formula(harbour: Any, text: str) -> None:
    company, client = harbour
    assert harmless(text) == f"'{text}"
    assert "'" + text.strip() in "".join(csv_rows([[text]])).replace("\t", "").replace("\r\n", "").replace("\r", "")
    Sku.objects.filter(company=company, code="MUG-1").update(name=text)
    book = read_xlsx(client.get(f"/c/{company.code}/pnl/?columns=total&rows=sku&format=xlsx"))
    assert all(cell.data_type != "f" for row in book["Data"].iter_rows() for cell in row)


def test_all_lines_of_a_figure_are_exported(harbour: Any) -> None:
    company, client = harbour
    link = f"/c/{company.code}/lines/?{QUERY}&key.category=plt.referral"
    rows = read_csv(client.get(f"{link}&format=csv"))
    place = {name: index for index, name in enumerate(rows[0])}
    assert sum(D(row[place["Amount in USD"]]) for row in rows[1:]) == client.get(link).context["page"].amount == D("-17")
    assert {row[place["Order"]] for row in rows[1:]} == {"ORDER-1001", "ORDER-1002", "ORDER-1003", "OUTLET-1"}
    book = read_xlsx(client.get(f"{link}&format=xlsx"))
    table = list(book["Data"].iter_rows(min_row=2))
    assert sum(D(str(row[place["Amount in USD"]].value)) for row in table) == D("-17")
    assert table[0][place["Amount"]].number_format == number_format("USD")


def test_lines_are_paged_without_losing_or_repeating_one(harbour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company, client = harbour
    shop = Shop.objects.filter(company=company).order_by("pk").first()
    assert shop is not None
    take(shop, company, "books", [voucher("many", f"M/{n}", [("sale", "1.01")], order=f"M-{n}") for n in range(2 * PER_PAGE + 7)])
    link = f"/c/{company.code}/lines/?{QUERY}&lines_of=gross_sales"
    first = client.get(link).context
    seen = [row.id for row, _rule in first["rows"]]
    assert len(seen) == PER_PAGE
    query = first["next"]
    while query:
        context = client.get(f"/c/{company.code}/lines/?{query}").context
        seen += [row.id for row, _rule in context["rows"]]
        query = context["next"]
    assert len(seen) == len(set(seen)) == first["page"].count
    monkeypatch.setattr(lines, "EXPORT_PAGE", 30)
    assert len(read_csv(client.get(f"{link}&format=csv"))) == len(seen) + 1


def test_a_line_leads_to_its_order_statement_rule_and_place_in_the_document(harbour: Any) -> None:
    company, client = harbour
    context = client.get(f"/c/{company.code}/lines/?{QUERY}&key.category=ful.shipping").context
    ((row, rule),) = context["rows"]
    body = client.get(f"/c/{company.code}/lines/?{QUERY}&key.category=ful.shipping").content.decode()
    assert f'href="/c/{company.code}/orders/ORDER-1001/"' in body
    assert f'href="/c/{company.code}/documents/{row.document_id}/?row=4"' in body
    assert f'href="/c/{company.code}/statements/{row.statement_id}/"' in body
    assert f'href="/c/{company.code}/rules/{rule}/"' in body
    assert f'href="/c/{company.code}/pnl/?columns=month&amp;rows=category&amp;clock=event"' in body


# Saved views --------------------------------------------------------------------------------------------------------


def test_the_last_used_view_comes_back(harbour: Any) -> None:
    company, client = harbour
    assert client.get(f"/c/{company.code}/pnl/").status_code == 200
    client.get(f"/c/{company.code}/pnl/?columns=week&rows=shop&clock=posted")
    response = client.get(f"/c/{company.code}/pnl/")
    assert response.status_code == 302
    assert response["Location"] == f"/c/{company.code}/pnl/?columns=week&rows=shop&clock=posted"
    client.get(f"/c/{company.code}/pnl/?clock=sundial")
    assert "clock=posted" in client.get(f"/c/{company.code}/pnl/")["Location"]


def test_a_view_is_saved_shared_and_deleted_by_its_owner_alone(harbour: Any) -> None:
    company, client = harbour
    page = f"/c/{company.code}/pnl/"
    client.post(f"{page}views/", {"name": "  By   shop ", "query": "columns=month&rows=shop", "shared": "1"})
    view = SavedView.objects.get(company=company, name="By shop")
    assert (view.query, view.shared) == ("columns=month&rows=shop&clock=event", True)
    colleague = signed_in(make_viewer(company))
    shown = colleague.get(f"{page}?{QUERY}").context["saved"]
    assert [(row.name, row.own) for row in shown] == [("By shop", False)]
    assert colleague.post(f"{page}views/{view.pk}/", {"do": "delete"}).status_code == 404
    client.post(f"{page}views/{view.pk}/", {"do": "unshare"})
    assert colleague.get(f"{page}?{QUERY}").context["saved"] == []
    client.post(f"{page}views/{view.pk}/", {"do": "delete"})
    assert not SavedView.objects.filter(pk=view.pk).exists()


def test_a_view_of_nonsense_is_not_saved(harbour: Any) -> None:
    company, client = harbour
    for name, query in (("", QUERY), ("x" * 81, QUERY), ("Bad", "clock=sundial")):
        assert client.post(f"/c/{company.code}/pnl/views/", {"name": name, "query": query}).status_code == 302
    assert not SavedView.objects.filter(company=company).exclude(name="").exists()


# Orders and search --------------------------------------------------------------------------------------------------


def test_an_order_shows_its_events_sums_statement_and_payout(harbour: Any) -> None:
    company, client = harbour
    response = client.get(f"/c/{company.code}/orders/ORDER-1002/")
    (order,) = response.context["orders"]
    assert [(event.name, event.totals) for event in order.events] == [
        ("Sale", [("USD", D("33.3699"))]),
        ("Refund", [("USD", D("-33.3699"))]),
    ]
    assert order.totals == [("USD", D(0))]
    assert {(code, amount) for code, _name, _section, _currency, amount, _lines in order.categories} == {
        ("rev.product", D("35.5")),
        ("ref.product", D("-35.5")),
        ("plt.referral", D(0)),
    }
    assert [statement.outside_id for statement in order.statements] == ["ST-1", "ST-2"]
    body = response.content.decode()
    assert "PAY-1" in body and "Paid 2026-02-02" in body and "landed cost of the units appears here" in body


def test_replaced_versions_of_an_order_are_folded_away(harbour: Any) -> None:
    company, client = harbour
    shop = Shop.objects.filter(company=company).order_by("pk").first()
    assert shop is not None
    for amount in ("10", "11"):
        take(shop, company, "books", [voucher("books", "V/1", [("sale", amount)], order="TWICE", statement="ST-1")])
    (order,) = client.get(f"/c/{company.code}/orders/TWICE/").context["orders"]
    assert order.totals == [("USD", D("11"))]
    (event,) = order.events
    assert [(row.version, row.why) for row in event.replaced] == [(1, "a later version replaced it")]


def test_the_search_finds_by_any_outside_id(harbour: Any) -> None:
    company, client = harbour

    def kinds(text: str) -> list[tuple[str, str]]:
        response = client.get(f"/c/{company.code}/search/", {"q": text}, follow=False)
        if response.status_code == 302:
            return [("opened", response["Location"])]
        return [(hit.kind, hit.title) for hit in response.context["hits"]]

    assert kinds("ORDER-1001") == [("opened", f"/c/{company.code}/orders/ORDER-1001/")]
    assert kinds("ORDER-100") == [("Order", "ORDER-1001"), ("Order", "ORDER-1002"), ("Order", "ORDER-1003")]
    assert kinds("ST-1")[0][0] == "opened"
    shop = Shop.objects.filter(company=company).order_by("pk").first()
    assert shop is not None
    take(shop, company, "books", [voucher("books", "V/9", [("sale", "10")], order="#4063", statement="ST-7")])
    assert kinds("4063")[0][0] == kinds("#4063")[0][0] == "opened", "an order is found with and without its number sign"
    assert kinds("PAY-2")[0][0] == "opened"
    assert kinds("BANK-77")[0][0] == "opened"
    assert ("SKU", "TEE-RED") in kinds("tee")
    assert ("Listing", "TEE") in kinds("tee")
    assert kinds("B/5")[0][0] == "opened"
    assert kinds("x") == kinds("no-such-thing") == kinds("\x00\x00") == []


def test_an_order_nobody_knows_is_not_found(harbour: Any) -> None:
    company, client = harbour
    for order in ("NO-SUCH", "%00", "a/b/c"):
        assert client.get(f"/c/{company.code}/orders/{order}/").status_code == 404
