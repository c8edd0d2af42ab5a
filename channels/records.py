"""What a document says, typed, in Nova's words. Adapters make these; ledger, inventory and creators read them.

Everything here is pure data: no database, no vendor words beyond the raw fee names that staff will see.
Signs are the seller's view: plus is money to the seller, minus is money from the seller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How sure an amount is."""

    ESTIMATED = "estimated"
    PRELIMINARY = "preliminary"
    SETTLED = "settled"


class EventKind(StrEnum):
    """What happened to the order (or that there is none); part of the key by which better sources replace worse ones."""

    SALE = "sale"
    REFUND = "refund"
    OTHER = "other"


class EventSource(StrEnum):
    """Which date of the document stands for the event date. Only shipment, delivery, refund and service are final."""

    SHIPMENT = "shipment"
    DELIVERY = "delivery"
    REFUND = "refund"
    SERVICE = "service"
    ORDER = "order"
    POSTED = "posted"

    @property
    def provisional(self) -> bool:
        """True when the date only stands in for a recognition date not known yet (MONEY.md rule 6)."""
        return self in (EventSource.ORDER, EventSource.POSTED)


class LineRecord(NamedTuple):
    """One movement of money of one kind inside a voucher.

    `path` and `name` are the channel's own words (the source path, such as "Order/ItemFees" or
    "fee_tax_breakdown.fee", and the raw fee name); `context` is "" or one of `CONTEXTS`. `listing` is the article code
    by which the channel knows it (Amazon seller SKU, TikTok sku_id, Shopify variant SKU), "" when the document names
    none. `quantity` counts units sold (plus) or returned (minus) once per item, None elsewhere. `row` is the place in
    the document: the line number of a text file or sheet (1-based, header included), or the 0-based index of the record
    in a JSON document.
    """

    path: str
    name: str
    context: str
    amount: Decimal
    listing: str = ""
    quantity: int | None = None
    row: int | None = None


#: The closed list of what a parser may know about a line and a fee rule may need.
CONTEXTS = ("", "mcf", "sample", "refund", "adjustment", "reserve", "tax_own", "tax_unknown", "remainder")


#: The `part` of a settled source that cannot tell the statement: it counts only while no source that can tells the order event.
ANY_PART = "*"


@dataclass(slots=True)
class VoucherRecord:
    """All lines that one document holds for one order event (or for no order), taken or replaced as a whole.

    `family` names the source family: file and API twins of the same thing share it, so that the later replaces the
    earlier. `outside_id` identifies the voucher inside shop and family for ever (for a settlement, for instance,
    "<settlement>/<order>/<event>/<posted time>"). A `datetime` must be aware; a `date` is taken as a day of the
    company's books without conversion. `statement` is the outside id of the statement the lines are part of, "" if
    none. `order` is the channel's order id, "" if none. `part` tells several settled vouchers of one order event
    apart, so that only sources saying the same thing replace each other: shipment or refund id where the document has
    it, else the statement id for settled money; ANY_PART where the document cannot tell. In families that `Adapter.twins` names it is what file and API both tell.
    """

    family: str
    outside_id: str
    currency: str
    marketplace: str
    posted_at: datetime | date
    event_at: datetime | date
    event_source: EventSource
    lines: list[LineRecord]
    order: str = ""
    event: EventKind = EventKind.OTHER
    statement: str = ""
    part: str = ""
    authority: int | None = None  # stronger than the default of the document kind, e.g. DEFERRED_RELEASED over DEFERRED
    state: State | None = None  # where it differs from the document kind's, e.g. a transaction that no payout holds yet
    row: int | None = None


@dataclass(slots=True)
class StatementRecord:
    """The channel's closed list of lines. `total` is what it says its lines add up to, `deposit` what it says was paid out.

    `complete` says whether this document alone holds every line of the statement (a settlement file does; a page of an
    API does not). `line_count` is the number of vouchers the channel announces, when it does.
    """

    outside_id: str
    currency: str
    total: Decimal | None = None
    deposit: Decimal | None = None
    reserve: Decimal | None = None
    period_start: datetime | date | None = None
    period_end: datetime | date | None = None
    closed_at: datetime | date | None = None
    payout: str = ""
    complete: bool = False
    line_count: int | None = None
    parts: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class PayoutRecord:
    """A transfer of the channel to the bank (plus) or a charge to the seller (minus), in its own currency."""

    outside_id: str
    currency: str
    amount: Decimal
    status: str  # expected | in_transit | paid | failed | cancelled
    paid_at: datetime | date | None = None
    trace: str = ""


@dataclass(slots=True)
class ListingRecord:
    """An article as the shop knows it: `code` is what LineRecord.listing says."""

    code: str
    title: str = ""
    seller_sku: str = ""
    outside_id: str = ""


@dataclass(slots=True)
class PersonalRecord:
    """Buyer data taken out of a document before it is kept: `token` stands in its place there."""

    order: str
    token: str
    values: dict[str, str]


@dataclass(slots=True)
class ParsedDocument:
    """Everything one document says. `notes` are sentences for staff (rows skipped and why)."""

    vouchers: list[VoucherRecord] = field(default_factory=list)
    statements: list[StatementRecord] = field(default_factory=list)
    payouts: list[PayoutRecord] = field(default_factory=list)
    listings: list[ListingRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: int = 0
