"""`manage.py add_shop`: one seller login of a company on one channel."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.adapter import Adapter
from channels.models import Shop
from channels.registry import channel_choices, get_adapter
from nova.models import Company


class Command(BaseCommand):
    help = "Add a shop to a company. The same again changes nothing; other values for a known code are refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("company", metavar="COMPANY", help="Code of the company.")
        parser.add_argument("code", metavar="CODE", help="Short name of the shop used in commands and addresses.")
        parser.add_argument("--channel", required=True, help=f"One of: {', '.join(code for code, _label in channel_choices())}.")
        parser.add_argument("--region", help="Region of the seller login, as the channel names it; needed where it has several.")
        parser.add_argument("--name", help="Full name; channel, region and code when left out.")
        parser.add_argument(
            "--currency", nargs="+", action="extend", help="Currencies to expect; a document in another one asks first."
        )
        parser.add_argument("--outside-id", help="The channel's id of this shop, when known.")
        parser.add_argument("--json", action="store_true", help="Print the shop as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.filter(code=options["company"]).first()
        if company is None:
            known = ", ".join(Company.objects.order_by("code").values_list("code", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no company {options['company']}; there are: {known}.", returncode=2)
        try:
            adapter = get_adapter(options["channel"].strip().casefold())
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from None
        wanted: dict[str, Any] = {"channel": adapter.code, "region": _region(adapter, options["region"])}
        for name in ("name", "outside_id"):
            if options[name]:
                wanted[name] = options[name].strip()
        if options["currency"]:
            wanted["currencies"] = sorted({part.upper() for text in options["currency"] for part in text.split(",") if part})
        shop = Shop.objects.filter(company=company, code=options["code"]).first()
        created = shop is None
        if shop is None:
            name = f"{adapter.label} {wanted['region']} {options['code']}".replace("  ", " ")
            shop = Shop(company=company, code=options["code"], **{"name": name, **wanted})
            try:
                shop.full_clean()
                for currency in shop.currencies:
                    if len(currency) != 3 or not currency.isalpha():
                        raise ValidationError({"currencies": f"{currency} is not a currency; write three letters such as EUR."})
            except ValidationError as error:
                reasons = [f"{name}: {' '.join(texts)}" for name, texts in sorted(error.message_dict.items())]
                raise CommandError(f"Shop {options['code']} cannot be added. {' '.join(reasons)}", returncode=2) from None
            shop.save()
        else:
            _refuse_other_values(shop, wanted)
        if options["json"]:
            values = {name: getattr(shop, name) for name in ("code", "name", "channel", "region", "currencies", "outside_id")}
            self.stdout.write(json.dumps({"company": company.code, **values, "created": created}, ensure_ascii=False))
            return
        verb = "Added" if created else "Already there, nothing changed:"
        where = f"{adapter.label} {shop.region}".strip()
        self.stdout.write(f"{verb} shop {company.code}/{shop.code} ({shop.name}) on {where}.")


def _region(adapter: Adapter, text: str | None) -> str:
    """The region as the adapter writes it; it need not be said where there is only one, or one for all the world."""
    if text is None and (len(adapter.regions) == 1 or "" in adapter.regions):
        return "" if "" in adapter.regions else next(iter(adapter.regions))
    word = (text or "").strip().upper()
    twins = {"UK": "GB", "GB": "UK"}
    by_word = {**adapter.region_aliases, **{code.upper(): code for code in adapter.regions}}
    found = by_word.get(word, by_word.get(twins.get(word, "")) if word in twins else None)
    if found is None:
        choices = ", ".join(f"{code or '(empty)'} ({label})" for code, label in adapter.regions.items())
        said = f"{adapter.label} has no region {text}" if text else f"Say which region of {adapter.label}"
        raise CommandError(f"{said}; choose --region from: {choices}.", returncode=2)
    return found


def _refuse_other_values(shop: Shop, wanted: dict[str, Any]) -> None:
    """A known shop again: what was said must be what it is; currencies seen since then are no contradiction."""
    other = [
        f"{name.replace('_', ' ')} {getattr(shop, name) or '(none)'}, not {value}"
        for name, value in wanted.items()
        if name != "currencies" and getattr(shop, name) != value
    ]
    missing = sorted(set(wanted.get("currencies", ())) - set(shop.currencies))
    if missing:
        other.append(f"currencies {', '.join(shop.currencies) or '(none)'}, not {', '.join(missing)}")
    if other:
        raise CommandError(f"Shop {shop.code} is known with {'; '.join(other)}. Nothing was changed.")
