"""Logins of Shopify stores: OAuth by authorization code or client credentials, expiring tokens that rotate, the token on every call.

Nothing is stored here: who asks for tokens gets a new `Login` and keeps it. Tokens and secrets never stand in a message or a repr.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

import requests
from django.conf import settings
from requests.auth import AuthBase

from nova.http import Answer, Permanent, Surprise, Temporary, Withdrawn, call, judge_status

Sleep = Callable[[float], None]
TOKEN_HEADER = "X-Shopify-Access-Token"
#: How Shopify's own client checks the address of a store.
_SHOP = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,100}\.myshopify\.com")
#: A callback older or younger than this is not taken.
CALLBACK_SECONDS = 90
#: A token is renewed this long before it runs out, so that a call under way does not lose it.
RENEW_BEFORE = timedelta(minutes=5)
#: What Nova's reads and writes need.
SCOPES = (
    "read_orders",
    "read_products",
    "read_inventory",
    "write_inventory",
    "read_locations",
    "read_merchant_managed_fulfillment_orders",
    "write_merchant_managed_fulfillment_orders",
    "read_third_party_fulfillment_orders",
    "write_third_party_fulfillment_orders",
    "read_shopify_payments_accounts",
    "read_shopify_payments_payouts",
)
_OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass(frozen=True)
class Login:
    """What a store's calls need. `shop` is "<handle>.myshopify.com"; moments are aware, None for what does not run out.

    `older_secrets` still sign messages for a while after a secret was changed. Without a client secret the token was made by
    hand in the store and stays as it is.
    """

    shop: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    refresh_token: str = field(default="", repr=False)
    refresh_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    older_secrets: tuple[str, ...] = field(default=(), repr=False)

    def runs_out(self, now: datetime | None = None) -> bool:
        """Whether the token must be renewed before the next call."""
        return not self.access_token or (
            self.expires_at is not None and (now or datetime.now(UTC)) >= self.expires_at - RENEW_BEFORE
        )


def shop_domain(text: str) -> str:
    """A store's address as people write it ("Lantern", "https://lantern.myshopify.com/admin") as "lantern.myshopify.com".

    Raises:
        Permanent: it is none.
    """
    plain = text.strip().lower().removeprefix("https://").removeprefix("http://").split("/", 1)[0]
    if plain and "." not in plain:
        plain += ".myshopify.com"
    if not _SHOP.fullmatch(plain):
        raise Permanent("This is not the address of a Shopify store, which looks like name.myshopify.com.")
    return plain


def shop_url(shop: str) -> str:
    """Where a store's calls go, without "/" at the end.

    Raises:
        Permanent: `shop` is no store's address.
    """
    handle = shop_domain(shop).removesuffix(".myshopify.com")
    return str(settings.NOVA_SHOPIFY_URL).replace("{shop}", handle)


class TokenAuth(AuthBase):
    """Puts the token on a call, if it goes to the store and nowhere else."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "")[:2] == urlsplit(shop_url(self._login.shop))[:2]:
            request.headers[TOKEN_HEADER] = self._login.access_token
        return request


def new_state() -> str:
    """A word that nobody can guess; it must be kept in the browser's session until the callback."""
    return secrets.token_urlsafe(32)


def authorize_url(login: Login, *, redirect_uri: str, state: str, scopes: Sequence[str] = SCOPES) -> str:
    """Where the merchant agrees that Nova may work in the store (an offline token, for everybody)."""
    query = {"client_id": login.client_id, "scope": ",".join(scopes), "redirect_uri": redirect_uri, "state": state}
    return f"{shop_url(login.shop)}/admin/oauth/authorize?{urlencode(query)}"


@dataclass(frozen=True)
class Callback:
    """What the merchant's browser brought back, checked. `code` can be changed into a token once."""

    shop: str
    code: str = field(repr=False)


def read_callback(query: str, login: Login, *, state: str, now: datetime | None = None) -> Callback:
    """Check the raw query string of a callback: state, signature, age, store.

    Raises:
        Permanent: something does not hold; the merchant has to start again.
    """
    pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Permanent("The answer of Shopify names something twice; start connecting the shop again.")
    if not state or not hmac.compare_digest(values.get("state", "").encode(), state.encode()):
        raise Permanent("The answer of Shopify belongs to another attempt; start connecting the shop again.")
    if not _is_signed(values, login):
        raise Permanent("The answer is not signed by Shopify with this app's secret.")
    try:
        age = (now or datetime.now(UTC)).timestamp() - int(values["timestamp"])
    except (KeyError, ValueError):
        raise Permanent("The answer of Shopify has no time; start connecting the shop again.") from None
    if abs(age) > CALLBACK_SECONDS:
        raise Permanent("The answer of Shopify is too old, or this machine's clock is wrong; start connecting the shop again.")
    shop = values.get("shop", "")
    if not _SHOP.fullmatch(shop) or shop_domain(shop) != shop_domain(login.shop):
        raise Permanent("The answer of Shopify is for another store than the one to be connected.")
    if not values.get("code"):
        raise Permanent("Shopify sent no code: the merchant did not agree.")
    return Callback(shop_domain(shop), values["code"])


