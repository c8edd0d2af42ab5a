"""Amazon: settlement flat files are the books, finances transactions the provisional knowledge before them."""

from __future__ import annotations

from channels.adapter import Adapter, DocumentError, DocumentKind, Recognised, Role, Source
from channels.amazon import date_range, finances, settlement
from channels.records import ParsedDocument, State


class AmazonAdapter(Adapter):
    """A seller account in one region; its marketplaces are told per row."""

    code = "amazon"
    label = "Amazon"
    regions = {"NA": "North America", "EU": "Europe", "FE": "Far East"}
    region_aliases = {
        **dict.fromkeys(("US", "CA", "MX", "BR"), "NA"),
        **dict.fromkeys(
            ("UK", "GB", "DE", "FR", "IT", "ES", "NL", "BE", "IE", "SE", "PL", "TR", "AE", "SA", "EG", "ZA", "IN"), "EU"
        ),
        **dict.fromkeys(("JP", "AU", "SG"), "FE"),
    }
    kinds = {
        "settlement_v2": DocumentKind(
            "settlement_v2", "Settlement flat file V2", Role.BOOKS, State.SETTLED, 40, columns=settlement.V2_COLUMNS
        ),
        "settlement_v1": DocumentKind(
            "settlement_v1", "Settlement flat file V1", Role.BOOKS, State.SETTLED, 40, columns=settlement.V1_COLUMNS
        ),
        "finances": DocumentKind("finances", "Finances transactions (2024-06-19)", Role.PROVISIONAL, State.PRELIMINARY, 20),
        "date_range": DocumentKind("date_range", "Date-range report (recognised, never booked)", Role.CHECK, State.SETTLED, 0),
    }

    def recognise(self, body: bytes, filename: str) -> Recognised | None:
        return finances.recognise(body) or date_range.recognise(body) or settlement.recognise(body)

    def parse(self, source: Source) -> ParsedDocument:
        if source.kind == "finances":
            return finances.parse(source)
        if source.kind in ("settlement_v1", "settlement_v2"):
            return settlement.parse(source)
        if source.kind == "date_range":
            date_range.parse(source)
        raise DocumentError(f"Amazon has no document kind {source.kind!r}.")

    def default_marketplace(self, region: str) -> str:
        return f"amazon {region.lower()}".strip()


adapter = AmazonAdapter()
