"""TikTok Shop's documents of an invented market: statements, their transactions, payments, unsettled orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from nova.demo_data.market import Sale, cents, digits

CURRENCY = "USD"
ZERO = Decimal(0)
#: TikTok settles an order this long after its delivery.
SETTLES_AFTER = timedelta(days=9)
ADS_SHARE = Decimal("0.09")


@dataclass(frozen=True)
class Statement:
    """A day's closed statement: its id, the moment it closed, its sum and the page of its transactions."""

    id: str
    closed_at: datetime
    total: Decimal
    payment: str
    body: bytes


def order_id(seed: str, sale: Sale) -> str:
    """An order number as TikTok writes them."""
    return f"57{digits(seed, sale.number, length=16)}"


def statements(*, seed: str, sales: Sequence[Sale], start: date, end: date, wrong_on: date | None = None) -> list[Statement]:
    """The statements of all days from `start` until before `end`; days without money have none.

    The statement of the first busy day from `wrong_on` on says 12.50 more than its transactions add up to.
    """
    by_day: dict[date, list[dict[str, Any]]] = {}
    spent: dict[date, Decimal] = {}
    for sale in sales:
        settled = (sale.at + SETTLES_AFTER).date()
        by_day.setdefault(settled, []).append(_order(seed, sale))
        spent[settled] = spent.get(settled, ZERO) + sale.net * ADS_SHARE
        if sale.refunded_at is not None:
            refunded = max((sale.refunded_at + timedelta(days=2)).date(), settled + timedelta(days=1))
            by_day.setdefault(refunded, []).append(_refund(seed, sale))
    found: list[Statement] = []
    open_ads = ZERO
    day = start
    while day < end:
        transactions = by_day.get(day, [])
        open_ads += spent.get(day, ZERO)
        if day.weekday() == 0 and open_ads:
            transactions = [*transactions, _adjustment(seed, day, "GMV_PAYMENT_FOR_ADS", -cents(open_ads))]
            open_ads = ZERO
        if day.day == 3:
            transactions = [*transactions, _adjustment(seed, day, "FBT_WAREHOUSE_SERVICE_FEE", Decimal("-86.40"))]
        if day.day == 17:
            transactions = [*transactions, _adjustment(seed, day, "LOGISTICS_REIMBURSEMENT", Decimal("24.15"))]
        if transactions:
            wrong = wrong_on is not None and day >= wrong_on
            wrong_on = None if wrong else wrong_on
            found.append(_statement(seed, day, transactions, extra=Decimal("12.50") if wrong else ZERO))
        day += timedelta(days=1)
    return found


def _statement(seed: str, day: date, transactions: list[dict[str, Any]], *, extra: Decimal) -> Statement:
    statement_id = f"74{digits(seed, day, length=17)}"
    closed = datetime.combine(day + timedelta(days=1), time(), UTC)
    total = sum((Decimal(row["settlement_amount"]) for row in transactions), extra)

    def part(name: str) -> str:
        return str(sum((Decimal(row.get(name) or 0) for row in transactions), ZERO))

    page = {
        "id": statement_id,
        "create_time": int(closed.timestamp()),
        "status": "SETTLED",
        "currency": CURRENCY,
        "payable_amount": str(total),
        "total_reserve_amount": "0",
        "total_settlement_amount": str(total),
        "total_settlement_breakdown": {
            "total_revenue_amount": part("revenue_amount"),
            "total_shipping_cost_amount": part("shipping_cost_amount"),
            "total_fee_tax_amount": part("fee_tax_amount"),
            "total_adjustment_amount": part("adjustment_amount"),
        },
        "total_count": len(transactions),
        "transactions": transactions,
        "next_page_token": "",
    }
    week = day - timedelta(days=day.weekday())
    return Statement(statement_id, closed, total, f"34{digits(seed, 'payment', week, length=17)}", _answer(page))


def _answer(data: Any) -> bytes:
    return orjson.dumps({"code": 0, "data": data, "message": "Success", "request_id": "20260101000000000000000000000000"})


def _order(seed: str, sale: Sale) -> dict[str, Any]:
    referral, fixed = -cents(sale.net * Decimal("0.06")), Decimal("-0.30")
    creator = -cents(sale.net * Decimal("0.15")) if sale.creator else ZERO
    shipping = Decimal("-4.86") - Decimal("1.10") * (sale.quantity - 1)
    income = Decimal("4.99") if sale.net < 35 else ZERO
    subsidy = ZERO if income else Decimal("3.20")
    revenue = sale.gross - sale.discount
    ship_total = shipping + income + subsidy
    fees = {
        "referral_fee_amount": str(referral),
        "transaction_fee_amount": str(fixed),
        "affiliate_commission_amount": str(creator),
        "affiliate_commission_amount_before_pit": str(creator),
    }
    fee_total = referral + fixed + creator
    return {
        "id": f"16{digits(seed, sale.number, 'sale', length=17)}",
        "type": "ORDER",
        "order_id": order_id(seed, sale),
        "order_create_time": int(sale.at.timestamp()),
        "settlement_amount": str(revenue + ship_total + fee_total),
        "revenue_amount": str(revenue),
        "revenue_breakdown": {
            "subtotal_before_discount_amount": str(sale.gross),
            "seller_discount_amount": str(-sale.discount),
        },
        "shipping_cost_amount": str(ship_total),
        "shipping_cost_breakdown": {
            "actual_shipping_fee_amount": str(shipping),
            "customer_paid_shipping_fee_amount": str(income),
            "shipping_fee_discount_amount": str(subsidy),
            "supplementary_component": {"customer_shipping_fee": str(income)},
        },
        "fee_tax_amount": str(fee_total),
        "fee_tax_breakdown": {"fee": fees, "tax": {"vat_amount": "0"}},
        "supplementary_component": {
            "customer_payment_amount": str(revenue + income + sale.tax),
            "sales_tax_amount": str(sale.tax),
        },
    }


