"""An Amazon on this machine for the tests of the live client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from nova.http import new_session
from tests.channels.amazon.live import Amazon, amazon


@pytest.fixture
def world(settings: Any) -> Iterator[Amazon]:
    with amazon(settings) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session() as made:
        yield made
