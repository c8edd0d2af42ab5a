"""Imports in a real browser: drop files, answer a question, match columns, withdraw and undo, keyboard, narrow window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum

from channels.models import Shop
from ledger import uploads
from ledger.models import LedgerIntake, PnlDay
from nova.models import Company, User
from tests.nova.desk_world import HEAD, company, person, settlement

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def harbour() -> Company:
    row = company("harbour", "Harbour Goods", shop="Harbour Amazon US")[0]
    Shop.objects.create(company=row, code="harbour-ca", name="Harbour Amazon Canada", channel="amazon", region="NA")
    return row


@pytest.fixture
def clerk(harbour: Company) -> User:
    return person("clara", harbour, role="Finance clerk")


def files(folder: Path, **bodies: bytes) -> list[str]:
    paths = []
    for name, body in bodies.items():
        path = folder / f"{name}.txt"
        path.write_bytes(body)
        paths.append(str(path))
    return paths


def total() -> str:
    return f"{PnlDay.objects.aggregate(sum=Sum('amount'))['sum'] or 0:.2f}"


def upload(page: Any, live_server: Any, shop: str, paths: list[str]) -> None:
    page.goto(f"{live_server.url}/c/harbour/imports/")
    page.select_option("#id_shop", shop)
    page.set_input_files("#id_files", paths)
    page.get_by_role("button", name="Upload and read").click()
    page.wait_for_url("**/imports/*/")


def test_a_question_is_answered_and_a_difference_accepted(
    page: Any, live_server: Any, sign_in: Callable[[User], None], clerk: User, tmp_path: Path, picture: Callable[[str], None]
) -> None:
    sign_in(clerk)
    upload(page, live_server, "harbour-us", files(tmp_path, june=settlement(order="114-1")))
    assert page.get_by_text("Adds up").is_visible()
    asked = files(tmp_path, july=settlement("9002", order="114-1"), august=settlement("9003", order="114-3", total="80.00"))
    upload(page, live_server, "harbour-ca", asked)
    picture("import-questions")
    july, august = page.locator("article", has_text="july.txt"), page.locator("article", has_text="august.txt")
    assert july.get_by_text("is known of Harbour Amazon US").is_visible()
    july.get_by_role("button", name="Yes, import it").click()
    page.get_by_text("july.txt is in the books").wait_for()
    august.get_by_role("button", name="Accept the difference").click()
    page.get_by_text("august.txt is in the books").wait_for()
    assert page.locator("article", has_text="august.txt").get_by_text("Does not add up").is_visible()
    assert total() == "250.00"
    page.locator("#nav-sidebar-inner").get_by_role("link", name="Statements").click()
    page.get_by_role("link", name="Only those that do not add up").click()
    assert page.locator("tbody tr").count() == 1


def test_unknown_columns_are_matched_with_the_suggestion(
    page: Any, live_server: Any, sign_in: Callable[[User], None], clerk: User, tmp_path: Path, picture: Callable[[str], None]
) -> None:
    headers = [f"Kolonne {number}" for number in range(len(HEAD))]
    sign_in(clerk)
    upload(page, live_server, "harbour-us", files(tmp_path, juni=settlement("24288684721", headers=headers)))
    card = page.locator("article", has_text="juni.txt")
    amount = card.get_by_label("Amount", exact=False).locator("visible=true").first
    assert amount.is_visible()
    picture("import-columns")
    card.get_by_role("button", name="Match these columns and import").click()
    page.get_by_text("juni.txt is in the books").wait_for()
    assert total() == "85.00"
    upload(page, live_server, "harbour-us", files(tmp_path, juli=settlement("24288684722", order="114-2", headers=headers)))
    page.get_by_text("Adds up").wait_for()
    assert total() == "170.00"


def test_an_import_is_withdrawn_with_a_reason_and_brought_back(
    page: Any, live_server: Any, sign_in: Callable[[User], None], clerk: User, tmp_path: Path, picture: Callable[[str], None]
) -> None:
    sign_in(clerk)
    upload(page, live_server, "harbour-us", files(tmp_path, june=settlement()))
    page.get_by_role("link", name="Withdraw …").click()
    picture("import-withdraw")
    page.get_by_label("Reason").fill("file of the wrong shop")
    page.keyboard.press("Control+s")
    page.get_by_text("june.txt was withdrawn").wait_for()
    assert total() == "0.00"
    page.get_by_role("button", name="Undo the withdrawal").click()
    page.get_by_text("june.txt is in the books").wait_for()
    assert total() == "85.00"


def test_the_page_reads_the_files_itself_where_no_worker_does(
    page: Any,
    live_server: Any,
    sign_in: Callable[[User], None],
    clerk: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "start_reading", lambda intakes: None)  # what an installation without a cluster looks like
    monkeypatch.setattr(uploads, "WORKER_ANSWERS_WITHIN", uploads.timedelta(milliseconds=100))
    sign_in(clerk)
    upload(page, live_server, "harbour-us", files(tmp_path, june=settlement(), july=settlement("9002", order="114-2")))
    page.locator("article", has_text="june.txt").get_by_text("In the books").wait_for()
    page.locator("article", has_text="july.txt").get_by_text("In the books").wait_for()
    assert page.locator("#progress-bar").is_hidden()
    assert set(LedgerIntake.objects.values_list("state", flat=True)) == {"taken"}


def test_files_are_dropped_and_listed_before_they_are_sent(
    page: Any, live_server: Any, sign_in: Callable[[User], None], clerk: User
) -> None:
    sign_in(clerk)
    page.goto(f"{live_server.url}/c/harbour/imports/")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["a"], "june.txt"));
            transfer.items.add(new File(["b"], "july.txt"));
            document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    assert page.locator("#chosen-files li").all_inner_texts() == ["june.txt (1 kB)", "july.txt (1 kB)"]
    assert page.get_by_role("button", name="Upload and read 2 files").is_visible()


def test_every_page_fits_a_phone_and_the_slash_opens_the_search(
    page: Any, live_server: Any, sign_in: Callable[[User], None], clerk: User, tmp_path: Path
) -> None:
    sign_in(clerk)
    upload(page, live_server, "harbour-us", files(tmp_path, june=settlement(), broken=settlement("9002", total="1.00")))
    document = LedgerIntake.objects.filter(state="taken").values_list("document_id", flat=True)[0]
    shown = page.url
    page.set_viewport_size({"width": 390, "height": 844})
    for address in (
        shown,
        f"{live_server.url}/admin/",
        f"{live_server.url}/portfolio/",
        f"{live_server.url}/c/harbour/imports/",
        f"{live_server.url}/c/harbour/statements/",
        f"{live_server.url}/c/harbour/documents/{document}/?row=3",
        f"{live_server.url}/c/harbour/documents/{document}/withdraw/",
        f"{live_server.url}/c/nobody/",
    ):
        page.goto(address)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{address} is {wider} px wider than the window"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{live_server.url}/c/harbour/statements/")
    page.keyboard.press("/")
    page.locator("#search-input-command").press_sequentially("9001")
    page.locator("#command-results a", has_text="9001").first.click()
    page.wait_for_url("**/c/harbour/statements/*/")
    assert page.get_by_text("Its lines come to its total").is_visible()
