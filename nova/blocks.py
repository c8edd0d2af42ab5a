"""The blocks of the first screen: each answers one question of somebody who sits at the desk all day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from channels.models import Shop
from channels.registry import adapters
from ledger.health import shop_health, unmapped_types, unrated_money
from ledger.models import FeeRule, LedgerIntake, ScopeRule
from ledger.pages.statements import unbalanced_statements
from ledger.pnl import Dimension, Question, Report, answer, exact_sum
from ledger.pnl_layout import RowKind, layout
from ledger.pnl_remarks import cost_remark
from ledger.statements import statement_checks
from nova.models import Company

ROWS = 5
ZERO = Decimal(0)
State = LedgerIntake.State


@dataclass
class Line:
    """One row of a block: a link, a note and, if it is about money, an amount."""

    text: str
    link: str
    note: str = ""
    amount: Decimal | None = None
    currency: str = ""


@dataclass
class Block:
    """A card. `quiet` is the one line that stands there when there is nothing to do."""

    key: str
    title: str
    quiet: str
    count: int = 0
    words: str = ""
    tone: str = ""
    amount: Decimal | None = None
    currency: str = ""
    lines: Sequence[Line] = ()
    link: str = ""
    link_text: str = ""
    template: str = "nova/block.html"
    data: Any = None

    @property
    def empty(self) -> bool:
        return not self.count and self.data is None


def unmapped_block(company: Company) -> Block:
    """Fees without a category, with the money at stake."""
    rows = unmapped_types([company.pk])
    worklist = reverse("ledger:worklist", kwargs={"code": company.code})
    return Block(
        "unmapped",
        "Fees without a category",
        "Every fee has a category.",
        count=len(rows),
        words="fee type" if len(rows) == 1 else "fee types",
        tone="is-warn",
        amount=sum((row.absolute for row in rows), ZERO) or None,
        currency=company.currency,
        lines=[
            Line(
                row.name,
                reverse("ledger:fee_type", kwargs={"code": company.code, "pk": row.fee_type_id}),
                f"{_channel(row.channel)}, {row.lines:,} lines{', rate missing' if row.unrated else ''}",
                row.absolute or None,
                company.currency,
            )
            for row in rows[:ROWS]
        ],
        link=worklist,
        link_text="Open the worklist",
    )


def rates_block(company: Company) -> Block:
    """Money that is in no figure, because a currency has no exchange rate on its days."""
    missing = unrated_money([company.pk]).get(company.pk, {})
    return Block(
        "rates",
        "Exchange rates missing",
        f"All money is converted to {company.currency}.",
        count=len(missing),
        words=f"{'currency' if len(missing) == 1 else 'currencies'} without a rate to {company.currency}: in no figure yet",
        tone="is-bad",
        lines=[Line(currency, "", "gross, by month and fee type", amount, currency) for currency, amount in missing.items()],
        link=reverse("admin:nova_exchangerate_changelist"),
        link_text="Open exchange rates",
    )


def documents_block(company: Company) -> Block:
    """Documents that ask something or could not be taken."""
    rows = (
        LedgerIntake.objects.select_related("document", "document__shop")
        .defer("document__body")
        .filter(company=company, state__in=[State.ASKING, State.FAILED])
        .exclude(result__has_key="refused")
        .order_by("-document_id")
    )
    shown = list(rows[: ROWS + 1])
    count = len(shown) if len(shown) <= ROWS else rows.count()
    return Block(
        "documents",
        "Documents that need you",
        "Every document is in the books.",
        count=count,
        words="document" if count == 1 else "documents",
        tone="is-bad" if any(row.state == State.FAILED for row in shown) else "is-warn",
        lines=[
            Line(
                str(row.document),
                reverse("ledger:document", kwargs={"code": company.code, "pk": row.document_id}),
                f"{'Asks' if row.state == State.ASKING else 'Not taken'}: {row.question or row.error}",
            )
            for row in shown[:ROWS]
        ],
        link=reverse("ledger:upload", kwargs={"code": company.code}),
        link_text="Open imports",
    )


def statements_block(company: Company) -> Block:
    """Statements whose lines do not come to their total."""
    ids = unbalanced_statements(company.pk)
    checks = statement_checks(company.pk, ids=ids[:ROWS]) if ids else []
    names = dict(Shop.objects.filter(company=company, pk__in={check.shop_id for check in checks}).values_list("pk", "name"))
    return Block(
        "statements",
        "Statements that do not add up",
        "Every complete statement adds up to its total.",
        count=len(ids),
        words="statement" if len(ids) == 1 else "statements",
        tone="is-bad",
        lines=[
            Line(
                f"{check.outside_id}",
                reverse("ledger:statement", kwargs={"code": company.code, "pk": check.id}),
                f"{names[check.shop_id]}, differs by",
                check.difference,
                check.currency,
            )
            for check in checks
        ],
        link=f"{reverse('ledger:statements', kwargs={'code': company.code})}?only=open",
        link_text="Open these statements",
    )


def inbox_block(company: Company, user: Any) -> Block:
    """Proposals of others that wait for this approver."""
    open_rules = FeeRule.objects.filter(company=company, status=FeeRule.Status.PROPOSED).exclude(author=user)
    scopes = ScopeRule.objects.filter(company=company, status=ScopeRule.Status.PROPOSED).exclude(author=user)
    rules = list(open_rules.select_related("category", "author").order_by("proposed_at", "id")[: ROWS + 1])
    count = (len(rules) if len(rules) <= ROWS else open_rules.count()) + scopes.count()
    inbox = reverse("ledger:inbox", kwargs={"code": company.code})
    return Block(
        "inbox",
        "Waiting for your signature",
        "Nothing waits for your signature.",
        count=count,
        words="proposal" if count == 1 else "proposals",
        tone="is-warn",
        lines=[
            Line(
                f"{rule.name} → {rule.category.name}",
                reverse("ledger:rule", kwargs={"code": company.code, "pk": rule.pk}),
                f"{_channel(rule.channel)}, by {rule.author}",
            )
            for rule in rules[:ROWS]
        ],
        link=inbox,
        link_text="Preview and decide",
    )


def own_proposals_block(company: Company, user: Any) -> Block:
    """What became of the author's own proposals: returned ones first, then those that wait."""
    rows = list(
        FeeRule.objects.filter(company=company, author=user, status__in=[FeeRule.Status.PROPOSED, FeeRule.Status.REJECTED])
        .select_related("category")
        .order_by("status", "-id")[: ROWS * 10]
    )
    returned = [row for row in rows if row.status == FeeRule.Status.REJECTED]
    waiting = [row for row in rows if row.status == FeeRule.Status.PROPOSED]
    return Block(
        "own",
        "Your proposals",
        "None of your proposals waits or was returned.",
        count=len(returned) or len(waiting),
        words="waiting" if not returned else f"returned, {len(waiting)} waiting",
        tone="is-warn" if returned else "",
        lines=[
            Line(
                f"{row.name} → {row.category.name}",
                reverse("ledger:rule", kwargs={"code": company.code, "pk": row.pk}),
                f"returned: {row.decision_reason}" if row.status == FeeRule.Status.REJECTED else "waits for an approver",
            )
            for row in [*returned, *waiting][:ROWS]
        ],
        link=reverse("ledger:inbox", kwargs={"code": company.code}),
        link_text="Open the inbox",
    )


