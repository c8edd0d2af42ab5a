"""Connecting a store: who may come back, which tokens are kept, and that no secret shows."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from channels.shopify import auth
from nova.http import Permanent, Surprise, Temporary, Withdrawn
from tests.channels.shopify.live import SECRET, TOKEN, Raw, login

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
STATE = "a-word-nobody-guesses"


def callback(secret: str = SECRET, **changes: str) -> str:
    query = {
        "code": "code-1",
        "shop": "lantern.myshopify.com",
        "state": STATE,
        "timestamp": str(int(NOW.timestamp())),
        "host": "YWRtaW4uc2hvcGlmeS5jb20vc3RvcmUvbGFudGVybg",
        **changes,
    }
    message = urlencode(sorted(query.items()))
    return message + "&hmac=" + hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def test_the_merchant_is_sent_to_the_store_with_scopes_and_state(settings):
    url = auth.authorize_url(
        login(), redirect_uri="https://nova.example/back", state=STATE, scopes=("read_orders", "read_products")
    )
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://lantern.myshopify.com/admin/oauth/authorize"
    assert parse_qs(parts.query) == {
        "client_id": ["lantern-app"],
        "scope": ["read_orders,read_products"],
        "redirect_uri": ["https://nova.example/back"],
        "state": [STATE],
    }
    assert auth.new_state() != auth.new_state() and len(auth.new_state()) >= 32


def test_a_signed_callback_of_this_store_and_attempt_is_taken():
    found = auth.read_callback(callback(), login(), state=STATE, now=NOW)
    assert (found.shop, found.code) == ("lantern.myshopify.com", "code-1")
    older = login(client_secret="new", older_secrets=(SECRET,))
    assert auth.read_callback(callback(), older, state=STATE, now=NOW).code == "code-1"


@pytest.mark.parametrize(
    ("query", "state", "now", "words"),
    [
        (callback(), "another", NOW, "another attempt"),
        (callback(), "", NOW, "another attempt"),
        (callback(secret="wrong"), STATE, NOW, "not signed"),
        (callback().replace("code-1", "code-2"), STATE, NOW, "not signed"),
        (callback() + "&code=code-2", STATE, NOW, "twice"),
        (callback(), STATE, NOW + timedelta(seconds=91), "too old"),
        (callback(), STATE, NOW - timedelta(seconds=91), "too old"),
        (callback(timestamp="soon"), STATE, NOW, "no time"),
        (callback(shop="other.myshopify.com"), STATE, NOW, "another store"),
        (callback(shop="lantern.myshopify.com.evil.example"), STATE, NOW, "another store"),
        (callback(code=""), STATE, NOW, "did not agree"),
        ("", STATE, NOW, "another attempt"),
    ],
)
def test_any_other_callback_is_refused(query, state, now, words):
    with pytest.raises(Permanent, match=words):
        auth.read_callback(query, login(), state=state, now=now)


def test_the_published_example_of_a_callback_is_signed_as_nova_reckons():
    """The worked example: secret "nova-test-secret", joined by key."""
    query = (
        "code=0907a61c0c8d55e99db179b68161bc00&shop=nova-test.myshopify.com&state=0.6784241404160823&timestamp=1337178173"
        "&hmac=fbd3538208ae3f6a569d15fb2052b01b801fb4fb4047ed161eb7d5078f64ac98"
    )
    given = login(shop="nova-test.myshopify.com", client_secret="nova-test-secret")
    at = datetime.fromtimestamp(1337178173, UTC)
    assert auth.read_callback(query, given, state="0.6784241404160823", now=at).code == "0907a61c0c8d55e99db179b68161bc00"


@pytest.mark.conformance
def test_the_example_in_the_public_files_is_signed_as_nova_reckons(conformance: Path):
    example = json.loads((conformance / "facts/shopify/samples/webhooks/oauth_callback_example.json").read_text())
    values = example["query_without_hmac"]
    given = login(shop=values["shop"], client_secret=example["secret"])
    query = f"hmac={example['hmac']}&{urlencode(values)}"
    at = datetime.fromtimestamp(int(values["timestamp"]), UTC)
    assert auth.read_callback(query, given, state=values["state"], now=at).shop == values["shop"]


@pytest.mark.parametrize(
    "text", ["lantern.myshopify.com", "Lantern", " https://lantern.myshopify.com/admin ", "LANTERN.myshopify.com/"]
)
def test_a_store_is_known_however_it_is_written(text):
    assert auth.shop_domain(text) == "lantern.myshopify.com"


@pytest.mark.parametrize(
    "text", ["", "lantern.example.com", "evil.example/lantern.myshopify.com", "a@b.myshopify.com", "x.y.myshopify.com", "-"]
)
def test_what_is_no_store_is_refused(text):
    with pytest.raises(Permanent):
        auth.shop_domain(text)


def tokens(**more: Any) -> Raw:
    return Raw(json.dumps({"access_token": TOKEN, "scope": "read_orders,write_inventory", **more}).encode())


def test_a_code_becomes_tokens_with_the_moments_they_run_out(store, session):
    store.token_answers = [tokens(expires_in=3600, refresh_token="shprt_1", refresh_token_expires_in=7_776_000)]
    before = datetime.now(UTC)
    got = auth.exchange_code(login(access_token=""), auth.Callback("lantern.myshopify.com", "code-1"), session=session)
    assert (got.access_token, got.refresh_token, got.scopes) == (TOKEN, "shprt_1", ("read_orders", "write_inventory"))
    assert got.expires_at and timedelta(minutes=59) < got.expires_at - before < timedelta(minutes=61)
    assert got.refresh_expires_at and timedelta(days=89) < got.refresh_expires_at - before < timedelta(days=91)
    (form,) = store.tokens
    assert (form["code"], form["expiring"], form["client_secret"]) == ("code-1", "1", SECRET)
    assert auth.missing_scopes(got, ("read_orders", "read_inventory", "read_locations")) == ["read_locations"]


def test_a_refresh_rotates_both_tokens_and_survives_a_lost_answer(store, session, naps):
    store.token_answers = [Raw(status=503, headers={"Retry-After": "0"}), tokens(expires_in=3600, refresh_token="shprt_2")]
    old = login(refresh_token="shprt_1", expires_at=NOW)
    new = auth.refresh(old, session=session, sleep=naps.append)
    assert new.refresh_token == "shprt_2" and not new.runs_out() and old.refresh_token == "shprt_1"
    assert [form["refresh_token"] for form in store.tokens] == ["shprt_1", "shprt_1"]
    assert store.tokens[0]["grant_type"] == "refresh_token"


def test_client_credentials_are_asked_anew_instead_of_refreshed(store, session):
    store.token_answers = [tokens(expires_in=86399), tokens(expires_in=86399)]
    first = auth.ask_credentials(login(access_token=""), session=session)
    assert first.refresh_token == "" and first.expires_at is not None
    auth.refresh(first, session=session)
    assert [form["grant_type"] for form in store.tokens] == ["client_credentials"] * 2


def test_a_token_made_by_hand_never_runs_out_and_cannot_be_refreshed(store, session):
    given = login()
    assert not given.runs_out()
    with pytest.raises(Permanent):
        auth.refresh(given, session=session)
    store.token_answers = [tokens(expires_in=3600, refresh_token="shprt_1")]
    assert auth.make_expiring(given, session=session).refresh_token == "shprt_1"
    assert store.tokens[0]["subject_token"] == TOKEN


def test_a_token_is_renewed_before_it_runs_out():
    given = login(expires_at=NOW)
    assert given.runs_out(NOW - timedelta(minutes=4)) and not given.runs_out(NOW - timedelta(minutes=6))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Raw(b'{"error":"invalid_grant","error_description":"shprt_1 is dead"}', 400), Withdrawn),
        (Raw(b"<html>app_not_installed</html>", 401), Withdrawn),
        (Raw(b'{"access_token":"' + TOKEN.encode()), Temporary),
        (Raw(b"{}"), Surprise),
        (Raw(b"<html></html>"), Surprise),
        (Raw(json.dumps({"access_token": TOKEN, "expires_in": "soon"}).encode()), Surprise),
        (Raw(b"", 302, {"Location": "https://evil.example/"}), Surprise),
    ],
)
def test_a_refused_or_broken_token_answer_says_which_without_any_secret(store, session, naps, answer, error):
    store.token_answers = [answer] * 5
    with pytest.raises(error) as caught:
        auth.refresh(login(refresh_token="shprt_1"), session=session, sleep=naps.append)
    for secret in (TOKEN, SECRET, "shprt_1"):
        assert secret not in str(caught.value)


def test_no_secret_shows_in_a_login_or_a_callback():
    given = login(refresh_token="shprt_1", older_secrets=("older-secret",))
    text = repr(given) + str(given) + repr(auth.Callback("lantern.myshopify.com", "code-1"))
    for secret in (TOKEN, SECRET, "shprt_1", "older-secret", "code-1"):
        assert secret not in text


def test_the_token_goes_to_the_store_and_nowhere_else(settings):
    for url, wanted in [
        ("https://lantern.myshopify.com/admin/api/2026-10/graphql.json", TOKEN),
        ("https://lantern.myshopify.com.evil.example/", None),
        ("http://lantern.myshopify.com/", None),
        ("https://other.myshopify.com/", None),
    ]:
        request = requests.Request("POST", url, auth=auth.TokenAuth(login())).prepare()
        assert request.headers.get(auth.TOKEN_HEADER) == wanted
