"""Vouchers: repeats change nothing, changes are reversals, and of several sources of the same money one counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal as D

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum

from channels.models import Shop
from channels.records import ANY_PART, EventKind, StatementRecord
from ledger.models import FeeLine, PnlDay, PnlListingMonth, PnlMonth, Statement, Voucher
from ledger.rollup import compact_days, rebuild_rollups
from nova.models import Company, ExchangeRate
from tests.ledger.fake_channel import NOON, fake_channel, make_company, make_document, take, voucher

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


@pytest.fixture
def harbour() -> tuple[Company, Shop]:
    return make_company()


def figures(company: Company) -> dict[tuple[str, str, str], tuple[D, int]]:
    """What counts now, per fee name, listing and state; asserts that all tables say the same."""
    rows = (
        PnlDay.objects.filter(company=company)
        .values_list("fee_type__name", "listing__code", "state")
        .annotate(money=Sum("amount"), number=Sum("lines"))
    )
    found = {(name, listing or "", state): (money, number) for name, listing, state, money, number in rows if money or number}
    total = sum((money for money, _ in found.values()), D(0))
    lines = sum(number for _, number in found.values())
    for clock in ("event", "posted"):
        month = PnlMonth.objects.filter(company=company, clock=clock).aggregate(money=Sum("amount"), number=Sum("lines"))
        assert (month["money"] or D(0), month["number"] or 0) == (total, lines)
    assert (FeeLine.objects.filter(company=company).aggregate(money=Sum("amount"))["money"] or D(0)) == total
    with_listing = sum((money for (_n, listing, _s), (money, _l) in found.items() if listing), D(0))
    listing = PnlListingMonth.objects.filter(company=company, clock="event").aggregate(money=Sum("amount"))["money"] or D(0)
    assert listing == with_listing
    active = Voucher.objects.filter(company=company, active=True).aggregate(money=Sum("amount"))["money"] or D(0)
    assert active == total
    return found


def documents() -> list[tuple[str, list, list]]:
    books = [
        voucher("statement", "S1/1", [("sale", "10.00"), ("fee", "-1")], order="O1", statement="S1"),
        voucher("statement", "S1/2", [("sale", "7"), ("fee", "-2")], order="O2", statement="S1"),
    ]
    return [
        ("books", books, [StatementRecord("S1", "USD", total=D("14.00"), line_count=2, closed_at=NOON)]),
        (
            "detail",
            [
                voucher(
                    "order",
                    "O1/S1",
                    [("sale", "6", "TEE-A"), ("sale", "4", "TEE-B"), ("fee", "-1", "TEE-A")],
                    order="O1",
                    statement="S1",
                )
            ],
            [],
        ),
        (
            "unsettled",
            [voucher("unsettled", "O1", [("sale", "11")], order="O1"), voucher("unsettled", "O3", [("sale", "3")], order="O3")],
            [],
        ),
        ("export", [voucher("export", "S1/O1", [("sale", "9")], order="O1", statement="S1")], []),
    ]


EXPECTED = {
    ("sale", "TEE-A", "settled"): (D("6.0000"), 1),
    ("sale", "TEE-B", "settled"): (D("4.0000"), 1),
    ("fee", "TEE-A", "settled"): (D("-1.0000"), 1),
    ("sale", "", "settled"): (D("7.0000"), 1),
    ("fee", "", "settled"): (D("-2.0000"), 1),
    ("sale", "", "preliminary"): (D("3.0000"), 1),
}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order_of_import_gives_the_figures_of_the_best_sources(harbour, order):
    company, shop = harbour
    for index in order:
        kind, vouchers, statements = documents()[index]
        take(shop, company, kind, vouchers, statements)
    assert figures(company) == EXPECTED
    for index in order:
        kind, vouchers, statements = documents()[index]
        _document, counts = take(shop, company, kind, vouchers, statements)
        assert (counts.new, counts.replaced, counts.lines) == (0, 0, 0)
    assert figures(company) == EXPECTED


def test_detail_that_says_other_money_does_not_count(harbour):
    company, shop = harbour
    take(shop, company, "books", [voucher("statement", "S1/1", [("sale", "10")], order="O1", statement="S1")])
    take(shop, company, "detail", [voucher("order", "O1", [("sale", "9.99", "TEE-A")], order="O1", statement="S1")])
    assert figures(company) == {("sale", "", "settled"): (D("10.0000"), 1)}


def test_two_equal_lines_stay_two_lines(harbour):
    company, shop = harbour
    take(shop, company, "books", [voucher("statement", "S1/1", [("fee", "-1"), ("fee", "-1")], order="O1", statement="S1")])
    assert figures(company) == {("fee", "", "settled"): (D("-2.0000"), 2)}


def test_a_changed_voucher_is_reversed_whole_and_taken_again(harbour):
    company, shop = harbour
    take(shop, company, "books", [voucher("statement", "S1/1", [("sale", "10"), ("fee", "-1")], order="O1", statement="S1")])
    _document, counts = take(shop, company, "books", [voucher("statement", "S1/1", [("sale", "12")], order="O1", statement="S1")])
    assert (counts.replaced, counts.new) == (1, 0)
    assert figures(company) == {("sale", "", "settled"): (D("12.0000"), 1)}
    history = Voucher.objects.filter(company=company).order_by("id").values_list("version", "reversal", "amount", "active")
    assert list(history) == [(1, False, D("9.0000"), False), (1, True, D("-9.0000"), False), (2, False, D("12.0000"), True)]


def test_a_complete_statement_that_lost_a_transaction_takes_it_back(harbour):
    company, shop = harbour
    first = [
        voucher("settlement", "1/A", [("sale", "5")], order="A", statement="1"),
        voucher("settlement", "1/B", [("sale", "6")], order="B", statement="1"),
    ]
    take(shop, company, "books", first, [StatementRecord("1", "USD", total=D(11), complete=True)])
    _document, counts = take(shop, company, "books", first[:1], [StatementRecord("1", "USD", total=D(5), complete=True)])
    assert counts.closed == 1
    assert figures(company) == {("sale", "", "settled"): (D("5.0000"), 1)}


def test_a_remainder_is_a_visible_line_and_goes_when_the_missing_lines_come(harbour):
    company, shop = harbour
    pages = [voucher("statement", f"S1/{n}", [("sale", "5")], order=f"O{n}", statement="S1") for n in (1, 2)]
    head = StatementRecord("S1", "USD", total=D("11"), line_count=2, closed_at=NOON)
    take(shop, company, "books", pages[:1], [head])
    assert ("difference", "", "settled") not in figures(company), "pages are still missing"
    take(shop, company, "books", pages[1:], [head])
    assert figures(company)["difference", "", "settled"] == (D("1.0000"), 1)
    assert Statement.objects.get(company=company).complete
    take(shop, company, "books", [voucher("statement", "S1/1", [("sale", "6")], order="O1", statement="S1")])
    assert ("difference", "", "settled") not in figures(company)


def test_provisional_money_without_an_order_gives_way_to_the_statement_that_covers_it(harbour):
    company, shop = harbour
    inside, outside = datetime.fromisoformat("2026-01-05T10:00:00+00:00"), datetime.fromisoformat("2026-02-05T10:00:00+00:00")
    take(
        shop,
        company,
        "unsettled",
        [
            voucher("finances", "T1", [("storage", "-4")], posted_at=inside),
            voucher("finances", "T2", [("storage", "-5")], posted_at=outside),
        ],
    )
    assert figures(company) == {("storage", "", "preliminary"): (D("-9.0000"), 2)}
    settlement = [voucher("settlement", "9/-", [("storage", "-4.10")], statement="9")]
    limits = {
        "period_start": datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
        "period_end": datetime.fromisoformat("2026-01-14T23:59:59+00:00"),
    }
    take(shop, company, "books", settlement, [StatementRecord("9", "USD", total=D("-4.10"), complete=True, **limits)])
    assert figures(company) == {("storage", "", "settled"): (D("-4.1000"), 1), ("storage", "", "preliminary"): (D("-5.0000"), 1)}


def test_refund_and_sale_of_one_order_do_not_replace_each_other(harbour):
    company, shop = harbour
    take(shop, company, "unsettled", [voucher("unsettled", "O1", [("sale", "10")], order="O1")])
    take(
        shop,
        company,
        "books",
        [voucher("statement", "S2/1", [("refund", "-10")], order="O1", event=EventKind.REFUND, statement="S2")],
    )
    assert figures(company) == {("sale", "", "preliminary"): (D("10.0000"), 1), ("refund", "", "settled"): (D("-10.0000"), 1)}


def test_days_are_cut_in_the_companys_time_zone():
    company, shop = make_company(time_zone="America/Los_Angeles")
    moment = datetime.fromisoformat("2026-02-01T07:30:00+00:00")
    take(
        shop,
        company,
        "books",
        [voucher("statement", "S1/1", [("sale", "1")], order="O1", statement="S1", event_at=moment, posted_at=moment)],
    )
    line = FeeLine.objects.get(company=company)
    assert (line.event_on.isoformat(), line.posted_on.isoformat()) == ("2026-01-31", "2026-01-31")
    company.refresh_from_db()
    company.time_zone = "UTC"
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        company.save()


def test_base_amounts_use_the_rate_of_the_event_day_and_say_what_has_none():
    company, shop = make_company(currency="EUR")
    ExchangeRate.objects.create(currency="USD", on_date="2026-01-02", rate=D("1.25"))
    early = datetime.fromisoformat("2025-12-30T10:00:00+00:00")
    take(
        shop,
        company,
        "books",
        [
            voucher("statement", "S1/1", [("sale", "10")], order="O1", statement="S1"),
            voucher("statement", "S1/2", [("sale", "4")], order="O2", statement="S1", event_at=early),
        ],
    )
    months = (
        PnlMonth.objects.filter(company=company, clock="event")
        .order_by("month")
        .values_list("amount", "base_amount", "unrated_amount")
    )
    assert list(months) == [(D(4), D(0), D(4)), (D(10), D(8), D(0))]


def test_fee_lines_and_vouchers_cannot_be_changed_or_deleted_by_sql(harbour):
    company, shop = harbour
    take(shop, company, "books", [voucher("statement", "S1/1", [("sale", "10")], order="O1", statement="S1")])
    for statement in (
        "UPDATE ledger_feeline SET amount = 1",
        "DELETE FROM ledger_feeline",
        "DELETE FROM ledger_voucher",
        "UPDATE ledger_voucher SET amount = 1",
        "UPDATE channels_document SET filename = 'other'",
        "DELETE FROM channels_document",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert figures(company) == {("sale", "", "settled"): (D("10.0000"), 1)}


def test_rebuild_and_compaction_give_the_same_figures(harbour):
    company, shop = harbour
    for kind, vouchers, statements in documents():
        take(shop, company, kind, vouchers, statements)
    before = figures(company)
    months = list(
        PnlMonth.objects.filter(company=company)
        .exclude(amount=0, lines=0)
        .order_by("month", "fee_type", "state", "clock")
        .values_list("amount", "base_amount", "lines")
    )
    rebuild_rollups(company=company)
    assert figures(company) == before
    compact_days(company=company)
    assert figures(company) == before
    again = PnlMonth.objects.filter(company=company).exclude(amount=0, lines=0).order_by("month", "fee_type", "state", "clock")
    assert list(again.values_list("amount", "base_amount", "lines")) == months


def test_a_voucher_twice_in_one_document_is_refused(harbour):
    company, shop = harbour
    twice = [voucher("statement", "S1/1", [("sale", "1")], order="O1", statement="S1")] * 2
    with pytest.raises(ValueError, match="stands twice"):
        take(shop, company, "books", twice)
    assert not Voucher.objects.filter(company=company).exists()
    make_document(shop, "unused")


@pytest.mark.parametrize("details_first", [True, False])
def test_details_carry_the_dates_of_the_books_they_refine(harbour, details_first):
    company, shop = harbour
    ordered = datetime.fromisoformat("2026-01-01T08:00:00+00:00")
    books = voucher("statement", "S1/1", [("sale", "10")], order="O1", statement="S1", event_at=ordered)
    detail = voucher("order", "O1/S1", [("sale", "10", "TEE-A")], order="O1", statement="S1", posted_at=ordered, event_at=ordered)
    for kind, record in [("detail", detail), ("books", books)] if details_first else [("books", books), ("detail", detail)]:
        take(shop, company, kind, [record])
    assert figures(company) == {("sale", "TEE-A", "settled"): (D("10.0000"), 1)}
    days = (
        PnlDay.objects.filter(company=company).values_list("event_on", "posted_on", "provisional").annotate(money=Sum("amount"))
    )
    assert [(event.isoformat(), posted.isoformat(), flag) for event, posted, flag, money in days if money] == [
        ("2026-01-01", "2026-01-05", True)
    ]
    _document, counts = take(shop, company, "detail", [detail])
    assert counts.unchanged == 1 and figures(company) == {("sale", "TEE-A", "settled"): (D("10.0000"), 1)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_source_that_cannot_tell_the_statement_counts_only_while_no_other_does(harbour, order):
    company, shop = harbour
    sources = [
        ("export", voucher("export", "2026-01-05/O1", [("sale", "9")], order="O1", part=ANY_PART)),
        ("books", voucher("statement", "S1/1", [("sale", "10")], order="O1", statement="S1")),
        ("export", voucher("export", "2026-01-05/O2", [("sale", "4")], order="O2", part=ANY_PART)),
    ]
    for index in order:
        kind, record = sources[index]
        take(shop, company, kind, [record])
    assert figures(company) == {("sale", "", "settled"): (D("14.0000"), 2)}


def test_a_statement_is_complete_when_every_announced_transaction_is_there_and_not_before(harbour):
    company, shop = harbour
    head = StatementRecord("S1", "USD", total=D("3"), line_count=3, closed_at=NOON)
    both = [
        voucher("statement", "S1/1", [("sale", "5")], order="O1", statement="S1"),
        voucher("statement refund", "S1/1", [("refund", "-2")], order="O1", event=EventKind.REFUND, statement="S1"),
    ]
    take(shop, company, "books", both, [head])
    take(shop, company, "books", [voucher("adjustment", "S1/2", [("penalty", "-1")], statement="S1", part="900")], [head])
    assert not Statement.objects.get(company=company).complete, "a refund is no transaction of its own"
    take(shop, company, "books", [voucher("statement", "S1/3", [("sale", "1")], order="O3", statement="S1")], [head])
    assert Statement.objects.get(company=company).complete
    assert ("difference", "", "settled") not in figures(company)
