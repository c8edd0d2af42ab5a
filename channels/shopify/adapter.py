"""Shopify: balance transactions are the books of cash and fees, orders and refunds the books of revenue (MONEY.md rule 4)."""

from __future__ import annotations

from collections.abc import Sequence

from channels.adapter import Adapter, DocumentError, DocumentKind, Recognised, Role, Source
from channels.records import ParsedDocument, PersonalRecord, State
from channels.shopify import balance, order_nodes, orders_export, orders_json, payments_export, personal
from channels.shopify.transactions import FAMILIES


def _kind(code: str, label: str, authority: int, **more: object) -> tuple[str, DocumentKind]:
    return code, DocumentKind(code, label, Role.BOOKS, State.SETTLED, authority, **more)  # type: ignore[arg-type]


class ShopifyAdapter(Adapter):
    """A Shopify store. Payouts are statements; a payout's transactions and its orders are taken from API and exports alike."""

    code = "shopify"
    label = "Shopify"
    regions = {
        "": "World",
        "US": "United States",
        "CA": "Canada",
        "UK": "United Kingdom",
        "EU": "European Union",
        "AU": "Australia and New Zealand",
        "JP": "Japan",
        "ASIA": "Asia",
        "LATAM": "Latin America",
    }
    kinds = dict(
        (
            _kind("payouts", "Shopify Payments payouts (API)", 40),
            _kind("payouts_export", "Shopify Payments payouts (CSV export)", 30, columns=payments_export.PAYOUT_COLUMNS),
            _kind("balance_transactions", "Shopify Payments balance transactions (API)", 40),
            _kind("balance_transactions_rest", "Shopify Payments balance transactions (old REST API)", 35),
            _kind(
                "payment_transactions_export",
                "Shopify Payments transactions (CSV export)",
                30,
                columns=payments_export.TRANSACTION_COLUMNS,
            ),
            _kind("orders", "Orders and refunds (API)", 40),
            _kind("orders_rest", "Orders and refunds (old REST API, webhooks)", 35),
            _kind("orders_export", "Orders (CSV export)", 30, columns=orders_export.COLUMNS),
        )
    )
    revenue_kinds = frozenset({"orders", "orders_rest", "orders_export"})
    twins = (FAMILIES,)
    order_ids_are_unique = False

    def recognise(self, body: bytes, filename: str) -> Recognised | None:
        if refused := personal.refused(body):
            return Recognised(refused[0]) if refused[0] in self.kinds else None
        return (
            balance.recognise(body)
            or order_nodes.recognise(body)
            or orders_export.recognise(body)
            or payments_export.recognise(body)
        )

    def parse(self, source: Source) -> ParsedDocument:
        if refused := personal.refused(source.body):
            raise DocumentError(refused[1])
        marketplace = self.default_marketplace(source.region)
        if source.kind in ("payouts", "balance_transactions", "balance_transactions_rest"):
            return balance.parse(source, marketplace=marketplace)
        if source.kind == "payment_transactions_export":
            return payments_export.parse_transactions(source, marketplace=marketplace)
        if source.kind == "payouts_export":
            return payments_export.parse_payouts(source)
        if source.kind in ("orders", "orders_rest"):
            return orders_json.parse(source, marketplace=marketplace)
        if source.kind == "orders_export":
            return orders_export.parse(source, marketplace=marketplace)
        raise DocumentError(f"Shopify has no document kind {source.kind!r}.")

    def separate_personal_data(self, source: Source) -> tuple[bytes, Sequence[PersonalRecord]]:
        if source.kind not in self.revenue_kinds:
            return source.body, ()
        recognised = self.recognise(source.body, source.filename)
        return personal.separate(source, known_headers=recognised is not None and not recognised.unknown_columns)

    def default_marketplace(self, region: str) -> str:
        return f"shopify {region}".lower().strip()


adapter = ShopifyAdapter()
