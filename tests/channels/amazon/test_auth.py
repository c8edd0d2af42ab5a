"""Login with Amazon: consent, tokens and what their refusals mean; nothing secret is ever said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from channels.amazon.auth import (
    SELLER_CENTRAL,
    Consent,
    TokenAuth,
    api_url,
    authorize_url,
    exchange,
    needs_refresh,
    read_consent,
    refresh,
    region_of,
)
from channels.amazon.marketplaces import MARKETPLACES
from nova.http import OutsideError, Permanent, Surprise, Temporary, Withdrawn
from tests.channels.amazon.live import NOW, REFRESH, SECRET, Amazon, Told, login


def test_every_marketplace_has_a_place_to_consent_and_a_region() -> None:
    assert SELLER_CENTRAL.keys() == MARKETPLACES.keys()
    regions = [region_of(market) for market in MARKETPLACES]
    assert (regions.count("NA"), regions.count("EU"), regions.count("FE")) == (4, 16, 3)
    assert region_of("A1VC38T7YXB528") == "FE" and region_of("A2Q3Y263D00KWC") == "NA"
    with pytest.raises(ValueError, match="no marketplace"):
        region_of("ANOWHERE")


def test_the_hosts_of_the_three_regions(settings: Any) -> None:
    settings.NOVA_AMAZON_API_URL_FE = "https://sandbox.example"
    assert api_url("FE") == "https://sandbox.example"
    with pytest.raises(ValueError, match="no region"):
        api_url("US")


def test_the_consent_address_carries_app_and_state() -> None:
    url = authorize_url("amzn1.sp.solution.42", "A1PA6795UKMFR9", "st&te", redirect_uri="https://nova.example/back", draft=True)
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("sellercentral-europe.amazon.com", "/apps/authorize/consent")
    assert parse_qs(parts.query) == {
        "application_id": ["amzn1.sp.solution.42"],
        "state": ["st&te"],
        "redirect_uri": ["https://nova.example/back"],
        "version": ["beta"],
    }
    assert authorize_url("app", "ATVPDKIKX0DER", "s", host="http://127.0.0.1:9/").startswith("http://127.0.0.1:9/apps/")
    with pytest.raises(ValueError, match="state"):
        authorize_url("app", "ATVPDKIKX0DER", "")


def test_a_consent_with_another_state_is_refused() -> None:
    query = {"state": "right", "spapi_oauth_code": "consent-code", "selling_partner_id": "A3HARBOUR"}
    assert read_consent(query, state="right") == Consent("consent-code", "A3HARBOUR")
    for wrong in ("wrong", "", "righ"):
        with pytest.raises(Permanent, match="not the consent"):
            read_consent(query, state=wrong)
    with pytest.raises(Permanent, match="without a consent"):
        read_consent({"state": "right"}, state="right")


def test_a_consent_becomes_a_login_with_an_absolute_expiry(world: Amazon, session: requests.Session) -> None:
    consent = Consent("consent-code", "A3HARBOUR")
    new = exchange(
        login(refresh_token="", seller_id=""), consent, redirect_uri="https://nova.example/back", session=session, now=NOW
    )
    assert (new.refresh_token, new.access_token, new.seller_id) == (REFRESH, "Atza|1", "A3HARBOUR")
    assert new.access_expires_at == NOW + timedelta(seconds=3600)
    assert world.token_calls[0]["grant_type"] == "authorization_code"
    assert world.token_calls[0]["redirect_uri"] == "https://nova.example/back"


def test_a_stale_consent_says_to_start_again_and_is_not_repeated(world: Amazon, session: requests.Session) -> None:
    with pytest.raises(Permanent, match="five minutes"):
        exchange(login(refresh_token=""), Consent("old", "A3HARBOUR"), redirect_uri="", session=session)
    assert len(world.token_calls) == 1
    world.token_answers = [Told({"error": "server_error"}, 500)]
    with pytest.raises(Temporary):
        exchange(login(), Consent("consent-code", "A3HARBOUR"), redirect_uri="", session=session)
    assert len(world.token_calls) == 2


def test_a_refresh_returns_a_new_login_and_leaves_the_old_one(world: Amazon, session: requests.Session) -> None:
    old = login()
    new = refresh(old, session=session, now=NOW)
    assert old.access_token == "" and new.access_token == "Atza|1" and new.refresh_token == REFRESH
    assert needs_refresh(old, NOW)
    assert not needs_refresh(new, NOW + timedelta(seconds=3539))
    assert needs_refresh(new, NOW + timedelta(seconds=3540))


def test_an_answer_without_a_refresh_token_keeps_the_old_one(world: Amazon, session: requests.Session) -> None:
    world.token_answers = [Told({"access_token": "Atza|9", "token_type": "bearer", "expires_in": "3600"})]
    assert refresh(login(), session=session, now=NOW).refresh_token == REFRESH


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, "invalid_grant", Withdrawn),
        (401, "invalid_client", Withdrawn),
        (400, "unauthorized_client", Withdrawn),
        (403, "access_denied", Withdrawn),
        (400, "invalid_request", Permanent),
        (400, "invalid_scope", Permanent),
        (400, "unsupported_grant_type", Permanent),
    ],
)
def test_what_refusals_mean(world: Amazon, session: requests.Session, status: int, error: str, kind: type[OutsideError]) -> None:
    world.token_answers = [Told({"error": error, "error_description": f"secret {SECRET} {REFRESH}"}, status)]
    with pytest.raises(kind) as raised:
        refresh(login(), session=session)
    assert error in str(raised.value) and raised.value.request_id == "rq-7"
    assert SECRET not in str(raised.value) and REFRESH not in str(raised.value)


@pytest.mark.parametrize(
    "first", [Told({"error": "temporarily_unavailable"}, 503), Told(b'{"access_tok', 200), Told(b"busy", 429)]
)
def test_trouble_at_refresh_is_waited_out(
    world: Amazon, session: requests.Session, first: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: -4.0)  # no wait at all
    world.token_answers = [first]
    assert refresh(login(), session=session).access_token == "Atza|2"


def test_a_token_answer_of_another_shape_is_a_surprise(world: Amazon, session: requests.Session) -> None:
    world.token_answers = [Told({"access_token": "Atza|1", "expires_in": "soon"})]
    with pytest.raises(Surprise):
        refresh(login(), session=session)


def test_a_login_without_a_refresh_token_asks_for_connecting(session: requests.Session) -> None:
    with pytest.raises(Withdrawn, match="connect"):
        refresh(login(refresh_token=""), session=session)


def test_no_secret_shows_when_a_login_is_printed() -> None:
    shown = repr(login(access_token="Atza|shown")) + repr(Consent("consent-code", "A3"))
    assert not any(secret in shown for secret in (SECRET, REFRESH, "Atza|shown", "consent-code"))
    assert "A3HARBOUR" in shown


def test_every_attempt_gets_the_token_of_its_moment() -> None:
    tokens = iter(["Atza|1", "Atza|2"])
    auth = TokenAuth(lambda: next(tokens), user_agent="Nova/1.0 (Language=Python)" + "x" * 600)
    request = requests.Request("GET", "https://sellingpartnerapi-na.amazon.com/x").prepare()
    assert auth(request).headers["x-amz-access-token"] == "Atza|1"
    assert auth(request).headers["x-amz-access-token"] == "Atza|2"
    assert len(request.headers["user-agent"]) == 500 and "authorization" not in request.headers
