"""Who asks at TikTok Shop: the login of a shop, the signature of every call, and where tokens come from.

A token belongs to a seller and may carry several shops; calls about one shop name it by its cipher. Access tokens hold about
seven days; `*_expire_in` of TikTok's answers are moments (unix seconds, UTC), not durations. The two token calls carry
secrets in their query: nothing here or in `nova.http` repeats an address's query, and urllib3's own debug lines lose theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import requests
from django.conf import settings
from requests.auth import AuthBase

from channels.tiktok.errors import ACCESS_EXPIRED, AccessEnded, Refused, data_of, judge_for
from nova.http import Permanent, Surprise, Withdrawn, call

TOKEN_HEADER = "x-tts-access-token"
#: An access token is renewed when it holds less than this any more.
RENEW_BEFORE = timedelta(hours=24)
_SELLER = 0
_NEVER = datetime.fromtimestamp(0, UTC)
_USER_TYPES = {0: "a seller", 1: "a creator", 3: "a partner"}


class _WithoutQuery(logging.Filter):
    """urllib3 writes the address of every call at debug level; token calls carry secrets in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                word.partition("?")[0] + "?..." if isinstance(word, str) and "?" in word else word for word in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQuery())


@dataclass(frozen=True)
class AuthorizedShop:
    """A shop that a login may act for. `seller_type` is LOCAL or CROSS_BORDER."""

    id: str
    region: str
    name: str = ""
    cipher: str = field(default="", repr=False)
    seller_type: str = ""
    code: str = ""


@dataclass(frozen=True)
class Login:
    """An app, a seller's tokens (expiries in UTC) and the shops they open; `shop_id` is the one that is spoken for."""

    app_key: str
    app_secret: str = field(repr=False)
    access_token: str = field(default="", repr=False)
    access_expires_at: datetime = _NEVER
    refresh_token: str = field(default="", repr=False)
    refresh_expires_at: datetime = _NEVER
    open_id: str = ""
    seller_name: str = ""
    base_region: str = ""
    scopes: tuple[str, ...] = ()
    shops: tuple[AuthorizedShop, ...] = ()
    shop_id: str = ""

    @property
    def shop(self) -> AuthorizedShop:
        """The shop that is spoken for.

        Raises:
            Withdrawn: the seller's login does not open that shop.
        """
        for shop in self.shops:
            if shop.id == self.shop_id:
                return shop
        raise Withdrawn(f"The login does not open the shop {self.shop_id or '(none chosen)'}; connect it again.")

    def for_shop(self, shop_id: str) -> Login:
        """The same login, speaking for another of its shops."""
        return replace(self, shop_id=shop_id)

    def needs_renewal(self, now: datetime) -> bool:
        """Whether the access token ends soon or has ended."""
        return now >= self.access_expires_at - RENEW_BEFORE

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not stand in any text about this login."""
        return tuple(
            word
            for word in (self.app_secret, self.access_token, self.refresh_token, *(shop.cipher for shop in self.shops))
            if word
        )


def sign(app_secret: str, path: str, query: Iterable[tuple[str, str]], body: bytes = b"") -> str:
    """The signature of a call. `query` holds plain (unencoded) values, `path` its parameters, `body` the bytes as sent."""
    pairs = sorted((key, value) for key, value in query if key not in ("sign", "access_token"))
    words = "".join(f"{key}{value}" for key, value in pairs)
    secret = app_secret.encode()
    return hmac.new(secret, secret + path.encode() + words.encode() + body + secret, hashlib.sha256).hexdigest()


class SignedCall(AuthBase):
    """Names the app, the moment and the token in a call and signs it; made for every attempt anew, as a moment is valid for
    five minutes only. A path of the host's own (`base`) is no part of what is signed."""

    def __init__(self, login: Login, *, base: str = "", clock: Callable[[], float] = time.time) -> None:
        self.login = login
        self.base = urlsplit(base).path.rstrip("/")
        self.clock = clock

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url))
        query = [
            (key, value)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
            if key not in ("app_key", "timestamp", "sign", "access_token")
        ]
        query += [("app_key", self.login.app_key), ("timestamp", str(int(self.clock())))]
        body = request.body or b""
        multipart = str(request.headers.get("Content-Type", "")).startswith("multipart/form-data")
        signed = b"" if multipart else body.encode() if isinstance(body, str) else bytes(body)
        query.append(("sign", sign(self.login.app_secret, parts.path.removeprefix(self.base), query, signed)))
        request.url = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="")))
        request.headers[TOKEN_HEADER] = self.login.access_token
        return request


