"""`manage.py add_company`: a legal entity whose books Nova keeps."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from nova.models import Company, Membership, User


class Command(BaseCommand):
    help = "Add a company. The same again changes nothing; other values for a known code are refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", metavar="CODE", help="Short name used in commands and addresses.")
        parser.add_argument("--currency", required=True, help="Base currency of the books, such as EUR.")
        parser.add_argument("--name", help="Full name; the code when left out.")
        parser.add_argument("--time-zone", help="Zone in which days and months of the P&L are cut (default UTC).")
        parser.add_argument(
            "--member", metavar="USER", action="append", default=[], help="User who may see and work on it; may be repeated."
        )
        parser.add_argument("--json", action="store_true", help="Print the company as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        code = options["code"]
        users = {user.username: user for user in User.objects.filter(username__in=options["member"])}
        if unknown := sorted(set(options["member"]) - users.keys()):
            raise CommandError(f"There is no user {', '.join(unknown)}. Nothing was changed.", returncode=2)
        wanted = {
            "currency": options["currency"].strip().upper(),
            **({"name": options["name"].strip()} if options["name"] else {}),
            **({"time_zone": options["time_zone"].strip()} if options["time_zone"] else {}),
        }
        company = Company.objects.filter(code=code).first()
        created = company is None
        if company is None:
            company = Company(code=code, **{"name": code, **wanted})
            try:
                company.full_clean()
            except ValidationError as error:
                reasons = [f"{name}: {' '.join(texts)}" for name, texts in sorted(error.message_dict.items())]
                raise CommandError(f"Company {code} cannot be added. {' '.join(reasons)}", returncode=2) from None
            company.save()
        else:
            other = [
                f"{name.replace('_', ' ')} {getattr(company, name)}, not {value}"
                for name, value in wanted.items()
                if getattr(company, name) != value
            ]
            if other:
                raise CommandError(f"Company {code} is known with {'; '.join(other)}. Nothing was changed.")
        for user in users.values():
            Membership.objects.get_or_create(company=company, user=user)
        if options["json"]:
            values = {name: getattr(company, name) for name in ("code", "name", "currency", "time_zone")}
            self.stdout.write(json.dumps({**values, "created": created}, ensure_ascii=False))
            return
        verb = "Added" if created else "Already there, nothing changed:"
        self.stdout.write(
            f"{verb} company {company.code} ({company.name}), books in {company.currency}, days in {company.time_zone}."
        )
