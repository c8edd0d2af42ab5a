"""Processes that die or meet: nothing is half taken, nothing twice, and the next run gives the figures of an undisturbed one.

Real processes on the test database, killed with SIGKILL at named places, because only then nothing is tidied up.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db import transaction as database
from django.db.models import Sum
from django.utils import timezone

from channels.models import Document, Shop
from ledger import fee_types
from ledger.approve import RuleData, propose_rules
from ledger.bulk import ingest_pages
from ledger.classify import compile_mappings
from ledger.intake import import_file, take_document, waiting_intakes
from ledger.models import FeeCategory, FeeRule, FeeType, LedgerIntake, Mapping, PnlDay
from ledger.rollup import rebuild_rollups
from nova.models import Company
from tests.channels.amazon.test_finances import LANTERN, page, transaction
from tests.channels.amazon.test_settlement import row, settlement, text
from tests.ledger.people import make_approver, make_clerk
from tests.ledger.test_take import figures

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [row("20.00", **{"order-id": f"114-{number}"}) for number in range(40)]
FEES = [row("-3.00", name="Commission", group="ItemFees", **{"order-id": f"114-{number}"}) for number in range(40)]
REPORT = text(settlement([*ROWS, *FEES], total="680.00")).encode()
OTHER = (
    text(settlement([row("-1.00", name=f"Fee {letter}") for letter in "abc"], total="-3.00")).encode().replace(b"9001", b"9002")
)
PAGES = [
    page(*(transaction(number=f"t-{sheet}-{n}", ORDER_ID=f"115-{sheet}-{n}", SHIPMENT_ID="D", items=[LANTERN]) for n in range(3)))
    for sheet in range(7)
]
IMPORT_PLACES = [
    "ledger.intake:prepare_writer:1",
    "ledger.classify:compile_mappings_for_types:1",
    "ledger.take:roll_deltas:1",
    "ledger.intake:_check_statements:1",
    "ledger.intake:_finish:1",
]


#: Connections that earlier tests left open (servers of browser tests keep theirs); those are not of killed processes.
_others: set[tuple[int, str]] = set()


def _connections() -> set[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, backend_start::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        return set(cursor.fetchall())


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    _others.clear()
    _others.update(_connections())
    if not FeeCategory.objects.exists():
        import_module("ledger.migrations.0003_categories").load(apps, None)
    fee_types._cache.clear()
    yield
    fee_types._cache.clear()


def make_shop(code: str) -> Shop:
    company = Company.objects.create(code=code, name="Harbour Goods", currency="USD")
    return Shop.objects.create(company=company, code="amazon", name="Harbour on Amazon", channel="amazon", region="NA")


def start(job: str, shop: Shop, file: Path | str, place: str = "-") -> subprocess.Popen[str]:
    arguments = [str(connection.settings_dict["NAME"]), job, shop.company.code, str(file), place]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.crash_child", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "nova.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> int:
    _out, err = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), err
    return process.returncode


def undisturbed(shop: Shop, body: bytes) -> dict:
    assert import_file(shop=shop, body=body, filename="settlement.txt").state == "taken"
    return figures(shop.company)


def rows_of(model: type, company: Company) -> int:
    return model.objects.filter(company=company).count()


@pytest.mark.parametrize("place", IMPORT_PLACES)
def test_an_import_that_was_killed_left_nothing_and_is_finished_by_the_next_run(tmp_path, place):
    file = tmp_path / "settlement.txt"
    file.write_bytes(REPORT)
    shop = make_shop("harbour")
    assert finish(start("import", shop, file, place)) == -signal.SIGKILL
    assert figures(shop.company) == {}
    assert LedgerIntake.objects.get(company=shop.company).state == "running"
    wait_for_the_dead()
    assert waiting_intakes() == [LedgerIntake.objects.get(company=shop.company).pk], "the background finds what the dead left"
    assert import_file(shop=shop, body=REPORT, filename="settlement.txt").state == "taken"
    assert figures(shop.company) == undisturbed(make_shop("control"), REPORT)
    assert rows_of(Document, shop.company) == 1


def wait_for_the_dead(seconds: float = 10) -> None:
    """Until the server has noticed that connections of killed processes are gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not _connections() - _others:
            return
        time.sleep(0.05)
    raise AssertionError("a killed process still has a connection")


def test_a_document_that_a_living_process_reads_is_left_to_it():
    shop = make_shop("harbour")
    row = import_file(shop=shop, body=REPORT, filename="settlement.txt")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid <> pg_backend_pid() LIMIT 1")
        somebody = list(cursor.fetchone())
    LedgerIntake.objects.filter(pk=row.pk).update(state="running", started_at=timezone.now(), result={"reader": somebody})
    assert waiting_intakes() == []
    assert take_document(intake_id=row.pk).state == "running"


