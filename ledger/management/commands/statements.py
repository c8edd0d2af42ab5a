"""`manage.py statements`: every statement of a shop against its lines."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.shops import find_shop
from ledger.statements import StatementCheck, statement_checks
from nova.money import currency_digits


class Command(BaseCommand):
    help = "List the statements of a shop: sum of lines, stated total, deposit, difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("shop", metavar="SHOP", help="Code of the shop, or COMPANY/SHOP when several companies have it.")
        parser.add_argument("--company", default="", help="Code of the shop's company.")
        parser.add_argument("--json", action="store_true", help="Print the statements as JSON; amounts are strings.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            shop = find_shop(options["shop"], company=options["company"])
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from None
        checks = statement_checks(shop.company_id, shop.pk)
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(check) for check in checks], ensure_ascii=False))
            return
        if not checks:
            self.stdout.write(f"{shop.name} has no statements yet; import one with `manage.py import_file`.")
            return
        self.stdout.write(
            f"{'statement':<24} {'cur':<3} {'closed':<10} {'lines':>8} {'sum of lines':>16} {'stated total':>16} {'deposit':>16} {'difference':>12}"
        )
        for check in checks:
            closed = f"{check.closed_at:%Y-%m-%d}" if check.closed_at else "-"
            amounts = [amount_text(value, check.currency) or "-" for value in (check.sum, check.total, check.deposit)]
            rest = amount_text(check.difference, check.currency) or "-"
            mark = "" if check.complete else "  not complete"
            self.stdout.write(
                f"{check.outside_id:<24} {check.currency:<3} {closed:<10} {check.lines:>8} {amounts[0]:>16} {amounts[1]:>16} {amounts[2]:>16} {rest:>12}{mark}"
            )
        wrong = sum(not check.balanced for check in checks)
        self.stdout.write(f"{len(checks)} statements, {wrong} of them with a difference.")


def amount_text(amount: Decimal | None, currency: str) -> str | None:
    """An amount as exact text: at least the decimals of its currency, more only where they are not zero."""
    if amount is None:
        return None
    least = amount.quantize(Decimal(1).scaleb(-currency_digits(currency)))
    return f"{least if least == amount else amount.normalize():f}"


def _as_json(check: StatementCheck) -> dict[str, Any]:
    def text(amount: Decimal | None) -> str | None:
        return amount_text(amount, check.currency)

    return {
        "outside_id": check.outside_id,
        "currency": check.currency,
        "lines": check.lines,
        "sum_of_lines": text(check.sum),
        "stated_total": text(check.total),
        "deposit": text(check.deposit),
        "difference": text(check.difference),
        "remainder": text(check.remainder),
        "complete": check.complete,
        "period_start": check.period_start.isoformat() if check.period_start else None,
        "period_end": check.period_end.isoformat() if check.period_end else None,
        "closed_at": check.closed_at.isoformat() if check.closed_at else None,
        "payout": check.payout,
        "paid_on": check.paid_on.isoformat() if check.paid_on else None,
    }
