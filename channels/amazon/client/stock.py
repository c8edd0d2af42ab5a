"""What is at Amazon and what is on sale: FBA inventory, listings (read, and the quantity of a seller's own stock), sales ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from channels.amazon.client.caller import Caller, Reply, moment, text, whole
from channels.amazon.client.walk import Stretch, walk
from channels.fetched import FetchedPage
from nova.http import Permanent, Surprise

#: The seller's own stock; every other channel code (AMAZON_NA, AMAZON_EU, ...) is a warehouse of Amazon.
OWN_STOCK = "DEFAULT"
#: Taken for changes of an offer alone, whatever the listing's real type.
ANY_PRODUCT_TYPE = "PRODUCT"
_ASINS_A_CALL = 20


def marketplace_pages(caller: Caller) -> Iterator[FetchedPage]:
    """The marketplaces that this login sells on, with their currencies; one page."""
    reply = caller.ask("getMarketplaceParticipations", "GET", "/sellers/v1/marketplaceParticipations", repeatable=True)
    yield FetchedPage("marketplaces", caller.login.seller_id or "seller", reply.body, "", len(reply.rows("payload")))


@dataclass(frozen=True)
class Participation:
    """A marketplace that a seller is on."""

    marketplace_id: str
    country: str
    currency: str
    domain: str
    store_name: str
    sells: bool
    suspended: bool


def read_participations(caller: Caller) -> tuple[Participation, ...]:
    """The marketplaces of a login: also the test of whether it works at all."""
    reply = caller.ask("getMarketplaceParticipations", "GET", "/sellers/v1/marketplaceParticipations", repeatable=True)
    return tuple(_participation(row) for row in reply.rows("payload"))


def _participation(row: dict[str, Any]) -> Participation:
    market, part = row.get("marketplace"), row.get("participation")
    if not isinstance(market, dict) or not market.get("id") or not isinstance(part, dict):
        raise Surprise("Amazon told of a marketplace without an id or a participation.")
    return Participation(
        text(market["id"]),
        text(market.get("countryCode")),
        text(market.get("defaultCurrencyCode")),
        text(market.get("domainName")),
        text(row.get("storeName")),
        bool(part.get("isParticipating")),
        bool(part.get("hasSuspendedListings")),
    )


def inventory_pages(caller: Caller, *, resume: str = "") -> Iterator[FetchedPage]:
    """FBA inventory of every marketplace of the login, as of now. Units for sale are `fulfillableQuantity` alone.

    Stock that Amazon pools (Europe, North America) shows in every marketplace: take each fnSku once, never add up. A page token
    lives for 30 seconds: who is slower gets a marketplace's pages again from the first.
    """
    stretches = [Stretch(market, partial(_summaries, caller, market)) for market in caller.marketplaces()]
    return walk(
        "fba_inventory",
        stretches,
        resume=resume,
        count=lambda reply: len(reply.rows("payload", "inventorySummaries")),
        next_token=lambda reply: reply.token("pagination", "nextToken"),
    )


def _summaries(caller: Caller, market: str, token: str) -> Reply:
    params = {"details": "true", "granularityType": "Marketplace", "granularityId": market, "marketplaceIds": market}
    params |= {"nextToken": token} if token else {}
    return caller.ask("getInventorySummaries", "GET", "/fba/inventory/v1/summaries", params=params, repeatable=True)


def rank_pages(caller: Caller, asins: Sequence[str], marketplace_id: str) -> Iterator[FetchedPage]:
    """Sales ranks of articles as of now, 20 a call. An ASIN that the catalogue does not know is left out by Amazon."""
    seen_at = moment(caller.clock())
    wanted = list(dict.fromkeys(asins))
    for start in range(0, len(wanted), _ASINS_A_CALL):
        part = wanted[start : start + _ASINS_A_CALL]
        params = {
            "identifiers": ",".join(part),
            "identifiersType": "ASIN",
            "marketplaceIds": marketplace_id,
            "includedData": "salesRanks,summaries",
            "pageSize": str(_ASINS_A_CALL),
        }
        reply = caller.ask("searchCatalogItems", "GET", "/catalog/2022-04-01/items", params=params, repeatable=True)
        number = start // _ASINS_A_CALL + 1
        yield FetchedPage("sales_ranks", f"{marketplace_id}/{seen_at}/{number}", reply.body, "", len(reply.rows("items")))


@dataclass(frozen=True)
class ListingAvailability:
    """How many units of a listing are offered from where. `quantity` is None where Amazon does not tell it."""

    channel: str
    quantity: int | None


@dataclass(frozen=True)
class ListingIssue:
    """What Amazon has against a listing or a change of it."""

    code: str
    message: str
    severity: str
    attributes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity == "ERROR"


@dataclass(frozen=True)
class ListingState:
    """A listing as Amazon shows it in one marketplace."""

    sku: str
    asin: str
    product_type: str
    status: tuple[str, ...]
    availability: tuple[ListingAvailability, ...]
    issues: tuple[ListingIssue, ...]

    @property
    def at_amazon(self) -> bool:
        """Whether Amazon ships it from its own warehouses: a quantity written then would make the offer the seller's own."""
        return any(place.channel != OWN_STOCK for place in self.availability)


