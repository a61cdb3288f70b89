"""`hookwire store init | check | stats`: with a broker running, and without."""

import json
import os
import sqlite3
import stat

import pytest

from support import wire
from support.broker import run_hookwire
from support.raw import RawClient
from support.rules import LISTENER, PLAIN, POOL, storing
from support.wait import wait_until

ASIDE = """\
pool "sqlite" "aside" {
  file = "aside.db"
}
"""


@pytest.fixture
def command(tmp_path):
    """Runs `hookwire store` on a configuration and a data directory of its own."""
    config = tmp_path / "store.hcl"
    config.write_text(LISTENER + POOL + ASIDE)

    # That of the first broker that the test starts.
    data = tmp_path / "broker0" / "data"

    def run(*arguments, config=config):
        return run_hookwire("store", *arguments, "--config", config, "--data", data)

    run.data = data
    return run


def told(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_is_missing_is_made_and_a_broker_starts_on_it(command, start_broker, unique):
    made = told(command("init", "embedded"))
    assert "table mqtt_msg: made" in made
    assert "trigger hookwire_sub_made: made" in made
    assert stat.S_IMODE(os.stat(command.data).st_mode) == 0o700
    assert not (command.data / "aside.db").exists(), "the other pool is none of it"
    assert told(command("init", "embedded")) == ["nothing was missing"]
    assert json.loads(command("init", "embedded", "--json").stdout) == {"made": []}
    assert told(command("check", "embedded")) == ["no difference"]
    broker = start_broker(PLAIN)
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.publish("t", b"x").reason in (0, 0x10)
    assert broker.stop() == 0
    assert json.loads(command("stats", "embedded", "--json").stdout)["newest_message"]["id"] == 1


def test_a_business_servers_tables_stay_and_are_used(command, start_broker, unique):
    command.data.mkdir(parents=True)
    server = sqlite3.connect(command.data / "hookwire.db")
    server.executescript("""
        CREATE TABLE mqtt_msg (id integer PRIMARY KEY AUTOINCREMENT, msgid varchar(64),
            topic varchar(180) NOT NULL, sender varchar(64), node varchar(64),
            qos tinyint NOT NULL DEFAULT 0, retain tinyint, payload blob,
            arrived datetime NOT NULL, handled tinyint NOT NULL DEFAULT 0);
        CREATE TABLE orders (id integer PRIMARY KEY);
        INSERT INTO mqtt_msg (topic, payload, arrived) VALUES ('t', 'old', datetime('now'));
    """)
    missing = command("check", "embedded")
    assert missing.returncode == 1
    assert "table mqtt_client is missing: `hookwire store init embedded` makes it" in missing.stdout
    assert "table mqtt_msg is missing" not in missing.stdout
    assert "differences" in missing.stderr
    made = told(command("init", "embedded"))
    assert "table mqtt_client: made" in made and "table mqtt_msg: made" not in made
    assert told(command("check", "embedded")) == ["no difference"]
    broker = start_broker(PLAIN)
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t", b"new")
    rows = server.execute("SELECT payload, handled FROM mqtt_msg ORDER BY id").fetchall()
    assert rows == [("old", 0), (b"new", 0)]
    server.close()


def test_each_difference_is_one_line_with_what_to_do(command):
    told(command("init", "embedded"))
    with sqlite3.connect(command.data / "hookwire.db") as server:
        server.execute("DROP INDEX hookwire_msg_topic")
        server.execute("ALTER TABLE mqtt_msg DROP COLUMN node")
    server.close()
    done = command("check", "embedded")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "column mqtt_msg.node is missing: ALTER TABLE mqtt_msg ADD COLUMN node TEXT DEFAULT NULL",
        "index hookwire_msg_topic on mqtt_msg is missing: `hookwire store init embedded` makes it",
    ]
    assert "2 differences" in done.stderr
    done = command("check", "embedded", "--json")
    assert done.returncode == 1
    [column, index] = json.loads(done.stdout)["differences"]
    assert column["what"] == "column mqtt_msg.node is missing"
    assert index["remedy"] == "`hookwire store init embedded` makes it"
    # What is told to do does it.
    with sqlite3.connect(command.data / "hookwire.db") as server:
        server.execute(column["remedy"])
    server.close()
    assert told(command("init", "embedded")) == ["index hookwire_msg_topic on mqtt_msg: made"]
    assert told(command("check", "embedded", "--full")) == ["no difference"]


