"""Every test here runs once for every channel folder that the registry finds; a fourth channel needs no edit."""

from __future__ import annotations

import pytest

from channels.registry import adapters, get_adapter


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind_code" in metafunc.fixturenames:
        metafunc.parametrize(
            ("code", "kind_code"), [(code, kind) for code in sorted(adapters()) for kind in get_adapter(code).kinds]
        )
    elif "code" in metafunc.fixturenames:
        metafunc.parametrize("code", sorted(adapters()))
