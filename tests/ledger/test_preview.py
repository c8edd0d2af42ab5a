"""The preview says exactly what approving changes in the P&L: held as a law over random rules and money."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.approve import RuleData, ScopeData, approve, propose_rules, propose_scopes, retire
from ledger.models import FeeRule, FeeType, ScopeRule
from ledger.pnl import Dimension, Question, answer
from ledger.preview import preview, preview_retirement, preview_rules
from ledger.propose import build_rules
from ledger.scope_preview import preview_scopes
from nova.models import Company, ExchangeRate
from tests.ledger.fake_channel import fake_channel, make_company, take, voucher
from tests.ledger.people import make_approver, make_clerk

pytestmark = pytest.mark.django_db

NAMES = ("sale", "commission", "ads", "parcel fee", "parcel tax")
CATEGORIES = ("rev.product", "plt.referral", "mkt.ads_other", "bs.tax_mp", "memo")
MONTHS = [None, date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


def pnl(company: Company) -> dict[tuple[date, str], D]:
    """The unified P&L by month and category, as the P&L page reads it."""
    report = answer(Question(company=company, by=(Dimension.MONTH, Dimension.CATEGORY)))
    cells = {(date.fromisoformat(cell.keys[0]), cell.keys[1]): cell.amount for cell in report.cells}
    return {key: amount for key, amount in cells.items() if amount}


def ledger(company: Company) -> dict[tuple[date, str], D]:
    """All money by event month and category, balance sheet and memo too, straight from the tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT month.month, coalesce(category.code, 'adj.unmapped'), sum(month.base_amount)
            FROM ledger_pnlmonth month
            LEFT JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
                AND mapping.known_to IS NULL AND month.month >= mapping.valid_from AND month.month < mapping.valid_to
            LEFT JOIN ledger_feecategory category ON category.id = mapping.category_id
            WHERE month.company_id = %s AND month.clock = 'event' GROUP BY 1, 2
            """,
            [company.pk],
        )
        return {(month, code): amount for month, code, amount in cursor.fetchall() if amount}


def difference(before: dict[tuple[date, str], D], after: dict[tuple[date, str], D]) -> dict[tuple[date, str], D]:
    keys = before.keys() | after.keys()
    return {key: change for key in keys if (change := after.get(key, D(0)) - before.get(key, D(0)))}


def moved(effect) -> dict[tuple[date, str], D]:
    """What the moves of a preview say about every category."""
    found: dict[tuple[date, str], D] = {}
    for move in effect.moves:
        for month, (amount, _lines) in move.months.items():
            found[month, move.origin] = found.get((month, move.origin), D(0)) - amount
            found[month, move.target] = found.get((month, move.target), D(0)) + amount
    return {key: amount for key, amount in found.items() if amount}


lines = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.decimals(min_value=-999, max_value=999, places=2).filter(bool),
        st.sampled_from([1, 2, 3]),
        st.sampled_from(["USD", "EUR", "XXX"]),
    ),
    min_size=1,
    max_size=8,
)
rules = st.lists(
    st.builds(
        RuleData,
        channel=st.just("fake"),
        name=st.sampled_from([*NAMES, "parcel*", "*"]),
        category=st.sampled_from(CATEGORIES),
        path=st.sampled_from(["*", "fees"]),
        valid_from=st.sampled_from(MONTHS),
    ).filter(lambda item: item.name != "*" or item.path != "*"),
    max_size=4,
)
scopes = st.lists(
    st.builds(
        ScopeData,
        channel=st.just("fake"),
        category=st.sampled_from(CATEGORIES),
        scope=st.sampled_from(ScopeRule.Scope.values),
        valid_from=st.sampled_from(MONTHS),
    ),
    max_size=2,
)


def distinct(items):
    """One per selector: proposals that contradict each other are a conflict, tested elsewhere."""
    key = lambda item: (getattr(item, "name", item.category), getattr(item, "path", ""))  # noqa: E731
    return list({key(item): item for item in items}.values())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(money=lines, standing=rules, proposed=rules, kept_out=scopes, moved_out=scopes)
def test_law_the_preview_equals_the_real_difference_of_the_pnl(money, standing, proposed, kept_out, moved_out):
    company, shop = make_company(currency="USD")
    clerk, approver = make_clerk(company), make_approver(company)
    ExchangeRate.objects.get_or_create(currency="USD", on_date="2025-12-31", defaults={"rate": D("1.17")})
    for number, (name, amount, month, currency) in enumerate(money):
        moment = datetime(2026, month, 10, 12, tzinfo=UTC)
        record = voucher(
            "statement", f"S/{number}", [(name, str(amount))], order=f"O{number}", statement="S", currency=currency,
            event_at=moment, posted_at=moment,
        )  # fmt: skip
        take(shop, company, "books", [record])
    for first in (True, False):
        ids = [
            rule.pk
            for rule in propose_rules(
                company=company, author=clerk, items=distinct(standing if first else proposed), skip_known=True
            )
        ]
        scope_ids = [
            rule.pk
            for rule in propose_scopes(
                company=company, author=clerk, items=distinct(kept_out if first else moved_out), skip_known=True
            )
        ]
        if ids:
            effect = preview(rule_ids=ids, company=company)
            assert not effect.conflicts
            before, all_before = pnl(company), ledger(company)
            approve(rule_ids=ids, approver=approver, replace=True)
            assert effect.cells == difference(before, pnl(company))
            assert moved(effect) == difference(all_before, ledger(company))
        if scope_ids:
            proposals = list(ScopeRule.objects.filter(pk__in=scope_ids).select_related("category"))
            scoped = preview_scopes(company=company, proposals=proposals)
            before = pnl(company)
            approve(rule_ids=scope_ids, approver=approver, replace=True, model=ScopeRule)
            assert scoped.cells == difference(before, pnl(company))
    in_force = list(FeeRule.objects.filter(company=company, status="approved").select_related("category"))[:2]
    if in_force:
        effect = preview_retirement(company=company, rules=in_force)
        before, all_before = pnl(company), ledger(company)
        retire(rule_ids=[rule.pk for rule in in_force], approver=approver, reason="law")
        assert effect.cells == difference(before, pnl(company))
        assert moved(effect) == difference(all_before, ledger(company))


def test_a_preview_before_sending_equals_the_one_in_the_inbox():
    company, shop = make_company()
    clerk = make_clerk(company)
    take(shop, company, "books", [voucher("statement", "S/1", [("commission", "-2"), ("sale", "9")], order="O1", statement="S")])
    items = [RuleData("fake", "commission", "plt.referral"), RuleData("fake", "sale", "rev.product")]
    supposed = preview_rules(company=company, proposals=build_rules(company=company, author=clerk, items=items))
    sent = propose_rules(company=company, author=clerk, items=items)
    waiting = preview(rule_ids=[rule.pk for rule in sent])
    assert (supposed.digest, supposed.moves) == (waiting.digest, waiting.moves)
    assert [(move.origin, move.target, move.amount, move.lines) for move in waiting.moves] == [
        ("adj.unmapped", "rev.product", D(9), 1),
        ("adj.unmapped", "plt.referral", D(-2), 1),
    ]
    assert waiting.by_rule[sent[0].pk].amount == D(-2)
    assert waiting.result == {}, "both categories are in the P&L: its result stays"
    assert FeeRule.objects.filter(company=company, status="approved").count() == 0


def test_money_that_leaves_the_pnl_changes_its_result():
    company, shop = make_company()
    clerk = make_clerk(company)
    take(shop, company, "books", [voucher("statement", "S/1", [("tax", "5"), ("sale", "9")], order="O1", statement="S")])
    (rule,) = propose_rules(company=company, author=clerk, items=[RuleData("fake", "tax", "bs.tax_mp")])
    assert preview(rule_ids=[rule.pk]).result == {date(2026, 1, 1): D(-5)}


def test_a_new_fee_name_changes_the_digest_of_a_preview():
    company, shop = make_company()
    clerk = make_clerk(company)
    (rule,) = propose_rules(company=company, author=clerk, items=[RuleData("fake", "late*", "plt.penalty")])
    before = preview(rule_ids=[rule.pk]).digest
    take(shop, company, "books", [voucher("statement", "S/1", [("late delivery", "-5")], order="O1", statement="S")])
    assert preview(rule_ids=[rule.pk]).digest != before


def test_a_whole_pack_over_thousands_of_fee_types_is_previewed_in_few_statements_and_at_once():
    company, shop = make_company()
    clerk = make_clerk(company)
    number = 3000
    FeeType.objects.bulk_create(FeeType(channel="fake", path="fees", name=f"fee {_letters(n)}") for n in range(number))
    types = list(FeeType.objects.filter(channel="fake", name__startswith="fee "))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_pnlmonth (company_id, shop_id, fee_type_id, currency, state, clock, month, event_month, amount,
                base_amount, unrated_amount, provisional_base, quantity, lines)
            SELECT %s, %s, type, 'USD', 'settled', 'event', month, month, -1, -1, 0, 0, 0, 1
            FROM unnest(%s::bigint[]) AS type, generate_series('2025-01-01'::date, '2025-12-01', '1 month') AS month
            """,
            [company.pk, shop.pk, [fee_type.pk for fee_type in types]],
        )
    items = [RuleData("fake", fee_type.name, "plt.program") for fee_type in types]
    items.append(RuleData("fake", "fee a*", "plt.penalty"))
    rules = propose_rules(company=company, author=clerk, items=items)
    started = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        effect = preview(rule_ids=[rule.pk for rule in rules], company=company)
    seconds = time.perf_counter() - started
    assert (effect.lines, effect.fee_types) == (number * 12, number)
    assert len(queries) <= 10
    assert seconds < 5, f"{seconds:.2f} s"
    started = time.perf_counter()
    approve(rule_ids=[rule.pk for rule in rules], approver=make_approver(company))
    assert time.perf_counter() - started < 15


def _letters(number: int) -> str:
    """A name without digits, which normalised names do not have."""
    return "".join(chr(97 + int(digit)) for digit in str(number))
