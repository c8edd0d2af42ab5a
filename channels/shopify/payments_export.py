"""CSV exports of Shopify Payments: "payouts" (one row a payout) and "payment transactions" (one row a movement).

Older editions name no payout id; there a payout is known by its day and currency. Times carry their offset.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from channels.adapter import DocumentError, Recognised, Source
from channels.records import ParsedDocument
from channels.shopify import transactions
from channels.shopify.exports import Sheet, column, knows, places, read_head
from channels.shopify.transactions import EXPORT, Transaction
from channels.tables import Table, parse_moment
from nova.money import parse_amount

TRANSACTION_COLUMNS = (
    column("at", "Transaction Date", "Date", kind="date", required=True),
    column("type", "Type", "Transaction Type", required=True),
    column("order", "Order", "Order Name"),
    column("payout_status", "Payout Status"),
    column("payout_date", "Payout Date", kind="date"),
    column("payout", "Payout ID"),
    column("available_on", "Available On", kind="date"),
    column("amount", "Amount", "Gross", kind="amount", required=True, sum_of=("fee", "net")),
    column("fee", "Fee", "Fees", kind="amount", required=True),
    column("net", "Net", kind="amount", required=True),
    column("currency", "Currency"),
    column("reason", "Adjustment Reason", "Reason"),
    column("vat", "VAT", "GST", kind="amount"),
)
PAYOUT_COLUMNS = (
    column("date", "Payout Date", kind="date", required=True),
    column("payout", "Payout ID"),
    column("status", "Status", "Payout Status", required=True),
    column("charges", "Charges", "Sales", kind="amount", required=True),
    column("refunds", "Refunds", kind="amount"),
    column("adjustments", "Adjustments", kind="amount"),
    column("marketplace_tax", "Marketplace Sales Tax", kind="amount"),
    column("advances", "Advances", kind="amount"),
    column("reserved", "Reserved Funds", kind="amount"),
    column("fees", "Fees", kind="amount", required=True),
    column("retried", "Retried Amount", "Retried Payouts", kind="amount"),
    column(
        "total",
        "Total",
        kind="amount",
        required=True,
        sum_of=("charges", "refunds", "adjustments", "marketplace_tax", "advances", "reserved", "fees", "retried"),
    ),
    column("currency", "Currency"),
    column("trace", "Bank Reference", "Transfer Reference"),
)
_OFFSET = re.compile(r"([+-]\d{2}:?\d{2}|Z|UTC|GMT)$")
_PARTS = ("charges", "refunds", "adjustments", "marketplace_tax", "advances", "reserved", "retried")


def recognise(body: bytes) -> Recognised | None:
    """One of the two exports, told by its headers; else by arithmetic (net = amount - fee on every row). Never raises."""
    table = read_head(body)
    if table is None:
        return None
    for kind, columns in (("payment_transactions_export", TRANSACTION_COLUMNS), ("payouts_export", PAYOUT_COLUMNS)):
        if knows(columns, table.headers):
            return Recognised(kind, headers=table.headers)
    kind = _guess(table)
    return Recognised(kind, unknown_columns=True, headers=table.headers) if kind else None


def _guess(table: Table) -> str:
    """The export that a table with unknown headers may be: "" when neither its words nor its sums say so."""
    if len(places(TRANSACTION_COLUMNS, table.headers)) >= 6 and len(places(PAYOUT_COLUMNS, table.headers)) < 9:
        return "payment_transactions_export"
    if len(places(PAYOUT_COLUMNS, table.headers)) >= 6:
        return "payouts_export"
    rows = [cells for _number, cells in table.rows[:50] if len(cells) >= len(table.headers)]
    if len(rows) < 2 or not 8 <= len(table.headers) <= 30:
        return ""
    moments = [place for place in range(len(table.headers)) if all(_is_moment(cells[place], timed=True) for cells in rows)]
    amounts = {
        place: values for place in range(len(table.headers)) if (values := _amounts([cells[place] for cells in rows])) is not None
    }
    if moments and _difference_stands(list(amounts), amounts):
        return "payment_transactions_export"
    days = [place for place in range(len(table.headers)) if all(_is_moment(cells[place], timed=False) for cells in rows)]
    total = max(amounts, default=-1)
    if days and len(amounts) >= 6:
        rest = [values for place, values in amounts.items() if place != total]
        if all(sum(row, Decimal(0)) == value for *row, value in zip(*rest, amounts[total], strict=True)):
            return "payouts_export"
    return ""


def _difference_stands(order: Sequence[int], amounts: dict[int, list[Decimal]]) -> bool:
    """Whether three neighbouring amount columns are amount, fee and net, with some fee that is not zero."""
    for gross, fee, net in zip(order, order[1:], order[2:], strict=False):
        rows = list(zip(amounts[gross], amounts[fee], amounts[net], strict=True))
        if any(row[1] for row in rows) and all(a - b == c for a, b, c in rows):
            return True
    return False


def _is_moment(text: str, *, timed: bool) -> bool:
    try:
        return isinstance(parse_moment(text), datetime) is timed
    except ValueError:
        return False


def _amounts(cells: Sequence[str]) -> list[Decimal] | None:
    if not any("." in cell or "," in cell for cell in cells):
        return None
    try:
        return [parse_amount(cell) for cell in cells]
    except ValueError:
        return None


def parse_transactions(source: Source, *, marketplace: str) -> ParsedDocument:
    """A voucher per row. Rows that are equal in every cell stay as many as they are.

    Raises:
        DocumentError: a row that is cut off, a cell that cannot be read, net is not amount - fee; names the line.
    """
    sheet = Sheet(source, TRANSACTION_COLUMNS)
    found = []
    nameless = False
    for number, cells in sheet.rows:
        status = sheet.text(cells, "payout_status").lower()
        code = sheet.currency(number, cells, source)
        day = sheet.moment(number, cells, "payout_date")
        at = _moment(sheet, number, cells)
        kind = sheet.text(cells, "type")
        if not kind:
            raise DocumentError("The type is missing; the row may be cut off.", row=number)
        payout = sheet.text(cells, "payout").lstrip("'")
        if not payout and not sheet.has("payout") and day is not None and status not in ("", "pending"):
            payout = _by_day(day, code)
            nameless = True
        transaction = Transaction(
            outside_id="",
            type=kind,
            reason=sheet.text(cells, "reason"),
            amount=sheet.amount(number, cells, "amount"),
            fee=sheet.amount(number, cells, "fee"),
            net=sheet.amount(number, cells, "net"),
            currency=code,
            at=at,
            payout=payout,
            payout_status=status,
            order=sheet.text(cells, "order"),
            row=number,
        )
        vat = sheet.amount(number, cells, "vat")
        if vat and transaction.net == transaction.amount - transaction.fee - vat:
            transaction.vat = vat  # elsewhere the fee holds it
        transactions.check(transaction, accept=source.accept_difference, place=number)
        found.append(transaction)
    parsed = ParsedDocument(rows=len(sheet.rows))
    transactions.take(found, family=EXPORT, marketplace=marketplace, parsed=parsed)
    if nameless:
        parsed.notes.append(_NAMELESS)
    return parsed


def _moment(sheet: Sheet, number: int, cells: list[str]) -> datetime:
    """When a movement happened, to the second and with its offset: what joins it to its twin of the API.

    Raises:
        DocumentError: missing, or a spreadsheet program has cut time or offset off.
    """
    at = sheet.moment(number, cells, "at")
    if at is None:
        raise DocumentError("The transaction date is missing; the row may be cut off.", row=number)
    if not isinstance(at, datetime) or not _OFFSET.search(sheet.text(cells, "at")):
        raise DocumentError(
            f"The transaction date {sheet.text(cells, 'at')!r} has no time with offset (such as 14:05:11 -0500), as Shopify writes it. "
            "Export the file again and upload it without saving it in a spreadsheet program.",
            row=number,
        )
    return at


_NAMELESS = (
    "This edition of the export names no payout ids: its payouts are known by day and currency, and cannot be joined to those of "
    "the API or of a newer export. Prefer an export with the column Payout ID."
)


def parse_payouts(source: Source) -> ParsedDocument:
    """A statement and a payout per row; its parts add up to its total (fees are minus).

    Raises:
        DocumentError: a row that is cut off, a cell that cannot be read, parts that do not add up; names the line.
    """
    sheet = Sheet(source, PAYOUT_COLUMNS)
    parsed = ParsedDocument(rows=len(sheet.rows))
    numbers: dict[str, int] = {}
    for number, cells in sheet.rows:
        code = sheet.currency(number, cells, source)
        day = sheet.moment(number, cells, "date")
        if day is None:
            raise DocumentError("The payout date is missing; the row may be cut off.", row=number)
        total = sheet.amount(number, cells, "total")
        parts = {name: value for name in (*_PARTS, "fees") if (value := sheet.amount(number, cells, name))}
        told = sum(parts.values(), Decimal(0))
        fees = parts.get("fees", Decimal(0))
        if told != total and told - 2 * fees == total:  # an edition that writes what fees cost without a sign
            parts["fees"], told = -fees, total
        if told != total and not source.accept_difference:
            raise DocumentError(
                f"The payout of {_day(day)} does not add up: its parts come to {told}, its total is {total} {code} "
                f"(difference {total - told}).",
                row=number,
                difference=total - told,
            )
        payout = sheet.text(cells, "payout").lstrip("'")
        if not payout:
            payout = _by_day(day, code)
            numbers[payout] = numbers.get(payout, 0) + 1
            if numbers[payout] > 1:
                payout = f"{payout} {numbers[payout]}"
        record = transactions.statement(payout, code, total, day)
        record.parts = parts
        parsed.statements.append(record)
        status = sheet.text(cells, "status")
        parsed.payouts.append(transactions.payout_record(payout, code, total, status, day, sheet.text(cells, "trace")))
    if numbers:
        parsed.notes.append(_NAMELESS)
    return parsed


def _day(moment: datetime | date) -> str:
    return (moment.date() if isinstance(moment, datetime) else moment).isoformat()


def _by_day(moment: datetime | date, currency: str) -> str:
    return f"{_day(moment)} {currency}"
