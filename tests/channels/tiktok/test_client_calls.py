"""One call to TikTok: what each answer means, what is tried again, and what a refused cipher or token leads to."""

from __future__ import annotations

from typing import Any

import pytest

from channels.tiktok.client.subscriptions import Subscription, subscribe, subscriptions, unsubscribe
from channels.tiktok.errors import AccessExpired, Refused
from nova.http import OutsideError, Permanent, Surprise, Temporary, Withdrawn
from tests.channels.tiktok.market import CIPHER, Asked, Reply, client, market

ROWS = Reply({"warehouses": [{"id": "7000714532876273410"}]})


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        (Reply(code=36009002, message="too many requests", status=429, headers={"Retry-After": "7"}), 7.0),
        (Reply(code=36009002, message="too many requests"), 1.0),
        (Reply(code=36009003, message="internal error", status=500), 1.0),
        (Reply(code=36009007, message="timeout"), 1.0),
        (Reply(code=36009004, message="Invalid timestamp"), 1.0),
        (Reply(raw=b"<html>busy</html>", status=503), 1.0),
        (Reply(raw=b'{"code":0,"data":{"wareho'), 1.0),
    ],
)
def test_what_may_work_later_is_asked_again_and_signed_anew(fault: Reply, waited: float) -> None:
    waits: list[float] = []
    with market() as place:
        place.on("GET", "/logistics/202309/warehouses", lambda asked: ROWS)
        place.faults = [fault]
        told = client(place, waits=waits).ask("warehouses", repeatable=True)
    assert told.rows("warehouses") == [{"id": "7000714532876273410"}]
    assert len(waits) == 1 and waited <= waits[0] <= waited * 1.3
    assert len(place.asked) == 2


def test_a_call_that_must_not_run_twice_is_not_asked_again() -> None:
    with market() as place:
        place.faults = [Reply(raw=b"", status=502)]
        with pytest.raises(Temporary):
            client(place).ask("warehouses", repeatable=False)
    assert len(place.asked) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(code=105005, message="scope"), Permanent, "allow it"),
        (Reply(code=101000, message="user type"), Withdrawn, "does not open this shop"),
        (Reply(code=36009009, message="no path", status=404), Permanent, "NOVA_TIKTOK_VERSIONS"),
        (Reply(code=36009033, message="ip"), Permanent, "allowed addresses"),
        (Reply(code=36009004, message="sort_field is wrong"), Permanent, "sort_field is wrong"),
        (Reply(code=99999999, message="new rule"), Permanent, "new rule"),
        (Reply(code=99999999, message="later", status=500), Temporary, "500"),
        (Reply(raw=b"denied", status=401), Withdrawn, "login"),
        (Reply(raw=b"no", status=404), Permanent, "404"),
        (Reply(raw=b'{"message":"hello"}'), Surprise, "without a code"),
        (Reply(data=["list"]), Surprise, "another shape"),
        (Reply(data={"warehouses": {"id": "1"}}), Surprise, "no list"),
    ],
)
def test_every_answer_means_one_of_four_failures(reply: Reply, kind: type[OutsideError], words: str) -> None:
    with market() as place:
        place.on("GET", "/logistics/202309/warehouses", lambda asked: reply)
        with pytest.raises(kind, match=words) as failed:
            client(place).ask("warehouses", repeatable=True).rows("warehouses")
    if reply.code:
        assert failed.value.request_id == "20261125REQ" or kind is Temporary
    if isinstance(failed.value, Refused):
        assert failed.value.code == reply.code


def test_a_code_in_words_and_success_without_data_are_understood() -> None:
    with market() as place:
        place.on("GET", "/logistics/202309/warehouses", lambda asked: Reply(raw=b'{"code":"0","message":"ok"}'))
        assert client(place).ask("warehouses", repeatable=True).rows("warehouses") == []


def test_an_ended_access_token_asks_for_a_refresh_at_once() -> None:
    waits: list[float] = []
    with market() as place:
        place.access = "another"
        with pytest.raises(AccessExpired) as ended:
            client(place, waits=waits).ask("warehouses", repeatable=True)
    assert isinstance(ended.value, Temporary) and len(place.asked) == 1 and waits == []


def test_a_refused_cipher_is_read_anew_once_and_told_to_the_caller() -> None:
    with market() as place:
        place.on("GET", "/logistics/202309/warehouses", lambda asked: ROWS)
        place.cipher = "TTP_fresh"
        line = client(place)
        assert line.login.shop.cipher == CIPHER
        line.ask("warehouses", repeatable=True)
        assert line.login.shop.cipher == "TTP_fresh"
        assert place.paths() == [
            "/logistics/202309/warehouses",
            "/authorization/202309/shops",
            "/logistics/202309/warehouses",
        ]


def test_a_cipher_that_stays_refused_withdraws_the_login() -> None:
    with market() as place:
        place.faults = [Reply(code=106011, message=f"bad cipher {CIPHER}")]
        with pytest.raises(Withdrawn) as refused:
            client(place).ask("warehouses", repeatable=True)
        assert CIPHER not in str(refused.value) and len(place.asked) == 2
        place.on("GET", "/authorization/202309/shops", lambda asked: Reply({"shops": []}))
        with pytest.raises(Withdrawn, match="does not open the shop"):
            client(place, cipher="old").ask("warehouses", repeatable=True)


def test_versions_are_settings(settings: Any) -> None:
    settings.NOVA_TIKTOK_VERSIONS = {"warehouses": "202612"}
    with market() as place:
        place.on("GET", "/logistics/202612/warehouses", lambda asked: ROWS)
        client(place).ask("warehouses", repeatable=True)
        settings.NOVA_TIKTOK_VERSIONS = {"warehouses": "../../x"}
        with pytest.raises(Permanent, match="six digits"):
            client(place).ask("warehouses", repeatable=True)
        settings.NOVA_TIKTOK_VERSIONS = {"warehouse": "202612"}
        with pytest.raises(Permanent, match="does not make: warehouse"):
            client(place).ask("warehouses", repeatable=True)


@pytest.mark.parametrize("wrong", ["", "../shops", "57?x=1", "５７"])
def test_only_an_id_gets_into_a_path(wrong: str) -> None:
    with market() as place, pytest.raises(Permanent, match="no order id"):
        client(place).ask("order_transactions", {"order_id": wrong}, repeatable=True)
    assert place.asked == []


def test_webhooks_are_set_listed_and_removed_per_shop() -> None:
    kept: dict[str, str] = {}

    def put(asked: Asked) -> Reply:
        kept[asked.body["event_type"]] = asked.body["address"]
        return Reply({})

    def delete(asked: Asked) -> Reply:
        del kept[asked.body["event_type"]]
        return Reply(None)

    with market() as place:
        place.on("PUT", "/event/202309/webhooks", put)
        place.on("DELETE", "/event/202309/webhooks", delete)
        place.on(
            "GET",
            "/event/202309/webhooks",
            lambda asked: Reply({"webhooks": [{"event_type": key, "address": value} for key, value in kept.items()]}),
        )
        line = client(place)
        wanted = Subscription("ORDER_STATUS_CHANGE", "https://nova.lumen.example/tiktok")
        subscribe(line, wanted)
        assert subscriptions(line) == (wanted,)
        unsubscribe(line, "ORDER_STATUS_CHANGE")
        assert subscriptions(line) == ()
        with pytest.raises(Permanent, match="https"):
            subscribe(line, Subscription("ORDER_STATUS_CHANGE", "http://nova.lumen.example/tiktok"))
