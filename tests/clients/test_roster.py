"""Prints who plays what, and why not more; and that nothing is left to nobody."""

from collections import Counter

import pytest

from clients.stage import brokers, roster


def test_what_libraries_cannot_do(report):
    for program in roster.PROGRAMS:
        report(f"{program.name} (MQTT {', '.join(program.versions)})")
        for ability, why in program.limits.items():
            report(f"  not: {ability}, {roster.ABILITIES[ability]}: it {why}")
    for test, why in roster.FAILINGS[brokers.NAME].items():
        report(f"left out, as {brokers.NAME} {why}: {test}")


def test_how_many_tests_each_library_has(request, report):
    played = Counter(
        str(item.callspec.params["library"])
        for item in request.session.items
        if hasattr(item, "callspec") and "library" in item.callspec.params
    )
    for case in map(str, roster.CASES):
        report(f"{case:<24} {played[case]:>4}")


@pytest.mark.parametrize("ability", roster.ABILITIES)
def test_some_libraries_have_it_and_some_have_not(ability):
    assert {case.can(ability) for case in roster.CASES} == {True, False}
