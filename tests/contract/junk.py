"""Documents that no channel ever sent: bytes, JSON and tables that look like one at first sight."""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import strategies as st

from channels.adapter import DocumentKind

WORDS = st.sampled_from(
    ["", "0", "-", "1,5", "12.50", "-3", "99999999999999999999", "1e400", "NaN", "2026-02-30", "31.05.2026", "USD", "§", "\x00"]
)
VALUES: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=6))
#: Field names that real answers have, so that junk gets past the first look.
FIELDS = st.sampled_from(
    [
        "data", "payload", "transactions", "transactionType", "totalAmount", "currencyAmount", "currencyCode", "postedDate", "items",
        "breakdowns", "relatedIdentifiers", "statement_transactions", "statements", "orders", "order_id", "sku_transactions", "payments",
        "settlement_amount", "currency", "id", "nodes", "edges", "node", "shopifyPaymentsAccount", "payouts", "balanceTransactions",
        "net", "amount", "fee", "lineItems", "refunds", "name", "createdAt", "__parentId", "customer", "email", "code", "message",
    ]
)  # fmt: skip
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=12
).map(lambda data: json.dumps(data).encode())


def table(kind: DocumentKind) -> st.SearchStrategy[bytes]:
    """A separated table with known headers of a kind (or, for a kind of JSON, with any) and any cells."""
    names = [column.known[0] if column.known else column.label for column in kind.columns] or ["id", "amount", "date"]

    def build(parts: tuple[list[str], list[list[str]], str]) -> bytes:
        headers, rows, separator = parts
        return "\n".join(separator.join(cells) for cells in [headers, *rows]).encode()

    return st.tuples(
        st.permutations(names),
        st.lists(st.lists(WORDS, min_size=1, max_size=len(names)), max_size=4),
        st.sampled_from(["\t", ",", ";"]),
    ).map(build)


def documents(kind: DocumentKind) -> st.SearchStrategy[bytes]:
    """Any of these, plain, compressed or cut off."""
    plain = st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode), JSON, table(kind))
    cut = st.tuples(plain, st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]])
    return st.one_of(
        plain, cut, plain.map(gzip.compress), cut.map(lambda body: b"\x1f\x8b" + body), cut.map(lambda body: b"PK\x03\x04" + body)
    )
