"""The fee lines behind a figure: they add up to it, each leads to its order, statement and place in the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from ledger.models import Mapping, Section
from ledger.pages.asked import CLOCK_WORDS, NONE, WORDS, Asked, read_address
from ledger.pages.exports import about, csv_response, file_name, xlsx_response
from ledger.pages.words import column_label, in_sentence
from ledger.pnl import UNIFIED, Dimension, Question
from ledger.pnl_lines import LineRow, lines_behind
from ledger.pnl_question import PERIODS
from nova.models import Company
from nova.pages import company_page, render_page

PER_PAGE = 50
EXPORT_PAGE = 5_000


@dataclass(frozen=True)
class Figure:
    """The figure whose lines are asked for: the P&L's question, the keys of its row and column, its lines of the P&L."""

    asked: Asked
    keys: tuple[tuple[Dimension, str], ...]
    sections: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def question(self) -> Question:
        """What the engine is asked; the lines of the P&L become a filter beside those of the page."""
        question = self.asked.question(*[dimension for dimension, _key in self.keys])
        if not self.sections:
            return question
        given = question.filters.get(Dimension.SECTION)
        sections = tuple(section for section in self.sections if given is None or section in given)
        # No line of the P&L can be both; an impossible pair of filters says so without a special case below.
        return replace(question, filters={**question.filters, Dimension.SECTION: sections or (Section.MEMO.value,)})

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(key for _dimension, key in self.keys)

    def query(self) -> str:
        """The address of this figure, without page and format."""
        pairs = [(f"key.{dimension}", key or NONE) for dimension, key in self.keys]
        pairs += [("lines_of", section) for section in self.sections]
        return "&".join(part for part in (self.asked.query(), urlencode(pairs)) if part)


def read_figure(company: Company, parameters: QueryDict) -> Figure:
    """Read the address of the lines page. Never raises: what cannot be read is named in `problems`."""
    asked = read_address(company, parameters)
    problems = list(asked.problems)
    keys = []
    for name in parameters:
        if not name.startswith("key."):
            continue
        word = name.removeprefix("key.")
        if word not in {str(dimension) for dimension in Dimension}:
            problems.append(f"“{word[:40]}” is nothing that a P&L is broken down by.")
            continue
        value = parameters.get(name, "")
        keys.append((Dimension(word), "" if value == NONE else value))
    sections = tuple(dict.fromkeys(parameters.getlist("lines_of")))
    strange = [section for section in sections if section not in Section.values]
    if strange:
        problems.append(f"“{strange[0][:40]}” is no line of the P&L.")
        sections = ()
    return Figure(asked, tuple(keys), sections, tuple(problems))


@company_page(permission="ledger.view_feeline")
@require_safe
def lines_page(request: HttpRequest, company: Company) -> HttpResponseBase:
    """GET /c/<code>/lines/ with the words of the P&L page, `key.<dimension>` of the figure, `lines_of` sections, `after`."""
    figure = read_figure(company, request.GET)
    problems = list(figure.problems)
    page = None
    if not problems:
        try:
            export = request.GET.get("format", "")
            if export in ("csv", "xlsx"):
                return _export(figure, export)
            page = lines_behind(figure.question, figure.values, after=request.GET.get("after") or None, limit=PER_PAGE)
        except ValueError as error:
            problems.append(str(error))
    context: dict[str, Any] = {}
    known: dict[tuple[Dimension, str], str] = {}
    if page is not None:
        known = _labels(page.rows)
        rules = rules_of(company=company, rows=page.rows, asked=figure.asked)
        context = {
            "page": page,
            "rows": [(row, rules.get(row.id)) for row in page.rows],
            "translated": any(row.currency != page.currency or row.share != 1 for row in page.rows),
            "next": f"{figure.query()}&{urlencode({'after': page.after})}" if page.after else "",
            "first": not request.GET.get("after"),
        }
    return render_page(
        request,
        "ledger/lines.html",
        title=_title(figure, known),
        company=company,
        figure=figure,
        facts=_facts(figure, known),
        problems=problems,
        status=400 if problems else 200,
        is_fullwidth="1",
        query=figure.query(),
        back=f"{reverse('ledger:pnl', kwargs={'code': company.code})}?{figure.asked.query()}",
        back_words="Back to the P&L",
        clock_word=CLOCK_WORDS[figure.asked.clock],
        currency=figure.asked.currency or company.currency,
        **context,
    )


