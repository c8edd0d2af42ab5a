"""The P&L in a real browser: clock and nesting, from a figure to its place in the document and back, phone and dark mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

from channels.models import Shop
from ledger.classify import compile_mappings
from ledger.intake import import_file
from ledger.models import FeeCategory, FeeRule, SavedView
from nova.models import Company, Membership, User
from tests.channels.amazon.test_settlement import row, settlement, text

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROWS = settlement(
    [
        row("20.00", **{"order-id": "114-0000001"}),
        row("-3.00", name="Commission", group="ItemFees", **{"order-id": "114-0000001"}),
        row("40.00", posted="2026-07-02 08:14:22 UTC", **{"order-id": "114-0000002"}),
        row("-6.00", posted="2026-07-02 08:14:22 UTC", name="Commission", group="ItemFees", **{"order-id": "114-0000002"}),
        row("-1.25", name="FBAPerUnitFulfillmentFee", group="ItemFees", **{"order-id": "114-0000001"}),
    ],
    total="49.75",
)


@pytest.fixture
def vera(_reference_data: None) -> User:
    """Harbour Goods with one settlement, its commission and sales mapped, and Vera, who reads."""
    company = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    shop = Shop.objects.create(company=company, code="amazon-us", name="Harbour on Amazon", channel="amazon", region="NA")
    intake = import_file(shop=shop, body=text(ROWS).encode(), filename="settlement-9001.txt")
    assert intake.state == "taken", intake.error or intake.question
    clara, anton = (User.objects.create_user(name, password=name, is_staff=True) for name in ("clara", "anton"))
    for name, category in (("Principal", "rev.product"), ("Commission", "plt.referral")):
        rule = FeeRule.objects.create(
            company=company,
            status="proposed",
            author=clara,
            channel="amazon",
            name=name,
            context="*",
            category=FeeCategory.objects.get(code=category),
        )
        rule.status, rule.approver = "approved", anton
        rule.save()
    compile_mappings(company=company)
    user = User.objects.create_user("vera", password="vera", first_name="Vera", is_staff=True)
    user.groups.add(Group.objects.get(name="Viewer"))
    Membership.objects.create(company=company, user=user)
    return user


def test_from_the_pnl_to_the_document_and_back(
    page: Any, live_server: Any, vera: User, sign_in: Callable[[User], None], picture: Callable[[str], None]
) -> None:
    home = f"{live_server.url}/c/harbour"
    sign_in(vera)
    page.goto(f"{home}/pnl/")
    assert page.locator("#pnl-chart[data-drawn=light]").count() == 1
    assert "100" in page.inner_text("[data-share=settled]")
    picture("pnl-page")

    # Another clock and another nesting, by the form; the address says it.
    page.select_option("#f-clock", "posted")
    page.select_option("#f-rows-1", "shop")
    page.select_option("#f-rows-2", "category")
    page.click("text=Show >> nth=0")
    page.wait_for_url(re.compile("clock=posted"))
    assert "rows=shop%2Ccategory" in page.url or "rows=shop&rows=category" in page.url
    shop = page.locator("#pnl-table tr:has-text('Harbour on Amazon')")
    referral = page.locator("#pnl-table tr:has-text('Referral')")
    assert not referral.is_visible()
    shop.locator(".pnl-fold").click()
    page.locator("#pnl-table tr:has-text('Platform and payment') .pnl-fold").click()
    assert referral.is_visible()

    # A figure leads to its lines, a line to its row in the document.
    here = page.url
    referral.locator("td.num a").last.click()
    page.wait_for_selector("#lines")
    assert page.inner_text("#figure").startswith("\u22129.00")
    assert page.inner_text("#count") == "2 fee lines"
    page.click("#lines tbody tr >> nth=0 >> text=row")
    page.wait_for_url(re.compile(r"/documents/\d+/\?row=\d+"))
    assert "Commission" in page.inner_text(".is-mark")
    page.go_back()
    page.click("text=Back to the P&L")
    page.wait_for_selector("#pnl-table")
    assert "clock=posted" in page.url and "shop" in page.url
    assert here.partition("?")[0] == page.url.partition("?")[0]

    # The order behind a line.
    page.goto(f"{home}/lines/?key.category=plt.referral")
    page.click("text=114-0000002")
    page.wait_for_selector("text=By category")
    assert "34.00" in page.inner_text("#content")


def test_views_are_saved_and_come_back(page: Any, live_server: Any, vera: User, sign_in: Callable[[User], None]) -> None:
    sign_in(vera)
    page.goto(f"{live_server.url}/c/harbour/pnl/?columns=week&rows=sku")
    page.click("text=Saved views")
    page.fill("#v-name", "Weeks by SKU")
    page.click("text=Save view")
    page.wait_for_selector("text=Saved as")
    page.goto(f"{live_server.url}/c/harbour/pnl/?columns=month&rows=category")
    page.click("text=Saved views")
    page.click("text=Weeks by SKU")
    page.wait_for_url(re.compile("columns=week"))
    assert SavedView.objects.get(name="Weeks by SKU").query.startswith("columns=week&rows=sku")
    page.goto(f"{live_server.url}/c/harbour/pnl/")
    assert "columns=week" in page.url


def test_a_phone_scrolls_the_table_and_not_the_page_and_dark_mode_redraws_the_chart(
    page: Any, live_server: Any, vera: User, sign_in: Callable[[User], None]
) -> None:
    sign_in(vera)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("pnl/?columns=month&rows=category", "lines/", "channels/amazon/?from=2026-01-01", "orders/114-0000001/"):
        page.goto(f"{live_server.url}/c/harbour/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.goto(f"{live_server.url}/c/harbour/pnl/?columns=week&rows=category")
    box = page.locator(".pnl-scroll")
    box.evaluate("box => { box.scrollLeft = 300 }")
    assert page.locator("#pnl-table tbody th >> nth=0").bounding_box()["x"] == pytest.approx(box.bounding_box()["x"], abs=2)
    page.evaluate("document.documentElement.classList.add('dark')")
    page.wait_for_selector("#pnl-chart[data-drawn=dark]")
