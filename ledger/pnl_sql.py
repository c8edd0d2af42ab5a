"""The SQL of the P&L: from rollup rows or fee lines to amounts in one currency, with a category and, where asked, a SKU.

Three sources give the same figures, row for row of what they hold: the month rollups (whole months, base currency), the
day rollup (any period, the paid clock, any currency), and the fee lines themselves (what stands behind a cell).

`compose` writes common table expressions up to `placed`, whose columns are `k0`, `k1`, ... (the key columns of the
dimensions asked for), `fee_type_id`, `currency`, `mapped`, `settled` and the measures. Amounts stay exact: base amounts
have fourteen decimals, and the weights by which a listing's money goes to SKUs have eight and add up to one, the largest
taking the remainder; so any grouping of lines, days or months adds up to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any

from ledger.models.rollups import Clock
from ledger.pnl_frame import OUTSIDE, Frame
from ledger.pnl_question import ARTICLES, PERIODS, UNIFIED, Condition, Dimension, Question, period_end

SUMS = """
    trim_scale(coalesce(sum(amount), 0)) AS amount,
    trim_scale(coalesce(sum(amount) FILTER (WHERE settled), 0)) AS settled_amount,
    trim_scale(coalesce(sum(amount) FILTER (WHERE NOT mapped), 0)) AS unmapped_amount,
    trim_scale(coalesce(sum(provisional), 0)) AS provisional_amount,
    coalesce(sum(quantity), 0) AS quantity,
    coalesce(sum(lines), 0) AS lines