def rules_of(*, company: Company, rows: Sequence[LineRow], asked: Asked) -> dict[int, int]:
    """The rule that decided the category of each line, by line id; one query, none for lines on no approved rule."""
    types = {row.fee_type_id for row in rows}
    if not types:
        return {}
    mappings = Mapping.objects.filter(company=company, fee_type__in=types)
    if asked.known_at is None:
        mappings = mappings.filter(known_to__isnull=True)
    else:
        mappings = mappings.filter(known_from__lte=asked.known_at).filter(
            Q(known_to__isnull=True) | Q(known_to__gt=asked.known_at)
        )
    known = list(mappings.values_list("fee_type_id", "valid_from", "valid_to", "rule_id"))
    found = {}
    for row in rows:
        month = row.event_on.replace(day=1)
        for fee_type, valid_from, valid_to, rule in known:
            if fee_type == row.fee_type_id and valid_from <= month < valid_to:
                found[row.id] = rule
    return found


Labels = dict[tuple[Dimension, str], str]


def _labels(rows: Sequence[LineRow]) -> Labels:
    """Words for keys, as the lines themselves tell them."""
    labels: Labels = {}
    for row in rows:
        labels[Dimension.CATEGORY, row.category] = row.category_name
        labels[Dimension.FEE_TYPE, str(row.fee_type_id)] = row.fee_type
    return labels


def _title(figure: Figure, labels: Labels) -> str:
    words = [_word(dimension, key, labels) for dimension, key in figure.keys]
    if not words and len(figure.sections) == 1:
        words = [str(Section(figure.sections[0]).label)]
    return f"Fee lines: {', '.join(words)}" if words else "Fee lines"


def _word(dimension: Dimension, key: str, labels: Labels) -> str:
    if dimension in PERIODS:
        try:
            return column_label(dimension, key)
        except ValueError:
            return key[:40]
    if dimension is Dimension.SECTION and key in Section.values:
        return str(Section(key).label)
    return labels.get((dimension, key)) or key or f"no {in_sentence(WORDS[dimension])}"


def _facts(figure: Figure, labels: Labels) -> list[tuple[str, str]]:
    """What narrows the figure, as (word, value)."""
    asked = figure.asked
    facts = [(WORDS[dimension], _word(dimension, key, labels)) for dimension, key in figure.keys]
    if figure.sections:
        facts.append(("Lines of the P&L", ", ".join(str(Section(section).label) for section in figure.sections)))
    facts += [(WORDS[name], ", ".join(_word(name, value, labels) for value in values)) for name, values in asked.filters.items()]
    if asked.start or asked.last:
        facts.append(("Period", f"{asked.start or 'begin'} to {asked.last or 'now'}"))
    if asked.scope != UNIFIED:
        facts.append(("Scope", f"{asked.scope} alone"))
    if asked.known_at:
        facts.append(("Rules as of", f"{asked.known_at:%Y-%m-%d %H:%M} UTC"))
    return facts


# Export -------------------------------------------------------------------------------------------------------------

_HEADER = (
    "Line", "Event on", "Posted on", "Paid on", "Shop", "Channel", "Marketplace", "Fee type", "Category", "Category name", "Mapped",
    "Listing", "Units", "Amount", "Currency", "Part", "Rate", "Amount in", "Order", "Voucher", "Version", "Statement", "Document",
    "Row", "State", "Date provisional",
)  # fmt: skip


def all_lines(figure: Figure) -> Iterator[LineRow]:
    """Every line of the figure, read page by page."""
    after: str | None = None
    while True:
        page = lines_behind(figure.question, figure.values, after=after, limit=EXPORT_PAGE)
        yield from page.rows
        if not page.after:
            return
        after = page.after


def _export(figure: Figure, kind: str) -> HttpResponseBase:
    lines_behind(figure.question, figure.values, limit=1)  # refuse what cannot be asked before the first byte is sent
    company = figure.asked.company
    currency = figure.asked.currency or company.currency
    name = file_name(figure.asked, kind, "lines")
    if kind == "csv":
        return csv_response(_export_rows(all_lines(figure), currency, plain=True), name)
    notes = [*about(figure.asked), *[(f"Figure: {word}", value) for word, value in _facts(figure, {})]]
    return xlsx_response(_export_rows(all_lines(figure), currency, plain=False), name, about=notes)


def _export_rows(lines: Iterable[LineRow], currency: str, *, plain: bool) -> Iterator[list[Any]]:
    yield [f"{word} {currency}" if word == "Amount in" else word for word in _HEADER]
    for line in lines:
        yield [
            line.id, line.event_on, line.posted_on, line.paid_on, line.shop, line.channel, line.marketplace, line.fee_type,
            line.category, line.category_name, "yes" if line.mapped else "no", line.listing, line.quantity,
            line.amount if plain else (line.amount, line.currency), line.currency,
            line.share if plain else (line.share, ""), line.rate if plain or line.rate is None else (line.rate, ""),
            line.converted if plain or line.converted is None else (line.converted, currency),
            line.order_ref, line.voucher, line.version, line.statement, line.document_id, line.row, line.state,
            "yes" if line.provisional else "no",
        ]  # fmt: skip


urlpatterns = [path("lines/", lines_page, name="lines")]
