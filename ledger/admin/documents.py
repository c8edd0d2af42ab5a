"""Admin of what the ledger took: intakes, vouchers, fee lines, statements, payouts, withdrawals. Read-only."""
