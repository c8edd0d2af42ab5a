"""Exact money: parsing what people and channels write, rounding, spreading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

ZERO = Decimal(0)
#: ISO 4217 currencies whose smallest unit is not a hundredth.
CURRENCY_DIGITS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KMF": 0, "KRW": 0, "KWD": 3,
    "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip
_CLEAN = re.compile(r"[\s\u00a0\u202f'’]|[A-Z]{3}$|^[A-Z]{3}|[$€£¥₫฿₱₹]|R\$|RM|Rp")
_PLAIN = re.compile(r"^[+-]?\d+(\.\d+)?$")


def currency_digits(currency: str) -> int:
    """Decimals of the smallest unit of a currency (2 unless ISO 4217 says otherwise)."""
    return CURRENCY_DIGITS.get(currency, 2)


def parse_amount(text: str, *, decimal_comma: bool | None = None) -> Decimal:
    """An amount as written in an export: "1,234.56", "1.234,56", "(12.50)", "-12,50 €", "" (zero).

    `decimal_comma` says which sign parts the decimals; None decides from the text itself, where a single separator
    followed by exactly three digits stands for thousands only if it is repeated (so "1.234" is 1.234).

    Raises:
        ValueError: the text is no amount, or has more than four decimals that are not zero.
    """
    raw = text.strip()
    if _PLAIN.match(raw) and not decimal_comma:
        return _checked(Decimal(raw), text)
    if raw in ("", "-", "--", "/", "N/A"):
        return ZERO
    negative = raw.startswith("(") and raw.endswith(")")
    value = _CLEAN.sub("", raw.strip("()")).replace("\u2212", "-")
    value = _CLEAN.sub("", value)
    if value.endswith("-"):
        value = "-" + value[:-1]
    if decimal_comma is None:
        comma, dot = value.rfind(","), value.rfind(".")
        decimal_comma = comma > dot if dot >= 0 and comma >= 0 else (comma >= 0 and value.count(",") == 1) or value.count(".") > 1
    value = value.replace(".", "").replace(",", ".") if decimal_comma else value.replace(",", "")
    if not _PLAIN.match(value):
        raise ValueError(f"{text!r} is not an amount")
    amount = _checked(Decimal(value), text)
    return -amount if negative else amount


def _checked(amount: Decimal, text: str) -> Decimal:
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -4:
        try:
            shorter = amount.quantize(Decimal("0.0001"))
        except InvalidOperation:
            raise ValueError(f"{text!r} is too long for an amount") from None
        if shorter != amount:
            raise ValueError(f"{text!r} has more than four decimals")
        amount = shorter
    if abs(amount) >= Decimal(10) ** 15:
        raise ValueError(f"{text!r} is too large for an amount")
    return amount


def round_to_currency(amount: Decimal, currency: str) -> Decimal:
    """Round half even to the smallest unit of `currency`."""
    return amount.quantize(Decimal(1).scaleb(-currency_digits(currency)), rounding=ROUND_HALF_EVEN)


def spread(amount: Decimal, shares: Sequence[Decimal], *, places: int = 4) -> list[Decimal]:
    """Split `amount` by `shares` exactly: the parts add up to it, the remainder goes to the largest share.

    Raises:
        ValueError: no share is above zero.
    """
    total = sum(shares, ZERO)
    if total <= 0:
        raise ValueError("shares must add up to more than zero")
    unit = Decimal(1).scaleb(-places)
    parts = [(amount * share / total).quantize(unit, rounding=ROUND_HALF_EVEN) for share in shares]
    largest = max(range(len(shares)), key=lambda index: (shares[index], -index))
    parts[largest] += amount - sum(parts, ZERO)
    return parts