def authorize_url(service_id: str, state: str, *, region: str = "") -> str:
    """The page at which a seller allows the app; TikTok then calls the app's redirect address with `code` and `state`.

    `service_id` is not the app's key; shops of the United States (`region` US) have a page of their own.
    """
    base = settings.NOVA_TIKTOK_AUTHORIZE_URL_US if region == "US" else settings.NOVA_TIKTOK_AUTHORIZE_URL
    return f"{base}?{urlencode({'service_id': service_id, 'state': state})}"


def code_of(callback: Mapping[str, str], *, state: str, from_store: bool = False) -> str:
    """The code that TikTok brought back. Who comes `from_store` (TikTok's App Store) has no state: confirm the person then.

    Raises:
        Permanent: the seller refused, the state is another one, or there is no code.
    """
    error = callback.get("error", "")
    code = callback.get("code", "")
    if error or code in ("", "null"):
        raise Permanent(
            "The seller did not allow the app." if error == "auth_denied" else "TikTok brought no code back; connect again."
        )
    told = callback.get("state", "")
    if not (from_store and not told) and not (state and hmac.compare_digest(told.encode(), state.encode())):
        raise Permanent("The answer belongs to another attempt to connect; start again.")
    return code


def exchange(
    app_key: str,
    app_secret: str,
    code: str,
    session: requests.Session,
    *,
    url: str = "",
    timeout: tuple[float, float] = (10.0, 60.0),
) -> Login:
    """The login for a code (valid once, for 30 minutes); its shops are read with `Client.read_shops`.

    Raises:
        Permanent: the code is not accepted, or it is a creator's or partner's. Temporary, Surprise: as for every call.
    """
    login = Login(app_key, app_secret)
    told = _token_call(login, "get", {"auth_code": code, "grant_type": "authorized_code"}, session, url, timeout)
    return _with_tokens(login, told, keep_refresh=False)


def refresh(login: Login, session: requests.Session, *, url: str = "", timeout: tuple[float, float] = (10.0, 60.0)) -> Login:
    """The login with new tokens: store it before anything else, as the old refresh token may have ended with this call.

    It is not tried again by itself for the same reason.

    Raises:
        Withdrawn: the refresh token is not accepted any more. Temporary, Surprise: as for every call.
    """
    words = {"refresh_token": login.refresh_token, "grant_type": "refresh_token"}
    try:
        told = _token_call(login, "refresh", words, session, url, timeout)
    except Refused as error:
        raise Withdrawn(
            f"TikTok does not renew the login (code {error.code}); connect the shop again.",
            request_id=error.request_id,
            status=error.status,
        ) from None
    return _with_tokens(login, told, keep_refresh=True)


def _token_call(
    login: Login, what: str, words: dict[str, str], session: requests.Session, url: str, timeout: tuple[float, float]
) -> dict[str, Any]:
    hidden = (*login.secrets, *(word for key, word in words.items() if key != "grant_type"))
    try:
        answer = call(
            session,
            "GET",
            f"{(url or settings.NOVA_TIKTOK_AUTH_URL).rstrip('/')}/api/v2/token/{what}",
            judge=judge_for("TikTok's token service", hidden),
            params={"app_key": login.app_key, "app_secret": login.app_secret, **words},
            repeatable=False,
            timeout=timeout,
        )
    except AccessEnded as ended:
        raise Refused(
            "TikTok's token service says that the token has ended.",
            code=ACCESS_EXPIRED,
            request_id=ended.request_id,
            status=ended.status,
        ) from None
    return data_of(answer)


def _with_tokens(login: Login, told: dict[str, Any], *, keep_refresh: bool) -> Login:
    user_type = told.get("user_type")
    if user_type not in (None, "") and str(user_type) != str(_SELLER):
        kind = _USER_TYPES.get(int(user_type), "of another kind") if str(user_type).isdigit() else "of another kind"
        raise Permanent(f"The account is {kind}; a shop is connected with a seller's account.")
    access = str(told.get("access_token") or "")
    renewed = str(told.get("refresh_token") or (login.refresh_token if keep_refresh else ""))
    if not access or not renewed:
        raise Surprise("TikTok's token service answered without tokens.")
    scopes = told.get("granted_scopes")
    return replace(
        login,
        access_token=access,
        access_expires_at=_expiry(told.get("access_token_expire_in"), "access_token_expire_in"),
        refresh_token=renewed,
        refresh_expires_at=(
            login.refresh_expires_at
            if keep_refresh and told.get("refresh_token_expire_in") in (None, "", 0)
            else _expiry(told.get("refresh_token_expire_in"), "refresh_token_expire_in")
        ),
        open_id=str(told.get("open_id") or login.open_id),
        seller_name=str(told.get("seller_name") or login.seller_name),
        base_region=str(told.get("seller_base_region") or login.base_region),
        scopes=tuple(str(scope) for scope in scopes) if isinstance(scopes, list) else login.scopes,
    )


def _expiry(value: Any, name: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise Surprise(f"TikTok's token service answered with a {name} that is no time.") from None