@pytest.mark.parametrize("place", ["ledger.take:roll_deltas:3", "ledger.bulk:take_parsed:2"])
def test_a_bulk_import_that_was_killed_keeps_whole_batches_and_goes_on(tmp_path, place):
    control = make_shop("control")
    ingest_pages(shop=control, kind="finances", pages=[(str(number), body) for number, body in enumerate(PAGES)])
    file = tmp_path / "pages"
    file.write_bytes(b"\n\n".join(PAGES))
    shop = make_shop("harbour")
    assert finish(start("bulk", shop, file, place)) == -signal.SIGKILL
    wait_for_the_dead()
    figures(shop.company)  # all tables agree
    assert rows_of(Document, shop.company) in (2, 4) and rows_of(LedgerIntake, shop.company) == rows_of(Document, shop.company)
    assert finish(start("bulk", shop, file)) == 0
    assert figures(shop.company) == figures(control.company)
    assert rows_of(Document, shop.company) == len(PAGES)


def test_a_rebuild_that_was_killed_changed_nothing(tmp_path):
    shop = make_shop("harbour")
    before = undisturbed(shop, REPORT)
    assert finish(start("rebuild", shop, "-", "ledger.rollup:_months_from_days:1")) == -signal.SIGKILL
    wait_for_the_dead()
    assert figures(shop.company) == before
    rebuild_rollups(company=shop.company)
    assert figures(shop.company) == before


def commission() -> RuleData:
    return RuleData(channel="amazon", path="*", name="Commission", category="pay.processing", context="*")


def test_an_approval_that_was_killed_approved_nothing():
    shop = make_shop("harbour")
    undisturbed(shop, REPORT)
    propose_rules(company=shop.company, author=make_clerk(shop.company), items=[commission()])
    approver = make_approver(shop.company)
    assert finish(start("approve", shop, approver.username, "ledger.approve:compile_mappings:1")) == -signal.SIGKILL
    wait_for_the_dead()
    assert FeeRule.objects.get(company=shop.company).status == "proposed"
    assert not Mapping.objects.filter(company=shop.company).exists()
    assert finish(start("approve", shop, approver.username)) == 0
    assert Mapping.objects.filter(company=shop.company, known_to__isnull=True).exists()


def test_processes_that_import_the_same_and_other_files_of_a_shop_at_once_count_each_once(tmp_path):
    control = make_shop("control")
    undisturbed(control, REPORT)
    expected = undisturbed(control, OTHER)
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_bytes(REPORT)
    two.write_bytes(OTHER)
    shop = make_shop("harbour")
    processes = [start("import", shop, file) for file in (one, two, two)]
    for process in processes:
        process.communicate(timeout=60)  # of two that have the same file one may leave it to the other
    for intake_id in waiting_intakes():
        take_document(intake_id=intake_id)
    assert figures(shop.company) == expected
    assert rows_of(Document, shop.company) == 2
    assert set(LedgerIntake.objects.filter(company=shop.company).values_list("state", flat=True)) == {"taken"}


def test_a_type_that_comes_while_the_first_rule_is_approved_is_mapped_by_it(tmp_path):
    """The approval holds the company when the import adds the type: neither sees the other's rows."""
    shop = make_shop("harbour")
    propose_rules(company=shop.company, author=make_clerk(shop.company), items=[commission()])
    file = tmp_path / "settlement.txt"
    file.write_bytes(REPORT)
    with database.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=shop.company_id)
        FeeRule.objects.filter(company=shop.company).update(status="approved", approver=make_approver(shop.company))
        assert not FeeType.objects.filter(channel="amazon", name="Commission").exists()
        compile_mappings(company=shop.company, fee_type_ids=[])
        process = start("import", shop, file)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(1.5)  # it has added its types and waits for the company
    assert finish(process) == 0
    types = FeeType.objects.filter(channel="amazon", name="Commission")
    assert types.exists()
    assert Mapping.objects.filter(company=shop.company, fee_type__in=types, known_to__isnull=True).count() == types.count()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_imports_killed_at_any_moment_end_in_the_same_figures(tmp_path, seed):
    expected = undisturbed(make_shop("control"), REPORT)
    file = tmp_path / "settlement.txt"
    file.write_bytes(REPORT)
    shop = make_shop("harbour")
    dice = random.Random(seed)
    for _attempt in range(4):
        process = start("import", shop, file)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.uniform(0, 0.25))
        process.kill()
        finish(process)
        wait_for_the_dead()
        assert figures(shop.company) in ({}, expected)
    assert import_file(shop=shop, body=REPORT, filename="settlement.txt").state == "taken"
    assert figures(shop.company) == expected
    assert PnlDay.objects.filter(company=shop.company).aggregate(money=Sum("amount"))["money"] == 680
