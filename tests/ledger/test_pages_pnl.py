"""The P&L page: its figures are the engine's, each leads to lines that add up to it, and no address breaks it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from decimal import Decimal as D
from typing import Any

import pytest
from django.test import Client

from ledger.pnl import exact_sum
from ledger.rollup import Company
from tests.ledger.fake_channel import fake_channel
from tests.ledger.page_world import build_pages_world, make_viewer, signed_in

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
    found = cells(response.content.decode())
    assert found
    for link, amount in dict(found).items():
        page = client.get(link)
        assert page.status_code == 200, link
        shown = page.context["page"]
        assert shown.amount == amount, link
        assert exact_sum(row.converted for row in shown.rows) == amount, link
        assert len(shown.rows) == shown.count, link
