"""`manage.py import_file`: take files of a shop into the books."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.columns import as_match
from channels.models import Shop, Upload
from channels.registry import get_adapter
from channels.shops import find_shop
from ledger.import_files import UNCHANGED, FileReport, import_upload
from ledger.models import LedgerIntake

State = LedgerIntake.State
_WORDS = {
    State.TAKEN: "taken",
    UNCHANGED: "unchanged (taken before)",
    State.FAILED: "FAILED",
    State.ASKING: "NEEDS AN ANSWER",
    State.WITHDRAWN: "WITHDRAWN before",
    State.WAITING: "NOT YET taken",
    State.RUNNING: "NOT YET taken",
}


class Command(BaseCommand):
    help = "Import files of a shop: exports, API answers, zip and gzip. Ends with 0 only when every file is in the books."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("shop", metavar="SHOP", help="Code of the shop, or COMPANY/SHOP when several companies have it.")
        parser.add_argument("files", metavar="FILE", nargs="+", help="Files to import.")
        parser.add_argument("--company", default="", help="Code of the shop's company.")
        parser.add_argument(
            "--columns", metavar="FILE", help="JSON of canonical column -> header, for exports whose headers are not known."
        )
        parser.add_argument(
            "--confirm", action="store_true", help="Answer yes where Nova asks whether a file is really of this shop."
        )
        parser.add_argument(
            "--accept-difference",
            action="store_true",
            help="Take a statement whose lines do not add up to its total; the difference becomes a visible line.",
        )
        parser.add_argument("--json", action="store_true", help="Print a report for machines.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            shop = find_shop(options["shop"], company=options["company"])
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from None
        paths = [Path(name) for name in options["files"]]
        for path in paths:
            if not path.is_file():
                what = "is a folder" if path.is_dir() else "does not exist"
                raise CommandError(f"{path} {what}. Nothing was imported.", returncode=2)
        columns = _read_columns(options["columns"]) if options["columns"] else None
        upload = Upload.objects.create(company_id=shop.company_id, shop=shop)
        reports: list[FileReport] = []
        for path in paths:
            try:
                body = path.read_bytes()
            except OSError as error:
                reports.append(FileReport(str(path), State.FAILED, error=f"The file cannot be read: {error.strerror}."))
                self._say(reports[-1], shop, options)
                continue
            for report in import_upload(
                shop=shop,
                filename=path.name,
                body=body,
                upload=upload,
                columns=columns,
                confirm=options["confirm"],
                accept_difference=options["accept_difference"],
            ):
                reports.append(report)
                self._say(report, shop, options)
        done = all(report.taken for report in reports)
        if options["json"]:
            files = [_as_json(report) for report in reports]
            self.stdout.write(
                json.dumps({"company": shop.company.code, "shop": shop.code, "taken": done, "files": files}, ensure_ascii=False)
            )
        elif len(reports) > 1:
            self.stdout.write(f"{sum(report.taken for report in reports)} of {len(reports)} files are in the books.")
        if not done:
            left = [report.file for report in reports if not report.taken]
            raise CommandError(f"Not in the books: {', '.join(left[:10])}{' and more' if len(left) > 10 else ''}.")

    def _say(self, report: FileReport, shop: Shop, options: dict[str, Any]) -> None:
        if options["json"]:
            return
        kinds = get_adapter(shop.channel).kinds
        label = kinds[report.kind].label if report.kind in kinds else "not recognised"
        self.stdout.write(f"{report.file}: {_WORDS.get(report.state, report.state)} - {label}")
        if report.taken:
            counts = [f"{report.new} new", f"{report.unchanged} unchanged", f"{report.replaced} replaced"]
            self.stdout.write(f"  vouchers: {', '.join(counts)}; {report.lines} fee lines")
        if report.statements:
            self.stdout.write(f"  statements: {', '.join(report.statements[:10])}{' ...' if len(report.statements) > 10 else ''}")
        for note in report.notes[:20]:
            self.stdout.write(f"  note: {note}")
        if report.error:
            self.stdout.write(f"  {report.error}")
        if report.question:
            self.stdout.write(f"  {report.question}")
        if report.ask == "confirm":
            self.stdout.write("  Import it again with --confirm to answer yes.")
        elif report.ask == "difference":
            self.stdout.write("  Import it again with --accept-difference to take it with a visible remainder line.")
        elif report.ask == "columns":
            for item in report.suggestions:
                self.stdout.write(f"  {item.column}: {item.header} ({item.level}: {item.reason})")
            if report.missing:
                self.stdout.write(f"  no suggestion for: {', '.join(report.missing)}")
            self.stdout.write(
                '  Save this as a file, fill in or correct it, and import again with --columns FILE ("": not in this file):'
            )
            self.stdout.write(json.dumps(_match(report), ensure_ascii=False, indent=2))


def _match(report: FileReport) -> dict[str, str]:
    """The suggested match as a file for --columns. What is only a guess, and what has no suggestion, is left to be filled in."""
    sure = as_match(item for item in report.suggestions if item.level != "low")
    return {
        **sure,
        **{item.column: "" for item in report.suggestions if item.level == "low"},
        **dict.fromkeys(report.missing, ""),
    }


def _as_json(report: FileReport) -> dict[str, Any]:
    values = asdict(report)
    vouchers = {name: values.pop(name) for name in ("new", "unchanged", "replaced", "closed", "superseded")}
    values["suggestions"] = [{**asdict(item), "level": item.level} for item in report.suggestions]
    return {**values, "vouchers": vouchers, **({"columns": _match(report)} if report.ask == "columns" else {})}


def _read_columns(name: str) -> dict[str, str]:
    """The column match of a JSON file.

    Raises:
        CommandError: it cannot be read, or is not an object of texts.
    """
    try:
        data = json.loads(Path(name).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=2) from None
    except ValueError as error:
        raise CommandError(f"{name} is not JSON: {error}.", returncode=2) from None
    if not isinstance(data, dict) or not all(isinstance(header, str) for header in data.values()):
        raise CommandError(
            f'{name} must be a JSON object of canonical column -> header, such as {{"amount": "Betrag"}}.', returncode=2
        )
    return data
