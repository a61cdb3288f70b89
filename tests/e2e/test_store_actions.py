"""What the stock module writes and reads, seen by a business server that has the same file open."""

import sqlite3

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from support.broker import run_hookwire
from support.paho import PahoClient
from support.raw import RawClient
from support.rules import LISTENER, POOL, module, rule
from support.wait import wait_until
from support.wire import V5

SUBSCRIPTIONS = [
    ("session.created", "on_subscribe_lookup"),
    ("session.subscribed", "on_subscription_store"),
    ("session.unsubscribed", "on_subscription_delete"),
]
RETAINED = [
    ("message.publish", "on_message_retain"),
    ("message.publish", "on_retain_delete"),
]
ACKED = [
    ("message.publish", "on_message_publish"),
    ("message.acked", "on_message_acked"),
    ("session.unsubscribed", "on_acked_delete"),
]


def config(*bindings, more=""):
    rules = [rule(action, hook, "sqlite", action, pool="embedded") for hook, action in bindings]
    return LISTENER + POOL + module("sqlite") + "".join(rules) + more


def business_server(broker):
    """A connection that writes, committed statement by statement."""
    return sqlite3.connect(broker.data / "hookwire.db", timeout=10, isolation_level=None)


def rows(store, statement, *parameters):
    return [tuple(row) for row in store.query(statement, *parameters)]


def subscriptions(store, client_id):
    return rows(
        store, "SELECT topic, qos FROM mqtt_sub WHERE clientid = ? ORDER BY topic", client_id
    )


def test_a_client_gets_what_a_business_server_subscribed_it_to(start_broker):
    broker = start_broker(config(*SUBSCRIPTIONS))
    server = business_server(broker)
    add = "INSERT INTO mqtt_sub (clientid, topic, qos) VALUES (?, ?, ?)"
    server.executemany(add, [("device", "jobs/#", 1), ("device", "a/#/b", 1), ("device", "x", 9)])
    with RawClient.connected(broker.port, "device") as device:
        assert not device.connack.session_present
        with PahoClient(broker.port, "sender") as sender:
            sender.publish("jobs/1", b"first")
        message = device.message()
        assert (message.topic, message.payload, message.qos) == ("jobs/1", b"first", 1)
    assert '"a/#/b" is no topic filter' in broker.stderr()
    assert '"x" has QoS 9' in broker.stderr()
    server.close()


def test_what_a_client_subscribes_to_stands_beside_a_business_servers_rows(start_broker):
    broker = start_broker(config(*SUBSCRIPTIONS))
    server = business_server(broker)
    server.execute("INSERT INTO mqtt_sub (clientid, topic, qos) VALUES ('c', 'theirs', 0)")
    with broker.store() as store, PahoClient(broker.port, "c") as client:
        options = SubscribeOptions(qos=2, noLocal=True, retainAsPublished=True, retainHandling=1)
        assert client.subscribe("own/+", "theirs", options=options) == [2, 2]
        wait_until(
            lambda: subscriptions(store, "c") == [("own/+", 2), ("theirs", 0)],
            "the subscription is stored, and the business server's row as it was",
        )
        written = rows(
            store,
            "SELECT qos, no_local, retain_as_published, retain_handling FROM hookwire_sub"
            " WHERE topic = 'own/+'",
        )
        assert written == [(2, 1, 1, 1)]
        client.subscribe("own/+", qos=0)
        wait_until(
            lambda: subscriptions(store, "c") == [("own/+", 0), ("theirs", 0)],
            "the second SUBSCRIBE changes the row",
        )
        client.unsubscribe("own/+", "theirs")
        wait_until(
            lambda: subscriptions(store, "c") == [("theirs", 0)],
            "only what the client subscribed to is gone",
        )
    server.close()


def test_retained_messages_are_stored_and_deleted(start_broker):
    broker = start_broker(config(*RETAINED))
    with broker.store() as store, PahoClient(broker.port, "c") as client:
        client.publish("state/1", b"on", retain=True)
        client.publish("state/1", b"not retained")
        client.publish("state/2", b"\x00\xff", qos=1, retain=True)
        stored = "SELECT topic, sender, qos, payload FROM mqtt_retain ORDER BY topic"
        assert rows(store, stored) == [
            ("state/1", "c", 1, b"on"),
            ("state/2", "c", 1, b"\x00\xff"),
        ]
        client.publish("state/1", b"off", retain=True)
        client.publish("state/2", b"", retain=True)
        assert rows(store, stored) == [("state/1", "c", 1, b"off")]


def test_a_position_follows_the_acknowledgements(start_broker):
    broker = start_broker(config(*ACKED))
    positions = "SELECT clientid, mid FROM mqtt_acked WHERE topic = 't' ORDER BY clientid"
    with broker.store() as store, PahoClient(broker.port, "reader") as reader:
        reader.subscribe("t", qos=1)
        with PahoClient(broker.port, "sender") as sender:
            sender.publish_many("t", [b"1", b"2", b"3"])
        reader.wait_for_messages(3)
        last = rows(store, "SELECT max(id) FROM mqtt_msg WHERE topic = 't'")[0][0]
        wait_until(lambda: rows(store, positions) == [("reader", last)], "the position is stored")
        reader.unsubscribe("t")
        wait_until(lambda: rows(store, positions) == [], "the position is deleted")


