"""Messages that TikTok sends by itself: whether they are TikTok's, what they are about, and by what to know them again.

A signature has no moment in it, so an old message can be sent again by anybody who saw it: know it by its id, and read the
state that it is about through the API instead of believing the message. There is none about money: statements are polled.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

#: type -> (topic, noun, name of the id in `data`)
_TOPICS: Mapping[int, tuple[str, str, str]] = {
    1: ("ORDER_STATUS_CHANGE", "order", "order_id"),
    2: ("REVERSE_STATUS_UPDATE", "order", "order_id"),
    3: ("RECIPIENT_ADDRESS_UPDATE", "order", "order_id"),
    4: ("PACKAGE_UPDATE", "package", "package_id"),
    5: ("PRODUCT_STATUS_CHANGE", "product", "product_id"),
    6: ("SELLER_DEAUTHORIZATION", "login", ""),
    7: ("UPCOMING_AUTHORIZATION_EXPIRATION", "login", ""),
    11: ("CANCELLATION_STATUS_CHANGE", "cancellation", "cancel_id"),
    12: ("RETURN_STATUS_CHANGE", "return", "return_id"),
    13: ("NEW_CONVERSATION", "conversation", "conversation_id"),
    14: ("NEW_MESSAGE", "conversation", "conversation_id"),
    15: ("PRODUCT_INFORMATION_CHANGE", "product", "product_id"),
    16: ("PRODUCT_CREATION", "product", "product_id"),
    18: ("PRODUCT_CATEGORY_CHANGE", "product", "product_id"),
    24: ("FBT_INVENTORY", "sku", "sku_id"),
    27: ("INVENTORY_STATUS", "product", "product_id"),
    33: ("NEW_MESSAGE_LISTENER", "conversation", "conversation_id"),
    36: ("INVOICE_STATUS_CHANGE", "package", "package_id"),
    37: ("PRODUCT_AUDIT_STATUS_CHANGE", "product", "product_id"),
}
DEAUTHORIZED = 6
EXPIRING = 7


class NotAMessage(ValueError):
    """The body is signed but is no message of TikTok's shape."""


@dataclass(frozen=True)
class Message:
    """A message. `topic` is "" for a type that is not known, `noun` what it is about ("" then too), `ids` the things meant.

    `order_ids` are orders that the message names beside or as that. `dedupe_id` is the same for every copy of the message.
    """

    type: int
    topic: str
    noun: str
    ids: tuple[str, ...]
    order_ids: tuple[str, ...]
    shop_id: str
    seller_open_id: str
    sent_at: datetime | None
    dedupe_id: str

    @property
    def withdraws(self) -> bool:
        """The seller took the app's permission back."""
        return self.type == DEAUTHORIZED


def signature(app_key: str, app_secret: str, body: bytes) -> str:
    """What TikTok writes into the header `Authorization` of a message with this raw body."""
    return hmac.new(app_secret.encode(), app_key.encode() + body, hashlib.sha256).hexdigest()


def is_genuine(app_key: str, app_secret: str, body: bytes, authorization: str) -> bool:
    """Whether a message is TikTok's, by its raw body and its header `Authorization`; answer 401 if not."""
    if not app_secret:
        return False
    told = authorization.strip().lower().encode("utf-8", "replace")
    return hmac.compare_digest(signature(app_key, app_secret, body).encode(), told)


def read(body: bytes) -> Message:
    """What a genuine message says. Types and names that are not known are no failure.

    Raises:
        NotAMessage: it is not JSON, or has no type.
    """
    try:
        told = orjson.loads(body)
        kind = int(told["type"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise NotAMessage("The body is not a message of TikTok's.") from None
    data = told.get("data")
    if isinstance(data, str):  # seen at old topics: the data as JSON within JSON
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            data = {}
    data = data if isinstance(data, dict) else {}
    topic, noun, name = _TOPICS.get(kind, ("", "", ""))
    return Message(
        type=kind,
        topic=topic,
        noun=noun,
        ids=_ids(data, name) if name else (),
        order_ids=_orders(data),
        shop_id=_text(told.get("shop_id")),
        seller_open_id=_text(told.get("seller_open_id")),
        sent_at=_moment(told.get("timestamp")),
        dedupe_id=_text(told.get("tts_notification_id")) or f"sha256:{hashlib.sha256(body).hexdigest()}",
    )


def _ids(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    rows = [data, *(row for row in _list(data.get("package_list")) if isinstance(row, dict))]
    return tuple(dict.fromkeys(found for row in rows if (found := _text(row.get(name)))))


def _orders(data: Mapping[str, Any]) -> tuple[str, ...]:
    found = [_text(data.get("order_id"))]
    for row in [data, *(row for row in _list(data.get("package_list")) if isinstance(row, dict))]:
        for name in ("order_ids", "order_id_list"):
            found += [_text(order) for order in _list(row.get(name)) if not isinstance(order, (dict, list))]
    return tuple(dict.fromkeys(order for order in found if order))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value in (None, 0, "0") or isinstance(value, (dict, list)) else str(value).strip()


def _moment(value: Any) -> datetime | None:
    text = str(value or "")
    if not text.isdigit():
        return None
    seconds = int(text)
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds > 10**11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
