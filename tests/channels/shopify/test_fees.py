"""The proposals of fees.csv: every name that a document can bring, one row each, with categories that exist."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from channels.records import CONTEXTS
from channels.registry import fee_proposals
from ledger.models import FeeCategory
from tests.channels.shopify.market import market
from tests.channels.shopify.reading import read
from tests.channels.shopify.test_law import category_of


@pytest.mark.django_db
def test_every_proposed_category_exists_and_no_name_is_proposed_twice():
    rows = fee_proposals("shopify")
    assert {row.category for row in rows} <= set(FeeCategory.objects.values_list("code", flat=True))
    assert len({(row.path, row.name, row.context, row.marketplace) for row in rows}) == len(rows)
    assert {row.context for row in rows} <= set(CONTEXTS)
    assert {row.confidence for row in rows} <= {"high", "medium", "low"}
    assert all(row.category != "adj.unmapped" for row in rows)


def test_all_that_the_market_tells_has_a_category():
    store = market()
    for name in ("balance_json", "balance_csv", "orders_json", "orders_csv"):
        for voucher in read(getattr(store, name)()).vouchers:
            for line in voucher.lines:
                assert category_of(line.path, line.name, line.context) != "unmapped", line


def test_gateways_are_clearing_but_gift_cards_their_liability():
    assert category_of("order/payment", "klarna", "") == "bs.clearing"
    assert category_of("order/payment", "gift_card", "") == "bs.giftcard"
    assert category_of("refund/payment", "Shopify Store Credit", "") == "bs.giftcard"
    assert category_of("balance/fee", "SOMETHING_NEW", "") == "pay.processing"
    assert category_of("balance", "SOMETHING_NEW", "") == "unmapped"
    assert category_of("order/tax", "tax", "tax_unknown") == "bs.tax_own"
    assert category_of("order/other", "not itemised", "remainder") == "unmapped"


@pytest.mark.conformance
def test_every_type_of_the_published_schema_and_of_the_fact_sheet_is_covered(conformance: Path):
    with (conformance / "facts/shopify/fee_types.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    names = {row["value"] for row in rows if row["kind"] == "balance_transaction_type"}
    schema = (conformance / "facts/shopify/schema/nova_subset_2026-10.graphql").read_text()
    match = re.search(r"enum ShopifyPaymentsTransactionType \{(.*?)\}", schema, re.DOTALL)
    assert match is not None
    names |= set(match[1].split())
    assert len(names) == 172
    proposed = {row.name for row in fee_proposals("shopify") if row.path == "balance"}
    assert names <= proposed
    authority = conformance / "facts/products/fee_categories.csv"
    with authority.open(encoding="utf-8", newline="") as handle:
        codes = {row["code"] for row in csv.DictReader(handle)}
    assert {row.category for row in fee_proposals("shopify")} <= codes
