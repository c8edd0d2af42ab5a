"""Rules: one proposes, another approves; the author never can, by whatever way; what is proposed is never edited."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from channels.models import Shop
from ledger import fee_types
from ledger.approve import (
    RuleData,
    RuleRefused,
    ScopeData,
    approve,
    propose_pack,
    propose_rules,
    propose_scopes,
    propose_to_companies,
    reject,
    retire,
    withdraw,
)
from ledger.models import FeeCategory, FeeRule, FeeType, Mapping, ScopeRule
from nova.models import Company, User
from tests.ledger.fake_channel import fake_channel, make_company, take, voucher
from tests.ledger.people import make_approver, make_clerk, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


class Desk:
    """A company with money under two fee names in January and March, its clerk and its approver."""

    def __init__(self) -> None:
        self.company, self.shop = make_company()
        self.clerk = make_clerk(self.company)
        self.approver = make_approver(self.company)
        for order, month in (("O1", 1), ("O2", 3)):
            moment = datetime(2026, month, 5, 12, tzinfo=UTC)
            take(
                self.shop,
                self.company,
                "books",
                [
                    voucher(
                        "statement",
                        f"S/{order}",
                        [("commission", "-2"), ("sale", "10")],
                        order=order,
                        statement="S",
                        event_at=moment,
                        posted_at=moment,
                    )
                ],
            )

    def propose(self, name: str = "commission", category: str = "plt.referral", author: User | None = None, **more) -> FeeRule:
        item = RuleData("fake", name, category, context=more.pop("context", ""), path=more.pop("path", "*"))
        return propose_rules(company=self.company, author=author or self.clerk, items=[item], reason="Seen in May", **more)[0]

    def mapped(self, name: str = "commission") -> list[tuple[date, date, str]]:
        rows = Mapping.objects.filter(company=self.company, fee_type__name=name, known_to__isnull=True).order_by("valid_from")
        return list(rows.values_list("valid_from", "valid_to", "category__code"))


@pytest.fixture
def desk() -> Desk:
    return Desk()


ALWAYS, STILL = date(1, 1, 1), date(9999, 12, 1)


def test_a_proposal_changes_nothing_until_it_is_approved(desk):
    rule = desk.propose()
    assert rule.status == "proposed" and desk.mapped() == []
    decision = approve(rule_ids=[rule.pk], approver=desk.approver, reason="As agreed")
    assert (decision.approved, decision.mappings) == ([rule.pk], 1)
    assert desk.mapped() == [(ALWAYS, STILL, "plt.referral")]
    rule.refresh_from_db()
    assert (rule.status, rule.approver, rule.decision_reason) == ("approved", desk.approver, "As agreed")


def test_the_author_can_not_approve_even_with_every_right(desk):
    boss = User.objects.create_superuser("boss", password="x")
    desk.company.users.add(boss)
    rule = desk.propose(author=boss)
    with pytest.raises(RuleRefused, match="You proposed this yourself"):
        approve(rule_ids=[rule.pk], approver=boss)
    with pytest.raises(RuleRefused, match="withdraw it instead"):
        reject(rule_ids=[rule.pk], approver=boss, reason="no")
    assert desk.mapped() == []


def test_the_author_can_not_approve_by_the_orm(desk):
    rule = desk.propose()
    rule.status, rule.approver, rule.decided_at = "approved", desk.clerk, timezone.now()
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        rule.save()
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        FeeRule.objects.filter(pk=rule.pk).update(status="approved", approver=desk.clerk)
    with pytest.raises(IntegrityError, match="decided"), transaction.atomic():
        FeeRule.objects.filter(pk=rule.pk).update(status="approved")


def test_the_author_can_not_approve_by_sql(desk):
    rule = desk.propose()
    attempts = [
        f"UPDATE ledger_feerule SET status = 'approved', approver_id = author_id WHERE id = {rule.pk}",
        f"UPDATE ledger_feerule SET author_id = {desk.approver.pk} WHERE id = {rule.pk}",
        f"UPDATE ledger_feerule SET status = 'approved', approver_id = {desk.approver.pk}, author_id = {desk.approver.pk} WHERE id = {rule.pk}",
        f"UPDATE ledger_feerule SET status = 'withdrawn', approver_id = {desk.approver.pk} WHERE id = {rule.pk}",
        f"UPDATE ledger_feerule SET status = 'retired', approver_id = {desk.approver.pk} WHERE id = {rule.pk}",
        f"UPDATE ledger_feerule SET name = '*' WHERE id = {rule.pk}",
        f"UPDATE ledger_feerule SET status = 'draft' WHERE id = {rule.pk}",
        f"DELETE FROM ledger_feerule WHERE id = {rule.pk}",
        "INSERT INTO ledger_feerule SELECT id + 1000, 'approved', valid_from, valid_to, source, reason, proposed_at, decided_at,"
        " decision_reason, created_at, channel, marketplace, path, name, context, precedence, approver_id, author_id, category_id,"
        f" company_id FROM ledger_feerule WHERE id = {rule.pk}",
    ]
    for attempt in attempts:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(attempt)
    rule.refresh_from_db()
    assert (rule.status, rule.author) == ("proposed", desk.clerk)


def test_only_members_with_the_right_may_propose_and_approve(desk):
    other, _shop = make_company()
    stranger_clerk, stranger, viewer = make_clerk(other), make_approver(other), make_user("vera", desk.company)
    with pytest.raises(PermissionDenied, match="not a member"):
        desk.propose(author=stranger_clerk)
    with pytest.raises(PermissionDenied, match="role"):
        desk.propose(author=viewer)
    with pytest.raises(PermissionDenied, match="role"):
        desk.propose(author=desk.approver)
    rule = desk.propose()
    for attempt in (
        lambda: approve(rule_ids=[rule.pk], approver=stranger),
        lambda: reject(rule_ids=[rule.pk], approver=stranger, reason="no"),
        lambda: withdraw(rule_ids=[rule.pk], author=stranger_clerk),
    ):
        with pytest.raises(RuleRefused, match="no such rule"):
            attempt()
    with pytest.raises(PermissionDenied):
        approve(rule_ids=[rule.pk], approver=viewer)
    assert FeeRule.objects.get(pk=rule.pk).status == "proposed"


def test_rejecting_needs_a_reason_that_the_author_reads(desk):
    rule = desk.propose()
    with pytest.raises(RuleRefused, match="Say why"):
        reject(rule_ids=[rule.pk], approver=desk.approver, reason=" ")
    assert reject(rule_ids=[rule.pk], approver=desk.approver, reason="It is a refund") == 1
    rule.refresh_from_db()
    assert (rule.status, rule.decision_reason, desk.mapped()) == ("rejected", "It is a refund", [])
    with pytest.raises(RuleRefused, match="does not wait"):
        approve(rule_ids=[rule.pk], approver=desk.approver)


def test_the_author_withdraws_a_proposal_and_nobody_else(desk):
    rule = desk.propose()
    colleague = make_clerk(desk.company)
    with pytest.raises(RuleRefused, match="only they"):
        withdraw(rule_ids=[rule.pk], author=colleague)
    assert withdraw(rule_ids=[rule.pk], author=desk.clerk) == 1
    rule.refresh_from_db()
    assert (rule.status, rule.approver) == ("withdrawn", None)
    with pytest.raises(RuleRefused, match="withdrawn"):
        approve(rule_ids=[rule.pk], approver=desk.approver)
    desk.propose()  # the same may be proposed again


def test_a_rule_begins_with_a_month_and_decides_from_there(desk):
    with pytest.raises(RuleRefused, match="first of a month"):
        desk.propose(valid_from=date(2026, 2, 2))
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        rule = desk.propose(valid_from=date(2026, 2, 1))
        cursor.execute("INSERT INTO ledger_feerule SELECT * FROM ledger_feerule WHERE id = %s", [rule.pk])
    rule = desk.propose(valid_from=date(2026, 2, 1))
    approve(rule_ids=[rule.pk], approver=desk.approver)
    assert desk.mapped() == [(date(2026, 2, 1), STILL, "plt.referral")]


def test_two_rules_for_the_same_name_do_not_hold_at_the_same_time(desk):
    first = desk.propose()
    approve(rule_ids=[first.pk], approver=desk.approver)
    second = desk.propose(category="pay.processing", valid_from=date(2026, 3, 1))
    with pytest.raises(RuleRefused, match=f"Rule {first.pk} .* holds always and decides the same"):
        approve(rule_ids=[second.pk], approver=desk.approver)
    with pytest.raises(IntegrityError, match="no_overlap"), transaction.atomic():
        FeeRule.objects.filter(pk=second.pk).update(status="approved", approver=desk.approver)
    decision = approve(rule_ids=[second.pk], approver=desk.approver, replace=True)
    assert decision.ended == [first.pk]
    assert desk.mapped() == [(ALWAYS, date(2026, 3, 1), "plt.referral"), (date(2026, 3, 1), STILL, "pay.processing")]
    first.refresh_from_db()
    assert (first.status, first.valid_to) == ("approved", date(2026, 3, 1))


def test_a_rule_that_covers_another_whole_retires_it(desk):
    first = desk.propose(valid_from=date(2026, 2, 1))
    approve(rule_ids=[first.pk], approver=desk.approver)
    second = desk.propose(category="pay.processing")
    approve(rule_ids=[second.pk], approver=desk.approver, replace=True)
    first.refresh_from_db()
    assert (first.status, desk.mapped()) == ("retired", [(ALWAYS, STILL, "pay.processing")])


def test_a_replacement_that_leaves_a_gap_is_refused(desk):
    first = desk.propose()
    approve(rule_ids=[first.pk], approver=desk.approver)
    item = RuleData("fake", "commission", "pay.processing", valid_from=date(2026, 2, 1), valid_to=date(2026, 3, 1))
    (second,) = propose_rules(company=desk.company, author=desk.clerk, items=[item])
    with pytest.raises(RuleRefused, match="leave a gap"):
        approve(rule_ids=[second.pk], approver=desk.approver, replace=True)


def test_two_proposals_that_contradict_each_other_are_not_approved_together(desk):
    rules = [desk.propose(), desk.propose(category="pay.processing")]
    with pytest.raises(RuleRefused, match="choose one"):
        approve(rule_ids=[rule.pk for rule in rules], approver=desk.approver)
    assert desk.mapped() == []
    approve(rule_ids=[rules[1].pk], approver=desk.approver)
    assert desk.mapped() == [(ALWAYS, STILL, "pay.processing")]


def test_specific_beats_general_whatever_came_first(desk):
    rules = [desk.propose("commission", "plt.referral"), desk.propose("*", "adj.other", path="fees")]
    approve(rule_ids=[rule.pk for rule in rules], approver=desk.approver)
    assert desk.mapped() == [(ALWAYS, STILL, "plt.referral")]
    assert desk.mapped("sale") == [(ALWAYS, STILL, "adj.other")]
    take(desk.shop, desk.company, "books", [voucher("statement", "S/3", [("parcel tax", "-1")], order="O3", statement="S")])
    assert desk.mapped("parcel tax") == [(ALWAYS, STILL, "adj.other")], "a new name is mapped at once"


def test_retiring_needs_a_second_person_and_gives_the_money_back(desk):
    rule = desk.propose()
    approve(rule_ids=[rule.pk], approver=desk.approver)
    with pytest.raises(PermissionDenied):
        retire(rule_ids=[rule.pk], approver=desk.clerk, reason="wrong")
    with pytest.raises(RuleRefused, match="Say why"):
        retire(rule_ids=[rule.pk], approver=desk.approver, reason="")
    retire(rule_ids=[rule.pk], approver=desk.approver, reason="A new fee from June", valid_to=date(2026, 6, 1))
    assert desk.mapped() == [(ALWAYS, date(2026, 6, 1), "plt.referral")]
    with pytest.raises(RuleRefused, match="cannot end in June 2026"):
        retire(rule_ids=[rule.pk], approver=desk.approver, reason="again", valid_to=date(2026, 6, 1))
    retire(rule_ids=[rule.pk], approver=desk.approver, reason="Never was one")
    assert desk.mapped() == []
    rule.refresh_from_db()
    assert rule.status == "retired" and "Never was one" in rule.decision_reason


def test_the_history_says_who_decided_and_why(desk):
    rule = desk.propose()
    approve(rule_ids=[rule.pk], approver=desk.approver, reason="As agreed")
    events = list(FeeRule.pgh_event_model.objects.filter(pgh_obj_id=rule.pk).order_by("pgh_id").select_related("pgh_context"))
    assert [event.status for event in events] == ["proposed", "approved"]
    assert [event.pgh_context.metadata["user"] for event in events] == [desk.clerk.pk, desk.approver.pk]
    assert events[1].pgh_context.metadata["reason"] == "As agreed"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (RuleData("fake", "commission", "plt.nothing"), "no category 'plt.nothing'"),
        (RuleData("fake", "commission", "adj.unmapped"), "Suspense"),
        (RuleData("nowhere", "commission", "plt.referral"), "no channel 'nowhere'"),
        (RuleData("fake", " ", "plt.referral"), "needs the name"),
        (RuleData("fake", "*", "plt.referral"), "every fee of a channel"),
        (RuleData("fake", "commission", "plt.referral", context="moon"), "no context"),
        (RuleData("fake", "x", "plt.referral", valid_from=date(2026, 2, 1), valid_to=date(2026, 2, 1)), "at least one month"),
    ],
)
def test_what_is_no_possible_rule_is_refused_in_plain_words(desk, item, message):
    with pytest.raises(RuleRefused, match=message):
        propose_rules(company=desk.company, author=desk.clerk, items=[item])


def test_the_same_proposal_twice_is_refused(desk):
    rule = desk.propose()
    with pytest.raises(RuleRefused, match=f"waits for approval already as rule {rule.pk}"):
        desk.propose()
    approve(rule_ids=[rule.pk], approver=desk.approver)
    with pytest.raises(RuleRefused, match="is in force already"):
        desk.propose(valid_from=date(2026, 2, 1))


def test_scope_rules_go_the_same_way(desk):
    item = ScopeData("fake", "plt.referral", "memo")
    (rule,) = propose_scopes(company=desk.company, author=desk.clerk, items=[item], reason="Paid by the agency")
    with pytest.raises(IntegrityError), transaction.atomic():
        ScopeRule.objects.filter(pk=rule.pk).update(status="approved", approver=desk.clerk)
    approve(rule_ids=[rule.pk], approver=desk.approver, model=ScopeRule)
    later = ScopeData("fake", "plt.referral", "channel", valid_from=date(2026, 3, 1))
    (second,) = propose_scopes(company=desk.company, author=desk.clerk, items=[later])
    with pytest.raises(RuleRefused, match="decides the same"):
        approve(rule_ids=[second.pk], approver=desk.approver, model=ScopeRule)
    approve(rule_ids=[second.pk], approver=desk.approver, model=ScopeRule, replace=True)
    rule.refresh_from_db()
    assert rule.valid_to == date(2026, 3, 1)


def amazon_company() -> tuple[Company, Shop]:
    company, _shop = make_company()
    return company, Shop.objects.create(company=company, code="amazon", name="Amazon", channel="amazon")


def test_novas_defaults_are_proposed_for_the_fees_seen_once():
    company, shop = amazon_company()
    clerk, approver = make_clerk(company), make_approver(company)
    take_amazon(shop, company, [("Commission", "-2"), ("Unheard of", "-1")])
    seen = propose_pack(company=company, author=clerk, channel="amazon")
    assert [(rule.name, rule.source) for rule in seen] == [("Commission", "Nova's defaults")]
    assert propose_pack(company=company, author=clerk, channel="amazon") == []
    approve(rule_ids=[rule.pk for rule in seen], approver=approver)
    assert propose_pack(company=company, author=clerk, channel="amazon") == []
    everything = propose_pack(company=company, author=clerk, channel="amazon", only_seen=False)
    assert len(everything) > 300
    assert len(approve(rule_ids=[rule.pk for rule in everything], approver=approver).approved) == len(everything)


def take_amazon(shop: Shop, company: Company, lines: list[tuple[str, str]]) -> None:
    from channels.adapter import DocumentKind, Role
    from channels.records import ParsedDocument, State
    from ledger.intake import take_parsed
    from tests.ledger.fake_channel import make_document

    record = voucher("settlement", "1/A", lines, order="A", statement="1")
    record.lines = [line._replace(path="Order/ItemFees") for line in record.lines]
    kind = DocumentKind("settlement", "Settlement", Role.BOOKS, State.SETTLED, 30)
    take_parsed(
        shop=shop, company=company, documents=[(make_document(shop, "settlement"), kind, ParsedDocument(vouchers=[record]))]
    )


def test_an_agency_proposes_the_rules_of_one_company_to_others_and_each_decides(desk):
    first = desk.propose()
    approve(rule_ids=[first.pk], approver=desk.approver)
    tees, _ = make_company()
    mugs, _ = make_company()
    agency = make_clerk(desk.company, tees, mugs)
    done = propose_to_companies(source=desk.company, targets=[tees, mugs], author=agency, reason="Agency standard")
    assert done == {tees.pk: 1, mugs.pk: 1}
    assert propose_to_companies(source=desk.company, targets=[tees, mugs], author=agency) == {tees.pk: 0, mugs.pk: 0}
    proposal = FeeRule.objects.get(company=tees)
    assert (proposal.source, proposal.status) == (f"Rules of {desk.company.name}", "proposed")
    approve(rule_ids=[proposal.pk], approver=make_approver(tees))
    fee_type = FeeType.objects.get(channel="fake", name="commission")
    assert Mapping.objects.filter(company=tees, fee_type=fee_type).exists()
    assert not Mapping.objects.filter(company=mugs).exists()
    stranger, _ = make_company()
    with pytest.raises(PermissionDenied):
        propose_to_companies(source=desk.company, targets=[stranger], author=agency)


def test_money_of_the_desk_is_what_the_tests_say(desk):
    from ledger.models import PnlMonth

    assert sum(PnlMonth.objects.filter(company=desk.company, clock="event").values_list("amount", flat=True)) == D(16)


@pytest.mark.django_db(transaction=True)
def test_two_approvers_at_the_same_moment_do_not_both_decide_one_name():
    """Each approves another of two proposals that contradict each other: one wins, the other reads why not."""
    load_categories()
    fee_types._cache.clear()
    desk = Desk()
    fee_types._cache.clear()  # the database is emptied afterwards
    first, second = desk.propose(), desk.propose(category="pay.processing")
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def decide(rule: FeeRule, approver: User) -> None:
        try:
            start.wait(timeout=20)
            approve(rule_ids=[rule.pk], approver=approver)
            outcomes.append("approved")
        except RuleRefused as refusal:
            outcomes.append(str(refusal))
        finally:
            connection.close()

    people = [desk.approver, make_approver(desk.company)]
    threads = [threading.Thread(target=decide, args=pair) for pair in zip((first, second), people, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcome == "approved" for outcome in outcomes) == [False, True], outcomes
    assert any("decides the same" in outcome for outcome in outcomes)
    assert FeeRule.objects.filter(company=desk.company, status="approved").count() == 1
    assert len(desk.mapped()) == 1


def load_categories() -> None:
    """The categories come by data migration; a test that empties the database took them away."""
    if not FeeCategory.objects.exists():
        import_module("ledger.migrations.0003_categories").load(apps, None)
