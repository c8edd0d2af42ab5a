"""Answers of the TikTok Shop API that add up, written by hand, for tests."""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

CLOSED = 1_781_568_000  # 2026-06-16T00:00:00Z
CREATED = 1_781_260_200  # 2026-06-12T10:30:00Z
DAY = 86_400
S1, S2 = "7238804564097517001", "7238804564097517002"


def total(block: dict[str, Any]) -> str:
    """What a block adds up to, without what it repeats."""
    return str(sum((D(value) for value in block.values() if not isinstance(value, dict) and value.strip()), D(0)))


def money(
    revenue: dict[str, Any] | None = None,
    shipping: dict[str, Any] | None = None,
    fee: dict[str, Any] | None = None,
    tax: dict[str, Any] | None = None,
    *,
    adjustment: str = "",
    prefix: str = "",
) -> dict[str, Any]:
    """Blocks and totals of a transaction. `prefix` is "est_" for unsettled ones."""
    revenue, shipping, fee, tax = revenue or {}, shipping or {}, fee or {}, tax or {}
    fees = str(D(total(fee)) + D(total(tax)))
    settlement = D(total(revenue)) + D(total(shipping)) + D(fees) + D(adjustment or "0")
    return {
        f"{prefix}revenue_amount": total(revenue),
        "revenue_breakdown": revenue,
        f"{prefix}shipping_cost_amount": total(shipping),
        "shipping_cost_breakdown": shipping,
        f"{prefix}fee_tax_amount": fees,
        "fee_tax_breakdown": {"fee": fee, "tax": tax},
        f"{prefix}adjustment_amount": adjustment,
        f"{prefix}settlement_amount": str(settlement),
    }


def transaction(number: int, blocks: dict[str, Any], *, order: str = "", kind: str = "ORDER", **more: Any) -> dict[str, Any]:
    """One transaction of a statement."""
    return {
        "id": f"16367000414135992{number:02}",
        "type": kind,
        "order_id": order,
        "order_create_time": CREATED if order else 0,
        **blocks,
        **more,
    }


def page(
    transactions: list[dict[str, Any]], *, statement: str = S1, closed: int = CLOSED, currency: str = "USD", **more: Any
) -> dict[str, Any]:
    """One answer of Get Transactions by Statement, whole unless `total_count` says otherwise."""
    settled = str(sum((D(row["settlement_amount"] or "0") for row in transactions), D(0)))
    reserve = str(sum((D(row.get("reserve_amount") or "0") for row in transactions), D(0)))
    data = {
        "id": statement,
        "create_time": closed,
        "status": "SETTLED",
        "currency": currency,
        "payable_amount": str(D(settled) + D(reserve)),
        "total_reserve_amount": reserve,
        "total_settlement_amount": settled,
        "total_count": len(transactions),
        "transactions": transactions,
        **more,
    }
    return wrap(data)


def wrap(data: Any) -> dict[str, Any]:
    """The envelope of an answer."""
    return {"code": 0, "message": "Success", "request_id": "202606160000000101890810281E8C70B7", "data": data}


def order_page(order: str, rows: list[dict[str, Any]], *, currency: str = "USD") -> dict[str, Any]:
    """One answer of Get Transactions by Order."""
    return wrap(
        {
            "order_id": order,
            "order_create_time": CREATED,
            "currency": currency,
            "settlement_amount": str(sum((D(row["settlement_amount"]) for row in rows), D(0))),
            "sku_transactions": rows,
        }
    )


def sku_row(sku: str, statement: str, blocks: dict[str, Any], *, quantity: int = 1, name: str = "Tote bag") -> dict[str, Any]:
    """One row of an order: what a statement says of a SKU."""
    return {
        "sku_id": sku,
        "sku_name": "Blue",
        "product_name": name,
        "statement_id": statement,
        "quantity": str(quantity),
        **{key: value for key, value in blocks.items() if key != "adjustment_amount"},
    }


def unsettled_page(transactions: list[dict[str, Any]]) -> dict[str, Any]:
    """One answer of Get Unsettled Transactions."""
    return wrap({"next_page_token": "", "total_count": len(transactions), "transactions": transactions})


def unsettled_transaction(
    number: int, blocks: dict[str, Any], *, order: str = "", kind: str = "ORDER", **more: Any
) -> dict[str, Any]:
    """One unsettled transaction; `blocks` made with the prefix "est_"."""
    return {
        "id": f"76800000000000000{number:02}",
        "type": kind,
        "status": "UNSETTLED",
        "currency": "USD",
        "order_id": order,
        "order_create_time": CREATED,
        "estimated_settlement": "Delivered + 7 days",
        "unsettled_reason": "WAITING_FOR_PACKAGE_DELIVERY",
        **blocks,
        **more,
    }


def statements_page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One answer of Get Statements."""
    return wrap({"next_page_token": "", "statements": rows})


def statement_row(
    settlement: str, *, statement: str = S1, closed: int = CLOSED, currency: str = "USD", payment: str = ""
) -> dict[str, Any]:
    """One statement of the list."""
    return {
        "id": statement,
        "statement_time": closed,
        "settlement_amount": settlement,
        "currency": currency,
        "payment_status": "PAID",
        "payment_id": payment,
    }


def payment_row(payment: str, value: str, *, currency: str = "USD", status: str = "PAID") -> dict[str, Any]:
    """One payment to the bank."""
    return {
        "id": payment,
        "create_time": CLOSED + 3600,
        "paid_time": CLOSED + DAY,
        "status": status,
        "amount": {"value": value, "currency": currency},
        "settlement_amount": {"value": value, "currency": currency},
        "exchange_rate": "1.000000",
        "bank_account": "***********1234",
    }


def body(answer: Any) -> bytes:
    """An answer, or a list of answers, as bytes."""
    return json.dumps(answer).encode()
