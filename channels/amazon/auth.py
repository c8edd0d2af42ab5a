"""Login with Amazon: consent, tokens, and the header that carries them.

A seller consents at Seller Central; the code that comes back is exchanged for a refresh token, and that for access tokens of
one hour. A refresh token holds for one region. Nothing is stored here: exchange and refresh return a `Login`.
Source: Selling Partner API documentation, "Authorizing" and "Connecting"; no AWS signature since October 2023.
"""

from __future__ import annotations

import hmac
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from django.conf import settings
from requests.auth import AuthBase

from nova.http import Answer, Permanent, Surprise, Temporary, Withdrawn, call, judge_status

REGIONS = ("NA", "EU", "FE")
#: An access token is not used in its last minute.
MARGIN = timedelta(seconds=60)
#: Required by Amazon on every call: "App/Version (Language=...; Platform=...)", 500 characters at most.
USER_AGENT = f"Nova/1.0 (Language=Python/{platform.python_version()}; Platform={platform.system()})"

_EUROPE = "https://sellercentral-europe.amazon.com"
#: marketplace id -> where its sellers consent.
SELLER_CENTRAL = {
    "A2EUQ1WTGCTBG2": "https://sellercentral.amazon.ca",
    "ATVPDKIKX0DER": "https://sellercentral.amazon.com",
    "A1AM78C64UM0Y8": "https://sellercentral.amazon.com.mx",
    "A2Q3Y263D00KWC": "https://sellercentral.amazon.com.br",
    "A28R8C7NBKEWEA": "https://sellercentral.amazon.ie",
    "A1RKKUPIHCS9HS": _EUROPE,
    "A1F83G8C2ARO7P": _EUROPE,
    "A13V1IB3VIYZZH": _EUROPE,
    "AMEN7PMS3EDWL": "https://sellercentral.amazon.com.be",
    "A1805IZSGTT6HS": "https://sellercentral.amazon.nl",
    "A1PA6795UKMFR9": _EUROPE,
    "APJ6JRA9NG5V4": _EUROPE,
    "A2NODRKZP88ZB9": "https://sellercentral.amazon.se",
    "AE08WJ6YKNBMC": "https://sellercentral.amazon.co.za",
    "A1C3SOZRARQ6R3": "https://sellercentral.amazon.pl",
    "ARBP9OOSHTCHU": "https://sellercentral.amazon.eg",
    "A33AVAJ2PDY3EV": "https://sellercentral.amazon.com.tr",
    "A17E79C6D8DWNP": "https://sellercentral.amazon.sa",
    "A2VIGQ35RCS4UG": "https://sellercentral.amazon.ae",
    "A21TJRUUN4KGV": "https://sellercentral.amazon.in",
    "A19VAU5U5O7RUS": "https://sellercentral.amazon.sg",
    "A39IBJ37TRP1C6": "https://sellercentral.amazon.com.au",
    "A1VC38T7YXB528": "https://sellercentral.amazon.co.jp",
}
_NORTH_AMERICA = frozenset({"A2EUQ1WTGCTBG2", "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A2Q3Y263D00KWC"})
_FAR_EAST = frozenset({"A19VAU5U5O7RUS", "A39IBJ37TRP1C6", "A1VC38T7YXB528"})

#: Login with Amazon's own words for what went wrong, and what they mean for a login that once held.
_LOST = frozenset({"invalid_grant", "unauthorized_client", "access_denied", "invalid_client"})
_LATER = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True, kw_only=True)
class Login:
    """One seller account in one region, as the app `client_id` may use it. `access_expires_at` is an aware moment."""

    client_id: str
    client_secret: str = field(repr=False)
    region: str
    refresh_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    access_expires_at: datetime | None = None
    seller_id: str = ""
    marketplace_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consent:
    """What Seller Central sends back. The code holds for five minutes."""

    code: str = field(repr=False)
    seller_id: str


def region_of(marketplace_id: str) -> str:
    """NA, EU or FE.

    Raises:
        ValueError: the marketplace is not one of Amazon's 23.
    """
    if marketplace_id not in SELLER_CENTRAL:
        raise ValueError(f"{marketplace_id} is no marketplace of Amazon.")
    return "NA" if marketplace_id in _NORTH_AMERICA else "FE" if marketplace_id in _FAR_EAST else "EU"


def api_url(region: str) -> str:
    """The host of a region's API, without a slash at its end.

    Raises:
        ValueError: no such region.
    """
    if region not in REGIONS:
        raise ValueError(f"Amazon has no region {region!r}; it has {', '.join(REGIONS)}.")
    return str(getattr(settings, f"NOVA_AMAZON_API_URL_{region}"))


def authorize_url(
    application_id: str, marketplace_id: str, state: str, *, redirect_uri: str = "", draft: bool = False, host: str = ""
) -> str:
    """Where a seller consents. `state` comes back unchanged and must be compared; `draft` is for an app in beta.

    `host` replaces Seller Central. Raises ValueError: a marketplace that Amazon does not have, or an empty state.
    """
    region_of(marketplace_id)
    if not state:
        raise ValueError("A consent without a state could be forged.")
    query = {"application_id": application_id, "state": state}
    if redirect_uri:
        query["redirect_uri"] = redirect_uri
    if draft:
        query["version"] = "beta"
    return f"{host.rstrip('/') or SELLER_CENTRAL[marketplace_id]}/apps/authorize/consent?{urlencode(query)}"


