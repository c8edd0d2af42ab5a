"""Upload, what became of each file, questions, withdrawing and undoing, as pages."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels.models import Document, Shop, Upload, UploadFile
from ledger import uploads
from ledger.models import FeeLine, LedgerIntake, PnlDay, Withdrawal
from nova.models import Company
from tests.nova.desk_world import HEAD, company, person, settlement

pytestmark = pytest.mark.django_db
State = LedgerIntake.State


@pytest.fixture
def harbour() -> Company:
    return company("harbour", "Harbour Goods", shop="Harbour Amazon US")[0]


@pytest.fixture
def shop(harbour: Company) -> Shop:
    return Shop.objects.get(company=harbour)


@pytest.fixture
def clerk(harbour: Company) -> Client:
    client = Client()
    client.force_login(person("clara", harbour, role="Finance clerk"))
    return client


@pytest.fixture
def viewer(harbour: Company) -> Client:
    client = Client()
    client.force_login(person("vera", harbour, role="Viewer"))
    return client


def page(name: str, **kwargs: Any) -> str:
    return reverse(f"ledger:{name}", kwargs={"code": "harbour", **kwargs})


def upload(client: Client, *files: tuple[str, bytes], shop: str = "harbour-us", **headers: str) -> Any:
    data = {"shop": shop, "files": [SimpleUploadedFile(name, body) for name, body in files]}
    return client.post(page("upload"), data, headers=headers)


def cards(client: Client, response: Any) -> dict[str, Any]:
    """The rows of the result page by file name."""
    shown = client.get(response.headers["Location"])
    assert shown.status_code == 200
    return {row.name: row for row in shown.context["rows"]}


def money() -> dict[str, str]:
    sums: dict[str, Any] = {}
    for row in PnlDay.objects.select_related("fee_type"):
        sums[row.fee_type.name] = sums.get(row.fee_type.name, 0) + row.amount
    return {name: f"{amount:f}" for name, amount in sums.items() if amount}


def answer(client: Client, row: Any, **data: str) -> Any:
    return client.post(page("answer_import", pk=row.intake.pk), data, follow=True)


def test_a_settlement_is_in_the_books_with_its_check(clerk: Client, shop: Shop) -> None:
    response = upload(clerk, ("june.txt", settlement(order="114-1")))
    row = cards(clerk, response)["june.txt"]
    assert (row.badge, row.kind) == ("In the books", "Settlement flat file V2")
    (check,) = row.checks
    assert (check.outside_id, str(check.sum), str(check.total), check.difference) == ("9001", "85.0000", "85.0000", 0)
    assert money() == {"Principal": "100.0000", "Commission": "-15.0000"}
    text = clerk.get(response.headers["Location"]).content.decode()
    assert "Adds up" in text
    assert "2 fee lines" in text


def test_the_same_file_again_changes_nothing_and_says_so(clerk: Client, shop: Shop) -> None:
    upload(clerk, ("june.txt", settlement()))
    lines = FeeLine.objects.count()
    row = cards(clerk, upload(clerk, ("june again.txt", settlement())))["june again.txt"]
    assert (row.badge, row.unchanged) == ("Nothing new", True)
    assert FeeLine.objects.count() == lines
    assert Document.objects.count() == 1
    assert UploadFile.objects.count() == 2


def test_several_files_and_archives_are_told_apart(clerk: Client, shop: Shop) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("july.txt", settlement("9002", order="114-2"))
        packed.writestr("august.txt", settlement("9003", order="114-3"))
    rows = cards(
        clerk,
        upload(
            clerk,
            ("june.txt", settlement()),
            ("summer.zip", archive.getvalue()),
            ("photo.png", b"\x89PNG\x00\x00"),
            ("damaged.zip", b"PK\x03\x04 damaged"),
            ("empty.txt", b""),
        ),
    )
    states = {name: row.badge for name, row in rows.items()}
    assert states == {
        "june.txt": "In the books",
        "july.txt": "In the books",
        "august.txt": "In the books",
        "photo.png": "Not taken",
        "damaged.zip": "Not kept",
        "empty.txt": "Not taken",
    }
    assert rows["damaged.zip"].error == "The archive damaged.zip is damaged or cut off."


def test_a_file_that_does_not_add_up_names_line_and_reason_and_may_be_accepted(clerk: Client, shop: Shop) -> None:
    row = cards(clerk, upload(clerk, ("june.txt", settlement(total="80.00"))))["june.txt"]
    assert (row.badge, row.ask) == ("Not taken", "difference")
    assert "80.00" in row.error
    assert not FeeLine.objects.exists()
    answer(clerk, row, answer="difference")
    assert LedgerIntake.objects.get().state == State.TAKEN
    assert money()["difference"] == "-5.0000"
    statements = clerk.get(page("statements"), {"only": "open"})
    assert [check.outside_id for check in statements.context["checks"]] == ["9001"]
    assert "Does not add up" in statements.content.decode()


def test_a_file_of_another_shop_asks_and_yes_takes_it(clerk: Client, harbour: Company, shop: Shop) -> None:
    upload(clerk, ("june.txt", settlement()))
    Shop.objects.create(company=harbour, code="harbour-ca", name="Harbour Amazon Canada", channel="amazon", region="NA")
    row = cards(clerk, upload(clerk, ("july.txt", settlement("9002")), shop="harbour-ca"))["july.txt"]
    assert (row.badge, row.ask) == ("Needs an answer", "confirm")
    assert "Harbour Amazon US" in row.intake.question
    answer(clerk, row, answer="yes")
    intake = LedgerIntake.objects.get(pk=row.intake.pk)
    assert (intake.state, intake.answered_by.username) == (State.TAKEN, "clara")


def test_no_leaves_it_out_until_somebody_reads_it_again(clerk: Client, harbour: Company, shop: Shop) -> None:
    upload(clerk, ("june.txt", settlement()))
    Shop.objects.create(company=harbour, code="harbour-ca", name="Harbour Amazon Canada", channel="amazon", region="NA")
    row = cards(clerk, upload(clerk, ("july.txt", settlement("9002")), shop="harbour-ca"))["july.txt"]
    assert clerk.get(page("upload")).context["needs"]
    answer(clerk, row, answer="no")
    intake = LedgerIntake.objects.get(pk=row.intake.pk)
    assert intake.state == State.FAILED
    assert intake.error.startswith("Left out by clara.")
    assert not clerk.get(page("upload")).context["needs"]
    answer(clerk, row, answer="retry")
    assert LedgerIntake.objects.get(pk=row.intake.pk).state == State.ASKING


def test_unknown_headers_are_matched_once_and_remembered(clerk: Client, shop: Shop) -> None:
    headers = [f"Feld {number}" for number in range(len(HEAD))]
    body = settlement("24288684721", headers=headers)
    row = cards(clerk, upload(clerk, ("juni.txt", body)))["juni.txt"]
    assert row.ask == "columns"
    suggested = {column.code: column.chosen for column in row.columns}
    assert suggested["amount"] == headers[HEAD.index("amount")]
    text = clerk.get(page("document", pk=row.document.pk)).content.decode()
    assert "Match these columns and import" in text
    assert "Feld 14" in text
    assert "Choose the columns first" in answer(clerk, row, answer="columns").content.decode()
    missing = answer(clerk, row, answer="columns", **{"column:amount": headers[14]})
    assert "must be matched" in missing.content.decode()
    answer(clerk, row, answer="columns", **{f"column:{code}": header for code, header in suggested.items() if header})
    assert LedgerIntake.objects.get(pk=row.intake.pk).state == State.TAKEN
    assert money() == {"Principal": "100.0000", "Commission": "-15.0000"}
    later = settlement("24288684722", order="114-2", headers=headers)
    assert cards(clerk, upload(clerk, ("juli.txt", later)))["juli.txt"].badge == "In the books"


def test_withdrawing_previews_asks_for_a_reason_and_can_be_undone(clerk: Client, shop: Shop) -> None:
    row = cards(clerk, upload(clerk, ("june.txt", settlement())))["june.txt"]
    address = page("withdraw", pk=row.document.pk)
    preview = clerk.get(address)
    assert (preview.context["preview"].lines, preview.context["preview"].vouchers) == (2, 1)
    assert "Withdraw 2 fee lines" in preview.content.decode()
    refused = clerk.post(address, {"reason": "  "})
    assert refused.status_code == 400
    assert "Say why" in refused.content.decode()
    assert money() != {}
    done = clerk.post(address, {"reason": "file of the wrong shop"}, follow=True)
    assert money() == {}
    assert "file of the wrong shop" in done.content.decode()
    withdrawal = Withdrawal.objects.get()
    clerk.post(page("undo_withdrawal", pk=withdrawal.pk))
    assert money() == {"Principal": "100.0000", "Commission": "-15.0000"}
    again = clerk.post(page("undo_withdrawal", pk=withdrawal.pk), follow=True)
    assert "undone already" in again.content.decode()


def test_a_viewer_looks_but_changes_nothing(clerk: Client, viewer: Client, shop: Shop) -> None:
    row = cards(clerk, upload(clerk, ("june.txt", settlement())))["june.txt"]
    assert viewer.get(page("upload")).status_code == 200
    assert viewer.get(page("document", pk=row.document.pk)).status_code == 200
    assert upload(viewer, ("july.txt", settlement("9002"))).status_code == 403
    assert viewer.post(page("answer_import", pk=row.intake.pk), {"answer": "yes"}).status_code == 403
    assert viewer.post(page("import_read", pk=Upload.objects.get().pk)).status_code == 403
    assert viewer.get(page("withdraw", pk=row.document.pk)).status_code == 403
    assert "Withdraw" not in viewer.get(page("document", pk=row.document.pk)).content.decode()


def test_the_form_says_what_is_missing(clerk: Client, shop: Shop) -> None:
    assert upload(clerk, ("june.txt", settlement()), shop="nobodys").status_code == 400
    response = clerk.post(page("upload"), {"shop": "harbour-us"}, headers={"Accept": "application/json"})
    assert (response.status_code, response.json()["problem"]) == (400, "Choose at least one file.")
    sent = upload(clerk, ("june.txt", settlement()), Accept="application/json")
    assert sent.status_code == 201
    assert sent.json()["address"] == page("import_result", pk=Upload.objects.get().pk)


def test_a_file_that_is_too_large_is_named_and_the_others_go_on(clerk: Client, shop: Shop) -> None:
    with mock.patch.object(uploads, "MAX_DOCUMENT_BYTES", 2000):
        rows = cards(clerk, upload(clerk, ("june.txt", settlement()), ("huge.txt", b"x" * 3000)))
    assert rows["june.txt"].badge == "In the books"
    assert rows["huge.txt"].badge == "Not kept"
    assert "3,000 bytes" in rows["huge.txt"].error


def queued(clerk: Client, *files: tuple[str, bytes]) -> Upload:
    """Upload files that are left to the background."""
    with mock.patch.object(uploads, "start_reading", lambda intakes: None):
        upload(clerk, *files)
    return Upload.objects.latest("pk")


def test_progress_is_told_and_files_are_read_here_when_no_worker_answers(clerk: Client, shop: Shop) -> None:
    row = queued(clerk, ("june.txt", settlement()), ("july.txt", settlement("9002", order="114-2")))
    status = page("import_status", pk=row.pk)
    first = clerk.get(status).json()
    assert (first["files"], first["done"], first["finished"], first["stalled"]) == (2, 0, False, False)
    with mock.patch.object(uploads, "WORKER_ANSWERS_WITHIN", uploads.timedelta(0)):
        assert clerk.get(status).json()["stalled"] is True
    assert clerk.post(page("import_read", pk=row.pk), headers={"Accept": "application/json"}).json() == {"read": True}
    half = clerk.get(status).json()
    assert (half["done"], half["finished"], 0 < half["percent"] < 100) == (1, False, True)
    clerk.post(page("import_read", pk=row.pk))
    done = clerk.get(status).json()
    assert (done["done"], done["percent"], done["finished"]) == (2, 100, True)
    assert clerk.post(page("import_read", pk=row.pk), headers={"Accept": "application/json"}).json() == {"read": False}
    fragment = clerk.get(page("import_result", pk=row.pk), {"file": next(iter(done["versions"]))}).content.decode()
    assert fragment.lstrip().startswith("<article")


def test_large_files_are_left_to_the_background(clerk: Client, shop: Shop) -> None:
    with (
        mock.patch.object(uploads, "AT_ONCE_BYTES", 10),
        mock.patch.dict(uploads.settings.Q_CLUSTER, {"sync": False}),
        mock.patch.object(uploads, "async_task") as task,
    ):
        upload(clerk, ("june.txt", settlement()))
    intake = LedgerIntake.objects.get()
    assert intake.state == State.WAITING
    assert task.call_args.args == ("ledger.tasks.take", intake.pk)


@pytest.mark.parametrize("name", ["upload", "import_result", "import_status", "statements"])
def test_query_counts_do_not_grow_with_the_rows(clerk: Client, shop: Shop, name: str) -> None:
    def count(files: int, start: int) -> int:
        upload(clerk, *[(f"{n}.txt", settlement(str(n), order=f"114-{n}")) for n in range(start, start + files)])
        target = page(name, **({"pk": Upload.objects.latest("pk").pk} if name.startswith("import_") else {}))
        clerk.get(target)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert clerk.get(target).status_code == 200
        return len(queries)

    few = count(2, 100)
    assert count(9, 200) <= few


def test_a_document_opens_at_the_line_of_a_fee_line(clerk: Client, shop: Shop) -> None:
    row = cards(clerk, upload(clerk, ("june.txt", settlement())))["june.txt"]
    line = FeeLine.objects.get(amount=-15)
    shown = clerk.get(page("document", pk=row.document.pk), {"row": line.row})
    preview = shown.context["preview"]
    assert ("amount", "-15.00") in preview.marked
    assert 'class="is-mark" id="mark"' in shown.content.decode()
    bytes_kept = clerk.get(page("document_download", pk=row.document.pk))
    assert bytes_kept.content == settlement()
    assert "attachment" in bytes_kept.headers["Content-Disposition"]


def test_a_json_document_opens_at_its_record(clerk: Client, shop: Shop) -> None:
    transactions = [
        {
            "transactionType": "Shipment",
            "transactionId": f"T{number}",
            "postedDate": "2026-06-17T08:00:00Z",
            "transactionStatus": "RELEASED",
            "totalAmount": {"currencyAmount": 10 + number, "currencyCode": "USD"},
            "relatedIdentifiers": [{"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": f"114-{number}"}],
            "marketplaceDetails": {"marketplaceId": "ATVPDKIKX0DER", "marketplaceName": "Amazon.com"},
        }
        for number in range(5)
    ]
    pages = [{"payload": {"transactions": transactions[:3]}}, {"payload": {"transactions": transactions[3:]}}]
    row = cards(clerk, upload(clerk, ("finances.json", json.dumps(pages).encode())))["finances.json"]
    shown = clerk.get(page("document", pk=row.document.pk), {"row": 4}).context["preview"]
    assert (shown.shape, shown.total, shown.rows[0][0]) == ("records", 5, 4)
    assert '"transactionId": "T4"' in shown.rows[0][1][0]
