"""Two companies that know nothing of each other: Fjord Outdoor has one row of everything, Harbour Goods has nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from channels.adapter import headers_digest
from channels.models import ColumnMatch, Document, PersonalData, Shop, Upload
from inventory.models import Listing, ListingComponent, Sku
from ledger.intake import import_file
from ledger.models import FeeCategory, FeeRule, LedgerIntake, Payout, SavedView, ScopeRule, Withdrawal
from nova.models import Company, Membership, User

HEAD = [
    "settlement-id",
    "settlement-start-date",
    "settlement-end-date",
    "deposit-date",
    "total-amount",
    "currency",
    "transaction-type",
    "order-id",
    "merchant-order-id",
    "adjustment-id",
    "shipment-id",
    "marketplace-name",
    "amount-type",
    "amount-description",
    "amount",
    "fulfillment-id",
    "posted-date",
    "posted-date-time",
    "order-item-code",
    "merchant-order-item-id",
    "merchant-adjustment-item-id",
    "sku",
    "quantity-purchased",
    "promotion-id",
]


def settlement(
    number: str = "9001",
    *,
    order: str = "FJORD-114-1",
    total: str = "85.00",
    sku: str = "FJORD-LANTERN",
    day: str = "2026-06-17",
    headers: list[str] | None = None,
) -> bytes:
    """A settlement of one order in US dollars: 100.00 sold, 15.00 commission; `total` other than 85.00 does not add up."""
    rows: list[dict[str, str]] = [
        {
            "settlement-start-date": "2026-06-16 00:00:00 UTC",
            "settlement-end-date": "2026-06-30 00:00:00 UTC",
            "deposit-date": "2026-07-02 00:00:00 UTC",
            "total-amount": total,
            "currency": "USD",
        }
    ]
    rows += [
        {
            "transaction-type": "Order",
            "order-id": order,
            "marketplace-name": "Amazon.com",
            "amount-type": group,
            "amount-description": name,
            "amount": amount,
            "posted-date": day,
            "posted-date-time": f"{day} 08:14:22 UTC",
            "sku": sku,
            "quantity-purchased": "1",
        }
        for group, name, amount in (("ItemPrice", "Principal", "100.00"), ("ItemFees", "Commission", "-15.00"))
    ]
    lines = ["\t".join(headers or HEAD)]
    lines += ["\t".join({"settlement-id": number, **row}.get(name, "") for name in HEAD) for row in rows]
    return "\n".join(lines).encode() + b"\n"


def person(name: str, *companies: Company, role: str = "", superuser: bool = False) -> User:
    """Somebody of the staff; the password is the name."""
    user = User.objects.create_user(name, password=name, is_staff=True, is_superuser=superuser)
    if role:
        user.groups.add(Group.objects.get(name=role))
    for company in companies:
        Membership.objects.create(company=company, user=user)
    return user


def company(code: str, name: str, *, currency: str = "USD", shop: str = "") -> tuple[Company, Shop]:
    """A company with one Amazon shop."""
    row = Company.objects.create(code=code, name=name, currency=currency)
    return row, Shop.objects.create(
        company=row, code=f"{code}-us", name=shop or f"{name} US", channel="amazon", region="NA", currencies=["USD"]
    )


@dataclass
class Fjord:
    """The company that has one row of everything."""

    company: Company
    shop: Shop
    upload: Upload
    document: Document
    rows: dict[str, Any]


def make_fjord() -> Fjord:
    """Fjord Outdoor with a row of every company model that an admin or a page shows."""
    fjord, shop = company("fjord", "Fjord Outdoor")
    frida = person("frida-fjord", fjord, role="Finance clerk")
    upload = Upload.objects.create(company=fjord, shop=shop, uploaded_by=frida)
    intake = import_file(shop=shop, body=settlement(), filename="fjord-june.txt", user=frida, upload=upload)
    assert intake.state == LedgerIntake.State.TAKEN, intake.error
    document = intake.document
    failed = import_file(shop=shop, body=b"\x00fjord", filename="fjord-photo.png", upload=upload)
    sku = Sku.objects.create(company=fjord, code="FJORD-SKU", name="Fjord lantern", brand="Fjord", tags=["fjord"])
    listing = Listing.objects.get_or_create(company=fjord, shop=shop, code="FJORD-LANTERN")[0]
    rows: dict[str, Any] = {
        "failed": failed,
        "sku": sku,
        "listing": listing,
        "component": ListingComponent.objects.create(company=fjord, listing=listing, sku=sku),
        "withdrawal": Withdrawal.objects.create(company=fjord, document=failed.document, reason="Fjord test", withdrawn_by=frida),
        "view": SavedView.objects.create(company=fjord, owner=frida, name="Fjord by brand", query="rows=brand", shared=True),
        "columns": ColumnMatch.objects.create(
            company=fjord, channel="amazon", kind="settlement_v2", headers=["Fjordkolonne"], columns={},
            headers_digest=headers_digest(["Fjordkolonne"]), matched_by=frida,
        ),
        "personal": PersonalData.objects.create(
            company=fjord, shop=shop, order_ref="FJORD-114-1", token="fjord-token", key=b"k", secret=b"s"
        ),
        "rule": FeeRule.objects.create(
            company=fjord, channel="amazon", path="Order/ItemFees", name="Fjord commission", context="*", author=frida,
            category=FeeCategory.objects.get(code="plt.referral"), status="proposed", proposed_at=timezone.now(), reason="Fjord",
        ),
        "scope": ScopeRule.objects.create(
            company=fjord, channel="amazon", scope="memo", author=frida, category=FeeCategory.objects.get(code="plt.referral"),
            status="proposed", proposed_at=timezone.now(), reason="Fjord",
        ),
    }  # fmt: skip
    if not Payout.objects.filter(company=fjord).exists():
        Payout.objects.create(
            company=fjord, shop=shop, outside_id="FJORD-P1", currency="USD", amount=85, status="paid", paid_on=date(2026, 7, 2), document=document,
        )  # fmt: skip
    return Fjord(fjord, shop, upload, document, rows)
