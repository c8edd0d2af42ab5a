"""The first month in a real browser: upload a settlement, map its fees, four eyes, and the P&L that changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group

from channels.models import Shop
from ledger.models import FeeRule, Mapping
from nova.models import Company, Membership, User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HEAD = [
    "settlement-id",
    "settlement-start-date",
    "settlement-end-date",
    "deposit-date",
    "total-amount",
    "currency",
    "transaction-type",
    "order-id",
    "merchant-order-id",
    "adjustment-id",
    "shipment-id",
    "marketplace-name",
    "amount-type",
    "amount-description",
    "amount",
    "fulfillment-id",
    "posted-date",
    "posted-date-time",
    "order-item-code",
    "merchant-order-item-id",
    "merchant-adjustment-item-id",
    "sku",
    "quantity-purchased",
    "promotion-id",
]


def settlement() -> str:
    """A settlement of two orders of lanterns in June 2026 and a storage fee: 100 + 50 sold, 22.50 commission, 4 storage."""
    summary = {
        "settlement-start-date": "2026-06-16 00:00:00 UTC",
        "settlement-end-date": "2026-06-30 00:00:00 UTC",
        "deposit-date": "2026-07-02 00:00:00 UTC",
        "total-amount": "123.50",
        "currency": "USD",
    }
    rows = [summary]
    for order, amount, fee in (("114-0000001-0000001", "100.00", "-15.00"), ("114-0000002-0000002", "50.00", "-7.50")):
        for group, name, value in (("ItemPrice", "Principal", amount), ("ItemFees", "Commission", fee)):
            rows.append(
                {
                    "transaction-type": "Order",
                    "order-id": order,
                    "marketplace-name": "Amazon.com",
                    "amount-type": group,
                    "amount-description": name,
                    "amount": value,
                    "posted-date": "2026-06-17",
                    "posted-date-time": "2026-06-17 08:14:22 UTC",
                    "sku": "LANTERN-1",
                    "quantity-purchased": "1",
                }
            )
    rows.append(
        {
            "transaction-type": "other-transaction",
            "amount-type": "other-transaction",
            "amount-description": "Storage Fee",
            "amount": "-4.00",
            "posted-date": "2026-06-20",
            "posted-date-time": "2026-06-20 08:14:22 UTC",
        }
    )
    lines = ["\t".join(HEAD), *("\t".join({"settlement-id": "9001", **row}.get(name, "") for name in HEAD) for row in rows)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def harbour() -> Company:
    """Harbour Goods with an Amazon shop in the United States."""
    company = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    Shop.objects.create(company=company, code="amazon-us", name="Harbour on Amazon", channel="amazon", region="NA")
    return company


def person(username: str, role: str, company: Company) -> User:
    user = User.objects.create_user(username, password=username, first_name=username.capitalize(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    Membership.objects.create(company=company, user=user)
    return user


def test_a_settlement_becomes_a_pnl_that_two_people_agreed_on(
    page: Any, live_server: Any, harbour: Company, tmp_path: Path, sign_in: Callable[[User], None], picture: Callable[[str], None]
) -> None:
    clara, arthur = person("clara", "Finance clerk", harbour), person("arthur", "Approver", harbour)
    home = f"{live_server.url}/c/harbour"
    file = tmp_path / "settlement-9001.txt"
    file.write_text(settlement(), encoding="utf-8")

    # The clerk uploads the settlement.
    sign_in(clara)
    page.goto(f"{home}/imports/")
    page.set_input_files("#id_files", str(file))
    page.click("text=Upload and read")
    page.wait_for_url("**/imports/*/")
    page.wait_for_selector("text=In the books")

    # Its money stands in suspense.
    page.goto(f"{home}/pnl/")
    assert "Suspense" in page.inner_text("#content")
    page.goto(f"{home}/rules/worklist/")
    assert page.locator("[data-rules-item]").count() == 3
    picture("worklist")

    # The figure opens the lines behind it; so does the one in the effect of a proposal, below.
    page.click("[data-rules-item]:has-text('Commission') .rules-money a")
    page.wait_for_url("**/lines/**")
    assert "\u221215.00" in page.inner_text("#content") and "\u22127.50" in page.inner_text("#content")
    page.go_back()

    # The clerk maps the commission as suggested, and sees before sending what it would change.
    page.click("[data-rules-item]:has-text('Commission') >> text=Propose")
    assert page.input_value("[data-rules-category]").startswith("plt.referral")
    page.fill("[name=reason]", "On every order of the settlement")
    page.click("text=Preview the effect")
    page.wait_for_selector("#effect")
    assert "\u221222.50" in page.inner_text("#effect")
    picture("propose")
    answer = page.request.get(f"{live_server.url}{page.get_attribute('#effect td.num a', 'href')}")
    assert answer.ok and "\u221215.00" in answer.text()
    page.click("text=Send to the approver")
    page.wait_for_url("**/rules/worklist/")
    rule = FeeRule.objects.get(company=harbour)
    assert (rule.status, rule.author) == ("proposed", clara)

    # The clerk cannot approve it: not in the inbox, and not by sending the form anyway.
    page.goto(f"{home}/rules/inbox/")
    page.click("[data-rules-open]")
    page.wait_for_selector("text=You proposed this yourself")
    picture("inbox-own")
    token = page.input_value("[name=csrfmiddlewaretoken] >> nth=0")
    answer = page.request.post(
        f"{home}/rules/decide/",
        form={"rule": str(rule.pk), "action": "approve", "csrfmiddlewaretoken": token},
        headers={"Referer": f"{home}/rules/inbox/"},
    )
    assert answer.status == 403
    assert not Mapping.objects.filter(company=harbour).exists()

    # The approver opens it with the keyboard, reads the exact effect and approves.
    sign_in(arthur)
    page.goto(f"{home}/rules/inbox/")
    page.keyboard.press("j")
    page.wait_for_selector("[data-rules-detail] >> text=\u221222.50")
    picture("inbox")
    page.keyboard.press("a")
    page.wait_for_selector("text=1 rule approved")
    rule.refresh_from_db()
    assert (rule.status, rule.approver) == ("approved", arthur)

    # The P&L has changed: the commission stands in its place.
    page.goto(f"{home}/pnl/")
    words = page.inner_text("#content")
    assert "Referral" in words and "\u221222.50" in words
    picture("pnl")


def test_an_approver_proposing_themselves_is_refused_by_the_button(
    page: Any, live_server: Any, harbour: Company, sign_in: Callable[[User], None]
) -> None:
    from ledger.approve import RuleData, propose_rules

    arthur = person("arthur", "Approver", harbour)
    arthur = User.objects.get(pk=arthur.pk)
    propose_rules(company=harbour, author=arthur, items=[RuleData("amazon", "Commission", "plt.referral")], reason="Known")
    sign_in(arthur)
    page.goto(f"{live_server.url}/c/harbour/rules/inbox/")
    page.click("[data-rules-open]")
    page.click("[data-rules-detail] >> button:has-text('Approve')", force=True)
    page.wait_for_selector("text=somebody else must approve it")
    assert FeeRule.objects.get(company=harbour).status == "proposed"


def test_a_batch_is_ticked_previewed_and_returned_with_a_reason(
    page: Any, live_server: Any, harbour: Company, sign_in: Callable[[User], None], picture: Callable[[str], None]
) -> None:
    from ledger.approve import propose_pack

    clara, arthur = person("clara", "Finance clerk", harbour), person("arthur", "Approver", harbour)
    propose_pack(company=harbour, author=User.objects.get(pk=clara.pk), channel="amazon", only_seen=False)
    sign_in(arthur)
    page.goto(f"{live_server.url}/c/harbour/rules/inbox/")
    boxes = page.locator(".rules-line > input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    assert "2 chosen" in page.inner_text("[data-rules-count]")
    page.click("text=Preview the ticked ones together")
    page.wait_for_url("**/rules/preview/**")
    picture("batch")
    page.click("button:has-text('Return all 2')")
    page.wait_for_selector("text=Say why")
    page.go_back()
    page.fill("[name=reason]", "Not ours")
    page.click("button:has-text('Return all 2')")
    page.wait_for_selector("text=2 proposals returned")
    assert FeeRule.objects.filter(company=harbour, status="rejected", decision_reason="Not ours").count() == 2
