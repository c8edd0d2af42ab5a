"""The demo: an agency with two companies, their staff, and fourteen months of documents taken through the normal import.

Every step asks what is there already, so that an interrupted demo goes on where it was and a finished one changes nothing.
The documents end with the day before the demo was begun, and are the same every time it runs again.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from channels.models import Shop
from inventory.models import Listing, ListingComponent, Sku
from ledger.approve import approve, propose_pack
from ledger.bulk import ingest_pages
from ledger.intake import import_file
from ledger.models import FeeRule, LedgerIntake
from ledger.rollup import rerate
from nova.demo_data import market, papers, people, rates
from nova.models import Company, Membership, User
from nova.rates import read_rates, store_rates

#: (what is done, how much of it is done, of how much)
Tell = Callable[[str, int, int], None]
#: What stays with the approver, so that the inbox has something to show: the raw names of these rules' fees.
WAITING = ("Storage Fee", "WAREHOUSE_DAMAGE", "FBT_WAREHOUSE_SERVICE_FEE", "refund_administration_fee_amount")
#: Listings that nobody matched with a SKU yet.
UNMATCHED = (("lumen", "LS-BALM"), ("harbour", "HG-BLANKET"))


_MAIL = "@agency.example"


class DemoRefused(Exception):
    """The demo cannot be made in this database; the message says why and what to do."""


@dataclass(frozen=True)
class SignIn:
    """Who may sign in to the demo, and how."""

    username: str
    password: str
    name: str
    role: str
    does: str


def load_demo(*, tell: Tell) -> list[SignIn]:
    """Make or complete the demo. Returns the sign-ins.

    Each step is a transaction of its own (an import: one per document), so it may be interrupted anywhere.

    Raises:
        DemoRefused: the database holds users or companies of these names that are not the demo's.
    """
    tell("Companies and staff", 0, 1)
    with transaction.atomic():
        _refuse_others()
        companies = {entity.code: _make_company(entity) for entity in (people.HARBOUR, people.LUMEN)}
        shops = {(store.company.code, store.code): _make_shop(companies[store.company.code], store) for store in people.STORES}
        sign_ins = _make_staff(list(companies.values()))
    days = papers.span(companies[people.HARBOUR.code].created_at.date())
    tell("Exchange rates", 0, 1)
    _load_rates(days)
    tell("SKUs", 0, 1)
    _make_skus(companies[people.HARBOUR.code], market.HARBOUR)
    _make_skus(companies[people.LUMEN.code], market.LUMEN)
    _import_papers(shops, days, tell)
    tell("Listings", 0, 1)
    for company in companies.values():
        _match_listings(company)
    _decide_fees(companies, tell)
    return sign_ins


def _refuse_others() -> None:
    """The demo gives its users a known password; it must never touch those of a real installation."""
    names = [person.username for person in people.STAFF]
    known = User.objects.filter(username__in=names)
    others = list(known.exclude(email__endswith=_MAIL).values_list("username", flat=True))
    if not others and known.exists():
        return
    codes = [entity.code for entity in (people.HARBOUR, people.LUMEN)]
    others += list(Company.objects.filter(code__in=codes).values_list("code", flat=True))
    if others:
        raise DemoRefused(
            f"This database has {', '.join(sorted(others))} already, which the demo would make and did not. "
            "Give the demo a database of its own: set NOVA_HOME to another folder, or DATABASE_URL to another database."
        )


def _make_company(entity: people.Entity) -> Company:
    company, _created = Company.objects.get_or_create(
        code=entity.code, defaults={"name": entity.name, "currency": entity.currency, "time_zone": entity.time_zone}
    )
    return company


def _make_shop(company: Company, store: people.Store) -> Shop:
    currencies = {"amazon-na": ["CAD", "USD"]}.get(store.code, [company.currency])
    shop, _created = Shop.objects.get_or_create(
        company=company,
        code=store.code,
        defaults={"name": store.name, "channel": store.channel, "region": store.region, "currencies": currencies},
    )
    return shop


def _make_staff(companies: list[Company]) -> list[SignIn]:
    password = demo_password()
    sign_ins = []
    for person in people.STAFF:
        user, _created = User.objects.get_or_create(
            username=person.username,
            defaults={
                "first_name": person.first_name,
                "last_name": person.last_name,
                "email": f"{person.username}{_MAIL}",
                "is_staff": True,
                "is_superuser": not person.role,
            },
        )
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
        if person.role:
            user.groups.add(Group.objects.get(name=person.role))
        for company in companies:
            Membership.objects.get_or_create(company=company, user=user)
        sign_ins.append(SignIn(person.username, password, str(user), person.role or "Superuser", person.does))
    return sign_ins


def demo_password() -> str:
    """The password of all demo users: made once, kept in NOVA_HOME, so that no two machines share one."""
    kept = Path(settings.HOME) / "demo_password"
    try:
        return kept.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        pass
    password = f"harbour-{secrets.token_hex(4)}"
    handle = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{password}\n")
    return password


def _load_rates(days: papers.Span) -> None:
    # A week before the first day, so that a demo that begins on a weekend has a rate for it.
    text = rates.reference_rates(seed=papers.SEED, start=days.start - timedelta(days=7), end=days.today)
    stored = store_rates(read_rates(text), source="Demo")
    if stored.currencies:
        rerate(currencies=stored.currencies, from_day=stored.first_day)


def _make_skus(company: Company, articles: tuple[market.Article, ...]) -> None:
    Sku.objects.bulk_create(
        [
            Sku(
                company=company,
                code=article.sku,
                name=article.name,
                brand=article.brand,
                parent_article=article.parent,
                product_group=article.group,
                tags=list(article.tags),
            )
            for article in articles
            if not article.parts
        ],
        ignore_conflicts=True,
    )


def _import_papers(shops: dict[tuple[str, str], Shop], days: papers.Span, tell: Tell) -> None:
    clerk = User.objects.get(username=people.STAFF[0].username)
    every = list(papers.all_papers(days))
    done = 0
    for (store, kind), batch in groupby(every, key=lambda paper: (paper.store, paper.kind)):
        shop = shops[store.company.code, store.code]
        label = f"Documents of {shop.name}"
        if kind:

            def pages(batch: Iterator[papers.Paper] = batch, label: str = label) -> Iterator[tuple[str, bytes]]:
                nonlocal done
                for paper in batch:
                    tell(label, done, len(every))
                    done += 1
                    yield paper.outside_id, paper.body

            ingest_pages(shop=shop, kind=kind, pages=pages(), pages_per_batch=60)
            continue
        for paper in batch:
            tell(label, done, len(every))
            import_file(shop=shop, body=paper.body, filename=paper.filename, user=clerk, accept_difference=paper.accept)
            done += 1
    tell("Documents", len(every), len(every))


def _match_listings(company: Company) -> None:
    """Say what the listings are made of: an article is its own SKU, a kit shares its money by stand-alone price."""
    skus = {sku.code: sku for sku in Sku.objects.filter(company=company)}
    articles = {article.sku: article for article in (*market.HARBOUR, *market.LUMEN)}
    components = []
    for listing in Listing.objects.filter(company=company, components__isnull=True):
        article = articles.get(listing.code)
        if article is None or (company.code, article.sku) in UNMATCHED:
            continue
        for code, share in article.parts or ((article.sku, "1"),):
            components.append(ListingComponent(company=company, listing=listing, sku=skus[code], share=Decimal(share)))
    ListingComponent.objects.bulk_create(components, ignore_conflicts=True)
    for listing in Listing.objects.filter(company=company, title=""):
        if listing.code in articles:
            listing.title = articles[listing.code].name
            listing.save(update_fields=["title"])


def _decide_fees(companies: dict[str, Company], tell: Tell) -> None:
    """The clerk proposes Nova's defaults, the approver signs most of them; the rest waits in the inbox."""
    clerk = User.objects.get(username=people.STAFF[0].username)
    approver = User.objects.get(username=people.STAFF[1].username)
    stores = sorted({(store.company.code, store.channel) for store in people.STORES})
    for number, (code, channel) in enumerate(stores):
        tell("Fee rules", number, len(stores))
        propose_pack(company=companies[code], author=clerk, channel=channel)
    for company in companies.values():
        ready = FeeRule.objects.filter(company=company, status=FeeRule.Status.PROPOSED, author=clerk).exclude(name__in=WAITING)
        if ids := list(ready.order_by("pk").values_list("pk", flat=True)):
            approve(rule_ids=ids, approver=approver, reason="Checked against the channels' fee pages.")


def demo_problems() -> list[str]:
    """Documents of the demo that were not taken, and why: some are meant to be so."""
    rows = LedgerIntake.objects.filter(company__code__in=[people.HARBOUR.code, people.LUMEN.code]).exclude(
        state=LedgerIntake.State.TAKEN
    )
    return [f"{row.document}: {row.error or row.question}" for row in rows.select_related("document").order_by("pk")]
