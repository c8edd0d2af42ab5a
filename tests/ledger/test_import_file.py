"""`import_file` and `statements`: what becomes of each file, in words and for machines."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from channels.columns import Suggestion
from channels.models import Document, Shop
from ledger.import_files import FileReport
from ledger.intake import withdraw
from ledger.management.commands.import_file import _match
from ledger.models import FeeLine, LedgerIntake
from ledger.statements import statement_checks
from nova.models import Company, User
from tests.channels.amazon.test_settlement import ROWS, row, settlement, text
from tests.channels.test_archives import packed

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    company = Company.objects.create(code="harbour", name="Harbour Goods", currency="USD")
    return Shop.objects.create(company=company, code="amz", name="Harbour on Amazon", channel="amazon", region="NA")


def run(*arguments: str) -> tuple[int, Any]:
    """Exit code and report of the command."""
    out = StringIO()
    try:
        call_command("import_file", *arguments, "--json", stdout=out)
    except CommandError as error:
        return error.returncode, json.loads(out.getvalue() or "null")
    return 0, json.loads(out.getvalue())


def written(folder: Path, name: str, body: str | bytes) -> str:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return str(path)


def test_a_file_is_taken_once_and_unchanged_the_second_time(shop, tmp_path):
    file = written(tmp_path, "may.txt", text(ROWS))
    code, report = run("amz", file)
    assert code == 0 and report["taken"] and (report["company"], report["shop"]) == ("harbour", "amz")
    (told,) = report["files"]
    assert (told["state"], told["kind"], told["statements"], told["lines"]) == ("taken", "settlement_v2", ["9001"], 2)
    assert told["vouchers"] == {"new": 1, "unchanged": 0, "replaced": 0, "closed": 0, "superseded": 0}
    code, report = run("amz", file)
    assert code == 0 and report["files"][0]["state"] == "unchanged" and report["files"][0]["vouchers"]["unchanged"] == 1
    assert Document.objects.count() == 1


def test_each_file_of_several_and_of_an_archive_is_told_by_itself(shop, tmp_path):
    june = text(settlement([row("5.00")], total="5.00")).replace("9001", "9002")
    broken = text(settlement([row("5.00")], total="9.00")).replace("9001", "9003")
    archive = written(tmp_path, "all.zip", packed({"june.txt": june.encode(), "broken.txt": broken.encode()}))
    code, report = run("amz", written(tmp_path, "may.txt", text(ROWS)), archive)
    assert code == 1 and not report["taken"]
    assert [(told["file"], told["state"]) for told in report["files"]] == [
        ("may.txt", "taken"),
        ("all.zip: june.txt", "taken"),
        ("all.zip: broken.txt", "failed"),
    ]
    assert report["files"][2]["ask"] == "difference" and report["files"][2]["difference"] == "4.00"


def test_a_difference_is_taken_on_request_as_a_visible_remainder(shop, tmp_path):
    file = written(tmp_path, "may.txt", text(settlement([row("5.00")], total="9.00")))
    assert run("amz", file)[0] == 1
    assert run("amz", file, "--accept-difference")[0] == 0
    (check,) = statement_checks(shop.company_id, shop.pk)
    assert (f"{check.sum:.2f}", f"{check.difference:.2f}", f"{check.remainder:.2f}", check.lines) == ("5.00", "4.00", "4.00", 1)
    assert not check.balanced


def test_a_question_is_answered_with_confirm(shop, tmp_path):
    Shop.objects.filter(pk=shop.pk).update(currencies=["CAD"])
    file = written(tmp_path, "may.txt", text(ROWS))
    code, report = run("amz", file)
    assert code == 1 and (report["files"][0]["state"], report["files"][0]["ask"]) == ("asking", "confirm")
    assert "Is it really of this shop?" in report["files"][0]["question"]
    assert run("amz", file, "--confirm")[0] == 0


def test_a_withdrawn_import_is_not_taken_again_by_itself(shop, tmp_path):
    file = written(tmp_path, "may.txt", text(ROWS))
    run("amz", file)
    withdraw(document=Document.objects.get(), reason="wrong shop", user=User.objects.create_user("jo"))
    code, report = run("amz", file)
    assert code == 1 and report["files"][0]["state"] == "withdrawn" and "Undo the withdrawal" in report["files"][0]["error"]


def test_a_foreign_file_and_a_broken_archive_are_kept_as_failed_with_the_reason(shop, tmp_path):
    note = written(tmp_path, "note.txt", "just words")
    archive = written(tmp_path, "all.zip", packed({"a.txt": b"x" * 500})[:-30])
    for _time in range(2):
        code, report = run("amz", note, archive)
        assert code == 1 and [told["state"] for told in report["files"]] == ["failed", "failed"]
        assert "No known Amazon document was recognised. Nova reads:" in report["files"][0]["error"]
        assert "damaged or cut off" in report["files"][1]["error"]
    assert Document.objects.count() == 2 and set(LedgerIntake.objects.values_list("state", flat=True)) == {"failed"}
    assert not FeeLine.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "x.txt"], "There is no shop nowhere"),
        (["amz", "/no/such/file"], "/no/such/file does not exist. Nothing was imported."),
        (["amz", "/"], "/ is a folder"),
    ],
)
def test_wrong_use_ends_with_two_and_imports_nothing(shop, arguments, message):
    with pytest.raises(CommandError, match=message) as refused:
        call_command("import_file", *arguments)
    assert refused.value.returncode == 2 and not Document.objects.exists()


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ("[1]", "must be a JSON object"), ('{"amount": 3}', "must be")]
)
def test_a_column_file_that_is_none_is_wrong_use(shop, tmp_path, content, message):
    file = written(tmp_path, "may.txt", text(ROWS))
    with pytest.raises(CommandError, match=message) as refused:
        call_command("import_file", "amz", file, "--columns", written(tmp_path, "match.json", content))
    assert refused.value.returncode == 2


def test_unknown_headers_are_answered_with_a_suggestion_to_save_and_pass_back(shop, tmp_path):
    rows = settlement([row("20.00"), row("-3.00", name="Commission", group="ItemFees"), row("1.00")], total="18.00")
    header, body = text(rows).replace("9001", "28471003921").split("\n", 1)
    foreign = "\t".join(f"Spalte {place}" for place in range(header.count("\t") + 1))
    file = written(tmp_path, "foreign.txt", f"{foreign}\n{body}")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("import_file", "amz", file, stdout=out)
    printed = out.getvalue()
    match = json.loads(printed[printed.index("{") :])
    assert match["amount"] == "Spalte 14" and "of all rows come to" in printed
    # A match that does not fit is refused with the reason, and the question stays.
    wrong = written(tmp_path, "wrong.json", json.dumps({**match, "amount": "Spalte 99"}))
    code, report = run("amz", file, "--columns", wrong)
    assert code == 1 and report["files"][0]["state"] == "asking" and "no such header" in report["files"][0]["error"]
    assert run("amz", file, "--columns", written(tmp_path, "match.json", json.dumps(match)))[0] == 0
    assert f"{statement_checks(shop.company_id, shop.pk)[0].sum:.2f}" == "18.00"
    # The next file like it needs no match.
    more = written(tmp_path, "next.txt", f"{foreign}\n{body}".replace("28471003921", "28471003922"))
    assert run("amz", more)[0] == 0 and len(statement_checks(shop.company_id, shop.pk)) == 2


def test_statements_are_listed_for_people_and_for_machines(shop, tmp_path):
    run("amz", written(tmp_path, "may.txt", text(ROWS)))
    out = StringIO()
    call_command("statements", "harbour/amz", "--json", stdout=out)
    (told,) = json.loads(out.getvalue())
    assert {
        name: told[name] for name in ("outside_id", "currency", "lines", "sum_of_lines", "stated_total", "deposit", "difference")
    } == {
        "outside_id": "9001",
        "currency": "USD",
        "lines": 2,
        "sum_of_lines": "17.00",
        "stated_total": "17.00",
        "deposit": "17.00",
        "difference": "0.00",
    }
    out = StringIO()
    call_command("statements", "amz", stdout=out)
    assert "9001" in out.getvalue() and "1 statements, 0 of them with a difference." in out.getvalue()


def test_reading_statements_takes_three_queries_however_many_there_are(shop, tmp_path, django_assert_num_queries):
    for number in range(3):
        run("amz", written(tmp_path, f"{number}.txt", text(ROWS).replace("9001", f"900{number}")))
    with django_assert_num_queries(3):
        assert len(statement_checks(shop.company_id)) == 3


def test_a_guess_is_told_but_left_to_staff_in_the_match_to_save():
    report = FileReport(
        "may.csv",
        "asking",
        ask="columns",
        suggestions=(Suggestion("total", "Summe", 0, 0.95, "adds up"), Suggestion("fee", "Gebühr A", 1, 0.4, "usual order")),
        missing=("order",),
    )
    assert _match(report) == {"total": "Summe", "fee": "", "order": ""}
