from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from nova.http import new_session
from tests.channels.shopify.live import Store, running


@pytest.fixture
def store(settings: Any) -> Iterator[Store]:
    with running() as found:
        settings.NOVA_SHOPIFY_URL = found.url
        yield found


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session() as found:
        yield found


@pytest.fixture
def naps() -> list[float]:
    """The waits that a client asked for, instead of waiting."""
    return []
