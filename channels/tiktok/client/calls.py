"""One shop's line to TikTok: every call signed, judged and, where it may be repeated, tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import requests
from django.conf import settings

from channels.tiktok.auth import AuthorizedShop, Login, SignedCall
from channels.tiktok.client.versions import ENDPOINTS, path_of
from channels.tiktok.errors import AccessEnded, AccessExpired, CipherRefused, data_of, judge_for, request_id_of
from nova.http import TIMEOUT, Answer, Surprise, call


@dataclass(frozen=True)
class Told:
    """An answer: its bytes as they came, and its data."""

    body: bytes
    data: dict[str, Any]
    request_id: str

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The objects of a list of the data; a list that is missing or null is empty.

        Raises:
            Surprise: it is no list of objects.
        """
        rows = self.data.get(name)
        if rows is None:
            return []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Surprise(f"TikTok's answer has no list {name!r} of objects.", request_id=self.request_id)
        return rows


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list within a row; none where it is missing or no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


class Client:
    """Calls about the shop of a login. It stores nothing; `login` is newer than the given one after shops were read anew.

    Attributes:
        login: who asks; with fresh ciphers once TikTok refused the old one, for the caller to keep.
    """

    def __init__(
        self,
        login: Login,
        session: requests.Session,
        *,
        url: str = "",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        self.login = login
        self.clock = clock
        self._session = session
        self._url = (url or settings.NOVA_TIKTOK_API_URL).rstrip("/")
        self._sleep = sleep
        self._timeout = timeout

    def ask(
        self,
        name: str,
        parameters: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool,
    ) -> Told:
        """Make the call `name` of `ENDPOINTS`. A body without keys is not sent, as TikTok's own kits disagree on its signature.

        A cipher that TikTok refuses is read anew once; the refused call has done nothing, so writes may follow too.

        Raises:
            AccessExpired (a Temporary): refresh the login. Temporary, Permanent, Withdrawn, Surprise: `errors`.
        """
        endpoint = ENDPOINTS[name]
        path = path_of(name, parameters or {})
        if not endpoint.of_shop:
            return self._once(endpoint.method, path, query or {}, body, repeatable)
        asked = {**(query or {}), "shop_cipher": self.login.shop.cipher}
        try:
            return self._once(endpoint.method, path, asked, body, repeatable)
        except CipherRefused:
            before = self.login.shop.cipher
            self.login = self.read_shops()
            if self.login.shop.cipher == before:
                raise
        return self._once(endpoint.method, path, {**asked, "shop_cipher": self.login.shop.cipher}, body, repeatable)

    def read_shops(self) -> Login:
        """The login with the shops that it opens now, and their ciphers.

        Raises:
            Surprise: a shop without id or cipher.
        """
        told = self.ask("shops", repeatable=True)
        shops = []
        for row in told.rows("shops"):
            shop = AuthorizedShop(
                id=str(row.get("id") or ""),
                region=str(row.get("region") or "").upper(),
                name=str(row.get("name") or ""),
                cipher=str(row.get("cipher") or ""),
                seller_type=str(row.get("seller_type") or ""),
                code=str(row.get("code") or ""),
            )
            if not shop.id or not shop.cipher:
                raise Surprise("TikTok named a shop without its id or cipher.", request_id=told.request_id)
            shops.append(shop)
        return replace(self.login, shops=tuple(shops))

    def _once(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, repeatable: bool) -> Told:
        try:
            answer: Answer = call(
                self._session,
                method,
                f"{self._url}{path}",
                judge=judge_for(f"TikTok Shop's {method} {path}", self.login.secrets),
                auth=SignedCall(self.login, base=self._url, clock=self.clock),
                params=query,
                body=orjson.dumps(body) if body else None,
                headers={"Content-Type": "application/json"},
                repeatable=repeatable,
                timeout=self._timeout,
                sleep=self._sleep,
            )
        except AccessEnded as ended:
            raise AccessExpired(
                "The access token has ended; refresh the login.", request_id=ended.request_id, status=ended.status
            ) from None
        return Told(answer.body, data_of(answer), request_id_of(answer))
