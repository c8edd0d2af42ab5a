"""A channel made of records: lets tests say what a document says without writing one in a channel's format."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from unittest import mock

from channels import registry
from channels.adapter import Adapter, DocumentKind, Recognised, Role, Source
from channels.models import Document, Shop
from channels.records import EventKind, EventSource, LineRecord, ParsedDocument, State, StatementRecord, VoucherRecord
from ledger.intake import take_parsed
from ledger.take import Counts
from nova.models import Company

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KINDS = {
    "books": DocumentKind("books", "Statement lines", Role.BOOKS, State.SETTLED, 40),
    "detail": DocumentKind("detail", "Lines by order", Role.DETAIL, State.SETTLED, 30),
    "export": DocumentKind("export", "Income export", Role.BOOKS, State.SETTLED, 20),
    "unsettled": DocumentKind("unsettled", "Unsettled orders", Role.PROVISIONAL, State.PRELIMINARY, 10),
}


class FakeChannel(Adapter):
    code = "fake"
    label = "Fake market"
    regions = {"": "Everywhere"}
    kinds = KINDS

    def recognise(self, body: bytes, filename: str) -> Recognised | None:
        return Recognised("books") if body.startswith(b"fake") else None

    def parse(self, source: Source) -> ParsedDocument:
        return ParsedDocument()


@contextmanager
def fake_channel() -> Iterator[None]:
    """The registry knows the fake market inside this block."""
    channels = {**registry.adapters(), "fake": FakeChannel()}
    with mock.patch.object(registry, "adapters", lambda: channels):
        yield


_numbers = itertools.count(1)


def make_company(*, currency: str = "USD", time_zone: str = "UTC") -> tuple[Company, Shop]:
    """A company with one shop on the fake market."""
    number = next(_numbers)
    company = Company.objects.create(
        code=f"harbour-{number}", name=f"Harbour Goods {number}", currency=currency, time_zone=time_zone
    )
    return company, Shop.objects.create(company=company, code=f"shop-{number}", name="Harbour on Fake", channel="fake")


def make_document(shop: Shop, name: str) -> Document:
    """A stored document with nothing in it worth reading."""
    return Document.objects.create(
        company_id=shop.company_id,
        shop=shop,
        kind="books",
        outside_id=f"{name}-{next(_numbers)}",
        digest=name.encode(),
        size=1,
        body=b"x",
    )


def voucher(
    family: str,
    outside_id: str,
    lines: Sequence[tuple[str, str] | tuple[str, str, str]],
    *,
    order: str = "",
    event: EventKind = EventKind.SALE,
    statement: str = "",
    part: str | None = None,
    authority: int | None = None,
    posted_at: datetime = NOON,
    event_at: datetime = NOON,
    currency: str = "USD",
) -> VoucherRecord:
    """A voucher with lines of (fee name, amount[, listing])."""
    return VoucherRecord(
        family=family,
        outside_id=outside_id,
        currency=currency,
        marketplace="fake us",
        posted_at=posted_at,
        event_at=event_at,
        event_source=EventSource.ORDER,
        order=order,
        event=event if order else EventKind.OTHER,
        statement=statement,
        part=statement if part is None else part,
        authority=authority,
        lines=[LineRecord("fees", line[0], "", Decimal(line[1]), line[2] if len(line) > 2 else "") for line in lines],
    )


def take(
    shop: Shop,
    company: Company,
    kind: str,
    vouchers: Sequence[VoucherRecord],
    statements: Sequence[StatementRecord] = (),
    *,
    name: str = "doc",
) -> tuple[Document, Counts]:
    """Take one document that says these vouchers and statements."""
    document = make_document(shop, name)
    parsed = ParsedDocument(vouchers=list(vouchers), statements=list(statements))
    return document, take_parsed(shop=shop, company=company, documents=[(document, KINDS[kind], parsed)]).counts
