"""Answers of Shopify's APIs as Nova reads them: GraphQL (2026-10) and the old REST shapes, one page or a list of pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from channels.adapter import DocumentError
from channels.tables import decode, parse_moment, unpack

Node = Mapping[str, Any]
_FOUR_PLACES = Decimal("0.0001")


def is_json(body: bytes) -> bool:
    """Whether the bytes begin like JSON (or are compressed and may be)."""
    return body[:300].lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def load(body: bytes) -> Any:
    """The parsed document; JSON lines (a bulk result) become the list of their objects. Amounts stay exact.

    Raises:
        DocumentError: not complete JSON; an answer that holds errors and no data (throttled, refused).
    """
    text = decode(unpack(body))
    try:
        data = json.loads(text, parse_float=Decimal, parse_int=int)
    except (ValueError, RecursionError) as error:
        data = _load_lines(text, error)
    if isinstance(data, dict) and data.get("errors") and not data.get("data"):
        first = data["errors"][0] if isinstance(data["errors"], list) else data["errors"]
        message = first.get("message") if isinstance(first, dict) else first
        raise DocumentError(f"This is not data but a refusal of Shopify: {str(message)[:200]}")
    return data


def _load_lines(text: str, error: Exception) -> list[Any]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    place = getattr(error, "lineno", None)
    if len(lines) < 2 or not all(line.lstrip().startswith("{") for _number, line in lines[:2]) or "}" not in lines[0][1]:
        raise DocumentError("The file is not complete JSON; it is cut off or damaged here.", row=place)
    found = []
    for number, line in lines:
        try:
            found.append(json.loads(line, parse_float=Decimal, parse_int=int))
        except (ValueError, RecursionError):
            raise DocumentError("The line is not complete JSON; it is cut off or damaged here.", row=number) from None
    return found


def walk(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document, parents before children."""
    stack = [data]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
            stack.extend(reversed(list(here.values())))
        elif isinstance(here, list):
            stack.extend(reversed(here))


def nodes(value: Any) -> list[dict[str, Any]]:
    """The members of a connection (`nodes` or `edges`) or of a plain list; none for null."""
    if value is None:
        return []
    if isinstance(value, list):
        return [item.get("node", item) if isinstance(item, dict) else item for item in value]
    if isinstance(value, dict):
        if value.get("nodes") is not None:
            return list(value["nodes"])
        return [edge["node"] for edge in value.get("edges") or ()]
    raise TypeError("a list was expected")


def has_more(value: Any) -> bool:
    """Whether a connection says that it goes on."""
    return isinstance(value, dict) and bool((value.get("pageInfo") or {}).get("hasNextPage"))


def plain_id(value: Any) -> str:
    """The number of an id as text: "gid://shopify/Order/12?x=1" and 12 are "12"; "" for null and 0."""
    text = str(value or "").strip()
    return text.rsplit("/", 1)[-1].split("?", 1)[0]


def first(node: Node, *names: str) -> Any:
    """The first of these fields that is there and not null."""
    return next((node[name] for name in names if node.get(name) is not None), None)


def amount(value: Any) -> Decimal:
    """An amount: "12.50", 12.5, {"amount": ...}, a money bag (its shop money) or null, which is zero.

    Raises:
        ValueError: no amount, or more than four decimals.
    """
    if isinstance(value, dict):
        bag = first(value, "shopMoney", "shop_money")
        return amount(bag if bag is not None else value.get("amount"))
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is not an amount")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount") from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 15:
        raise ValueError(f"{value!r} is not an amount")
    exact = number.quantize(_FOUR_PLACES)
    if exact != number:
        raise ValueError(f"{value!r} has more than four decimals")
    return number if _exponent(number) >= -4 else exact


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def currency(*values: Any) -> str:
    """The currency of the first money or code among `values` that names one.

    Raises:
        ValueError: none does, or it is no currency code.
    """
    for value in values:
        if isinstance(value, dict):
            value = first(value, "shopMoney", "shop_money", "currencyCode", "currency_code")
            if isinstance(value, dict):
                value = first(value, "currencyCode", "currency_code")
        if value:
            code = str(value).strip().upper()
            if len(code) != 3 or not code.isalpha() or not code.isascii():
                raise ValueError(f"{value!r} is not a currency code")
            return code
    raise ValueError("the currency is missing")


def moment(value: Any) -> datetime | date | None:
    """A point in time (aware) or a day; None for null.

    Raises:
        ValueError: not a date.
    """
    return parse_moment(str(value)) if value else None


def day(value: Any) -> date | None:
    """A day that Shopify writes as such, or as midnight UTC (a payout's `issuedAt`); None for null.

    Raises:
        ValueError: not a date.
    """
    found = moment(value)
    return found.astimezone(UTC).date() if isinstance(found, datetime) else found


def moments(values: Iterable[Any]) -> list[datetime]:
    """Those of `values` that are points in time."""
    return [found for value in values if isinstance(found := moment(value), datetime)]
