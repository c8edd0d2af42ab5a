"""A rate that comes while an import runs, and months of far time zones: base amounts are those of a rebuild."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from ledger import fee_types
from ledger.models import PnlMonth
from ledger.rollup import rebuild_rollups, rerate
from nova.models import Company, ExchangeRate
from tests.ledger.fake_channel import fake_channel, make_company, take, voucher


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    fee_types._cache.clear()
    with fake_channel():
        yield
    fee_types._cache.clear()


def base(company: Company) -> list[tuple[object, ...]]:
    return sorted(
        PnlMonth.objects.filter(company=company).values_list(
            "clock", "month", "currency", "amount", "base_amount", "unrated_amount"
        )
    )


@pytest.mark.django_db(transaction=True)
def test_a_rate_that_comes_while_the_first_foreign_money_is_imported_converts_it():
    company, shop = make_company()
    found: list[list[Company]] = []

    def rate_comes() -> None:
        ExchangeRate.objects.create(currency="USD", on_date=date(2026, 1, 2), rate=D("1.25"), source="ECB")
        found.append(rerate(currencies=["USD"], from_day=date(2026, 1, 2)))
        connection.close()

    thread = threading.Thread(target=rate_comes)
    with transaction.atomic():
        take(shop, company, "books", [voucher("statement", "S1/1", [("sale", "8")], order="O1", statement="S1", currency="EUR")])
        thread.start()
        time.sleep(0.7)
    thread.join(timeout=30)
    assert found == [[company]]
    months = base(company)
    assert [row[4:] for row in months] == [(D(10), D(0)), (D(10), D(0))]
    rebuild_rollups(company=company)
    assert base(company) == months


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "event_month", "posted_month"),
    [
        ("America/Los_Angeles", date(2026, 2, 1), date(2026, 3, 1)),
        ("Pacific/Auckland", date(2026, 3, 1), date(2026, 3, 1)),
        ("UTC", date(2026, 2, 1), date(2026, 3, 1)),
    ],
)
def test_months_end_at_midnight_of_the_company_on_every_clock(zone, event_month, posted_month):
    company, shop = make_company(time_zone=zone)
    sold, posted = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    take(
        shop,
        company,
        "books",
        [voucher("statement", "S/1", [("sale", "1")], order="O1", statement="S", event_at=sold, posted_at=posted)],
    )
    assert dict(PnlMonth.objects.filter(company=company).values_list("clock", "month")) == {
        "event": event_month,
        "posted": posted_month,
    }


@pytest.mark.django_db
def test_currencies_of_no_and_three_digits_and_large_amounts_keep_every_digit_through_late_and_corrected_rates():
    company, shop = make_company()
    amounts = {"JPY": "999999999999", "KWD": "123456789.123", "USD": "0.0001", "EUR": "-98765432101.99"}
    for currency, amount in amounts.items():
        take(
            shop,
            company,
            "books",
            [voucher("statement", f"{currency}/1", [("sale", amount)], order=currency, statement="S", currency=currency)],
        )
    assert PnlMonth.objects.filter(company=company, clock="event").exclude(unrated_amount=0).count() == 3
    for rate in ("1.1", "1.3"):  # late, then corrected
        for currency, factor in (("USD", D(1)), ("JPY", D(150)), ("KWD", D("0.3"))):
            ExchangeRate.objects.update_or_create(
                currency=currency, on_date=date(2026, 1, 3), defaults={"rate": D(rate) * factor, "source": "ECB"}
            )
        rerate(currencies=["USD", "JPY", "KWD"])
        months = base(company)
        rebuild_rollups(company=company)
        assert base(company) == months
        assert PnlMonth.objects.filter(company=company).aggregate(left=Sum("unrated_amount"))["left"] == 0
    kept = dict(PnlMonth.objects.filter(company=company, clock="event").values_list("currency", "amount"))
    assert kept == {currency: D(amount) for currency, amount in amounts.items()}
