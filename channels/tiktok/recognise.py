"""Which answer of TikTok a document is, told by its shape. Never raises."""

from __future__ import annotations

from typing import Any

import orjson

from channels.adapter import DocumentError, Recognised
from channels.tiktok.answers import load, text_id

#: (kind, list that the answer holds, names of which its rows or the answer have at least one)
_SHAPES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("order_transactions", "sku_transactions", ()),
    ("payments", "payments", ("exchange_rate", "settlement_amount", "paid_time", "bank_account", "amount")),
    ("withdrawals", "withdrawals", ()),
    ("statements", "statements", ("statement_time", "payment_status", "settlement_amount")),
    ("unsettled", "transactions", ("est_settlement_amount", "est_revenue_amount", "estimated_settlement", "unsettled_reason")),
    ("unsettled", "transactions", ("sum_est_settlement_amount",)),
    (
        "statement_transactions",
        "transactions",
        (
            "settlement_amount",
            "revenue_breakdown",
            "adjustment_amount",
            "reserve_amount",
            "total_settlement_amount",
            "payable_amount",
        ),
    ),
)


def recognise_answer(body: bytes) -> Recognised | None:
    """The kind of a JSON answer, whole or cut off; an error answer of TikTok counts as an answer without statements."""
    head = body[:400].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not (head.startswith((b"{", b"[")) or body[:2] == b"\x1f\x8b" or body[:2] in (b"\xff\xfe", b"\xfe\xff")):
        return None
    try:
        data = load(body)
    except DocumentError:
        return _by_words(body)
    answers = data if isinstance(data, list) else [data]
    for answer in answers[:50]:
        if not isinstance(answer, dict):
            return None
        page = answer.get("data", answer)
        if isinstance(page, dict) and (found := _by_shape(page)):
            return found
    first = answers[0] if answers else None
    if (
        isinstance(first, dict)
        and "message" in first
        and str(first.get("code", "0")).strip() not in ("0", "")
        and "request_id" in first
    ):
        return Recognised("statements")
    return None


def _by_shape(page: dict[str, Any]) -> Recognised | None:
    if isinstance(page.get("statement_transactions"), list):  # version 202309, to be refused with a word for it
        return Recognised("order_transactions" if "order_id" in page else "statement_transactions")
    for kind, name, signs in _SHAPES:
        if name not in page or not isinstance(page[name], (list, type(None))):
            continue
        rows = page[name] or []
        if not signs or any(sign in page for sign in signs):
            return Recognised(kind, _outside_id(kind, page))
        if any(isinstance(row, dict) and any(sign in row for sign in signs) for row in rows[:20]):
            return Recognised(kind, _outside_id(kind, page))
    return None


def _outside_id(kind: str, page: dict[str, Any]) -> str:
    if kind == "statement_transactions":
        return text_id(page.get("id") or page.get("statement_id"))[:100]
    return text_id(page.get("order_id"))[:100] if kind == "order_transactions" else ""


def _by_words(body: bytes) -> Recognised | None:
    """A cut-off answer by the names in it, so that the import can say what is wrong with which kind of document."""
    for kind, name, signs in _SHAPES:
        named = _quoted(name) in body and (not signs or any(_quoted(sign) in body for sign in signs))
        if named and (kind != "payments" or b'"paid_time"' in body or b'"exchange_rate"' in body):
            return Recognised(kind)
    return None


def _quoted(name: str) -> bytes:
    return orjson.dumps(name)
