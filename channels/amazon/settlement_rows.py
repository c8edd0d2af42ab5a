"""The rows of settlement flat files: columns of both layouts, cells to values, rows to lines of vouchers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from channels.adapter import Column, DocumentError, Source
from channels.records import EventKind, EventSource, LineRecord, StatementRecord, VoucherRecord
from channels.tables import Table, day_first, decimal_comma, header_key, parse_moment
from nova.money import parse_amount


def _column(code: str, kind: str = "text", *, required: bool = False, adds_down: tuple[str, ...] = ()) -> Column:
    return Column(code, code.replace("-", " ").capitalize(), kind, required, (code,), adds_down=adds_down)


#: The columns whose rows add up to the total: one in V2, the others in V1.
_AMOUNTS = (
    "amount",
    "price-amount",
    "item-related-fee-amount",
    "promotion-amount",
    "shipment-fee-amount",
    "order-fee-amount",
    "direct-payment-amount",
    "other-fee-amount",
    "misc-fee-amount",
    "other-amount",
)
_COMMON = (
    _column("settlement-id", required=True),
    _column("settlement-start-date", "date"),
    _column("settlement-end-date", "date"),
    _column("deposit-date", "date"),
    _column("total-amount", "amount", required=True, adds_down=_AMOUNTS),
    _column("currency", required=True),
    _column("transaction-type", required=True),
    _column("order-id"),
    _column("merchant-order-id"),
    _column("adjustment-id"),
    _column("shipment-id"),
    _column("marketplace-name"),
)
_ITEM_IDS = (
    _column("order-item-code"),
    _column("merchant-order-item-id"),
    _column("merchant-adjustment-item-id"),
    _column("sku"),
    _column("quantity-purchased", "integer"),
)
#: In the order of Amazon's own file, so that an edition with other headers can be matched by place.
V2_COLUMNS = (
    *_COMMON,
    _column("amount-type", required=True),
    _column("amount-description", required=True),
    _column("amount", "amount", required=True),
    _column("fulfillment-id"),
    _column("posted-date", "date", required=True),
    _column("posted-date-time", "date"),
    *_ITEM_IDS,
    _column("promotion-id"),
)
#: V1: (amount column, column with the name, V2's amount-type).
PAIRS = (
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
    _column("shipment-fee-type"),
    _column("shipment-fee-amount", "amount"),
    _column("order-fee-type"),
    _column("order-fee-amount", "amount"),
    _column("fulfillment-id"),
    _column("posted-date", "date", required=True),
    *_ITEM_IDS,
    _column("price-type"),
    _column("price-amount", "amount"),
    _column("item-related-fee-type"),
    _column("item-related-fee-amount", "amount"),
    _column("misc-fee-amount", "amount"),
    _column("other-fee-amount", "amount"),
    _column("other-fee-reason-description"),
    _column("promotion-id"),
    _column("promotion-type"),
    _column("promotion-amount", "amount"),
    _column("direct-payment-type"),
    _column("direct-payment-amount", "amount"),
    _column("other-amount", "amount"),
)
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
#: Order ids that Amazon gives to orders of other channels which it only ships.
_MCF_ORDER = re.compile(r"^S\d{2}-\d")
#: What may stand around a cell: blanks, and quotes that some tools add.
_AROUND = ' "\t\r\u00a0\u3000'
_DATES = ("settlement-start-date", "settlement-end-date", "deposit-date", "posted-date", "posted-date-time")

Key = tuple[str, str, str, str]


@dataclass
class Settlement:
    """One settlement while its rows are read: `sum` of all amounts, vouchers by (order, type, marketplace, posted time).

    Layout V1 tells the quantity of an item on a row of its own, beside the rows with its amounts: `units` and
    `principals` find the two together, by (voucher, item).
    """

    record: StatementRecord
    line: int
    sum: Decimal = Decimal(0)
    groups: dict[Key, VoucherRecord] = field(default_factory=dict)
    units: dict[tuple[Key, str], int] = field(default_factory=dict)
    principals: dict[tuple[Key, str], int] = field(default_factory=dict)
    shipments: dict[Key, set[str]] = field(default_factory=dict)

    def vouchers(self) -> list[VoucherRecord]:
        """The vouchers that have lines, every item's quantity on its first price."""
        for (key, item), units in self.units.items():
            place = self.principals.get((key, item))
            if place is not None and self.groups[key].lines[place].quantity is None:
                lines = self.groups[key].lines
                lines[place] = lines[place]._replace(quantity=units)
        return [voucher for voucher in self.groups.values() if voucher.lines]


