"""Which source counts: settled money takes the place of what it settles, and of nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st

from channels.models import Shop
from ledger.models import PnlDay
from ledger.sources import Known, resolve
from ledger.take import withdraw_vouchers
from nova.models import Company
from tests.ledger.fake_channel import fake_channel, make_company, take, voucher

DAY = date(2026, 6, 17)


def known(number: int, part: str, amount: str | D, *, state: str = "preliminary", authority: int = 21, name: str = "") -> Known:
    return Known(
        number, "finances" if state == "preliminary" else "settlement", name or f"t-{number}/X", 1, "114-1", "sale", part, state,
        authority, False, b"", 0, True, DAY + timedelta(days=number), "posted", DAY + timedelta(days=number), D(amount),
    )  # fmt: skip


def test_a_settled_shipment_leaves_the_deferred_one_of_the_same_order():
    rows = [known(1, "D1", 17), known(2, "D2", 9), known(3, "D1", 17, state="settled")]
    assert resolve(rows) == {2, 3}


def test_a_settlement_without_shipment_ids_settles_what_adds_up_to_it():
    rows = [known(1, "D1", 17), known(2, "D2", 9), known(3, "D3", 4), known(4, "9001", 21, state="settled")]
    assert resolve(rows) == {2, 4}


def test_where_neither_ids_nor_amounts_agree_the_nearest_is_settled_and_money_is_not_shown_twice():
    rows = [known(1, "D1", 17), known(2, "D2", 9), known(3, "9001", "16.50", state="settled")]
    assert resolve(rows) == {2, 3}
    assert resolve([*rows, known(4, "9002", 8, state="settled")]) == {3, 4}


def test_of_two_shipments_of_the_same_amount_the_released_one_is_the_settled_one():
    rows = [known(1, "D1", 9, authority=22), known(2, "D2", 9, authority=23), known(3, "9001", 9, state="settled")]
    assert resolve(rows) == {1, 3}


def test_a_release_that_only_names_its_deferral_is_not_counted_beside_it():
    rows = [
        known(1, "D1", 17, authority=22, name="t-1/DEFERRED"),
        known(2, "t-1", 17, authority=21, name="t-2/RELEASED"),
        known(3, "D2", 9, authority=22, name="t-3/DEFERRED"),
    ]
    assert resolve(rows) == {1, 3}
    assert resolve([*rows, known(4, "D1", 17, state="settled")]) == {3, 4}


@given(
    st.lists(st.tuples(st.integers(-500, 2000), st.booleans()), min_size=1, max_size=7),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_money_of_an_order_counts_once_whatever_is_settled_and_whatever_came_first(shipments, ids_agree, random):
    """Law: settled and open shipments add up to all shipments, for any choice, any order of rows, with ids or by amounts."""
    told = [known(number, f"D{number}", amount) for number, (amount, _settled) in enumerate(shipments, 1)]
    settled = [
        known(100 + number, f"D{number}" if ids_agree else f"S{number}", amount, state="settled")
        for number, (amount, paid) in enumerate(shipments, 1)
        if paid
    ]
    rows = [*told, *settled]
    by_id = {row.id: row.amount for row in rows}
    best = resolve(rows)
    random.shuffle(rows)
    assert resolve(rows) == best
    if ids_agree or len(told) > 1:
        assert sum(by_id[number] for number in best) == sum(amount for amount, _settled in shipments)
    assert {row.id for row in settled} <= best


@pytest.fixture
def harbour() -> Iterator[tuple[Company, Shop]]:
    with fake_channel():
        yield make_company()


def money(company: Company) -> dict[str, D]:
    rows = PnlDay.objects.filter(company=company).values_list("state").annotate(money=Sum("amount"))
    return {state: amount for state, amount in rows if amount}


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_two_shipments_one_settled_in_any_order_of_import_and_withdrawal(harbour, order):
    company, shop = harbour
    documents = [
        ("unsettled", [voucher("finances", "t-1/D", [("sale", "17")], order="O1", part="D1")]),
        ("unsettled", [voucher("finances", "t-2/D", [("sale", "9")], order="O1", part="D2")]),
        ("books", [voucher("settlement", "9001/O1", [("sale", "17")], order="O1", statement="9001", part="D1")]),
    ]
    kept = {}
    for place in order:
        kind, vouchers = documents[place]
        kept[place], _counts = take(shop, company, kind, vouchers)
    assert money(company) == {"preliminary": D(9), "settled": D(17)}
    withdraw_vouchers(shop=shop, company=company, document=kept[2])
    assert money(company) == {"preliminary": D(26)}