def _item_path(caller: Caller, sku: str) -> str:
    if not caller.login.seller_id:
        raise Permanent("Listings need the seller's id; connect the shop again.")
    return f"/listings/2021-08-01/items/{quote(caller.login.seller_id, safe='')}/{quote(sku, safe='')}"


def read_listing(caller: Caller, sku: str, marketplace_id: str) -> ListingState:
    """One listing. Raises Permanent with status 404: there is no such SKU in this marketplace."""
    params = {"marketplaceIds": marketplace_id, "includedData": "summaries,productTypes,fulfillmentAvailability,issues"}
    reply = caller.ask("getListingsItem", "GET", _item_path(caller, sku), params=params, repeatable=True)
    summary = _here(reply.rows("summaries", needed=False), marketplace_id)
    kind = _here(reply.rows("productTypes", needed=False), marketplace_id)
    return ListingState(
        text(reply.data.get("sku")) or sku,
        text(summary.get("asin")),
        text(kind.get("productType")) or text(summary.get("productType")),
        tuple(text(word) for word in summary.get("status") or ()),
        tuple(
            ListingAvailability(
                text(row.get("fulfillmentChannelCode")),
                None if row.get("quantity") is None else whole(row["quantity"], "fulfillmentAvailability.quantity"),
            )
            for row in reply.rows("fulfillmentAvailability", needed=False)
        ),
        _issues(reply),
    )


def _here(rows: list[dict[str, Any]], marketplace_id: str) -> dict[str, Any]:
    return next((row for row in rows if row.get("marketplaceId") == marketplace_id), {})


def _issues(reply: Reply) -> tuple[ListingIssue, ...]:
    return tuple(
        ListingIssue(
            text(row.get("code")),
            text(row.get("message"))[:500],
            text(row.get("severity")),
            tuple(text(name) for name in row.get("attributeNames") or ()),
        )
        for row in reply.rows("issues", needed=False)
    )


@dataclass(frozen=True)
class Submission:
    """What Amazon says to a change of a listing. ACCEPTED is only a promise: read the listing later to see it."""

    sku: str
    status: str
    submission_id: str
    issues: tuple[ListingIssue, ...]
    request_id: str

    @property
    def accepted(self) -> bool:
        """HTTP 200 with INVALID is a refusal, and so is an error beside any other status."""
        return self.status in ("ACCEPTED", "VALID") and not any(issue.is_error for issue in self.issues)


def set_quantity(
    caller: Caller,
    sku: str,
    quantity: int,
    marketplace_id: str,
    *,
    listing: ListingState | None = None,
    preview: bool = False,
) -> Submission:
    """Offer so many units of the seller's own stock. Only the quantity is merged: lead time and restock date stay.

    `listing` saves reading it first; `preview` has Amazon check the change without making it. A refusal is a `Submission`
    that is not `accepted`.

    Raises:
        ValueError: a quantity below zero.
        Permanent: Amazon ships this listing itself: a quantity would turn it into the seller's own. Others: see `Caller.ask`.
    """
    if quantity < 0:
        raise ValueError("A quantity cannot be below zero.")
    listing = listing or read_listing(caller, sku, marketplace_id)
    if listing.at_amazon:
        raise Permanent(f"{sku} is shipped by Amazon; its quantity cannot be set.")
    value = [{"fulfillment_channel_code": OWN_STOCK, "quantity": quantity}]
    reply = caller.ask(
        "patchListingsItem",
        "PATCH",
        _item_path(caller, sku),
        params={"marketplaceIds": marketplace_id} | ({"mode": "VALIDATION_PREVIEW"} if preview else {}),
        body={
            "productType": listing.product_type or ANY_PRODUCT_TYPE,
            "patches": [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}],
        },
        repeatable=False,
    )
    status = text(reply.data.get("status"))
    if status not in ("ACCEPTED", "VALID", "INVALID"):
        raise Surprise(f"Amazon calls a change of a listing {status[:30]!r}.", request_id=reply.request_id)
    return Submission(sku, status, text(reply.data.get("submissionId")), _issues(reply), reply.request_id)
