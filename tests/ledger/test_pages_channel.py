"""A channel's page: the ladder comes to what statements settled, money on its way has a week, payouts stand in a calendar."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal as D

import pytest

from ledger.models import Section, Statement
from ledger.models.rollups import Clock
from ledger.pages.asked import Asked
from ledger.pnl import Dimension, answer
from tests.ledger.fake_channel import fake_channel, make_company
from tests.ledger.page_world import build_pages_world, make_viewer, signed_in

pytestmark = pytest.mark.django_db
YEAR = "from=2026-01-01&to=2026-12-31"


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


def test_the_ladder_goes_from_gross_sales_to_what_was_settled() -> None:
    company, shops = build_pages_world()
    context = signed_in(make_viewer(company)).get(f"/c/{company.code}/channels/fake/?{YEAR}").context
    rungs = {rung.label: rung.amount for rung in context["rungs"]}
    asked = Asked(company, clock=Clock.POSTED, scope="fake", filters={Dimension.STATE: ("settled",)})
    sections = {cell.keys[0]: cell.amount for cell in answer(asked.question(Dimension.SECTION)).cells}
    assert rungs["Gross sales (GMV)"] == sections[Section.GROSS_SALES] == D("235.5")
    assert rungs["Net sales"] == D("180")
    assert rungs["Creators"] == sections[Section.CREATORS]
    assert [row.code for row in context["outside"]] == ["bs.reserve"]
    lines = D("72")  # the outlet's statement names no total
    totals = sum(Statement.objects.filter(company=company, shop=shops[0]).values_list("total", flat=True), D(0))
    assert rungs["Settled amount"] == totals + lines


def test_every_step_of_the_ladder_and_every_month_leads_to_its_lines() -> None:
    company, _shops = build_pages_world()
    client = signed_in(make_viewer(company))
    context = client.get(f"/c/{company.code}/channels/fake/?{YEAR}").context
    links = [(rung.href, rung.amount) for rung in context["rungs"] if rung.href]
    links += [(row.href, row.amount) for row in context["open_rows"]]
    links += [(row.hrefs[name], getattr(row, name)) for row in context["months"] for name in row.hrefs]
    assert len(links) > 10
    for link, amount in links:
        assert client.get(link).context["page"].amount == amount, link


def test_money_on_its_way_is_expected_after_the_usual_days() -> None:
    company, shops = build_pages_world()
    context = signed_in(make_viewer(company)).get(f"/c/{company.code}/channels/fake/?{YEAR}").context
    assert [(lag.shop, lag.days) for lag in context["lags"] if lag.shop == shops[0]] == [(shops[0], 2)]
    (row,) = context["open_rows"]
    assert (row.shop, row.amount, row.lines) == (shops[0], D("57"), 2)
    assert row.week.isoformat() == "2026-02-23"


def test_payouts_stand_on_their_day() -> None:
    company, _shops = build_pages_world()
    client = signed_in(make_viewer(company))
    body = client.get(f"/c/{company.code}/channels/fake/?calendar=2026-02").content.decode()
    assert "Payouts in February 2026" in body
    assert "108.02 USD" in body
    context = client.get(f"/c/{company.code}/channels/fake/").context
    assert context["calendar"].month.isoformat() == "2026-03-01"
    assert [payout.outside_id for week in context["calendar"].weeks for day in week for payout in day.payouts] == ["PAY-2"]


def test_a_channel_without_a_shop_is_not_found_and_garbage_is_told_plainly() -> None:
    company, _shops = build_pages_world()
    client = signed_in(make_viewer(company))
    assert client.get(f"/c/{company.code}/channels/nowhere/").status_code == 404
    assert client.get(f"/c/{company.code}/channels/amazon/").status_code == 404
    for query in ("from=never", "clock=paid", "calendar=9999-99", "calendar=0001-01", "from=2026-05-01&to=2026-01-01"):
        assert client.get(f"/c/{company.code}/channels/fake/?{query}").status_code in (200, 400)


def test_a_channel_page_of_another_company_does_not_exist() -> None:
    company, _shops = build_pages_world()
    other, _shop = make_company()
    client = signed_in(make_viewer(other))
    assert client.get(f"/c/{company.code}/channels/fake/").status_code == 404