def shops_block(company: Company) -> Block:
    """Shops with something wrong."""
    shops = shop_health([company.pk])
    ill = [shop for shop in shops if shop.problems]
    new = [shop for shop in shops if shop.new and not shop.problems]
    quiet = "Every shop is healthy." if shops else "There is no shop yet."
    if new:
        quiet += f" {', '.join(shop.name for shop in new[:3])} {'waits' if len(new) == 1 else 'wait'} for a first file."
    return Block(
        "shops",
        "Unhealthy shops",
        quiet,
        count=len(ill),
        words=f"of {len(shops)} shops" if len(shops) != 1 else "of 1 shop",
        tone="is-warn",
        lines=[
            Line(
                shop.name,
                f"{reverse('ledger:statements', kwargs={'code': company.code})}?{urlencode({'shop': shop.code})}",
                "; ".join(shop.problems),
            )
            for shop in ill[:ROWS]
        ],
        link=reverse("ledger:upload", kwargs={"code": company.code}),
        link_text="Open imports",
    )


@dataclass(frozen=True)
class ComparedRow:
    """A line of the P&L in two months; a ratio is a fraction, money links to the lines behind it."""

    code: str
    label: str
    now: Decimal | None
    before: Decimal | None
    ratio: bool
    now_link: str
    before_link: str


