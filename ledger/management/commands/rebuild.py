"""`manage.py rebuild`: make rollups anew from the lines, or read all documents again with today's parsers."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.intake import retake_documents
from ledger.rollup import compact_days, rebuild_rollups
from nova.models import Company


class Command(BaseCommand):
    help = "Rebuild the P&L rollups from the fee lines, or (--documents) the fee lines from the stored documents."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("company", nargs="*", help="Company codes; all companies when none is given.")
        parser.add_argument("--documents", action="store_true", help="Read every taken document again; unchanged vouchers stay.")
        parser.add_argument("--compact", action="store_true", help="Only merge the day rows; nothing is recomputed.")
        parser.add_argument("--json", action="store_true", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("code")
        if options["company"]:
            companies = companies.filter(code__in=options["company"])
            missing = set(options["company"]) - set(companies.values_list("code", flat=True))
            if missing:
                raise CommandError(f"There is no company {', '.join(sorted(missing))}.")
        results = []
        for company in companies:
            row: dict[str, Any] = {"company": company.code}
            if options["documents"]:
                row["documents"] = retake_documents(company=company).as_dict()
            if options["compact"]:
                row["days"] = compact_days(company=company)
            else:
                row |= rebuild_rollups(company=company)
            results.append(row)
            if not options["json"]:
                self.stdout.write(
                    f"{company.code}: " + ", ".join(f"{key} {value}" for key, value in row.items() if key != "company")
                )
        if options["json"]:
            self.stdout.write(json.dumps(results))
