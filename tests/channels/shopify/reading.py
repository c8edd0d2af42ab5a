"""Reads documents the way an import does, without a database."""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

from channels.adapter import Source
from channels.records import LineRecord, ParsedDocument, VoucherRecord
from channels.shopify.adapter import adapter


def read(body: bytes | str | Any, *, currencies: tuple[str, ...] = ("USD",), **more: Any) -> ParsedDocument:
    """Recognise, take buyer data out, parse. A body that is no text is written as JSON."""
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    found = adapter.recognise(raw, "file")
    assert found is not None, "not recognised"
    source = Source(body=raw, kind=found.kind, region="US", currencies=currencies, **more)
    kept, _personal = adapter.separate_personal_data(source)
    again = adapter.recognise(kept, "file")
    assert again is not None and again.kind == found.kind, "not recognised without buyer data"
    return adapter.parse(Source(body=kept, kind=found.kind, region="US", currencies=currencies, **more))


def told(voucher: VoucherRecord) -> list[tuple[str, str, str, D]]:
    """(path, name, context, amount) of the lines."""
    return [(line.path, line.name, line.context, line.amount) for line in voucher.lines]


def total(lines: list[LineRecord]) -> D:
    """The sum of the lines."""
    return sum((line.amount for line in lines), D(0))
