"""`manage.py bench ingest|pnl`: Nova against its anchors, in a database of its own."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from nova.bench.database import bench_database


class Command(BaseCommand):
    help = "Measures imports (ingest) and the P&L's queries (pnl) in a database of its own, which is dropped afterwards."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True)
        ingest = parts.add_parser("ingest", help="Documents to rollup, against raw COPY and bulk_create of the same rows.")
        ingest.add_argument("--lines", type=int, default=1_000_000, help="Fee lines to import (default 1000000).")
        pnl = parts.add_parser("pnl", help="The P&L page's queries, against DuckDB over the same rows.")
        pnl.add_argument("--lines", type=int, default=10_000_000, help="Fee lines to stand behind the rollup (default 10000000).")
        for part in (ingest, pnl):
            part.add_argument("--json", action="store_true", help="Print the figures as JSON.")

    def handle(self, **options: Any) -> None:
        def say(text: str) -> None:
            (self.stderr if options["json"] else self.stdout).write(text)

        with bench_database():
            if options["part"] == "ingest":
                from nova.bench.ingest import bench_ingest

                figures: Any = bench_ingest(lines=options["lines"], say=say)
            else:
                from nova.bench.pnl import bench_pnl

                figures = bench_pnl(lines=options["lines"], say=say)
        found = asdict(figures)
        if options["json"]:
            self.stdout.write(json.dumps(found))
            return
        for name, value in found.items():
            shown = (
                f"{value:,.3f}"
                if isinstance(value, float) and value < 100
                else f"{value:,.0f}"
                if isinstance(value, float)
                else value
            )
            self.stdout.write(f"{name.replace('_', ' '):>24}  {shown}")