def both_stores():
    store_all = rule("all", "message.publish", "sqlite", "on_message_store", pool="embedded")
    return config(("message.publish", "on_message_publish"), more=store_all)


def test_two_rules_on_one_pool_store_a_message_once_and_the_load_says_so(start_broker):
    broker = start_broker(both_stores())
    properties = Properties(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = 3600
    properties.UserProperty = [("unit", "C"), ("unit", "K")]
    with broker.store() as store, PahoClient(broker.port, "c", V5) as client:
        client.publish("t", b"0", qos=0)
        client.publish("t", b"1", qos=1, properties=properties)
        client.publish("t", b"2", qos=2)
        assert store.payloads("t") == [b"0", b"1", b"2"]
        beside = rows(
            store,
            "SELECT m.payload, b.properties, b.expires_at_ms / 1000 - strftime('%s', m.arrived)"
            " FROM mqtt_msg AS m JOIN hookwire_msg AS b ON b.msgid = m.msgid",
        )
        assert beside == [(b"1", '[["unit","C"],["unit","K"]]', 3600)]
    warning = 'what rule "on_message_publish" stores into pool "embedded"'
    line = broker.config.read_text().splitlines().index('rule "all" {') + 1
    said = [text for text in broker.stderr().splitlines() if warning in text.replace("\\", "")]
    assert len(said) == 1, broker.stderr()
    assert f"{broker.config.name}:{line}" in said[0]
    checked = run_hookwire("check", broker.config)
    assert checked.returncode == 0
    assert f"hookwire.hcl:{line}" in checked.stdout and warning in checked.stdout


STATEMENTS = {
    "client.connected": "insert into seen values('connected', ${clientid}, null, null)",
    "session.created": "insert into seen values('created', ${clientid}, null, null)",
    "client.disconnected": "insert into seen values('disconnected', ${clientid}, null, null)",
    "session.subscribed": "insert into seen values('subscribed', ${clientid}, ${topic}, ${qos})",
    "session.unsubscribed": "insert into seen values('unsubscribed', ${clientid}, ${topic}, null)",
    "message.publish": "insert into seen values(${payload}, ${clientid}, ${topic}, ${qos})",
    "message.acked": "insert into seen values('acked', ${clientid}, ${topic}, ${msgid})",
    "message.deliver": "insert into seen values('deliver', ${clientid}, ${topic}, ${msgid})",
}


def test_a_rules_own_statements_run_on_every_hook(start_broker):
    make = "create table if not exists seen(what, clientid, topic, value)"
    rules = [
        rule(hook, hook, "sqlite", "sql", {"sql": [make, text]}, pool="embedded")
        for hook, text in STATEMENTS.items()
    ]
    broker = start_broker(config(more="".join(rules)))
    client_id = "c'); drop table seen; --"
    with PahoClient(broker.port, client_id) as client:
        client.subscribe("t", qos=1)
        client.publish("t", b"hello")
        client.wait_for_messages(1)
        client.unsubscribe("t")
    with broker.store() as store:
        seen = "SELECT what, topic FROM seen WHERE clientid = ?"
        wait_until(
            lambda: len(rows(store, seen, client_id)) == len(STATEMENTS), "each hook wrote a row"
        )
        assert {what for what, _ in rows(store, seen, client_id)} == {
            b"hello",
            *(hook.split(".")[1] for hook in STATEMENTS if hook != "message.publish"),
        }
        ids = "SELECT count(DISTINCT value) FROM seen WHERE what IN ('acked', 'deliver')"
        assert rows(store, ids) == [(1,)]


@pytest.mark.parametrize(
    ("hook", "statement", "said"),
    [
        (
            "client.connected",
            "insert into t values(${clientd})",
            'client.connected offers no ${clientd}: write one of clientid (did you mean "clientid"?)',
        ),
        (
            "message.acked",
            "insert into t values(${payload})",
            "message.acked offers no ${payload}: write one of msgid, topic, clientid",
        ),
        (
            "message.publish",
            "insert into t values('${topic}')",
            "${topic} stands in quotes; values are bound",
        ),
        ("message.publish", "insert into t values(?)", "it holds a `?`"),
    ],
)
def test_a_wrong_statement_is_told_with_its_line(tmp_path, hook, statement, said):
    file = tmp_path / "hookwire.hcl"
    file.write_text(
        config(more=rule("own", hook, "sqlite", "sql", {"sql": statement}, pool="embedded"))
    )
    line = file.read_text().splitlines().index('rule "own" {') + 1
    for arguments in (["check", file], ["run", "--config", file, "--data", tmp_path / "data"]):
        done = run_hookwire(*arguments)
        assert done.returncode != 0
        told = [text for text in done.stderr.splitlines() if said in text]
        assert told and f"hookwire.hcl:{line}" in told[0], done.stderr


def test_tables_of_another_version_are_left_alone(start_broker, tmp_path):
    broker = start_broker(config(("message.publish", "on_message_publish")))
    assert broker.stop() == 0
    server = business_server(broker)
    server.execute("UPDATE hookwire_meta SET value = 2 WHERE name = 'schema'")
    server.close()
    done = run_hookwire("run", "--config", broker.config, "--data", broker.data)
    assert done.returncode != 0
    assert "hookwire.db" in done.stderr
    assert "tables of another version; this one knows schema 1" in done.stderr
