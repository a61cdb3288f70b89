"""`hookwire ctl reload` and SIGHUP: rules, modules and pools follow the file,
and connections stay."""

import os
import signal

import pytest

from support import wire
from support.faults import Locked
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, module, rule, storing
from support.wait import wait_until

ASIDE = """\
pool "sqlite" "aside" {
  file = "aside.db"
}
"""


def by_command(broker):
    broker.ctl("reload")


def by_signal(broker):
    reloads = broker.metric("hookwire_reloads_total")
    broker.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: broker.metric("hookwire_reloads_total") > reloads, "the configuration is read"
    )


WAYS = pytest.mark.parametrize("reload", [by_command, by_signal])


def rewrite(suffix):
    return rule("rewrite", "message.publish", "mine", "rewrite", {"suffix": suffix})


@WAYS
def test_options_and_rules_change_under_connected_clients(start_broker, unique, reload):
    broker = start_broker(LISTENER + guest() + rewrite("!"))
    with (
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe("t")

        def arrives(sent):
            writer.publish("t", sent)
            return reader.message().payload

        assert arrives(b"a") == b"a!"
        broker.config.write_text(LISTENER + guest() + rewrite("?"))
        reload(broker)
        assert arrives(b"b") == b"b?"
        broker.config.write_text(LISTENER + guest())
        reload(broker)
        assert arrives(b"c") == b"c"
        broker.config.write_text(LISTENER)
        reload(broker)
        assert arrives(b"d") == b"d"
        broker.config.write_text(LISTENER + guest() + rewrite("."))
        reload(broker)
        assert arrives(b"e") == b"e."


def test_what_is_tried_again_is_stored_where_a_reload_says(start_broker, unique):
    broker = start_broker(LISTENER + POOL + storing(retry_for="60s"))
    with RawClient.connected(broker.port, unique("raw")) as client, Locked(broker):
        client.send(*(wire.publish("t", b"%d" % n, qos=1, packet_id=n + 1) for n in range(3)))
        wait_until(
            lambda: broker.metric("hookwire_rule_errors_total", rule="store") > 0,
            "the store is found locked",
        )
        text = LISTENER + POOL.replace("hookwire.db", "mended.db") + storing(retry_for="60s")
        broker.config.write_text(text)
        broker.ctl("reload")
        for number in range(3):
            ack = client.expect(wire.PUBACK)
            assert (ack.packet_id, ack.reason) == (number + 1, 0)
        with broker.store("mended.db") as mended:
            assert mended.payloads("t") == [b"0", b"1", b"2"]
    with broker.store() as store:
        assert store.payloads("t") == []


@WAYS
def test_a_rule_goes_over_to_a_pool_that_is_added(start_broker, unique, reload):
    broker = start_broker(LISTENER + POOL + storing())
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t", b"first")
        text = LISTENER + POOL + ASIDE + storing()
        broker.config.write_text(text.replace('pool = "embedded"', 'pool = "aside"'))
        reload(broker)
        client.publish("t", b"second")
    with broker.store() as store, broker.store("aside.db") as aside:
        assert store.payloads("t") == [b"first"]
        assert aside.payloads("t") == [b"second"]


def test_what_changed_is_said_and_nothing_else(start_broker):
    kept = storing() + guest()
    broker = start_broker(LISTENER + POOL + kept + rewrite("!"))
    changed = LISTENER + POOL + ASIDE + kept + rewrite("?") + rule(
        "another", "message.publish", "mine", "noop"
    )
    broker.config.write_text(changed)
    told = broker.ctl("reload")
    for word in ("pool aside is open", "rule another", "rule rewrite"):
        assert word in told
    for word in ("rule store", "module sqlite", "pool embedded"):
        assert word not in told
    for line in told.splitlines():
        assert line in broker.stderr(), "the log says the same"
    assert broker.ctl("reload") == "nothing has changed\n"
    broker.config.write_text(LISTENER + POOL + kept)
    told = broker.ctl("reload")
    for word in ("pool aside is closed", "rule another", "rule rewrite"):
        assert word in told


def test_what_did_not_change_is_not_touched(start_broker, unique):
    """A module keeps its instances, and so its generation and its counts."""
    broker = start_broker(LISTENER + POOL + storing() + guest() + rewrite("!"))

    def sqlite():
        modules = broker.ctl_json("modules", "list")
        return next(module for module in modules if module["name"] == "sqlite")

    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t")
        before = sqlite()
        broker.config.write_text(LISTENER + POOL + storing() + guest() + rewrite("?"))
        broker.ctl("reload")
        assert sqlite() == before
        client.publish("t")
    assert sqlite()["events"] == before["events"] + 1


PROBLEMS = {
    "syntax": ('rule "more" {', None),
    "unknown key": (storing().replace("deadline", "dedline"), "deadline"),
    "unknown action": (
        guest() + rule("more", "message.publish", "mine", "nooop"), "noop"),
    "unknown option": (
        guest() + rule("more", "message.publish", "mine", "rewrite", {"sufix": "!"}), "suffix"),
    "no such pool": (
        storing().replace('pool = "embedded"', 'pool = "embeded"'), "embedded"),
    "a grant is missing": (
        guest().replace('grants = ["clock", "broker.publish"]', "grants = []"), "clock"),
    "a module that is no file": (module("mine", "nowhere.wasm"), "nowhere.wasm"),
}  # fmt: skip


@pytest.mark.parametrize(("blocks", "word"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_problem_refuses_everything_and_is_told_with_its_line(
    start_broker, unique, blocks, word
):
    broker = start_broker(LISTENER + POOL + guest() + rewrite("!"))
    with (
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe("t")
        broker.config.write_text(LISTENER + POOL + blocks)
        why = broker.ctl_refused("reload")
        assert f"{broker.config}:" in why, why
        assert word is None or word in why
        # By signal the log alone can say it.
        broker.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: broker.metric("hookwire_failed_reloads_total") == 2, "it is refused again"
        )
        assert f"{broker.config}:" in broker.stderr()
        writer.publish("t", b"a")
        assert reader.message().payload == b"a!"


def test_every_problem_is_told_at_once(start_broker):
    broker = start_broker(LISTENER)
    broker.config.write_text(
        LISTENER
        + POOL.replace("file", "fiel")
        + guest()
        + rule("one", "message.publish", "mine", "nooop")
        + rule("two", "message.publsh", "mine", "noop")
    )
    why = broker.ctl_refused("reload")
    for word in ("fiel", "message.publsh"):
        assert word in why, why


def test_what_takes_a_restart_is_said(start_broker, unique):
    broker = start_broker(LISTENER)
    with RawClient.connected(broker.port, unique("raw")) as client:
        more = LISTENER.replace('"default"', '"more"')
        bounds = 'max_spool_bytes = "1MiB"\nmax_dead_letters = 7\n'
        broker.config.write_text('node = "other@here"\n' + bounds + LISTENER + more)
        told = broker.ctl("reload")
        assert "node: takes a restart" in told
        assert "max_spool_bytes: takes a restart" in told
        assert "max_dead_letters: takes a restart" in told
        assert "listeners: takes a restart" in told
        assert broker.ctl("reload") == told, "it still does"
        client.ping()


def test_a_module_with_loaded_false_waits_for_a_command(start_broker, unique):
    broker = start_broker(LISTENER + guest(loaded=False) + rewrite("!"))
    with (
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe("t")
        writer.publish("t", b"a")
        assert reader.message().payload == b"a"
        assert not broker.ctl_json("modules", "list")[0]["loaded"]
        broker.ctl("modules", "load", "mine")
        # A reload does not take back what a command decided.
        broker.ctl("reload")
        assert broker.ctl_json("modules", "list")[0]["loaded"]
        writer.publish("t", b"b")
        assert reader.message().payload == b"b!"


def test_a_broker_without_a_configuration_has_nothing_to_read(start_broker, unique):
    broker = start_broker()
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert broker.ctl("reload") == "nothing has changed\n"
        by_signal(broker)
        client.publish("t", b"stored")
    with broker.store() as store:
        assert store.payloads("t") == [b"stored"]


def test_a_configuration_that_is_gone_is_named(start_broker, unique):
    broker = start_broker(LISTENER + guest() + rewrite("!"))
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.subscribe("t", qos=0)
        broker.config.unlink()
        assert str(broker.config) in broker.ctl_refused("reload")
        client.publish_qos0("t", b"a")
        assert client.message().payload == b"a!"


def test_many_changes_leave_nothing_behind(start_broker, unique):
    """Threads, files and memory of what went are given back."""
    broker = start_broker(LISTENER + POOL + storing())

    def files():
        return len(os.listdir(f"/proc/{broker.pid}/fd"))

    def threads():
        return len(os.listdir(f"/proc/{broker.pid}/task"))

    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t")
        # The first changes may start what stays: a pool's threads, for one.
        texts = [LISTENER + POOL + storing(topic=topic) for topic in ("a/#", "#")]
        for text in texts * 2:
            broker.config.write_text(text)
            broker.ctl("reload")
        before = files(), threads()
        for text in texts * 10:
            broker.config.write_text(text)
            assert "rule store has changed" in broker.ctl("reload")
            client.publish("t")
        wait_until(lambda: files() <= before[0] + 2, f"files are closed: {before} before")
        wait_until(lambda: threads() <= before[1] + 2, f"threads end: {before} before")


def test_a_refused_reload_makes_no_file(start_broker):
    broker = start_broker(LISTENER + POOL + storing())
    wrong = rule("wrong", "message.publish", "sqlite", "on_mesage_publish", pool="aside")
    broker.config.write_text(LISTENER + POOL + storing() + ASIDE + wrong)
    assert "on_message_publish" in broker.ctl_refused("reload")
    assert not (broker.data / "aside.db").exists()
    assert broker.metric("hookwire_failed_reloads_total") == 1


def test_a_change_that_a_later_pool_refuses_leaves_no_file_of_an_earlier_one(start_broker):
    broker = start_broker(LISTENER + POOL + storing())

    def stores():
        return sorted(path.name for path in broker.data.glob("*.db*"))

    before = stores()
    nowhere = POOL.replace("embedded", "nowhere").replace("hookwire.db", "nowhere/x.db")
    broker.config.write_text(LISTENER + POOL + storing() + ASIDE + nowhere)
    why = broker.ctl_refused("reload")
    assert 'pool "nowhere" cannot be opened' in why and "nowhere/x.db" in why
    assert stores() == before
    # A file that was there before stays.
    broker.config.write_text(LISTENER + POOL + storing() + ASIDE)
    broker.ctl("reload")
    broker.config.write_text(LISTENER + POOL + storing())
    broker.ctl("reload")
    broker.config.write_text(LISTENER + POOL + storing() + ASIDE + nowhere)
    broker.ctl_refused("reload")
    assert "aside.db" in stores()
