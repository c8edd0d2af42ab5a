"""A small Shopify store in figures, told as every document that Shopify has for it: API answers and CSV exports."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D
from typing import Any

EASTERN = timezone(timedelta(hours=-5))
ORDER_HEADERS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,"
    "Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,"
    "Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,"
    "Billing Address2,Billing Company,Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,"
    "Shipping Street,Shipping Address1,Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,Shipping Country,"
    "Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Outstanding Balance,"
    "Employee,Location,Device ID,Id,Tags,Risk Level,Source,Lineitem discount,Tax 1 Name,Tax 1 Value,Phone"
)
TRANSACTION_HEADERS = (
    "Transaction Date,Type,Order,Card Brand,Card Source,Payout Status,Payout Date,Payout ID,Available On,Amount,Fee,Net,Checkout,"
    "Payment Method Name,Presentment Amount,Presentment Currency,Currency,VAT"
)
PAYOUT_HEADERS = "Payout Date,Payout ID,Status,Charges,Refunds,Adjustments,Advances,Reserved Funds,Fees,Retried Amount,Total,Currency,Bank Reference"


def table(head: str, rows: Sequence[dict[str, Any]]) -> bytes:
    """A CSV export."""
    headers = head.split(",")
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows([[row.get(header, "") for header in headers] for row in rows])
    return output.getvalue().encode()


def bag(amount: D | str, currency: str = "USD") -> dict[str, Any]:
    """A money bag whose shop money is the amount; the buyer's currency says something else."""
    return {
        "shopMoney": {"amount": str(amount), "currencyCode": currency},
        "presentmentMoney": {"amount": "999.99", "currencyCode": "SEK"},
    }


def zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def eastern(moment: datetime) -> str:
    return moment.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M:%S %z")


@dataclass
class Line:
    """An article in an order: list price of one unit, discount and tax of all."""

    sku: str
    price: D
    quantity: int = 1
    discount: D = D(0)
    tax: D = D(0)
    gift_card: bool = False

    @property
    def gross(self) -> D:
        return self.price * self.quantity