"""


class Source(Enum):
    """Where the money is read."""

    MONTHS = "months"
    DAYS = "days"
    LINES = "lines"


@dataclass(frozen=True)
class Plan:
    """One reading: `by` are the dimensions that become key columns, `conditions` what is left in.

    `extra` are columns of the source that `placed` shall carry (of days: event_on; of lines: id, event_on). Lines come from
    a common table expression `wanted`, which the caller adds first. `event_days` bounds the event day, both ends included.
    """

    question: Question
    frame: Frame
    by: tuple[Dimension, ...]
    conditions: tuple[Condition, ...]
    source: Source
    extra: tuple[str, ...] = ()
    event_days: tuple[date | None, date | None] = (None, None)

    @property
    def wanted(self) -> frozenset[Dimension]:
        return frozenset(self.by) | {condition.dimension for condition in self.conditions}

    @property
    def by_listing(self) -> bool:
        return Dimension.LISTING in self.wanted or self.by_article

    @property
    def needs_listing(self) -> bool:
        """The listing must be known after the source is read, not only be used to read it."""
        return Dimension.LISTING in self.by or self.by_article or (self.by_listing and self.frame.listing_ids is None)

    @property
    def by_article(self) -> bool:
        return bool(self.wanted & ARTICLES)


def choose_source(
    question: Question, conditions: Sequence[Condition], frame: Frame, *, by: tuple[Dimension, ...] | None = None
) -> Source:
    """Months where whole months in base currency are asked for and no SKU component changes inside a month.

    `by` stands for the question's own breakdown where another one is read.
    """
    wanted = {condition.dimension for condition in conditions} | set(question.by if by is None else by)
    whole = all(day is None or day.day == 1 for day in (question.start, question.end))
    if (
        question.clock == Clock.PAID
        or question.report_currency != question.company.currency
        or not whole
        or wanted & {Dimension.WEEK, Dimension.DAY}
        or (wanted & ARTICLES and frame.dated == "day")
    ):
        return Source.DAYS
    return Source.MONTHS


@dataclass
class Statement:
    """SQL under construction: common table expressions and their parameters."""

    parts: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, text: str, *, materialized: bool = False) -> None:
        self.parts.append(f"{name} AS {'MATERIALIZED ' if materialized else ''}({text})")

    def value(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"

    def having(self, select: str) -> str:
        return f"WITH {', '.join(self.parts)} {select}"


def compose(plan: Plan, statement: Statement | None = None) -> Statement:
    """The statement up to `placed`, going on from what the caller has put into it."""
    statement = statement or Statement()
    statement.parameters |= {
        "company": plan.question.company.pk,
        "clock": str(plan.question.clock),
        "target": plan.question.report_currency,
        "known_at": plan.question.known_at,
    }
    columns = _columns(plan)
    if plan.source is Source.MONTHS:
        _month_facts(plan, statement, columns)
    else:
        _day_facts(plan, statement, columns)
    if plan.by_article:
        _components(plan, statement)
    _placed(plan, statement)
    return statement


def _columns(plan: Plan) -> list[str]:
    """The columns of the source that later steps need, besides the measures."""
    columns = ["fee_type_id", "event_month", "currency", "state" if Dimension.STATE in plan.by else "settled"]
    if PERIODS.intersection(plan.by):
        columns.append("period")
    if Dimension.SHOP in plan.by:
        columns.append("shop_id")
    if plan.needs_listing:
        columns.append("listing_id")
    if plan.by_article and plan.frame.dated:
        columns.append("moment")
    return list(dict.fromkeys([*columns, *plan.extra]))


# What the source tables call the columns; `moment` decides which components of a listing hold.
_MONTH_COLUMNS = {"settled": "state = 'settled' AS settled", "period": "month AS period", "moment": "event_month AS moment"}
_PERIOD = {
    Dimension.MONTH: "date_trunc('month', ({day})::timestamp)::date",
    Dimension.WEEK: "date_trunc('week', ({day})::timestamp)::date",
    Dimension.DAY: "{day}",
}
_MONTH_MEASURES = {
    "amount": "base_amount",
    "provisional": "provisional_base",
    "unrated": "unrated_amount",
    "quantity": "quantity",
    "lines": "lines",
}
_CLOCK_DAY = {
    Clock.EVENT: "fact.event_on",
    Clock.POSTED: "fact.posted_on",
    Clock.PAID: "paid.paid_on",
}


def _month_facts(plan: Plan, statement: Statement, columns: list[str]) -> None:
    where = ["company_id = %(company)s", "clock = %(clock)s", *_common_conditions(plan, statement, "state", "currency")]
    if plan.question.start:
        where.append(f"month >= {statement.value(plan.question.start)}")
    if plan.question.end:
        where.append(f"month < {statement.value(plan.question.end)}")
    for condition in plan.conditions:
        if condition.dimension is Dimension.MONTH:
            where.append(f"month = ANY({statement.value([date.fromisoformat(value) for value in condition.known])}::date[])")

    keys = ", ".join(columns)
    names = ", ".join(_MONTH_COLUMNS.get(column, column) for column in columns)
    others = [column for column in columns if column != "listing_id"]
    no_listing = ", ".join("NULL::bigint AS listing_id" if column == "listing_id" else column for column in columns)
    plain = ", ".join(_MONTH_COLUMNS.get(column, column) for column in others)
    matching = " AND ".join(where)

    def sums(sign: str) -> str:
        """Shops have the same fee types in the same months: adding them up first leaves less to join."""
        return ", ".join(f"{sign}sum({column}) AS {name}" for name, column in _MONTH_MEASURES.items())

    measures = ", ".join(f"{column} AS {name}" for name, column in _MONTH_MEASURES.items())
    if not plan.by_listing:
        grouped = f"GROUP BY {_numbers(len(columns))}"
        statement.add("facts", f"SELECT {names}, {sums('')} FROM ledger_pnlmonth WHERE {matching} {grouped}")
        return
    listed = f"SELECT {names}, {measures} FROM ledger_pnllistingmonth WHERE {matching}"
    if plan.frame.listing_ids is not None:
        ids = statement.value(list(plan.frame.listing_ids))
        statement.add("facts", f"{listed} AND listing_id = ANY({ids}::bigint[])")
        return
    # Lines without a listing are the shop's months less those of its listings.
    grouped = f"GROUP BY {_numbers(len(others))}"
    rest = " UNION ALL ".join(
        f"SELECT {no_listing}, {', '.join(_MONTH_MEASURES)} FROM (SELECT {plain}, {sums(sign)} FROM {table} WHERE {matching} {grouped}) AS rest"
        for table, sign in (("ledger_pnlmonth", ""), ("ledger_pnllistingmonth", "-"))
    )
    measured = ", ".join(_MONTH_MEASURES)
    statement.add("facts", f"SELECT {keys}, {measured} FROM ({listed} UNION ALL {rest}) AS months")


_PAID = """
    SELECT statement.id, payout.paid_on FROM ledger_statement statement
    JOIN ledger_payout payout ON payout.company_id = statement.company_id AND payout.id = statement.payout_id
    WHERE statement.company_id = %(company)s AND payout.status IN ('paid', 'in_transit') AND payout.paid_on IS NOT NULL
