"""Amazon settlement flat files, layouts V2 (one amount a row) and V1 (several amount columns a row).

Identity: the amounts of all rows add up to the total-amount of the summary row, reserves and carry-overs included.
Times without a zone are UTC. Source: GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE(_V2).
"""

from __future__ import annotations

import re
from decimal import Decimal

from channels.adapter import DocumentError, Recognised, Source
from channels.amazon.settlement_rows import PAIRS, V1_COLUMNS, V2_COLUMNS, RowReader, Settlement
from channels.records import EventSource, LineRecord, ParsedDocument, PayoutRecord, VoucherRecord
from channels.tables import Table, decode, header_key, read_text_table, unpack
from nova.money import parse_amount

__all__ = ["V1_COLUMNS", "V2_COLUMNS", "parse", "recognise"]

#: Enough to see the header and the first settlement's rows.
_HEAD_BYTES = 400_000
_HEAD = {"settlement-id", "transaction-type", "total-amount"}
_SETTLEMENT_ID = re.compile(r"^\d{6,20}$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_DATE = re.compile(r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?!\d)")


def recognise(body: bytes) -> Recognised | None:
    """A settlement file of layout V1 or V2, told by its headers in any order and case, else by its shape; never raises."""
    try:
        plain = unpack(body)
        if len(plain) > _HEAD_BYTES:
            plain = plain[: plain.rfind(b"\n", 0, _HEAD_BYTES) + 1] or plain[:_HEAD_BYTES]
        lines = [line for line in decode(plain).splitlines() if line.strip()][:60]
        table = read_text_table("\n".join(lines))
    except DocumentError:
        return None
    keys = {header_key(header) for header in table.headers}
    if not {header_key(name) for name in _HEAD} <= keys:
        return _by_shape(table, keys)
    settlement_id = _first_settlement(table)
    if {"amounttype", "amount"} <= keys:
        return Recognised("settlement_v2", settlement_id, headers=table.headers)
    if keys & {header_key(amount) for amount, _name, _group in PAIRS}:
        return Recognised("settlement_v1", settlement_id, headers=table.headers)
    return None


def _by_shape(table: Table, keys: set[str]) -> Recognised | None:
    """An edition with other headers, to be matched by staff.

    Either most headers are known (other reports of Amazon share some), or the rows look like a settlement: one number all
    the way down, and a first row that holds little more than it, dates, an amount and a currency.
    """
    if len(table.headers) < 10:
        return None
    kind = "settlement_v1" if len(table.headers) > 28 or {"pricetype", "priceamount"} & keys else "settlement_v2"
    known = {header_key(column.code) for column in (V2_COLUMNS if kind == "settlement_v2" else V1_COLUMNS)}
    if len(keys & known) * 2 > len(table.headers) or _looks_like_summary(table):
        return Recognised(kind, "", unknown_columns=True, headers=table.headers)
    return None


def _looks_like_summary(table: Table) -> bool:
    if len(table.rows) < 2:
        return False
    first = [cell.strip().strip('"') for cell in table.rows[0][1]]
    filled = [cell for cell in first if cell]
    if not 5 <= len(filled) <= 7 or not any(_CURRENCY.match(cell) for cell in filled):
        return False
    if sum(_DATE.match(cell) is not None for cell in filled) < 2 or not any(_is_amount(cell) for cell in filled):
        return False
    return any(
        _SETTLEMENT_ID.match(cell)
        and all(place < len(cells) and cells[place].strip().strip('"') == cell for _number, cells in table.rows[1:20])
        for place, cell in enumerate(first)
    )


def _is_amount(text: str) -> bool:
    if not re.search(r"[.,]\d{1,2}$", text):
        return False
    try:
        parse_amount(text)
    except ValueError:
        return False
    return True


def _first_settlement(table: Table) -> str:
    place = next(index for index, header in enumerate(table.headers) if header_key(header) == "settlementid")
    found = (cells[place].strip().strip('"')[:100] for _number, cells in table.rows if place < len(cells))
    return next((text for text in found if text), "")


def parse(source: Source) -> ParsedDocument:
    """All settlements of the file: one voucher per order, transaction type, marketplace and posted time.

    The voucher's outside id is "<settlement>/<order or ->/<type>/<marketplace>/<posted time>", the same in V1 and V2.
    An order of another channel that Amazon shipped (marketplace "Non-Amazon ...") carries the seller's own order id and
    the context "mcf". Orders have only a posting date here: their event date is provisional. A refund's is its own.

    Raises:
        DocumentError: no summary row, an unreadable cell (with its line), or amounts that do not add up to the total.
    """
    table = read_text_table(decode(unpack(source.body)))
    reader = RowReader(table, source)
    settlements: dict[str, Settlement] = {}
    current: Settlement | None = None
    for number, cells in table.rows:
        if reader.is_repeated_header(cells):
            continue
        settlement_id = reader.text(cells, "settlement-id")
        if not settlement_id:
            raise DocumentError("The settlement id is missing; the row may be cut off.", row=number)
        if reader.text(cells, "total-amount"):
            if settlement_id in settlements:
                raise DocumentError(f"Settlement {settlement_id} has a second summary row.", row=number)
            current = settlements[settlement_id] = Settlement(reader.statement(number, cells, settlement_id), number)
            continue
        if current is None or current.record.outside_id != settlement_id:
            current = settlements.get(settlement_id)
        if current is None:
            if any(known.startswith(settlement_id) for known in settlements):
                raise DocumentError(f"The settlement id {settlement_id} is cut off; so is the file.", row=number)
            raise DocumentError(
                f"Settlement {settlement_id} has no summary row (with total-amount) before its first line.", row=number
            )
        if len(cells) < reader.least:
            raise DocumentError(
                f"The row has {len(cells)} of {len(table.headers)} cells; the file may be cut off here.", row=number
            )
        reader.take_row(number, cells, current)
    if not settlements:
        raise DocumentError("The file has headers but no settlement.")
    parsed = ParsedDocument(rows=len(table.rows))
    for settlement in settlements.values():
        _close(settlement, source, parsed)
    return parsed


def _close(settlement: Settlement, source: Source, parsed: ParsedDocument) -> None:
    record = settlement.record
    difference = (record.total or Decimal(0)) - settlement.sum
    vouchers = settlement.vouchers()
    if difference:
        if not source.accept_difference:
            raise DocumentError(
                f"Settlement {record.outside_id} does not add up: its lines come to {settlement.sum} {record.currency}, its total is "
                f"{record.total} (difference {difference}). The file is cut off or was edited; export it again.",
                row=settlement.line,
                difference=difference,
            )
        moment = record.closed_at or record.period_end or next((voucher.posted_at for voucher in vouchers), None)
        if moment is None:
            raise DocumentError(f"Settlement {record.outside_id} has neither dates nor lines.", row=settlement.line)
        vouchers.append(
            VoucherRecord(
                family="settlement",
                outside_id=f"{record.outside_id}/remainder",
                currency=record.currency,
                marketplace="",
                posted_at=moment,
                event_at=moment,
                event_source=EventSource.SERVICE,
                lines=[LineRecord("statement", "difference", "remainder", difference, row=settlement.line)],
                statement=record.outside_id,
                part=record.outside_id,
                row=settlement.line,
            )
        )
    parsed.vouchers += vouchers
    parsed.statements.append(record)
    if record.payout:
        parsed.payouts.append(PayoutRecord(record.payout, record.currency, record.total or Decimal(0), "paid", record.closed_at))
    elif record.total:
        parsed.notes.append(f"Settlement {record.outside_id} ends at {record.total} {record.currency}: nothing was paid out.")
