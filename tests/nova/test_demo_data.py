"""The invented market: the same every time, in the channels' own formats, and adding up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from channels.adapter import DocumentError, Source
from channels.records import ParsedDocument
from channels.registry import get_adapter
from nova.demo import DemoRefused, load_demo
from nova.demo_data import papers, rates
from nova.demo_data.papers import Paper
from nova.models import Company, User
from nova.rates import read_rates

SPAN = papers.Span(date(2026, 3, 1), date(2026, 5, 20))


def parse(paper: Paper) -> ParsedDocument:
    adapter = get_adapter(paper.store.channel)
    found = adapter.recognise(paper.body, paper.filename)
    assert found is not None and not found.unknown_columns, paper.filename
    return adapter.parse(
        Source(
            body=paper.body, kind=found.kind, filename=paper.filename, region=paper.store.region, accept_difference=paper.accept
        )
    )


@pytest.fixture(scope="module")
def every() -> list[Paper]:
    return list(papers.all_papers(SPAN))


def test_the_same_span_gives_the_same_bytes(every):
    assert every == list(papers.all_papers(SPAN))


def test_every_document_is_read_but_the_one_that_was_cut_off(every):
    refused = []
    for paper in every:
        try:
            parse(paper)
        except DocumentError as error:
            refused.append((paper.store.code, error.row is not None))
    assert refused == [("amazon-na", True)]


def test_statements_add_up_but_the_two_that_are_meant_not_to(every):
    wrong = []
    for paper in every:
        try:
            parsed = parse(paper)
        except DocumentError:
            continue
        for statement in parsed.statements:
            rows = [voucher for voucher in parsed.vouchers if voucher.statement == statement.outside_id]
            lines = sum((line.amount for row in rows for line in row.lines if line.context != "remainder"), Decimal(0))
            if rows and statement.total is not None and statement.total != lines:
                wrong.append((paper.store.channel, statement.total - lines))
    assert sorted(wrong) == [("amazon", Decimal(10)), ("tiktok", Decimal("12.50"))]


def test_the_span_is_fourteen_months_and_a_part_of_the_running_one():
    assert papers.span(date(2026, 2, 9)) == papers.Span(date(2024, 12, 1), date(2026, 2, 9))


def test_rates_are_in_the_layout_of_the_european_central_bank():
    found = read_rates(rates.reference_rates(seed="x", start=date(2026, 1, 1), end=date(2026, 2, 1)))
    assert {rate.currency for rate in found} == set(rates.AROUND)
    assert len(found) == 3 * 22 and all(rate.on_date.weekday() < 5 for rate in found)


@pytest.mark.django_db
def test_the_demo_refuses_a_database_with_a_user_of_the_same_name():
    admin = User.objects.create_user("admin", email="ada@harbourgoods.example", password="kept as it is")
    with pytest.raises(DemoRefused, match="has admin already"):
        load_demo(tell=lambda what, done, total: None)
    admin.refresh_from_db()
    assert admin.check_password("kept as it is") and not Company.objects.exists()
