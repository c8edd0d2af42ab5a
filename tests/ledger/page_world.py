"""Harbour Goods on the fake market: a few orders, fees and adjustments, mapped and unmapped, settled and not, in two shops."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D

from django.test import Client

from channels.models import Shop
from channels.records import EventKind, EventSource, LineRecord, ParsedDocument, PayoutRecord, StatementRecord, VoucherRecord
from inventory.models import Listing, ListingComponent, Sku
from ledger.classify import compile_mappings
from ledger.intake import take_parsed
from nova.models import Company, User
from tests.ledger.fake_channel import KINDS, make_company, make_document
from tests.ledger.people import make_user
from tests.ledger.pnl_world import approve_map

RIGHTS = (
    "view_pnlmonth", "view_feeline", "view_voucher", "view_statement", "view_payout", "view_feetype", "view_feerule", "view_document",
    "view_sku", "view_listing", "add_savedview", "change_savedview", "delete_savedview", "view_exchangerate",
)  # fmt: skip


def _at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def _voucher(
    name: str, month: int, day: int, lines: list[tuple[str, str, str, int | None]], *, order: str = "", statement: str = "",
    event: EventKind = EventKind.SALE, source: EventSource = EventSource.SHIPMENT, row: int | None = None, currency: str = "USD",
) -> VoucherRecord:  # fmt: skip
    return VoucherRecord(
        family="books",
        outside_id=name,
        currency=currency,
        marketplace="fake us",
        posted_at=_at(month, min(day + 2, 28)),
        event_at=_at(month, day),
        event_source=source,
        order=order,
        event=event if order else EventKind.OTHER,
        statement=statement,
        part=statement,
        row=row,
        lines=[
            LineRecord("fees", fee, "", D(amount), listing, units, None if row is None else row + number)
            for number, (fee, amount, listing, units) in enumerate(lines)
        ],
    )


def build_pages_world() -> tuple[Company, list[Shop]]:
    """The company and its shops. Fees "sale", "commission", "creator", "ads" and "reserve" are mapped, "odd" is not."""
    company, shop = make_company(currency="USD")
    outlet = Shop.objects.create(company=company, code=f"{shop.code}-outlet", name="Harbour outlet", channel="fake")
    for fee, category in (
        ("sale", "rev.product"),
        ("discount", "rev.discount_seller"),
        ("refund", "ref.product"),
        ("commission", "plt.referral"),
        ("label", "ful.shipping"),
        ("creator", "mkt.affiliate"),
        ("ads", "mkt.ads_tiktok"),
        ("reserve", "bs.reserve"),
    ):
        approve_map(company, fee, category)
    settled = [
        _voucher("B/1", 1, 5, [("sale", "120.00", "TEE", 2), ("discount", "-20.00", "TEE", None), ("commission", "-6.00", "TEE", None), ("label", "-7.35", "", None), ("creator", "-12.00", "TEE", None)], order="ORDER-1001", statement="ST-1", row=1),
        _voucher("B/2", 1, 20, [("sale", "35.50", "MUG", 1), ("commission", "-2.1301", "MUG", None)], order="ORDER-1002", statement="ST-1", row=7),
        _voucher("B/3", 2, 3, [("refund", "-35.50", "MUG", -1), ("commission", "2.1301", "MUG", None)], order="ORDER-1002", event=EventKind.REFUND, statement="ST-2", source=EventSource.REFUND, row=10),
        _voucher("B/4", 2, 9, [("odd", "-4.44", "", None)], statement="ST-2", row=13),
        _voucher("B/5", 2, 10, [("ads", "-15", "", None), ("reserve", "-30", "", None)], statement="ST-2", row=14),
    ]  # fmt: skip
    statements = [
        StatementRecord("ST-1", "USD", total=D("108.0199"), deposit=D("108.0199"), closed_at=_at(1, 31), payout="PAY-1"),
        StatementRecord("ST-2", "USD", total=D("-82.8099"), closed_at=_at(2, 28), payout="PAY-2"),
    ]
    payouts = [
        PayoutRecord("PAY-1", "USD", D("108.0199"), "paid", paid_at=_at(2, 2), trace="BANK-77"),
        PayoutRecord("PAY-2", "USD", D("10"), "expected", paid_at=_at(3, 5)),
    ]
    _take(company, shop, "books", ParsedDocument(vouchers=settled, statements=statements, payouts=payouts))
    open_vouchers = [
        _voucher(
            "U/1",
            2,
            25,
            [("sale", "60", "TEE", 1), ("commission", "-3", "TEE", None)],
            order="ORDER-1003",
            source=EventSource.ORDER,
            row=1,
        )
    ]
    open_vouchers[0].family = "unsettled"
    _take(company, shop, "unsettled", ParsedDocument(vouchers=open_vouchers))
    more = [
        _voucher(
            "O/1",
            1,
            7,
            [("sale", "80", "LAMP", 1), ("commission", "-8", "LAMP", None)],
            order="OUTLET-1",
            statement="ST-9",
            row=1,
        )
    ]
    _take(
        company, outlet, "books", ParsedDocument(vouchers=more, statements=[StatementRecord("ST-9", "USD", closed_at=_at(1, 31))])
    )
    compile_mappings(company=company)
    for code, name, brand, tags in (("TEE-RED", "Red tee", "North", ["gift", "summer"]), ("MUG-1", "Mug", "South", [])):
        sku = Sku.objects.create(company=company, code=code, name=name, brand=brand, tags=tags, product_group="Home")
        listing = Listing.objects.get(company=company, shop=shop, code=code.split("-")[0])
        ListingComponent.objects.create(company=company, listing=listing, sku=sku)
    return company, [shop, outlet]


def _take(company: Company, shop: Shop, kind: str, parsed: ParsedDocument) -> None:
    take_parsed(shop=shop, company=company, documents=[(make_document(shop, kind), KINDS[kind], parsed)])


def make_viewer(*companies: Company) -> User:
    """Vera, who may look at everything about money and saves views; the right to view documents is of another app."""
    from django.contrib.auth.models import Permission

    user = make_user("vera", *companies)
    user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS))
    return User.objects.get(pk=user.pk)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
