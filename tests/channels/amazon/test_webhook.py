"""Notifications out of the queue: what is to be read anew, in either case of names, and nothing that breaks on nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.amazon.webhook import Notice, read_notification
from nova.http import Surprise
from tests.channels.amazon.live import US
from tests.conftest import conformance_folder

ORDER = {
    "NotificationVersion": "1.0",
    "NotificationType": "ORDER_CHANGE",
    "EventTime": "2026-11-25T11:59:00Z",
    "Payload": {"OrderChangeNotification": {"SellerId": "A3HARBOUR", "AmazonOrderId": "702-1", "Summary": {"MarketplaceId": US}}},
    "NotificationMetadata": {"NotificationId": "n-1"},
}
REPORT = {
    "notificationType": "REPORT_PROCESSING_FINISHED",
    "eventTime": "2026-11-25T11:59:00Z",
    "payload": {"reportProcessingFinishedNotification": {"sellerId": "A3HARBOUR", "reportId": "r50", "processingStatus": "DONE"}},
    "notificationMetadata": {"notificationId": "n-2"},
}
QUANTITY = {
    "NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
    "EventTime": "2026-11-25T11:59:00Z",
    "Payload": {"SellerId": "A3HARBOUR", "FulfillmentChannelCode": "DEFAULT", "Sku": "LAMP", "Quantity": 9},
    "NotificationMetadata": {"NotificationId": "n-3"},
}


def read(message: Any) -> Notice:
    return read_notification(json.dumps(message).encode())


def test_what_a_message_is_about() -> None:
    at = "2026-11-25T11:59:00Z"
    assert read(ORDER) == Notice("ORDER_CHANGE", "n-1", "A3HARBOUR", "order", "702-1", US, at)
    assert read(REPORT) == Notice("REPORT_PROCESSING_FINISHED", "n-2", "A3HARBOUR", "report", "r50", "", at)
    assert read(QUANTITY) == Notice("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "n-3", "A3HARBOUR", "listing", "LAMP", "", at)
    assert read({"version": "0", "detail-type": "x", "detail": QUANTITY}) == read(QUANTITY)


def test_a_type_that_nova_does_not_read_is_named_but_about_nothing() -> None:
    found = read(ORDER | {"NotificationType": "PRICING_HEALTH"})
    assert (found.kind, found.subject, found.subject_id) == ("PRICING_HEALTH", "", "")


@pytest.mark.parametrize(
    "message", [b"", b"{", b"[]", b"null", b'{"Payload": {}}', b"\xff\xff", b"[" * 100_000, b" " * 2_000_000]
)
def test_nonsense_is_a_surprise(message: bytes) -> None:
    with pytest.raises(Surprise):
        read_notification(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Payload", "Summary", "SellerId", "x"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_any_payload_is_read_or_is_a_surprise(payload: Any) -> None:
    try:
        assert read(ORDER | {"Payload": payload}).notification_id == "n-1"
    except Surprise:
        assert not isinstance(payload, dict)


@pytest.mark.conformance
def test_every_published_example_is_read() -> None:
    folder = conformance_folder()
    assert folder is not None
    published = json.loads((folder / "facts/amazon/sandbox/_schema_examples_notifications.json").read_text())
    examples = [part["example"] for parts in published.values() for part in parts]
    found = {notice.kind: notice for notice in map(read, examples)}
    assert len(examples) >= 20 and found["ORDER_CHANGE"].subject_id == "903-8868176-2219830"
    assert found["REPORT_PROCESSING_FINISHED"].subject_id == "54517018502"
    assert found["FULFILLMENT_ORDER_STATUS"].subject_id == "SFOID2345"
    assert found["LISTINGS_ITEM_STATUS_CHANGE"].subject_id == "NLS-SHOES-03"
    assert found["TRANSACTION_UPDATE"].subject == "finances"
    assert found["TRANSACTION_UPDATE"].seller_id == "A3TH9S8BH6GOGM"
