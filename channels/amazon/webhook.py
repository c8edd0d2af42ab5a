"""Amazon's notifications: what a message is about, so that it can be read anew.

Amazon sends them to a queue (SQS) or an event bus of the seller's app, never to an address of Nova. There is no signature:
who may write into the queue is its policy's business, so only messages out of the app's own queue belong here. Messages come
more than once and out of order, and say less than the API: they are hints, and nothing is booked from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova.http import Surprise

_MOST_BYTES = 1024 * 1024

#: type of a notification -> (what to read anew, the field that names it)
_SUBJECTS = {
    "ORDERCHANGE": ("order", "amazonorderid"),
    "FBAINVENTORYAVAILABILITYCHANGES": ("fba_inventory", "sku"),
    "FULFILLMENTORDERSTATUS": ("outbound_order", "sellerfulfillmentorderid"),
    "TRANSACTIONUPDATE": ("finances", ""),
    "REPORTPROCESSINGFINISHED": ("report", "reportid"),
    "LISTINGSITEMMFNQUANTITYCHANGE": ("listing", "sku"),
    "LISTINGSITEMSTATUSCHANGE": ("listing", "sku"),
    "LISTINGSITEMSTATUSCHANGED": ("listing", "sku"),
    "LISTINGSITEMISSUESCHANGE": ("listing", "sku"),
}


@dataclass(frozen=True)
class Notice:
    """A message: `subject` is what to read anew ("" for nothing that Nova reads), `subject_id` its id where it names one.

    `notification_id` is the same whenever the message comes again. `happened_at` is as Amazon wrote it.
    """

    kind: str
    notification_id: str
    seller_id: str
    subject: str
    subject_id: str
    marketplace_id: str
    happened_at: str


def read_notification(body: bytes) -> Notice:
    """What a message of the queue, or an event of the bus, is about. Names of fields are taken in any case.

    Raises:
        Surprise: not JSON, or no notification of Amazon, or one without an id.
    """
    if len(body) > _MOST_BYTES:
        raise Surprise("A message of the queue is larger than any notification.")
    try:
        data = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Surprise("A message of the queue is no JSON.") from None
    if isinstance(data, dict) and isinstance(data.get("detail"), dict):
        data = data["detail"]  # as the event bus wraps it
    head = _folded(data)
    about, payload = _folded(head.get("notificationmetadata")), head.get("payload")
    kind, number = str(head.get("notificationtype") or ""), str(about.get("notificationid") or "")
    if not kind or not number or not isinstance(payload, dict):
        raise Surprise("A message of the queue is no notification of Amazon.")
    subject, field = _SUBJECTS.get(kind.replace("_", "").upper(), ("", ""))
    # The payload may be wrapped once more under the notification's own name.
    (inner,) = payload.values() if len(payload) == 1 else (payload,)
    facts = _folded(inner if isinstance(inner, dict) else payload)
    about_seller, summary = _folded(facts.get("sellingpartnermetadata")), _folded(facts.get("summary"))
    return Notice(
        kind[:100],
        number[:200],
        _text(facts.get("sellerid")) or _text(about_seller.get("sellingpartnerid")),
        subject,
        _text(facts.get(field)) if field else "",
        next(filter(None, (_text(part.get("marketplaceid")) for part in (facts, summary, about_seller))), ""),
        _text(head.get("eventtime")),
    )


def _folded(raw: Any) -> dict[str, Any]:
    """An object by lower-case names: Amazon writes some types in PascalCase, others in camelCase."""
    return {str(name).casefold(): value for name, value in raw.items()} if isinstance(raw, Mapping) else {}


def _text(raw: Any) -> str:
    return str(raw)[:200] if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
