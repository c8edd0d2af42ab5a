"""Connecting a TikTok shop: signatures, the round through TikTok's pages, tokens that end, and secrets that stay secret."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from channels.tiktok.auth import Login, SignedCall, authorize_url, code_of, exchange, refresh, sign
from nova.http import Permanent, Surprise, Temporary, Withdrawn, new_session
from tests.channels.tiktok.market import ACCESS, APP_KEY, APP_SECRET, CIPHER, REFRESH, SHOP, Asked, Reply, client, login, market


def tokens(**more: object) -> dict[str, object]:
    return {
        "access_token": ACCESS,
        "access_token_expire_in": 1_790_000_000,
        "refresh_token": REFRESH,
        "refresh_token_expire_in": 1_820_000_000,
        "open_id": "7010736057180325637",
        "seller_name": "Lumen",
        "seller_base_region": "US",
        "user_type": 0,
        "granted_scopes": ["seller.order.info", "seller.finance.info"],
        **more,
    }


def test_tiktoks_published_example_is_signed_as_published() -> None:
    query = [("app_key", "29a39d"), ("timestamp", "1623812664")]
    assert (
        sign("e59af819cc", "/authorization/202309/shops", query)
        == "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"
    )


def test_a_body_is_signed_byte_by_byte() -> None:
    query = {
        "app_key": "6abcdefgh1234",
        "page_size": "50",
        "shop_cipher": "TTP_exampleCipher",
        "sort_field": "update_time",
        "sort_order": "ASC",
        "timestamp": "1760000000",
    }
    body = b'{"update_time_ge":1759990000,"update_time_lt":1760000000}'
    found = sign("0123456789abcdef0123456789abcdef01234567", "/order/202309/orders/search", query.items(), body)
    assert found == "06dc76370aa7570754370b2bfc8ceab39e001b95a721dcc555c76115f6160798"


@pytest.mark.conformance
def test_every_vector_of_the_facts_is_signed_alike_by_the_call_itself(conformance: Path) -> None:
    vectors = json.loads((conformance / "facts/tiktok/sign_vectors.json").read_text())["api"]
    assert len(vectors) >= 7
    for vector in vectors:
        query = {key: str(value) for key, value in vector["query"].items()}
        body = vector["body"].encode()
        assert sign(vector["app_secret"], vector["path"], query.items(), body) == vector["sign"], vector["name"]
        moment = int(query.pop("timestamp"))
        who = Login(query.pop("app_key"), vector["app_secret"], "TTP_secret-access")
        request = requests.Request("POST", f"https://api.example{vector['path']}?{urlencode(query)}", data=body or None).prepare()
        signed = SignedCall(who, clock=lambda moment=moment: float(moment))(request)
        assert parse_qs(urlsplit(str(signed.url)).query)["sign"] == [vector["sign"]], vector["name"]
        assert "TTP_secret-access" not in str(signed.url)


@given(
    st.dictionaries(
        st.text("abcdefghijklmnop_", min_size=1, max_size=8),
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=12),
        max_size=5,
    )
)
def test_what_is_sent_is_what_was_signed_whatever_the_values(query: dict[str, str]) -> None:
    request = requests.Request("GET", "https://api.example/order/202507/orders", params=query).prepare()
    SignedCall(login(), clock=lambda: 1_760_000_000.0)(request)
    SignedCall(login(), clock=lambda: 1_760_000_060.0)(request)  # a second attempt signs anew and leaves nothing behind
    sent = parse_qs(urlsplit(str(request.url)).query, keep_blank_values=True)
    assert sent.pop("timestamp") == ["1760000060"]
    told = sent.pop("sign")
    assert {key: values[0] for key, values in sent.items() if key != "app_key"} == query
    plain = [*query.items(), ("app_key", APP_KEY), ("timestamp", "1760000060")]
    assert told == [sign(APP_SECRET, "/order/202507/orders", plain)]


def test_a_path_of_the_hosts_own_is_not_signed() -> None:
    one = requests.Request("GET", "https://api.example/order/202507/orders?ids=1").prepare()
    two = requests.Request("GET", "https://sandbox.example/tiktok/order/202507/orders?ids=1").prepare()
    SignedCall(login(), base="https://api.example", clock=lambda: 1.0)(one)
    SignedCall(login(), base="https://sandbox.example/tiktok", clock=lambda: 1.0)(two)
    assert urlsplit(str(one.url)).query == urlsplit(str(two.url)).query


def test_american_sellers_are_sent_to_their_own_page() -> None:
    assert authorize_url("7431", "s-1", region="US") == "https://services.tiktokshops.us/open/authorize?service_id=7431&state=s-1"
    assert authorize_url("7431", "s-1", region="GB") == "https://services.tiktokshop.com/open/authorize?service_id=7431&state=s-1"


def test_only_the_answer_of_this_attempt_gives_a_code() -> None:
    assert code_of({"code": "ROW_1", "state": "s-1"}, state="s-1") == "ROW_1"
    assert code_of({"code": "ROW_1"}, state="", from_store=True) == "ROW_1"
    for callback in (
        {"code": "ROW_1", "state": "s-2"},
        {"code": "ROW_1"},
        {"code": "null", "error": "auth_denied", "state": "s-1"},
        {"state": "s-1"},
    ):
        with pytest.raises(Permanent):
            code_of(callback, state="s-1")
    with pytest.raises(Permanent, match="another attempt"):
        code_of({"code": "ROW_1", "state": ""}, state="")
    with pytest.raises(Permanent, match="another attempt"):
        code_of({"code": "ROW_1", "state": "s-2"}, state="s-1", from_store=True)


def test_a_code_becomes_a_login_whose_expiries_are_moments() -> None:
    with market() as place:
        place.on("GET", "/api/v2/token/get", lambda asked: Reply(tokens()))
        found = exchange(APP_KEY, APP_SECRET, "ROW_1", new_session(), url=place.url)
    assert place.asked[0].query == {
        "app_key": APP_KEY,
        "app_secret": APP_SECRET,
        "auth_code": "ROW_1",
        "grant_type": "authorized_code",
    }
    assert found.access_expires_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert found.refresh_expires_at == datetime.fromtimestamp(1_820_000_000, UTC)
    assert found.scopes == ("seller.order.info", "seller.finance.info")
    assert not found.needs_renewal(found.access_expires_at - timedelta(days=2))
    assert found.needs_renewal(found.access_expires_at - timedelta(hours=2))


def test_a_login_opens_all_of_its_shops_and_speaks_for_one() -> None:
    with market() as place:
        found = client(place).read_shops()
    assert "shop_cipher" not in place.asked[0].query
    assert [(shop.id, shop.region) for shop in found.shops] == [(SHOP, "US"), ("7000000000000000002", "GB")]
    assert found.shop.cipher == CIPHER
    assert found.for_shop("7000000000000000002").shop.region == "GB"
    with pytest.raises(Withdrawn):
        _ = found.for_shop("1").shop


def test_a_used_code_and_a_creators_account_connect_nothing() -> None:
    with market() as place:
        place.on("GET", "/api/v2/token/get", lambda asked: Reply(code=36004005, message=f"bad {asked.query['auth_code']}"))
        with pytest.raises(Permanent, match="works once") as refused:
            exchange(APP_KEY, APP_SECRET, "ROW_secret", new_session(), url=place.url)
        assert "ROW_secret" not in str(refused.value)
        place.on("GET", "/api/v2/token/get", lambda asked: Reply(tokens(user_type=1)))
        with pytest.raises(Permanent, match="creator"):
            exchange(APP_KEY, APP_SECRET, "ROW_1", new_session(), url=place.url)
        for broken in ({}, tokens(access_token=""), tokens(access_token_expire_in="soon")):
            place.on("GET", "/api/v2/token/get", lambda asked, broken=broken: Reply(broken))
            with pytest.raises(Surprise):
                exchange(APP_KEY, APP_SECRET, "ROW_1", new_session(), url=place.url)


def test_a_refresh_returns_the_rotated_tokens_and_keeps_the_shops() -> None:
    with market() as place:
        place.on("GET", "/api/v2/token/refresh", lambda asked: Reply(tokens(access_token="A2", refresh_token="R2")))
        found = refresh(login(), new_session(), url=place.url)
    assert place.asked[0].query["refresh_token"] == REFRESH
    assert (found.access_token, found.refresh_token, found.shop.id) == ("A2", "R2", SHOP)


def test_a_refresh_token_that_ended_withdraws_the_login_but_a_broken_service_does_not() -> None:
    with market() as place:
        for code in (36004004, 105002, 36009004):
            ended = Reply(code=code, message="refresh_token is expired")
            place.on("GET", "/api/v2/token/refresh", lambda asked, ended=ended: ended)
            with pytest.raises(Withdrawn, match="connect the shop again"):
                refresh(login(), new_session(), url=place.url)
        place.asked.clear()
        for reply in (Reply(status=503, raw=b"busy"), Reply(raw=b'{"code": 0, "data": {"acc'), Reply(code=36009003)):
            place.on("GET", "/api/v2/token/refresh", lambda asked, reply=reply: reply)
            with pytest.raises(Temporary):
                refresh(login(), new_session(), url=place.url)
        assert len(place.asked) == 3, "a refresh is not tried again by itself: the old token may have ended with it"


def test_no_secret_gets_into_texts_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with market() as place:

        def repeats(asked: Asked) -> Reply:
            return Reply(
                code=36009004,
                message=f"no: {[asked.query.get(key) for key in ('app_secret', 'refresh_token', 'shop_cipher')]} {asked.headers.get('x-tts-access-token')}",
            )

        place.on("GET", "/api/v2/token/refresh", repeats)
        place.on("GET", "/logistics/202309/warehouses", repeats)
        line = client(place)
        texts = [repr(line.login), repr(line.login.shops), str(line.login)]
        for call in (
            lambda: refresh(line.login, new_session(), url=place.url),
            lambda: line.ask("warehouses", repeatable=True),
        ):
            with pytest.raises((Permanent, Withdrawn)) as error:
                call()
            texts += [str(error.value), repr(error.value)]
    text = "\n".join([*texts, caplog.text])
    assert "/api/v2/token/refresh" in caplog.text
    for secret in (APP_SECRET, ACCESS, REFRESH, CIPHER):
        assert secret not in text
