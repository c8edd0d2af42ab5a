"""Amazon Finances API 2024-06-19, transactions: provisional knowledge until the settlement report arrives.

A transaction is posted at its named fee and charge nodes (one level above Base and Tax); parents and children of a named
node are not posted as well. What the nodes do not explain of `totalAmount` is a remainder line. Deferred sales appear
several times: of DEFERRED_RELEASED, DEFERRED and RELEASED one counts per shipment or refund (`authority`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentError, Recognised, Source
from channels.amazon.marketplaces import MARKETPLACES
from channels.records import EventKind, EventSource, LineRecord, ParsedDocument, PayoutRecord, VoucherRecord
from channels.tables import decode, unpack

_AUTHORITY = {"DEFERREDRELEASED": 23, "DEFERRED": 22, "RELEASED": 21}
_REFUNDS = ("Refund", "Chargeback", "GuaranteeClaim")
_COMPONENTS = {"base", "tax", "discount"}
_CONTAINERS = {"sales", "expenses", "refundedsales", "refundedexpenses"}


def recognise(body: bytes) -> Recognised | None:
    """An answer of listTransactions, wrapped or bare, one page or a list of pages; never raises."""
    head = body[:300].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith((b"{", b"[")) or b"transactionType" not in body or b"totalAmount" not in body:
        return None
    return Recognised("finances")


def parse(source: Source) -> ParsedDocument:
    """The vouchers of all transactions, one each: outside id is Amazon's transactionId (or what identifies it instead).

    Raises:
        DocumentError: not JSON, or a transaction without an amount, a currency or a posted date; names the transaction.
    """
    try:
        data = json.loads(decode(unpack(source.body)), parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        raise DocumentError("The file is not complete JSON; it may be cut off.") from None
    parsed = ParsedDocument()
    seen: dict[str, int] = {}
    for index, transaction in enumerate(_transactions(data)):
        parsed.rows += 1
        try:
            voucher = _voucher(index, transaction, source, parsed)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise DocumentError(f"Transaction {index + 1} cannot be read: {type(error).__name__} {error}.") from None
        if voucher is None:
            continue
        if voucher.outside_id in seen:  # shifting pages may tell a transaction twice
            parsed.vouchers[seen[voucher.outside_id]] = voucher
        else:
            seen[voucher.outside_id] = len(parsed.vouchers)
            parsed.vouchers.append(voucher)
    if not parsed.rows:
        raise DocumentError("There are no transactions in this document.")
    return parsed


def _transactions(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, list):
        for part in data:
            yield from _transactions(part)
    elif isinstance(data, dict):
        if "transactionType" in data:
            yield data
        else:
            yield from _transactions(data.get("payload") or data.get("transactions") or [])


def _identifiers(rows: Any, name: str = "relatedIdentifier") -> dict[str, str]:
    return {str(row[f"{name}Name"]): str(row[f"{name}Value"]) for row in rows or () if row.get(f"{name}Value")}


def _money(node: dict[str, Any], field: str) -> Decimal:
    amount = Decimal((node.get(field) or {}).get("currencyAmount") or 0)
    return amount.quantize(Decimal("0.0001")) if amount.as_tuple().exponent < -4 else amount  # type: ignore[operator]


def _voucher(index: int, transaction: dict[str, Any], source: Source, parsed: ParsedDocument) -> VoucherRecord | None:
    kind = str(transaction["transactionType"])
    ids = _identifiers(transaction.get("relatedIdentifiers"))
    total = _money(transaction, "totalAmount")
    currency = str(transaction["totalAmount"]["currencyCode"]).upper()
    posted = datetime.fromisoformat(str(transaction["postedDate"]).replace("Z", "+00:00"))
    if posted.tzinfo is None:
        raise ValueError("postedDate has no time zone")
    status = str(transaction.get("transactionStatus") or "").replace("_", "").upper()
    order = ids.get("ORDER_ID", "")
    part = ids.get("SHIPMENT_ID") or ids.get("REFUND_ID") or ""
    outside_id = str(
        transaction.get("transactionId")
        or "/".join([kind, order or "-", part or "-", posted.isoformat(), str(total), ids.get("FINANCIAL_EVENT_GROUP_ID", "")])
    )
    if kind == "Transfer":
        # The payout itself: money that leaves the account, never income.
        parsed.payouts.append(
            PayoutRecord(
                ids.get("SETTLEMENT_ID") or ids.get("DISBURSEMENT_ID") or outside_id, currency, abs(total), "in_transit", posted
            )
        )
        return None
    market = transaction.get("marketplaceDetails") or {}
    name = MARKETPLACES.get(str(market.get("marketplaceId")), str(market.get("marketplaceName") or "")).casefold()
    marketplace = name or f"amazon {source.region.lower()}".strip()
    context = "mcf" if marketplace.startswith("non-amazon") else ""
    event = EventKind.OTHER
    if order:
        event = EventKind.SALE if kind == "Shipment" else EventKind.REFUND if kind in _REFUNDS else EventKind.OTHER
    lines = list(_lines(index, transaction, kind, context))
    rest = total - sum((line.amount for line in lines), Decimal(0))
    if rest:
        lines.append(LineRecord(kind, "not itemised", "remainder", rest, row=index))
    return VoucherRecord(
        family="finances",
        outside_id=outside_id,
        currency=currency,
        marketplace=marketplace,
        posted_at=posted,
        event_at=posted,
        event_source=EventSource.SERVICE if event is EventKind.OTHER else EventSource.POSTED,
        lines=lines,
        order=order,
        event=event,
        part=part,
        authority=_AUTHORITY.get(status, 21),
        row=index,
    )


def _lines(index: int, transaction: dict[str, Any], kind: str, context: str) -> Iterator[LineRecord]:
    items = [item for item in transaction.get("items") or () if item.get("breakdowns")]
    for item in items:
        product: dict[str, Any] = next((row for row in item.get("contexts") or () if row.get("sku")), {})
        sku = str(product.get("sku") or "")
        units = product.get("quantityShipped")
        for group, name, amount in _named(item["breakdowns"], ""):
            if amount:
                quantity = None
                if name == "OurPricePrincipal" and units is not None:
                    quantity = int(units) if kind == "Shipment" else -int(units)
                yield LineRecord(f"{kind}/{group or 'Item'}", name, context, amount, sku, quantity, index)
    if not items:
        for group, name, amount in _named(transaction.get("breakdowns") or (), ""):
            if amount:
                yield LineRecord(f"{kind}/{group or 'Transaction'}", name, context, amount, "", None, index)


def _named(nodes: Any, group: str) -> Iterator[tuple[str, str, Decimal]]:
    """(container, name, amount) of the nodes to post: the deepest ones above Base and Tax."""
    for node in nodes or ():
        name = str(node.get("breakdownType") or "")
        children = node.get("breakdowns") or ()
        deeper = [child for child in children if str(child.get("breakdownType") or "").casefold() not in _COMPONENTS]
        if deeper and len(deeper) == len(children):
            plain = name.replace(" ", "").casefold()
            yield from _named(children, group if plain in _CONTAINERS else name)
        else:
            yield group, name, _money(node, "breakdownAmount")