def read_consent(query: Mapping[str, str], *, state: str) -> Consent:
    """The consent out of the query that Seller Central came back with.

    Raises:
        Permanent: the state is not the one that was sent, or the code or the seller is missing.
    """
    if not state or not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
        raise Permanent("This is not the consent that was asked for. Start to connect the shop again.")
    code, seller = query.get("spapi_oauth_code", ""), query.get("selling_partner_id", "")
    if not code or not seller:
        raise Permanent("Amazon came back without a consent. Start to connect the shop again.")
    return Consent(code, seller)


def exchange(
    login: Login, consent: Consent, *, redirect_uri: str, session: requests.Session, now: datetime | None = None
) -> Login:
    """The login that a consent grants. A code works once, so this is not repeated.

    Raises:
        Permanent: the code is used, older than five minutes or for another app. Temporary, Surprise: see `nova.http`.
    """
    grant = {"grant_type": "authorization_code", "code": consent.code, "redirect_uri": redirect_uri}
    try:
        new = _tokens(login, grant, session, now, repeatable=False)
    except Withdrawn as error:
        raise Permanent(
            "Amazon does not accept the consent: it is older than five minutes, used, or for another app or secret.",
            request_id=error.request_id,
            status=error.status,
        ) from None
    if not new.refresh_token:
        raise Surprise("Amazon granted a login without a refresh token.")
    return replace(new, seller_id=consent.seller_id)


def refresh(login: Login, *, session: requests.Session, now: datetime | None = None) -> Login:
    """The same login with a fresh access token. The refresh token stays good, so this may be repeated and lost.

    Raises:
        Withdrawn: the seller took the consent back, it ran out, or the app's secret is no longer accepted.
        Temporary, Permanent, Surprise: see `nova.http`.
    """
    if not login.refresh_token:
        raise Withdrawn("There is no login to refresh; connect the shop.")
    return _tokens(login, {"grant_type": "refresh_token", "refresh_token": login.refresh_token}, session, now, repeatable=True)


def needs_refresh(login: Login, now: datetime | None = None) -> bool:
    """Whether the access token is missing or in its last minute."""
    if not login.access_token or login.access_expires_at is None:
        return True
    return (now or datetime.now(UTC)) >= login.access_expires_at - MARGIN


class TokenAuth(AuthBase):
    """Puts the access token on every attempt anew, as it is at that moment, and the user agent that Amazon requires."""

    def __init__(self, token: Callable[[], str], *, user_agent: str = USER_AGENT) -> None:
        self._token = token
        self._user_agent = user_agent[:500]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["x-amz-access-token"] = self._token()
        request.headers["user-agent"] = self._user_agent
        return request


def _tokens(
    login: Login, grant: Mapping[str, str], session: requests.Session, now: datetime | None, *, repeatable: bool
) -> Login:
    asked_at = now or datetime.now(UTC)  # before the call: a token lives rather too short than too long
    form = {**grant, "client_id": login.client_id, "client_secret": login.client_secret}
    found: dict[str, Any] = {}

    def judge(answer: Answer) -> None:
        found.clear()
        found.update(_read_tokens(answer))

    call(
        session,
        "POST",
        f"{settings.NOVA_AMAZON_LWA_URL}/auth/o2/token",
        judge=judge,
        body=urlencode(form).encode(),
        headers={"content-type": "application/x-www-form-urlencoded;charset=UTF-8", "user-agent": USER_AGENT},
        repeatable=repeatable,
    )
    return replace(
        login,
        access_token=found["access_token"],
        access_expires_at=asked_at + timedelta(seconds=found["expires_in"]),
        refresh_token=found["refresh_token"] or login.refresh_token,
    )


def _read_tokens(answer: Answer) -> dict[str, Any]:
    request_id = answer.headers.get("x-amzn-requestid", "")
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        data = None
    if answer.status != 200:
        word = data.get("error") if isinstance(data, dict) else None
        _raise_refusal(answer, word if isinstance(word, str) else "", request_id)
    if not isinstance(data, dict):
        raise Temporary("Login with Amazon answered with something that is not complete.", request_id=request_id)
    token, seconds, again = data.get("access_token"), data.get("expires_in"), data.get("refresh_token")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
        seconds = int(seconds)
    if not token or not isinstance(token, str) or isinstance(seconds, bool) or not isinstance(seconds, int):
        raise Surprise("Login with Amazon answered without a token and its lifetime.", request_id=request_id)
    return {
        "access_token": token,
        "expires_in": min(max(seconds, 0), 86_400),
        "refresh_token": again if isinstance(again, str) else "",
    }


def _raise_refusal(answer: Answer, word: str, request_id: str) -> None:
    """Raises what a refusal means; the description is left out, as it may repeat what was sent."""
    if word in _LATER:
        raise Temporary(f"Login with Amazon says {word}.", request_id=request_id, status=answer.status)
    if word in _LOST:
        what = "the app's id and secret" if word == "invalid_client" else "this seller's login"
        raise Withdrawn(f"Login with Amazon no longer accepts {what} ({word}).", request_id=request_id, status=answer.status)
    if word.replace("_", "").isalpha() and len(word) < 40 and 400 <= answer.status < 500 and answer.status not in (408, 429):
        raise Permanent(f"Login with Amazon refused the call ({word}).", request_id=request_id, status=answer.status)
    judge_status(answer, request_id=request_id, where="Login with Amazon")
    raise Surprise(f"Login with Amazon answered {answer.status}.", request_id=request_id, status=answer.status)


def is_this_machine(url: str) -> bool:
    """Whether an address is on this machine, where plain http is allowed."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
