"""What the blocks of a TikTok transaction add up to, as fee lines.

Identities (all amounts signed from the seller's view):
    settlement = revenue + shipping cost + fees and taxes + adjustment
    revenue = sum of revenue_breakdown
    shipping cost = sum of shipping_cost_breakdown without its supplementary_component
    fees and taxes = sum of fee + sum of tax, without aliases and components
What the parts do not explain stays visible as a line of context "remainder" whose path is the block. Names that are
not known are lines like any other: nothing in a block is lost. Supplementary blocks repeat amounts and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations
from typing import Any, NamedTuple

from channels.records import LineRecord
from channels.tiktok.answers import AMOUNTS, ZERO

REVENUE = "revenue_breakdown"
SHIPPING = "shipping_cost_breakdown"
FEE_TAX = "fee_tax_breakdown"
FEE = "fee_tax_breakdown.fee"
TAX = "fee_tax_breakdown.tax"
ADJUSTMENT = "adjustment"
SETTLEMENT = "settlement"
NOT_ITEMISED = "not itemised"

GROSS = "subtotal_before_discount_amount"
GROSS_REFUND = "refund_subtotal_before_discount_amount"
NET_COMMISSION = "affiliate_commission_amount"
#: Two spellings of the creator commission before personal income tax: another figure for NET_COMMISSION, never beside it.
BEFORE_PIT = ("affiliate_commission_amount_before_pit", "affiliate_commission_before_pit_amount")
#: Nets that some answers have inside the total and some only tell: taken when the total needs them.
NETS = ("sales_tax_amount", "retail_delivery_fee_amount")
#: What such a net is made of, and the tax inside the commission before tax: never summed beside it.
COMPONENTS = (
    "sales_tax_payment_amount",
    "sales_tax_refund_amount",
    "retail_delivery_fee_payment_amount",
    "retail_delivery_fee_refund_amount",
    "pit_withheld_from_ads_commission_amount",
)
#: Amounts that sit in the sum in one answer and among the supplementary ones in another.
WANDERING = ("shipping_fee_guarantee_reimbursement",)

_NO_AMOUNTS = frozenset({"currency", "supplementary_component"})
_ASIDE = frozenset((*BEFORE_PIT, *NETS, *COMPONENTS))
_line = LineRecord._make
_Aside = list[tuple[str, str, Decimal]]


class Totals(NamedTuple):
    """Names of the totals of a transaction, which differ between endpoints."""

    revenue: str
    shipping: str
    fee_tax: str
    adjustment: str
    settlement: str


SETTLED = Totals("revenue_amount", "shipping_cost_amount", "fee_tax_amount", "adjustment_amount", "settlement_amount")
ESTIMATED = Totals(
    "est_revenue_amount", "est_shipping_cost_amount", "est_fee_tax_amount", "est_adjustment_amount", "est_settlement_amount"
)


def read_lines(transaction: dict[str, Any], index: int, totals: Totals, kind: str) -> list[LineRecord]:
    """All money of a transaction, parts only, zeros left out. `kind` names an adjustment; `index` becomes the lines' row.

    Raises:
        ValueError, TypeError: an amount is none (see `explain` for the words).
    """
    get = transaction.get
    lines: list[LineRecord] = []
    known = ZERO
    block = get(REVENUE)
    total = _total(get(totals.revenue))
    found = _add(block, REVENUE, index, lines, None) if block else ZERO
    if total is None:
        total = found
    elif total != found:
        lines.append(_line((REVENUE, NOT_ITEMISED, "remainder", total - found, "", None, index)))
    known += total

    block = get(SHIPPING)
    total = _total(get(totals.shipping))
    found = _add(block, SHIPPING, index, lines, None) if block else ZERO
    if total is None:
        total = found
    elif total != found:
        found += _wandering(block, total - found, index, lines)
        if total != found:
            lines.append(_line((SHIPPING, NOT_ITEMISED, "remainder", total - found, "", None, index)))
    known += total

    block = get(FEE_TAX)
    total = _total(get(totals.fee_tax))
    found = ZERO
    aside: _Aside = []
    if block:
        start = len(lines)
        fee, tax = block.get("fee"), block.get("tax")
        if fee:
            found += _add(fee, FEE, index, lines, aside)
        if tax:
            found += _add(tax, TAX, index, lines, aside)
        if len(block) > (fee is not None) + (tax is not None):
            rest = {name: value for name, value in block.items() if name not in ("fee", "tax")}
            found += _add(rest, FEE_TAX, index, lines, aside)
        if aside:
            found = _weigh_aside(lines, start, found, total, aside, index)
    if total is None:
        total = found
    elif total != found:
        lines.append(_line((FEE_TAX, NOT_ITEMISED, "remainder", total - found, "", None, index)))
    known += total

    adjusted = AMOUNTS[get(totals.adjustment)]
    if adjusted:
        lines.append(_line((ADJUSTMENT, kind, "sample" if "SAMPLE" in kind else "adjustment", adjusted, "", None, index)))
        known += adjusted
    total = _total(get(totals.settlement))
    if total is not None and total != known:
        lines.append(_line((SETTLEMENT, NOT_ITEMISED, "remainder", total - known, "", None, index)))
    return lines


def _total(value: Any) -> Decimal | None:
    return None if value is None or value == "" else AMOUNTS[value]


def _add(block: dict[str, Any], path: str, index: int, lines: list[LineRecord], aside: _Aside | None) -> Decimal:
    """Append the lines of a block and return their sum; names of `_ASIDE` are put there instead."""
    total = ZERO
    for name, text in block.items():
        if text == "0" or text == "" or text is None:
            continue
        if isinstance(text, dict):
            if name not in _NO_AMOUNTS:
                total += _add(text, f"{path}.{name}", index, lines, aside)
            continue
        if name == "currency":
            continue
        amount = AMOUNTS[text]
        if amount:
            if aside is not None and name in _ASIDE:
                aside.append((path, name, amount))
                continue
            lines.append(_line((path, name, "", amount, "", None, index)))
            total += amount
    return total


def _wandering(block: dict[str, Any] | None, difference: Decimal, index: int, lines: list[LineRecord]) -> Decimal:
    supplementary = (block or {}).get("supplementary_component") or {}
    for name in WANDERING:
        amount = AMOUNTS[supplementary.get(name)]
        if amount and amount == difference:
            lines.append(_line((SHIPPING, name, "", amount, "", None, index)))
            return amount
    return ZERO


def _weigh_aside(
    lines: list[LineRecord], start: int, found: Decimal, total: Decimal | None, aside: _Aside, index: int
) -> Decimal:
    """Let the total decide which of the doubtful names are parts of it; returns the sum of the parts with them.

    The commission before personal income tax takes the place of the one after it where only that balances, or where
    there is no other. A net of passed-on tax counts where the total needs it. What does not help is left out.
    """
    net = next((place for place in range(start, len(lines)) if lines[place][1] == NET_COMMISSION), None)
    before = next(((path, name, amount) for path, name, amount in aside if name in BEFORE_PIT), None)
    nets = [row for row in aside if row[1] in NETS]
    instead = lines[net][3] if net is not None else ZERO
    if before is not None and total is None and net is None:
        lines.append(_line((*before[:2], "", before[2], "", None, index)))
        return found + before[2]
    if total is None or total == found:
        return found
    swaps = [None] if before is None or before[2] == instead else [None, before]
    for swap in swaps:
        swapped = found if swap is None else found - instead + swap[2]
        for size in range(len(nets) + 1):
            for chosen in combinations(nets, size):
                if swapped + sum((row[2] for row in chosen), ZERO) != total:
                    continue
                if swap is not None:
                    if net is not None:
                        del lines[net]
                    lines.append(_line((*swap[:2], "", swap[2], "", None, index)))
                lines.extend(_line((path, name, "", amount, "", None, index)) for path, name, amount in chosen)
                return total
    return found


def is_refund(name: str) -> bool:
    """Whether a field says by its name that it belongs to a refund."""
    return name.startswith("refund_") or name.endswith("_refund_amount")


def split_refund(lines: list[LineRecord]) -> tuple[list[LineRecord], list[LineRecord]]:
    """(lines of the sale, lines of the refund) of one transaction.

    Fields named for refunds belong to the refund. When the transaction has such revenue and no revenue of a sale, all of it
    is the refund, with the fees that come back; when it has both, fees that are not named for a refund stay with the sale.
    """
    refunded = sold = False
    for path, name, context, *_rest in lines:
        if path != REVENUE:
            break
        if is_refund(name):
            refunded = True
        elif context != "remainder":
            sold = True
    if not refunded:
        return lines, []
    if not sold:
        return [], lines
    return [line for line in lines if not is_refund(line[1])], [line for line in lines if is_refund(line[1])]


def explain(transaction: dict[str, Any], totals: Totals) -> str:
    """Which field of a transaction is not an amount, in words: "fee_tax_breakdown.fee.referral_fee_amount: 'x' is not ..."."""
    for name, value in _amounts(transaction, totals):
        try:
            AMOUNTS[value]
        except (ValueError, TypeError) as error:
            return f"{name}: {error}"
    return "an amount cannot be read"


def _amounts(transaction: dict[str, Any], totals: Totals) -> Iterator[tuple[str, Any]]:
    for name in totals:
        yield name, transaction.get(name)
    for name in (REVENUE, SHIPPING, FEE_TAX):
        yield from _leaves(transaction.get(name), name)


def _leaves(block: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(block, dict):
        for name, value in block.items():
            if name not in _NO_AMOUNTS:
                yield from _leaves(value, f"{path}.{name}")
    elif block is not None:
        yield path, block
