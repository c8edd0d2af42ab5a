"""Shopify's documents of an invented market: the Orders export, and payouts with their balance transactions (GraphQL)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from nova.demo_data.market import Sale, cents, digits

ZERO = Decimal(0)
HEADERS = (
    "Name", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at", "Currency", "Subtotal", "Shipping", "Taxes", "Total",
    "Discount Code", "Discount Amount", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku",
    "Lineitem taxable", "Lineitem discount", "Cancelled at", "Payment Method", "Refunded Amount", "Outstanding Balance", "Id", "Source",
    "Tags",
)  # fmt: skip


def order_name(sale: Sale) -> str:
    """An order's number as the store shows it."""
    return f"#{1000 + sale.number}"


def shipping(sale: Sale) -> Decimal:
    """What the buyer paid for delivery."""
    return ZERO if sale.net >= 50 else Decimal("5.90")


def total(sale: Sale) -> Decimal:
    """What the buyer paid."""
    return sale.net + shipping(sale) + sale.tax


def orders_export(*, seed: str, currency: str, sales: Sequence[Sale], today: date) -> bytes:
    """The Orders CSV export of the given orders, as it looks on `today`."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, HEADERS)
    writer.writeheader()
    now = datetime.combine(today, time(), UTC)
    for sale in sales:
        refunded = sale.refunded_at is not None and sale.refunded_at < now
        shipped = sale.at + timedelta(hours=21)
        writer.writerow(
            {
                "Name": order_name(sale),
                "Financial Status": "refunded" if refunded else "paid",
                "Paid at": _written(sale.at),
                "Fulfillment Status": "fulfilled" if shipped < now else "unfulfilled",
                "Fulfilled at": _written(shipped) if shipped < now else "",
                "Currency": currency,
                "Subtotal": sale.net,
                "Shipping": shipping(sale),
                "Taxes": sale.tax,
                "Total": total(sale),
                "Discount Code": "HARBOUR10" if sale.discount else "",
                "Discount Amount": sale.discount,
                "Created at": _written(sale.at),
                "Lineitem quantity": sale.quantity,
                "Lineitem name": sale.article.name,
                "Lineitem price": sale.price,
                "Lineitem sku": sale.article.sku,
                "Lineitem taxable": "true",
                "Lineitem discount": "0.00",
                "Payment Method": "Shopify Payments",
                "Refunded Amount": total(sale) if refunded else "0.00",
                "Outstanding Balance": "0.00",
                "Id": digits(seed, "order", sale.number, length=13),
                "Source": "web",
            }
        )
    return sheet.getvalue().encode()


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S +0000")


def payouts(*, seed: str, currency: str, sales: Sequence[Sale], start: date, end: date) -> tuple[bytes, bytes]:
    """Answers with the weekly payouts and with all their balance transactions, from `start` until before `end`.

    Weeks that are not over yet have transactions but no payout.
    """
    weeks: dict[date, list[dict[str, Any]]] = {}
    for sale in sales:
        amount = total(sale)
        _add(weeks, seed, currency, sale, "CHARGE", sale.at, amount, cents(amount * Decimal("0.029")) + Decimal("0.30"))
        if sale.refunded_at is not None and sale.refunded_at.date() < end:
            _add(weeks, seed, currency, sale, "REFUND", sale.refunded_at, -amount, ZERO)
    transactions: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for week, found in sorted(weeks.items()):
        issued = week + timedelta(days=9)
        if issued >= end:
            transactions += found
            continue
        payout_id = digits(seed, "payout", week, length=12)
        link = {"id": f"gid://shopify/ShopifyPaymentsPayout/{payout_id}", "status": "PAID"}
        for row in found:
            row["associatedPayout"] = link
        transactions += found
        net = sum((Decimal(row["net"]["amount"]) for row in found), ZERO)
        charged = [row for row in found if row["type"] == "CHARGE"]
        refunded = [row for row in found if row["type"] == "REFUND"]

        def add_up(rows: list[dict[str, Any]], name: str) -> dict[str, str]:
            return _money(sum((Decimal(row[name]["amount"]) for row in rows), ZERO), currency)

        rows.append(
            {
                **link,
                "legacyResourceId": payout_id,
                "issuedAt": f"{issued.isoformat()}T00:00:00Z",
                "transactionType": "DEPOSIT" if net >= 0 else "WITHDRAWAL",
                "externalTraceId": f"HARBOUR-{payout_id[-6:]}",
                "net": _money(net, currency),
                "summary": {
                    "chargesGross": add_up(charged, "amount"),
                    "chargesFee": add_up(charged, "fee"),
                    "refundsFeeGross": add_up(refunded, "amount"),
                    "refundsFee": add_up(refunded, "fee"),
                },
            }
        )
    return _connection("payouts", rows), _connection("balanceTransactions", transactions)


def _add(
    weeks: dict[date, list[dict[str, Any]]],
    seed: str,
    currency: str,
    sale: Sale,
    kind: str,
    at: datetime,
    amount: Decimal,
    fee: Decimal,
) -> None:
    week = at.date() - timedelta(days=at.weekday())
    number = digits(seed, kind, sale.number, length=12)
    weeks.setdefault(week, []).append(
        {
            "id": f"gid://shopify/ShopifyPaymentsBalanceTransaction/{number}",
            "type": kind,
            "test": False,
            "transactionDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sourceType": kind,
            "sourceId": number,
            "sourceOrderTransactionId": digits(seed, kind, sale.number, "transaction", length=12),
            "adjustmentReason": None,
            "amount": _money(amount, currency),
            "fee": _money(fee, currency),
            "net": _money(amount - fee, currency),
            "associatedPayout": None,
            "associatedOrder": {
                "id": f"gid://shopify/Order/{digits(seed, 'order', sale.number, length=13)}",
                "name": order_name(sale),
            },
            "adjustmentsOrders": [],
        }
    )


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": str(amount), "currencyCode": currency}


def _connection(name: str, rows: list[dict[str, Any]]) -> bytes:
    page = {"nodes": rows, "pageInfo": {"hasNextPage": False, "endCursor": None}}
    return orjson.dumps({"data": {"shopifyPaymentsAccount": {"id": "gid://shopify/ShopifyPaymentsAccount/1", name: page}}})