"""


def _day_facts(plan: Plan, statement: Statement, columns: list[str]) -> None:
    """Day rows or fee lines, at the rate of each event day from the original amount."""
    day = _CLOCK_DAY[Clock(plan.question.clock)]
    if plan.question.clock == Clock.PAID:
        statement.add("paid", _PAID, materialized=True)
    where = ["fact.company_id = %(company)s", *_common_conditions(plan, statement, "fact.state", "fact.currency", "fact.")]
    where += _span(plan, statement, day)
    if plan.frame.listing_ids is not None:
        where.append(f"fact.listing_id = ANY({statement.value(list(plan.frame.listing_ids))}::bigint[])")
    for sign, bound in zip((">=", "<="), plan.event_days, strict=True):
        if bound is not None:
            where.append(f"fact.event_on {sign} {statement.value(bound)}")
    # What follows from the event day is worked out after days have been added up.
    period = _PERIOD[next(iter(PERIODS.intersection(plan.by)), Dimension.DAY)]
    derived = {"event_month": _PERIOD[Dimension.MONTH].format(day="rate_day"), "moment": "rate_day", "event_on": "rate_day"}
    if plan.question.clock == Clock.EVENT:
        derived["period"] = period.format(day="rate_day")
    read = {"settled": "fact.state = 'settled'", "period": period.format(day=day)}
    selected = [f"{read.get(column, f'fact.{column}')} AS {column}" for column in columns if column not in derived]
    selected.append("fact.event_on AS rate_day")
    joins = "LEFT JOIN paid ON paid.id = fact.statement_id" if plan.question.clock == Clock.PAID else ""
    if plan.source is Source.LINES:
        table = "wanted"
        measures = (
            "fact.amount AS amount, CASE WHEN fact.provisional THEN fact.amount END AS provisional, "
            "coalesce(fact.quantity, 0) AS quantity, 1 AS lines"
        )
        group = ""
    else:
        table = "ledger_pnlday"
        measures = (
            "sum(fact.amount) AS amount, sum(fact.amount) FILTER (WHERE fact.provisional) AS provisional, "
            "sum(fact.quantity) AS quantity, sum(fact.lines) AS lines"
        )
        group = f"GROUP BY {_numbers(len(selected))}"
    statement.add(
        "days", f"SELECT {', '.join(selected)}, {measures} FROM {table} AS fact {joins} WHERE {' AND '.join(where)} {group}"
    )
    statement.add(
        "rates",
        "SELECT currency, rate_day, nova_day_rate(currency, %(target)s, rate_day) AS rate "
        "FROM (SELECT DISTINCT currency, rate_day FROM days) AS pair",
        materialized=True,  # else the planner looks a rate up for every row and measure instead of once a day
    )
    statement.add(
        "facts",
        f"""SELECT {", ".join(f"{derived.get(column, column)} AS {column}" for column in columns)},
            sum(amount * rate) AS amount, sum(provisional * rate) AS provisional,
            sum(amount) FILTER (WHERE rate IS NULL) AS unrated, sum(quantity) AS quantity, sum(lines) AS lines
        FROM days JOIN rates USING (currency, rate_day) GROUP BY {_numbers(len(columns))}""",
    )


def _numbers(count: int) -> str:
    """The first columns, for GROUP BY."""
    return ", ".join(str(number + 1) for number in range(count))


def _span(plan: Plan, statement: Statement, day: str) -> list[str]:
    """The dates that are asked for, on the question's clock; also as plain bounds, which indexes can answer."""
    found = []
    paid = plan.question.clock == Clock.PAID
    start, end = plan.question.start, plan.question.end
    # What is not paid yet will be paid today or later.
    open_end = paid and (end is None or end > plan.frame.today)
    unpaid = f" OR ({day}) IS NULL" if open_end else ""
    if start:
        found.append(f"({day} >= {statement.value(start)}{unpaid})")
    if end:
        found.append(f"({day} < {statement.value(end)}{unpaid})")
    with_unpaid = open_end
    for condition in plan.conditions:
        if condition.dimension in PERIODS:
            firsts = [date.fromisoformat(value) for value in condition.known]
            none = f" OR ({day}) IS NULL" if condition.empty else ""
            days = statement.value(firsts)
            found.append(f"({_PERIOD[condition.dimension].format(day=day)} = ANY({days}::date[]){none})")
            if firsts and not condition.empty:
                lowest, highest = min(firsts), period_end(condition.dimension, max(firsts))
                found.append(f"{day} >= {statement.value(lowest)} AND {day} < {statement.value(highest)}")
                start, end = max(start or lowest, lowest), min(end or highest, highest)
                with_unpaid = False
    if paid and not with_unpaid and start and end:
        span = f"paid_on >= {statement.value(start)} AND paid_on < {statement.value(end)}"
        found.append(f"fact.statement_id = ANY(ARRAY(SELECT id FROM paid WHERE {span}))")
    return found


