"""A project builds and passes its tests as `hookwire rule new` made it."""

import pytest

from support.author import DEADLINE_S
from support.wait import wait_until

NEEDS = {
    "filter": [],
    "enrich": ['key-value: needs grants = ["key-value"]'],
    "store-to-sql": ["a pool of the kind sql"],
    "authenticate": ['passwords: needs grants = ["passwords"]', "a pool of the kind sql"],
}


@pytest.mark.parametrize("template", NEEDS)
def test_a_template_builds_and_passes_as_it_is(author, template, filter_project):
    project = filter_project if template == "filter" else author.new(template)

    built = author.run("hookwire", "rule", "build", cwd=project)
    assert built.returncode == 0, built.stderr
    assert f"target/my-{template}.wasm" in built.stdout
    for need in NEEDS[template]:
        assert need in built.stdout
    assert f"fixture tests/{template}.hcl: run wherever it is loaded" in built.stdout
    assert (project / "target" / f"my-{template}.wasm").is_file()

    tested = author.run("hookwire", "rule", "test", cwd=project)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert f"passed  tests/{template}.hcl" in tested.stdout
    assert "time p50" in tested.stdout
    assert "1 passed, 0 failed" in tested.stdout

    unit = author.run("cargo", "test", "--quiet", cwd=project)
    assert unit.returncode == 0, unit.stdout + unit.stderr
    assert "2 passed" in unit.stdout or "1 passed" in unit.stdout

    checked = author.run("hookwire", "check", "hookwire.hcl", cwd=project)
    assert checked.returncode == 0, checked.stderr


def test_an_expectation_that_is_not_met_fails_with_its_line(author, filter_project):
    fixture = filter_project / "tests" / "filter.hcl"
    wrong = filter_project / "wrong.hcl"
    wrong.write_text(fixture.read_text().replace('verdict     = "deny"', 'verdict     = "drop"', 1))
    line = 1 + wrong.read_text()[: wrong.read_text().index('"drop"')].count("\n")

    tested = author.run("hookwire", "rule", "test", "wrong.hcl", cwd=filter_project)
    assert tested.returncode == 1
    assert f"wrong.hcl:{line}: message.publish: expected the verdict drop, found deny" in tested.stdout
    assert "0 passed, 1 failed" in tested.stdout


def test_fixtures_go_into_the_component_unless_they_are_left_out(author, filter_project):
    component = filter_project / "target" / "my-filter.wasm"
    section = b"hookwire:fixtures"
    assert section in component.read_bytes()
    built = author.run("hookwire", "rule", "build", "--no-fixtures", cwd=filter_project)
    assert built.returncode == 0, built.stderr
    assert "fixture" not in built.stdout and section not in component.read_bytes()

    wrong = filter_project / "tests" / "wrong.hcl"
    wrong.write_text('modul "m" {}\n')
    built = author.run("hookwire", "rule", "build", cwd=filter_project)
    wrong.unlink()
    assert built.returncode == 1
    assert "tests/wrong.hcl:1" in built.stderr and 'did you mean "module"?' in built.stderr
    assert section not in component.read_bytes()

    aside = filter_project / "tests" / "aside.hcl"
    text = (filter_project / "tests" / "filter.hcl").read_text()
    aside.write_text('module "other" {\n  path = "other.wasm"\n}\n' + text)
    built = author.run("hookwire", "rule", "build", cwd=filter_project)
    aside.unlink()
    assert built.returncode == 0, built.stderr
    assert "tests/aside.hcl is about other components, too" in built.stderr
    assert "fixture tests/filter.hcl" in built.stdout and "fixture tests/aside" not in built.stdout


def test_nothing_is_written_over(author, filter_project):
    made = author.run("hookwire", "rule", "new", "other", "--dir", filter_project)
    assert made.returncode == 1
    assert "not empty" in made.stderr

    made = author.run("hookwire", "rule", "new", "Bad_Name")
    assert made.returncode == 1
    assert '"bad-name" would do' in made.stderr
    assert not (author.home / "Bad_Name").exists()

    made = author.run("hookwire", "rule", "new", "fine", "--template", "filtre")
    assert made.returncode == 1
    assert 'did you mean "filter"?' in made.stderr


