"""The income statement export (xlsx, csv) and the export of unsettled orders: files of the same money as the API's.

Rows of one order, statement and event are one voucher, joined to the API's by order, event and statement, of lower
authority. Editions without statement ids are joined by order and event alone (`channels.records.ANY_PART`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal

from channels.adapter import DocumentError, Source
from channels.records import (
    ANY_PART,
    EventKind,
    EventSource,
    LineRecord,
    ListingRecord,
    ParsedDocument,
    StatementRecord,
    VoucherRecord,
)
from channels.tables import header_key, parse_moment
from channels.tiktok.breakdown import REVENUE, split_refund
from channels.tiktok.exports import Found, find_table, plain, zone_of
from channels.tiktok.rows import RowReader, is_unit
from nova.money import currency_digits, parse_amount

FAMILY = "export"
ADJUSTMENT_FAMILY = "export adjustment"
UNSETTLED_FAMILY = "unsettled export"
UNSETTLED_ADJUSTMENT_FAMILY = "unsettled export adjustment"
CURRENCIES = {
    "US": "USD", "GB": "GBP", "DE": "EUR", "ES": "EUR", "FR": "EUR", "IE": "EUR", "IT": "EUR", "BR": "BRL", "MX": "MXN",
    "ID": "IDR", "MY": "MYR", "PH": "PHP", "SG": "SGD", "TH": "THB", "VN": "VND", "JP": "JPY", "SA": "SAR",
}  # fmt: skip
#: Names of adjustments as the API writes them, by how exports write them (compared without case and blanks).
_TYPES = {
    header_key(label): name
    for name, labels in {
        "GMV_PAYMENT_FOR_ADS": ("GMV Payment for Ads", "GMV Payment for TikTok Ads"),
        "FBT_WAREHOUSE_SERVICE_FEE": ("FBT warehouse service fee", "GMV deduction for FBT warehouse service fee"),
        "CHARGE_BACK": ("Charge back", "Chargeback"),
        "PLATFORM_REIMBURSEMENT": ("Platform reimbursement", "TikTok Shop reimbursement"),
    }.items()
    for label in labels
} | {
    header_key(name): name
    for name in (
        "CUSTOMER_SERVICE_COMPENSATION", "DEDUCTIONS_INCURRED_BY_SELLER", "PLATFORM_COMMISSION_ADJUSTMENT",
        "PLATFORM_COMMISSION_COMPENSATION", "PLATFORM_PENALTY", "PROMOTION_ADJUSTMENT", "REBATE", "PLATFORM_COMPENSATION",
        "COFUNDED_CREATOR_REWARDS", "STAMP_DUTY", "LOGISTICS_REIMBURSEMENT", "SHIPPING_FEE_ADJUSTMENT",
        "SHIPPING_FEE_COMPENSATION", "SHIPPING_FEE_REBATE", "SAMPLE_SHIPPING_FEE", "SELLER_MISSION_REWARD", "OTHER_ADJUSTMENT",
    )
}  # fmt: skip
_LOST_DIGITS = re.compile(r"^\d(\.\d+)?[eE]\+?\d+$")
_REFUND_TYPES = ("refund", "refunds")
_ORDER_TYPES = ("", "order", "orders", *_REFUND_TYPES)


def parse(source: Source) -> ParsedDocument:
    """The vouchers of an export.

    Times without a zone are UTC; days without a time stay days of the books. A statement's day closes at 00:00 UTC.

    Raises:
        DocumentError: no such table, a row that is cut off or has no id, a cell that is no amount or date (with its line), ids
            whose digits a spreadsheet program has lost, or totals of the workbook's report that differ from its rows.
    """
    found = find_table(source.body, source.kind, source.columns)
    export = _Export(found, source)
    for line, cells in found.table.rows:
        if any(cell.strip() for cell in cells) and not export.is_repeated_header(cells):
            export.take(line, cells)
    return export.close()


class _Export:
    def __init__(self, found: Found, source: Source) -> None:
        self.found = found
        self.source = source
        self.settled = found.kind == "income_export"
        self.reader = RowReader(found, decimal_comma=_decimal_comma(found, source))
        self.parsed = ParsedDocument()
        self.marketplace = f"TikTok Shop {source.region}".strip()
        self.day_first = {code: _day_first(found, code, source.region) for code in ("settled", "created", "delivered")}
        self.groups: dict[tuple[str, ...], VoucherRecord] = {}
        self.statements: dict[str, StatementRecord] = {}
        self.listings: dict[str, ListingRecord] = {}
        self.totals: dict[str, Decimal] = {}

    def is_repeated_header(self, cells: Sequence[str]) -> bool:
        place = self.found.places["order"]
        return place < len(cells) and plain(cells[place]) == plain(self.found.table.headers[place])

    def take(self, line: int, cells: Sequence[str]) -> None:
        reader = self.reader
        outside_id = reader.text(cells, "order")
        if not outside_id and any("total" in cell.casefold() for cell in cells):
            return  # a row of sums below the table
        if len(cells) < reader.least:
            raise DocumentError(
                f"The row has {len(cells)} of {len(self.found.table.headers)} cells; the file may be cut off here.", row=line
            )
        if not outside_id:
            raise DocumentError("The order or adjustment id is missing; the row may be cut off.", row=line)
        related = reader.text(cells, "related_order")
        for value in (outside_id, related):
            if _LOST_DIGITS.match(value):
                raise DocumentError(
                    f"The id {value} has lost its last digits: the file was saved by a spreadsheet program. Export it again.",
                    row=line,
                )
        self.parsed.rows += 1
        kind = reader.text(cells, "type")
        is_order = kind.casefold() in _ORDER_TYPES
        name = "" if is_order else self._adjustment(cells, kind)
        lines = reader.lines(cells, line, name)
        currency = self._currency(cells, line)
        self.totals[currency] = self.totals.get(currency, Decimal(0)) + reader.total(cells, line)
        sku = reader.text(cells, "sku") if is_order else ""
        if sku:
            lines = [row._replace(listing=sku, quantity=self._units(cells, row, line)) for row in lines]
            self._learn(cells, sku)
        statement = reader.text(cells, "statement") if self.settled else ""
        voucher = self._voucher(line, cells, outside_id, related, statement, currency, is_order)
        voucher.lines.extend(lines)

    def _voucher(
        self, line: int, cells: Sequence[str], outside_id: str, related: str, statement: str, currency: str, is_order: bool
    ) -> VoucherRecord:
        settled = self._moment(line, cells, "settled") if self.settled else None
        if self.settled and settled is None:
            raise DocumentError("The day of the statement is missing; the row may be cut off.", row=line)
        if isinstance(settled, date) and not isinstance(settled, datetime):
            settled = datetime.combine(settled, time.min, UTC)
        created, delivered = self._moment(line, cells, "created"), self._moment(line, cells, "delivered")
        posted = settled or created
        if posted is None and not is_order:
            posted = self._latest()
        if posted is None:
            raise DocumentError("The row has no date.", row=line)
        if statement:
            self._statement(statement, cells, currency, settled)
        day = statement or (settled.date().isoformat() if isinstance(settled, datetime) else "")
        if not is_order:
            day = ""  # an adjustment is itself in every edition of the export
        refund = is_order and self.reader.text(cells, "type").casefold() in _REFUND_TYPES
        key = (day, outside_id, currency, "adjustment" if not is_order else "refund" if refund else "")
        known = self.groups.get(key)
        if known is not None:
            return known
        event, event_source = (delivered, EventSource.DELIVERY) if delivered else (created, EventSource.ORDER)
        if not is_order:
            event, event_source = posted, EventSource.SERVICE if self.settled else EventSource.POSTED
        elif event is None or refund:
            event, event_source = posted, EventSource.POSTED
        family = {
            (True, True): FAMILY,
            (True, False): ADJUSTMENT_FAMILY,
            (False, True): UNSETTLED_FAMILY,
            (False, False): UNSETTLED_ADJUSTMENT_FAMILY,
        }[self.settled, is_order]
        part = (statement or ANY_PART) if self.settled else ""
        self.groups[key] = VoucherRecord(
            family=family,
            outside_id="/".join(filter(None, (day, outside_id, currency))),
            currency=currency,
            marketplace=self.marketplace,
            posted_at=posted,
            event_at=event or posted,
            event_source=event_source,
            lines=[],
            order=(outside_id if is_order else related if related != outside_id else ""),
            event=EventKind.REFUND if refund else EventKind.SALE if is_order else EventKind.OTHER,
            statement=statement,
            part=part if is_order else outside_id,
            row=line,
        )
        return self.groups[key]

    def _adjustment(self, cells: Sequence[str], kind: str) -> str:
        """The name of an adjustment: its type as the API writes it, or the reason where the type says no more than "adjustment"."""
        reason = self.reader.text(cells, "reason")
        said = reason if reason and kind.casefold() in ("adjustment", "adjustments") else kind
        return _TYPES.get(header_key(said), said)

    def _statement(self, statement: str, cells: Sequence[str], currency: str, settled: datetime | date | None) -> None:
        if statement not in self.statements:
            payout = self.reader.text(cells, "payment")
            self.statements[statement] = StatementRecord(statement, currency, closed_at=settled, payout=payout)

    def _currency(self, cells: Sequence[str], line: int) -> str:
        text = self.reader.text(cells, "currency").upper()
        if not text and len(self.source.currencies) == 1:
            return self.source.currencies[0]
        text = text or CURRENCIES.get(self.source.region, "")
        if not text:
            raise DocumentError("The file names no currency; set the region of the shop, which tells it.", row=line)
        if len(text) != 3 or not text.isascii() or not text.isalpha():
            raise DocumentError(f"Currency: {text!r} is not a currency code.", row=line)
        return text

    def _moment(self, line: int, cells: Sequence[str], code: str) -> datetime | date | None:
        text = self.reader.text(cells, code)
        if not text or text in ("-", "--"):
            return None
        zone = zone_of(self.found.table.headers[self.found.places[code]])
        try:
            return parse_moment(f"{text} {zone}" if zone and ":" in text else text, day_first=self.day_first[code])
        except ValueError:
            header = self.found.table.headers[self.found.places[code]]
            raise DocumentError(f"{header}: {text!r} is not a date.", row=line) from None

    def _latest(self) -> datetime | date | None:
        """The newest order of the table: stands in for the day of an adjustment that has none of its own."""
        found = [
            self._moment(line, cells, "created") for line, cells in self.found.table.rows if not self.is_repeated_header(cells)
        ]
        return max((day for day in found if day is not None), key=lambda day: day.isoformat(), default=None)

    def _units(self, cells: Sequence[str], row: LineRecord, line: int) -> int | None:
        sign = is_unit(row)
        text = self.reader.text(cells, "quantity")
        if not sign or not text:
            return None
        try:
            units = parse_amount(text)
            if units != int(units):
                raise ValueError
        except ValueError:
            raise DocumentError(f"Quantity: {text!r} is not a number.", row=line) from None
        return sign * int(units) or None

    def _learn(self, cells: Sequence[str], sku: str) -> None:
        product, name = self.reader.text(cells, "product"), self.reader.text(cells, "sku_name")
        if sku not in self.listings:
            title = f"{product} ({name})" if product and name and name != product else product or name
            self.listings[sku] = ListingRecord(code=sku, title=title, outside_id=sku)

    def close(self) -> ParsedDocument:
        if not self.parsed.rows:
            raise DocumentError("The file has headers but no rows.")
        self._check_report()
        events: dict[tuple[str, str], VoucherRecord] = {}
        for voucher in self.groups.values():
            voucher.lines.sort(key=lambda row: row.path != REVENUE)
            if voucher.event is EventKind.OTHER:
                self.parsed.vouchers.append(voucher)
                continue
            sale, refund = split_refund(voucher.lines)
            if voucher.event is EventKind.REFUND:
                sale, refund = [], voucher.lines
            for event, lines in ((EventKind.SALE, sale), (EventKind.REFUND, refund)):
                if lines:
                    events.setdefault((voucher.outside_id, event.value), self._event(voucher, event)).lines.extend(lines)
        self.parsed.vouchers += events.values()
        self.parsed.statements = list(self.statements.values())
        self.parsed.listings = list(self.listings.values())
        return self.parsed

    def _event(self, voucher: VoucherRecord, event: EventKind) -> VoucherRecord:
        refund = event is EventKind.REFUND
        return VoucherRecord(
            family=voucher.family,
            outside_id=f"{voucher.outside_id}/{event.value}",
            currency=voucher.currency,
            marketplace=voucher.marketplace,
            posted_at=voucher.posted_at,
            event_at=voucher.posted_at if refund else voucher.event_at,
            event_source=EventSource.POSTED if refund else voucher.event_source,
            lines=[],
            order=voucher.order,
            event=event,
            statement=voucher.statement,
            part=voucher.part,
            row=voucher.row,
        )

    def _check_report(self) -> None:
        """The workbook's report sheet must say what its rows come to."""
        label = plain("Total settlement amount")
        if not self.settled or len(self.totals) != 1 or self.source.accept_difference:
            return
        ((currency, total),) = self.totals.items()
        for rows in self.found.others:
            for cells in rows:
                place = next((place for place, cell in enumerate(cells) if plain(cell) == label), None)
                if place is None:
                    continue
                stated = _first_amount(cells[place + 1 :], self.reader.decimal_comma)
                if stated is not None and stated != total:
                    raise DocumentError(
                        f"The rows come to {total} {currency}, but the report in this workbook says {stated} (difference "
                        f"{stated - total}). The file is cut off or was edited; export it again.",
                        difference=stated - total,
                    )


