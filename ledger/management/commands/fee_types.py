"""`manage.py fee_types`: the kinds of money of a company, with their category, the money at stake and what they may be."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ledger.pnl import display
from ledger.pnl_print import exact_text, percent
from ledger.pnl_types import TypeMoney, types_of
from ledger.worklist import Item, read_worklist
from nova.models import Company

_ALL = 1_000_000


class Command(BaseCommand):
    help = "List the fee types of a company, most money first. Exit codes: 0 done, 2 wrong arguments."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("company", metavar="COMPANY", help="Code of the company.")
        parser.add_argument("--unmapped", action="store_true", help="Only those that no approved rule maps, with a suggestion.")
        parser.add_argument("--json", action="store_true", help="Print JSON; amounts are strings.")

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.filter(code=options["company"]).first()
        if company is None:
            raise CommandError(f"There is no company {options['company']}.", returncode=2)
        if options["unmapped"]:
            rows = [_item(item, company) for item in read_worklist(company=company, limit=_ALL, examples=1).items]
        else:
            rows = [_type(row, company) for row in types_of(company=company)]
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        if not rows:
            self.stdout.write("Every fee type with money is on an approved rule." if options["unmapped"] else "No fee types yet.")
            return
        self._print(rows, company, options["unmapped"])

    def _print(self, rows: list[dict[str, Any]], company: Company, unmapped: bool) -> None:
        grid = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name in ("Channel", "Fee type", "Context"):
            grid.add_column(name, overflow="fold")
        for name in ("Lines", company.currency, "At stake"):
            grid.add_column(name, justify="right", no_wrap=True)
        grid.add_column("Suggestion" if unmapped else "Category", overflow="fold")
        for row in rows:
            last = row["category"] or ""
            if unmapped and row["suggestion"]:
                last = f"{row['suggestion']['category']} ({row['suggestion']['confidence']})"
            amounts = [display(Decimal(row[name]), company.currency) for name in ("base_amount", "at_stake")]
            name = " / ".join(part for part in (row["path"], row["name"]) if part)
            grid.add_row(row["channel"], name, row["context"], f"{row['lines']:,}", *amounts, last)
        console = Console(file=cast(Any, self.stdout)._out)
        if not console.is_terminal:
            console.width = max(console.width, 160)
        console.print(grid)


def _named(fee_type: Any) -> dict[str, Any]:
    return {
        "id": str(fee_type.pk),
        "channel": fee_type.channel,
        "marketplace": fee_type.marketplace,
        "path": fee_type.path,
        "name": fee_type.name,
        "context": fee_type.context,
    }


def _item(item: Item, company: Company) -> dict[str, Any]:
    """An unmapped type. `at_stake` is the sum of absolute amounts; both it and `base_amount` are in the company's currency."""
    example = item.examples[0] if item.examples else None
    suggestion = item.suggestion
    return {
        **_named(item.fee_type),
        "category": None,
        "lines": int(item.lines),
        "amounts": {code: exact_text(amount, code) for code, amount in sorted(item.originals.items())},
        "base_currency": company.currency,
        "base_amount": exact_text(item.amount, company.currency),
        "at_stake": exact_text(item.absolute, company.currency),
        "unrated": {code: exact_text(amount, code) for code, amount in sorted(item.unrated.items())},
        "share": None if item.share is None else percent(item.share),
        "first_on": item.first_on.isoformat() if item.first_on else None,
        "last_on": item.last_on.isoformat() if item.last_on else None,
        "example": example
        and {
            "line": str(example.line_id),
            "event_on": example.event_on.isoformat(),
            "amount": exact_text(example.amount, example.currency),
            "currency": example.currency,
            "shop": example.shop,
            "order": example.order,
            "voucher": example.outside_id,
            "document": str(example.document_id),
            "row": example.row,
            "state": example.state,
        },
        "suggestion": suggestion
        and {"category": suggestion.category.code, "confidence": suggestion.confidence, "reason": suggestion.reason},
        "proposed": [rule.category.code for rule in item.waiting],
    }


def _type(row: TypeMoney, company: Company) -> dict[str, Any]:
    return {
        **_named(row.fee_type),
        "category": row.category,
        "lines": row.lines,
        "amounts": {code: exact_text(amount, code) for code, amount in sorted(row.amounts.items())},
        "base_currency": company.currency,
        "base_amount": exact_text(row.base_amount, company.currency),
        "at_stake": exact_text(row.at_stake, company.currency),
    }
