"""One call of the Selling Partner API: token, limits, envelopes and errors, the same for every operation."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests

from channels.amazon.auth import Login, TokenAuth, api_url, needs_refresh, refresh
from channels.amazon.client.limits import refill_seconds
from nova.http import Answer, Permanent, Surprise, Temporary, Withdrawn, call, judge_status, retry_after

#: What a token looks like, should Amazon ever quote one in an error.
_SECRETS = re.compile(r"(Atz[a-z]\||amzn1\.oa2-cs)\S*")
_PLURAL = 3


@dataclass(frozen=True)
class Problem:
    """One error of an answer, in Amazon's words."""

    code: str
    message: str


@dataclass(frozen=True)
class Reply:
    """An answer that Amazon let pass. `rate` is how many calls a second it allows, where it says so.

    `problems` are errors that came beside a payload: part of what was asked did not work.
    """

    status: int
    data: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    request_id: str = ""
    rate: float | None = None
    problems: tuple[Problem, ...] = ()

    def part(self, *names: str) -> dict[str, Any]:
        """An object inside the answer; an absent or null one is empty.

        Raises:
            Surprise: something else is at that place.
        """
        found: Any = self.data
        for name in names:
            found = found.get(name)
            if found is None:
                return {}
            if not isinstance(found, dict):
                raise Surprise(f"Amazon's answer has no object at {'.'.join(names)}.", request_id=self.request_id)
        return dict(found)

    def rows(self, *names: str, needed: bool = True) -> list[dict[str, Any]]:
        """A list of objects inside the answer. Raises Surprise: no such list where one is promised, or other things in it."""
        found = self.part(*names[:-1]).get(names[-1])
        if found is None and not needed:
            return []
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise Surprise(f"Amazon's answer has no list at {'.'.join(names)}.", request_id=self.request_id)
        return found

    def token(self, *names: str) -> str:
        """The token of the next page, "" after the last one."""
        found = self.part(*names[:-1]).get(names[-1])
        if found is not None and not isinstance(found, str):
            raise Surprise("Amazon's answer has a page token that is not text.", request_id=self.request_id)
        return found or ""