@dataclass
class Order:
    """An order paid by one gateway, and what was refunded of it: (moment, line index, units)."""

    number: int
    at: datetime
    lines: list[Line]
    shipping: D = D(0)
    gateway: str = "shopify_payments"
    taxes_included: bool = False
    shipped_at: datetime | None = None
    refunds: list[tuple[datetime, int, int]] = field(default_factory=list)
    tags: tuple[str, ...] = ()
    source: str = "web"
    channel_liable: bool | None = None
    paid: bool = True

    @property
    def name(self) -> str:
        return f"#{self.number}"

    @property
    def id(self) -> str:
        return str(5_000_000_000 + self.number)

    @property
    def subtotal(self) -> D:
        return sum((line.gross - line.discount for line in self.lines), D(0))

    @property
    def taxes(self) -> D:
        return sum((line.tax for line in self.lines), D(0))

    @property
    def total(self) -> D:
        return self.subtotal + self.shipping + (D(0) if self.taxes_included else self.taxes)

    def refund_sum(self, refund: tuple[datetime, int, int]) -> D:
        """What the buyer got back for whole units of a line."""
        line, units = self.lines[refund[1]], refund[2]
        part = D(units) / line.quantity
        return ((line.gross - line.discount) + (D(0) if self.taxes_included else line.tax)) * part

    def node(self) -> dict[str, Any]:
        """The order as GraphQL answers it."""
        return {
            "id": f"gid://shopify/Order/{self.id}",
            "name": self.name,
            "createdAt": zulu(self.at),
            "test": False,
            "sourceName": self.source,
            "tags": list(self.tags),
            "currencyCode": "USD",
            "taxesIncluded": self.taxes_included,
            "displayFinancialStatus": "PAID" if self.paid else "PENDING",
            "displayFulfillmentStatus": "FULFILLED" if self.shipped_at else "UNFULFILLED",
            "paymentGatewayNames": [self.gateway],
            "email": f"buyer{self.number}@example.com",
            "shippingAddress": {"name": "Ada Buyer", "address1": "1 Quay Street", "city": "Portland", "countryCodeV2": "US"},
            "totalPriceSet": bag(self.total),
            "lineItems": {
                "nodes": [
                    {
                        "id": f"gid://shopify/LineItem/{self.id}{index}",
                        "sku": line.sku,
                        "title": f"{line.sku.title()} lamp",
                        "quantity": line.quantity,
                        "isGiftCard": line.gift_card,
                        "originalTotalSet": bag(line.gross),
                        "discountAllocations": [{"allocatedAmountSet": bag(line.discount)}] if line.discount else [],
                        "taxLines": [{"title": "Tax", "channelLiable": self.channel_liable, "priceSet": bag(line.tax)}],
                        "variant": {"id": f"gid://shopify/ProductVariant/{index + 1}"},
                    }
                    for index, line in enumerate(self.lines)
                ],
                "pageInfo": {"hasNextPage": False},
            },
            "shippingLines": {"nodes": [{"originalPriceSet": bag(self.shipping), "discountAllocations": [], "taxLines": []}]},
            "fulfillments": [{"status": "SUCCESS", "createdAt": zulu(self.shipped_at)}] if self.shipped_at else [],
            "transactions": [
                {"kind": "SALE", "status": "SUCCESS", "test": False, "gateway": self.gateway, "amountSet": bag(self.total)}
            ]
            if self.paid
            else [],
            "refunds": [self._refund_node(index, refund) for index, refund in enumerate(self.refunds)],
        }

    def _refund_node(self, index: int, refund: tuple[datetime, int, int]) -> dict[str, Any]:
        moment, place, units = refund
        line = self.lines[place]
        part = D(units) / line.quantity
        return {
            "id": f"gid://shopify/Refund/{self.id}{index}",
            "createdAt": zulu(moment),
            "totalRefundedSet": bag(self.refund_sum(refund)),
            "refundLineItems": {
                "nodes": [
                    {
                        "quantity": units,
                        "restockType": "RETURN",
                        "lineItem": {"id": f"gid://shopify/LineItem/{self.id}{place}", "sku": line.sku},
                        "subtotalSet": bag((line.gross - line.discount) * part),
                        "totalTaxSet": bag(line.tax * part),
                    }
                ]
            },
            "refundShippingLines": {"nodes": []},
            "orderAdjustments": {"nodes": []},
            "transactions": {
                "nodes": [
                    {"kind": "REFUND", "status": "SUCCESS", "gateway": self.gateway, "amountSet": bag(self.refund_sum(refund))}
                ]
            },
        }

    def rows(self) -> list[dict[str, Any]]:
        """The order as rows of the Orders export: totals in the first."""
        rows: list[dict[str, Any]] = []
        refunded = sum((self.refund_sum(refund) for refund in self.refunds), D(0))
        for index, line in enumerate(self.lines):
            row = {
                "Name": self.name,
                "Email": f"buyer{self.number}@example.com",
                "Lineitem quantity": line.quantity,
                "Lineitem name": f"{line.sku.title()} lamp",
                "Lineitem price": line.price,
                "Lineitem sku": line.sku,
                "Lineitem taxable": "true" if line.tax else "false",
                "Lineitem discount": line.discount,
            }
            if index == 0:
                row |= {
                    "Financial Status": ("refunded" if refunded == self.total else "partially_refunded" if refunded else "paid")
                    if self.paid
                    else "pending",
                    "Paid at": eastern(self.at) if self.paid else "",
                    "Fulfillment Status": "fulfilled" if self.shipped_at else "unfulfilled",
                    "Fulfilled at": eastern(self.shipped_at) if self.shipped_at else "",
                    "Created at": eastern(self.at),
                    "Currency": "USD",
                    "Subtotal": self.subtotal,
                    "Shipping": self.shipping,
                    "Taxes": self.taxes,
                    "Total": self.total,
                    "Discount Amount": sum((each.discount for each in self.lines), D(0)),
                    "Outstanding Balance": D("0.00") if self.paid else self.total,
                    "Payment Method": self.gateway.replace("_", " ").title() if self.paid else "",
                    "Refunded Amount": f"{refunded:.2f}",
                    "Billing Name": "Ada Buyer",
                    "Billing City": "Portland",
                    "Billing Country": "US",
                    "Billing Phone": "+1 503 555 0100",
                    "Notes": "Ring twice,\nplease",
                    "Id": self.id,
                    "Tags": ", ".join(self.tags),
                    "Source": self.source,
                }
            rows.append(row)
        return rows


@dataclass
class Movement:
    """A movement of the balance: `payout` is the index of the payout, None while none holds it."""

    id: int
    type: str
    at: datetime
    amount: D
    fee: D = D(0)
    order: str = ""
    payout: int | None = 0
    reason: str | None = None

    @property
    def net(self) -> D:
        return self.amount - self.fee

    def node(self) -> dict[str, Any]:
        money = {"amount": str(self.amount), "currencyCode": "USD"}
        return {
            "id": f"gid://shopify/ShopifyPaymentsBalanceTransaction/{self.id}",
            "type": self.type,
            "test": False,
            "transactionDate": zulu(self.at),
            "sourceType": "CHARGE",
            "adjustmentReason": self.reason,
            "amount": money,
            "fee": {"amount": str(self.fee)},
            "net": {"amount": str(self.net)},
            "associatedPayout": {"id": None, "status": "PENDING"}
            if self.payout is None
            else {"id": f"gid://shopify/ShopifyPaymentsPayout/{payout_id(self.payout)}", "status": "PAID"},
            "associatedOrder": {"id": "gid://shopify/Order/1", "name": self.order} if self.order else None,
            "adjustmentsOrders": [],
        }

    def row(self) -> dict[str, Any]:
        """The movement as the export tells it: no id, and rare types only as adjustments."""
        known = {"CHARGE": "charge", "REFUND": "refund", "DISPUTE_WITHDRAWAL": "dispute"}
        return {
            "Transaction Date": eastern(self.at),
            "Type": known.get(self.type, "adjustment"),
            "Order": self.order,
            "Payout Status": "pending" if self.payout is None else "paid",
            "Payout Date": "" if self.payout is None else payout_day(self.payout),
            "Payout ID": "" if self.payout is None else payout_id(self.payout),
            "Amount": f"{self.amount:.2f}",
            "Fee": f"{self.fee:.2f}",
            "Net": f"{self.net:.2f}",
            "Currency": "USD",
            "VAT": "0.00",
        }


