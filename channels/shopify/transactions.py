"""One movement of the Shopify Payments balance, wherever it was told, and the voucher that Nova makes of it.

Identity: net = amount - fee on every row; the nets of a payout add up to it. The amount books clearing (or what the type says),
the fee books payment cost; revenue comes from orders only, so that no money counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from channels.adapter import DocumentError
from channels.records import EventSource, LineRecord, ParsedDocument, PayoutRecord, State, StatementRecord, VoucherRecord
from channels.shopify.words import TRANSFER, transaction_type

#: Families of vouchers per source: they share no ids, so that `VoucherRecord.part` joins what they tell of the same movement.
API, REST, EXPORT = "balance", "balance_rest", "balance_export"
FAMILIES = frozenset({API, REST, EXPORT})
#: Shopify's words for the state of a payout -> Nova's.
PAYOUT_STATUS = {
    "scheduled": "expected",
    "pending": "expected",
    "action_required": "expected",
    "in_transit": "in_transit",
    "paid": "paid",
    "failed": "failed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}


@dataclass(slots=True)
class Transaction:
    """A balance transaction. Amounts are in the payout's currency; `fee` and `vat` on it are plus for a cost. `row` as in
    LineRecord. `vat` is zero where the fee holds it; `rest` is what amount less fee lacks to net, accepted by staff.

    `payout` is "" while no payout holds it. `outside_id` is Shopify's id, "" where an export tells none.
    """

    outside_id: str
    type: str
    reason: str
    amount: Decimal
    fee: Decimal
    net: Decimal
    currency: str
    at: datetime | date | None
    payout: str
    payout_status: str
    order: str
    row: int
    vat: Decimal = Decimal(0)
    rest: Decimal = Decimal(0)

    @property
    def name(self) -> str:
        """Its type as the schema spells it."""
        return transaction_type(self.type, self.reason, self.amount)

    @property
    def key(self) -> str:
        """What API and export both tell of one movement: its second (UTC), amount, net and currency."""
        at = self.at.astimezone(UTC).replace(microsecond=0, tzinfo=None) if isinstance(self.at, datetime) else self.at
        return f"{at.isoformat() if at else '-'} {_plain(self.amount)} {_plain(self.net)} {self.currency}"


def _plain(amount: Decimal) -> str:
    text = f"{amount:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def check(transaction: Transaction, *, accept: bool, place: int | None = None) -> None:
    """See that net = amount - fee. What is left becomes a visible remainder when staff `accept` it.

    Raises:
        DocumentError: it does not add up; names the transaction, and the line of a text file (`place`).
    """
    transaction.rest = transaction.net - (transaction.amount - transaction.fee - transaction.vat)
    if transaction.rest and not accept:
        raise DocumentError(
            f"{transaction.name} {transaction.outside_id or transaction.order}: amount {transaction.amount} less fee "
            f"{transaction.fee} is not net {transaction.net} {transaction.currency}; the row was edited or is damaged.",
            row=place,
            difference=transaction.rest,
        )


def take(transactions: Iterable[Transaction], *, family: str, marketplace: str, parsed: ParsedDocument) -> None:
    """Add vouchers, payouts and statements for these transactions. A transaction told twice counts once, as told last.

    A payout whose TRANSFER row and all other rows are in this document is complete: its nets add up to the transfer.
    """
    vouchers: dict[str, VoucherRecord] = {}
    numbers: dict[str, int] = {}
    sums: dict[str, Decimal] = {}
    transfers: dict[str, Transaction] = {}
    told: set[str] = set()
    for transaction in transactions:
        if transaction.name == TRANSFER:
            transfers[transaction.payout or transaction.outside_id] = transaction
            continue
        outside_id = transaction.outside_id
        if not outside_id:
            numbers[transaction.key] = numbers.get(transaction.key, 0) + 1
            outside_id = f"{transaction.key} {numbers[transaction.key]}"
        if transaction.payout and outside_id not in told:
            sums[transaction.payout] = sums.get(transaction.payout, Decimal(0)) + transaction.net
        told.add(outside_id)
        vouchers[outside_id] = _voucher(transaction, outside_id, family, marketplace)
    parsed.vouchers += vouchers.values()
    for payout, transfer in transfers.items():
        total = -transfer.net
        # The day of a payout is told by the payout itself; a transfer's own time may be another.
        record = payout_record(payout, transfer.currency, total, transfer.payout_status, None)
        complete = record.status not in ("failed", "cancelled") and sums.get(payout) == total
        parsed.statements.append(statement(payout, transfer.currency, total, None, complete=complete))
        parsed.payouts.append(record)


def statement(
    payout: str, currency: str, total: Decimal, at: datetime | date | None, *, complete: bool = False
) -> StatementRecord:
    """A payout as the closed list of the transactions it pays."""
    return StatementRecord(
        outside_id=payout, currency=currency, total=total, deposit=total, closed_at=at, payout=payout, complete=complete
    )


def payout_record(
    payout: str, currency: str, amount: Decimal, status: str, at: datetime | date | None, trace: str = ""
) -> PayoutRecord:
    """The transfer of a payout. It has a paid date only once Shopify says that it was paid."""
    word = PAYOUT_STATUS.get(status.strip().lower().replace(" ", "_"), "expected")
    return PayoutRecord(payout, currency, amount, word, at if word in ("paid", "in_transit") else None, trace)


def _voucher(transaction: Transaction, outside_id: str, family: str, marketplace: str) -> VoucherRecord:
    assert transaction.at is not None  # only transfers may come without a time, and they make no voucher
    name = transaction.name
    lines = []
    if transaction.amount:
        lines.append(LineRecord("balance", name, "", transaction.amount, row=transaction.row))
    if transaction.fee:
        lines.append(LineRecord("balance/fee", name, "", -transaction.fee, row=transaction.row))
    if transaction.vat:
        lines.append(LineRecord("balance/fee", "VAT", "", -transaction.vat, row=transaction.row))
    if transaction.rest:
        lines.append(LineRecord("balance", "not itemised", "remainder", transaction.rest, row=transaction.row))
    return VoucherRecord(
        family=family,
        outside_id=outside_id,
        currency=transaction.currency,
        marketplace=marketplace,
        posted_at=transaction.at,
        event_at=transaction.at,
        event_source=EventSource.SERVICE,
        lines=lines,
        order=transaction.order,
        statement=transaction.payout,
        part=transaction.key,
        state=State.SETTLED if transaction.payout else State.PRELIMINARY,
        row=transaction.row,
    )
