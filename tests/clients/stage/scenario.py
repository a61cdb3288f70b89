"""What a scenario needs, and so with which libraries it is run."""

import pytest

from clients.stage.roster import ABILITIES, CASES, PROMISES, VERSIONS, broker_keeps


def scenario(*needs, versions=VERSIONS, broker=()):
    """Marks a test: `needs` are abilities of the library, `broker` promises of the broker."""
    assert not set(needs) - ABILITIES.keys(), needs
    assert not set(broker) - PROMISES.keys(), broker
    return pytest.mark.scenario(needs=needs, versions=versions, broker=broker)


def cases(needs, versions, broker):
    """The libraries, each at one version, that a scenario is run with."""
    if not all(map(broker_keeps, broker)):
        return []
    return [case for case in CASES if case.version in versions and all(map(case.can, needs))]
