"""Admin of the ledger. Each module registers the models of one subject."""

from ledger.admin import documents, rates, rules

__all__ = ["documents", "rates", "rules"]
