"""A Shopify store on this machine: real HTTP, the documented envelopes, and whatever trouble a test asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from channels.shopify.auth import Login

TOKEN = "shpat_of-the-lantern-shop"
SECRET = "lantern-app-secret"
Variables = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """An answer that is not the plain envelope."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Store:
    """What the store was asked, and what it answers: by operation, a function of the variables or a list of answers in turn."""

    url: str = ""
    asked: list[tuple[str, Variables]] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    tokens: list[dict[str, str]] = field(default_factory=list)
    token_answers: list[Raw] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    seen_headers: list[dict[str, str]] = field(default_factory=list)
    version: str = "2026-10"

    def count(self, operation: str) -> int:
        return sum(1 for name, _variables in self.asked if name == operation)

    def last(self, operation: str) -> Variables:
        return [variables for name, variables in self.asked if name == operation][-1]

    def answer(self, operation: str, variables: Variables) -> Any:
        told = self.answers[operation]
        if callable(told):
            return told(variables)
        return told.pop(0) if len(told) > 1 else told[0]


def throttled(needed: float, there: float, restore: float) -> Raw:
    body = {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {
            "cost": {
                "requestedQueryCost": needed,
                "actualQueryCost": None,
                "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": there, "restoreRate": restore},
            }
        },
    }
    return Raw(json.dumps(body).encode())


def refused(code: str, message: str = "No.", data: Any = None) -> Raw:
    return Raw(json.dumps({"errors": [{"message": message, "extensions": {"code": code}}], "data": data}).encode())


def connection(nodes: list[Any], cursor: str = "") -> dict[str, Any]:
    return {"nodes": nodes, "pageInfo": {"hasNextPage": bool(cursor), "endCursor": cursor or None}}


def paged(members: list[Any]) -> Callable[[Variables], dict[str, Any]]:
    """A connection over members, cut by `first` and `after`."""

    def page(variables: Variables) -> dict[str, Any]:
        begin = int(variables.get("after") or 0)
        end = begin + int(variables["first"])
        return connection(members[begin:end], str(end) if end < len(members) else "")

    return page


def login(**more: Any) -> Login:
    given = {"shop": "lantern.myshopify.com", "client_id": "lantern-app", "client_secret": SECRET, "access_token": TOKEN}
    return Login(**{**given, **more})


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet per answer
    store: Store

    def log_message(self, *_args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.store.seen_headers.append(dict(self.headers.items()))
        body = self.store.files.get(urlsplit(self.path).path)
        self._send(Raw(body) if body is not None else Raw(b"<Error/>", 404))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.store.seen_headers.append(dict(self.headers.items()))
        if self.path == "/admin/oauth/access_token":
            form = dict(parse_qsl(body.decode(), strict_parsing=True))
            self.store.tokens.append(form)
            assert form["client_id"] and form["client_secret"]
            self._send(self.store.token_answers.pop(0))
        elif self.path == f"/admin/api/{self.store.version}/graphql.json":
            self._graphql(body)
        else:
            self._send(Raw(b'{"errors":"Not Found"}', 404))

    def _graphql(self, body: bytes) -> None:
        if self.headers.get("X-Shopify-Access-Token") != TOKEN:
            self._send(Raw(b'{"errors":"[API] Invalid API key or access token"}', 401))
            return
        asked = json.loads(body)
        name = asked["operationName"]
        self.store.asked.append((name, asked["variables"]))
        self.store.documents[name] = asked["query"]
        told = self.store.answer(name, asked["variables"])
        self._send(told if isinstance(told, Raw) else Raw(json.dumps({"data": told}).encode()))

    def _send(self, raw: Raw) -> None:
        self.send_response(raw.status)
        headers = {"Content-Type": "application/json", "X-Request-Id": "req-1", "X-Shopify-API-Version": "2026-10", **raw.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw.body)))
        self.end_headers()
        self.wfile.write(raw.body)


@contextmanager
def running() -> Iterator[Store]:
    store = Store()
    handler = type("Handler", (_Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
