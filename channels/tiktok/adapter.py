"""TikTok Shop: transactions by statement are the books, by order their detail, unsettled ones the provisional knowledge."""

from __future__ import annotations

from channels.adapter import Adapter, DocumentError, DocumentKind, Recognised, Role, Source
from channels.records import ParsedDocument, State
from channels.tiktok import income, orders, payments, statements, transactions, unsettled
from channels.tiktok.columns import INCOME_COLUMNS, UNSETTLED_COLUMNS
from channels.tiktok.exports import recognise_export
from channels.tiktok.recognise import recognise_answer

#: Seller Center's address per region, where it is known.
_SELLER_CENTER = {
    "US": "us",
    "GB": "uk",
    "BR": "br",
    "MX": "mx",
    "ID": "id",
    "MY": "my",
    "PH": "ph",
    "SG": "sg",
    "TH": "th",
    "VN": "vn",
}

_PARSERS = {
    "statements": statements.parse,
    "statement_transactions": transactions.parse,
    "order_transactions": orders.parse,
    "unsettled": unsettled.parse,
    "payments": payments.parse,
    "withdrawals": payments.parse_withdrawals,
    "income_export": income.parse,
    "unsettled_export": income.parse,
}


class TikTokAdapter(Adapter):
    """A TikTok Shop in one region."""

    code = "tiktok"
    label = "TikTok Shop"
    regions = {
        "US": "United States",
        "GB": "United Kingdom",
        "DE": "Germany",
        "ES": "Spain",
        "FR": "France",
        "IE": "Ireland",
        "IT": "Italy",
        "BR": "Brazil",
        "MX": "Mexico",
        "ID": "Indonesia",
        "MY": "Malaysia",
        "PH": "Philippines",
        "SG": "Singapore",
        "TH": "Thailand",
        "VN": "Vietnam",
        "JP": "Japan",
        "SA": "Saudi Arabia",
    }
    kinds = {
        kind.code: kind
        for kind in (
            DocumentKind("statements", "Statements", Role.CHECK, State.SETTLED, 40),
            DocumentKind("statement_transactions", "Transactions of a statement", Role.BOOKS, State.SETTLED, 40),
            DocumentKind("order_transactions", "Transactions of an order by SKU", Role.DETAIL, State.SETTLED, 30),
            DocumentKind("unsettled", "Unsettled transactions", Role.PROVISIONAL, State.PRELIMINARY, 10),
            DocumentKind("income_export", "Income statement export", Role.BOOKS, State.SETTLED, 20, columns=INCOME_COLUMNS),
            DocumentKind(
                "unsettled_export",
                "Unsettled orders export",
                Role.PROVISIONAL,
                State.PRELIMINARY,
                5,
                columns=UNSETTLED_COLUMNS,
            ),
            DocumentKind("payments", "Payments", Role.CHECK, State.SETTLED, 40),
            DocumentKind("withdrawals", "Withdrawals", Role.CHECK, State.SETTLED, 40),
        )
    }
    twins = (
        frozenset(
            {
                transactions.ADJUSTMENT_FAMILY,
                unsettled.ADJUSTMENT_FAMILY,
                income.ADJUSTMENT_FAMILY,
                income.UNSETTLED_ADJUSTMENT_FAMILY,
            }
        ),
    )

    def recognise(self, body: bytes, filename: str) -> Recognised | None:
        return recognise_answer(body) or recognise_export(body)

    def parse(self, source: Source) -> ParsedDocument:
        try:
            parser = _PARSERS[source.kind]
        except KeyError:
            raise DocumentError(f"TikTok Shop has no document kind {source.kind!r}.") from None
        return parser(source)

    def outside_url(self, kind: str, outside_id: str, region: str) -> str:
        """The order in Seller Center; other things have no page of their own there."""
        if kind not in ("order", "order_transactions") or not outside_id.isdigit() or region not in _SELLER_CENTER:
            return ""
        return f"https://seller-{_SELLER_CENTER[region]}.tiktok.com/order/detail?order_no={outside_id}&shop_region={region}"


adapter = TikTokAdapter()
