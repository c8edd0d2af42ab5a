"""Exchange rates from hand-written files in the formats of the European Central Bank."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ledger.pnl import Question, answer
from nova.models import ExchangeRate
from nova.rates import Rate, RatesError, read_rates, store_rates
from tests.ledger.fake_channel import fake_channel, make_company, take, voucher

pytestmark = pytest.mark.django_db
FOLDER = Path(__file__).parent / "rates"
JANUARY, FEBRUARY = date(2026, 1, 2), date(2026, 2, 10)


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


def test_xml_holds_the_rates_of_each_day():
    assert set(read_rates((FOLDER / "daily.xml").read_bytes())) == {
        Rate("USD", FEBRUARY, D("1.25")),
        Rate("GBP", FEBRUARY, D("0.85")),
        Rate("USD", JANUARY, D("1.1")),
    }


def test_csv_history_leaves_out_what_is_not_available():
    assert set(read_rates((FOLDER / "history.csv").read_bytes())) == {
        Rate("USD", FEBRUARY, D("1.25")),
        Rate("JPY", FEBRUARY, D("180.5")),
        Rate("USD", JANUARY, D("1.1")),
    }


def test_daily_csv_writes_its_day_in_words_and_comes_as_a_zip():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(FOLDER / "daily.csv", "eurofxref.csv")
    expected = {Rate("USD", FEBRUARY, D("1.25")), Rate("JPY", FEBRUARY, D("180.5"))}
    assert set(read_rates((FOLDER / "daily.csv").read_bytes())) == set(read_rates(packed.getvalue())) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "first column"),
        (b"Date,USD\n", "no exchange rates"),
        (b"Date,USD\n2026-13-01,1.1\n", "Line 2: '2026-13-01' is no day"),
        (b"Date,USD\n2026-01-02,about one\n", "Line 2: the rate of USD"),
        (b"Date,USD\n2026-01-02,-1\n", "not above zero"),
        (b"Date,USD\n2026-01-02,1.1\n2026-01-02,1.2\n", "two rates of USD for 2026-01-02"),
        (b"\x89PNG", "neither XML nor text"),
        (b"<html><p>Not found</html>", "cannot be read"),
        (b"<html><p>Not found</p></html>", "no exchange rates"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "cannot be read"),
        (b"PK\x03\x04broken", "ZIP cannot be read"),
    ],
)
def test_a_file_of_another_kind_gets_a_plain_reason(body, reason):
    with pytest.raises(RatesError, match=reason):
        read_rates(body)


def test_storing_again_changes_nothing_and_staff_rates_stay():
    ExchangeRate.objects.create(currency="USD", on_date=JANUARY, rate=D("1.2"), source="staff")
    rates = read_rates((FOLDER / "history.csv").read_bytes())
    first = store_rates(rates)
    assert (first.new, first.changed, first.unchanged, first.kept, first.first_day) == (2, 0, 0, 1, FEBRUARY)
    again = store_rates(rates)
    assert (again.new, again.changed, again.unchanged, again.kept, again.first_day) == (0, 0, 2, 1, None)
    assert ExchangeRate.objects.get(currency="USD", on_date=JANUARY).rate == D("1.2")
    corrected = store_rates([Rate("JPY", FEBRUARY, D("181"))])
    assert (corrected.changed, corrected.currencies, corrected.first_day) == (1, {"JPY"}, FEBRUARY)


def test_importing_rates_converts_the_money_that_waited_for_them(tmp_path):
    company, shop = make_company(currency="USD")
    day = datetime(2026, 2, 11, 12, tzinfo=UTC)
    record = voucher("statement", "S1/1", [("sale", "10")], order="O1", statement="S1", currency="EUR", event_at=day)
    take(shop, company, "books", [record])
    before = answer(Question(company, ()))
    assert before.unrated == (("EUR", D(10)),)
    assert before.cells[0].amount == 0
    out = io.StringIO()
    call_command("import_rates", str(FOLDER / "daily.xml"), "--json", stdout=out)
    figures = json.loads(out.getvalue())
    assert figures["companies"] == [company.code]
    assert (figures["new"], figures["currencies"], figures["first_day"]) == (3, ["GBP", "USD"], "2026-01-02")
    after = answer(Question(company, ()))
    assert (after.unrated, after.cells[0].amount) == ((), D("12.5"))
    out = io.StringIO()
    call_command("import_rates", str(FOLDER / "daily.xml"), "--json", stdout=out)
    assert json.loads(out.getvalue())["companies"] == []


def test_the_command_says_what_is_wrong_with_a_file(tmp_path):
    with pytest.raises(CommandError, match="cannot be read") as missing:
        call_command("import_rates", str(tmp_path / "none.xml"))
    assert missing.value.returncode == 2
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("Day,USD\n")
    with pytest.raises(CommandError, match=r"wrong.csv: Line 1"):
        call_command("import_rates", str(wrong))