@dataclass
class Comparison:
    """The latest month beside the last settled one; movers are (category, link to its lines, change)."""

    latest: str
    latest_label: str
    settled: str
    settled_label: str
    currency: str
    rows: list[ComparedRow] = field(default_factory=list)
    movers: list[tuple[str, str, Decimal]] = field(default_factory=list)
    channels: list[tuple[str, Decimal | None]] = field(default_factory=list)
    share_settled: Decimal | None = None
    share_mapped: Decimal | None = None
    cash_side_only: tuple[str, ...] = ()
    as_of: Any = None
    cost_remark: str = ""


_SHOWN = {"net_sales", "contribution_1", "contribution_2", "result"}


def pnl_block(company: Company, *, today: date) -> Block:
    """How we are doing: the latest month against the last settled one, and what moved."""
    address = reverse("ledger:pnl", kwargs={"code": company.code})
    start = date(today.year - 1, today.month, 1)
    report = answer(Question(company, by=(Dimension.MONTH, Dimension.CATEGORY), start=start))
    block = Block(
        "pnl",
        "P&L",
        "There is no money in the last twelve months.",
        link=address,
        link_text="Open the P&L",
        template="nova/block_pnl.html",
    )
    months = sorted({cell.keys[0] for cell in report.cells})
    if not months:
        return block
    latest = months[-1]
    settled = _last_settled(report, [month for month in months if month < latest])
    table = layout(report)
    at = {column: place for place, column in enumerate(table.columns)}
    found = Comparison(
        latest,
        table.labels[at[latest]],
        settled,
        table.labels[at[settled]] if settled else "",
        company.currency,
        share_settled=report.share_settled,
        share_mapped=report.share_mapped,
        cash_side_only=report.cash_side_only,
        as_of=report.as_of,
        cost_remark=cost_remark(report),
    )
    for row in table.rows:
        if row.code in _SHOWN or row.code == "take_rate":
            found.rows.append(
                ComparedRow(
                    row.code,
                    row.label,
                    row.amounts[at[latest]],
                    row.amounts[at[settled]] if settled else None,
                    row.kind is RowKind.RATIO,
                    _lines(company, latest, row.categories),
                    _lines(company, settled, row.categories),
                )
            )
        elif row.kind is RowKind.CATEGORY and settled:
            change = (row.amounts[at[latest]] or ZERO) - (row.amounts[at[settled]] or ZERO)
            if change:
                found.movers.append((row.label, _lines(company, latest, row.categories), change))
    found.movers = sorted(found.movers, key=lambda mover: -abs(mover[2]))[:3]
    found.channels = _take_rates(company, date.fromisoformat(latest), {row.code: row.categories for row in table.rows})
    block.data = found
    return block


def _lines(company: Company, month: str, categories: Sequence[str]) -> str:
    """The fee lines behind a figure of one month."""
    query = urlencode({"month": month, "category": list(categories)}, doseq=True)
    return f"{reverse('ledger:lines', kwargs={'code': company.code})}?{query}"


def _last_settled(report: Report, months: Sequence[str]) -> str:
    """The latest of some months whose money is all settled; without one the latest."""
    for month in reversed(months):
        cells = [cell for cell in report.cells if cell.keys[0] == month]
        if all(cell.settled == cell.amount for cell in cells):
            return month
    return months[-1] if months else ""


def _take_rates(company: Company, month: date, categories: dict[str, tuple[str, ...]]) -> list[tuple[str, Decimal | None]]:
    """What each channel kept of net sales in a month: platform and payment fees over net sales."""
    report = answer(Question(company, by=(Dimension.CHANNEL, Dimension.CATEGORY), start=month))
    fees, sales = set(categories.get("take_rate", ())), set(categories.get("net_sales", ()))
    found = []
    for code in sorted({cell.keys[0] for cell in report.cells}):
        mine = [cell for cell in report.cells if cell.keys[0] == code]
        part = exact_sum(cell.amount for cell in mine if cell.keys[1] in fees)
        whole = exact_sum(cell.amount for cell in mine if cell.keys[1] in sales)
        found.append((_channel(code), -part / whole if whole > 0 else None))
    return found


def _channel(code: str) -> str:
    adapter = adapters().get(code)
    return adapter.label if adapter is not None else code
