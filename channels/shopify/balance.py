"""Balance transactions and payouts as JSON: the GraphQL connections of `shopifyPaymentsAccount` and the old REST lists.

Facts: `amount`, `fee`, `net` per transaction; `payments_transfer_id` joins it to its payout, whose id is the statement's.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from channels.adapter import DocumentError, Recognised, Source
from channels.records import ParsedDocument
from channels.shopify import answers, transactions
from channels.shopify.transactions import API, REST, Transaction
from channels.shopify.words import TRANSFER

_TRANSACTIONS = (b"associatedPayout", b"ShopifyPaymentsBalanceTransaction", b'"balanceTransactions"')
#: (group of the summary, GraphQL gross, GraphQL fee, REST gross, REST fee); the groups less their fees add up to the payout.
_SUMMARY = (
    ("charges", "chargesGross", "chargesFee", "charges_gross_amount", "charges_fee_amount"),
    ("refunds", "refundsFeeGross", "refundsFee", "refunds_gross_amount", "refunds_fee_amount"),
    ("adjustments", "adjustmentsGross", "adjustmentsFee", "adjustments_gross_amount", "adjustments_fee_amount"),
    ("reserved funds", "reservedFundsGross", "reservedFundsFee", "reserved_funds_gross_amount", "reserved_funds_fee_amount"),
    ("retried payouts", "retriedPayoutsGross", "retriedPayoutsFee", "retried_payouts_gross_amount", "retried_payouts_fee_amount"),
    ("advances", "advanceGross", "advanceFees", "advance_gross_amount", "advance_fees_amount"),
    ("rebates", "usdcRebateCreditAmount", "", "usdc_rebate_credit_amount", ""),
)


def recognise(body: bytes) -> Recognised | None:
    """An answer with balance transactions or payouts, of either API; never raises."""
    if not answers.is_json(body):
        return None
    if any(word in body for word in _TRANSACTIONS):
        return Recognised("balance_transactions")
    if b'"source_order_transaction_id"' in body and b'"payout_status"' in body:
        return Recognised("balance_transactions_rest")
    if b"ShopifyPaymentsPayout/" in body or b'"shopifyPaymentsAccount"' in body:
        return Recognised("payouts")
    if body[:400].lstrip(b"\xef\xbb\xbf \t\r\n[").startswith(b"{") and _starts_with_payout(body) and b'"currency"' in body:
        return Recognised("payouts")
    return None


def _starts_with_payout(body: bytes) -> bool:
    head = b"".join(body[:200].split())
    return head.startswith((b'{"payout":{', b'{"payouts":[', b'[{"payout":{', b'[{"payouts":['))


def parse(source: Source, *, marketplace: str) -> ParsedDocument:
    """Vouchers of all transactions, statements and payouts of all payouts that the document tells.

    Test transactions are left out. A pending transaction (no payout yet) is preliminary.

    Raises:
        DocumentError: not JSON, net is not amount - fee, or a whole payout with its transactions that does not add up.
    """
    data = answers.load(source.body)
    parsed = ParsedDocument()
    family = REST if source.kind == "balance_transactions_rest" else API
    found: list[Transaction] = []
    tests = 0
    for index, node in enumerate(_transaction_nodes(data)):
        parsed.rows += 1
        if node.get("test") is True:
            tests += 1
            continue
        transaction = _read(index, node)
        transactions.check(transaction, accept=source.accept_difference)
        found.append(transaction)
    transactions.take(found, family=family, marketplace=marketplace, parsed=parsed)
    if tests:
        parsed.notes.append(f"{tests} test transactions were left out.")
    _payouts(data, source, parsed)
    if found:
        _check_whole(data, source, found, parsed)
    if not parsed.rows and not parsed.statements and not _is_empty_answer(data):
        raise DocumentError("There are no balance transactions or payouts in this document.")
    return parsed


def _transaction_nodes(data: Any) -> Iterator[dict[str, Any]]:
    """Balance transactions, wherever they stand: told by a net amount and their own kind of source."""
    for node in answers.walk(data):
        if "net" in node and "amount" in node and ("associatedPayout" in node or "payout_status" in node):
            yield node


def _read(index: int, node: dict[str, Any]) -> Transaction:
    label = answers.plain_id(node.get("id")) or f"number {index + 1}"
    try:
        payout = node.get("associatedPayout") or {}
        status = str(answers.first(payout, "status") or node.get("payout_status") or "")
        payout_id = answers.plain_id(payout.get("id") or node.get("payout_id"))
        order = node.get("associatedOrder") or {}
        orders = {str(part.get("name") or "") for part in node.get("adjustmentsOrders") or ()} - {""}
        name = str(order.get("name") or "") or (orders.pop() if len(orders) == 1 else "")
        kind = str(node["type"])
        transaction = Transaction(
            outside_id=answers.plain_id(node["id"]),
            type=kind,
            reason=str(answers.first(node, "adjustmentReason", "adjustment_reason") or ""),
            amount=answers.amount(node["amount"]),
            fee=answers.amount(node.get("fee")),
            net=answers.amount(node["net"]),
            currency=answers.currency(
                *(part for part in (node["amount"], node["net"]) if isinstance(part, dict)), node.get("currency")
            ),
            at=answers.moment(answers.first(node, "transactionDate", "processed_at", "processedAt")),
            payout=payout_id,
            payout_status=status,
            order=name,
            row=index,
        )
        if transaction.name == TRANSFER and not transaction.payout:
            transaction.payout = answers.plain_id(answers.first(node, "sourceId", "source_id"))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise DocumentError(f"Balance transaction {label} cannot be read: {_reason(error)}.") from None
    if transaction.at is None and transaction.name != TRANSFER:
        raise DocumentError(f"Balance transaction {label} has no transactionDate; ask Shopify for that field too.")
    if not transaction.outside_id:
        raise DocumentError(f"Balance transaction {label} has no id.")
    return transaction


def _reason(error: Exception) -> str:
    return f"the field {error} is missing" if isinstance(error, KeyError) else str(error)


def _payout_nodes(data: Any) -> Iterator[dict[str, Any]]:
    for node in answers.walk(data):
        if "associatedPayout" in node or "payout_status" in node:
            continue
        if ("issuedAt" in node and "net" in node) or ("date" in node and "amount" in node and "status" in node and "id" in node):
            yield node


def _payouts(data: Any, source: Source, parsed: ParsedDocument) -> None:
    """Statements and payouts of the payout objects; a payout told by its own object wins over its transfer row."""
    statements = {statement.outside_id: statement for statement in parsed.statements}
    payouts = {payout.outside_id: payout for payout in parsed.payouts}
    for node in _payout_nodes(data):
        parsed.rows += 1
        payout_id = answers.plain_id(answers.first(node, "legacyResourceId", "id"))
        try:
            total = answers.amount(answers.first(node, "net", "amount"))
            code = answers.currency(node["net"] if isinstance(node.get("net"), dict) else None, node.get("currency"))
            at = answers.day(answers.first(node, "issuedAt", "date"))
            trace = str(answers.first(node, "externalTraceId", "external_trace_id") or "")
            summary = node.get("summary") or {}
            parts = {
                label: answers.amount(answers.first(summary, gross, rest)) - answers.amount(answers.first(summary, fee, rest_fee))
                for label, gross, fee, rest, rest_fee in _SUMMARY
            }
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise DocumentError(f"Payout {payout_id or parsed.rows} cannot be read: {_reason(error)}.") from None
        if not payout_id:
            raise DocumentError("A payout has no id.")
        if node.get("transactionType") == "WITHDRAWAL" and total > 0:
            total = -total  # Shopify takes the money from the bank
        record = transactions.statement(payout_id, code, total, at)
        record.complete = payout_id in statements and statements[payout_id].complete and statements[payout_id].total == total
        record.parts = {label: value for label, value in parts.items() if value}
        told = sum(parts.values(), Decimal(0))
        if summary and told != total:
            parsed.notes.append(
                f"Payout {payout_id}: the groups of its summary come to {told}, it is {total} {code} (difference {total - told}); "
                "its transactions decide."
            )
        statements[payout_id] = record
        payouts[payout_id] = transactions.payout_record(payout_id, code, total, str(node.get("status") or ""), at, trace)
    parsed.statements = list(statements.values())
    parsed.payouts = list(payouts.values())


def _check_whole(data: Any, source: Source, found: list[Transaction], parsed: ParsedDocument) -> None:
    """A document with payouts of its own and all their transactions must add up per payout.

    One that goes on (another page), or holds other payouts' transactions only, proves nothing and is not checked.
    """
    pages = [node for node in answers.walk(data) if "pageInfo" in node]
    told = {answers.plain_id(answers.first(node, "legacyResourceId", "id")) for node in _payout_nodes(data)}
    if any(answers.has_more(page) for page in pages) or not told:
        return
    sums: dict[str, Decimal] = {}
    for transaction in found:
        if transaction.payout and transaction.name != TRANSFER:
            sums[transaction.payout] = sums.get(transaction.payout, Decimal(0)) + transaction.net
    # A payout that the bank refused keeps its transactions and gets the money back among them.
    returned = {payout.outside_id for payout in parsed.payouts if payout.status in ("failed", "cancelled")}
    for record in parsed.statements:
        if (
            record.outside_id in returned
            or record.outside_id not in told
            or record.outside_id not in sums
            or record.total is None
        ):
            continue
        difference = record.total - sums[record.outside_id]
        if difference and not source.accept_difference:
            raise DocumentError(
                f"Payout {record.outside_id} does not add up: its transactions come to {sums[record.outside_id]} "
                f"{record.currency}, it is {record.total} (difference {difference}). Transactions are missing; ask for all of them.",
                difference=difference,
            )
        record.complete = True


def _is_empty_answer(data: Any) -> bool:
    """A page without members, or a shop without Shopify Payments (a null account): true, and nothing to book."""
    names = ("balanceTransactions", "payouts", "transactions", "shopifyPaymentsAccount")
    return any(name in node for node in answers.walk(data) for name in names)
