"""Buyer data: kept apart from documents, encrypted with a key per order, erasable by destroying that key."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils import timezone

from channels.models import PersonalData, Shop
from channels.records import PersonalRecord


def _master() -> Fernet:
    """The installation's key, from which nothing can be read without a row's own key."""
    raw = settings.NOVA_ENCRYPTION_KEY
    return Fernet(raw if isinstance(raw, bytes) else raw.encode())


def store_personal_data(*, shop: Shop, records: Sequence[PersonalRecord]) -> int:
    """Encrypt and keep buyer data of orders; what is known already under its token stays as it is. Returns rows added."""
    master = _master()
    rows = []
    for record in records:
        key = Fernet.generate_key()
        secret = Fernet(key).encrypt(json.dumps(record.values, ensure_ascii=False).encode())
        rows.append(
            PersonalData(
                company_id=shop.company_id,
                shop=shop,
                order_ref=record.order[:100],
                token=record.token[:64],
                key=master.encrypt(base64.urlsafe_b64decode(key)),
                secret=secret,
            )
        )
    before = PersonalData.objects.filter(company=shop.company_id, shop=shop).count()
    PersonalData.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return PersonalData.objects.filter(company=shop.company_id, shop=shop).count() - before


def read_personal_data(*, row: PersonalData) -> dict[str, str]:
    """The buyer data of one order.

    Raises:
        LookupError: it was erased, or the installation's key is another one.
    """
    if row.key is None:
        raise LookupError("The buyer data of this order was erased.")
    try:
        key = base64.urlsafe_b64encode(_master().decrypt(bytes(row.key)))
        values: dict[str, str] = json.loads(Fernet(key).decrypt(bytes(row.secret)))
    except InvalidToken:
        raise LookupError("The buyer data cannot be read with this installation's key (NOVA_ENCRYPTION_KEY).") from None
    return values


def erase_personal_data(*, company_id: int, shop_id: int, order_ref: str) -> int:
    """Destroy the keys of one order's buyer data for ever. Returns how many rows were erased."""
    return PersonalData.objects.filter(company=company_id, shop=shop_id, order_ref=order_ref, key__isnull=False).update(
        key=None, erased_at=timezone.now()
    )
