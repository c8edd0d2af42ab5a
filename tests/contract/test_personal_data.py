"""Buyer data never enters a document: real-looking orders of every channel that sends any."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.adapter import Source
from channels.registry import adapters, get_adapter

SECRETS = ["ada.lovelace@example.org", "Ada Lovelace", "12 St James's Square", "+44 20 7946 0958", "SW1Y 4JH"]
_ADDRESS = {
    "name": "Ada Lovelace",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "address1": "12 St James's Square",
    "zip": "SW1Y 4JH",
    "phone": "+44 20 7946 0958",
    "countryCodeV2": "GB",
}
_MONEY = {"shopMoney": {"amount": "20.00", "currencyCode": "GBP"}}
#: (channel, kind, body): one per way in which a channel tells about buyers. A new channel that does adds its own.
SAMPLES = [
    (
        "shopify",
        "orders",
        json.dumps(
            {
                "data": {
                    "orders": {
                        "nodes": [
                            {
                                "id": "gid://shopify/Order/1",
                                "name": "#1001",
                                "createdAt": "2026-05-01T10:00:00Z",
                                "email": "ada.lovelace@example.org",
                                "phone": "+44 20 7946 0958",
                                "note": "Ring Ada Lovelace first",
                                "totalPriceSet": _MONEY,
                                "customer": {"id": "gid://shopify/Customer/7", "displayName": "Ada Lovelace"},
                                "shippingAddress": _ADDRESS,
                                "billingAddress": _ADDRESS,
                                "lineItems": {"nodes": []},
                            }
                        ]
                    }
                }
            }
        ).encode(),
    ),
    (
        "shopify",
        "orders_export",
        b"Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Created at,Lineitem quantity,Lineitem name,"
        b"Lineitem price,Lineitem sku,Billing Name,Billing Street,Shipping Zip,Shipping Phone,Notes\n"
        b"#1001,ada.lovelace@example.org,paid,2026-05-01 10:00:00 +0000,GBP,20.00,0.00,0.00,20.00,2026-05-01 10:00:00 +0000,1,Lantern,"
        b"20.00,LANTERN-1,Ada Lovelace,12 St James's Square,SW1Y 4JH,+44 20 7946 0958,Ring Ada Lovelace first\n",
    ),
]


BY_CHANNEL = pytest.mark.parametrize(("channel", "kind", "body"), [sample for sample in SAMPLES if sample[0] in adapters()])
words = st.text("abcdefghijklmnopqrstuvwxyzäéß", min_size=8, max_size=14)


@BY_CHANNEL
def test_no_word_of_the_buyer_is_kept_whoever_it_is(channel, kind, body):
    adapter = get_adapter(channel)

    @settings(max_examples=25, deadline=None)
    @given(first=words, last=words, street=words, number=st.integers(10**9, 10**10 - 1))
    def holds(first: str, last: str, street: str, number: int) -> None:
        secrets = [
            f"{first}.{last}@example.org",
            f"{first.title()} {last.title()}",
            f"12 {street.title()}",
            f"+44 {number}",
            "SW1Y 4JH",
        ]
        told = body.decode()
        for known, secret in zip(SECRETS, secrets):
            told = told.replace(known, secret)
        kept, records = adapter.separate_personal_data(Source(body=told.encode(), kind=kind))
        assert records and {record.order for record in records} == {"#1001"}
        for secret in secrets:
            assert secret.encode() not in kept, secret
            assert any(secret in value for record in records for value in record.values.values())
        again, more = adapter.separate_personal_data(Source(body=kept, kind=kind))
        assert again == kept and not more

    holds()


@BY_CHANNEL
def test_what_is_kept_is_still_recognised_as_what_it_was(channel, kind, body):
    adapter = get_adapter(channel)
    before = adapter.recognise(body, "")
    assert before is not None and before.kind == kind
    kept, _records = adapter.separate_personal_data(Source(body=body, kind=kind))
    after = adapter.recognise(kept, "")
    assert after is not None and (after.kind, after.outside_id, after.headers) == (before.kind, before.outside_id, before.headers)
