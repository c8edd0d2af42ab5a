"""A database for one benchmark: made and dropped on the server Nova uses, never the user's own."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_PREFIX = "nova_bench_"


@contextmanager
def bench_database() -> Iterator[None]:
    """Inside this block Django works on a fresh database with Nova's schema; it is dropped whatever happens."""
    _drop_forgotten()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{_PREFIX}{os.getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            if cursor.fetchone()[0] != "on":
                cursor.execute("SET synchronous_commit = on")
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _drop_forgotten() -> None:
    """Drop databases of benchmarks that were killed: nobody is connected to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT datname FROM pg_database WHERE starts_with(datname, %s)
                AND NOT EXISTS (SELECT 1 FROM pg_stat_activity activity WHERE activity.datname = pg_database.datname)
            """,
            [_PREFIX],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')


def peak_memory_mb() -> float:
    """The most memory this process ever had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
