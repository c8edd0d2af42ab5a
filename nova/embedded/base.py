"""Database backend that makes sure of the embedded server before it connects."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from nova import postgres


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL, started on demand."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        postgres.ensure_running()
        return super().get_new_connection(conn_params)
