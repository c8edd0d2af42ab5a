"""What stands beside a P&L whose figures could be taken for more than they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from channels.models import Document
from ledger.classify import compile_mappings
from ledger.models import LedgerIntake
from ledger.models.rollups import Clock
from ledger.pages.asked import Asked
from ledger.pages.grid import dimensions_of, make_grid
from ledger.pnl import Dimension, Question, answer
from ledger.pnl_layout import RATIOS, lacking, layout
from ledger.pnl_print import remarks
from ledger.pnl_remarks import COST_INCOMPLETE, COST_UNKNOWN, cost_remark, payout_remark
from nova.models import Company
from tests.ledger.fake_channel import FakeChannel, fake_channel
from tests.ledger.page_world import build_pages_world, make_viewer, signed_in
from tests.ledger.pnl_world import approve_map

pytestmark = pytest.mark.django_db

MONTHS = (Dimension.MONTH, Dimension.CATEGORY)


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


@pytest.fixture
def harbour() -> Company:
    company, _shops = build_pages_world()
    return company


def gross_margins(company: Company) -> tuple[Decimal | None, ...]:
    table = layout(answer(Question(company, by=MONTHS)), total=True)
    return next(row.amounts for row in table.rows if row.code == "gross_margin")


def test_sales_without_cost_of_goods_say_so_and_have_no_gross_margin(harbour: Company) -> None:
    report = answer(Question(harbour, by=MONTHS))
    assert cost_remark(report) == COST_UNKNOWN
    assert COST_UNKNOWN in remarks(report)
    assert set(gross_margins(harbour)) == {None}
    asked = Asked(harbour)
    grid = make_grid(asked, answer(asked.question(*dimensions_of(asked))), lines_path="/lines/")
    assert set(dict(grid.ratios)["Gross margin"]) == {None}
    client = signed_in(make_viewer(harbour))
    assert COST_UNKNOWN in client.get(f"/c/{harbour.code}/pnl/?columns=month&rows=category").content.decode()
    assert COST_UNKNOWN in client.get(f"/c/{harbour.code}/pnl/?columns=month&rows=section").content.decode()


def test_the_remark_is_silent_where_the_report_is_no_whole_pnl(harbour: Company) -> None:
    assert cost_remark(answer(Question(harbour, by=(Dimension.MONTH,)))) == ""
    narrowed = Question(harbour, by=MONTHS, filters={Dimension.SECTION: ("platform",)})
    assert cost_remark(answer(narrowed)) == ""
    assert cost_remark(answer(Question(harbour, by=MONTHS, start=date(1999, 1, 1), end=date(1999, 2, 1)))) == ""


def test_the_sum_has_a_gross_margin_only_when_every_column_has_its_cost() -> None:
    margin = next(ratio for ratio in RATIOS if ratio.key == "gross_margin")
    rate = next(ratio for ratio in RATIOS if ratio.key == "take_rate")
    assert lacking(margin, [True, False, True], 2) == [False, True, True]
    assert lacking(margin, [True, True, True], 2) == [False, False, False]
    assert lacking(margin, [True, False], None) == [False, True]
    assert lacking(rate, [False, False], 1) == [False, False]


def test_cost_in_some_months_only_is_told_apart(harbour: Company) -> None:
    approve_map(harbour, "odd", "cogs.product")  # the only month with cost: February, whose sales are there too
    compile_mappings(company=harbour)
    assert cost_remark(answer(Question(harbour, by=MONTHS))) == COST_INCOMPLETE
    january, february, total = gross_margins(harbour)
    assert january is None and february is not None and total is None


def test_the_paid_clock_says_which_sales_are_on_no_statement(harbour: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = Question(harbour, by=MONTHS, clock=Clock.PAID)
    assert payout_remark(answer(paid)) == ""
    monkeypatch.setattr(FakeChannel, "revenue_kinds", frozenset({"books"}))
    for document in Document.objects.filter(company=harbour, kind="books"):
        LedgerIntake.objects.create(company=harbour, document=document, state="taken")
    said = payout_remark(answer(paid))
    assert "Harbour outlet" in said and "No payout day" in said
    assert said in remarks(answer(paid))
    assert payout_remark(answer(Question(harbour, by=MONTHS))) == ""
