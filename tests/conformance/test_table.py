"""Every statement has its tests or says why not, and every test has its statement."""

import re
from collections import Counter

import pytest

from conformance import table


@pytest.fixture(scope="module")
def rows():
    return table.statements()


@pytest.fixture(scope="module")
def tests():
    return table.collected()


def test_the_counts_are_those_of_the_standards(rows):
    assert Counter(row.version for row in rows) == table.COUNTS


def test_no_statement_stands_twice(rows):
    found = Counter((row.version, row.id) for row in rows)
    assert [key for key, count in found.items() if count > 1] == []


def test_identifiers_are_well_formed_and_in_order(rows):
    last = {}
    for row in rows:
        if row.version == "3.1":
            assert re.fullmatch(r"3\.1-\d+", row.id), row.id
            continue
        assert re.fullmatch(r"MQTT-\d+\.\d+\.\d+-\d+", row.id), row.id
        section, number = row.id.rsplit("-", 1)
        # Within a section they count up by one, from 1, or in one case from 2.
        first = {("5", "MQTT-2.2.1"): 2}.get((row.version, section), 1)
        expected = last.get((row.version, section), first - 1) + 1
        assert int(number) == expected, row.id
        last[row.version, section] = expected


def test_every_statement_has_tests_or_a_reason(rows):
    for row in rows:
        given = [bool(row.tests), bool(row.client), bool(row.elsewhere)]
        assert given.count(True) == 1, f"{row.id}: tests, client or elsewhere, and one of them"
        assert row.says, row.id
        assert len(set(row.tests)) == len(row.tests), f"{row.id} names a test twice"


def test_every_test_that_a_row_names_exists_for_its_version(rows, tests):
    missing = {
        (row.id, named)
        for row in rows
        for named in row.python
        if not table.cases_of(row, named, tests)
    }
    assert missing == set()


def test_every_test_has_its_statement(rows, tests):
    named = {test.partition("[")[0] for row in rows for test in row.python}
    nameless = {test for test in tests if test.split("::")[0] not in table.OWN} - named
    assert nameless == set()


def test_every_rust_test_that_a_row_names_exists(rows):
    missing = {
        f"{file}::{function}"
        for row in rows
        for file, function in row.rust
        if not table.has_rust_test(file, function)
    }
    assert missing == set()


@pytest.mark.parametrize("file", table.FAILURES, ids=lambda file: file.stem)
def test_listed_failures_are_explained(file, tests):
    listed = table.failures(file)
    assert listed
    for node, why in listed.items():
        test, _, case = node.removesuffix("]").partition("[")
        assert case in tests.get(test, ()), f"there is no {node}"
        assert all(why[key] for key in ("asks", "does", "right")), node
