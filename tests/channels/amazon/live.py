"""An Amazon to call, on this machine: it gives out tokens, refuses calls without one, and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests

from channels.amazon.auth import Login
from channels.amazon.client import Caller

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
US, CA = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"
SECRET, REFRESH = "amzn1.oa2-cs.v1.harbour-secret", "Atzr|harbour-refresh"


@dataclass(frozen=True)
class Asked:
    """A call as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """An answer to give. `cut` announces more bytes than are sent; `delay` seconds come before it."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def refused(status: int, code: str = "InvalidInput", message: str = "Invalid Input", **headers: str) -> Told:
    return Told({"errors": [{"code": code, "message": message, "details": ""}]}, status, headers)


Rule = Callable[[Asked], Told]


class Amazon:
    """What the server knows: rules by method and start of the path, tokens given out, calls seen (without those for tokens)."""

    def __init__(self) -> None:
        self.url = ""
        self.rules: list[tuple[str, str, Rule]] = []
        self.asked: list[Asked] = []
        self.token_calls: list[dict[str, str]] = []
        self.token_answers: list[Told] = []
        self.good_tokens: set[str] = set()
        self.lock = threading.Lock()

    def on(self, method: str, path: str, *answers: Told | Rule) -> None:
        """Answer calls whose path begins so, one answer after the other; the last one stays."""
        left = list(answers)

        def rule(asked: Asked) -> Told:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return answer if isinstance(answer, Told) else answer(asked)

        self.rules.append((method, path, rule))

    def answer(self, asked: Asked) -> Told:
        if asked.path == "/auth/o2/token":
            return self._token(asked)
        self.asked.append(asked)
        if asked.path.startswith("/store/"):
            assert "x-amz-access-token" not in asked.headers, "the store of reports must not see the token"
        elif asked.headers.get("x-amz-access-token") not in self.good_tokens:
            return refused(403, "Unauthorized", "The access token you provided is revoked, malformed or invalid.")
        elif not asked.headers.get("user-agent", "").startswith("Nova/"):
            return refused(400, "InvalidInput", "User-Agent is missing")
        for method, path, rule in self.rules:
            if asked.method == method and asked.path.startswith(path):
                return rule(asked)
        return refused(404, "NotFound", "The requested resource doesn't exist.")

    def _token(self, asked: Asked) -> Told:
        form = dict(parse_qsl(asked.body.decode()))
        self.token_calls.append(form)
        if self.token_answers:
            return self.token_answers.pop(0)
        if form.get("client_secret") != SECRET or form.get("client_id") != "amzn1.application-oa2-client.harbour":
            return Told({"error": "invalid_client", "error_description": f"no {form.get('client_secret')}"}, 401)
        if form.get("refresh_token") != REFRESH and form.get("code") != "consent-code":
            return Told({"error": "invalid_grant", "error_description": f"no {form.get('refresh_token')}"}, 400)
        token = f"Atza|{len(self.token_calls)}"
        self.good_tokens.add(token)
        return Told({"access_token": token, "refresh_token": REFRESH, "token_type": "bearer", "expires_in": 3600})


@contextmanager
def amazon(settings: Any) -> Iterator[Amazon]:
    """Run it, and point Nova's settings at it."""
    world = Amazon()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece, or every call waits for an acknowledgement
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            headers = {key.lower(): value for key, value in self.headers.items()}
            with world.lock:
                told = world.answer(Asked(self.command, parts.path, query, headers, body))
            content = told.body if isinstance(told.body, bytes) else b"" if told.body is None else json.dumps(told.body).encode()
            self.send_response(told.status)
            self.send_header("content-length", str(len(content) + (1000 if told.cut else 0)))
            for key, value in {"x-amzn-RequestId": "rq-7", "content-type": "application/json", **told.headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)
            if told.cut:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    world.url = f"http://127.0.0.1:{server.server_port}"
    for name in ("API_URL_NA", "API_URL_EU", "API_URL_FE", "LWA_URL"):
        setattr(settings, f"NOVA_AMAZON_{name}", world.url)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()


def login(**changes: Any) -> Login:
    """Harbour Goods' login in North America, without an access token yet."""
    known: dict[str, Any] = {
        "client_id": "amzn1.application-oa2-client.harbour",
        "client_secret": SECRET,
        "region": "NA",
        "refresh_token": REFRESH,
        "seller_id": "A3HARBOUR",
        "marketplace_ids": (US, CA),
    }
    return Login(**(known | changes))


class Waits(list[float]):
    """Remembers how long it was asked to wait, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def caller(session: requests.Session, *, waits: Waits | None = None, now: datetime = NOW, **changes: Any) -> Caller:
    return Caller(login(**changes), session, sleep=Waits() if waits is None else waits, clock=lambda: now)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)
