"""Companies and shops from the command line: repeatable, and plain about what is wrong."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from channels.models import Shop
from channels.shops import find_shop
from nova.models import Company

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return caught.value


def test_a_company_is_added_once_and_saying_so_again_changes_nothing():
    told: dict[str, Any] = json.loads(run("add_company", "salt", "--currency", "eur", "--time-zone", "Europe/Berlin", "--json"))
    assert told == {"code": "salt", "name": "salt", "currency": "EUR", "time_zone": "Europe/Berlin", "created": True}
    assert "nothing changed" in run("add_company", "salt", "--currency", "EUR")
    assert Company.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("salt", "--currency", "USD"), 1, "known with currency EUR, not USD"),
        (("salt", "--currency", "EUR", "--time-zone", "Asia/Tokyo"), 1, "time zone UTC, not Asia/Tokyo"),
        (("tide", "--currency", "EURO"), 2, "currency: A currency is three capital letters"),
        (("tide", "--currency", "EUR", "--time-zone", "Atlantis"), 2, "Atlantis is not a time zone name"),
        (("a tide", "--currency", "EUR"), 2, "code: Use letters, digits"),
    ],
)
def test_other_values_and_wrong_ones_are_refused(arguments, code, message):
    run("add_company", "salt", "--currency", "EUR")
    error = refused("add_company", *arguments)
    assert message in str(error) and error.returncode == code
    assert list(Company.objects.values_list("code", "currency", "time_zone")) == [("salt", "EUR", "UTC")]


def test_a_shop_is_added_once_and_its_region_is_written_as_the_channel_does():
    run("add_company", "salt", "--currency", "EUR")
    told = json.loads(
        run("add_shop", "salt", "amz", "--channel", "amazon", "--region", "eu", "--currency", "EUR,GBP", "SEK", "--json")
    )
    assert (told["region"], told["currencies"], told["created"]) == ("EU", ["EUR", "GBP", "SEK"], True)
    assert "nothing changed" in run("add_shop", "salt", "amz", "--channel", "amazon", "--region", "EU", "--currency", "GBP")
    shop = Shop.objects.get()
    assert shop.name == "Amazon EU amz"


@pytest.mark.parametrize(
    ("channel", "said", "region"),
    [("amazon", "CA", "NA"), ("amazon", "uk", "EU"), ("amazon", "JP", "FE"), ("tiktok", "UK", "GB"), ("shopify", None, "")],
)
def test_a_country_stands_for_the_region_it_is_in_and_the_world_need_not_be_said(channel, said, region):
    run("add_company", "salt", "--currency", "EUR")
    told = json.loads(run("add_shop", "salt", "x", "--channel", channel, *(["--region", said] if said else []), "--json"))
    assert told["region"] == region


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("tide", "amz", "--channel", "amazon", "--region", "EU"), 2, "There is no company tide; there are: salt"),
        (("salt", "amz", "--channel", "bazaar", "--region", "EU"), 2, "There is no channel 'bazaar'"),
        (("salt", "amz", "--channel", "amazon", "--region", "MOON"), 2, "Amazon has no region MOON; choose --region from: NA"),
        (("salt", "amz", "--channel", "amazon"), 2, "Say which region of Amazon"),
        (("salt", "amz", "--channel", "amazon", "--region", "EU", "--currency", "EURO"), 2, "currencies"),
        (("salt", "old", "--channel", "amazon", "--region", "EU"), 1, "known with region NA, not EU"),
        (("salt", "old", "--channel", "amazon", "--region", "NA", "--currency", "CAD"), 1, "currencies USD, not CAD"),
    ],
)
def test_a_shop_that_cannot_be_is_refused_with_the_choices(arguments, code, message):
    run("add_company", "salt", "--currency", "EUR")
    run("add_shop", "salt", "old", "--channel", "amazon", "--region", "NA", "--currency", "USD")
    error = refused("add_shop", *arguments)
    assert message in str(error) and error.returncode == code
    assert Shop.objects.count() == 1


def test_a_shop_code_of_two_companies_must_be_said_with_its_company():
    for company in ("salt", "tide"):
        run("add_company", company, "--currency", "EUR")
        run("add_shop", company, "amz", "--channel", "amazon", "--region", "EU")
    with pytest.raises(LookupError, match=r"Several companies have a shop amz; write one of: salt/amz, tide/amz"):
        find_shop("amz")
    assert find_shop("tide/amz").company.code == find_shop("amz", company="tide").company.code == "tide"
    with pytest.raises(LookupError, match=r"There is no shop x of company tide. There are: tide/amz"):
        find_shop("tide/x")
    assert find_shop("tide/amz", company="tide").company.code == "tide"
    with pytest.raises(LookupError, match="tide/amz names company tide, but company salt was asked for"):
        find_shop("tide/amz", company="salt")
