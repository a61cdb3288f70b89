"""For which versions a test runs."""

import pytest

from conformance.build import V5, V31, V311
from conformance.properties import SESSION_EXPIRY

_NAMES = {V31: "v3.1", V311: "v3.1.1", V5: "v5"}


def versions(*wanted):
    """Runs a test once for each version, as its parameter `version`."""
    cases = [pytest.param(version, id=_NAMES[version]) for version in wanted]
    return pytest.mark.parametrize("version", cases)


ALL = versions(V31, V311, V5)
OASIS = versions(V311, V5)


def cases(table):
    """A dictionary as parameters: its keys name the cases, its tuples are taken apart."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), id=key)
        for key, value in table.items()
    ]


def kept(version, expiry_s=3600, props=()):
    """What a CONNECT asks for so that its session outlives it, and goes on with what was."""
    if version == V5:
        return {"clean": False, "props": [(SESSION_EXPIRY, expiry_s), *props]}
    return {"clean": False}
