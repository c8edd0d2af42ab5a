"""The companies and staff of the demo."""

from __future__ import annotations

from dataclasses import dataclass

from nova.roles import APPROVER, CREATOR_MANAGER, FINANCE_CLERK, OPERATIONS, VIEWER


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in. `role` is a Django group; "" is the superuser."""

    username: str
    first_name: str
    last_name: str
    role: str
    does: str


STAFF = (
    Person("clara", "Clara", "Quay", FINANCE_CLERK, "imports statements, proposes what fees are"),
    Person("anton", "Anton", "Pier", APPROVER, "approves what others propose"),
    Person("olivia", "Olivia", "Dock", OPERATIONS, "keeps SKUs and listings"),
    Person("mika", "Mika", "Reel", CREATOR_MANAGER, "looks after creators"),
    Person("vera", "Vera", "Look", VIEWER, "reads"),
    Person("admin", "Ada", "Min", "", "manages people and companies"),
)


@dataclass(frozen=True)
class Entity:
    """A company of the demo's agency."""

    code: str
    name: str
    currency: str
    time_zone: str


HARBOUR = Entity("harbour", "Harbour Goods", "USD", "America/New_York")
LUMEN = Entity("lumen", "Lumen Skin", "EUR", "Europe/Berlin")


@dataclass(frozen=True)
class Store:
    """A shop of a demo company."""

    company: Entity
    code: str
    name: str
    channel: str
    region: str


HARBOUR_AMAZON = Store(HARBOUR, "amazon-na", "Harbour on Amazon", "amazon", "NA")
HARBOUR_TIKTOK = Store(HARBOUR, "tiktok-us", "Harbour on TikTok Shop", "tiktok", "US")
HARBOUR_SHOPIFY = Store(HARBOUR, "shopify", "harbourgoods.example", "shopify", "US")
LUMEN_AMAZON = Store(LUMEN, "amazon-eu", "Lumen on Amazon", "amazon", "EU")
LUMEN_SHOPIFY = Store(LUMEN, "shopify", "lumenskin.example", "shopify", "EU")
STORES = (HARBOUR_AMAZON, HARBOUR_TIKTOK, HARBOUR_SHOPIFY, LUMEN_AMAZON, LUMEN_SHOPIFY)