def _is_signed(values: Mapping[str, str], login: Login) -> bool:
    told = values.get("hmac", "").encode()
    signed = sorted((name, value) for name, value in values.items() if name not in ("hmac", "signature"))
    # A blank may be written as "+" or "%20"; Shopify's own clients differ there.
    messages = {urlencode(signed, quote_via=how).encode() for how in (quote_plus, quote)}
    good = False
    for secret in _secrets(login):
        for message in messages:
            good |= hmac.compare_digest(hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode(), told)
    return good


def _secrets(login: Login) -> list[str]:
    return [secret for secret in (login.client_secret, *login.older_secrets) if secret]


def exchange_code(
    login: Login, callback: Callback, *, session: requests.Session, expiring: bool = True, sleep: Sleep = time.sleep
) -> Login:
    """Change the code of a callback into tokens; works once per code."""
    form = {"code": callback.code, "expiring": "1" if expiring else "0"}
    return _ask_token(replace(login, shop=callback.shop), form, session, sleep, repeatable=False)


def ask_credentials(login: Login, *, session: requests.Session, sleep: Sleep = time.sleep) -> Login:
    """A token for a store of the app's own organisation; valid a day, and asked for anew instead of refreshed.

    Raises:
        Withdrawn: the app is not (any more) installed in the store, or its secret was changed.
    """
    return _ask_token(login, {"grant_type": "client_credentials"}, session, sleep, repeatable=True)


def refresh(login: Login, *, session: requests.Session, sleep: Sleep = time.sleep) -> Login:
    """New tokens for old ones; the refresh token changes too, so the answer must be kept before it is used.

    The old refresh token stays good until the new access token is used, so a lost answer may be asked for again. A login without
    refresh token asks by client credentials if it was made so.

    Raises:
        Withdrawn: the tokens do not hold any more. Permanent: this login has nothing to renew it with.
    """
    if not login.refresh_token:
        if login.expires_at is not None and login.client_secret:
            return ask_credentials(login, session=session, sleep=sleep)
        raise Permanent("This login has no refresh token.")
    form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
    return _ask_token(login, form, session, sleep, repeatable=True)


def make_expiring(login: Login, *, session: requests.Session, sleep: Sleep = time.sleep) -> Login:
    """Change a token that never runs out into an expiring one; the old one is dead afterwards."""
    form = {
        "grant_type": _EXCHANGE,
        "subject_token": login.access_token,
        "subject_token_type": _OFFLINE,
        "requested_token_type": _OFFLINE,
        "expiring": "1",
    }
    return _ask_token(login, form, session, sleep, repeatable=False)


def missing_scopes(login: Login, needed: Collection[str] = SCOPES) -> list[str]:
    """What the merchant did not grant; writing holds reading."""
    granted = set(login.scopes) | {scope.replace("write_", "read_", 1) for scope in login.scopes if scope.startswith("write_")}
    return [scope for scope in needed if scope not in granted]


def _ask_token(login: Login, form: Mapping[str, str], session: requests.Session, sleep: Sleep, *, repeatable: bool) -> Login:
    asked = datetime.now(UTC)
    answer = call(
        session,
        "POST",
        f"{shop_url(login.shop)}/admin/oauth/access_token",
        judge=_judge_token,
        body=urlencode({"client_id": login.client_id, "client_secret": login.client_secret, **form}).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        repeatable=repeatable,
        sleep=sleep,
    )
    data = _object(answer)
    return replace(
        login,
        access_token=str(data["access_token"]),
        expires_at=_later(asked, data.get("expires_in")),
        refresh_token=str(data.get("refresh_token") or ""),
        refresh_expires_at=_later(asked, data.get("refresh_token_expires_in")),
        scopes=tuple(scope.strip() for scope in str(data.get("scope") or "").split(",") if scope.strip()),
    )


def _later(asked: datetime, seconds: Any) -> datetime | None:
    try:
        return asked + timedelta(seconds=float(seconds)) if seconds else None
    except (TypeError, ValueError, OverflowError):
        raise Surprise("Shopify's token runs out at no time that can be read.") from None


def _object(answer: Answer) -> dict[str, Any]:
    """What an answer holds; nothing where it is not whole or no object."""
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _judge_token(answer: Answer) -> None:
    request_id = answer.headers.get("x-request-id", "")
    if answer.status in (400, 401, 403):
        error = str(_object(answer).get("error") or "")
        # Only words of the standard are repeated, never what else the answer may hold.
        word = error if re.fullmatch(r"[a-z_]{1,60}", error) else ""
        raise Withdrawn(
            f"Shopify gives no token{f' ({word})' if word else ''}: the app was removed, or code, token or secret do not hold.",
            request_id=request_id,
            status=answer.status,
        )
    judge_status(answer, request_id=request_id, where="Shopify")
    data = _object(answer)
    if answer.body.lstrip().startswith(b"{") and not answer.body.rstrip().endswith(b"}"):
        raise Temporary("Shopify's token came cut off.", request_id=request_id, status=answer.status)
    if not isinstance(data.get("access_token"), str) or not data["access_token"]:
        raise Surprise("Shopify answered without a token.", request_id=request_id, status=answer.status)
