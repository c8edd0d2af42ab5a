"""Fee rules over HTTP: the same laws as on the pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from ledger.models import FeeRule, FeeType, Mapping
from nova.models import Company, Membership, User

pytestmark = pytest.mark.django_db
RULES = "/api/v1/fee-rules/"


def person(name: str, role: str, *companies: Company) -> APIClient:
    user = User.objects.create_user(name, password="not-used-here-1")
    user.groups.add(Group.objects.get(name=role))
    for company in companies:
        Membership.objects.create(company=company, user=user)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def harbour() -> Company:
    return Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")


@pytest.fixture
def proposal(harbour: Company) -> dict[str, str]:
    FeeType.objects.create(channel="amazon", marketplace="amazon.com", path="Order/ItemFees", name="Harbour levy")
    return {"company": harbour.code, "channel": "amazon", "name": "Harbour levy", "category": "plt.regulatory"}


def test_one_proposes_and_another_approves(harbour: Company, proposal: dict[str, str]) -> None:
    clerk, approver = person("carla", "Finance clerk", harbour), person("amir", "Approver", harbour)
    made = clerk.post(RULES, proposal)
    assert (made.status_code, made.data["status"], made.data["author"]) == (201, "proposed", "carla")
    assert not Mapping.objects.filter(company=harbour).exists()
    done = approver.post(f"{RULES}{made.data['id']}/approve/", {"reason": "Checked against the invoice"})
    assert (done.status_code, done.data["status"], done.data["approver"]) == (200, "approved", "amir")
    assert Mapping.objects.get(company=harbour).category.code == "plt.regulatory"


def test_the_author_can_never_approve(harbour: Company, proposal: dict[str, str]) -> None:
    approver = person("amir", "Approver", harbour)
    made = approver.post(RULES, proposal)
    answer = approver.post(f"{RULES}{made.data['id']}/approve/")
    assert (answer.status_code, answer.data["code"]) == (400, "rule_refused")
    assert "yourself" in answer.data["detail"]
    assert FeeRule.objects.get(pk=made.data["id"]).status == "proposed"


def test_a_clerk_may_not_approve_and_a_viewer_may_not_propose(harbour: Company, proposal: dict[str, str]) -> None:
    clerk, colleague = person("carla", "Finance clerk", harbour), person("chris", "Finance clerk", harbour)
    made = clerk.post(RULES, proposal)
    assert colleague.post(f"{RULES}{made.data['id']}/approve/").status_code == 403
    assert person("vera", "Viewer", harbour).post(RULES, proposal).status_code == 403
    assert APIClient().get(RULES).status_code == 403


def test_rules_of_other_companies_do_not_exist(harbour: Company, proposal: dict[str, str]) -> None:
    lagoon = Company.objects.create(code="lagoon", name="Lagoon Supply", currency="USD")
    made = person("carla", "Finance clerk", harbour).post(RULES, proposal)
    stranger = person("lars", "Approver", lagoon)
    assert stranger.get(RULES).data["results"] == []
    assert stranger.get(f"{RULES}{made.data['id']}/").status_code == 404
    assert stranger.post(f"{RULES}{made.data['id']}/approve/").status_code == 404
    assert stranger.post(RULES, proposal).status_code == 400
    assert stranger.get(RULES, {"company": "harbour"}).data["results"] == []


def test_a_proposal_is_returned_with_a_reason_only(harbour: Company, proposal: dict[str, str]) -> None:
    clerk, approver = person("carla", "Finance clerk", harbour), person("amir", "Approver", harbour)
    made = clerk.post(RULES, proposal)
    assert approver.post(f"{RULES}{made.data['id']}/return/").status_code == 400
    done = approver.post(f"{RULES}{made.data['id']}/return/", {"reason": "Wrong category"})
    assert (done.status_code, done.data["status"], done.data["decision_reason"]) == (200, "rejected", "Wrong category")


@pytest.mark.parametrize("change", [{"category": "no.such"}, {"channel": "etsy"}, {"valid_from": "2026-03-02"}, {"name": "*"}])
def test_what_is_no_rule_is_refused_in_plain_words(harbour: Company, proposal: dict[str, str], change: dict[str, str]) -> None:
    answer = person("carla", "Finance clerk", harbour).post(RULES, proposal | change)
    assert answer.status_code == 400
    assert answer.data["detail"]


def test_the_list_takes_a_constant_number_of_queries(
    harbour: Company, proposal: dict[str, str], django_assert_max_num_queries: object
) -> None:
    clerk = person("carla", "Finance clerk", harbour)
    for number in range(5):
        assert clerk.post(RULES, proposal | {"name": f"Levy {number} zone"}).status_code == 201
    with django_assert_max_num_queries(5):  # type: ignore[operator]
        assert len(clerk.get(RULES, {"status": "proposed"}).data["results"]) == 5
