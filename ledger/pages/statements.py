"""Statements and whether their lines add up to what the channel says."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.core.paginator import Paginator
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from channels.models import Shop
from channels.registry import get_adapter
from ledger.models import Statement
from ledger.statements import statement_checks
from nova.models import Company
from nova.pages import company_page, render_page

PER_PAGE = 50


@company_page(permission="ledger.view_statement")
def statements_page(request: HttpRequest, company: Company) -> HttpResponse:
    """All statements of a company or of one shop, the latest first; `?only=open` leaves those that do not add up."""
    shops = list(Shop.objects.filter(company=company).order_by("name"))
    shop = next((row for row in shops if row.code == request.GET.get("shop")), None)
    rows = Statement.objects.filter(company=company).order_by("-closed_at", "-id")
    if shop is not None:
        rows = rows.filter(shop=shop)
    only_open = request.GET.get("only") == "open"
    if only_open:
        rows = rows.filter(pk__in=unbalanced_statements(company.pk))
    page = Paginator(rows.values_list("pk", flat=True), PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "ledger/statements.html",
        title="Statements",
        company=company,
        shops=shops,
        shop_names={row.pk: row.name for row in shops},
        shop=shop,
        only_open=only_open,
        page=page,
        checks=statement_checks(company.pk, ids=list(page.object_list)) if page.object_list else [],
    )


@company_page(permission="ledger.view_statement")
def statement_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """One statement: its identity step by step, its payout, its documents."""
    statement = (
        Statement.objects.select_related("shop", "payout", "document")
        .defer("document__body")
        .filter(company=company, pk=pk)
        .first()
    )
    if statement is None:
        raise Http404("No such statement.")
    check = statement_checks(company.pk, ids=[statement.pk])[0]
    adapter = get_adapter(statement.shop.channel)
    parts = statement_parts(company.pk, statement.pk)
    return render_page(
        request,
        "ledger/statement.html",
        title=str(statement),
        company=company,
        statement=statement,
        check=check,
        parts=parts,
        lines_total=sum(part.lines for part in parts),
        amount_total=sum((part.amount for part in parts), Decimal(0)),
        outside_url=adapter.outside_url("statement", statement.outside_id, statement.shop.region),
    )


@dataclass(frozen=True)
class Part:
    """The money of one fee type in a statement, in the statement's currency. `category` is "" while it is unmapped."""

    path: str
    name: str
    context: str
    category: str
    lines: int
    amount: Decimal


def statement_parts(company_id: int, statement_id: int) -> list[Part]:
    """What a statement is made of by fee type, the largest amounts first; categories as mapped for its event months."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT type.path, type.name, type.context,
                coalesce(string_agg(DISTINCT category.name, ' / '), ''), sum(day.lines), sum(day.amount)
            FROM ledger_pnlday day
            JOIN ledger_feetype type ON type.id = day.fee_type_id
            LEFT JOIN ledger_mapping mapping ON mapping.company_id = day.company_id AND mapping.fee_type_id = day.fee_type_id
                AND mapping.known_to IS NULL AND mapping.valid_from <= day.event_on AND mapping.valid_to > day.event_on
            LEFT JOIN ledger_feecategory category ON category.id = mapping.category_id
            WHERE day.company_id = %s AND day.statement_id = %s
            GROUP BY type.id HAVING sum(day.lines) <> 0 OR sum(day.amount) <> 0
            ORDER BY abs(sum(day.amount)) DESC, type.id
            """,
            [company_id, statement_id],
        )
        return [
            Part(path, name, context, category, int(lines), amount)
            for path, name, context, category, lines, amount in cursor.fetchall()
        ]


def unbalanced_statements(company_id: int) -> list[int]:
    """Ids of complete statements whose lines, without the visible remainder, do not come to the total; the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT day.statement_id
            FROM ledger_pnlday day
            WHERE day.company_id = %s AND day.state = 'settled' AND day.statement_id IS NOT NULL
                AND day.fee_type_id IN (SELECT id FROM ledger_feetype WHERE path = 'statement' AND context = 'remainder')
            GROUP BY day.statement_id HAVING sum(day.amount) <> 0
            ORDER BY day.statement_id DESC
            """,
            [company_id],
        )
        return [row[0] for row in cursor.fetchall()]


urlpatterns = [
    path("statements/", statements_page, name="statements"),
    path("statements/<int:pk>/", statement_page, name="statement"),
]
