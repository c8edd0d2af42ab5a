"""The P&L of real settlements is what their independently counted totals say."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from channels.models import Shop
from ledger.models import FeeLine
from ledger.pnl import Dimension, Question, answer, exact_sum
from ledger.pnl_lines import lines_behind
from nova.models import Company

pytestmark = [pytest.mark.django_db, pytest.mark.conformance]


def test_real_settlements_give_their_months_and_articles_before_and_behind_every_figure(conformance: Path):
    files = sorted((conformance / "data" / "amazon_ca_settlement_v1").glob("*.txt"))
    months: dict[str, Decimal] = defaultdict(Decimal)
    articles: dict[str, Decimal] = defaultdict(Decimal)
    for path in files:
        expected = json.loads(path.with_suffix(".expected.json").read_text())
        for month, row in expected["by_month"].items():
            months[f"{month}-01"] += Decimal(row["sum"])
        for code, row in expected["by_sku"].items():
            articles["" if code == "(none)" else code] += Decimal(row["sum"])
    company = Company.objects.create(code="maple", name="Maple Goods", currency="CAD")
    Shop.objects.create(company=company, code="ca", name="Maple on Amazon", channel="amazon", region="NA")
    call_command("import_file", "maple/ca", *map(str, files), stdout=io.StringIO())

    by_month = answer(Question(company, (Dimension.MONTH,), clock="posted"))
    assert {cell.keys[0]: cell.amount for cell in by_month.cells} == months
    by_listing = answer(Question(company, (Dimension.LISTING,)))
    assert {cell.keys[0].removeprefix("ca/"): cell.amount for cell in by_listing.cells} == articles
    assert (by_month.share_mapped, by_month.share_settled) == (0, 1), "no rule is approved yet, every line is settled"
    assert sum(cell.lines for cell in by_month.cells) == FeeLine.objects.filter(company=company, voucher__active=True).count()

    question = Question(company, (Dimension.MONTH, Dimension.FEE_TYPE), clock="posted")
    for cell in answer(question).cells:
        page = lines_behind(question, cell.keys, limit=1000)
        assert (page.count, page.amount) == (cell.lines, cell.amount)
        assert (len(page.rows), exact_sum(row.amount for row in page.rows)) == (cell.lines, cell.amount)
        assert all(row.row is not None and row.statement for row in page.rows), "every line leads to its row of the file"
