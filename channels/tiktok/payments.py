"""Payments and withdrawals: the transfers to the bank. They carry no fee lines; statements name their payment."""

from __future__ import annotations

from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import ParsedDocument, PayoutRecord
from channels.tiktok.answers import amount, currency_of, load, optional_moment, pages, text_id

_STATUS = {"PAID": "paid", "SUCCESS": "paid", "PROCESSING": "in_transit", "FAILED": "failed", "CANCELLED": "cancelled"}


def parse(source: Source) -> ParsedDocument:
    """The payouts of an answer of Get Payments (202309, 202605): what reaches the bank, in the bank's currency.

    Raises:
        DocumentError: not such an answer, or a payment without id, amount or currency, or with a status not known.
    """
    parsed = ParsedDocument()
    found: dict[str, PayoutRecord] = {}
    for page in pages(load(source.body), ("payments",)):
        for row in page["payments"]:
            parsed.rows += 1
            payment_id = _id(row, parsed.rows, "Payment")
            where = f"Payment {payment_id}"
            money = row.get("amount")
            if not isinstance(money, dict) or money.get("value") in (None, ""):
                raise DocumentError(f"{where} has no amount.")
            status = _status(row, where)
            paid = optional_moment(row.get("paid_time"), f"{where}, paid_time")
            created = optional_moment(row.get("create_time"), f"{where}, create_time")
            found[payment_id] = PayoutRecord(
                outside_id=payment_id,
                currency=currency_of(money.get("currency"), source, where),
                amount=amount(money["value"], f"{where}, amount"),
                status=status,
                paid_at=(paid or created) if status == "paid" else None,
            )
            settled = row.get("settlement_amount")
            rate = str(row.get("exchange_rate") or "")
            if isinstance(settled, dict) and settled.get("currency") not in (None, "", money.get("currency")):
                parsed.notes.append(f"{where} was converted from {settled['currency']} at {rate or 'a rate not told'}.")
    parsed.payouts = list(found.values())
    return parsed


def parse_withdrawals(source: Source) -> ParsedDocument:
    """The payouts of an answer of Get Withdrawals, the payout record of shops without payments (South-East Asia).

    Only withdrawals to the bank and their reversals move money there; settlements into the balance do not.

    Raises:
        DocumentError: as `parse`.
    """
    parsed = ParsedDocument()
    found: dict[str, PayoutRecord] = {}
    for page in pages(load(source.body), ("withdrawals",)):
        for row in page["withdrawals"]:
            parsed.rows += 1
            withdrawal_id = _id(row, parsed.rows, "Withdrawal")
            where = f"Withdrawal {withdrawal_id}"
            kind = str(row.get("type") or "").upper()
            if kind not in ("WITHDRAW", "REVERSE"):
                continue
            if row.get("amount") in (None, ""):
                raise DocumentError(f"{where} has no amount.")
            value = abs(amount(row["amount"], f"{where}, amount"))
            status = _status(row, where)
            found[withdrawal_id] = PayoutRecord(
                outside_id=withdrawal_id,
                currency=currency_of(row.get("currency"), source, where),
                amount=value if kind == "WITHDRAW" else -value,
                status=status,
                paid_at=optional_moment(row.get("create_time"), f"{where}, create_time") if status == "paid" else None,
            )
    parsed.payouts = list(found.values())
    return parsed


def _id(row: Any, number: int, what: str) -> str:
    if not isinstance(row, dict):
        raise DocumentError(f"{what} {number} is not an object.")
    found = text_id(row.get("id"))
    if not found:
        raise DocumentError(f"{what} {number} has no id.")
    return found


def _status(row: dict[str, Any], where: str) -> str:
    status = str(row.get("status") or "").strip().upper()
    if status not in _STATUS:
        raise DocumentError(f"{where} has the status {status or 'nothing'!r}, which is not known.")
    return _STATUS[status]
