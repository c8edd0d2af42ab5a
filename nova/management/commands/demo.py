"""`manage.py demo`: two companies with staff and fourteen months of documents, the P&L in the terminal, the admin served."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ledger.pnl_print import as_values, remarks
from nova.demo import DemoRefused, SignIn, Tell, demo_problems, load_demo
from nova.demo_data import people
from nova.demo_table import month_report, terminal_table
from nova.management.commands.up import add_address_arguments
from nova.models import Company
from nova.postgres import PostgresError
from nova.running import PortTaken, open_port, prepare, serve, web_address


class Command(BaseCommand):
    help = (
        "Fills Nova with demo companies, prints their P&L and the sign-ins, and serves the admin. Safe to interrupt and repeat."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_address_arguments(parser)
        parser.add_argument("--exit", action="store_true", help="Stop after printing; do not serve.")
        parser.add_argument("--json", action="store_true", help="Print P&L and sign-ins as JSON (amounts as strings).")

    def handle(self, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo makes companies and users; it does not run with NOVA_PRODUCTION.")
        listener = None
        try:
            listener = None if options["exit"] else open_port(host=options["host"], port=options["port"])
            console = Console(stderr=options["json"], highlight=False)
            prepare(say=console.print)
            with _progress(console) as tell:
                sign_ins = load_demo(tell=tell)
        except (PortTaken, PostgresError, DemoRefused) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run it again, it goes on where it was.", returncode=130) from None
        self._print(console, sign_ins, json_wanted=options["json"])
        if listener is None:
            return
        console.print(f"\nNova is at {web_address(listener)} - sign in as one of the above. Ctrl-C stops it.")
        if code := serve(listener=listener, say=console.print):
            sys.exit(code)

    def _print(self, console: Console, sign_ins: list[SignIn], *, json_wanted: bool) -> None:
        companies = [Company.objects.get(code=entity.code) for entity in (people.LUMEN, people.HARBOUR)]
        reports = {company.code: month_report(company) for company in companies}
        if json_wanted:
            found = {
                "sign_ins": [asdict(row) for row in sign_ins],
                "pnl": {code: as_values(report) for code, report in reports.items()},
                "problems": demo_problems(),
            }
            self.stdout.write(json.dumps(found, ensure_ascii=False))
            self.stdout.flush()
            return
        for report in reports.values():
            console.print()
            console.print(terminal_table(report, columns=max(2, min(12, (console.width - 44) // 10))))
            for sentence in remarks(report):
                console.print(sentence, soft_wrap=True)
        console.print("\nLeft for you to find, on purpose:")
        for problem in demo_problems():
            console.print(f"  {problem}", markup=False)
        console.print("  fees that wait for the approver, fees that no rule knows, and listings without a SKU\n")
        table = Table(title="Sign-ins", title_justify="left", pad_edge=False)
        for header in ("user", "password", "name", "role", "does"):
            table.add_column(header, no_wrap=header != "does")
        for row in sign_ins:
            table.add_row(row.username, row.password, row.name, row.role, row.does)
        console.print(table)


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """A bar on a terminal; a line for every new step elsewhere."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("Demo", total=None)
            yield lambda what, done, total: progress.update(bar, description=what, completed=done, total=total)
        return
    seen: list[str] = []

    def tell(what: str, done: int, total: int) -> None:
        if what not in seen[-1:]:
            seen.append(what)
            console.print(f"{what} ..." if total == 1 else f"{what}: {done} of {total} ...")

    yield tell
