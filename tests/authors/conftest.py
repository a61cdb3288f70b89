"""The binary where no checkout is, and a project that it made there."""

import pytest

from support.author import Author


@pytest.fixture(scope="session")
def author(tmp_path_factory):
    return Author(tmp_path_factory.mktemp("author"))


@pytest.fixture(scope="session")
def filter_project(author):
    """A project from the template `filter`, built."""
    project = author.new("filter")
    built = author.run("hookwire", "rule", "build", cwd=project)
    assert built.returncode == 0, built.stderr
    return project
