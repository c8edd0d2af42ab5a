"""Nova's proposals for Amazon's fee names: every known name has one, none contradicts another, real files are covered whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from channels.adapter import Source
from channels.amazon.adapter import adapter
from channels.records import CONTEXTS
from channels.registry import fee_proposals
from ledger.classify import RuleBook, canonical, precedence
from ledger.models import FeeRule, FeeType


@cache
def book() -> RuleBook:
    """The proposals as rules, as if a company had accepted them all."""
    return RuleBook(
        FeeRule(
            channel="amazon",
            path=row.path,
            name=row.name,
            context=row.context,
            marketplace=row.marketplace,
            category_id=row.category,
            precedence=precedence(marketplace=row.marketplace, path=row.path, name=row.name, context=row.context),
        )
        for row in fee_proposals("amazon")
    )


def proposed(path: str, name: str, context: str = "") -> str:
    """The category proposed for a raw name, "" when there is none."""
    found = book().candidates(FeeType(channel="amazon", path=path, name=name, context=context))
    return str(found[0].category_id) if found else ""


def test_no_name_has_two_proposals_and_wildcards_are_marked_as_guesses():
    keys = [(canonical(row.path), canonical(row.name), row.context, row.marketplace) for row in fee_proposals("amazon")]
    assert len(keys) == len(set(keys))
    for row in fee_proposals("amazon"):
        assert row.context in CONTEXTS
        assert row.confidence in ("high", "medium", "low")
        assert "*" not in row.name or row.confidence != "high", row
        assert row.name.strip() == row.name and row.path.strip() == row.path


@pytest.mark.parametrize(
    ("path", "name", "context", "category"),
    [
        ("Order/ItemPrice", "Principal", "", "rev.product"),
        ("Refund/ItemPrice", "Principal", "", "ref.product"),
        ("A-to-z Guarantee Refund/ItemPrice", "Principal", "", "ref.goodwill"),
        ("Chargeback Refund/ItemPrice", "Principal", "", "ref.dispute"),
        ("Liquidations/ItemPrice", "Principal", "", "rmb.liquidation"),
        ("Order/ItemFees", "Commission", "", "plt.referral"),
        ("Refund/ItemFees", "Commission", "", "plt.referral"),
        ("Refund/ItemFees", "RefundCommission", "", "plt.refund_admin"),
        ("Order/Promotion", "Principal", "", "rev.discount_seller"),
        ("Refund/Promotion", "Shipping", "", "ref.discount_reversal"),
        ("Refund/Promotion", "TaxDiscount", "", "bs.tax_mp"),
        ("Order/ItemPrice", "Tax", "", "bs.tax_mp"),
        ("Order/ItemWithheldTax", "MarketplaceFacilitatorTax-Principal", "", "bs.tax_mp"),
        ("Order/ItemFees", "FBAPerUnitFulfillmentFee", "", "ful.fba"),
        ("Order/ItemFees", "FBAPerUnitFulfillmentFee", "mcf", "ful.mcf"),
        ("Order/ShipmentFees", "FBA transportation fee", "mcf", "ful.mcf"),
        ("Order/ItemFees", "A fee of tomorrow", "mcf", "ful.mcf"),
        ("Order/ItemFees", "A fee of tomorrow", "", ""),
        ("Fee Adjustment/Item Fee Adjustment", "FBAPerUnitFulfillmentFee", "", "rmb.fee_correction"),
        ("FBAFees/FBA Inventory Storage Fee", "Base fee", "", "sto.monthly"),
        ("FBAFees/FBA Inventory Storage Fee", "Tax on fee", "", "bs.tax_input"),
        ("CouponRedemptionFee/CouponRedemptionFee", "Save 10% on lanterns", "", "mkt.promo_fee"),
        ("ServiceFee/Cost of Advertising", "TransactionTotalAmount", "", "mkt.ads_amazon"),
        ("other-transaction/FBA Inventory Reimbursement", "WAREHOUSE_LOST", "", "rmb.inventory"),
        ("other-transaction/FBA Inventory Reimbursement", "COMPENSATED_CLAWBACK", "", "rmb.clawback"),
        ("other-transaction/other-transaction", "Current Reserve Amount", "", "bs.reserve"),
        ("other-transaction/other-transaction", "Payable to Amazon", "", "bs.clearing"),
        ("other-transaction/other-transaction", "Successful charge", "", "bs.clearing"),
        ("Shipment/ProductCharges", "OurPricePrincipal", "", "rev.product"),
        ("Refund/ProductCharges", "OurPricePrincipal", "", "ref.product"),
        ("Shipment/PromoRebates", "OurPriceDiscount", "", "rev.discount_seller"),
        ("Refund/PromoRebates", "OurPriceDiscount", "", "ref.discount_reversal"),
        ("Shipment/Tax", "OurPriceTax", "", "bs.tax_mp"),
        ("ProductAdsPayment/Transaction", "AdvertisingFee", "", "mkt.ads_amazon"),
    ],
)
def test_the_proposal_for_a_name_depends_on_where_it_stands(path, name, context, category):
    assert proposed(path, name, context) == category


def test_a_difference_is_never_explained_away_by_a_proposal():
    assert proposed("statement", "difference", "remainder") == ""
    assert proposed("Shipment", "not itemised", "remainder") == ""


@pytest.mark.conformance
def test_categories_are_those_of_the_chart(conformance: Path):
    with (conformance / "facts/products/fee_categories.csv").open(encoding="utf-8") as handle:
        codes = {row["code"] for row in csv.DictReader(handle)}
    assert {row.category for row in fee_proposals("amazon")} <= codes


@pytest.mark.conformance
def test_every_name_of_the_real_files_and_the_v2_sample_has_a_proposal(conformance: Path):
    files = [
        *sorted((conformance / "data/amazon_ca_settlement_v1").glob("5*.txt")),
        conformance / "data/amazon_us_v2_synthetic/settlement-sample.txt",
    ]
    assert len(files) == 8
    for path in files:
        body = path.read_bytes()
        found = adapter.recognise(body, path.name)
        assert found is not None
        parsed = adapter.parse(Source(body=body, kind=found.kind, region="NA"))
        for voucher in parsed.vouchers:
            for line in voucher.lines:
                assert proposed(line.path, line.name, line.context), (path.name, line)


def _catalogue(conformance: Path) -> Iterator[tuple[str, str, str]]:
    with (conformance / "facts/amazon/fee_types.csv").open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            code, normal, name = row["source_api"], row["normalized_category"], row["code"]
            if normal in ("container", "status", "balance", "") or row["kind"] in ("container", "status", "argument"):
                continue
            if code == "settlement_v2":
                kind, group, name = name.split("|")
                yield f"{kind}/{group}", name.replace("(coupon title)", "Spring sale").replace("(any)", "Barcode missing"), normal
            elif code == "finances_2024-06-19" and row["field"] == "breakdownType":
                yield "Shipment/AmazonFees", name, normal
            elif code == "finances_v0" and row["field"] in ("ChargeType", "FeeType", "AdjustmentType", "DirectPaymentType"):
                yield "Shipment/Item", name, normal


@pytest.mark.conformance
def test_every_known_fee_name_has_a_proposal(conformance: Path):
    names = list(_catalogue(conformance))
    assert len(names) > 450
    missing = [(path, name, normal) for path, name, normal in names if not proposed(path, name)]
    assert missing == []


@pytest.mark.conformance
def test_the_australian_catalogue_is_covered(conformance: Path):
    """All 137 keys; the target fields there are one vendor's opinion and are not compared."""
    folder = conformance / "data/fee_catalogue_amazon_au"
    expected = json.loads((folder / "amazon_settlement_configs_au.expected.json").read_text())
    with (folder / "amazon_settlement_configs_au.csv").open(encoding="utf-8") as handle:
        keys = {(row["transaction_type"], row["amount_type"], row["amount_description"]) for row in csv.DictReader(handle)}
    assert len(keys) == expected["distinct_keys"]
    assert [key for key in keys if not proposed(f"{key[0]}/{key[1]}", key[2].replace("any", "Whatever"))] == []
