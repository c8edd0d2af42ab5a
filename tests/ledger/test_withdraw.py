"""Withdrawing an import takes everything it said out of the books, and can be undone."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from django.db.models import Sum

from channels.models import Shop
from ledger.intake import WithdrawalRefused, import_file, undo_withdrawal, withdraw, withdrawal_preview
from ledger.models import LedgerIntake, Payout, PnlDay, Statement
from nova.models import Company, User
from tests.channels.amazon.test_settlement import row, settlement, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def harbour() -> Company:
    return Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")


@pytest.fixture
def clerk() -> User:
    return User.objects.create_user("carla", password="not-used-here-1")


def shop_of(company: Company, code: str) -> Shop:
    return Shop.objects.create(company=company, code=code, name=f"Amazon {code}", channel="amazon", region="NA")


def money(company: Company) -> tuple[D, int]:
    found = PnlDay.objects.filter(company=company).aggregate(money=Sum("amount"), lines=Sum("lines"))
    return found["money"] or D(0), found["lines"] or 0


def import_settlement(shop: Shop, *, total: str = "17.00", **more: object) -> LedgerIntake:
    rows = settlement([row("20.00"), row("-3.00", name="Commission", group="ItemFees")], total=total)
    return import_file(shop=shop, body=text(rows).encode(), filename="settlement.txt", **more)  # type: ignore[arg-type]


def test_withdrawing_empties_the_books_and_undoing_fills_them_again(harbour: Company, clerk: User) -> None:
    intake = import_settlement(shop_of(harbour, "harbour-us"))
    before = money(harbour)
    assert (intake.state, before) == ("taken", (D(17), 2))
    preview = withdrawal_preview(document=intake.document)
    assert (preview.lines, preview.amounts) == (2, {"USD": D(17)})
    withdrawal = withdraw(document=intake.document, reason="Uploaded to the wrong shop", user=clerk)
    assert money(harbour) == (D(0), 0)
    assert not Statement.objects.get(company=harbour).complete
    assert [payout.status for payout in Payout.objects.filter(company=harbour)] in ([], ["cancelled"])
    undo_withdrawal(withdrawal=withdrawal, user=clerk)
    assert money(harbour) == before
    assert Statement.objects.get(company=harbour).complete
    assert "cancelled" not in [payout.status for payout in Payout.objects.filter(company=harbour)]


def test_a_withdrawn_remainder_goes_with_the_lines(harbour: Company, clerk: User) -> None:
    intake = import_settlement(shop_of(harbour, "harbour-us"), total="18.00", accept_difference=True)
    assert money(harbour) == (D(18), 3)
    withdraw(document=intake.document, reason="Cut off", user=clerk)
    assert money(harbour) == (D(0), 0)


def test_after_a_withdrawal_the_right_shop_is_not_doubted(harbour: Company, clerk: User) -> None:
    wrong, right = shop_of(harbour, "harbour-ca"), shop_of(harbour, "harbour-us")
    intake = import_settlement(wrong)
    assert import_settlement(right).state == "asking"
    withdraw(document=intake.document, reason="Wrong shop", user=clerk)
    LedgerIntake.objects.filter(company=harbour, document__shop=right).update(state="waiting")
    assert import_settlement(right).state == "taken"
    assert money(harbour) == (D(17), 2)


def test_a_withdrawal_needs_a_reason_and_a_taken_document(harbour: Company, clerk: User) -> None:
    intake = import_settlement(shop_of(harbour, "harbour-us"))
    with pytest.raises(WithdrawalRefused, match="Say why"):
        withdraw(document=intake.document, reason=" ", user=clerk)
    withdraw(document=intake.document, reason="Twice", user=clerk)
    with pytest.raises(WithdrawalRefused, match="nothing to withdraw"):
        withdraw(document=intake.document, reason="Twice", user=clerk)
