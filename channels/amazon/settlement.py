"""Amazon settlement flat files, layouts V2 (one amount a row) and V1 (several amount columns a row).

Identity: the amounts of all rows add up to the total-amount of the summary row, reserves and carry-overs included.
Times without a zone are UTC. Source: GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE(_V2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from channels.adapter import Column, DocumentError, Recognised, Source
from channels.records import (
    EventKind,
    EventSource,
    LineRecord,
    ParsedDocument,
    PayoutRecord,
    StatementRecord,
    VoucherRecord,
)
from channels.tables import Table, decode, header_key, parse_moment, read_text_table, unpack
from nova.money import parse_amount


def _column(code: str, kind: str = "text", *, required: bool = False) -> Column:
    return Column(code, code.replace("-", " ").capitalize(), kind, required, (code,))


_COMMON = (
    _column("settlement-id", required=True),
    _column("settlement-start-date", "date"),
    _column("settlement-end-date", "date"),
    _column("deposit-date", "date"),
    _column("total-amount", "amount", required=True),
    _column("currency", required=True),
    _column("transaction-type", required=True),
    _column("order-id"),
    _column("merchant-order-id"),
    _column("adjustment-id"),
    _column("shipment-id"),
    _column("marketplace-name"),
)
_ITEM = (
    _column("fulfillment-id"),
    _column("posted-date", "date", required=True),
    _column("order-item-code"),
    _column("sku"),
    _column("quantity-purchased", "integer"),
)
V2_COLUMNS = (
    *_COMMON,
    _column("amount-type", required=True),
    _column("amount-description", required=True),
    _column("amount", "amount", required=True),
    *_ITEM,
    _column("posted-date-time", "date"),
    _column("promotion-id"),
)
#: V1: (amount column, column with the name, V2's amount-type).
_PAIRS = (
    ("price-amount", "price-type", "ItemPrice"),
    ("item-related-fee-amount", "item-related-fee-type", "ItemFees"),
    ("promotion-amount", "promotion-type", "Promotion"),
    ("shipment-fee-amount", "shipment-fee-type", "ShipmentFees"),
    ("order-fee-amount", "order-fee-type", "OrderFees"),
    ("direct-payment-amount", "direct-payment-type", "DirectPayment"),
    ("other-fee-amount", "other-fee-reason-description", "OtherFee"),
    ("misc-fee-amount", "", "MiscFee"),
    ("other-amount", "", "other-transaction"),
)
V1_COLUMNS = (
    *_COMMON,
    *_ITEM,
    *(_column(name, "amount") for name, _type, _group in _PAIRS),
    *(_column(name) for _amount, name, _group in _PAIRS if name),
)

_HEAD = {"settlement-id", "transaction-type", "total-amount"}
_REFUNDS = ("refund", "chargeback refund", "a-to-z guarantee refund", "guarantee claim")
_REIMBURSEMENTS = (
    "WAREHOUSE_",
    "MISSING_FROM_INBOUND",
    "COMPENSATED_CLAWBACK",
    "REVERSAL_REIMBURSEMENT",
    "FREE_REPLACEMENT",
    "CUSTOMER_RETURN",
    "CS_ERROR",
    "RE_EVALUATION",
    "REMOVAL_ORDER_LOST",
    "INCORRECT_FEES",
)


def recognise(body: bytes) -> Recognised | None:
    """A settlement file of layout V1 or V2, told by its headers in any order and case; never raises."""
    try:
        text = decode(unpack(body)[:400_000] if body[:2] != b"\x1f\x8b" else unpack(body))
        first = next((line for line in text.splitlines() if line.strip()), "")
        table = read_text_table(first)
    except DocumentError:
        return None
    keys = {header_key(header) for header in table.headers}
    known = {header_key(name) for name in _HEAD}
    settlement_id = _first_settlement(text, table.headers)
    if not known <= keys:
        # Most of the columns under other names: an edition to be matched by staff.
        v2 = {header_key(column.code) for column in V2_COLUMNS}
        if "\t" in first and len(table.headers) >= 10 and len(keys & v2) >= 3:
            return Recognised("settlement_v2", "", unknown_columns=True, headers=table.headers)
        return None
    if {"amounttype", "amount"} <= keys:
        return Recognised("settlement_v2", settlement_id, headers=table.headers)
    if keys & {header_key(amount) for amount, _name, _group in _PAIRS}:
        return Recognised("settlement_v1", settlement_id, headers=table.headers)
    return None


def _first_settlement(text: str, headers: tuple[str, ...]) -> str:
    place = next((index for index, header in enumerate(headers) if header_key(header) == "settlementid"), None)
    for line in text.splitlines()[1:50]:
        cells = read_text_table("\t".join(headers) + "\n" + line).rows if "\t" in line else []
        if cells and place is not None and place < len(cells[0][1]) and cells[0][1][place].strip():
            return cells[0][1][place].strip()[:100]
    return ""


@dataclass
class _Settlement:
    record: StatementRecord
    line: int
    sum: Decimal = Decimal(0)
    groups: dict[tuple[str, str, str, str], VoucherRecord] = field(default_factory=dict)


def parse(source: Source) -> ParsedDocument:
    """All settlements of the file: one voucher per order, transaction type, marketplace and posted time.

    The voucher's outside id is "<settlement>/<order or ->/<type>/<marketplace>/<posted time>", the same in V1 and V2.
    An order of another channel that Amazon shipped (marketplace "Non-Amazon ...") carries the seller's own order id and
    the context "mcf". Orders and refunds have only a posting date here: their event date is provisional.

    Raises:
        DocumentError: no summary row, an unreadable cell (with its line), or amounts that do not add up to the total.
    """
    table = read_text_table(decode(unpack(source.body)))
    reader = _Reader(table, source)
    settlements: dict[str, _Settlement] = {}
    current: _Settlement | None = None
    for number, cells in table.rows:
        if reader.is_repeated_header(cells):
            continue
        settlement_id = reader.text(cells, "settlement-id")
        if not settlement_id:
            raise DocumentError("The settlement id is missing; the row may be cut off.", row=number)
        if reader.text(cells, "total-amount"):
            if settlement_id in settlements:
                raise DocumentError(f"Settlement {settlement_id} has a second summary row.", row=number)
            current = settlements[settlement_id] = _Settlement(reader.statement(number, cells, settlement_id), number)
            continue
        if current is None or current.record.outside_id != settlement_id:
            current = settlements.get(settlement_id)
        if current is None:
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


class _Reader:
    """Finds cells by canonical column name and turns them into records, naming the line where something is wrong."""

    def __init__(self, table: Table, source: Source) -> None:
        self.table = table
        places = {header_key(header): place for place, header in reversed(list(enumerate(table.headers)))}
        self.places: dict[str, int] = {}
        columns = V2_COLUMNS if source.kind == "settlement_v2" else V1_COLUMNS
        for column in columns:
            header = source.columns.get(column.code, column.code)
            place = places.get(header_key(header))
            if place is None and header.isdigit() and int(header) < len(table.headers):
                place = int(header)
            if place is not None:
                self.places[column.code] = place
            elif column.required:
                raise DocumentError(f"The column {column.code} is missing.")
        self.v2 = source.kind == "settlement_v2"
        # A row must reach its posted date: everything before it identifies the money.
        self.least = min(len(table.headers), max(self.places["posted-date"], self.places.get("amount", 0)) + 1)
        self.default_market = f"amazon {source.region.lower()}".strip()
        self.pairs = [(amount, name, group) for amount, name, group in _PAIRS if amount in self.places]
        self._moments: dict[str, datetime | date] = {}
        self._amounts: dict[str, Decimal] = {}
        self._comma = self._decimal_comma()

    def _decimal_comma(self) -> bool | None:
        names = ["amount", "total-amount"] if self.v2 else ["total-amount", *(amount for amount, _n, _g in self.pairs)]
        for _number, cells in self.table.rows:
            for name in names:
                text = self.text(cells, name)
                if len(text) > 2 and text[-3] in ",." and text[-2:].isdigit():
                    return text[-3] == ","
        return None

    def is_repeated_header(self, cells: list[str]) -> bool:
        return header_key(cells[0]) == header_key(self.table.headers[0])

    def text(self, cells: list[str], name: str) -> str:
        place = self.places.get(name)
        return cells[place].strip().strip('"') if place is not None and place < len(cells) else ""

    def amount(self, number: int, text: str, name: str) -> Decimal:
        known = self._amounts.get(text)
        if known is None:
            try:
                known = self._amounts[text] = parse_amount(text, decimal_comma=self._comma)
            except ValueError:
                raise DocumentError(f"{name}: {text!r} is not an amount.", row=number) from None
        return known

    def moment(self, number: int, text: str, name: str) -> datetime | date | None:
        if not text:
            return None
        known = self._moments.get(text)
        if known is None:
            try:
                known = self._moments[text] = parse_moment(text)
            except ValueError:
                raise DocumentError(f"{name}: {text!r} is not a date.", row=number) from None
        return known

    def statement(self, number: int, cells: list[str], settlement_id: str) -> StatementRecord:
        total = self.amount(number, self.text(cells, "total-amount"), "total-amount")
        currency = self.text(cells, "currency").upper()
        if len(currency) != 3 or not currency.isalpha() or not currency.isascii():
            raise DocumentError(f"currency: {currency!r} is not a currency code.", row=number)
        deposit_at = self.moment(number, self.text(cells, "deposit-date"), "deposit-date")
        return StatementRecord(
            outside_id=settlement_id,
            currency=currency,
            total=total,
            # A total below zero is no deposit: Amazon charges it or carries it into the next settlement.
            deposit=max(total, Decimal(0)),
            period_start=self.moment(number, self.text(cells, "settlement-start-date"), "settlement-start-date"),
            period_end=self.moment(number, self.text(cells, "settlement-end-date"), "settlement-end-date"),
            closed_at=deposit_at,
            payout=settlement_id if total > 0 else "",
            complete=True,
        )

    def take_row(self, number: int, cells: list[str], settlement: _Settlement) -> None:
        kind = self.text(cells, "transaction-type")
        posted_text = self.text(cells, "posted-date-time") or self.text(cells, "posted-date")
        posted = self.moment(number, posted_text, "posted-date")
        if posted is None:
            raise DocumentError("The posted date is missing; the row may be cut off.", row=number)
        marketplace = self.text(cells, "marketplace-name").casefold()[:60] or self.default_market
        mcf = marketplace.startswith("non-amazon")
        order = self.text(cells, "order-id")
        if mcf and self.text(cells, "merchant-order-id"):
            order = self.text(cells, "merchant-order-id")
        key = (order, kind, marketplace, posted_text)
        voucher = settlement.groups.get(key)
        if voucher is None:
            voucher = settlement.groups[key] = self._voucher(number, settlement, key, posted)
        context = "mcf" if mcf else ""
        sku = self.text(cells, "sku")
        for path, name, amount in self._amounts_of(number, cells, kind):
            settlement.sum += amount
            if not amount:
                continue
            quantity = None
            if name == "Principal" and path.endswith("/ItemPrice"):
                units = self._quantity(number, cells)
                quantity = -units if units is not None and voucher.event is EventKind.REFUND else units
            voucher.lines.append(LineRecord(path, name, context, amount, sku, quantity, number))

    def _voucher(
        self, number: int, settlement: _Settlement, key: tuple[str, str, str, str], posted: datetime | date
    ) -> VoucherRecord:
        order, kind, marketplace, _posted = key
        event = EventKind.OTHER
        if order:
            word = kind.casefold()
            event = EventKind.SALE if word == "order" else EventKind.REFUND if word.startswith(_REFUNDS) else EventKind.OTHER
        settlement_id = settlement.record.outside_id
        return VoucherRecord(
            family="settlement",
            outside_id=f"{settlement_id}/{order or '-'}/{kind}/{marketplace}/{posted.isoformat()}",
            currency=settlement.record.currency,
            marketplace=marketplace,
            posted_at=posted,
            event_at=posted,
            event_source=EventSource.SERVICE if event is EventKind.OTHER else EventSource.POSTED,
            lines=[],
            order=order,
            event=event,
            statement=settlement_id,
            part=settlement_id,
            row=number,
        )

    def _amounts_of(self, number: int, cells: list[str], kind: str) -> list[tuple[str, str, Decimal]]:
        if self.v2:
            text = self.text(cells, "amount")
            if not text:
                return []
            path = f"{kind or 'other-transaction'}/{self.text(cells, 'amount-type')}"
            return [(path, self.text(cells, "amount-description") or kind, self.amount(number, text, "amount"))]
        found = []
        for amount_name, type_name, group in self.pairs:
            text = self.text(cells, amount_name)
            if text:
                found.append((*_v2_words(kind, group, self.text(cells, type_name)), self.amount(number, text, amount_name)))
        return found

    def _quantity(self, number: int, cells: list[str]) -> int | None:
        text = self.text(cells, "quantity-purchased")
        if not text:
            return None
        try:
            return int(Decimal(text.replace(",", ".")))
        except (ArithmeticError, ValueError):
            raise DocumentError(f"quantity-purchased: {text!r} is not a number.", row=number) from None


def _v2_words(kind: str, group: str, name: str) -> tuple[str, str]:
    """Path and name as V2 would write what V1 says, so that both layouts of a settlement mean the same fee types."""
    if group == "other-transaction" or (not name and group == "MiscFee"):
        if kind.startswith(_REIMBURSEMENTS):
            return "other-transaction/FBA Inventory Reimbursement", kind
        return "other-transaction/other-transaction", kind or "other-transaction"
    if name == "Cost of Advertising":
        return f"{kind}/Cost of Advertising", "TransactionTotalAmount"
    return f"{kind}/{group}", name or kind


def _close(settlement: _Settlement, source: Source, parsed: ParsedDocument) -> None:
    record = settlement.record
    difference = (record.total or Decimal(0)) - settlement.sum
    vouchers = [voucher for voucher in settlement.groups.values() if voucher.lines]
    if difference:
        if not source.accept_difference:
            raise DocumentError(
                f"Settlement {record.outside_id} does not add up: its lines come to {settlement.sum} {record.currency}, its total is "
                f"{record.total} (difference {difference}). The file is cut off or was edited; export it again.",
                row=settlement.line,
                difference=difference,
            )
        moment = record.closed_at or record.period_end or vouchers[0].posted_at
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
