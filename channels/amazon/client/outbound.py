"""Shipping orders of other channels out of Amazon's warehouses: what Nova wants of it, whatever the version of the API.

`Outbound` is the interface; `outbound_2020.py` speaks 2020-07-01. Addresses are buyer data: they are in no repr and no message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

#: Amazon's limits of one order.
MOST_LINES = 100
MOST_UNITS = 250
MOST_ID = 40

SPEEDS = ("Standard", "Expedited", "Priority", "ScheduledDelivery")
#: An order in one of these does not change any more.
ENDED = frozenset({"Complete", "CompletePartialled", "Cancelled", "Unfulfillable", "Invalid"})


@dataclass(frozen=True)
class OutboundAddress:
    """Where to. `country` is ISO 3166 of two letters."""

    name: str = field(repr=False)
    line1: str = field(repr=False)
    postal_code: str = field(repr=False)
    country: str
    line2: str = field(default="", repr=False)
    line3: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True)
class OutboundItem:
    """Units of one SKU. `item_id` is Nova's own, unique in the order."""

    sku: str
    item_id: str
    quantity: int


@dataclass(frozen=True)
class OutboundOrder:
    """An order to ship. `order_id` is Nova's own and can be used once per seller: that is what makes creating it safe.

    `displayed_id`, `displayed_at` and `comment` are on the packing slip. `features` are Amazon's names of what the parcel must
    have, such as BLANK_BOX (no Amazon brand on it) or BLOCK_AMZL (not by Amazon's own carrier).
    """

    order_id: str
    displayed_id: str
    displayed_at: datetime
    comment: str
    address: OutboundAddress
    items: tuple[OutboundItem, ...]
    marketplace_id: str
    speed: str = "Standard"
    policy: str = "FillOrKill"
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class OutboundFee:
    """A fee that Amazon expects to charge; positive, in `currency`."""

    name: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Unfulfillable:
    """An item that Amazon cannot ship, and why, in its words."""

    sku: str
    item_id: str
    quantity: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Quote:
    """What one speed would cost and bring. Arrivals are moments as Amazon wrote them, "" when it does not say."""

    speed: str
    possible: bool
    fees: tuple[OutboundFee, ...]
    earliest_arrival: str
    latest_arrival: str
    unfulfillable: tuple[Unfulfillable, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Created:
    """The order is at Amazon. `existed`: it was there before, from an earlier attempt."""

    order_id: str
    existed: bool
    request_id: str


@dataclass(frozen=True)
class Parcel:
    """A package on its way. `package_number` asks for its tracking; the tracking number may be "" at first."""

    package_number: int
    carrier_code: str
    tracking_number: str
    amazon_tracking_number: str


@dataclass(frozen=True)
class Consignment:
    """A part of an order that leaves one warehouse at once: PENDING, SHIPPED, CANCELLED_BY_FULFILLER or CANCELLED_BY_SELLER."""

    shipment_id: str
    status: str
    shipped_at: str
    parcels: tuple[Parcel, ...]
    items: tuple[OutboundItem, ...]


@dataclass(frozen=True)
class OrderedItem:
    """An item of an order at Amazon, with what of it will not be shipped."""

    sku: str
    item_id: str
    quantity: int
    cancelled: int
    unfulfillable: int


@dataclass(frozen=True)
class OutboundState:
    """An order as Amazon sees it. Statuses: New, Received, Planning, Processing, and those in `ENDED`."""

    order_id: str
    status: str
    items: tuple[OrderedItem, ...]
    consignments: tuple[Consignment, ...]

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class CancelAttempt:
    """What became of cancelling. Amazon only stops trying: `state` is the order as read afterwards and is what counts."""

    taken: bool
    reason: str
    state: OutboundState


@dataclass(frozen=True)
class TrackingEvent:
    """Something that happened to a package, at a place given as city, state and country."""

    happened_at: str
    code: str
    description: str
    place: str


@dataclass(frozen=True)
class Tracking:
    """Where a package is: IN_TRANSIT, OUT_FOR_DELIVERY, DELIVERED, UNDELIVERABLE, ... or UNKNOWN."""

    package_number: int
    carrier_code: str
    tracking_number: str
    status: str
    events: tuple[TrackingEvent, ...]


class Outbound(Protocol):
    """Amazon's warehouses as a fulfilment service. Errors: exactly those of `nova.http`."""

    def preview(self, order: OutboundOrder, speeds: tuple[str, ...] = ()) -> tuple[Quote, ...]:
        """What each speed would cost; changes nothing."""

    def create(self, order: OutboundOrder) -> Created:
        """Place the order. May be called again with the same order after any error: it is never shipped twice."""

    def read(self, order_id: str) -> OutboundState:
        """The order as it is now. Raises Permanent with status 404: Amazon does not know it (yet)."""

    def cancel(self, order_id: str) -> CancelAttempt:
        """Ask Amazon to stop, and read what became of it."""

    def track(self, package_number: int) -> Tracking:
        """Where a package is."""


def check(order: OutboundOrder) -> None:
    """Raises ValueError: an order that Amazon would refuse."""
    units = sum(item.quantity for item in order.items)
    if not 1 <= len(order.order_id) <= MOST_ID or not 1 <= len(order.displayed_id) <= MOST_ID:
        raise ValueError(f"The ids of an order have 1 to {MOST_ID} characters.")
    if not 1 <= len(order.items) <= MOST_LINES or units > MOST_UNITS:
        raise ValueError(f"An order has 1 to {MOST_LINES} lines and {MOST_UNITS} units at most.")
    if any(item.quantity < 1 for item in order.items):
        raise ValueError("Every line of an order has one unit at least.")
    if len({item.item_id for item in order.items}) != len(order.items):
        raise ValueError("The lines of an order have ids of their own.")
    if len(order.comment) > 750 or not order.comment:
        raise ValueError("The comment on the packing slip has 1 to 750 characters.")
    if order.speed not in SPEEDS:
        raise ValueError(f"Amazon ships {', '.join(SPEEDS)}; not {order.speed!r}.")
