"""The examples, with the commands that their READMEs show."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from support.modules import CHECKOUT, component
from support.mosquitto import MosquittoSub
from support.raw import RawClient
from support.wait import DEADLINE_S, wait_until

EXAMPLES = CHECKOUT / "examples"


class Readme:
    """Commands and answers of a README, in their order."""

    def __init__(self, example):
        text = (EXAMPLES / example / "README.md").read_text()
        self.blocks = [
            block.splitlines() for block in re.findall(r"```(?:sh|text)\n(.*?)```", text, re.S)
        ]

    def lines(self, prefix):
        """Each line of a block that begins so."""
        return [line for block in self.blocks for line in block if line.startswith(prefix)]


def publish(broker, command):
    """Runs a mosquitto_pub as the README has it, on the test's broker."""
    program, *arguments = shlex.split(command)
    done = subprocess.run(
        [program, "-p", str(broker.port), *arguments],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def alerts(reader, count):
    messages = reader.wait_for_messages(count)
    return [f"{topic} {payload.decode()}" for topic, _, _, payload in messages]


@pytest.fixture
def alerting(start_broker):
    text = (EXAMPLES / "temperature-alert/hookwire.hcl").read_text()
    path = "../../target/modules/temperature-alert.wasm"
    assert path in text
    return start_broker(text.replace(path, str(component("temperature-alert"))))


def last_values(broker):
    with broker.store() as store:
        rows = store.query("SELECT device, celsius FROM last_value ORDER BY device")
    return [f"{row['device']}|{row['celsius']}" for row in rows]


def test_temperature_alert_does_what_its_readme_says(alerting):
    readme = Readme("temperature-alert")
    commands = readme.lines("mosquitto_pub")
    expected = readme.lines("alerts/")
    assert (len(commands), len(expected)) == (7, 3)
    bindings = [line for line in readme.lines("rule ") if "->" in line]
    assert len(bindings) == 2 and set(bindings) <= set(alerting.stdout())
    with MosquittoSub(alerting.port, "alerts/#") as reader:
        for command in commands[:6]:
            publish(alerting, command)
        assert alerts(reader, 2) == expected[:2]
        # Acknowledged means that the row is there: no waiting.
        assert last_values(alerting) == readme.lines("boiler-")
        (warning,) = readme.lines("WARN ")
        assert warning in alerting.stderr()

        changed = alerting.config.read_text().replace("alert_above = 70.0", "alert_above = 20.0")
        alerting.config.write_text(changed)
        (said,) = readme.lines("rule check has")
        assert said in alerting.ctl("reload")
        publish(alerting, commands[6])
        # The same subscriber, which was never disconnected, and nothing between.
        assert alerts(reader, 3) == expected
        assert sum("CONNACK" in line for line in reader.lines()) == 1

        alerting.config.write_text(changed.replace("alert_above", "alert_over"))
        why = alerting.ctl_refused("reload")
        (told,) = readme.lines("hookwire.hcl:")
        assert told in why


def test_temperature_alert_tells_later_subscribers_what_holds(alerting):
    with RawClient.connected(alerting.port, "boiler-9") as device:
        device.publish("sensors/boiler-9/temperature", '{"celsius": 99}')
    with MosquittoSub(alerting.port, "alerts/#") as reader:
        assert alerts(reader, 1) == ['alerts/boiler-9 {"state":"hot","celsius":99}']


def test_temperature_alert_refuses_what_is_no_reading_and_drops_what_cannot_be(alerting):
    with (
        RawClient.connected(alerting.port, "reader") as reader,
        RawClient.connected(alerting.port, "device") as device,
    ):
        reader.subscribe("sensors/#")
        assert device.publish("sensors/a/temperature", "hot").reason == 0x99
        # Dropped, and acknowledged: the device has nothing to send again.
        assert device.publish("sensors/a/temperature", '{"celsius": -90}').reason < 0x80
        assert device.publish("sensors/a/temperature", '{"celsius": 3}').reason < 0x80
        assert reader.message().payload == b'{"celsius": 3}'
    assert last_values(alerting) == ["a|3.0"]
    assert alerting.metric("hookwire_module_dropped_total", module="temperature-alert") == 1
    assert alerting.metric("hookwire_module_unreadable_total", module="temperature-alert") == 1


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    """The JavaScript module, built by npm in a folder of its own."""
    packages = os.environ.get("HOOKWIRE_NODE_MODULES")
    if not packages:
        raise RuntimeError(
            "HOOKWIRE_NODE_MODULES is not set: give it the node_modules that `npm ci` makes of "
            "examples/javascript-router, or run `cargo xtask test e2e`, which makes them"
        )
    folder = tmp_path_factory.mktemp("router") / "javascript-router"
    leave = shutil.ignore_patterns("node_modules", "router.wasm")
    shutil.copytree(EXAMPLES / "javascript-router", folder, ignore=leave)
    (folder / "node_modules").symlink_to(Path(packages).resolve())
    npm(folder, "run", "build")
    return folder


def npm(folder, *arguments):
    done = subprocess.run(
        ["npm", *arguments], cwd=folder, env={**os.environ, "HOOKWIRE_WIT": str(CHECKOUT / "wit")},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def routing(start_broker, router):
    text = (router / "hookwire.hcl").read_text()
    return start_broker(text.replace('"router.wasm"', f'"{router / "router.wasm"}"'))


def test_the_javascript_router_passes_its_own_tests(router):
    assert "fail 0" in npm(router, "test")


def test_the_javascript_router_does_what_its_readme_says(routing):
    readme = Readme("javascript-router")
    (command,) = readme.lines("mosquitto_pub")
    (expected,) = readme.lines("by-kind/")
    with RawClient.connected(routing.port, "reader") as reader:
        reader.subscribe("#")
        publish(routing, command)
        message = reader.message()
        ((name, value),) = [value for known, value in message.properties if known == 0x26]
        assert f"{message.topic} {message.payload.decode()} {name}:{value}" == expected
    assert routing.metric("hookwire_module_routed_total", module="router") == 1
    assert "JavaScript serves 1 rules on hookwire@127.0.0.1" in routing.stderr()


def test_the_javascript_router_leaves_other_messages_alone(routing):
    odd = [b"", b"\xff\xfe", b"null", b"[]", b'{"kind": "a/b"}', b'{"kind": "\\ud800"}', b'{"kind": 7}']
    with (
        RawClient.connected(routing.port, "reader") as reader,
        RawClient.connected(routing.port, "writer") as writer,
    ):
        reader.subscribe("#")
        for payload in odd:
            assert writer.publish("inbox/a", payload).reason < 0x80
            message = reader.message()
            assert (message.topic, message.payload) == ("inbox/a", payload)
        text = '{"kind": "n\u00f6te", "text": "\U0001d11e"}'.encode()
        writer.publish("inbox/a", text)
        message = reader.message()
        assert message.topic == "by-kind/n\u00f6te/inbox/a"
        assert message.payload == '{"kind":"N\u00d6TE","text":"\U0001d11e"}'.encode()
    assert routing.metric("hookwire_module_traps_total", module="router") == 0


def test_the_javascript_router_is_served_by_its_next_build(routing, router):
    """The compiled engine is reloaded like any module, under a connected client;
    and an exception in JavaScript ends an instance, and is told with its line."""
    source = router / "router.js"
    before = routing.ctl_json("modules", "list")[0]["hash"]
    text = source.read_text()
    throws = """handle(events, calls) {
    if (events[0].val.topic === "inbox/throw") {
      throw new Error("on purpose");
    }
"""
    try:
        source.write_text(text.replace("handle(events, calls) {\n", throws))
        with RawClient.connected(routing.port, "c") as client:
            assert client.publish("inbox/throw", "{}").reason < 0x80
            npm(router, "run", "build")
            wait_until(
                lambda: routing.ctl_json("modules", "list")[0]["hash"] != before,
                "the next build serves",
            )
            assert client.publish("inbox/throw", "{}").reason >= 0x80
            assert "on purpose" in routing.stderr() and "router.js:" in routing.stderr()
            client.subscribe("#", qos=0)
            client.publish_qos0("inbox/a", '{"kind": "x"}')
            assert client.message().topic == "by-kind/x/inbox/a"
        (letter,) = routing.ctl_json("deadletters", "list")
        assert (letter["rule"], letter["code"]) == ("route-inbox", "host:trap")
    finally:
        source.write_text(text)


def test_the_javascript_router_is_refused_an_option_it_cannot_use(routing):
    routing.config.write_text(routing.config.read_text().replace('"by-kind"', '"by/#"'))
    why = routing.ctl_refused("reload")
    assert "route-inbox" in why and 'prefix: "by/#" begins no topic' in why
