"""`manage.py demo` and `manage.py bench` with real processes, on a server of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    folder = Path(tempfile.mkdtemp(prefix="nova-", dir="/tmp"))
    folder.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    yield {**kept, "NOVA_HOME": str(folder / "home"), "NOVA_ALLOW_CHMOD": "1", "PYTHONUNBUFFERED": "1"}
    shutil.rmtree(folder, ignore_errors=True)


def manage(environment: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_interrupted_demo_goes_on_and_a_finished_one_changes_nothing(environment):
    first = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--exit"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert first.stdout
    for line in first.stdout:
        if line.startswith("Documents of Lumen"):
            first.send_signal(signal.SIGINT)
            break
    rest = first.stdout.read()
    assert first.wait(timeout=60) == 130
    assert "Run it again, it goes on where it was." in rest and "Traceback" not in rest

    done = manage(environment, "demo", "--exit", "--json")
    assert {row["role"] for row in done["sign_ins"]} == {
        "Finance clerk", "Approver", "Operations", "Creator manager", "Viewer", "Superuser",
    }  # fmt: skip
    assert len({row["password"] for row in done["sign_ins"]}) == 1
    assert len(done["problems"]) == 1 and "may be cut off" in done["problems"][0]
    for code in ("harbour", "lumen"):
        statements = manage(environment, "pnl", code, "--by", "month,category", "--json")
        assert len({cell["month"] for cell in statements["cells"]}) >= 14
    differences = [
        row["difference"] for shop in ("harbour/tiktok-us", "lumen/amazon-eu") for row in manage(environment, "statements", shop, "--json")
        if row["difference"] not in (None, "") and Decimal(row["difference"])
    ]  # fmt: skip
    assert sorted(map(Decimal, differences)) == [Decimal(10), Decimal("12.50")]
    unmapped = manage(environment, "fee_types", "harbour", "--unmapped", "--json")
    assert "Small Parcel Peak Surcharge" in json.dumps(unmapped)

    again = manage(environment, "demo", "--exit", "--json")
    for found in (done, again):
        for report in found["pnl"].values():
            report.pop("as_of", None)
    assert again == done


def test_bench_ingest_prints_its_figures_and_leaves_no_database(environment):
    figures = manage(environment, "bench", "ingest", "--lines", "8000", "--json")
    assert figures["lines"] == 8000 and figures["synchronous_commit"] == "on"
    assert figures["again_times"] > 3
    for name in ("lines_per_second", "raw_copy_per_second", "bulk_create_per_second", "peak_memory_mb"):
        assert figures[name] > 0


def test_bench_pnl_agrees_with_duckdb_or_says_that_it_is_missing(environment):
    figures = manage(environment, "bench", "pnl", "--lines", "20000", "--json")
    assert figures["page_ms"] > 0 and figures["listing_ms"] > 0
    assert (figures["duckdb_memory_page_ms"] is None) == bool(figures["skipped"])
