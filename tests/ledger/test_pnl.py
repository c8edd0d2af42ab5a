"""The P&L: cells, clocks, scopes, currencies, SKUs; and that it says what the fee lines say."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal as D

import pytest

from ledger.pnl import Dimension, Question, answer
from tests.ledger.fake_channel import fake_channel, make_company, take, voucher

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


def test_smoke():
    company, shop = make_company()
    take(
        shop, company, "books", [voucher("statement", "S1/1", [("sale", "10", "TEE"), ("fee", "-1")], order="O1", statement="S1")]
    )
    for by in (
        (Dimension.MONTH, Dimension.CATEGORY),
        (Dimension.WEEK, Dimension.SHOP),
        (Dimension.DAY, Dimension.LISTING),
        (Dimension.SKU, Dimension.TAG, Dimension.BRAND),
        (Dimension.CHANNEL, Dimension.MARKETPLACE, Dimension.SECTION, Dimension.FEE_TYPE, Dimension.STATE, Dimension.CURRENCY),
        (),
    ):
        for clock in ("event", "posted", "paid"):
            report = answer(Question(company, by, clock=clock))
            print(report)
            assert sum(cell.amount for cell in report.cells) == D(9)
