"""Articles and stock: variants, inventory items, levels per location; quantities written only where nobody else wrote meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from channels.fetched import FetchedPage
from channels.shopify.auth import Login, Sleep
from channels.shopify.client.graphql import Failure, ask, failures
from channels.shopify.client.walk import at, changed, walk, window
from nova.http import Permanent, Surprise, Temporary

PER_PAGE = 250
#: Rows of one write.
MOST_ROWS = 250
#: kind -> (operation, path of its connection, page size)
_PLAIN: dict[str, tuple[str, str, int]] = {
    "locations": ("Locations", "locations", PER_PAGE),
    "variants": ("Variants", "productVariants", PER_PAGE),
    "inventory_items": ("InventoryItems", "inventoryItems", PER_PAGE),
}


def plain_pages(
    login: Login,
    kind: str,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """Locations (always all), variants or inventory items that changed in the span; all of them without `start` and `end`."""
    operation, field, size = _PLAIN[kind]
    search = None if kind == "locations" else changed(start, end)
    variables = {} if kind == "locations" else {"query": search}
    for reply, connection, following in walk(
        login, operation, (field,), variables, first=size, session=session, after=resume, sleep=sleep
    ):
        rows = len(connection.get("nodes") or [])
        if rows:
            yield FetchedPage(kind, f"{kind} {window(start, end)} {resume}".strip(), reply.body, following, rows)
        resume = following


def level_pages(
    login: Login,
    *,
    start: datetime | None,
    end: datetime | None,
    session: requests.Session,
    resume: str = "",
    sleep: Sleep = time.sleep,
) -> Iterator[FetchedPage]:
    """Stock per item and location, location by location; levels that changed in the span, or all of them.

    A resume word is the location's number with the cursor in it: "655441491" begins that location, "655441491 abc" goes on in it.
    """
    known = [
        str(node["id"])
        for _reply, connection, _next in walk(
            login, "Locations", ("locations",), {}, first=PER_PAGE, session=session, sleep=sleep
        )
        for node in connection.get("nodes") or []
    ]
    numbers = [location.rsplit("/", 1)[-1] for location in known]
    begun, _, after = resume.partition(" ")
    if begun and begun not in numbers:
        raise Permanent("The location in which reading stock stopped is gone; read it from the beginning.")
    for place in range(numbers.index(begun) if begun else 0, len(known)):
        number = numbers[place]
        beyond = numbers[place + 1] if place + 1 < len(numbers) else ""
        variables = {"location": known[place], "query": changed(start, end)}
        path = ("location", "inventoryLevels")
        for reply, connection, following in walk(
            login, "LocationLevels", path, variables, first=PER_PAGE, session=session, after=after, sleep=sleep
        ):
            rows = len(connection.get("nodes") or [])
            if rows:
                name = f"inventory_levels {number} {window(start, end)} {after}".strip()
                going_on = f"{number} {following}" if following else beyond
                yield FetchedPage("inventory_levels", name, reply.body, going_on, rows)
            after = following
        after = ""


@dataclass(frozen=True)
class Level:
    """Stock of an item at a location; ids are Shopify's numbers. `quantities` holds units by Shopify's words (available, on_hand, ...)."""

    item: str
    location: str
    quantities: dict[str, int]
    active: bool


def level_of(login: Login, item: str, location: str, *, session: requests.Session, sleep: Sleep = time.sleep) -> Level | None:
    """What is there right now; None where the item is not kept at that location. Read before a quantity is set."""
    variables = {"item": _gid("InventoryItem", item), "location": _gid("Location", location)}
    reply = ask(login, "LevelOf", variables, session=session, sleep=sleep)
    level = at(reply.data, ("inventoryItem", "inventoryLevel"))
    if level is None:
        return None
    quantities = {str(part["name"]): int(part["quantity"]) for part in level.get("quantities") or ()}
    return Level(item, location, quantities, level.get("isActive") is not False)


@dataclass(frozen=True)
class Quantity:
    """Units to be set. `expected` is what was read before; None sets without looking, whatever is there."""

    item: str
    location: str
    units: int
    expected: int | None


@dataclass(frozen=True)
class StockResult:
    """What a write did: all rows or, with any failure, none. `changed` says by how much each row moved (rows that moved)."""

    changed: dict[tuple[str, str], int]
    failures: tuple[Failure, ...]
    group: str = ""

    @property
    def is_done(self) -> bool:
        return not self.failures

    @property
    def is_stale(self) -> bool:
        """Somebody sold or wrote meanwhile: read again, reckon again, and send under a new key."""
        return any(failure.code == "CHANGE_FROM_QUANTITY_STALE" for failure in self.failures)

    @property
    def needs_new_key(self) -> bool:
        """An earlier attempt under this key failed for good: the same rows may go out under a new one."""
        return any(failure.code == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" for failure in self.failures)


def set_quantities(
    login: Login,
    rows: Sequence[Quantity],
    *,
    key: str,
    reference: str,
    session: requests.Session,
    name: str = "available",
    reason: str = "correction",
    sleep: Sleep = time.sleep,
) -> StockResult:
    """Set stock to what `rows` say. The same `key` with the same rows does it once, however often it is sent.

    `key` belongs to the push and is kept before it is sent; `reference` (gid://nova/InventoryPush/<id>) shows in the store's history.

    Raises:
        ValueError: no key, no rows or too many, a row twice. Temporary: another call runs under this key; and what `ask` raises.
        Permanent: the key was used for other rows.
    """
    if not key.strip():
        raise ValueError("a write of stock needs a key")
    if not rows or len(rows) > MOST_ROWS:
        raise ValueError(f"a write of stock holds 1 to {MOST_ROWS} rows, not {len(rows)}")
    if len({(row.item, row.location) for row in rows}) != len(rows):
        raise ValueError("an item stands twice for the same location")
    quantities: list[dict[str, Any]] = [
        {
            "inventoryItemId": _gid("InventoryItem", row.item),
            "locationId": _gid("Location", row.location),
            "quantity": row.units,
            "changeFromQuantity": row.expected,  # must be there, also as null
        }
        for row in rows
    ]
    change = {"name": name, "reason": reason, "referenceDocumentUri": reference, "quantities": quantities}
    reply = ask(login, "SetQuantities", {"input": change, "key": key}, session=session, repeatable=True, sleep=sleep)
    payload = reply.data.get("inventorySetQuantities")
    if not isinstance(payload, dict):
        raise Surprise("Shopify answered a write of stock without saying what came of it.")
    failed = failures(payload, list_name="quantities")
    codes = {failure.code for failure in failed}
    if "IDEMPOTENCY_CONCURRENT_REQUEST" in codes:
        raise Temporary("Another write of stock is running under this key.", retry_after=5.0)
    if "IDEMPOTENCY_KEY_PARAMETER_MISMATCH" in codes:
        raise Permanent("This key was used for another write of stock.")
    group = payload.get("inventoryAdjustmentGroup") or {}  # null and no errors: everything was so already
    moved = {
        (_plain(at(change, ("item", "id"))), _plain(at(change, ("location", "id")))): int(change["delta"])
        for change in group.get("changes") or ()
        if change.get("name") == name
    }
    return StockResult(moved, failed, str(group.get("id") or ""))


def _gid(kind: str, number: str) -> str:
    if not number.isdigit():
        raise ValueError(f"{number!r} is no number of Shopify's")
    return f"gid://shopify/{kind}/{number}"


def _plain(gid: Any) -> str:
    return str(gid or "").rsplit("/", 1)[-1].split("?", 1)[0]