def _common_conditions(plan: Plan, statement: Statement, state: str, currency: str, prefix: str = "") -> list[str]:
    found = []
    if plan.frame.shop_ids is not None:
        found.append(f"{prefix}shop_id = ANY({statement.value(list(plan.frame.shop_ids))}::bigint[])")
    for condition in plan.conditions:
        if condition.dimension is Dimension.STATE:
            found.append(f"{state} = ANY({statement.value(list(condition.values))})")
        elif condition.dimension is Dimension.CURRENCY:
            found.append(f"{currency} = ANY({statement.value(list(condition.values))})")
        elif condition.dimension is Dimension.FEE_TYPE:
            found.append(f"{prefix}fee_type_id = ANY({statement.value([int(value) for value in condition.known])}::bigint[])")
    return found


def _components(plan: Plan, statement: Statement) -> None:
    """Which SKUs the money of a listing goes to, and by what weight: `part`.

    Components without dates hold always; with dates, those of each moment (event month or day) of the listing's money.
    Shares need not add up to one: weights are shares of their sum.
    """
    only = ""
    if plan.frame.listing_ids is not None:
        only = f" AND component.listing_id = ANY({statement.value(list(plan.frame.listing_ids))}::bigint[])"
    moment, join = "", ""
    if plan.frame.dated:
        statement.add("moments", "SELECT DISTINCT listing_id, moment FROM facts WHERE listing_id IS NOT NULL")
        moment = "moments.moment, "
        join = """JOIN moments ON moments.listing_id = component.listing_id
            AND (component.valid_from IS NULL OR component.valid_from <= moments.moment)
            AND (component.valid_to IS NULL OR moments.moment < component.valid_to)"""
    statement.add(
        "shares",
        f"""SELECT component.listing_id, {moment}component.sku_id, sum(component.share) AS share, sum(component.quantity) AS units
        FROM inventory_listingcomponent component {join} WHERE component.company_id = %(company)s{only}
        GROUP BY component.listing_id, {moment}component.sku_id""",
    )
    moment = "moment, " if plan.frame.dated else ""
    same = f"(PARTITION BY {moment}listing_id)"
    statement.add(
        "weights",
        f"""SELECT listing_id, {moment}sku_id, units, round(share / sum(share) OVER {same}, 8) AS weight,
            row_number() OVER (PARTITION BY {moment}listing_id ORDER BY share DESC, sku_id) AS place FROM shares""",
    )
    words = [f"{_SKU_VALUE[dimension]} AS {dimension.value}" for dimension in plan.by if dimension in ARTICLES]
    fits = _article_conditions(plan, statement)
    names = [moment.rstrip(", ")] if moment else []
    keys = ", ".join(["listing_id", *names, *(dimension.value for dimension in plan.by if dimension in ARTICLES), "fits"])
    # One row for all SKUs that fall into the same cell, so that a line is one row of a cell.
    statement.add(
        "part",
        f"""SELECT {keys}, sum(units) AS units, sum(weight) AS weight FROM (
            SELECT weights.listing_id, {", ".join([*(f"weights.{name}" for name in names), *words, f"{fits} AS fits"])}, weights.units,
                CASE WHEN place = 1 THEN 1 - (sum(weight) OVER {same} - weight) ELSE weight END AS weight
            FROM weights JOIN inventory_sku sku ON sku.company_id = %(company)s AND sku.id = weights.sku_id
        ) AS weighted GROUP BY {keys}""",
    )


