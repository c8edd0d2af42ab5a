"""Template filters of Nova's pages: money, shares, times.

`{% load nova_tags %}`, then `{{ amount|money:"EUR" }}`, `{{ share|percent }}`, `{{ moment|ago:company }}`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nova.money import currency_digits, round_to_currency

register = template.Library()
MINUS = "\u2212"
NARROW = "\u202f"


def plain(amount: Decimal) -> str:
    """An amount without exponent and without trailing zeros, as shown on hover: "-1234.5"."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def grouped(amount: Decimal, digits: int) -> str:
    """An amount with thousands parted by commas, `digits` decimals and a real minus sign."""
    text = f"{amount:,.{digits}f}"
    return MINUS + text[1:] if text.startswith("-") else text


@register.filter
def money(amount: Any, currency: str = "") -> SafeString | str:
    """An amount in a cell: decimals of its currency, a real minus sign and colour, a dash for zero, full precision on hover.

    The currency itself stands once per column or beside the figure; the exact amount and currency are in the title.
    """
    if amount is None or amount == "":
        return ""
    value = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    exact = f"{plain(value)} {currency}".strip()
    if value == 0:
        return format_html('<span class="nv-money nv-zero" title="{}">\u2013</span>', exact)
    shown = grouped(round_to_currency(value, currency), currency_digits(currency))
    return format_html('<span class="nv-money{}" title="{}">{}</span>', " nv-neg" if value < 0 else "", exact, shown)


@register.filter
def money_text(amount: Any, currency: str = "") -> str:
    """An amount inside a sentence: "−1,234.50 EUR"."""
    if amount is None or amount == "":
        return ""
    value = round_to_currency(amount if isinstance(amount, Decimal) else Decimal(str(amount)), currency)
    return f"{grouped(value, currency_digits(currency))} {currency}".strip()


@register.filter
def percent(share: Any, digits: int = 1) -> str:
    """A share between 0 and 1 as "98.4 %"; a dash for None. Only a whole is shown as 100 %, only nothing as 0 %."""
    if share is None or share == "":
        return "\u2013"
    value = (share if isinstance(share, Decimal) else Decimal(str(share))) * 100
    unit = Decimal(1).scaleb(-int(digits))
    shown = value.quantize(unit)
    if shown == 100 and value < 100:
        shown = Decimal(100) - unit
    if shown == 0 and value > 0:
        return f"< {unit}{NARROW}%"
    text = f"{shown:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text.replace('-', MINUS)}{NARROW}%"


@register.filter
def points(change: Any) -> str:
    """The change of a share in percentage points: "+0.2 pp"."""
    if change is None or change == "":
        return ""
    value = (change if isinstance(change, Decimal) else Decimal(str(change))) * 100
    return f"{value:+.1f}{NARROW}pp".replace("-", MINUS)


_STEPS = ((60, "s"), (3600, "min"), (86_400, "h"), (86_400 * 45, "d"))


@register.filter
def ago(moment: Any, company: Any = None) -> SafeString | str:
    """A time as "12 s ago", with the absolute time in the company's zone on hover; older than 45 days as a day."""
    if not isinstance(moment, datetime):
        return "" if moment is None else str(moment)
    zone = getattr(company, "zone", None) or ZoneInfo("UTC")
    local = moment.astimezone(zone)
    seconds = int((timezone.now() - moment).total_seconds())
    past = seconds >= 0
    size = abs(seconds)
    if size >= _STEPS[-1][0]:
        words = local.date().isoformat()
    else:
        divisor, unit = 1, "s"
        for limit, name in _STEPS:
            unit = name
            if size < limit:
                break
            divisor = limit
        words = f"{size // divisor} {unit} ago" if past else f"in {size // divisor} {unit}"
    return format_html(
        '<time datetime="{}" title="{} {}">{}</time>',
        local.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S"),
        local.tzname(),
        words,
    )


@register.filter
def in_zone(moment: Any, company: Any) -> str:
    """A time in the company's zone as "2026-01-05 13:00"; a plain day stays as it is."""
    if isinstance(moment, datetime):
        return moment.astimezone(getattr(company, "zone", None) or ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M")
    return moment.isoformat() if isinstance(moment, date) else ""


@register.filter
def file_size(size: Any) -> str:
    """Bytes as "1.2 MB"."""
    value = float(size or 0)
    for unit in ("B", "kB", "MB"):
        if value < 1000 or unit == "MB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return ""


@register.filter
def item(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, "" when it has no such key."""
    try:
        return mapping[key]
    except (KeyError, IndexError, TypeError):
        return ""
