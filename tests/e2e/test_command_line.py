"""`hookwire run` and `hookwire check`: what they say when something is wrong."""

import re
import socket

import pytest

from support.broker import run_hookwire
from support.raw import RawClient

GOOD = """\
listener "tcp" "default" {
  address = "127.0.0.1:0"
}
pool "sqlite" "embedded" {
  file = "hookwire.db"
}
module "sqlite" {}
rule "store" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  topic  = "#"
  pool   = "embedded"
}
"""

# Line by line, so that each mistake has a line of its own; what has to be said
# about a line stands behind it.
MISTAKES = [
    ('nodename = "a"', "nodename"),
    ("workers = 0", "workers"),
    ('listener "tcp" "default" {', None),
    ('  address = "not an address"', "address"),
    ("}", None),
    ('pool "oracle" "other" {', "oracle"),
    ("}", None),
    ('pool "sqlite" "embedded" {', None),
    ('  file = "hookwire.db"', None),
    ('  sync = "off"', "sync"),
    ("}", None),
    ('module "sqlite" {', None),
    ('  deadline = "soon"', "soon"),
    ("}", None),
    ('rule "one" {', None),
    ('  hook   = "message.published"', "message.publish"),
    ('  module = "sqlite"', None),
    ('  action = "on_message_publish"', None),
    ('  pool   = "embedded"', None),
    ("}", None),
    ('rule "two" {', None),
    ('  hook   = "message.publish"', None),
    ('  module = "sqlight"', "sqlight"),
    ('  action = "on_message_publish"', None),
    ('  pool   = "embedded"', None),
    ("}", None),
    ('rule "three" {', None),
    ('  hook   = "message.publish"', None),
    ('  module = "sqlite"', None),
    ('  action = "on_message_publish"', None),
    ('  pool   = "embeded"', "embedded"),
    ('  topic  = "a/#/b"', "a/#/b"),
    ("}", None),
    ('rule "four" {', None),
    ('  hook   = "message.publish"', None),
    ('  module = "sqlite"', None),
    ('  action = "on_message_publsh"', "on_message_publish"),
    ('  pool   = "embedded"', None),
    ("}", None),
]

PROBLEM = re.compile(r"^(?P<file>.+?):(?P<line>\d+): (?P<message>.+)$")


def problems(stderr, file):
    """Line number -> message, of the lines that are problems of this file."""
    found = {}
    for line in stderr.splitlines():
        if (match := PROBLEM.match(line)) and match["file"] == str(file):
            found.setdefault(int(match["line"]), []).append(match["message"])
    return found


@pytest.fixture
def config(tmp_path):
    def write(text):
        file = tmp_path / "test.hcl"
        file.write_text(text)
        return file

    return write


def test_check_takes_a_good_file(config):
    done = run_hookwire("check", config(GOOD))
    assert (done.returncode, done.stderr) == (0, "")


def test_check_says_everything_that_is_wrong_at_once(config):
    file = config("\n".join(line for line, _ in MISTAKES))
    done = run_hookwire("check", file)
    assert done.returncode == 2, done.stderr
    found = problems(done.stderr, file)
    expected = {n: word for n, (_, word) in enumerate(MISTAKES, 1) if word}
    assert sorted(found) == sorted(expected), done.stderr
    for number, word in expected.items():
        assert any(word in message for message in found[number]), (number, found[number])


def test_run_refuses_a_bad_file_and_starts_nothing(config, tmp_path):
    file = config("\n".join(line for line, _ in MISTAKES))
    data = tmp_path / "data"
    done = run_hookwire("run", "--config", file, "--data", data, "--listen", "127.0.0.1:0")
    assert done.returncode == 2, done.stderr
    assert len(problems(done.stderr, file)) == sum(word is not None for _, word in MISTAKES)
    assert "listening" not in done.stdout
    assert not data.exists()


