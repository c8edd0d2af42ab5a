"""Database backend that makes sure of the embedded server before it connects."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError

from nova import postgres


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL, started on demand."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        postgres.ensure_running()
        try:
            return super().get_new_connection(conn_params)
        except OperationalError:
            # The server may have died under a long-lived process: look once, start it again if so.
            postgres.ensure_running(after_failure=True)
            return super().get_new_connection(conn_params)
