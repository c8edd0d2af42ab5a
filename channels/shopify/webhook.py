"""Messages that Shopify sends: whether one is signed, what it is about, by which word a second delivery is known.

Only the body is signed. Topic, store and time are headers that anybody could write who replays a body: what a message says about
money or stock is looked up by API before Nova acts on it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.shopify.auth import Login, shop_domain
from nova.http import Permanent

#: Topics that Shopify demands of every app, with the days within which they must be done.
PRIVACY_TOPICS: Mapping[str, int] = {"customers/data_request": 30, "customers/redact": 30, "shop/redact": 30}
UNINSTALLED = "app/uninstalled"
#: Beginning of a topic -> what it makes Nova read again (kinds of `client.pages`); "" for what is none of these.
_ABOUT: tuple[tuple[str, str], ...] = (
    ("orders/", "orders"),
    ("refunds/", "orders"),
    ("order_transactions/", "orders"),
    ("returns/", "orders"),
    ("fulfillments/", "orders"),
    ("fulfillment_orders/", "fulfilment_orders"),
    ("inventory_levels/", "inventory_levels"),
    ("inventory_items/", "inventory_items"),
    ("products/", "variants"),
    ("locations/", "locations"),
    ("disputes/", "balance_transactions"),
    ("tender_transactions/", "balance_transactions"),
    ("bulk_operations/", "bulk"),
)


@dataclass(frozen=True)
class Message:
    """One delivery. `delivery_id` is the same on its repetitions, `event_id` in all deliveries of one event.

    `kind` is what to read again, "" where the message itself says all; `object_id` and `order_id` are Shopify's numbers as text,
    "" where none is told; `at` is when it happened, aware, by a header that is not signed.
    """

    topic: str
    shop: str
    delivery_id: str
    event_id: str
    version: str
    at: datetime | None
    kind: str
    object_id: str
    order_id: str

    @property
    def is_privacy(self) -> bool:
        """Whether a buyer or a merchant asks for data, or for its deletion."""
        return self.topic in PRIVACY_TOPICS

    @property
    def ends_login(self) -> bool:
        """Whether the app was removed from the store: the login is void from now on."""
        return self.topic == UNINSTALLED


def is_signed(body: bytes, headers: Mapping[str, str], login: Login) -> bool:
    """Whether the raw body carries the signature of the app's secret, or of one that was changed lately.

    Takes the same time wherever a wrong signature differs. Answer 401 when it is not.
    """
    told = _header(headers, "hmac-sha256").strip().encode("ascii", "replace")
    good = False
    for secret in (login.client_secret, *login.older_secrets):
        if secret:
            right = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
            good |= hmac.compare_digest(right, told)
    return good


def read(body: bytes, headers: Mapping[str, str], login: Login) -> Message:
    """What a delivery is about. The signature is checked first, before anything is read.

    Raises:
        Permanent: not signed, of another store, or not what Shopify sends; `status` is what to answer with.
    """
    if not is_signed(body, headers, login):
        raise Permanent("The message is not signed with this app's secret.", status=401)
    topic = _header(headers, "topic").strip().lower()
    shop = _header(headers, "shop-domain")
    if not topic or shop_domain(shop) != shop_domain(login.shop):
        raise Permanent("The message is for another store, or says not what it is about.", status=400)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Permanent("The message is no JSON.", status=400) from None
    if not isinstance(data, dict):
        raise Permanent("The message is no JSON object.", status=400)
    kind = next((kind for beginning, kind in _ABOUT if topic.startswith(beginning)), "")
    return Message(
        topic=topic,
        shop=shop_domain(shop),
        # A delivery without an id is known by its body: the same words are the same message.
        delivery_id=_header(headers, "webhook-id") or hashlib.sha256(f"{topic}\n".encode() + body).hexdigest(),
        event_id=_header(headers, "event-id"),
        version=_header(headers, "api-version"),
        at=_moment(_header(headers, "triggered-at")),
        kind=kind,
        object_id=_object_id(topic, data),
        order_id=_order_id(topic, data),
    )


def _header(headers: Mapping[str, str], name: str) -> str:
    """A header by the old name (X-Shopify-Topic) or the new one (shopify-topic), however it is spelled."""
    for key, value in headers.items():
        plain = key.lower().replace("_", "-").removeprefix("http-")
        if plain in (f"x-shopify-{name}", f"shopify-{name}"):
            return str(value)
    return ""


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _number(value: Any) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text.rsplit("/", 1)[-1].split("?", 1)[0]


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def _object_id(topic: str, data: Mapping[str, Any]) -> str:
    if topic.startswith("inventory_levels/"):
        return _number(data.get("inventory_item_id"))
    if topic.startswith("bulk_operations/"):
        return _number(data.get("admin_graphql_api_id"))
    if topic.startswith("fulfillment_orders/"):
        return _number((_part(data, "fulfillment_order") or _part(data, "original_fulfillment_order")).get("id"))
    if topic in PRIVACY_TOPICS:
        return _number(_part(data, "customer").get("id") or data.get("shop_id"))
    if topic == "orders/edited":
        return _number(_part(data, "order_edit").get("order_id"))
    return _number(data.get("id") or data.get("admin_graphql_api_id"))


def _order_id(topic: str, data: Mapping[str, Any]) -> str:
    if topic == "orders/edited":
        return _number(_part(data, "order_edit").get("order_id"))
    if topic.startswith("orders/"):
        return _number(data.get("id"))
    return _number(data.get("order_id"))