def test_outside_of_a_project_the_way_to_one_is_told(author):
    built = author.run("hookwire", "rule", "build")
    assert built.returncode == 1
    assert "hookwire rule new NAME" in built.stderr


def test_without_cargo_what_to_install_is_told(author, filter_project):
    author.environment.pop("CARGO", None)
    built = author.run("hookwire", "rule", "build", cwd=filter_project, PATH="/nowhere")
    assert built.returncode == 1
    assert "install Rust" in built.stderr


def test_a_crate_that_is_no_module_is_told_what_it_lacks(author, tmp_path):
    made = author.run("hookwire", "rule", "new", "no-module", "--dir", tmp_path / "p")
    assert made.returncode == 0, made.stderr
    (tmp_path / "p" / "src" / "lib.rs").write_text("//! Nothing.\n")
    built = author.run("hookwire", "rule", "build", cwd=tmp_path / "p")
    assert built.returncode == 1
    assert "hookwire_sdk::module!" in built.stderr


def test_bench_tells_what_an_event_costs(author, filter_project):
    measured = author.run("hookwire", "rule", "bench", "--events", "2000", cwd=filter_project)
    assert measured.returncode == 0, measured.stderr
    rows = [line.split() for line in measured.stdout.splitlines() if line[:7].strip().isdigit()]
    assert [row[0] for row in rows] == ["1", "8", "64", "256"]
    assert all(int(row[1]) > 0 for row in rows)


def test_replay_shows_verdicts(author, filter_project):
    shown = author.run(
        "hookwire", "rule", "replay", "tests/filter.hcl",
        "--module", "target/my-filter.wasm",
        cwd=filter_project,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "message.publish: proceed" in shown.stdout
    assert 'message.publish: deny 0x83 "900 is not in -40 to 85"' in shown.stdout


def test_watch_tests_again_when_a_file_changes(author, filter_project, tmp_path):
    fixture = tmp_path / "watched.hcl"
    fixture.write_text((filter_project / "tests" / "filter.hcl").read_text())
    source = filter_project / "src" / "lib.rs"
    before = source.read_text()
    watching = author.start("rule", "test", "--watch", fixture, cwd=filter_project)
    lines = watching.lines

    def tested_again():
        """The lines of one whole run, once there are."""
        ends = [n for n, line in enumerate(lines) if "waiting for a change" in line]
        return lines[: ends[0] + 1] if ends else None

    try:
        for change, result in [
            (None, "passed"),
            (before.replace("value > range.max", "value > range.max * 100.0"), "FAILED"),
            (before, "passed"),
        ]:
            if change:
                lines.clear()
                source.write_text(change)
            run = wait_until(tested_again, f"the fixture {result}", deadline_s=DEADLINE_S)
            assert any(line.startswith(result) for line in run), run
    finally:
        watching.discard()
        source.write_text(before)


def test_what_a_broker_sees_becomes_a_fixture(author, filter_project, start_broker, unique):
    settings = (filter_project / "hookwire.hcl").read_text()
    settings = settings.replace("127.0.0.1:1883", "127.0.0.1:0")
    settings = settings.replace("target/my-filter.wasm", str(filter_project / "target/my-filter.wasm"))
    broker = start_broker(settings)
    recorded = filter_project / f"{unique('recorded')}.hcl"
    recorder = author.start(
        "rule", "record", "--count", "1", "--payloads", "--rules", "tests/filter.hcl",
        "--out", recorded, "--data", broker.data,
        cwd=filter_project,
    )  # fmt: skip
    try:
        def publish_until_recorded():
            published = author.run(
                "mosquitto_pub", "-V", "5", "-p", broker.port, "-q", "1",
                "-t", "sensors/1", "-m", '{"celsius": 21.5}',
            )  # fmt: skip
            assert published.returncode == 0, published.stderr
            return recorder.poll() is not None

        wait_until(publish_until_recorded, "the recorder has what it wants")
        assert recorder.returncode == 0, recorder.lines
    finally:
        recorder.discard()
    text = recorded.read_text()
    assert 'payload = "{\\"celsius\\": 21.5}"' in text
    tested = author.run("hookwire", "rule", "test", recorded, cwd=filter_project)
    assert tested.returncode == 0, tested.stdout