class RowReader:
    """Finds cells by canonical column name and turns them into records, naming the line where something is wrong."""

    def __init__(self, table: Table, source: Source) -> None:
        self.table = table
        self.v2 = source.kind == "settlement_v2"
        self.region = source.region
        places = {header_key(header): place for place, header in reversed(list(enumerate(table.headers)))}
        self.places: dict[str, int] = {}
        columns = V2_COLUMNS if self.v2 else V1_COLUMNS
        for column in columns:
            header = source.columns.get(column.code, column.code)
            place = places.get(header_key(header))
            if place is None and header.isdigit() and int(header) < len(table.headers):
                place = int(header)
            if place is not None:
                self.places[column.code] = place
        if "posted-date" not in self.places and "posted-date-time" in self.places:
            self.places["posted-date"] = self.places["posted-date-time"]
        for column in columns:
            if column.required and column.code not in self.places:
                raise DocumentError(f"The column {column.code} is missing.")
        # A row must reach its posted date: everything before it identifies the money.
        self.least = min(len(table.headers), max(self.places["posted-date"], self.places.get("amount", 0)) + 1)
        self.default_market = f"amazon {source.region.lower()}".strip()
        self.pairs = [(amount, name, group) for amount, name, group in PAIRS if amount in self.places]
        self._firsts: dict[str, bool] = {}
        self._moments: dict[str, datetime | date] = {}
        self._amounts: dict[str, Decimal] = {}
        names = ("amount", "total-amount") if self.v2 else ("total-amount", *(amount for amount, _n, _g in self.pairs))
        currency = next((text for text in self._texts(("currency",))), "")
        self._comma = decimal_comma(self._texts(names), currency)
        self._day_first = day_first(self._texts(_DATES), default=source.region != "NA")

    def _texts(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            place = self.places.get(name)
            if place is None:
                continue
            for _number, cells in self.table.rows:
                if place < len(cells) and cells[place]:
                    yield cells[place].strip(_AROUND)

    def is_repeated_header(self, cells: list[str]) -> bool:
        """Whether a row is the header once more, as in files put together from several."""
        first = cells[0]
        if first not in self._firsts:
            self._firsts[first] = header_key(first) == header_key(self.table.headers[0])
        return self._firsts[first]

    def text(self, cells: list[str], name: str) -> str:
        """A cell without blanks and quotes, "" where the row or the file has none."""
        place = self.places.get(name)
        return cells[place].strip(_AROUND) if place is not None and place < len(cells) else ""

    def amount(self, number: int, text: str, name: str) -> Decimal:
        """An amount in the style of the whole file."""
        known = self._amounts.get(text)
        if known is None:
            own = decimal_comma([text], "")
            try:
                known = self._amounts[text] = parse_amount(text, decimal_comma=self._comma if own is None else own)
            except ValueError:
                raise DocumentError(f"{name}: {text!r} is not an amount.", row=number) from None
        return known

    def moment(self, number: int, text: str, name: str) -> datetime | date | None:
        """A date or time in the style of the whole file, None for an empty cell."""
        if not text:
            return None
        known = self._moments.get(text)
        if known is None:
            try:
                known = self._moments[text] = parse_moment(text, day_first=self._day_first)
            except ValueError as error:
                why = str(error) if "zone" in str(error) else f"{text!r} is not a date"
                raise DocumentError(f"{name}: {why}.", row=number) from None
        return known

    def statement(self, number: int, cells: list[str], settlement_id: str) -> StatementRecord:
        """What the summary row says."""
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

    def take_row(self, number: int, cells: list[str], settlement: Settlement) -> None:
        """Add the amounts of one row to its settlement."""
        kind = self.text(cells, "transaction-type")
        posted_text = self.text(cells, "posted-date-time") or self.text(cells, "posted-date")
        posted = self.moment(number, posted_text, "posted-date")
        if posted is None:
            raise DocumentError("The posted date is missing; the row may be cut off.", row=number)
        marketplace = self.text(cells, "marketplace-name").casefold()[:60] or self.default_market
        order = self.text(cells, "order-id")
        mcf = marketplace.startswith("non-amazon") or _MCF_ORDER.match(order) is not None
        if mcf and self.text(cells, "merchant-order-id"):
            order = self.text(cells, "merchant-order-id")
        key = (order, kind, marketplace, posted.isoformat())
        voucher = settlement.groups.get(key)
        if voucher is None:
            voucher = settlement.groups[key] = _voucher(number, settlement, key, posted)
        if voucher.event is not EventKind.OTHER:
            shipment = self.text(cells, "shipment-id" if voucher.event is EventKind.SALE else "adjustment-id")
            if shipment:
                settlement.shipments.setdefault(key, set()).add(shipment)
        context = "mcf" if mcf else ""
        sku = self.text(cells, "sku")
        item = self.text(cells, "order-item-code") or sku
        sign = -1 if voucher.event is EventKind.REFUND else 1
        found = self._amounts_of(number, cells, kind)
        if not found:
            units = self._quantity(number, cells)
            if units:
                settlement.units[key, item] = settlement.units.get((key, item), 0) + sign * units
            return
        for path, name, amount in found:
            settlement.sum += amount
            quantity = None
            if amount and name == "Principal" and path.endswith("/ItemPrice"):  # a price of zero is a replacement, no sale
                units = self._quantity(number, cells)
                quantity = None if units is None else sign * units
                settlement.principals.setdefault((key, item), len(voucher.lines))
            voucher.lines.append(LineRecord(path, name, context, amount, sku, quantity, number))

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
            units = Decimal(text.replace(",", "."))
            if units != int(units) or abs(units) > 10**9:
                raise ValueError
            return int(units)
        except (ArithmeticError, ValueError):
            raise DocumentError(f"quantity-purchased: {text!r} is not a number of units.", row=number) from None


def _voucher(number: int, settlement: Settlement, key: Key, posted: datetime | date) -> VoucherRecord:
    order, kind, marketplace, posted_text = key
    event, source = EventKind.OTHER, EventSource.SERVICE
    if order:
        word = kind.casefold()
        if word == "order":
            event, source = EventKind.SALE, EventSource.POSTED
        elif word.startswith(_REFUNDS):
            # Amazon posts a refund when it is given: that is its date in the books (MONEY.md rule 8).
            event, source = EventKind.REFUND, EventSource.REFUND
    settlement_id = settlement.record.outside_id
    return VoucherRecord(
        family="settlement",
        outside_id=f"{settlement_id}/{order or '-'}/{kind}/{marketplace}/{posted_text}",
        currency=settlement.record.currency,
        marketplace=marketplace,
        posted_at=posted,
        event_at=posted,
        event_source=source,
        lines=[],
        order=order,
        event=event,
        statement=settlement_id,
        part=settlement_id,
        row=number,
    )


def _v2_words(kind: str, group: str, name: str) -> tuple[str, str]:
    """Path and name as V2 would write what V1 says, so that both layouts of a settlement mean the same fee types."""
    if group == "other-transaction" or (not name and group == "MiscFee"):
        if kind.startswith(_REIMBURSEMENTS):
            return "other-transaction/FBA Inventory Reimbursement", kind
        return "other-transaction/other-transaction", kind or "other-transaction"
    if name == "Cost of Advertising":
        return f"{kind}/Cost of Advertising", "TransactionTotalAmount"
    return f"{kind}/{group}", name or kind
