"""`manage.py import_rates`: exchange rates from a file of the European Central Bank, and the P&L converted by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.rollup import rerate
from nova.rates import RatesError, read_rates, store_rates


class Command(BaseCommand):
    help = (
        "Import exchange rates from a file of the European Central Bank (eurofxref XML, CSV or ZIP; daily or history) "
        "and convert again what they change in the P&L of every company."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="The file, such as eurofxref-hist.zip.")
        parser.add_argument("--json", action="store_true", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            stored = store_rates(read_rates(path.read_bytes()))
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=2) from None
        except RatesError as error:
            raise CommandError(f"{path.name}: {error}", returncode=1) from None
        companies = rerate(currencies=stored.currencies, from_day=stored.first_day) if stored.currencies else []
        codes = [company.code for company in companies]
        if options["json"]:
            figures = {
                "new": stored.new,
                "changed": stored.changed,
                "unchanged": stored.unchanged,
                "kept": stored.kept,
                "currencies": sorted(stored.currencies),
                "first_day": stored.first_day.isoformat() if stored.first_day else None,
                "last_day": stored.last_day.isoformat() if stored.last_day else None,
                "companies": codes,
            }
            self.stdout.write(json.dumps(figures))
            return
        self.stdout.write(
            f"{stored.new} rates new, {stored.changed} changed, {stored.unchanged} unchanged"
            + (f", {stored.kept} entered by staff and kept" if stored.kept else "")
            + (f"; the latest is of {stored.last_day}." if stored.last_day else ".")
        )
        if codes:
            self.stdout.write(f"Converted again: {', '.join(codes)}.")
