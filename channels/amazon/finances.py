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
from channels.records import EventKind, EventSource, LineRecord, ParsedDocument, VoucherRecord
from channels.tables import decode, unpack

_AUTHORITY = {"DEFERREDRELEASED": 23, "DEFERRED": 22, "RELEASED": 21}
_REFUNDS = ("Refund", "Chargeback", "GuaranteeClaim")
_COMPONENTS = {"base", "tax", "discount"}
_CONTAINERS = {"sales", "expenses", "refundedsales", "refundedexpenses"}


def recognise(body: bytes) -> Recognised | None:
    """An answer of listTransactions, wrapped or bare, one page or a list of pages; never raises."""
    try:
        plain = unpack(body)
    except DocumentError:
        return None
    head = plain[:300].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith((b"{", b"[")) or b'"transactionType"' not in plain or b'"totalAmount"' not in plain:
        return None
    return Recognised("finances")


def parse(source: Source) -> ParsedDocument:
    """The vouchers of all transactions, one each.

    The outside id is Amazon's transactionId (or what identifies it instead); the states of a deferred sale or refund are
    vouchers of their own, so that whichever document comes last, the same one of them counts.

    Raises:
        DocumentError: not JSON, or a transaction without an amount, a currency or a posted date; names the transaction.
    """
    try:
        data = json.loads(decode(unpack(source.body)), parse_float=Decimal, parse_int=Decimal)
        transactions = list(_transactions(data))
    except (ValueError, RecursionError, ArithmeticError):
        raise DocumentError("The file is not complete JSON; it may be cut off.") from None
    parsed = ParsedDocument()
    seen: dict[str, int] = {}
    parts = _parts(transactions)
    transfers = 0
    for index, transaction in enumerate(transactions):
        parsed.rows += 1
        if transaction.get("transactionType") == "Transfer":
            transfers += 1  # the payout itself: money that leaves the account, never income
            continue
        try:
            voucher = _voucher(index, transaction, source, parts)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise DocumentError(f"Transaction {index + 1} cannot be read: {_reason(error)}.") from None
        place = seen.setdefault(voucher.outside_id, len(parsed.vouchers))
        if place == len(parsed.vouchers):
            parsed.vouchers.append(voucher)
        elif (voucher.authority or 0) >= (parsed.vouchers[place].authority or 0):
            parsed.vouchers[place] = voucher  # shifting pages may tell a transaction twice
    if not parsed.rows:
        raise DocumentError("There are no transactions in this document.")
    if transfers:
        parsed.notes.append(f"{transfers} transfers to the bank were left out: they come with their settlement.")
    return parsed


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__


def _transactions(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, list):
        for part in data:
            yield from _transactions(part)
    elif isinstance(data, dict):
        if "transactionType" in data:
            yield data
        else:
            for part in data.values():
                if isinstance(part, dict | list):
                    yield from _transactions(part)


def _identifiers(rows: Any, name: str = "relatedIdentifier") -> dict[str, str]:
    return {str(row[f"{name}Name"]): str(row[f"{name}Value"]) for row in rows or () if row.get(f"{name}Value")}


def _parts(transactions: list[dict[str, Any]]) -> dict[str, str]:
    """Shipment or refund id by transactionId: a release may only point at the transaction that was deferred."""
    found = {}
    for transaction in transactions:
        try:
            ids = _identifiers(transaction.get("relatedIdentifiers"))
        except (KeyError, TypeError, AttributeError):
            continue  # named with its place when the transaction itself is read
        part = ids.get("SHIPMENT_ID") or ids.get("REFUND_ID")
        if part and transaction.get("transactionId"):
            found[str(transaction["transactionId"])] = part
    return found


def _money(node: dict[str, Any], field: str) -> Decimal:
    """An amount in four decimals; what rounding leaves goes to the remainder line."""
    amount = Decimal((node.get(field) or {}).get("currencyAmount") or 0)
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
        raise ValueError(f"{amount} is not an amount")
    exponent = amount.as_tuple().exponent
    return amount.quantize(Decimal("0.0001")) if isinstance(exponent, int) and exponent < -4 else amount


def _voucher(index: int, transaction: dict[str, Any], source: Source, parts: dict[str, str]) -> VoucherRecord:
    kind = str(transaction["transactionType"])
    ids = _identifiers(transaction.get("relatedIdentifiers"))
    total = _money(transaction, "totalAmount")
    currency = str(transaction["totalAmount"]["currencyCode"]).upper()
    if len(currency) != 3 or not currency.isalpha() or not currency.isascii():
        raise ValueError(f"{currency} is not a currency")
    posted = datetime.fromisoformat(str(transaction["postedDate"]).replace("Z", "+00:00"))
    if posted.tzinfo is None:
        raise ValueError("postedDate has no time zone")
    status = str(transaction.get("transactionStatus") or "").replace("_", "").upper()
    order = ids.get("ORDER_ID", "")
    own_id = str(transaction.get("transactionId") or "")
    deferred = ids.get("DEFERRED_TRANSACTION_ID", "")
    part = ids.get("SHIPMENT_ID") or ids.get("REFUND_ID") or parts.get(deferred) or deferred or own_id
    event, date_source = EventKind.OTHER, EventSource.SERVICE
    if order and kind == "Shipment":
        event, date_source = EventKind.SALE, EventSource.POSTED
    elif order and kind in _REFUNDS:
        event, date_source = EventKind.REFUND, EventSource.REFUND
    outside_id = own_id or "/".join(
        [kind, order or "-", part or "-", posted.isoformat(), str(total), ids.get("FINANCIAL_EVENT_GROUP_ID", "")]
    )
    if event is not EventKind.OTHER and status:
        outside_id = f"{outside_id}/{status}"
    market = transaction.get("marketplaceDetails") or {}
    market_id = str(market.get("marketplaceId") or (transaction.get("sellingPartnerMetadata") or {}).get("marketplaceId") or "")
    name = str(market.get("marketplaceName") or "").casefold()
    name = name if name.startswith("non-amazon") else MARKETPLACES.get(market_id, name)
    marketplace = name[:60] or f"amazon {source.region.lower()}".strip()
    context = "mcf" if marketplace.startswith("non-amazon") else ""
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
        event_source=date_source,
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
