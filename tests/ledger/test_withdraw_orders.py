"""Importing, withdrawing and undoing in any order ends in the figures of the documents in force, taken in order of arrival."""

from __future__ import annotations

import random

import pytest
from django.db.models import Sum

from channels.models import Shop
from ledger.intake import import_file, undo_withdrawal, withdraw
from ledger.models import LedgerIntake, Payout, PnlDay, Statement, Withdrawal
from ledger.rollup import rebuild_rollups
from nova.models import Company
from tests.channels.amazon.test_finances import DEFERRED, RELEASED, page, transaction
from tests.channels.amazon.test_settlement import row, settlement, text
from tests.ledger.people import make_clerk
from tests.ledger.test_take import figures

pytestmark = pytest.mark.django_db


def report(total: str, *amounts: tuple[str, str], name: str = "Principal") -> bytes:
    rows = [row(amount, name=name, **{"order-id": order}) for order, amount in amounts]
    return text(settlement(rows, total=total, start="2026-06-30 00:00:00 UTC")).encode()


FIRST = report("37.00", ("114-1", "17.00"), ("114-2", "12.00"), ("114-3", "8.00"))
DOCUMENTS = {
    "first": FIRST,
    "the same with a mark": b"\xef\xbb\xbf" + FIRST,
    "fewer lines": report("29.00", ("114-1", "17.00"), ("114-2", "12.00")),
    "another amount": report("30.00", ("114-1", "17.00"), ("114-2", "13.00")),
    "deferred": DEFERRED,
    "released": RELEASED,
    "another order": page(transaction(number="t-7", total="8.00", ORDER_ID="114-3", SHIPMENT_ID="D3")),
}
NAMES = list(DOCUMENTS)


def make_shop(code: str) -> Shop:
    company = Company.objects.create(code=code, name="Harbour Goods", currency="USD")
    return Shop.objects.create(company=company, code="amazon", name="Harbour on Amazon", channel="amazon", region="NA")


def state(shop: Shop) -> tuple[object, ...]:
    """Figures, statements with lines, and payouts still expected or paid."""
    day = PnlDay.objects.filter(company=shop.company, state="settled", statement__isnull=False)
    sums = {
        key: (total, lines)
        for key, total, lines in day.values_list("statement__outside_id").annotate(t=Sum("amount"), n=Sum("lines"))
        if lines
    }
    totals = dict(Statement.objects.filter(company=shop.company, outside_id__in=sums).values_list("outside_id", "total"))
    payouts = dict(Payout.objects.filter(company=shop.company).exclude(status="cancelled").values_list("outside_id", "amount"))
    return figures(shop.company), sums, totals, payouts


def check(shop: Shop, kept: list[str], control: str) -> None:
    other = make_shop(control)
    for name in kept:
        assert import_file(shop=other, body=DOCUMENTS[name], filename=name).state == "taken"
    assert state(shop) == state(other), kept
    rebuild_rollups(company=shop.company)
    assert state(shop) == state(other), kept


@pytest.mark.parametrize(("older", "newer"), [(a, b) for a in NAMES[:4] for b in NAMES[:4] if a != b])
def test_of_two_issues_of_a_statement_each_can_be_withdrawn_and_undone(older, newer):
    shop = make_shop("harbour")
    clerk = make_clerk(shop.company)
    rows = {name: import_file(shop=shop, body=DOCUMENTS[name], filename=name) for name in (older, newer)}
    check(shop, [older, newer], "both")
    for number, (gone, left) in enumerate([(older, newer), (newer, older)]):
        taken_back = withdraw(document=rows[gone].document, reason="wrong file", user=clerk)
        check(shop, [left], f"without-{number}")
        undo_withdrawal(withdrawal=taken_back, user=clerk)
        check(shop, [older, newer], f"undone-{number}")


def play(seed: int, steps: int) -> None:
    dice = random.Random(seed)
    shop = make_shop(f"harbour-{seed}")
    clerk = make_clerk(shop.company)
    arrived: list[str] = []
    rows: dict[str, LedgerIntake] = {}
    gone: dict[str, Withdrawal] = {}
    for _step in range(steps):
        new = [name for name in NAMES if name not in rows]
        held = [name for name in arrived if name not in gone]
        choices = [
            *(("import", name) for name in new),
            *(("withdraw", name) for name in held),
            *(("undo", name) for name in gone),
        ]
        action, name = dice.choice(choices)
        if action == "import":
            rows[name] = import_file(shop=shop, body=DOCUMENTS[name], filename=name)
            assert rows[name].state == "taken"
            arrived.append(name)
        elif action == "withdraw":
            gone[name] = withdraw(document=rows[name].document, reason="wrong", user=clerk)
        else:
            undo_withdrawal(withdrawal=gone.pop(name), user=clerk)
        states = set(LedgerIntake.objects.filter(company=shop.company).values_list("state", flat=True))
        assert states <= {"taken", "withdrawn"}
    check(shop, [name for name in arrived if name not in gone], f"control-{seed}")


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_imports_withdrawals_and_undoing(seed):
    play(seed, 8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_orders_of_imports_withdrawals_and_undoing(seed):
    play(seed, 16)
