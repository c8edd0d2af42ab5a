"""Answers of the TikTok Shop Open API: bytes to pages, amounts, moments, and plain words for what is wrong with them.

An answer is `{"code": 0, "message": ..., "data": {...}}`; the data alone, and lists of either, are read as well. Amounts
are decimals in strings (empty for zero, sometimes with a blank behind), ids strings, times unix seconds in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from channels.adapter import DocumentError, Source
from channels.tables import decode, unpack

ZERO = Decimal(0)
_FOUR_PLACES = Decimal("0.0001")
_LIMIT = Decimal(10) ** 15
_LATEST = 253_402_300_799


class Amounts(dict[Any, Decimal]):
    """Amount by its text: statements repeat the same few thousand texts, so each is read once.

    Raises (on reading a key):
        ValueError: no amount, not finite, too large, or more than four decimals that are not zero.
    """

    def __missing__(self, text: Any) -> Decimal:
        if text is None or text == "" or (isinstance(text, str) and not text.strip()):
            amount = ZERO
        else:
            if isinstance(text, bool) or not isinstance(text, (str, int, float)) or (isinstance(text, str) and "_" in text):
                raise ValueError(f"{text!r} is not an amount")
            try:
                amount = Decimal(text if isinstance(text, str) else repr(text))
            except InvalidOperation:
                raise ValueError(f"{text!r} is not an amount") from None
            if not amount.is_finite() or abs(amount) >= _LIMIT:
                raise ValueError(f"{text!r} is not an amount that can be booked")
            if int(amount.as_tuple().exponent) < -4:
                exact = amount.quantize(_FOUR_PLACES)
                if exact != amount:
                    raise ValueError(f"{text!r} has more than four decimals")
                amount = exact
        if len(self) > 200_000:
            self.clear()
        self[text] = amount
        return amount


#: Shared by all documents of the process; only ever a cache.
AMOUNTS = Amounts()


def amount(value: Any, where: str) -> Decimal:
    """The amount of a field, zero when it is missing or empty.

    Raises:
        DocumentError: it is no amount; `where` names the field and its place.
    """
    try:
        return AMOUNTS[value]
    except (ValueError, TypeError) as error:
        raise DocumentError(f"{where}: {error}.") from None


def given(value: Any, where: str) -> Decimal | None:
    """The amount of a field, None when it is missing or empty."""
    return None if value is None or value == "" else amount(value, where)


def moment(value: Any, where: str) -> datetime:
    """A time in unix seconds (number or text) as UTC.

    Raises:
        DocumentError: missing, zero or no time.
    """
    try:
        seconds = int(value)
        if not 0 < seconds < _LATEST:
            raise ValueError
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError):
        raise DocumentError(f"{where}: {value!r} is not a time in unix seconds.") from None


def optional_moment(value: Any, where: str) -> datetime | None:
    """As `moment`, None when the field is missing, empty or zero."""
    return None if value in (None, "", 0, "0") else moment(value, where)


def currency_of(value: Any, source: Source, where: str) -> str:
    """A currency code; the shop's only currency stands in when the document names none.

    Raises:
        DocumentError: not three letters, or none is named and the shop's is not certain.
    """
    if value in (None, "") and len(source.currencies) == 1:
        return source.currencies[0]
    code = str(value or "").strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise DocumentError(f"{where}: {code!r} is not a currency code." if code else f"{where}: the currency is missing.")
    return code


def text_id(value: Any) -> str:
    """An id as text; "" for missing, empty and zero, which all mean there is none."""
    if value is None or value == 0:
        return ""
    found = value if isinstance(value, str) else str(value)
    found = found.strip()
    return "" if found == "0" else found


def load(body: bytes) -> Any:
    """The JSON of a document.

    Raises:
        DocumentError: not JSON or cut off; the line is named.
    """
    plain = unpack(body)
    if plain.startswith((b"\xff\xfe", b"\xfe\xff")):
        plain = decode(plain).encode()
    elif plain.startswith(b"\xef\xbb\xbf"):
        plain = plain[3:]
    try:
        return orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        raise DocumentError(
            f"The file is not complete JSON; it may be cut off at character {error.colno} ({error.msg}).", row=error.lineno
        ) from None


def pages(data: Any, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The data of every answer in a document. `wanted` are names of which one holds the list of the kind of document.

    Raises:
        DocumentError: an answer with an error code, or one that is of another kind.
    """
    answers = data if isinstance(data, list) else [data]
    if not answers:
        raise DocumentError("There is no answer of TikTok in this document.")
    for number, answer in enumerate(answers, start=1):
        place = f"Answer {number}" if len(answers) > 1 else "The answer"
        if not isinstance(answer, dict):
            raise DocumentError(f"{place} is not an object.")
        check_code(answer, place)
        page = answer.get("data", answer)
        if not isinstance(page, dict) or not any(isinstance(page.get(name), list) for name in wanted):
            if isinstance(page, dict) and any(name in page and page[name] is None for name in wanted):
                page = {**page, **{name: page[name] or [] for name in wanted if name in page}}
            else:
                raise DocumentError(f"{place} has no list {' or '.join(repr(name) for name in wanted)}.")
        yield page


def check_code(answer: dict[str, Any], place: str) -> None:
    """Refuse an answer that carries an error instead of data.

    Raises:
        DocumentError: the code is not 0; the message repeats TikTok's words.
    """
    if "code" in answer and str(answer["code"]).strip() not in ("0", ""):
        request = f", request {answer['request_id']}" if answer.get("request_id") else ""
        raise DocumentError(
            f"{place} is an error of TikTok, code {answer['code']}: {answer.get('message') or 'no message'}{request}."
        )
