"""`manage.py pnl`: the P&L of a company in the terminal or as JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from ledger.models.rollups import Clock
from ledger.pnl import UNIFIED, Dimension, Question, answer
from ledger.pnl_print import as_values, print_report
from ledger.pnl_question import read_dimension
from nova.models import Company

_NOTHING = "-"


class Command(BaseCommand):
    help = "Print the P&L of a company by any nesting of dimensions. Exit codes: 0 done, 2 wrong arguments."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("company", metavar="COMPANY", help="Code of the company.")
        parser.add_argument(
            "--by",
            default="month,category",
            help=f"Dimensions, comma-separated: {', '.join(Dimension)}. Default: month,category.",
        )
        parser.add_argument("--clock", default="event", choices=Clock.values, help="Which date decides the period.")
        parser.add_argument("--from", dest="start", metavar="DAY", help="First day, such as 2026-01-01.")
        parser.add_argument("--to", dest="end", metavar="DAY", help="The day after the last one.")
        parser.add_argument("--currency", default="", help="Translate into this currency; default: the company's.")
        parser.add_argument("--scope", default=UNIFIED, help="unified, or a channel's code for that channel's own page.")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="DIMENSION=KEY",
            help=f"Only the money with this key, such as shop=us or category=plt.referral; repeat for more. {_NOTHING} is what has none.",
        )
        parser.add_argument(
            "--known-at", metavar="TIME", help="Under the rules as they were known then, such as 2026-03-31T12:00Z."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON; amounts are strings.")

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.filter(code=options["company"]).first()
        if company is None:
            raise CommandError(f"There is no company {options['company']}.", returncode=2)
        try:
            question = Question(
                company=company,
                by=tuple(read_dimension(word.strip()) for word in options["by"].split(",") if word.strip()),
                clock=Clock(options["clock"]),
                scope=options["scope"],
                currency=options["currency"],
                start=_day(options["start"]),
                end=_day(options["end"]),
                filters=_filters(options["only"]),
                known_at=_moment(options["known_at"]),
            )
            report = answer(question)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(as_values(report), ensure_ascii=False))
        else:
            print_report(report, Console(file=cast(Any, self.stdout)._out))


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day such as 2026-01-31.") from None


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time such as 2026-03-31T12:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _filters(words: list[str]) -> dict[Dimension, tuple[str, ...]]:
    filters: dict[Dimension, tuple[str, ...]] = {}
    for word in words:
        name, sign, key = word.partition("=")
        if not sign:
            raise ValueError(f"{word!r} is no filter such as shop=us.")
        dimension = read_dimension(name)
        filters[dimension] = (*filters.get(dimension, ()), "" if key == _NOTHING else key)
    return filters
