"""Amazon's documents of an invented market: settlement flat files V2 and finances transactions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from nova.demo_data.market import CENT, Sale, cents, digits

HEADERS = [
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
PERIOD_DAYS = 14
ZERO = Decimal(0)


@dataclass(frozen=True)
class Marketplace:
    """One country site of a seller account. `fba` is the fulfilment fee of one unit, `ads` the share of sales spent on ads."""

    name: str
    id: str
    currency: str
    fba: Decimal
    ads: Decimal
    remits_tax: bool = True


US = Marketplace("Amazon.com", "ATVPDKIKX0DER", "USD", Decimal("5.62"), Decimal("0.08"))
CANADA = Marketplace("Amazon.ca", "A2EUQ1WTGCTBG2", "CAD", Decimal("7.45"), Decimal("0.06"))
GERMANY = Marketplace("Amazon.de", "A1PA6795UKMFR9", "EUR", Decimal("4.35"), Decimal("0.10"))


@dataclass(frozen=True)
class Settlement:
    """A settlement file: its id, the days it covers (end exclusive) and its text."""

    id: str
    start: date
    end: date
    total: Decimal
    body: bytes


def order_id(seed: str, sale: Sale) -> str:
    """An order number as Amazon writes them."""
    return f"11{sale.number % 4 + 1}-{digits(seed, sale.number, 'a', length=7)}-{digits(seed, sale.number, 'b', length=7)}"


def shipped_at(sale: Sale) -> datetime:
    """When Amazon shipped an order: the morning after."""
    return sale.at + timedelta(hours=19)


def settlements(*, seed: str, market: Marketplace, sales: Sequence[Sale], start: date, end: date) -> list[Settlement]:
    """All closed settlements between two days, every fortnight from `start`; each adds up, reserves carried over."""
    found = []
    carried = ZERO
    day = start
    while day + timedelta(days=PERIOD_DAYS) <= end:
        until = day + timedelta(days=PERIOD_DAYS)
        settlement, carried = _settlement(seed, market, sales, day, until, carried)
        found.append(settlement)
        day = until
    return found


def _settlement(
    seed: str, market: Marketplace, sales: Sequence[Sale], start: date, end: date, carried: Decimal
) -> tuple[Settlement, Decimal]:
    number = digits(seed, market.name, start, length=11)
    chance = random.Random(f"{seed}/{market.name}/{start}")
    rows: list[dict[str, str]] = []
    low, high = _midnight(start), _midnight(end)
    sold = ZERO
    for sale in sales:
        if low <= shipped_at(sale) < high:
            sold += sale.net
            rows += _order_rows(seed, market, sale)
        if sale.refunded_at is not None and low <= sale.refunded_at < high:
            rows += _refund_rows(seed, market, sale)
    close = high - timedelta(minutes=10)

    def other(kind: str, group: str, name: str, amount: Decimal, at: datetime, **more: str) -> None:
        rows.append(
            {
                **_stamp(at),
                "transaction-type": kind,
                "amount-type": group,
                "amount-description": name,
                "amount": str(amount),
                **more,
            }
        )

    for week in (7, 13):
        spend = cents(sold * market.ads / 2 * Decimal(str(round(chance.uniform(0.8, 1.2), 3))))
        other("ServiceFee", "Cost of Advertising", "TransactionTotalAmount", -spend, low + timedelta(days=week, hours=3))
    for first in (start, end):
        month = first.replace(day=1)
        if start <= month < end:
            at = _midnight(month) + timedelta(hours=6)
            other("other-transaction", "other-transaction", "Subscription Fee", Decimal("-39.99"), at)
            other(
                "other-transaction",
                "other-transaction",
                "Storage Fee",
                -cents(sold * Decimal("0.018")) - 12,
                at + timedelta(days=7) if month + timedelta(days=7) < end else at,
            )
            # A fee that no rule knows: it waits on the worklist with its money at stake.
            other(
                "other-transaction", "other-transaction", "Small Parcel Peak Surcharge", -cents(sold * Decimal("0.006")) - 4, at
            )
            break
    if chance.random() < 0.6 and sales:
        article = chance.choice(sales).article
        lost = cents(article.price * Decimal("0.6"))
        other("other-transaction", "FBA Inventory Reimbursement", "WAREHOUSE_DAMAGE", lost, close - timedelta(days=2), sku=article.sku, **{"quantity-purchased": "1"})  # fmt: skip
    if carried:
        other("other-transaction", "other-transaction", "Previous Reserve Amount Balance", carried, low)
    reserve = cents(sold * Decimal("0.10"))
    if reserve:
        other("other-transaction", "other-transaction", "Current Reserve Amount", -reserve, close)
    total = sum((Decimal(row["amount"]) for row in rows), ZERO)
    summary = {
        "settlement-start-date": _written(low), "settlement-end-date": _written(close), "deposit-date": _written(high + timedelta(days=1)),
        "total-amount": str(total), "currency": market.currency,
    }  # fmt: skip
    rows.sort(key=lambda row: row["posted-date-time"])
    for row in rows:
        row.setdefault("marketplace-name", market.name)
    return Settlement(number, start, end, total, _text(number, [summary, *rows])), reserve


def _order_rows(seed: str, market: Marketplace, sale: Sale) -> list[dict[str, str]]:
    head = _head(seed, market, sale, shipped_at(sale), "Order")
    units = {"quantity-purchased": str(sale.quantity)}
    lines = [("ItemPrice", "Principal", sale.gross, units)]
    if sale.tax:
        lines.append(("ItemPrice", "Tax", sale.tax, units))
        if market.remits_tax:
            lines.append(("ItemWithheldTax", "MarketplaceFacilitatorTax-Principal", -sale.tax, units))
    lines += [
        ("ItemFees", "Commission", -cents(sale.net * Decimal("0.15")), units),
        ("ItemFees", "FBAPerUnitFulfillmentFee", -market.fba * sale.quantity, units),
    ]
    if sale.discount:
        lines.append(("Promotion", "Principal", -sale.discount, {**units, "promotion-id": "PLM-harbour-10-off"}))
    return _rows(head, lines)


def _refund_rows(seed: str, market: Marketplace, sale: Sale) -> list[dict[str, str]]:
    assert sale.refunded_at is not None
    head = {
        **_head(seed, market, sale, sale.refunded_at, "Refund"),
        "adjustment-id": f"amzn1:crow:{digits(seed, sale.number, 'r', length=9)}",
    }
    commission = cents(sale.net * Decimal("0.15"))
    lines: list[tuple[str, str, Decimal, dict[str, str]]] = [("ItemPrice", "Principal", -sale.gross, {})]
    if sale.tax:
        lines.append(("ItemPrice", "Tax", -sale.tax, {}))
        if market.remits_tax:
            lines.append(("ItemWithheldTax", "MarketplaceFacilitatorTax-Principal", sale.tax, {}))
    lines += [
        ("ItemFees", "Commission", commission, {}),
        ("ItemFees", "RefundCommission", -min(Decimal(5), cents(commission / 5)), {}),
    ]
    if sale.discount:
        lines.append(("Promotion", "Principal", sale.discount, {}))
    return _rows(head, lines)


def _rows(head: dict[str, str], lines: Sequence[tuple[str, str, Decimal, dict[str, str]]]) -> list[dict[str, str]]:
    return [
        {**head, "amount-type": group, "amount-description": name, "amount": str(amount.quantize(CENT)), **more}
        for group, name, amount, more in lines
    ]


def _head(seed: str, market: Marketplace, sale: Sale, at: datetime, kind: str) -> dict[str, str]:
    return {
        **_stamp(at),
        "transaction-type": kind,
        "order-id": order_id(seed, sale),
        "merchant-order-id": order_id(seed, sale),
        "shipment-id": digits(seed, sale.number, "s", length=9),
        "marketplace-name": market.name,
        "fulfillment-id": "AFN",
        "order-item-code": digits(seed, sale.number, "i", length=14),
        "sku": sale.article.sku,
    }


def _stamp(at: datetime) -> dict[str, str]:
    return {"posted-date": at.strftime("%Y-%m-%d"), "posted-date-time": _written(at)}


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _text(number: str, rows: Sequence[dict[str, str]]) -> bytes:
    lines = ["\t".join(HEADERS)]
    lines += ["\t".join([number, *(row.get(name, "") for name in HEADERS[1:])]) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def finances(*, seed: str, market: Marketplace, sales: Sequence[Sale], start: date, end: date) -> bytes:
    """An answer of listTransactions (2024-06-19) with the shipments and refunds posted between two days (end exclusive)."""
    low, high = _midnight(start), _midnight(end)
    transactions: list[dict[str, Any]] = []
    for sale in sales:
        if low <= shipped_at(sale) < high:
            commission, fba = -cents(sale.net * Decimal("0.15")), -market.fba * sale.quantity
            charges = [("OurPricePrincipal", sale.gross), *((("PromotionRebates", -sale.discount),) if sale.discount else ())]
            transactions.append(
                _transaction(seed, market, sale, "Shipment", shipped_at(sale), charges, [("Commission", commission), ("FBAPerUnitFulfillmentFee", fba)])
            )  # fmt: skip
    return orjson.dumps({"payload": {"nextToken": None, "transactions": transactions}})


def _transaction(
    seed: str,
    market: Marketplace,
    sale: Sale,
    kind: str,
    at: datetime,
    charges: Sequence[tuple[str, Decimal]],
    fees: Sequence[tuple[str, Decimal]],
) -> dict[str, Any]:
    def money(amount: Decimal) -> dict[str, Any]:
        return {"currencyCode": market.currency, "currencyAmount": float(amount)}

    def group(name: str, parts: Sequence[tuple[str, Decimal]]) -> dict[str, Any]:
        return {
            "breakdownType": name,
            "breakdownAmount": money(sum((amount for _name, amount in parts), ZERO)),
            "breakdowns": [
                {"breakdownType": part, "breakdownAmount": money(amount), "breakdowns": [{"breakdownType": "Base", "breakdownAmount": money(amount)}]}
                for part, amount in parts
            ],
        }  # fmt: skip

    breakdowns = [group("Sales", charges), group("Expenses", fees)]
    return {
        "sellingPartnerMetadata": {"sellingPartnerId": "A2HARBOUR", "accountType": "Standard Orders", "marketplaceId": market.id},
        "transactionType": kind,
        "transactionStatus": "RELEASED",
        "transactionId": digits(seed, sale.number, kind, length=18),
        "description": "Order Payment",
        "postedDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "totalAmount": money(sum((amount for _name, amount in [*charges, *fees]), ZERO)),
        "marketplaceDetails": {"marketplaceId": market.id, "marketplaceName": market.name},
        "relatedIdentifiers": [
            {"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": order_id(seed, sale)},
            {"relatedIdentifierName": "SHIPMENT_ID", "relatedIdentifierValue": digits(seed, sale.number, "s", length=9)},
        ],
        "items": [
            {
                "description": sale.article.name,
                "totalAmount": money(sum((amount for _name, amount in [*charges, *fees]), ZERO)),
                "contexts": [{"contextType": "ProductContext", "sku": sale.article.sku, "quantityShipped": sale.quantity, "fulfillmentNetwork": "AFN"}],
                "breakdowns": breakdowns,
            }
        ],
        "breakdowns": breakdowns,
    }  # fmt: skip
