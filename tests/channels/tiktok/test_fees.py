"""Nova's proposals for TikTok: every name that is known has one, and only categories that exist."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from channels.records import CONTEXTS
from channels.registry import fee_proposals
from channels.tiktok.breakdown import BEFORE_PIT, NETS, NOT_ITEMISED, WANDERING
from channels.tiktok.columns import PARTS
from ledger.models import FeeCategory, FeeRule, FeeType


@pytest.mark.django_db
def test_every_proposal_names_a_category_that_exists():
    known = set(FeeCategory.objects.values_list("code", flat=True))
    assert {row.category for row in fee_proposals("tiktok")} <= known
    assert {row.confidence for row in fee_proposals("tiktok")} == {"high", "medium", "low"}
    assert {row.context for row in fee_proposals("tiktok")} <= set(CONTEXTS)


def test_no_proposal_stands_twice():
    keys = Counter((row.path, row.name, row.context, row.marketplace) for row in fee_proposals("tiktok"))
    assert [key for key, number in keys.items() if number > 1] == []


def test_every_part_the_parsers_name_has_a_proposal():
    proposed = {(row.path, row.name) for row in fee_proposals("tiktok")}
    assert [part for part in PARTS if (part.path, part.name) not in proposed] == []
    names = {name for _path, name in proposed}
    assert {*BEFORE_PIT, *NETS, *WANDERING, NOT_ITEMISED} <= names


@pytest.mark.conformance
def test_every_name_of_the_fact_sheets_has_a_proposal(conformance: Path):
    names = {row.name for row in fee_proposals("tiktok")}
    with (conformance / "facts/tiktok/fee_fields.csv").open(encoding="utf-8", newline="") as handle:
        facts = {row["field"].strip() for row in csv.DictReader(handle)}
    assert facts - names == {"ORDER"}, "the type of a transaction that has no amount of its own"
    paths = {(row.path, row.name) for row in fee_proposals("tiktok")}
    with (conformance / "facts/tiktok/fee_fields.csv").open(encoding="utf-8", newline="") as handle:
        blocks = {(row["parent"], row["field"]) for row in csv.DictReader(handle) if "breakdown" in row["parent"]}
    assert blocks <= paths


def test_what_is_told_twice_is_memo_and_what_is_withheld_or_held_back_is_no_cost():
    found = {(row.path, row.name): row.category for row in fee_proposals("tiktok")}
    assert {
        category for (path, _name), category in found.items() if path.endswith("shipping_cost_breakdown.supplementary_component")
    } == {"memo"}
    assert found["reserve", "RESERVE"] == "bs.reserve"
    assert found["fee_tax_breakdown.tax", "isr_amount"] == "bs.tax_withheld"
    assert found["fee_tax_breakdown.fee", "affiliate_ads_commission_amount"] == "mkt.affiliate_ads"
    assert (
        found["fee_tax_breakdown.fee", "gmv_max_ad_fee_amount"] == found["adjustment", "GMV_PAYMENT_FOR_ADS"] == "mkt.ads_tiktok"
    )


@pytest.mark.django_db
def test_an_export_and_the_api_name_the_same_adjustment_the_same():
    from ledger.classify import matches

    rule = next(row for row in fee_proposals("tiktok") if row.name == "LOGISTICS_REIMBURSEMENT")
    made = FeeRule(channel="tiktok", path=rule.path, name=rule.name, context=rule.context)
    assert matches(made, FeeType(channel="tiktok", path="adjustment", name="Logistics reimbursement", context="adjustment"))
