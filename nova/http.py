"""Calls to the outside: time limits on everything, patient where a call may be repeated, four kinds of failure and no other.

`Temporary`: later it may work (the network, 5xx, limits). `Permanent`: this call will never work (the answer says why).
`Withdrawn`: the login no longer holds; nothing is asked again until somebody connects the shop anew. `Surprise`: the answer
is not what the channel's documents promise; a person must look.

Secrets travel in headers, bodies and, at some channels, in addresses: no message, log line or exception made here holds an
address's query, a header or a body.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

#: Seconds to wait for a connection, and for each part of an answer.
TIMEOUT = (10.0, 60.0)
#: An answer is not read further than this.
MAX_ANSWER_BYTES = 256 * 1024 * 1024
ATTEMPTS = 5
#: Longest wait between two attempts of one call; who must wait longer is told by `Temporary.retry_after`.
LONGEST_WAIT_SECONDS = 60.0
_REPEATABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class OutsideError(Exception):
    """A call to the outside failed. `request_id` is the channel's own, for its support; "" when it told none."""

    def __init__(self, message: str, *, request_id: str = "", status: int | None = None) -> None:
        self.request_id = request_id
        self.status = status
        super().__init__(f"{message} (request {request_id})" if request_id else message)


class Temporary(OutsideError):
    """It may work later: not before `retry_after` seconds, where the channel says so."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, request_id: str = "", status: int | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, request_id=request_id, status=status)


class Permanent(OutsideError):
    """This call will never work; the message says why."""


class Withdrawn(OutsideError):
    """The login does not hold any more: the shop must be connected again."""


class Surprise(OutsideError):
    """The answer is not what the channel promises."""


@dataclass(frozen=True)
class Answer:
    """What came back: headers by lower-case name, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


#: Looks at an answer and raises one of the four errors, or lets it pass.
Judge = Callable[[Answer], None]


def new_session(*, pool: int = 8) -> requests.Session:
    """A session whose connections are kept; redirects are not followed, as they could carry secrets elsewhere."""
    session = requests.Session()
    session.trust_env = False
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(pool_connections=pool, pool_maxsize=pool, max_retries=0))
    return session


def call(
    session: requests.Session,
    method: str,
    url: str,
    *,
    judge: Judge,
    auth: AuthBase | None = None,
    params: Mapping[str, str] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    repeatable: bool,
    attempts: int = ATTEMPTS,
    timeout: tuple[float, float] = TIMEOUT,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Make a call and return its answer once `judge` lets it pass.

    Only a `repeatable` call is tried again, up to `attempts` times, with growing waits and jitter, or as long as
    Retry-After says; `auth` signs every attempt anew. A call that must not run twice fails at its first trouble.

    Raises:
        Temporary: no attempt got through. Permanent, Withdrawn, Surprise: as `judge` says.
    """
    where = _where(method, url)
    for attempt in range(1, attempts + 1):
        try:
            answer = _once(session, method, url, auth, params, body, headers, timeout, where)
            judge(answer)
            return answer
        except Temporary as error:
            wait = error.retry_after if error.retry_after is not None else min(LONGEST_WAIT_SECONDS, 2.0**attempt / 2)
            if not repeatable or attempt == attempts or wait > LONGEST_WAIT_SECONDS:
                raise
            sleep(wait * (1 + random.random() / 4))
    raise AssertionError("attempts is at least one")


def _once(
    session: requests.Session,
    method: str,
    url: str,
    auth: AuthBase | None,
    params: Mapping[str, str] | None,
    body: bytes | None,
    headers: Mapping[str, str] | None,
    timeout: tuple[float, float],
    where: str,
) -> Answer:
    try:
        with session.request(
            method,
            url,
            params=dict(params or {}),
            data=body,
            headers=dict(headers or {}),
            auth=auth,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            content = _read(response, where)
            return Answer(response.status_code, {key.lower(): value for key, value in response.headers.items()}, content)
    except requests.Timeout:
        raise Temporary(f"{where} did not answer in time.") from None
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise Temporary(f"{where} could not be reached, or the connection broke.") from None
    except requests.RequestException as error:
        raise Permanent(f"{where} is no call that can be made ({type(error).__name__}).") from None


def _read(response: requests.Response, where: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_content(chunk_size=256 * 1024):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise Surprise(f"{where} answered with more than {MAX_ANSWER_BYTES:,} bytes.")
    return b"".join(parts)


def _where(method: str, url: str) -> str:
    """A call in words without its query, in which some channels carry secrets."""
    parts = urlsplit(url)
    return f"{method} {parts.hostname or ''}{parts.path}"


def judge_status(answer: Answer, *, request_id: str = "", where: str = "The channel") -> None:
    """The common reading of HTTP status codes; channels look into the body first, where theirs say more.

    Raises:
        Temporary: 408, 425, 429 and 5xx. Withdrawn: 401. Permanent: other 4xx. Surprise: 1xx and 3xx.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    if status in _REPEATABLE_STATUS or status >= 500:
        raise Temporary(
            f"{where} answered {status}.", retry_after=retry_after(answer.headers), request_id=request_id, status=status
        )
    if status == 401:
        raise Withdrawn(f"{where} does not accept the login any more.", request_id=request_id, status=status)
    if status >= 400:
        raise Permanent(f"{where} refused the call with {status}.", request_id=request_id, status=status)
    raise Surprise(f"{where} answered {status}, which Nova does not expect.", request_id=request_id, status=status)


def retry_after(headers: Mapping[str, Any], *, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait (a number or an HTTP date); None when there is none that makes sense."""
    raw = str(headers.get("retry-after", "")).strip()
    if not raw:
        return None
    try:
        seconds = float(raw)
    except ValueError:
        try:
            moment = parsedate_to_datetime(raw)
        except (TypeError, ValueError):
            return None
        seconds = (moment - (now or datetime.now(UTC))).total_seconds() if moment.tzinfo else 0.0
    return min(max(seconds, 0.0), 86_400.0) if seconds == seconds else None