def test_they_look_at_the_store_of_a_broker_that_stores(start_broker, unique):
    broker = start_broker()
    arguments = ("--data", broker.data)
    client_id = unique("raw")
    with RawClient.connected(broker.port, client_id) as client:
        for number in range(20):
            client.publish("t/1", b"%d" % number)
            if number % 5 == 0:
                assert run_hookwire("store", "check", "embedded", *arguments).returncode == 0
        done = run_hookwire("store", "stats", "embedded", "--json", *arguments)
        stats = json.loads(done.stdout)
    assert stats["pool"] == "embedded"
    assert stats["location"] == str(broker.data / "hookwire.db")
    tables = {table["name"]: table for table in stats["tables"]}
    assert tables["mqtt_msg"]["rows"] == 20
    assert tables["mqtt_msg"]["bytes"] >= 4096
    assert (stats["oldest_message"]["id"], stats["newest_message"]["id"]) == (1, 20)
    figures = stats["figures"]
    assert figures["wal_bytes"] > 0
    assert figures["used_bytes"] <= figures["pages"] * figures["page_bytes"]
    lines = told(run_hookwire("store", "stats", "embedded", *arguments))
    assert any(line.split() == ["mqtt_msg", "20", str(tables["mqtt_msg"]["bytes"])] for line in lines)
    assert any(line.startswith("newest message: 20") and "(id 20)" in line for line in lines)
    assert "sessions: 0 online, 0 away" in lines


def test_what_a_killed_broker_left_is_all_there(start_broker, unique):
    broker = start_broker()
    with RawClient.connected(broker.port, unique("raw")) as client:
        for number in range(20):
            client.publish("t", b"%d" % number)
    broker.kill()
    arguments = ("embedded", "--data", broker.data)
    assert told(run_hookwire("store", "check", *arguments, "--full")) == ["no difference"]
    stats = json.loads(run_hookwire("store", "stats", "--json", *arguments).stdout)
    assert stats["newest_message"]["id"] == 20


def test_sessions_and_positions_are_counted(start_broker, unique):
    broker = start_broker()
    away = unique("away")
    props = [(wire.SESSION_EXPIRY, 600)]
    with RawClient.connected(broker.port, away, props=props) as client:
        client.subscribe("t")
        with RawClient.connected(broker.port, unique("raw")) as writer:
            writer.publish("t", b"x")
        client.message()

        def stats():
            done = run_hookwire("store", "stats", "embedded", "--json", "--data", broker.data)
            return json.loads(done.stdout)

        wait_until(lambda: stats()["positions"] == 1, "the position is stored")
        assert stats()["sessions"] == {"online": 1, "away": 0}
        client.disconnect()
        wait_until(lambda: stats()["sessions"] == {"online": 0, "away": 1}, "it is away")


@pytest.mark.parametrize("verb", ["init", "check", "stats"])
def test_a_pool_that_is_not_configured_gets_the_nearest_name(command, verb):
    done = command(verb, "embeded")
    assert done.returncode == 1
    assert 'no pool is called "embeded"; did you mean "embedded"?' in done.stderr
    assert not command.data.exists()


@pytest.mark.parametrize("verb", ["check", "stats"])
def test_looking_makes_no_database(command, verb):
    done = command(verb, "embedded")
    assert done.returncode == 1
    assert f"there is no database {command.data / 'hookwire.db'}" in done.stderr
    assert "`hookwire store init embedded` makes it" in done.stderr
    assert not command.data.exists()


def test_a_configuration_with_problems_is_told_with_its_lines(command, tmp_path):
    config = tmp_path / "bad.hcl"
    config.write_text(LISTENER + POOL.replace("file", "fiel") + storing())
    done = command("stats", "embedded", config=config)
    assert done.returncode == 2
    assert f"{config}:5: " in done.stderr and 'did you mean "file"?' in done.stderr
