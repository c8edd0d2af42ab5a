"""Admin of the ledger. Each module registers the models of one subject."""

from importlib.util import find_spec

from ledger.admin import documents as documents

if find_spec("ledger.admin.rules") is not None:
    from ledger.admin import rules as rules  # type: ignore[attr-defined,unused-ignore]