# Mistakes that show only when the module has said what it has: what is replaced
# in GOOD, by what, on which line that is told (None: any), and a word of it.
RULE_MISTAKES = {
    "unknown action": ('"on_message_publish"', '"on_message_publsh"', 11, "on_message_publish"),
    "action of another hook": ('"message.publish"', '"client.connected"', None, "client.connected"),
    "hook of another action": (
        '"on_message_publish"', '"on_client_connected"', None, "on_client_connected"),
    "unknown option": ('topic  = "#"', "options { colour = 3 }", 12, "colour"),
    "no pool": ('  pool   = "embedded"\n', "", None, "pool"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong", "line", "word"), RULE_MISTAKES.values(), ids=RULE_MISTAKES.keys()
)
@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_rule_that_its_module_cannot_serve_is_refused(
    config, tmp_path, verb, right, wrong, line, word
):
    file = config(GOOD.replace(right, wrong, 1))
    arguments = ["check", file]
    if verb == "run":
        arguments = ["run", "--config", file, "--data", tmp_path / "data"]
    done = run_hookwire(*arguments)
    assert done.returncode == 2, done.stderr
    found = problems(done.stderr, file)
    assert found, done.stderr
    told = found.get(line, []) if line else sum(found.values(), [])
    assert any(word in message for message in told), done.stderr


COMPONENT = b"\x00asm\x0d\x00\x01\x00"


def component_importing(name):
    """A component that imports an empty instance of this name, and has nothing else."""
    instance_type = b"\x01\x42\x00"
    imported = b"\x01\x00" + bytes([len(name)]) + name.encode() + b"\x05\x00"
    sections = [(7, instance_type), (10, imported)]
    return COMPONENT + b"".join(bytes([id_, len(body)]) + body for id_, body in sections)


# Files that cannot be a module, and a word of what has to be said about them
# beside the module's name.
BAD_MODULES = {
    "empty": (b"", "WebAssembly"),
    "text": (b"this is not WebAssembly", "WebAssembly"),
    "core module": (b"\x00asm\x01\x00\x00\x00", "component"),
    "cut off": (component_importing("a:b/c")[:-3], ""),
    "component without exports": (COMPONENT, ""),
    "component with an import nobody grants": (
        component_importing("wasi:keyvalue/store@0.3.0"), "wasi:keyvalue/store"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "word"), BAD_MODULES.values(), ids=BAD_MODULES.keys())
@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_file_that_cannot_be_a_module_is_refused_by_name(config, tmp_path, verb, content, word):
    (tmp_path / "mine.wasm").write_bytes(content)
    module = f'module "mine" {{\n  path = "{tmp_path / "mine.wasm"}"\n}}\n'
    file = config(GOOD + module)
    arguments = ["check", file]
    if verb == "run":
        arguments = ["run", "--config", file, "--data", tmp_path / "data"]
    done = run_hookwire(*arguments)
    assert done.returncode == 2, done.stderr
    messages = sum(problems(done.stderr, file).values(), [])
    assert any("mine" in text and word in text for text in messages), done.stderr


def test_a_module_file_that_is_not_there_is_refused_by_name(config):
    file = config(GOOD + 'module "mine" {\n  path = "nowhere/mine.wasm"\n}\n')
    done = run_hookwire("check", file)
    assert done.returncode == 2
    assert "mine" in done.stderr


@pytest.mark.parametrize("text", ["rule {", 'listener "tcp" {{}}', "\x00", "workers = \n"])
def test_a_file_that_is_no_hcl_is_refused_with_its_line(config, text):
    file = config(text)
    done = run_hookwire("check", file)
    assert done.returncode == 2
    assert problems(done.stderr, file), done.stderr


def test_a_config_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "absent.hcl"
    for arguments in (["check", file], ["run", "--config", file]):
        done = run_hookwire(*arguments)
        assert done.returncode != 0
        assert "absent.hcl" in done.stderr


def test_a_second_broker_on_the_same_data_is_refused(broker, unique):
    done = run_hookwire("run", "--data", broker.data, "--listen", "127.0.0.1:0")
    assert done.returncode not in (0, None)
    assert str(broker.pid) in done.stderr
    assert "listening" not in done.stdout
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.publish(unique("t")).reason < 0x80


def test_an_address_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_hookwire("run", "--data", tmp_path / "data", "--listen", address)
    assert done.returncode not in (0, 2)
    assert address in done.stderr


def test_listen_replaces_the_configured_address(start_broker, unique):
    broker = start_broker(GOOD.replace("127.0.0.1:0", "127.0.0.1:1"))
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t", b"stored")
        with broker.store() as store:
            assert store.payloads("t") == [b"stored"]


def test_only_the_configured_rules_run(start_broker, unique):
    broker = start_broker(GOOD.replace('topic  = "#"', 'topic  = "kept/+"'))
    client_id = unique("raw")
    with RawClient.connected(broker.port, client_id) as client:
        client.publish("kept/a", b"1")
        client.publish("passing/a", b"2")
        client.publish("kept/a", b"3")
    with broker.store() as store:
        assert store.payloads("kept/a") == [b"1", b"3"]
        assert store.payloads("passing/a") == []
        assert store.client(client_id) is None
