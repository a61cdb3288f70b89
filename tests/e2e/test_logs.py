"""The log: for people, or one JSON object a line."""

import json

from support.broker import run_hookwire
from support.faults import TableGone
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule, storing


def lines(broker):
    return [json.loads(line) for line in broker.stderr().splitlines()]


def test_each_line_is_a_json_object(start_broker, unique):
    say = rule("say", "message.publish", "mine", "say", topic="say")
    trap = rule("trap", "message.publish", "mine", "trap")
    broker = start_broker(
        LISTENER + POOL + guest() + say + trap + storing(), ["--log-format", "json"]
    )
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("say", b"something")
        client.publish("t", b"boom")
        with TableGone(broker):
            client.publish("t", b"refused")
    broker.config.write_text("listener {")
    broker.ctl_refused("reload")
    assert broker.stop() == 0
    told = lines(broker)
    for line in told:
        assert line["level"] in ("ERROR", "WARN", "INFO"), line
        assert {"timestamp", "target", "message"} <= line.keys(), line
    # What a rule's log says stands in fields: nobody has to take lines apart.
    (failed,) = [line for line in told if line.get("rule") == "store" and "code" in line]
    assert failed["level"] == "WARN"
    assert failed["module"] == "sqlite"
    assert failed["code"].startswith("sqlite:")
    (trapped,) = [line for line in told if "backtrace" in line]
    assert trapped["module"] == "mine" and "\n" in trapped["backtrace"]
    assert any(line["message"] == "line 0" and line["module"] == "mine" for line in told)
    assert any("everything stays as it was" in line["message"] for line in told)
    assert any(line["message"] == "stopped" for line in told)


def test_text_is_the_default_and_is_not_coloured_in_a_file(start_broker):
    broker = start_broker(LISTENER)
    broker.ctl("reload")
    assert broker.stop() == 0
    assert "nothing has changed" in broker.stderr()
    assert "\x1b" not in broker.stderr()
    assert not broker.stderr().startswith("{")


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path):
    done = run_hookwire("run", "--data", tmp_path / "data", "--log-format", "jsn")
    assert done.returncode == 2
    assert "json" in done.stderr and "text" in done.stderr


def test_no_payload_and_no_password_is_logged(start_broker, unique):
    judge = rule("who", "client.authenticate", "mine", "fail", {"kind": "other"})
    broker = start_broker(LISTENER + POOL + guest() + judge + storing())
    broker.ctl("modules", "unload", "mine")
    with RawClient.connected(broker.port, unique("raw"), username="u", password="pa55word") as client:
        with TableGone(broker):
            client.publish("t", b"pay1oad")
    assert broker.stop() == 0
    assert "store" in broker.stderr()
    assert "pay1oad" not in broker.stderr()
    assert "pa55word" not in broker.stderr()
