"""The rule pages: worklist, proposal, inbox, rule, fee type and packs, for those who may see them, in few queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels.models import Shop
from channels.records import StatementRecord
from ledger.approve import RuleData, ScopeData, approve, propose_rules, propose_scopes
from ledger.models import FeeRule, FeeType, Mapping, ScopeRule
from ledger.worklist import read_worklist
from nova.models import Company, User
from tests.ledger.fake_channel import NOON, fake_channel, make_company, make_document, take, voucher
from tests.ledger.people import APPROVER, CLERK, make_approver, make_clerk, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with fake_channel():
        yield


@pytest.fixture
def desk() -> SimpleNamespace:
    """Harbour Goods with two unmapped fees, a clerk and an approver."""
    company, shop = make_company()
    lines = [("sale", "100"), ("referral fee", "-15"), ("parcel tax", "-5")]
    take(shop, company, "books", [voucher("statement", "S/1", lines, order="O1", statement="S")])
    return SimpleNamespace(company=company, shop=shop, clerk=make_clerk(company), approver=make_approver(company))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(name: str, company: Company, **more) -> str:
    return reverse(f"ledger:{name}", kwargs={"code": company.code, **more})


def fee_type(name: str) -> FeeType:
    return FeeType.objects.get(channel="fake", name=name)


def propose(desk, name="referral fee", category="plt.referral", author=None) -> FeeRule:
    item = RuleData("fake", name, category)
    return propose_rules(company=desk.company, author=author or desk.clerk, items=[item], reason="On every order")[0]


def test_the_worklist_puts_most_money_first_with_its_share_and_examples(desk):
    work = read_worklist(company=desk.company)
    assert [(item.fee_type.name, item.amount, item.lines, item.share) for item in work.items] == [
        ("sale", D(100), 1, D(100) / D(120)),
        ("referral fee", D(-15), 1, D(15) / D(120)),
        ("parcel tax", D(-5), 1, D(5) / D(120)),
    ]
    assert (work.count, work.absolute, work.share) == (3, D(120), D(1))
    example = work.items[0].examples[0]
    assert (example.order, example.amount, example.event_on.isoformat()) == ("O1", D(100), "2026-01-05")
    page = signed_in(desk.clerk).get(url("worklist", desk.company)).content.decode()
    assert "referral fee" in page and "100.00</span> USD" in page


def test_reversed_lines_are_no_examples_and_no_money(desk):
    corrected = voucher("statement", "S/1", [("sale", "90")], order="O1", statement="S")
    take(desk.shop, desk.company, "books", [corrected])
    work = read_worklist(company=desk.company)
    assert [(item.fee_type.name, item.amount) for item in work.items] == [("sale", D(90))]
    assert [example.amount for example in work.items[0].examples] == [D(90)]


def test_only_the_unmapped_months_of_a_fee_are_on_the_worklist(desk):
    march = datetime(2026, 3, 5, 12, tzinfo=UTC)
    later = voucher("statement", "S/3", [("referral fee", "-7")], order="O3", statement="S", event_at=march, posted_at=march)
    take(desk.shop, desk.company, "books", [later])

    def on_the_list() -> list[tuple[D, int, list[D]]]:
        items = read_worklist(company=desk.company, search="Referral").items
        return [(item.amount, item.months, [example.amount for example in item.examples]) for item in items]

    assert on_the_list() == [(D(-22), 2, [D(-7), D(-15)])]
    item = RuleData("fake", "referral fee", "plt.referral", valid_from=date(2026, 2, 1))
    (rule,) = propose_rules(company=desk.company, author=desk.clerk, items=[item])
    approve(rule_ids=[rule.pk], approver=desk.approver)
    assert on_the_list() == [(D(-15), 1, [D(-15)])]
    (rest,) = propose_rules(company=desk.company, author=desk.clerk, items=[RuleData("fake", "referral*", "plt.referral")])
    approve(rule_ids=[rest.pk], approver=desk.approver)
    assert on_the_list() == []


def test_a_remainder_of_a_statement_is_no_fee_to_map(desk):
    head = StatementRecord("S9", "USD", total=D("11"), line_count=1, closed_at=NOON)
    record = voucher("statement", "S9/1", [("sale", "10")], order="O9", statement="S9")
    take(desk.shop, desk.company, "books", [record], [head])
    item = next(row for row in read_worklist(company=desk.company, user=desk.clerk).items if row.fee_type.name == "difference")
    assert item.remainder and item.suggestion is None and item.amount == D(1)
    assert "No fee: the part of a statement" in signed_in(desk.clerk).get(url("worklist", desk.company)).content.decode()


def test_a_fee_that_waits_for_approval_says_so(desk):
    rule = propose(desk)
    item = next(row for row in read_worklist(company=desk.company).items if row.fee_type.name == "referral fee")
    assert item.waiting == [rule]


def test_suggestions_come_from_defaults_other_companies_same_names_and_words():
    company, _shop = make_company()
    shop = Shop.objects.create(company=company, code="amazon", name="Amazon", channel="amazon")
    names = ["Commission", "Zebra levy", "Sponsored Brands Video Advertising"]
    for name in names:
        FeeType.objects.create(channel="amazon", marketplace="amazon.de", path="Nowhere/Seen", name=name)
    sister, _other = make_company()
    clerk, approver = make_clerk(company, sister), make_approver(sister)
    (rule,) = propose_rules(company=sister, author=clerk, items=[RuleData("amazon", "Zebra levy", "plt.program")])
    approve(rule_ids=[rule.pk], approver=approver)
    from ledger.suggest import suggest

    types = list(FeeType.objects.filter(path="Nowhere/Seen"))
    found = {
        fee.name: suggestion for fee in types if (suggestion := suggest(company=company, fee_types=types, user=clerk).get(fee.pk))
    }
    assert found["Commission"].category.code == "plt.referral" and "defaults" in found["Commission"].reason
    assert (found["Zebra levy"].category.code, found["Zebra levy"].reason) == ("plt.program", f"Approved at {sister}.")
    words = found["Sponsored Brands Video Advertising"]
    assert words.category.code.startswith("mkt.") and words.confidence == "low"
    stranger = make_clerk(company)
    assert FeeType.objects.get(name="Zebra levy").pk not in suggest(company=company, fee_types=types, user=stranger)
    assert shop.channel == "amazon"


def test_a_clerk_previews_and_sends_proposals_for_several_fees_at_once(desk):
    client = signed_in(desk.clerk)
    referral, tax = fee_type("referral fee"), fee_type("parcel tax")
    form = {
        "type": [referral.pk, tax.pk],
        f"use-{referral.pk}": "on",
        f"category-{referral.pk}": "plt.referral · Referral fee",
        f"use-{tax.pk}": "on",
        f"category-{tax.pk}": "bs.tax_mp",
        "valid_from": "2026-01",
        "reason": "Both are on every statement",
    }
    page = client.post(url("propose", desk.company), form | {"action": "preview"}).content.decode()
    assert "What approval would change" in page and "\u221215.00" in page
    assert not FeeRule.objects.filter(company=desk.company).exists()
    answer = client.post(url("propose", desk.company), form | {"action": "send"}, follow=True)
    assert "2 proposals sent" in answer.content.decode()
    rules = FeeRule.objects.filter(company=desk.company).order_by("pk")
    assert [(rule.name, rule.path, rule.category.code, rule.valid_from.isoformat(), rule.author) for rule in rules] == [
        ("referral fee", "fees", "plt.referral", "2026-01-01", desk.clerk),
        ("parcel tax", "fees", "bs.tax_mp", "2026-01-01", desk.clerk),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category": ""}, "Choose a category"),
        ({"category": "plt.nothing"}, "no category"),
        ({"reason": ""}, "Say why"),
        ({"valid_from": "soon"}, "not a month"),
        ({"reach": "own", "name": "*", "path": "*"}, "every fee of a channel"),
    ],
)
def test_a_form_that_lacks_something_says_what_and_keeps_what_was_entered(desk, change, message):
    pk = fee_type("referral fee").pk
    values = {"category": "plt.referral", "reach": "exact", "reason": "Kept words", "valid_from": ""} | change
    form = {
        "type": pk,
        f"use-{pk}": "on",
        "action": "send",
        "reason": values.pop("reason"),
        "valid_from": values.pop("valid_from"),
    }
    answer = signed_in(desk.clerk).post(
        url("propose", desk.company), form | {f"{key}-{pk}": value for key, value in values.items()}
    )
    assert answer.status_code == 422 and message in answer.content.decode()
    assert not FeeRule.objects.exists()


def test_the_approver_sees_the_exact_effect_and_approves(desk):
    rule = propose(desk)
    client = signed_in(desk.approver)
    assert "\u221215.00" in client.get(url("inbox", desk.company)).content.decode()
    shown = client.get(url("rule_preview", desk.company), {"rule": rule.pk})
    page = shown.content.decode()
    assert "Jan 2026" in page and "plt.referral" in page
    answer = client.post(
        url("rule_decide", desk.company),
        {"rule": rule.pk, "action": "approve", "token": shown.context["token"], "reason": "Right"},
        follow=True,
    )
    assert "1 rule approved" in answer.content.decode()
    assert Mapping.objects.get(company=desk.company).category.code == "plt.referral"


def test_an_approval_counts_only_for_the_effect_that_was_shown(desk):
    item = RuleData("fake", "late*", "plt.penalty")
    (rule,) = propose_rules(company=desk.company, author=desk.clerk, items=[item])
    client = signed_in(desk.approver)
    token = client.get(url("rule_preview", desk.company), {"rule": rule.pk}).context["token"]
    take(desk.shop, desk.company, "books", [voucher("statement", "S/2", [("late delivery", "-9")], order="O2", statement="S")])
    answer = client.post(url("rule_decide", desk.company), {"rule": rule.pk, "action": "approve", "token": token})
    assert "The effect has changed since you looked" in answer.content.decode()
    rule.refresh_from_db()
    assert rule.status == "proposed"
    client.post(url("rule_decide", desk.company), {"rule": rule.pk, "action": "approve", "token": answer.context["token"]})
    rule.refresh_from_db()
    assert rule.status == "approved"


def test_the_author_is_refused_by_the_page_whatever_rights_they_have(desk):
    both = make_user("bianca", desk.company, rights=(*CLERK, *APPROVER))
    rule = propose(desk, author=both)
    client = signed_in(both)
    shown = client.get(url("rule_preview", desk.company), {"rule": rule.pk})
    assert "You proposed this yourself" in shown.content.decode()
    answer = client.post(
        url("rule_decide", desk.company), {"rule": rule.pk, "action": "approve", "token": shown.context["token"]}, follow=True
    )
    assert "You proposed this yourself: somebody else must approve it." in answer.content.decode()
    rule.refresh_from_db()
    assert rule.status == "proposed"
    client.post(url("rule_decide", desk.company), {"rule": rule.pk, "action": "withdraw"})
    rule.refresh_from_db()
    assert rule.status == "withdrawn"


def test_without_the_approvers_role_nothing_is_approved_by_page(desk):
    rule = propose(desk)
    colleague = signed_in(make_clerk(desk.company))
    assert colleague.post(url("rule_decide", desk.company), {"rule": rule.pk, "action": "approve"}).status_code == 403
    viewer = signed_in(make_user("vera", desk.company, rights=("view_feerule",)))
    assert viewer.get(url("inbox", desk.company)).status_code == 200
    assert viewer.get(url("propose", desk.company), {"type": fee_type("sale").pk}).status_code == 403
    assert viewer.get(url("rule_packs", desk.company)).status_code == 403
    assert signed_in(make_user("olaf", desk.company)).get(url("worklist", desk.company)).status_code == 403
    rule.refresh_from_db()
    assert rule.status == "proposed"


def test_a_returned_proposal_tells_its_author_why(desk):
    rule = propose(desk)
    client = signed_in(desk.approver)
    answer = client.post(url("rule_decide", desk.company), {"rule": rule.pk, "action": "return", "reason": ""}, follow=True)
    assert "Say why" in answer.content.decode()
    client.post(url("rule_decide", desk.company), {"rule": rule.pk, "action": "return", "reason": "It is a refund"})
    assert "It is a refund" in signed_in(desk.clerk).get(url("inbox", desk.company)).content.decode()


def test_a_group_is_previewed_and_approved_as_a_whole(desk):
    items = [RuleData("fake", "referral fee", "plt.referral"), RuleData("fake", "sale", "rev.product")]
    propose_rules(company=desk.company, author=desk.clerk, items=items, source="Nova's defaults")
    client = signed_in(desk.approver)
    group = f"{desk.clerk.pk}:Nova's defaults"
    shown = client.get(url("rule_preview", desk.company), {"group": group})
    assert shown.context["count"] == 2
    propose_rules(company=desk.company, author=desk.clerk, items=[RuleData("fake", "x*", "memo")], source="Nova's defaults")
    late = client.post(url("rule_decide", desk.company), {"group": group, "action": "approve", "token": shown.context["token"]})
    assert "has changed since you looked" in late.content.decode(), "a proposal nobody saw is not approved with the others"
    client.post(url("rule_decide", desk.company), {"group": group, "action": "approve", "token": late.context["token"]})
    assert FeeRule.objects.filter(company=desk.company, status="approved").count() == 3


def test_another_companys_rules_are_out_of_reach_by_any_id(desk):
    rule = propose(desk)
    (scope,) = propose_scopes(company=desk.company, author=desk.clerk, items=[ScopeData("fake", "plt.referral", "memo")])
    other, _shop = make_company()
    stranger = signed_in(make_user("sten", other, rights=(*CLERK, *APPROVER)))
    foreign = fee_type("sale").pk
    for address in (
        url("worklist", desk.company),
        url("inbox", desk.company),
        url("rule", desk.company, pk=rule.pk),
        url("rule", other, pk=rule.pk),
        url("fee_type", other, pk=foreign),
        f"{url('propose', other)}?type={foreign}",
        reverse("admin:ledger_feerule_change", args=[rule.pk]),
        reverse("admin:ledger_feetype_change", args=[foreign]),
    ):
        assert stranger.get(address).status_code in (302, 404), address
    assert stranger.get(url("rule_preview", other), {"rule": rule.pk}).status_code == 302
    stranger.post(url("rule_decide", other), {"rule": rule.pk, "action": "approve"})
    stranger.post(url("rule_decide", other), {"group": f"{desk.clerk.pk}:", "action": "return", "reason": "mine"})
    stranger.post(url("scope_decide", other), {"rule": scope.pk, "action": "approve"})
    stranger.post(url("rule_packs", other), {"action": "others", "extent": "all", "company": desk.company.code})
    rule.refresh_from_db()
    scope.refresh_from_db()
    assert (rule.status, scope.status, FeeRule.objects.filter(company=other).count()) == ("proposed", "proposed", 0)
    for listing in ("feerule", "scoperule", "feetype"):
        page = stranger.get(reverse(f"admin:ledger_{listing}_changelist")).content.decode()
        assert desk.company.name not in page and "referral fee" not in page


def test_the_pages_of_a_rule_and_a_fee_say_which_rule_decides_and_why(desk):
    exact, wide = propose(desk), propose(desk, "referral*", "adj.other")
    approve(rule_ids=[exact.pk, wide.pk], approver=desk.approver, reason="Both right")
    client = signed_in(desk.clerk)
    page = client.get(url("fee_type", desk.company, pk=fee_type("referral fee").pk)).content.decode()
    assert "decides" in page and "a more exact rule decides" in page and "name like referral*" in page
    page = client.get(url("rule", desk.company, pk=exact.pk)).content.decode()
    assert "this rule" in page and "Both right" in page and "End this rule" not in page
    client = signed_in(desk.approver)
    assert "End this rule" in client.get(url("rule", desk.company, pk=exact.pk)).content.decode()
    client.post(url("rule_decide", desk.company), {"rule": exact.pk, "action": "retire", "reason": "Too narrow", "valid_to": ""})
    assert Mapping.objects.get(company=desk.company, known_to__isnull=True).category.code == "adj.other"


def test_scope_rules_wait_in_the_inbox_with_their_effect(desk):
    rule = propose(desk)
    approve(rule_ids=[rule.pk], approver=desk.approver)
    (scope,) = propose_scopes(company=desk.company, author=desk.clerk, items=[ScopeData("fake", "plt.referral", "memo")])
    client = signed_in(desk.approver)
    page = client.get(url("inbox", desk.company)).content.decode()
    assert "leaves" in page and "\u221215.00" in page
    client.post(url("scope_decide", desk.company), {"rule": scope.pk, "action": "approve"})
    assert ScopeRule.objects.get(pk=scope.pk).status == "approved"
    later = ScopeData("fake", "plt.referral", "channel", valid_from=date(2026, 2, 1))
    propose_scopes(company=desk.company, author=desk.clerk, items=[later])
    assert "no longer holds from February 2026" in client.get(url("inbox", desk.company)).content.decode()


def test_packs_are_proposed_by_page_and_wait_in_each_company(desk):
    rule = propose(desk)
    approve(rule_ids=[rule.pk], approver=desk.approver)
    sister, _shop = make_company()
    agency = signed_in(make_clerk(desk.company, sister))
    assert sister.name in agency.get(url("rule_packs", desk.company)).content.decode()
    answer = agency.post(
        url("rule_packs", desk.company),
        {"action": "others", "extent": "all", "company": sister.code, "reason": "Agency standard"},
        follow=True,
    )
    assert f"{sister.name}: 1 proposal." in answer.content.decode()
    assert FeeRule.objects.get(company=sister).status == "proposed"


def test_the_admin_form_proposes_in_the_name_of_the_user_and_nothing_is_edited(desk):
    client = signed_in(desk.clerk)
    form = {
        "company": desk.company.pk, "channel": "fake", "marketplace": "", "path": "*", "name": "referral fee", "context": "",
        "category": 1, "valid_from": "2026-02-02", "reason": "By hand",
    }  # fmt: skip
    page = client.post(reverse("admin:ledger_feerule_add"), form)
    assert "first of a month" in page.content.decode()
    answer = client.post(reverse("admin:ledger_feerule_add"), form | {"valid_from": "2026-02-01"})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    rule = FeeRule.objects.get(company=desk.company)
    assert (rule.author, rule.status, rule.reason) == (desk.clerk, "proposed", "By hand")
    change = reverse("admin:ledger_feerule_change", args=[rule.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, form | {"name": "other"}).status_code == 403
    assert client.post(reverse("admin:ledger_feerule_delete", args=[rule.pk]), {"post": "yes"}).status_code == 403
    listing = reverse("admin:ledger_feerule_changelist")
    client.post(listing, {"action": "withdraw_own", "_selected_action": rule.pk})
    rule.refresh_from_db()
    assert rule.status == "withdrawn"
    for name in ("feetype", "feecategory", "scoperule", "feerule"):
        assert client.get(reverse(f"admin:ledger_{name}_changelist")).status_code == 200
    assert client.get(reverse("admin:ledger_feetype_change", args=[fee_type("sale").pk])).status_code == 200
    assert client.get(reverse("admin:ledger_scoperule_add")).status_code == 200


def test_pages_read_no_more_for_a_hundred_fees_than_for_three(desk):
    client, approver = signed_in(desk.clerk), signed_in(desk.approver)

    def queries(who: Client, address: str) -> int:
        who.get(address)
        with CaptureQueriesContext(connection) as found:
            assert who.get(address).status_code == 200
        return len(found)

    propose(desk)
    addresses = [(client, url("worklist", desk.company)), (approver, url("inbox", desk.company))]
    few = [queries(*address) for address in addresses]
    lines = [(f"levy {chr(97 + n // 26)}{chr(97 + n % 26)}", "-1") for n in range(100)]
    take(desk.shop, desk.company, "books", [voucher("statement", "S/9", lines, order="O9", statement="S")])
    items = [RuleData("fake", name, "plt.program") for name, _amount in lines]
    propose_rules(company=desk.company, author=desk.clerk, items=items, reason="Many")
    many = [queries(*address) for address in addresses]
    assert many == few
    assert max(many) <= 32, many
    make_document(desk.shop, "unused")


@pytest.mark.parametrize("strange", ["\x00", "²", "9" * 40, "-1", "a' OR 1=1", "1:\x00"])
def test_strange_words_in_an_address_or_a_form_break_nothing(desk, strange):
    propose(desk)
    clerk, approver = signed_in(desk.clerk), signed_in(desk.approver)
    for name in ("worklist", "inbox", "rule_preview", "propose", "rule_packs"):
        query = {"q": strange, "channel": strange, "page": strange, "rule": strange, "group": strange, "type": strange}
        assert clerk.get(url(name, desk.company), query).status_code in (200, 302, 404), name
    form = {"rule": strange, "group": strange, "action": strange, "reason": strange, "valid_to": strange, "next": strange}
    for action in (strange, "approve", "return", "withdraw", "retire"):
        for name in ("rule_decide", "scope_decide"):
            assert approver.post(url(name, desk.company), form | {"action": action}).status_code in (200, 302), (name, action)
    pk = fee_type("sale").pk
    values = dict.fromkeys((f"category-{pk}", f"reach-{pk}", f"path-{pk}", f"name-{pk}", "reason", "valid_from"), strange)
    answer = clerk.post(url("propose", desk.company), {"type": pk, f"use-{pk}": "on", "action": "send", **values})
    assert answer.status_code == 422
    packs = {"action": strange, "channel": strange, "company": strange, "rule": strange, "reason": strange}
    assert clerk.post(url("rule_packs", desk.company), packs).status_code == 200
    assert FeeRule.objects.get(company=desk.company).status == "proposed"
