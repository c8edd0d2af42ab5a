"""Shopify's words in one spelling: transaction types of API, old API and exports; gateways; orders that other channels pushed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

#: Types of the old API and of the exports -> the type of the GraphQL schema that says the same. Of (minus, plus) the sign decides.
_TYPES: dict[str, tuple[str, str]] = {
    "CAPTURE": ("CHARGE", "CHARGE"),
    "PAYOUT": ("TRANSFER", "TRANSFER"),
    "PAYOUT_FAILURE": ("TRANSFER_FAILURE", "TRANSFER_FAILURE"),
    "PAYOUT_CANCELLATION": ("TRANSFER_CANCEL", "TRANSFER_CANCEL"),
    "DISPUTE": ("DISPUTE_WITHDRAWAL", "DISPUTE_REVERSAL"),
    "CHARGEBACK": ("DISPUTE_WITHDRAWAL", "DISPUTE_REVERSAL"),
    "CHARGEBACK_WON": ("DISPUTE_REVERSAL", "DISPUTE_REVERSAL"),
    "RESERVE": ("RESERVED_FUNDS", "RESERVED_FUNDS"),
}
#: Reasons of general debits and credits -> (type of a debit, type of a credit).
_REASONS: dict[str, tuple[str, str]] = {
    "tax_adjustment": ("TAX_ADJUSTMENT_DEBIT", "TAX_ADJUSTMENT_CREDIT"),
    "billing": ("BILLING_DEBIT", "BILLING_DEBIT_REVERSAL"),
    "channel_transfer": ("CHANNEL_TRANSFER_DEBIT", "CHANNEL_TRANSFER_CREDIT"),
    "shop_cash": ("SHOP_CASH_CREDIT_REVERSAL", "SHOP_CASH_CREDIT"),
    "shop_cash_refund": ("SHOP_CASH_REFUND_DEBIT", "SHOP_CASH_REFUND_DEBIT_REVERSAL"),
    "shop_cash_campaign_billing": ("SHOP_CASH_CAMPAIGN_BILLING_DEBIT", "SHOP_CASH_CAMPAIGN_BILLING_CREDIT"),
    "shopify_collective_credit": ("SHOPIFY_COLLECTIVE_CREDIT_REVERSAL", "SHOPIFY_COLLECTIVE_CREDIT"),
    "shopify_collective_debit": ("SHOPIFY_COLLECTIVE_DEBIT", "SHOPIFY_COLLECTIVE_DEBIT_REVERSAL"),
    "chargeback_protection": ("CHARGEBACK_PROTECTION_DEBIT", "CHARGEBACK_PROTECTION_CREDIT"),
    "anomaly": ("ANOMALY_DEBIT", "ANOMALY_CREDIT"),
}
#: Types that say no more than a sign: their reason tells what they are.
_GENERAL = frozenset({"ADJUSTMENT", "CREDIT", "DEBIT"})
#: The payout itself; it leaves the account and is no fee line (Nova makes the statement and the payout of it).
TRANSFER = "TRANSFER"

_NOT_A_WORD = re.compile(r"[^0-9A-Za-z]+")


def upper_word(text: str) -> str:
    """ "chargeback won" as "CHARGEBACK_WON"."""
    return _NOT_A_WORD.sub("_", text).strip("_").upper()


def lower_word(text: str) -> str:
    """ "Shopify Payments" as "shopify_payments"."""
    return _NOT_A_WORD.sub("_", text).strip("_").lower()


def transaction_type(raw: str, reason: str, amount: Decimal) -> str:
    """The name of a balance transaction as the schema of 2026-10 spells it; a type that is not known stays as it is.

    General types with a reason that has no type of its own become "ADJUSTMENT/<reason>".
    """
    name = upper_word(raw)
    side = 0 if amount < 0 else 1
    if name in _TYPES:
        return _TYPES[name][side]
    why = lower_word(reason)
    if name in _GENERAL and why:
        return _REASONS[why][side] if why in _REASONS else f"{name}/{why}"
    return name


_TEST_GATEWAYS = {"bogus", "for_testing_bogus_gateway", "bogus_gateway", "shopify_payments_test"}


def is_test_gateway(gateway: str) -> bool:
    """Whether a payment was made with Shopify's gateway for tests."""
    return lower_word(gateway) in _TEST_GATEWAYS


# An app, source or payment gateway that begins like this is the channel's own; "amazon_pay" is a wallet of the own checkout.
_PUSHED_SOURCE = re.compile(r"^(tiktok|amazon)(?!_?pay)")
# A tag counts when only a channel app would write it: a bare "tiktok" may say no more than where a buyer came from, and
# "amazon_fba" or "mcf" that Amazon shipped an order of the shop's own.
_PUSHED_TAG = re.compile(
    r"^(?:(tiktok)_?(?:shop|order|orders|orderid|order_id|seller)(?:_.*|[0-9]+)?"
    r"|(amazon)_?(?:order|orders|orderid|order_id|marketplace|com|co_uk)(?:_.*|[0-9]+)?)$"
)
# With an order that such an app made, the bare name of a channel as a tag is enough.
_CONNECTOR = re.compile(r"marketplace|connect|channel_?engine|sync|feed|cedcommerce|codisto|linnworks|m2e|sellbrite")
_LABELS = {"tiktok": "TikTok", "amazon": "Amazon"}


def pushed_from(*, sources: Iterable[str], gateways: Iterable[str], tags: Iterable[str]) -> str:
    """The channel whose app pushed an order into Shopify ("TikTok", "Amazon"), "" for the shop's own orders.

    `sources` are source name, app name and attribution handle. Such an order is counted on its own channel.
    """
    connected = False
    for source in sources:
        word = lower_word(source)
        connected = connected or _CONNECTOR.search(word) is not None
        if match := _PUSHED_SOURCE.match(word):
            return _LABELS[match[1]]
    for gateway in gateways:
        if match := _PUSHED_SOURCE.match(lower_word(gateway)):
            return _LABELS[match[1]]
    for tag in tags:
        word = lower_word(tag)
        if match := _PUSHED_TAG.match(word):
            return _LABELS[match[1] or match[2]]
        if connected and word in _LABELS:
            return _LABELS[word]
    return ""


_SAMPLE_TAG = re.compile(r"(^|_)(samples?|gifting|gifted|seeding|creator|influencer|replacements?|exchange|warranty|pr_box)(_|$)")


def is_sample_tag(tags: Iterable[str]) -> bool:
    """Whether tags say that goods were given away or replaced rather than sold (MONEY.md rule 16)."""
    return any(_SAMPLE_TAG.search(lower_word(tag)) for tag in tags)