class Caller:
    """Calls for one seller. Its login gets a fresh access token when needed; `on_refresh` hears of each new one.

    A refreshed login need not be stored: the refresh token stays the same. 401 and 403 are tried once more with a fresh token
    (such a call was not carried out, so this is safe for writes), then the login counts as withdrawn.
    """

    def __init__(
        self,
        login: Login,
        session: requests.Session,
        *,
        on_refresh: Callable[[Login], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.login = login
        self.session = session
        self.sleep = sleep
        self.clock = clock
        #: operation -> calls a second that Amazon said last, for who keeps the limits
        self.rates: dict[str, float] = {}
        self._on_refresh = on_refresh
        self._auth = TokenAuth(self._token)

    def marketplaces(self) -> tuple[str, ...]:
        """The marketplaces of the login. Raises Permanent: none are known, so that nothing is never taken for an empty stock."""
        if not self.login.marketplace_ids:
            raise Permanent("No marketplaces of this shop are known; read them first (kind marketplaces).")
        return self.login.marketplace_ids

    def _token(self) -> str:
        if needs_refresh(self.login, self.clock()):
            self._refresh()
        return self.login.access_token

    def _refresh(self) -> None:
        self.login = refresh(self.login, session=self.session, now=self.clock())
        if self._on_refresh is not None:
            self._on_refresh(self.login)

    def ask(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool,
        may_be_empty: bool = False,
        private: Iterable[str] = (),
    ) -> Reply:
        """Make one call. `operation` is Amazon's name for it; `may_be_empty`: success may come without a body; `private` are
        words of the body, such as an address, that no error may repeat.

        Raises:
            Temporary: limits (with the seconds to wait), Amazon's trouble, a cut answer to a repeatable call.
            Permanent: 400, 404, 409, 413, 415, or errors instead of a payload. Withdrawn: 401 or 403 with a fresh token too.
            Surprise: an answer that is not what Amazon documents.
        """
        found: list[Reply] = []
        hidden = tuple(private)

        def judge(answer: Answer) -> None:
            found[:] = [read_reply(answer, operation, repeatable=repeatable, may_be_empty=may_be_empty, private=hidden)]

        def attempt() -> None:
            call(
                self.session,
                method,
                api_url(self.login.region) + path,
                judge=judge,
                auth=self._auth,
                params=params,
                body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers={"accept": "application/json"} | ({} if body is None else {"content-type": "application/json"}),
                repeatable=repeatable,
                sleep=self.sleep,
            )

        before = self.login
        try:
            attempt()
        except Withdrawn as error:
            if error.status not in (401, 403) or self.login is not before:
                raise
            self._refresh()
            attempt()
        if found[0].rate is not None:
            self.rates[operation] = found[0].rate
        return found[0]


def read_reply(
    answer: Answer, operation: str, *, repeatable: bool, may_be_empty: bool = False, private: Iterable[str] = ()
) -> Reply:
    """What an answer says, or the error that it means. Raises: see `Caller.ask`."""
    request_id = answer.headers.get("x-amzn-requestid", "")
    data = _json(answer.body)
    problems = _problems(data, private)
    _judge(answer, operation, problems, request_id)
    if not answer.body.strip() and may_be_empty:
        data = {}
    if not isinstance(data, dict):
        message = f"Amazon's answer to {operation} is cut off or no JSON object."
        if repeatable:
            raise Temporary(message, request_id=request_id, status=answer.status)
        raise Surprise(message, request_id=request_id, status=answer.status)
    if problems and data.get("payload") is None:
        raise Permanent(_sentence(operation, answer.status, problems), request_id=request_id, status=answer.status)
    return Reply(answer.status, data, answer.body, request_id, _rate(answer.headers), problems)


def _judge(answer: Answer, operation: str, problems: tuple[Problem, ...], request_id: str) -> None:
    """Decides on the status alone, as Amazon's codes differ from one API to the next; their words go into the message."""
    status = answer.status
    if 200 <= status < 300:
        return
    message = _sentence(operation, status, problems)
    if status == 429:
        # The wait that Amazon names, else the time in which the bucket gets its next token.
        wait = retry_after(answer.headers)
        raise Temporary(
            message, retry_after=refill_seconds(operation) if wait is None else wait, request_id=request_id, status=429
        )
    if status in (401, 403):
        raise Withdrawn(message, request_id=request_id, status=status)
    if 400 <= status < 500 and status not in (408, 425):
        raise Permanent(message, request_id=request_id, status=status)
    judge_status(answer, request_id=request_id, where=f"Amazon's {operation}")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def _problems(data: Any, private: Iterable[str]) -> tuple[Problem, ...]:
    errors = data.get("errors") if isinstance(data, dict) else None
    if not isinstance(errors, list):
        return ()
    hidden = sorted({word for word in private if len(word) > 2}, key=len, reverse=True)
    return tuple(
        Problem(_words(error.get("code"), 80, hidden), _words(error.get("message"), 300, hidden))
        for error in errors
        if isinstance(error, dict)
    )


def _words(raw: Any, most: int, hidden: Iterable[str]) -> str:
    said = " ".join(str(raw or "").split())
    for word in hidden:
        said = re.sub(re.escape(word), "…", said, flags=re.IGNORECASE)
    return _SECRETS.sub("…", said)[:most]


def _sentence(operation: str, status: int, problems: tuple[Problem, ...]) -> str:
    said = "; ".join(f"{problem.code}: {problem.message}" for problem in problems[:_PLURAL])
    more = f" (and {len(problems) - _PLURAL} more)" if len(problems) > _PLURAL else ""
    return f"Amazon refused {operation} with {status}{': ' if said else ''}{said}{more}."


def _rate(headers: Mapping[str, str]) -> float | None:
    try:
        rate = float(headers.get("x-amzn-ratelimit-limit", ""))
    except ValueError:
        return None
    return rate if 0 < rate < 10_000 else None


def moment(value: datetime) -> str:
    """A moment as Amazon writes it: UTC, whole seconds, Z. Raises ValueError: it has no time zone."""
    if value.tzinfo is None:
        raise ValueError("A moment sent to Amazon needs a time zone.")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(raw: Any) -> str:
    """A text field; null and absent are empty."""
    return "" if raw is None else str(raw)


def whole(raw: Any, where: str) -> int:
    """A whole number. Raises Surprise: it is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | str | Decimal):
        raise Surprise(f"Amazon's answer has no whole number at {where}.")
    try:
        number = Decimal(raw)
    except ArithmeticError:
        raise Surprise(f"Amazon's answer has no whole number at {where}.") from None
    if not number.is_finite() or number != number.to_integral_value():
        raise Surprise(f"Amazon's answer has no whole number at {where}.")
    return int(number)
