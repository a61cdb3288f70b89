"""A component brings its own tests: it does not serve before it passes them."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support.broker import binary, run_hookwire
from support.modules import component, rebuilt, with_fixtures
from support.raw import RawClient
from support.rules import LISTENER, guest, rule
from support.wait import wait_until

RULE = rule("rewrite", "message.publish", "mine", "rewrite", {"suffix": "!"})


def fixture(expected):
    return f"""\
module "m" {{
  grants = ["clock", "broker.publish"]
}}
rule "r" {{
  hook   = "message.publish"
  module = "m"
  action = "rewrite"
  options {{
    suffix = "?"
  }}
}}
event "message.publish" {{
  topic   = "t"
  payload = "a"
  expect {{
    verdict = "replace"
    payload = "{expected}"
  }}
}}
"""


def content(*expected, mark="x"):
    """The module of the tests, with a fixture for each payload that is expected."""
    fixtures = {f"tests/{number}.hcl": fixture(text) for number, text in enumerate(expected)}
    return with_fixtures(rebuilt(component("testguest").read_bytes(), mark), fixtures)


FAILING = 'tests/1.hcl:15: payload: expected "b?", found "a?"'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.wasm"
    path.write_bytes(content("a?"))
    return path


def replace(file, new):
    following = file.with_suffix(".next")
    following.write_bytes(new)
    following.replace(file)


def assert_serves(broker):
    with RawClient.connected(broker.port, "c") as client:
        client.subscribe("t", qos=0)
        client.publish_qos0("t", b"a")
        assert client.message().payload == b"a!"


def runs(broker):
    return sum("passed its fixtures" in line for line in broker.stderr().splitlines())


def test_a_module_that_passes_serves_and_is_not_tested_again(start_broker, file):
    broker = start_broker(LISTENER + guest(file) + RULE)
    assert_serves(broker)
    assert runs(broker) == 1
    assert "fixtures=1" in broker.stderr()
    assert broker.stop() == 0
    broker.start()
    assert_serves(broker)
    assert runs(broker) == 1, "the cache knows that it passed"


def test_one_that_fails_does_not_start(tmp_path):
    module = tmp_path / "mine.wasm"
    module.write_bytes(content("a?", "b?"))
    config = tmp_path / "hookwire.hcl"
    config.write_text(LISTENER + guest(module) + RULE)
    listen = ["--listen", "127.0.0.1:0", "--data", tmp_path / "data"]
    for verb in (["check", config], ["run", "--config", config, *listen]):
        ended = run_hookwire(*verb)
        assert ended.returncode == 2
        assert f"it does not pass its own fixtures: {FAILING}" in ended.stderr
        assert 'module "mine"' in ended.stderr and str(module) in ended.stderr


def test_a_reload_that_fails_leaves_the_one_before(start_broker, file):
    broker = start_broker(LISTENER + guest(file) + RULE)
    replace(file, content("a?", "b?"))
    for command in (["reload"], ["modules", "reload", "mine"]):
        assert FAILING in broker.ctl_refused(*command)
        assert_serves(broker)
    assert FAILING in broker.stderr()
    assert broker.metric("hookwire_failed_reloads_total") >= 2
    # It is compiled by now, and was never let through.
    broker.kill()
    listen = ["--listen", "127.0.0.1:0", "--data", broker.data]
    ended = run_hookwire("run", "--config", broker.config, *listen)
    assert ended.returncode == 2 and FAILING in ended.stderr
    replace(file, content("a?", mark="y"))
    broker.start()
    assert_serves(broker)
    replace(file, content("a?", "a?", mark="z"))
    broker.ctl("modules", "reload", "mine")
    assert "fixtures=2" in broker.stderr()
    assert_serves(broker)


#: It takes longer than a test may.
SLOW = """\
module "m" {
  grants   = ["clock", "broker.publish"]
  deadline = "60s"
}
rule "r" {
  hook   = "message.publish"
  module = "m"
  action = "spin"
}
event "message.publish" {
  topic   = "t"
  payload = "spin"
}
"""


def children(broker):
    tasks = Path(f"/proc/{broker.pid}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def by_command(broker):
    command = [binary(), "ctl", "--data", broker.data, "modules", "reload", "mine"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def by_signal(broker):
    broker.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("reload", [by_command, by_signal])
def test_fixtures_that_take_long_hold_up_neither_figures_nor_the_stop(start_broker, file, reload):
    broker = start_broker(LISTENER + guest(file) + RULE)
    slow = with_fixtures(rebuilt(component("testguest").read_bytes(), "s"), {"tests/s.hcl": SLOW})
    replace(file, slow)
    asked = reload(broker)
    (tester,) = wait_until(lambda: children(broker), "the fixtures run")
    with RawClient.connected(broker.port, "c"):
        assert broker.metric("hookwire_reloads_total") == 0
        assert broker.metric("hookwire_rule_events_total", rule="rewrite") == 0
        (mine,) = broker.ctl_json("modules", "list")
        assert mine["generation"] == 1
        assert "c" in broker.ctl("clients", "list")
        assert children(broker) == [tester], "they still run"
    assert broker.stop() == 0, broker.stderr()
    assert not Path(f"/proc/{tester}").exists()
    assert "because the broker stops" in broker.stderr()
    if asked:
        asked.communicate(timeout=30)
        assert asked.returncode == 1


HOSTILE = {
    "reads a file": (
        'pool "sqlite" "p" {\n  setup_file = "/etc/passwd"\n}\n' + fixture("a?"),
        "/etc/passwd did not come with the component",
    ),
    "attaches a file": (
        f'pool "sqlite" "p" {{\n  setup = "ATTACH \'FILE\' AS o"\n}}\n{fixture("a?")}',
        "setup: this call runs INSERT",
    ),
    "attaches a file behind": (
        'pool "sqlite" "p" {\n  setup = "CREATE TABLE a (b); ATTACH \'FILE\' AS o"\n}\n'
        + fixture("a?"),
        "setup: this call runs INSERT",
    ),
    "is no fixture": ("modul {", "tests/0.hcl:1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_fixture_reaches_nothing_of_the_machine(tmp_path, name):
    text, said = HOSTILE[name]
    secret = tmp_path / "made.db"
    module = tmp_path / "mine.wasm"
    fixtures = {"tests/0.hcl": text.replace("FILE", str(secret))}
    module.write_bytes(with_fixtures(component("testguest").read_bytes(), fixtures))
    config = tmp_path / "hookwire.hcl"
    config.write_text(LISTENER + guest(module) + RULE)
    checked = run_hookwire("check", config)
    assert checked.returncode == 2 and said in checked.stderr, checked.stderr
    assert not secret.exists()


def command_line(pid):
    """Its words; none where it has ended, waited for or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def has_read(pid, size):
    """Whether it has read so many bytes."""
    counted = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counted["rchar"]) >= size


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_fixtures_end_with_a_process_that_ends_before_it_serves(tmp_path, verb, by):
    module = tmp_path / "mine.wasm"
    slow = with_fixtures(component("testguest").read_bytes(), {"tests/s.hcl": SLOW})
    module.write_bytes(slow)
    config = tmp_path / "hookwire.hcl"
    config.write_text(LISTENER + guest(module) + RULE)
    words = ["run", "--data", tmp_path / "data", "--config"] if verb == "run" else ["check"]
    process = subprocess.Popen(
        [binary(), *words, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    (tester,) = wait_until(lambda: children(process), "the fixtures run")
    try:
        wait_until(lambda: b"bundled" in command_line(tester), "it is the fixtures' process")
        wait_until(lambda: has_read(tester, len(slow)), "it has the component")
        process.send_signal(by)
        assert process.wait(30) == -by
        wait_until(lambda: not command_line(tester), "the fixtures end")
    finally:
        process.kill()
        if b"bundled" in command_line(tester):
            os.kill(tester, signal.SIGKILL)
