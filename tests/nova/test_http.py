"""Calls to the outside over real HTTP on this machine: patience, limits and four kinds of failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nova.http import Answer, Permanent, Surprise, Temporary, Withdrawn, call, judge_status, new_session, retry_after

Respond = Callable[[BaseHTTPRequestHandler, int], None]


@contextmanager
def server(respond: Respond) -> Iterator[tuple[str, list[str]]]:
    """A server that answers each call by its number (from 1); yields its address and the paths that were asked."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            seen.append(self.path)
            respond(self, len(seen))

        do_GET = do_POST = handle_any

        def log_message(self, *args: Any) -> None:
            return

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", seen
    finally:
        running.shutdown()
        running.server_close()


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def ask(url: str, *, repeatable: bool = True, method: str = "GET", **more: Any) -> tuple[Answer, list[float]]:
    waits: list[float] = []
    found = call(
        new_session(), method, url, judge=judge_status, repeatable=repeatable, sleep=waits.append, timeout=(2, 0.5), **more
    )
    return found, waits


def test_a_repeatable_call_waits_as_long_as_it_is_asked_to() -> None:
    def busy_once(handler: BaseHTTPRequestHandler, number: int) -> None:
        answer(handler, 429 if number == 1 else 200, b"done", **({"Retry_After": "3"} if number == 1 else {}))

    with server(busy_once) as (url, seen):
        found, waits = ask(url)
    assert (found.status, found.body, len(seen)) == (200, b"done", 2)
    assert 3 <= waits[0] <= 3.75


def test_a_call_that_must_not_run_twice_is_made_once() -> None:
    with server(lambda handler, number: answer(handler, 503)) as (url, seen), pytest.raises(Temporary):
        ask(url, repeatable=False, method="POST", body=b"{}")
    assert len(seen) == 1


def test_attempts_end_and_waits_grow() -> None:
    waits: list[float] = []
    with server(lambda handler, number: answer(handler, 500)) as (url, seen), pytest.raises(Temporary):
        call(new_session(), "GET", url, judge=judge_status, repeatable=True, attempts=4, sleep=waits.append)
    assert len(seen) == 4
    assert waits == sorted(waits)


def test_a_cut_connection_is_temporary() -> None:
    def cut(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number > 1:
            return answer(handler, 200, b"whole")
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True
        return None

    with server(cut) as (url, seen):
        found, _waits = ask(url)
    assert (found.body, len(seen)) == (b"whole", 2)


def test_an_answer_that_does_not_come_is_temporary() -> None:
    slow = threading.Event()
    with server(lambda handler, number: (slow.wait(3), answer(handler, 200))[1]) as (url, _seen):
        with pytest.raises(Temporary, match="in time"):
            ask(url, repeatable=False)
        slow.set()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Withdrawn), (403, Permanent), (404, Permanent), (302, Surprise), (500, Temporary), (429, Temporary)],
)
def test_every_status_is_one_of_four_failures(status: int, error: type[Exception]) -> None:
    moved = "http://127.0.0.1:9/"
    with server(lambda handler, number: answer(handler, status, Location=moved)) as (url, _seen), pytest.raises(error):
        ask(url, repeatable=False)


def test_no_message_holds_what_an_address_carries() -> None:
    with server(lambda handler, number: answer(handler, 400)) as (url, _seen), pytest.raises(Permanent) as refused:
        ask(f"{url}/token", params={"app_secret": "hush-hush"})
    assert "hush" not in str(refused.value)
    with pytest.raises(Temporary) as unreachable:
        ask("http://127.0.0.1:9/token", params={"app_secret": "hush-hush"}, repeatable=False)
    assert "hush" not in f"{unreachable.value!r}"
    assert unreachable.value.__cause__ is None


def test_a_wait_longer_than_a_call_may_take_is_left_to_the_caller() -> None:
    with (
        server(lambda handler, number: answer(handler, 429, Retry_After="3600")) as (url, seen),
        pytest.raises(Temporary) as told,
    ):
        ask(url)
    assert (told.value.retry_after, len(seen)) == (3600, 1)


@pytest.mark.parametrize(("raw", "seconds"), [("7", 7), ("", None), ("soon", None), ("-5", 0), ("nan", None), ("1e9", 86_400)])
def test_retry_after_is_read_with_care(raw: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": raw}) == seconds
