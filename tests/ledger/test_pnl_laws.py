"""The laws of the P&L: it says what the fee lines say, however it is asked, and every figure is the sum of its lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.models.rollups import Clock
from ledger.pnl import UNIFIED, Dimension, Question, answer, exact_sum
from ledger.pnl_lines import lines_behind
from ledger.pnl_question import ARTICLES, PERIODS
from tests.ledger.fake_channel import fake_channel
from tests.ledger.pnl_world import FIRST, Hand, build_world, line_specs, part_specs

pytestmark = pytest.mark.django_db
# An example is a whole company: few of them, and no shrinking, which would take minutes.
LAW = settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


def one_period(by: list[Dimension]) -> bool:
    return len(PERIODS.intersection(by)) < 2


breakdowns = st.lists(st.sampled_from([*Dimension, Dimension.SKU, Dimension.SKU]), unique=True, max_size=3).filter(one_period)
days = st.one_of(
    st.none(),
    st.sampled_from([date(2026, 2, 1), date(2026, 3, 1)]),
    st.integers(0, 100).map(lambda number: FIRST + timedelta(days=number)),
)


@LAW
@given(lines=st.lists(line_specs, min_size=4, max_size=16), parts=st.lists(part_specs, max_size=8), data=st.data())
def test_every_report_is_what_its_fee_lines_say_by_hand(lines, parts, data):
    world = build_world(lines, parts)
    hand = Hand(world)
    for _ in range(4):
        by = tuple(data.draw(breakdowns))
        clock = data.draw(st.sampled_from(list(Clock)))
        start, end = data.draw(days), data.draw(days)
        if start and end and start >= end:
            start, end = (end, start) if start > end else (start, None)
        question = Question(
            world.company,
            by,
            clock=clock,
            scope=data.draw(st.sampled_from([UNIFIED, "fake"])),
            currency=data.draw(st.sampled_from(["", "", "GBP", "EUR"])),
            start=start,
            end=end,
        )
        wanted = data.draw(st.sampled_from([None, *Dimension, *sorted(ARTICLES)]))
        if wanted is not None:
            words = sorted({keys[0] for keys in hand.count(Question(world.company, (wanted,), clock=clock))})
            if wanted is Dimension.TAG:
                words = [word for word in words if "," not in word] + ["gift"]
            places = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=2))
            if words:
                chosen = tuple(dict.fromkeys(words[place % len(words)] for place in places))
                question = replace(question, filters={wanted: chosen})
        expected = hand.count(question)
        report = answer(question)
        got = {
            cell.keys: (cell.amount, cell.settled, cell.unmapped, cell.provisional, cell.quantity, cell.lines)
            for cell in report.cells
        }
        assert got == {keys: cell.figures() for keys, cell in expected.items()}
        for cell in report.cells:
            first = lines_behind(question, cell.keys, limit=2)
            rows, after = list(first.rows), first.after
            while after:
                page = lines_behind(question, cell.keys, limit=2, after=after)
                rows += page.rows
                after = page.after
            assert {row.id for row in rows} == expected[cell.keys].line_ids
            assert len(rows) == first.count == cell.lines
            assert exact_sum(row.converted or Decimal(0) for row in rows) == first.amount == cell.amount
            assert [(row.event_on, row.id) for row in rows] == sorted(((row.event_on, row.id) for row in rows), reverse=True)


@LAW
@given(lines=st.lists(line_specs, min_size=1, max_size=12), parts=st.lists(part_specs, max_size=8))
def test_the_sum_over_skus_plus_unallocated_equals_the_shop(lines, parts):
    world = build_world(lines, parts)
    for clock in Clock:
        shops = {
            cell.keys: cell for cell in answer(Question(world.company, (Dimension.SHOP, Dimension.MONTH), clock=clock)).cells
        }
        for dimension in (*sorted(ARTICLES), Dimension.LISTING):
            report = answer(Question(world.company, (Dimension.SHOP, Dimension.MONTH, dimension), clock=clock))
            for keys, shop in shops.items():
                parts_of = [cell for cell in report.cells if cell.keys[:2] == keys]
                for figure in ("amount", "settled", "unmapped", "provisional"):
                    assert exact_sum(getattr(cell, figure) for cell in parts_of) == getattr(shop, figure)


@LAW
@given(lines=st.lists(line_specs, min_size=1, max_size=12), parts=st.lists(part_specs, max_size=4), by=breakdowns)
def test_shares_are_the_same_however_the_report_is_broken_down(lines, parts, by):
    world = build_world(lines, parts)
    with localcontext(prec=20):
        plain, nested = (answer(Question(world.company, tuple(words))) for words in ([], by))
        for share in ("share_settled", "share_mapped", "share_provisional"):
            one, two = getattr(plain, share), getattr(nested, share)
            assert (one is None) == (two is None)
            assert one is None or (0 <= one <= 1 and abs(one - two) < Decimal("1e-15"))
    assert plain.unrated == nested.unrated


@LAW
@given(lines=st.lists(line_specs, min_size=1, max_size=12))
def test_reversed_lines_and_their_reversals_add_nothing(lines):
    world = build_world(lines)
    question = Question(world.company, ())
    shown = lines_behind(question, limit=500)
    everything = lines_behind(question, limit=500, with_reversed=True)
    assert (everything.count, everything.amount) == (shown.count, shown.amount)
    assert {row.id for row in shown.rows} == {row.id for row in everything.rows if row.active}
    assert exact_sum(row.converted or Decimal(0) for row in everything.rows) == shown.amount
