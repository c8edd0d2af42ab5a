"""A small TikTok Shop on this machine for tests: it checks what the real one checks and answers in its envelopes."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from channels.tiktok.auth import AuthorizedShop, Login
from channels.tiktok.client import Client
from nova.http import new_session

APP_KEY, APP_SECRET = "6lumenapp1", "5ecret0f1umen"
ACCESS, REFRESH = "TTP_access-of-lumen", "TTP_refresh-of-lumen"
SHOP, CIPHER = "7494049642642441621", "TTP_cipher/of+lumen=="


@dataclass
class Asked:
    """A call that came in: plain (decoded) query values."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    headers: dict[str, str]


@dataclass
class Reply:
    """An answer: an envelope around `data`, or `raw` bytes; `cut` breaks the connection in the middle of it."""

    data: Any = None
    code: int = 0
    message: str = "Success"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False

    def bytes(self) -> bytes:
        if self.raw is not None:
            return self.raw
        envelope = {"code": self.code, "message": self.message, "request_id": "20261125REQ", "data": self.data}
        return json.dumps(envelope).encode()


Answers = Callable[[Asked], Reply]


class Market:
    """Routes (method and path pattern) to answers; `faults` are answers given first, in order, to any call but of tokens."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.routes: list[tuple[str, re.Pattern[str], Answers]] = []
        self.faults: list[Reply | None] = []
        self.access = ACCESS
        self.cipher = CIPHER
        self.now: Callable[[], float] = time.time
        self.url = ""
        self.on("GET", r"/authorization/202309/shops", self._shops)

    def on(self, method: str, pattern: str, answers: Answers) -> None:
        self.routes.insert(0, (method, re.compile(pattern), answers))

    def paths(self) -> list[str]:
        return [call.path for call in self.asked]

    def _shops(self, asked: Asked) -> Reply:
        row = {"id": SHOP, "name": "Lumen", "region": "US", "seller_type": "LOCAL", "cipher": self.cipher, "code": "USLCLUMEN"}
        other = {**row, "id": "7000000000000000002", "name": "Lumen UK", "region": "GB", "cipher": "GCP_uk"}
        return Reply({"shops": [row, other]})

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if asked.path.startswith("/api/v2/token/"):
            return self._route(asked)
        if self.faults and (fault := self.faults.pop(0)) is not None:
            return fault
        return self._check(asked) or self._route(asked)

    def _route(self, asked: Asked) -> Reply:
        for method, pattern, answers in self.routes:
            if method == asked.method and pattern.fullmatch(asked.path):
                return answers(asked)
        return Reply(code=36009009, message="Invalid path", status=404)

    def _check(self, asked: Asked) -> Reply | None:
        words = "".join(f"{key}{asked.query[key]}" for key in sorted(asked.query) if key not in ("sign", "access_token"))
        text = APP_SECRET.encode() + asked.path.encode() + words.encode() + asked.raw + APP_SECRET.encode()
        if asked.query.get("sign") != hmac.new(APP_SECRET.encode(), text, hashlib.sha256).hexdigest():
            return Reply(code=106001, message="sign invalid", status=401)
        age = self.now() - int(asked.query["timestamp"])
        if not -30 <= age <= 300:
            return Reply(code=36009004, message="Invalid timestamp", status=400)
        if asked.headers.get("x-tts-access-token") != self.access:
            return Reply(code=105002, message="Expired credentials", status=401)
        seller_level = asked.path.startswith(("/authorization/", "/seller/"))
        if seller_level and "shop_cipher" in asked.query:
            return Reply(code=36009004, message="Unexpected parameter shop_cipher", status=400)
        if not seller_level and asked.query.get("shop_cipher", "") != self.cipher:
            return Reply(code=106011, message=f"Invalid shop_cipher {asked.query.get('shop_cipher')}", status=400)
        sorted_lists = ("/statements", "_transactions", "/unsettled", "/payments")
        needs_sort = asked.path.startswith("/finance/") and asked.path.endswith(sorted_lists) and asked.method == "GET"
        if needs_sort and "/orders/57" not in asked.path and "sort_field" not in asked.query:
            return Reply(code=36009004, message="sort_field is required", status=400)
        return None

    def list(
        self,
        method: str,
        pattern: str,
        name: str,
        rows: Callable[[Asked], list[dict[str, Any]]],
        *,
        most: int = 100,
        size: int | None = None,
        **more: Any,
    ) -> None:
        """A list with pages of `size` (else as asked, at most `most`), whose tokens are positions in odd characters."""

        def answers(asked: Asked) -> Reply:
            wanted = int(asked.query.get("page_size", "0"))
            if not 0 < wanted <= most:
                return Reply(code=36009004, message="page_size is out of range", status=400)
            found, step = rows(asked), size or wanted
            token = asked.query.get("page_token", "")
            first = int(token.removeprefix("a/b+").removesuffix("==")) if token else 0
            following = f"a/b+{first + step}==" if first + step < len(found) else ""
            return Reply({**more, name: found[first : first + step], "next_page_token": following, "total_count": len(found)})

        self.on(method, pattern, answers)


@contextmanager
def market() -> Iterator[Market]:
    """A running market."""
    place = Market()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = place.answer(
                Asked(
                    self.command,
                    unquote_plus(parts.path),
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    json.loads(raw) if raw else {},
                    raw,
                    {key.lower(): value for key, value in self.headers.items()},
                )
            )
            body = reply.bytes()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if reply.cut else body)
            self.close_connection = self.close_connection or reply.cut

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    place.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()


def login(*, region: str = "US", cipher: str = CIPHER) -> Login:
    """Lumen's login, speaking for its shop of `region`."""
    now = datetime.now(UTC)
    return Login(
        APP_KEY,
        APP_SECRET,
        ACCESS,
        now + timedelta(days=5),
        REFRESH,
        now + timedelta(days=300),
        shops=(AuthorizedShop(SHOP, region, "Lumen", cipher),),
        shop_id=SHOP,
    )


def client(place: Market, *, region: str = "US", cipher: str = CIPHER, waits: list[float] | None = None) -> Client:
    """Lumen's line to the market; its waits are noted instead of waited."""
    noted = waits if waits is not None else []
    return Client(login(region=region, cipher=cipher), new_session(), url=place.url, sleep=noted.append, timeout=(2, 2))
