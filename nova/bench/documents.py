"""TikTok statement documents for the benchmark: pages of 100 orders with eight fee lines each, written to a file once."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

LINES_PER_ORDER = 8
ORDERS_PER_PAGE = 100
#: A shop of three million orders a day has many statements; one of this size closes every day.
PAGES_PER_STATEMENT = 250
_FIRST_CLOSE = datetime(2026, 7, 1, tzinfo=UTC)
_HEAD = struct.Struct(">HI")


def write_pages(path: Path, *, lines: int, seed: str = "bench") -> int:
    """Write API pages that hold at least `lines` fee lines to a file. Returns how many lines they hold."""
    chance = random.Random(seed)
    templates = [_template(chance) for _ in range(2000)]
    orders = -(-lines // LINES_PER_ORDER)
    pages = -(-orders // ORDERS_PER_PAGE)
    number = 0
    with path.open("wb") as file:
        for first in range(0, pages, PAGES_PER_STATEMENT):
            count = min(PAGES_PER_STATEMENT, pages - first)
            day = first // PAGES_PER_STATEMENT
            closed = _FIRST_CLOSE + timedelta(days=day)
            sizes = [min(ORDERS_PER_PAGE, orders - (first + page) * ORDERS_PER_PAGE) for page in range(count)]
            chosen = [[chance.choice(templates) for _ in range(size)] for size in sizes]
            total = sum((template[0] for page in chosen for template in page), Decimal(0))
            statement = f"74{day:017d}"
            for page_number, page in enumerate(chosen):
                transactions = []
                for _total, template in page:
                    number += 1
                    created = int((closed - timedelta(days=chance.randint(5, 12), seconds=chance.randrange(86_400))).timestamp())
                    transactions.append(
                        {
                            "id": f"16{number:017d}",
                            "type": "ORDER",
                            "order_id": f"57{number:016d}",
                            "order_create_time": created,
                            **template,
                        }
                    )
                data = {
                    "id": statement,
                    "create_time": int(closed.timestamp()),
                    "status": "SETTLED",
                    "currency": "USD",
                    "payable_amount": str(total),
                    "total_reserve_amount": "0",
                    "total_settlement_amount": str(total),
                    "total_count": sum(sizes),
                    "transactions": transactions,
                    "next_page_token": f"page-{page_number + 1}" if page_number + 1 < count else "",
                }
                name = f"{statement}/{page_number + 1}".encode()
                body = orjson.dumps({"code": 0, "data": data, "message": "Success", "request_id": "bench"})
                file.write(_HEAD.pack(len(name), len(body)) + name + body)
    return orders * LINES_PER_ORDER


def _template(chance: random.Random) -> tuple[Decimal, dict[str, Any]]:
    """The money of one order: (settlement, blocks). Eight amounts are not zero."""
    gross = Decimal(chance.randint(900, 9900)) / 100
    discount = -(gross * Decimal("0.1")).quantize(Decimal("0.01"))
    shipping, income, subsidy = Decimal(-chance.randint(380, 990)) / 100, Decimal("2.99"), Decimal("1.25")
    referral = -(gross * Decimal("0.06")).quantize(Decimal("0.01"))
    creator = -(gross * Decimal(chance.choice(("0.08", "0.12", "0.15")))).quantize(Decimal("0.01"))
    fixed = Decimal("-0.30")
    revenue, shipped, fees = gross + discount, shipping + income + subsidy, referral + creator + fixed
    return revenue + shipped + fees, {
        "settlement_amount": str(revenue + shipped + fees),
        "adjustment_amount": "0",
        "revenue_amount": str(revenue),
        "revenue_breakdown": {
            "subtotal_before_discount_amount": str(gross),
            "refund_subtotal_before_discount_amount": "0",
            "seller_discount_amount": str(discount),
            "seller_discount_refund_amount": "0",
        },
        "shipping_cost_amount": str(shipped),
        "shipping_cost_breakdown": {
            "actual_shipping_fee_amount": str(shipping),
            "shipping_fee_discount_amount": str(subsidy),
            "customer_paid_shipping_fee_amount": str(income),
            "return_shipping_fee_amount": "0",
            "supplementary_component": {"customer_shipping_fee": str(income)},
        },
        "fee_tax_amount": str(fees),
        "fee_tax_breakdown": {
            "fee": {
                "referral_fee_amount": str(referral),
                "affiliate_commission_amount": str(creator),
                "affiliate_commission_amount_before_pit": str(creator),
                "transaction_fee_amount": str(fixed),
                "refund_administration_fee_amount": "0",
            },
            "tax": {"vat_amount": "0"},
        },
        "supplementary_component": {"customer_payment_amount": str(revenue + income)},
    }


def read_pages(path: Path) -> Iterator[tuple[str, bytes]]:
    """(outside id, bytes) of every page, one at a time."""
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            name_size, body_size = _HEAD.unpack(head)
            yield file.read(name_size).decode(), file.read(body_size)
