"""Every document of the demo, made when it is asked for: which shop got which file, in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from nova.demo_data import amazon, market, people, shopify, tiktok

SEED = "harbour"
MONTHS = 14


@dataclass(frozen=True)
class Paper:
    """A file for a shop. `accept` says that staff take it although it does not add up, `kind` a page of an API."""

    store: people.Store
    filename: str
    body: bytes
    accept: bool = False
    kind: str = ""
    outside_id: str = ""


@dataclass(frozen=True)
class Span:
    """The days of the demo: the first of a month `MONTHS` ago until before `today`."""

    start: date
    today: date


def span(today: date) -> Span:
    """The span that ends with the day before `today`."""
    month = today.year * 12 + today.month - 1 - MONTHS
    return Span(date(month // 12, month % 12 + 1, 1), today)


def all_papers(days: Span) -> Iterator[Paper]:
    """All documents of all shops. The same span gives the same bytes."""
    yield from amazon_papers(days)
    yield from tiktok_papers(days)
    yield from shopify_papers(days)


def amazon_papers(days: Span) -> Iterator[Paper]:
    """Settlements of three marketplaces, finances transactions of what is not settled yet, and two files with trouble."""
    sites = (
        (people.HARBOUR_AMAZON, amazon.US, market.HARBOUR, 9.0, Decimal(1), "0.07"),
        (people.HARBOUR_AMAZON, amazon.CANADA, market.HARBOUR, 3.0, Decimal("1.35"), "0.13"),
        (people.LUMEN_AMAZON, amazon.GERMANY, market.LUMEN, 4.0, Decimal(1), "0"),
    )
    for store, site, articles, per_day, factor, tax in sites:
        seed = f"{SEED}/{site.name}"
        sales = market.make_sales(
            seed=seed, articles=articles, start=days.start, end=days.today, per_day=per_day, factor=factor, tax_rate=Decimal(tax)
        )
        closed = amazon.settlements(seed=seed, market=site, sales=sales, start=days.start, end=days.today)
        for number, settlement in enumerate(closed):
            last = number == len(closed) - 1
            if last and site is amazon.CANADA:
                # Cut off on its way: kept as failed, with the line and the reason.
                yield Paper(store, f"settlement-{settlement.id}.txt", _cut_off(settlement.body))
            elif last and site is amazon.GERMANY:
                # Says more than its lines: taken by somebody's decision, the rest stays visible.
                wrong = settlement.body.replace(f"\t{settlement.total}\t".encode(), f"\t{settlement.total + 10}\t".encode(), 1)
                yield Paper(store, f"settlement-{settlement.id}.txt", wrong, accept=True)
            else:
                yield Paper(store, f"settlement-{settlement.id}.txt", settlement.body)
        tail = closed[-1].end if closed else days.start
        if tail < days.today:
            yield Paper(
                store,
                f"finances-{site.name.lower()}-{tail}.json",
                amazon.finances(seed=seed, market=site, sales=sales, start=tail, end=days.today),
            )


def _cut_off(body: bytes) -> bytes:
    """Two thirds of a file, ending inside a row."""
    return body[: body.rfind(b"\n", 0, len(body) * 2 // 3) + 60]


def tiktok_papers(days: Span) -> Iterator[Paper]:
    """The statements of every day with their transactions, the payments, and what is not settled yet."""
    seed = f"{SEED}/tiktok"
    sales = market.make_sales(
        seed=seed,
        articles=market.HARBOUR,
        start=days.start,
        end=days.today,
        per_day=13,
        growth=1.1,
        creator_share=0.62,
        refund_rate=0.06,
    )
    wrong_on = days.today - timedelta(days=11)
    found = tiktok.statements(seed=seed, sales=sales, start=days.start, end=days.today, wrong_on=wrong_on)
    store = people.HARBOUR_TIKTOK
    for row in found:
        yield Paper(store, "", row.body, kind="statement_transactions", outside_id=row.id)
    midnight = datetime.combine(days.today, time(), UTC)
    yield Paper(store, "statements.json", tiktok.statement_list(found))
    yield Paper(store, "payments.json", tiktok.payments(found, paid_until=midnight))
    yield Paper(store, "unsettled.json", tiktok.unsettled(seed=seed, sales=sales, today=days.today))


def shopify_papers(days: Span) -> Iterator[Paper]:
    """Orders export, payouts and balance transactions of two stores."""
    for store, articles, currency, per_day in (
        (people.HARBOUR_SHOPIFY, market.HARBOUR, "USD", 5.0),
        (people.LUMEN_SHOPIFY, market.LUMEN, "EUR", 3.0),
    ):
        seed = f"{SEED}/{store.name}"
        sales = market.make_sales(seed=seed, articles=articles, start=days.start, end=days.today, per_day=per_day)
        payouts, transactions = shopify.payouts(seed=seed, currency=currency, sales=sales, start=days.start, end=days.today)
        yield Paper(
            store, "orders_export.csv", shopify.orders_export(seed=seed, currency=currency, sales=sales, today=days.today)
        )
        yield Paper(store, "payouts.json", payouts)
        yield Paper(store, "balance_transactions.json", transactions)
