"""A process for the crash tests: does one job on the test database, and is killed at a named place.

Arguments: database, job, company code, file, place ("module:function:call" or "-"). The place kills with SIGKILL at the
start of that call of the function, as a power cut would: nothing is rolled back or closed by this process.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any


def kill_at(place: str) -> None:
    module_name, function, call = place.split(":")
    module = importlib.import_module(module_name)
    original, left = getattr(module, function), [int(call)]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(module, function, deadly)


def main(database: str, job: str, code: str, file: str, place: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nova.settings")
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = database
    from channels.models import Shop
    from ledger import approve, bulk, intake, rollup
    from ledger.models import FeeRule
    from nova.models import Company, User

    shop = Shop.objects.get(company__code=code)
    if place != "-":
        kill_at(place)
    print("ready", flush=True)
    if job == "import":
        row = intake.import_file(shop=shop, body=Path(file).read_bytes(), filename="settlement.txt")
        assert row.state == "taken", (row.state, row.error)
    elif job == "bulk":
        pages = [(str(number), page) for number, page in enumerate(Path(file).read_bytes().split(b"\n\n"))]
        bulk.ingest_pages(shop=shop, kind="finances", pages=pages, pages_per_batch=2)
    elif job == "rebuild":
        rollup.rebuild_rollups(company=Company.objects.get(code=code))
    elif job == "approve":
        ids = list(FeeRule.objects.filter(company__code=code, status="proposed").values_list("pk", flat=True))
        approve.approve(rule_ids=ids, approver=User.objects.get(username=file))
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
