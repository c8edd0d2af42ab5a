"""The P&L page: its figures are the engine's, each leads to lines that add up to it, and no address breaks it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal as D
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.pages import grid as grids
from ledger.pages import pnl as pages
from ledger.pages.asked import Asked
from ledger.pages.lines import read_figure
from ledger.pnl import Dimension, answer, exact_sum
from ledger.pnl_lines import lines_behind
from nova.models import Company, ExchangeRate
from tests.ledger.fake_channel import FakeChannel, fake_channel, make_company
from tests.ledger.page_world import build_pages_world, make_viewer, signed_in
from tests.ledger.people import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


@pytest.fixture
def harbour() -> tuple[Company, Client]:
    company, _shops = build_pages_world()
    return company, signed_in(make_viewer(company))


def pnl(company: Company, query: str = "columns=month&rows=category") -> str:
    return f"/c/{company.code}/pnl/?{query}"


_ROW = re.compile(r'<tr data-row="(\d+)".*?</tr>', re.S)
_LINK = re.compile(r'<td class="num"><a href="(/c/[^"]+/lines/[^"]+)"[^>]*><span class="nv-money[^"]*" title="([^ "]+) ')


def cells(body: str) -> list[tuple[str, D]]:
    """(address of the lines, exact amount on hover) of every figure of the table."""
    return [(html.unescape(link), D(amount)) for row in _ROW.finditer(body) for link, amount in _LINK.findall(row.group())]


QUERIES = [
    "columns=month&rows=category",
    "columns=month&rows=section",
    "columns=week&rows=category,shop&clock=posted",
    "columns=month&rows=category&clock=paid",
    "columns=month&rows=shop,category,fee_type",
    "columns=total&rows=sku",
    "columns=lines&rows=sku",
    "columns=lines&rows=category",
    "columns=month&rows=tag,state",
    "columns=day&rows=brand,marketplace",
    "columns=month&rows=category&scope=fake",
    "columns=month&rows=category&from=2026-01-06&to=2026-02-09",
    "columns=month&rows=category&sku=TEE-RED",
    "columns=month&rows=category&sku=(none)",
    "columns=month&rows=parent_article,product_group,channel,currency",
    "columns=month&rows=listing&section=gross_sales&section=platform",
    "columns=lines&rows=shop&section=gross_sales",
]


@pytest.mark.parametrize("query", QUERIES)
def test_every_figure_leads_to_lines_that_add_up_to_it(harbour: Any, query: str) -> None:
    company, client = harbour
    response = client.get(pnl(company, query))
    assert response.status_code == 200
    found = dict(cells(response.content.decode()))
    assert found
    for link, amount in found.items():
        figure = read_figure(company, QueryDict(link.partition("?")[2]))
        assert figure.problems == ()
        page = lines_behind(figure.question, figure.values)
        assert page.amount == amount, link
        assert exact_sum(row.converted for row in page.rows if row.converted is not None) == amount, link
        assert len(page.rows) == page.count, link
    link, amount = next(iter(found.items()))
    shown = client.get(link)
    assert shown.status_code == 200
    assert shown.context["page"].amount == amount


def test_the_page_shows_the_figures_of_the_engine(harbour: Any) -> None:
    company, client = harbour
    context = client.get(pnl(company)).context
    grid = context["grid"]
    figures = {
        (row.code, column.key): figure.amount
        for row in grid.rows
        if row.kind == "plain"
        for column, figure in zip(grid.columns, row.figures, strict=True)
        if figure.lines and column.key != "total"
    }
    report = answer(Asked(company).question(Dimension.MONTH, Dimension.CATEGORY))
    assert figures == {(cell.keys[1], cell.keys[0]): cell.amount for cell in report.cells}
    result = next(row for row in grid.rows if row.label == "Result after finance")
    assert result.figures[-1].amount == exact_sum(cell.amount for cell in report.cells)
    assert context["report"].share_mapped == report.share_mapped


def test_the_sum_over_skus_with_what_has_none_is_the_whole(harbour: Any) -> None:
    company, client = harbour
    by_sku = client.get(pnl(company, "columns=total&rows=sku")).context["grid"]
    whole = client.get(pnl(company, "columns=total&rows=section")).context["grid"]
    rows = [row for row in by_sku.rows if row.depth == 0]
    assert {row.label for row in rows} == {"Red tee", "Mug", "Unallocated", "Total"}
    total = next(row for row in rows if row.label == "Total").figures[0].amount
    assert exact_sum(row.figures[0].amount for row in rows if row.label != "Total") == total
    assert next(row for row in whole.rows if row.label == "Result after finance").figures[0].amount == total


def test_shares_stand_beside_the_figures_and_lead_to_the_worklist(harbour: Any) -> None:
    company, client = harbour
    body = client.get(pnl(company)).content.decode()
    assert f'href="/c/{company.code}/rules/worklist/"' in body
    assert 'data-share="settled"' in body and 'data-share="mapped"' in body and 'data-share="with a provisional date"' in body


def test_filters_are_taken_away_one_by_one(harbour: Any) -> None:
    company, client = harbour
    query = "columns=month&rows=category&sku=TEE-RED&sku=(none)&state=settled&from=2026-01-01&in=EUR"
    ExchangeRate.objects.create(currency="USD", on_date=date(2025, 12, 30), rate=D("1.25"))
    context = client.get(pnl(company, query)).context
    assert [chip.label for chip in context["chips"]] == [
        "State: settled", "SKU: TEE-RED", "SKU: none", "From 2026-01-01", "Shown in EUR",
    ]  # fmt: skip
    for chip in context["chips"]:
        again = client.get(pnl(company, chip.href))
        assert again.status_code == 200
        assert chip.label not in [other.label for other in again.context["chips"]]
        assert len(again.context["chips"]) == 4


def test_another_currency_is_a_labelled_translation(harbour: Any) -> None:
    company, client = harbour
    ExchangeRate.objects.create(currency="USD", on_date=date(2025, 12, 30), rate=D("1.25"))
    response = client.get(pnl(company, "columns=total&rows=section&in=EUR"))
    assert "EUR, translated from USD" in response.content.decode()
    gross = next(row for row in response.context["grid"].rows if row.label == "Gross sales").figures[0].amount
    assert gross == (D("295.5") * D("0.8"))


def test_money_without_a_rate_is_told(harbour: Any) -> None:
    company, client = harbour
    ExchangeRate.objects.create(currency="GBP", on_date=date(2025, 12, 30), rate=D("0.85"))
    body = client.get(pnl(company, "columns=total&rows=section&in=GBP")).content.decode()
    assert "could not be converted to GBP" in body
    assert client.get(pnl(company, "in=XXX")).status_code == 400


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("clock=sundial", "is no clock that Nova knows"),
        ("columns=year", "is no columns that Nova knows"),
        ("rows=colour", "nothing that rows can be broken down by"),
        ("rows=shop,sku,brand,tag,state", "Rows can be nested 4 deep"),
        ("from=yesterday", "is no date"),
        ("from=2026-05-01&to=2026-04-01", "before it begins"),
        ("from=0001-01-01", "outside the years"),
        ("in=euros", "is no currency"),
        ("shop=elsewhere", "There is no shop elsewhere"),
        ("month=2026-01-02", "not the first day of a month"),
        ("known=never", "is no moment"),
        ("sku=%00", "cannot be read"),
        ("scope=moon", "is no scope"),
    ],
)
def test_what_cannot_be_asked_is_told_plainly(harbour: Any, query: str, words: str) -> None:
    company, client = harbour
    response = client.get(pnl(company, query))
    assert response.status_code == 400
    body = html.unescape(response.content.decode())
    assert words in body
    assert "This P&L cannot be shown" in body
    assert 'id="pnl-table"' not in body


names = st.one_of(
    st.sampled_from(
        ["columns", "rows", "clock", "scope", "in", "from", "to", "known", "all", "after", "format", "what", "lines_of"]
    ),
    st.sampled_from([str(dimension) for dimension in Dimension]),
    st.sampled_from([f"key.{dimension}" for dimension in Dimension]),
    st.text(max_size=12),
)
values = st.one_of(
    st.sampled_from(
        ["", "month", "week,shop", "category", "sku,tag", "paid", "posted", "fake", "unified", "EUR", "2026-01-01", "2026-01-05", "(none)",
         "9999-12-31", "0001-01-01", "TEE-RED", "settled", "1", "gross_sales", "memo", "lines", "csv", "xlsx", "2026-02-01.12", "١٢"]
    ),
    st.text(max_size=30),
    st.integers().map(str),
    st.dates().map(str),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(names, values), max_size=6))
def test_no_address_breaks_a_page(harbour: Any, pairs: list[tuple[str, str]]) -> None:
    company, client = harbour
    text = urlencode(pairs, errors="surrogatepass")
    for page in ("pnl", "lines"):
        response = client.get(f"/c/{company.code}/{page}/?{text}")
        assert response.status_code in (200, 302, 400)
        if response.streaming:
            assert b"".join(response.streaming_content)


def test_many_periods_are_cut_to_the_latest_and_the_page_says_so(harbour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company, client = harbour
    monkeypatch.setitem(pages.MAX_PERIODS, "day", 2)
    response = client.get(pnl(company, "columns=day&rows=section"))
    assert "earlier days are not shown" in response.content.decode()
    grid = response.context["grid"]
    assert grid.columns[0].key == "2026-02-25"
    assert response.context["cut"] > 40
    assert [chip.label for chip in response.context["chips"]] == ["From 2026-02-24"]


def test_nested_rows_hold_fewer_periods_on_a_page_but_all_in_an_export(harbour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company, client = harbour
    monkeypatch.setitem(pages.MAX_NESTED, "week", 2)
    query = "columns=week&rows=category&rows=shop"
    page = client.get(pnl(company, query))
    assert "earlier weeks are not shown" in page.content.decode()
    assert [column.key for column in page.context["grid"].columns] == ["2026-02-23"]
    head = b"".join(client.get(pnl(company, query + "&format=csv")).streaming_content).decode()
    assert head.count("2026-01") >= 3


def test_many_rows_are_summed_up_and_all_of_them_are_exported(harbour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company, client = harbour
    monkeypatch.setattr(grids, "LEVEL_LIMIT", (1, 1, 1, 1))
    query = "columns=total&rows=listing"
    page = client.get(pnl(company, query))
    rows = [row for row in page.context["grid"].rows if row.depth == 0]
    assert [row.label for row in rows] == ["TEE", "No listing", "2 more", "Total"]
    assert exact_sum(row.figures[0].amount for row in rows[:-1]) == rows[-1].figures[0].amount
    assert "Show all rows" in page.content.decode()
    assert len([row for row in client.get(pnl(company, query + "&all=1")).context["grid"].rows if row.depth == 0]) == 5
    assert b"LAMP" in b"".join(client.get(pnl(company, query + "&format=csv")).streaming_content)


def test_the_pages_ask_the_database_a_fixed_number_of_times(harbour: Any, django_assert_max_num_queries: Any) -> None:
    company, client = harbour
    client.get(pnl(company))
    for query in ("columns=month&rows=category", "columns=month&rows=shop,category,fee_type", "columns=lines&rows=sku"):
        client.get(pnl(company, query))
        with django_assert_max_num_queries(24):
            client.get(pnl(company, query))
    with django_assert_max_num_queries(24):
        client.get(f"/c/{company.code}/lines/")


def test_only_members_with_the_right_see_the_figures(harbour: Any) -> None:
    company, _client = harbour
    other, _shop = make_company()
    stranger = signed_in(make_viewer(other))
    without = signed_in(make_user("olivia", company))
    for page in ("pnl/", "lines/", "search/?q=ORDER-1001", "orders/ORDER-1001/", "channels/fake/", "pnl/?format=csv"):
        assert stranger.get(f"/c/{company.code}/{page}").status_code == 404
        if not page.startswith("search"):
            assert without.get(f"/c/{company.code}/{page}").status_code == 403
        assert Client().get(f"/c/{company.code}/{page}").status_code == 302
    found = without.get(f"/c/{company.code}/search/?q=ORDER-1001")
    assert found.context["hits"] == []


def test_a_shop_without_its_orders_is_named_and_left_out(harbour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company, client = harbour
    monkeypatch.setattr(FakeChannel, "revenue_kinds", frozenset({"orders"}))
    body = client.get(pnl(company)).content.decode()
    assert "is cash side only and not in this P&amp;L" in body and "Harbour outlet" in body
    assert "No fee lines yet" in body
    alone = client.get(pnl(company, "columns=month&rows=category&scope=fake"))
    assert "Fake market alone" in alone.content.decode()
    assert alone.context["report"].cells
    assert "cash side only" in client.get(f"/c/{company.code}/channels/fake/?from=2026-01-01").content.decode()


def test_an_empty_company_is_told_what_to_do_next() -> None:
    company, _shop = make_company()
    client = signed_in(make_viewer(company))
    body = client.get(f"/c/{company.code}/pnl/").content.decode()
    assert "No fee lines yet" in body and f'href="/c/{company.code}/imports/"' in body
    for page in ("lines/", "channels/fake/", "search/", "pnl/?columns=lines&rows=sku", "pnl/?columns=day&rows=tag&format=xlsx"):
        assert client.get(f"/c/{company.code}/{page}").status_code == 200