_SKU_VALUE = {
    Dimension.SKU: "sku.code",
    Dimension.BRAND: "sku.brand",
    Dimension.PARENT_ARTICLE: "sku.parent_article",
    Dimension.PRODUCT_GROUP: "sku.product_group",
    Dimension.TAG: (
        "(SELECT coalesce(string_agg(word, ', ' ORDER BY word), '') FROM (SELECT DISTINCT unnest(sku.tags) AS word) AS tags)"
    ),
}


def _article_conditions(plan: Plan, statement: Statement) -> str:
    """Whether a SKU is asked for."""
    found = []
    for condition in plan.conditions:
        if condition.dimension is Dimension.TAG and not condition.exact:
            none = " OR sku.tags = '{}'" if condition.empty else ""
            found.append(f"(sku.tags && {statement.value(list(condition.known))}::varchar[]{none})")
        elif condition.dimension in ARTICLES:
            found.append(f"{_SKU_VALUE[condition.dimension]} = ANY({statement.value(list(condition.values))})")
    return " AND ".join(found) or "TRUE"


_KEY = {
    Dimension.MONTH: "fact.period",
    Dimension.WEEK: "fact.period",
    Dimension.DAY: "fact.period",
    Dimension.CHANNEL: "type.channel",
    Dimension.SHOP: "fact.shop_id",
    Dimension.MARKETPLACE: "type.marketplace",
    Dimension.SECTION: "category.section",
    Dimension.FEE_TYPE: "fact.fee_type_id",
    Dimension.STATE: "fact.state",
    Dimension.CURRENCY: "fact.currency",
    Dimension.LISTING: "fact.listing_id",
    **{dimension: f"coalesce(part.{dimension.value}, '')" for dimension in ARTICLES},
}