def payout_id(index: int) -> str:
    return str(900_000_000_000 + index)


def payout_day(index: int) -> str:
    return (datetime(2026, 3, 10, tzinfo=UTC) + timedelta(days=index)).date().isoformat()


@dataclass
class Market:
    """All that happened."""

    orders: list[Order]
    movements: list[Movement]

    def payouts(self) -> dict[int, D]:
        sums: dict[int, D] = {}
        for movement in self.movements:
            if movement.payout is not None:
                sums[movement.payout] = sums.get(movement.payout, D(0)) + movement.net
        return sums

    def orders_json(self) -> bytes:
        return json.dumps({"data": {"orders": {"nodes": [order.node() for order in self.orders]}}}).encode()

    def orders_csv(self) -> bytes:
        return table(ORDER_HEADERS, [row for order in self.orders for row in order.rows()])

    def balance_json(self) -> bytes:
        nodes = [movement.node() for movement in self.movements]
        account = {"balanceTransactions": {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}
        return json.dumps({"data": {"shopifyPaymentsAccount": account}}).encode()

    def balance_csv(self) -> bytes:
        return table(TRANSACTION_HEADERS, [movement.row() for movement in self.movements])

    def payouts_json(self) -> bytes:
        nodes = [
            {
                "id": f"gid://shopify/ShopifyPaymentsPayout/{payout_id(index)}",
                "legacyResourceId": payout_id(index),
                "issuedAt": f"{payout_day(index)}T00:00:00Z",
                "status": "PAID",
                "transactionType": "DEPOSIT",
                "externalTraceId": f"TRACE-{index}",
                "net": {"amount": str(total), "currencyCode": "USD"},
            }
            for index, total in self.payouts().items()
        ]
        return json.dumps({"data": {"shopifyPaymentsAccount": {"payouts": {"nodes": nodes}}}}).encode()

    def payouts_csv(self) -> bytes:
        rows = []
        for index, total in self.payouts().items():
            mine = [movement for movement in self.movements if movement.payout == index]
            kinds = {"CHARGE": "Charges", "REFUND": "Refunds"}
            row: dict[str, Any] = {"Payout Date": payout_day(index), "Payout ID": payout_id(index), "Status": "paid"}
            for name in ("Charges", "Refunds", "Adjustments"):
                row[name] = sum((m.amount for m in mine if kinds.get(m.type, "Adjustments") == name), D("0.00"))
            row |= {"Fees": -sum((m.fee for m in mine), D("0.00")), "Total": total, "Currency": "USD"}
            rows.append(row)
        return table(PAYOUT_HEADERS, rows)


def market() -> Market:
    """A store with a discount, a refund, a gift card, an order of TikTok, equal label corrections and a pending charge."""
    at = datetime(2026, 3, 2, 19, 5, 11, tzinfo=UTC)
    day = timedelta(days=1)
    first = Order(
        1001,
        at,
        [Line("LANTERN-1", D("40.00"), 2, D("8.00"), D("5.76")), Line("WICK-2", D("5.00"), 1, D("0"), D("0.40"))],
        shipping=D("6.00"),
        shipped_at=at + day,
        refunds=[(at + 5 * day, 0, 1), (at + 6 * day, 1, 1)],
    )
    second = Order(1002, at + day, [Line("LANTERN-1", D("40.00"), 1, D("0"), D("6.39"))], taxes_included=True, gateway="paypal")
    third = Order(1003, at + 2 * day, [Line("CARD", D("50.00"), gift_card=False)], shipped_at=at + 3 * day)
    pushed = Order(1004, at, [Line("LANTERN-1", D("39.00"))], tags=("TikTokOrderID:5769", "vip"), source="tiktok")
    unpaid = Order(1005, at + 3 * day, [Line("WICK-2", D("5.00"), 3)], paid=False)
    movements = [
        Movement(1, "CHARGE", at, first.total, D("2.74"), "#1001"),
        Movement(2, "CHARGE", at + 2 * day, D("50.00"), D("1.75"), "#1003"),
        Movement(3, "REFUND", at + 5 * day, -first.refund_sum(first.refunds[0]), D(0), "#1001"),
        Movement(4, "REFUND", at + 6 * day, -first.refund_sum(first.refunds[1]), D(0), "#1001", payout=1),
        Movement(5, "SHIPPING_LABEL_ADJUSTMENT", at + day, D("-1.25"), payout=1),
        Movement(6, "SHIPPING_LABEL_ADJUSTMENT", at + day, D("-1.25"), payout=1),
        Movement(7, "DISPUTE_WITHDRAWAL", at + 4 * day, D("-20.00"), D("15.00"), "#1003", payout=1),
        Movement(8, "CHARGE", at + 7 * day, D("33.00"), D("1.26"), "#1006", payout=None),
    ]
    return Market([first, second, third, pushed, unpaid], movements)
