"""How the admin looks."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {"SITE_TITLE": "Nova", "SITE_HEADER": "Nova"}
