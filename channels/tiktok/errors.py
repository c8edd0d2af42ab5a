"""What TikTok's answers mean: the envelope, and its codes as Nova's four kinds of failure.

An answer is `{"code": 0, "message", "request_id", "data"}`; HTTP 200 may carry a code that is not 0, so both are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from nova.http import Answer, Judge, Permanent, Surprise, Temporary, Withdrawn, judge_status, retry_after

#: Longest text of TikTok that is repeated in a message.
_LONGEST = 300


class Refused(Permanent):
    """TikTok refuses the call with a `code` of its own."""

    def __init__(self, message: str, *, code: int, request_id: str = "", status: int | None = None) -> None:
        self.code = code
        super().__init__(message, request_id=request_id, status=status)


class AccessExpired(Temporary):
    """The access token ended: refresh the login and ask again with the new one."""


class CipherRefused(Withdrawn):
    """The shop's cipher is not accepted (any more): read the shops anew; the client does so once by itself."""


class AccessEnded(Exception):
    """Only between a judge and the client: so that no attempt with the same token follows. Never leaves the client."""

    def __init__(self, request_id: str, status: int) -> None:
        self.request_id = request_id
        self.status = status
        super().__init__("access token expired")


CATCH_ALL = 36009004
_TEMPORARY = frozenset({36009002, 36009003, 36009007})
ACCESS_EXPIRED = 105002
_CIPHER = frozenset({106011, 106013})
_WITHDRAWN = {101000: "The login is not a seller's or does not open this shop."}
#: Codes whose remedy is known; all others repeat TikTok's own words.
_REMEDIES = {
    105005: "The seller has not granted what this call needs (a scope): connect the shop again and allow it.",
    106001: "The signature is not accepted: check the app's secret.",
    36009009: "This version of the call is not known any more: set a newer one in NOVA_TIKTOK_VERSIONS.",
    36009010: "This version of the call does not know the method: set another one in NOVA_TIKTOK_VERSIONS.",
    36009033: "This server's address is not on the app's list of allowed addresses: add it in Partner Center.",
    36004005: "The code is not valid any more (it works once, for 30 minutes): connect the shop again.",
    12019028: "Every warehouse of the SKU must be named: read the stock again.",
    12052037: "Every warehouse of the SKU must be named: read the stock again.",
    12052533: "The warehouses of the SKU have changed: read the stock again.",
    12052393: "A promotion holds stock back; the quantity cannot go below it.",
    12052921: "The stock of this SKU is kept elsewhere and cannot be set here.",
    12052141: "The stock of this SKU is kept elsewhere and cannot be set here.",
    12052850: "The SKU is a bundle; its stock follows from its parts.",
    21011044: "The order is on hold; nothing may be shipped yet.",
    21011049: "The tracking number can no longer be changed.",
    21011050: "The tracking number can be changed only once.",
    21011051: "The tracking number can be changed only once.",
    21011025: "The tracking number is used by another package.",
    21034012: "The tracking number is used by another package.",
    21011022: "The tracking number or the shipping provider is not valid.",
    11028006: "The tracking number fits no carrier.",
    21011007: "A return or cancellation is being asked for: decide on it first.",
    21008044: "A return or cancellation is being asked for: decide on it first.",
}
#: The order is shipped already: read it again to see how.
ALREADY_SHIPPED = frozenset({21011020, 21008099, 11006021, 21011040})
#: A quantity outside the allowed range, as zero may be: take the SKU off sale instead.
QUANTITY_REFUSED = frozenset({12019024, 12052055})
#: A date without figures, or too far back.
NO_FIGURES = 28001022
ON_HOLD = 21011044


def judge_for(where: str, secrets: Iterable[str] = ()) -> Judge:
    """A judge of answers of `where`; none of the `secrets` gets into a message, even if TikTok repeats them."""
    hidden = tuple(word for word in secrets if len(word) > 3)

    def judge(answer: Answer) -> None:
        told = _envelope(answer)
        if told is None:
            judge_status(answer, where=where)
            raise Temporary(f"{where} answered with JSON that is not complete.", status=answer.status)
        request_id = str(told.get("request_id") or answer.headers.get("x-tt-logid", ""))
        code = _code(told)
        if code is None:
            judge_status(answer, request_id=request_id, where=where)
            raise Surprise(f"{where} answered without a code.", request_id=request_id, status=answer.status)
        if code == 0:
            judge_status(answer, request_id=request_id, where=where)
            return
        _raise(code, _clean(told.get("message"), hidden), where, request_id, answer)

    return judge


def _raise(code: int, message: str, where: str, request_id: str, answer: Answer) -> None:
    status = answer.status
    lower = message.lower()
    if code == ACCESS_EXPIRED or (code == CATCH_ALL and "token" in lower and "expired" in lower):
        raise AccessEnded(request_id, status)
    if code in _TEMPORARY or (code == CATCH_ALL and "timestamp" in lower):
        raise Temporary(
            f"{where} asks to come back later (code {code}: {message}).",
            retry_after=retry_after(answer.headers),
            request_id=request_id,
            status=status,
        )
    if code in _CIPHER:
        raise CipherRefused(f"{where} does not know the shop by its cipher.", request_id=request_id, status=status)
    if code in _WITHDRAWN:
        raise Withdrawn(f"{where}: {_WITHDRAWN[code]} (code {code})", request_id=request_id, status=status)
    if code not in _REMEDIES and code != CATCH_ALL and (status == 401 or status == 429 or status >= 500):
        judge_status(answer, request_id=request_id, where=where)
    reason = _REMEDIES.get(code) or f"It says: {message or 'nothing'}."
    raise Refused(f"{where} refuses with code {code}. {reason}", code=code, request_id=request_id, status=status)


def data_of(answer: Answer) -> dict[str, Any]:
    """The data of an answer that a judge let pass.

    Raises:
        Surprise: there is none.
    """
    told = _envelope(answer) or {}
    data = told.get("data")
    if not isinstance(data, dict):
        if data is None:
            return {}
        raise Surprise("TikTok answered with data of another shape.", request_id=str(told.get("request_id") or ""))
    return data


def request_id_of(answer: Answer) -> str:
    """TikTok's id of a call, for its support."""
    return str((_envelope(answer) or {}).get("request_id") or "")


def _envelope(answer: Answer) -> dict[str, Any] | None:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def _code(told: dict[str, Any]) -> int | None:
    try:
        return int(str(told["code"]).strip())
    except (KeyError, ValueError):
        return None


def _clean(message: Any, hidden: tuple[str, ...]) -> str:
    text = " ".join(str(message or "").split())
    for word in hidden:
        text = text.replace(word, "***")
    return text[:_LONGEST].rstrip(".")