def _first_amount(cells: Sequence[str], decimal_comma: bool | None) -> Decimal | None:
    for cell in cells:
        if any(letter.isdigit() for letter in cell):
            try:
                return parse_amount(cell, decimal_comma=decimal_comma)
            except ValueError:
                return None
    return None


def _decimal_comma(found: Found, source: Source) -> bool:
    """Whether decimals are parted by a comma, told from all amounts of the table together.

    Two separators in one amount, or one that is not followed by three digits, tell it. Else a separator before three
    digits stands for thousands: a dot then means that a comma would part the decimals.
    """
    places = [place for code, place in found.places.items() if code in ("total", "revenue", "fees", "shipping", "adjustment")]
    dot = comma = 0
    for _line, cells in found.table.rows:
        for place in places:
            text = cells[place].strip() if place < len(cells) else ""
            last_dot, last_comma = text.rfind("."), text.rfind(",")
            if last_dot < 0 and last_comma < 0:
                continue
            if last_dot >= 0 and last_comma >= 0:
                return last_comma > last_dot
            separator = "." if last_dot >= 0 else ","
            digits = len(text) - 1 - max(last_dot, last_comma)
            if digits != 3 and text.count(separator) == 1:
                return separator == ","
            dot, comma = dot + (separator == "."), comma + (separator == ",")
    # Only thousands were seen. Three decimals would need a currency that has them.
    three = any(currency_digits(code) == 3 for code in (*source.currencies, CURRENCIES.get(source.region, "USD")))
    return comma > 0 if three else dot > comma


def _day_first(found: Found, code: str, region: str) -> bool:
    """Whether dates like 05/06/2026 in a column begin with the day: the column itself tells, else the region."""
    place = found.places.get(code)
    for _line, cells in found.table.rows:
        text = cells[place].strip() if place is not None and place < len(cells) else ""
        match = re.match(r"^(\d{1,2})/(\d{1,2})/\d{4}", text)
        if match and int(match[1]) > 12:
            return True
        if match and int(match[2]) > 12:
            return False
    return region not in ("US", "PH", "")
