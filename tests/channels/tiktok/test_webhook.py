"""TikTok's messages: genuine or not, what they are about, and the same message known again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.tiktok.webhook import NotAMessage, is_genuine, read, signature

KEY, SECRET = "fake_app_key", "fake_app_secret"
ORDER = (
    b'{"type":1,"shop_id":"7494726673780148744","timestamp":1664095733,'
    b'"data":{"order_id":"576684019603311365","order_status":"AWAITING_SHIPMENT","update_time":1664095610}}'
)


def test_the_known_signature_of_a_message_is_found() -> None:
    assert signature(KEY, SECRET, ORDER) == "21109834de72ec53c9959716d8514ae388ce1f123e5ffdcafc46713fcdf62b27"


@pytest.mark.conformance
def test_every_vector_of_the_facts_is_genuine(conformance: Path) -> None:
    for vector in json.loads((conformance / "facts/tiktok/sign_vectors.json").read_text())["webhook"]:
        body = vector["raw_body"].encode()
        assert is_genuine(vector["app_key"], vector["app_secret"], body, vector["authorization"])
        assert read(body).noun == "order"


@given(st.binary(max_size=80), st.text(max_size=80))
def test_a_changed_body_or_another_signature_is_not_genuine(body: bytes, told: str) -> None:
    right = signature(KEY, SECRET, body)
    assert is_genuine(KEY, SECRET, body, right)
    assert not is_genuine(KEY, SECRET, body + b" ", right)
    assert not is_genuine(KEY, "another", body, right)
    assert not is_genuine(KEY, "", body, signature(KEY, "", body))
    assert is_genuine(KEY, SECRET, body, told) == (told.strip().lower() == right)


def test_a_message_says_what_to_read_again() -> None:
    message = read(ORDER)
    assert (message.topic, message.noun, message.ids, message.order_ids) == (
        "ORDER_STATUS_CHANGE",
        "order",
        ("576684019603311365",),
        ("576684019603311365",),
    )
    assert message.shop_id == "7494726673780148744"
    assert message.sent_at == datetime.fromtimestamp(1664095733, UTC)
    returned = read(b'{"type":12,"tts_notification_id":"7","shop_id":1,"data":{"order_id":"57","return_id":403}}')
    assert (returned.noun, returned.ids, returned.order_ids) == ("return", ("403",), ("57",))
    packages = read(
        b'{"type":4,"tts_notification_id":"8","shop_id":"1","data":{"package_list":'
        b'[{"package_id":"11","order_id_list":["57","58"]},{"package_id":"12","order_id_list":["58"]}]}}'
    )
    assert (packages.noun, packages.ids, packages.order_ids) == ("package", ("11", "12"), ("57", "58"))


def test_a_message_is_known_again_by_its_id_and_without_one_by_its_bytes() -> None:
    one = read(b'{"type":1,"tts_notification_id":"7327112393057371910","shop_id":"1","timestamp":1,"data":{}}')
    late = read(b'{"type":1,"tts_notification_id":"7327112393057371910","shop_id":"1","timestamp":9,"data":{}}')
    assert one.dedupe_id == late.dedupe_id == "7327112393057371910"
    assert read(ORDER).dedupe_id == read(bytes(ORDER)).dedupe_id != read(ORDER.replace(b"365", b"366")).dedupe_id


def test_a_seller_who_takes_permission_back_and_warehouse_messages_without_a_shop_are_understood() -> None:
    assert read(b'{"type":6,"tts_notification_id":"9","shop_id":"1","data":{"message":"..."}}').withdraws
    stock = read(b'{"type":24,"tts_notification_id":"10","seller_open_id":"7010","data":{"goods_id":"3","sku_id":"17"}}')
    assert (stock.shop_id, stock.seller_open_id, stock.noun, stock.ids) == ("", "7010", "sku", ("17",))


def test_an_unknown_type_is_kept_and_nonsense_is_not_a_message() -> None:
    later = read(b'{"type":"99","tts_notification_id":"11","shop_id":"1","data":{"new":{}}}')
    assert (later.type, later.topic, later.noun, later.ids) == (99, "", "", ())
    for body in (b"", b"[]", b"{}", b'{"type":"x"}', b"\xff", b'{"type":1', b'"text"'):
        with pytest.raises(NotAMessage):
            read(body)


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.booleans(),
        lambda some: (
            st.lists(some) | st.dictionaries(st.sampled_from(["order_id", "package_list", "order_ids", "package_id"]), some)
        ),
    )
)
def test_no_data_whatever_breaks_the_reading(data: object) -> None:
    assert read(json.dumps({"type": 4, "data": data, "timestamp": 10**30}).encode()).type == 4


@pytest.mark.conformance
def test_every_published_message_of_a_known_topic_says_what_it_is_about(conformance: Path) -> None:
    samples = json.loads((conformance / "facts/tiktok/samples/webhooks.json").read_text())
    messages = [read(json.dumps(sample["payload"]).encode()) for sample in samples.values() if "payload" in sample]
    known = [message for message in messages if message.topic]
    assert len(known) >= 17
    assert all(message.ids or message.noun == "login" for message in known)
    assert all(message.shop_id or message.seller_open_id for message in known)
