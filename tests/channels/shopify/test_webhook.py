"""Messages of Shopify: only signed ones are read, each is known by its delivery, and what it makes Nova read again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.shopify import webhook
from nova.http import Permanent
from tests.channels.shopify.live import SECRET, login


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def delivery(topic: str, data: Any, **headers: str) -> tuple[bytes, dict[str, str]]:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    given = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": sign(body),
        "X-Shopify-Shop-Domain": "lantern.myshopify.com",
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Webhook-Id": "b54557e4",
        "X-Shopify-Event-Id": "98880550",
        "X-Shopify-Triggered-At": "2026-11-20T18:00:27.877041743Z",
    }
    return body, {**given, **headers}


def test_a_signed_message_says_what_to_read_again():
    message = webhook.read(*delivery("orders/updated", {"id": 820982911946154508, "name": "#1001"}), login())
    assert (message.topic, message.kind, message.order_id) == ("orders/updated", "orders", "820982911946154508")
    assert (message.delivery_id, message.event_id, message.version) == ("b54557e4", "98880550", "2026-10")
    assert message.at == datetime(2026, 11, 20, 18, 0, 27, 877041, tzinfo=UTC)
    assert not message.is_privacy and not message.ends_login


@pytest.mark.parametrize(
    ("topic", "data", "kind", "object_id", "order_id"),
    [
        ("refunds/create", {"id": 890088186047892319, "order_id": 820982911946154508}, "orders", "890088186047892319", "820982911946154508"),
        ("fulfillments/create", {"id": 123456, "order_id": 77}, "orders", "123456", "77"),
        ("orders/edited", {"order_edit": {"id": 5, "order_id": 77}}, "orders", "77", "77"),
        ("inventory_levels/update", {"inventory_item_id": 808950810, "location_id": 655441491, "available": None},
         "inventory_levels", "808950810", ""),
        ("fulfillment_orders/moved", {"original_fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/1"}},
         "fulfilment_orders", "1", ""),
        ("bulk_operations/finish", {"admin_graphql_api_id": "gid://shopify/BulkOperation/720918", "status": "completed"},
         "bulk", "720918", ""),
        ("products/update", {"id": 9}, "variants", "9", ""),
        ("app/uninstalled", {"id": 3}, "", "3", ""),
    ],
)  # fmt: skip
def test_each_topic_names_its_object(topic, data, kind, object_id, order_id):
    message = webhook.read(*delivery(topic, data), login())
    assert (message.kind, message.object_id, message.order_id) == (kind, object_id, order_id)
    assert message.ends_login == (topic == "app/uninstalled")


def test_a_message_of_an_odd_shape_is_still_known_by_its_topic():
    for topic in ("orders/edited", "fulfillment_orders/moved", "shop/redact", "inventory_levels/update"):
        data = {"order_edit": "x", "fulfillment_order": [1], "customer": 3, "id": True, "inventory_item_id": {}}
        assert webhook.read(*delivery(topic, data), login()).object_id == ""


@pytest.mark.parametrize("topic", ["customers/data_request", "customers/redact", "shop/redact"])
def test_the_privacy_topics_are_known(topic):
    message = webhook.read(*delivery(topic, {"shop_id": 954889, "customer": {"id": 191167}}), login())
    assert message.is_privacy and webhook.PRIVACY_TOPICS[topic] == 30 and message.object_id == "191167"


def test_headers_are_found_however_they_are_spelled():
    body, headers = delivery("orders/create", {"id": 1})
    for names in (
        {key.lower(): value for key, value in headers.items()},
        {"HTTP_" + key.upper().replace("-", "_"): value for key, value in headers.items()},
        {key.lower().removeprefix("x-"): value for key, value in headers.items()},
    ):
        assert webhook.read(body, names, login()).topic == "orders/create"


def test_after_a_change_of_secret_the_old_one_still_signs():
    body, headers = delivery("orders/create", {"id": 1})
    assert webhook.is_signed(body, headers, login(client_secret="new", older_secrets=(SECRET,)))
    assert not webhook.is_signed(body, headers, login(client_secret="new"))
    assert not webhook.is_signed(body, headers, login(client_secret=""))


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=5), st.integers(0, 200))
def test_no_changed_body_passes(body, more, place):
    headers = {"X-Shopify-Hmac-Sha256": sign(body)}
    assert webhook.is_signed(body, headers, login())
    assert not webhook.is_signed(body[:place] + more + body[place:], headers, login())


@pytest.mark.parametrize("told", ["", "x", "é" * 44, sign(b"other"), sign(b"", "")])
def test_a_wrong_signature_is_answered_with_401(told):
    body, headers = delivery("customers/redact", {"shop_id": 1}, **{"X-Shopify-Hmac-Sha256": told})
    with pytest.raises(Permanent) as caught:
        webhook.read(body, headers, login())
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({"id": 1}, {"X-Shopify-Shop-Domain": "other.myshopify.com"}),
        ({"id": 1}, {"X-Shopify-Shop-Domain": ""}),
        ({"id": 1}, {"X-Shopify-Topic": ""}),
        (b"{", {}),
        (b"[1]", {}),
    ],
)
def test_a_signed_message_that_makes_no_sense_is_refused(data, headers):
    with pytest.raises(Permanent):
        webhook.read(*delivery("orders/create", data, **headers), login())


def test_a_delivery_without_an_id_is_known_by_its_body():
    one, two = (webhook.read(*delivery("orders/create", {"id": n}, **{"X-Shopify-Webhook-Id": ""}), login()) for n in (1, 2))
    again = webhook.read(*delivery("orders/create", {"id": 1}, **{"X-Shopify-Webhook-Id": ""}), login())
    assert one.delivery_id == again.delivery_id != two.delivery_id


def test_the_worked_example_is_signed_as_nova_reckons():
    body = b'{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508","name":"#1001"}'
    headers = {"X-Shopify-Hmac-Sha256": "nvgt8Y16PbMvyNkVr/VXm/Xa4YTyIJaNw4b3Ff6Khbs="}
    assert webhook.is_signed(body, headers, login(client_secret="nova-test-secret"))


@pytest.mark.conformance
def test_the_signed_delivery_of_the_public_files_is_read(conformance: Path):
    example = json.loads((conformance / "facts/shopify/samples/webhooks/signed_delivery_example.json").read_text())
    given = login(shop="nova-test.myshopify.com", client_secret=example["secret"])
    message = webhook.read(example["raw_body"].encode(), example["headers"], given)
    assert (message.order_id, message.delivery_id) == ("820982911946154508", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043")