def _refund(seed: str, sale: Sale) -> dict[str, Any]:
    revenue = -sale.gross + sale.discount
    referral = cents(sale.net * Decimal("0.06"))
    creator = cents(sale.net * Decimal("0.15")) if sale.creator else ZERO
    admin = -cents(referral * Decimal("0.2"))
    label = Decimal("-3.95")
    fee_total = referral + creator + admin
    return {
        "id": f"16{digits(seed, sale.number, 'refund', length=17)}",
        "type": "ORDER",
        "order_id": order_id(seed, sale),
        "order_create_time": int(sale.at.timestamp()),
        "settlement_amount": str(revenue + label + fee_total),
        "revenue_amount": str(revenue),
        "revenue_breakdown": {
            "refund_subtotal_before_discount_amount": str(-sale.gross),
            "seller_discount_refund_amount": str(sale.discount),
        },
        "shipping_cost_amount": str(label),
        "shipping_cost_breakdown": {"return_shipping_label_fee_amount": str(label)},
        "fee_tax_amount": str(fee_total),
        "fee_tax_breakdown": {
            "fee": {
                "referral_fee_amount": str(referral),
                "affiliate_commission_amount": str(creator),
                "refund_administration_fee_amount": str(admin),
            },
            "tax": {},
        },
    }


def _adjustment(seed: str, day: date, kind: str, amount: Decimal) -> dict[str, Any]:
    number = f"73{digits(seed, kind, day, length=17)}"
    return {
        "id": number,
        "type": kind,
        "adjustment_id": number,
        "adjustment_amount": str(amount),
        "settlement_amount": str(amount),
    }


def statement_list(found: Sequence[Statement]) -> bytes:
    """An answer of Get Statements: what each statement comes to and which payment carries it."""
    rows = [
        {
            "id": row.id,
            "statement_time": int(row.closed_at.timestamp()),
            "settlement_amount": str(row.total),
            "currency": CURRENCY,
            "payment_status": "PAID",
            "payment_id": row.payment,
        }
        for row in found
    ]
    return _answer({"statements": rows, "next_page_token": ""})


def payments(found: Sequence[Statement], *, paid_until: datetime) -> bytes:
    """An answer of Get Payments: one transfer a week; those after `paid_until` are still on their way."""
    weeks: dict[str, list[Statement]] = {}
    for row in found:
        weeks.setdefault(row.payment, []).append(row)
    rows = []
    for payment, statements in weeks.items():
        total = sum((row.total for row in statements), ZERO)
        created = max(row.closed_at for row in statements) + timedelta(days=1)
        paid = created + timedelta(days=2)
        money = {"value": str(total), "currency": CURRENCY}
        rows.append(
            {
                "id": payment,
                "create_time": int(created.timestamp()),
                "status": "PAID" if paid <= paid_until else "PROCESSING",
                "amount": money,
                "settlement_amount": money,
                "reserve_amount": {"value": "0", "currency": CURRENCY},
                "payment_amount_before_exchange": money,
                "exchange_rate": "1",
                **({"paid_time": int(paid.timestamp())} if paid <= paid_until else {}),
                "bank_account": "***********4411",
            }
        )
    return _answer({"payments": rows, "next_page_token": ""})


def unsettled(*, seed: str, sales: Sequence[Sale], today: date) -> bytes:
    """An answer of Get Unsettled Transactions: the orders that no statement until before `today` holds."""
    rows = []
    for sale in sales:
        if (sale.at + SETTLES_AFTER).date() < today:
            continue
        order = _order(seed, sale)
        delivered = sale.at + timedelta(days=4)
        rows.append(
            {
                "type": "ORDER",
                "id": order["id"],
                "status": "UNSETTLED",
                "currency": CURRENCY,
                "estimated_settlement": str(int((sale.at + SETTLES_AFTER).timestamp())),
                "unsettled_reason": "waiting for the settlement period to end",
                "order_create_time": order["order_create_time"],
                **({"order_delivery_time": int(delivered.timestamp())} if delivered.date() < today else {}),
                "order_id": order["order_id"],
                "est_settlement_amount": order["settlement_amount"],
                "est_revenue_amount": order["revenue_amount"],
                "revenue_breakdown": order["revenue_breakdown"],
                "est_shipping_cost_amount": order["shipping_cost_amount"],
                "shipping_cost_breakdown": order["shipping_cost_breakdown"],
                "est_fee_tax_amount": order["fee_tax_amount"],
                "fee_tax_breakdown": order["fee_tax_breakdown"],
            }
        )
    return _answer({"transactions": rows, "total_count": len(rows), "next_page_token": ""})