def _placed(plan: Plan, statement: Statement) -> None:
    """Facts with their category, scope and SKU."""
    known = "mapping.known_to IS NULL"
    if plan.question.known_at is not None:
        known = "mapping.known_from <= %(known_at)s AND (mapping.known_to IS NULL OR mapping.known_to > %(known_at)s)"
    suspense = statement.value(plan.frame.suspense_id)
    category = f"coalesce(mapping.category_id, {suspense})"
    joins = [
        f"""LEFT JOIN ledger_mapping mapping ON mapping.company_id = %(company)s AND mapping.fee_type_id = fact.fee_type_id
            AND mapping.valid_from <= fact.event_month AND fact.event_month < mapping.valid_to AND {known}"""
    ]
    if Dimension.SECTION in plan.by:
        joins.append(f"JOIN ledger_feecategory category ON category.id = {category}")
    outside = [row.id for row in plan.frame.categories.values() if row.section in OUTSIDE]
    where = [f"{category} <> ALL({statement.value(outside)}::bigint[])", *_placed_conditions(plan, statement, category)]
    scopes = [scope for scope in plan.frame.scopes if scope.scope != UNIFIED]
    if scopes or {Dimension.CHANNEL, Dimension.MARKETPLACE} & plan.wanted:
        joins.append("JOIN ledger_feetype type ON type.id = fact.fee_type_id")
    if scopes:
        where.append(_in_scope(plan, statement, category, suspense))
    weight, units = "", ""
    if plan.by_article:
        moment = " AND part.moment = fact.moment" if plan.frame.dated else ""
        joins.append(f"LEFT JOIN part ON part.listing_id = fact.listing_id{moment}")
        weight, units = " * coalesce(part.weight, 1)", " * coalesce(part.units, 1)"
    words = {**_KEY, Dimension.CATEGORY: category}
    keys = "".join(f"{words[dimension]} AS k{number}, " for number, dimension in enumerate(plan.by))
    settled = "fact.state = 'settled'" if Dimension.STATE in plan.by else "fact.settled"
    extra = "".join(f"fact.{column}, " for column in plan.extra)
    share = "coalesce(part.weight, 1)" if plan.by_article else "1"
    statement.add(
        "placed",
        f"""SELECT {keys}{extra}{share} AS share, fact.fee_type_id, fact.currency, {category} AS category_id,
            mapping.id IS NOT NULL AND mapping.category_id <> {suspense} AS mapped, {settled} AS settled,
            fact.amount{weight} AS amount, fact.provisional{weight} AS provisional, fact.unrated{weight} AS unrated,
            fact.quantity{units} AS quantity, fact.lines
        FROM facts AS fact {" ".join(joins)} WHERE {" AND ".join(where)}""",
    )


def _placed_conditions(plan: Plan, statement: Statement, category: str) -> list[str]:
    found = []
    if plan.by_article:
        # What has no SKU is asked for when every filter by SKU says so.
        allowed = all(condition.empty for condition in plan.conditions if condition.dimension in ARTICLES)
        found.append(f"coalesce(part.fits, {allowed})")
    for condition in plan.conditions:
        values = list(condition.values)
        match condition.dimension:
            case Dimension.MARKETPLACE:
                found.append(f"type.marketplace = ANY({statement.value(values)})")
            case Dimension.SECTION:
                ids = [row.id for row in plan.frame.categories.values() if row.section in values]
                found.append(f"{category} = ANY({statement.value(ids)}::bigint[])")
            case Dimension.CATEGORY:
                ids = [row.id for row in plan.frame.categories.values() if row.code in values]
                found.append(f"{category} = ANY({statement.value(ids)}::bigint[])")
            case Dimension.LISTING if condition.empty:  # else the source holds only listings that all filters name
                ids = list(plan.frame.named[condition])
                found.append(f"(fact.listing_id = ANY({statement.value(ids)}::bigint[]) OR fact.listing_id IS NULL)")
    return found


def _in_scope(plan: Plan, statement: Statement, category: str, suspense: str) -> str:
    """Unmapped money is never hidden by a scope; everything else is where its rule of the event month puts it."""
    rules = [scope for scope in plan.frame.scopes if scope.scope != UNIFIED]
    hidden = [scope for scope in rules if plan.question.scope == UNIFIED or scope.scope == "memo"]
    if not hidden:
        return "TRUE"
    columns = ", ".join(
        f"{statement.value([getattr(rule, name) for rule in hidden])}::{kind}[]"
        for name, kind in (("channel", "text"), ("category_id", "bigint"), ("valid_from", "date"), ("valid_to", "date"))
    )
    return f"""({category} = {suspense} OR NOT EXISTS (
        SELECT 1 FROM unnest({columns}) AS hidden(channel, category_id, valid_from, valid_to)
        WHERE hidden.channel = type.channel AND hidden.category_id = {category}
            AND (hidden.valid_from IS NULL OR hidden.valid_from <= fact.event_month)
            AND (hidden.valid_to IS NULL OR fact.event_month < hidden.valid_to)))"""
