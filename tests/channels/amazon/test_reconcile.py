"""From files to statements and the rollup of the P&L: real settlements to the cent, through the commands that staff use."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from decimal import Decimal as D
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from channels.models import Shop
from ledger.models import FeeLine, Payout, PnlDay
from ledger.statements import statement_checks
from tests.channels.amazon.test_settlement import _as_v2

pytestmark = [pytest.mark.django_db, pytest.mark.conformance]


def run(*arguments: str) -> Any:
    """What a command prints with --json."""
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def salt_shop(currency: str) -> Shop:
    run("add_company", "salt", "--currency", currency, "--name", "Salt & Tide")
    run("add_shop", "salt", "amazon", "--channel", "amazon", "--region", "NA")
    return Shop.objects.select_related("company").get(code="amazon")


def sums(shop: Shop, statement: str, *fields: str) -> dict[tuple[Any, ...], D]:
    rows = PnlDay.objects.filter(company=shop.company_id, statement__outside_id=statement)
    grouped = rows.values_list(*fields).annotate(money=Sum("amount"))
    return {tuple(row[:-1]): row[-1] for row in grouped}


def by_month(shop: Shop, statement: str) -> dict[str, D]:
    months: dict[str, D] = defaultdict(D)
    for (day,), money in sums(shop, statement, "posted_on").items():
        months[f"{day:%Y-%m}"] += money
    return dict(months)


def test_seven_consecutive_settlements_reconcile_by_type_sku_and_month_and_chain_into_each_other(conformance: Path):
    folder = conformance / "data/amazon_ca_settlement_v1"
    files = sorted(folder.glob("5*.txt"))
    shop = salt_shop("CAD")
    report = run("import_file", "amazon", *map(str, files))
    assert report["taken"] and len(report["files"]) == len(files) == 7
    chain = json.loads((folder / "CHAIN.expected.json").read_text())
    statements = {row["outside_id"]: row for row in run("statements", "salt/amazon")}
    units = mcf = 0
    for path, told in zip(files, report["files"]):
        expected = json.loads(path.with_suffix(".expected.json").read_text())
        number = expected["settlement_id"]
        row = statements[number]
        assert told["statements"] == [number] and told["lines"] == row["lines"] == expected["amount_lines"]
        assert row["sum_of_lines"] == row["stated_total"] == expected["total_amount_header"]
        assert row["difference"] == "0.00" and row["currency"] == "CAD"
        assert D(row["deposit"]) == max(D(expected["total_amount_header"]), D(0))
        wanted: dict[tuple[str, str], D] = defaultdict(D)
        for key, value in expected["by_type_column_description"].items():
            wanted[_as_v2(key)] += D(value["sum"])
        assert sums(shop, number, "fee_type__path", "fee_type__name") == wanted
        skus = sums(shop, number, "listing__code")
        assert {code or "(none)": money for (code,), money in skus.items()} == {
            code: D(value["sum"]) for code, value in expected["by_sku"].items()
        }
        assert by_month(shop, number) == {month: D(value["sum"]) for month, value in expected["by_month"].items()}
        units += sum(count for key, count in expected.get("quantity_by_type_sku", {}).items() if key.startswith("Order "))
        for name, value in chain["carry_lines"][number].items():
            assert sums(shop, number, "fee_type__name")[(name,)] == D(value["sum"])
    assert sum((D(row["sum_of_lines"]) for row in statements.values()), D(0)) == D(chain["sum_all_settlements"])
    deposits = [D(total) for _number, _day, total in chain["deposits_in_order"] if D(total) > 0]
    assert sorted(Payout.objects.filter(company=shop.company_id).values_list("amount", flat=True)) == sorted(deposits)
    # Units are told on rows of their own in this layout; those of three orders of other channels are no sale of Amazon's.
    mcf = 3
    sold = FeeLine.objects.filter(company=shop.company_id, fee_type__name="Principal").aggregate(units=Sum("quantity"))["units"]
    assert sold == units - mcf == 757


def test_importing_the_seven_files_again_in_any_order_changes_nothing(conformance: Path):
    files = [str(path) for path in sorted((conformance / "data/amazon_ca_settlement_v1").glob("5*.txt"))]
    shop = salt_shop("CAD")
    run("import_file", "amazon", *reversed(files))
    before = statement_checks(shop.company_id, shop.pk)
    lines = FeeLine.objects.count()
    again = run("import_file", "amazon", *files)
    assert {row["state"] for row in again["files"]} == {"unchanged"}
    assert all(row["vouchers"]["new"] == 0 and row["vouchers"]["unchanged"] > 0 for row in again["files"])
    assert statement_checks(shop.company_id, shop.pk) == before and FeeLine.objects.count() == lines


def test_the_v2_sample_reconciles_by_type_sku_and_month(conformance: Path):
    folder = conformance / "data/amazon_us_v2_synthetic"
    expected = json.loads((folder / "settlement-sample.expected.json").read_text())
    shop = salt_shop("USD")
    run("import_file", "amazon", str(folder / "settlement-sample.txt"))
    (row,) = run("statements", "amazon")
    assert row["sum_of_lines"] == row["stated_total"] == expected["total_amount"] and row["lines"] == expected["rows"]
    number = row["outside_id"]
    assert {
        " | ".join([*path.split("/", 1), name]): money
        for (path, name), money in sums(shop, number, "fee_type__path", "fee_type__name").items()
    } == {key: D(value["sum"]) for key, value in expected["by_type_amounttype_description"].items()}
    assert {code or "(none)": money for (code,), money in sums(shop, number, "listing__code").items()} == {
        code: D(value["sum"]) for code, value in expected["by_sku"].items()
    }
    assert by_month(shop, number) == {month: D(value["sum"]) for month, value in expected["by_month"].items()}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("amazon_us_v1_4rows/settlement_head_excerpt.txt", "its lines come to 26.99 USD, its total is 16630.13"),
        ("amazon_de_daterange_synthetic_excerpt/transaktionen_excerpt.csv", "date-range transaction report, not a settlement"),
        ("amazon_us_v1_4rows/open_listings_report.tdff", "No known Amazon document"),
    ],
)
def test_what_is_no_whole_settlement_is_refused_in_plain_words_and_leaves_nothing(conformance: Path, file: str, message: str):
    shop = salt_shop("USD")
    out = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("import_file", "amazon", str(conformance / "data" / file), "--json", stdout=out)
    assert refused.value.returncode == 1
    (row,) = json.loads(out.getvalue())["files"]
    assert row["state"] == "failed" and message in row["error"] and row["document"]
    assert not FeeLine.objects.filter(company=shop.company_id).exists()
    assert run("statements", "amazon") == []


def test_an_edition_with_unknown_headers_is_matched_once_and_then_read_by_itself(conformance: Path, tmp_path: Path):
    source = conformance / "data/amazon_ca_settlement_v1/50041020342.txt"
    header, rest = source.read_text().split("\n", 1)
    strange = tmp_path / "abrechnung.txt"
    strange.write_text("\t".join(f"Spalte {place}" for place in range(len(header.split("\t")))) + "\n" + rest)
    salt_shop("CAD")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("import_file", "amazon", str(strange), "--json", stdout=out)
    (row,) = json.loads(out.getvalue())["files"]
    assert row["state"] == "asking" and row["ask"] == "columns" and not row["missing"]
    assert row["columns"]["total-amount"] == "Spalte 4"
    match = tmp_path / "match.json"
    match.write_text(json.dumps(row["columns"]))
    assert run("import_file", "amazon", str(strange), "--columns", str(match))["taken"]
    assert run("statements", "amazon")[0]["sum_of_lines"] == "2539.66"
    shutil.copy(source, tmp_path / "plain.txt")
    plain = run("import_file", "amazon", str(tmp_path / "plain.txt"))["files"][0]
    assert plain["vouchers"]["unchanged"] == 109 and plain["vouchers"]["new"] == 0
