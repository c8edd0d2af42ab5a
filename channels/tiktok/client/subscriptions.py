"""Which webhooks TikTok sends for a shop, and where to."""

from __future__ import annotations

from dataclasses import dataclass

from channels.tiktok.client.calls import Client
from nova.http import Permanent

_LONGEST_ADDRESS = 255


@dataclass(frozen=True)
class Subscription:
    """A kind of webhook (`event_type`, TikTok's word) and the address that it is sent to."""

    event_type: str
    address: str


def subscriptions(client: Client) -> tuple[Subscription, ...]:
    """What the shop's webhooks are set to now, without those set for the whole app in Partner Center."""
    told = client.ask("webhooks", repeatable=True)
    return tuple(Subscription(str(row.get("event_type") or ""), str(row.get("address") or "")) for row in told.rows("webhooks"))


def subscribe(client: Client, subscription: Subscription) -> None:
    """Have one kind of webhook sent to an address, in place of the address it had.

    Raises:
        Permanent: the address is not https or too long.
    """
    address = subscription.address
    if not address.startswith("https://") or len(address) > _LONGEST_ADDRESS:
        raise Permanent(f"TikTok sends webhooks to an https address of at most {_LONGEST_ADDRESS} characters.")
    client.ask("set_webhook", body={"address": address, "event_type": subscription.event_type}, repeatable=True)


def unsubscribe(client: Client, event_type: str) -> None:
    """Have one kind of webhook sent no more for this shop."""
    client.ask("delete_webhook", body={"event_type": event_type}, repeatable=True)
