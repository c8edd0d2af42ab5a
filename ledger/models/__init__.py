"""What every cent was: categories, fee types and rules, vouchers and fee lines, statements and payouts, rollups."""

from ledger.models.categories import FeeCategory, Section
from ledger.models.fees import FeeRule, FeeType, Mapping, Proposal, ScopeRule
from ledger.models.imports import LedgerIntake, Withdrawal
from ledger.models.lines import FeeLine, Voucher
from ledger.models.rollups import PnlDay, PnlListingMonth, PnlMonth
from ledger.models.statements import Payout, Statement
from ledger.models.views import SavedView

__all__ = [
    "FeeCategory",
    "FeeLine",
    "FeeRule",
    "FeeType",
    "LedgerIntake",
    "Mapping",
    "Payout",
    "PnlDay",
    "PnlListingMonth",
    "PnlMonth",
    "Proposal",
    "SavedView",
    "ScopeRule",
    "Section",
    "Statement",
    "Voucher",
    "Withdrawal",
]
