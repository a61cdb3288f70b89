"""`hookwire ctl deadletters`: what a rule could not do its work on is kept."""

import sqlite3
from contextlib import closing

import pytest

from support.faults import TableGone
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule, storing


@pytest.fixture
def broker(start_broker):
    return start_broker(LISTENER + POOL + storing())


def letters(broker, *arguments):
    return broker.ctl_json("deadletters", "list", *arguments)


def make_letters(broker, client, count):
    """The store refuses: no such table will not mend itself."""
    with TableGone(broker):
        for number in range(count):
            assert client.publish("t", str(number)).reason >= 0x80


def test_a_letter_says_what_failed_where_and_why(broker, unique):
    client_id = unique("raw")
    assert letters(broker) == []
    with RawClient.connected(broker.port, client_id) as client:
        make_letters(broker, client, 1)
    (letter,) = letters(broker)
    assert letter["rule"] == "store"
    assert letter["module"] == "sqlite"
    assert letter["hook"] == "message.publish"
    assert letter["clientid"] == client_id
    assert letter["topic"] == "t"
    assert letter["code"].startswith("sqlite:")
    assert "mqtt_msg" in letter["message"]
    titles, row = broker.ctl("deadletters", "list").splitlines()
    assert titles.split()[:4] == ["ID", "RULE", "HOOK", "CLIENT"]
    assert row.split()[:5] == [str(letter["id"]), "store", "message.publish", client_id, "t"]
    assert broker.metric("hookwire_dead_letters") == 1


def test_letters_are_replayed_one_by_one_and_all_at_once(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 4)
        ids = [letter["id"] for letter in letters(broker)]
        assert ids == sorted(ids) and len(ids) == 4
        assert broker.ctl_json("deadletters", "replay", ids[2]) == {
            "done": [ids[2]], "failed": []}  # fmt: skip
        assert [letter["id"] for letter in letters(broker)] == [ids[0], ids[1], ids[3]]
        assert "3 went through, 0 failed again" in broker.ctl("deadletters", "replay", "--all")
    assert letters(broker) == []
    assert broker.metric("hookwire_dead_letters") == 0
    with broker.store() as store:
        assert store.payloads("t") == [b"2", b"0", b"1", b"3"]


def test_a_letter_that_fails_again_stays(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        with TableGone(broker):
            client.publish("t", b"0")
            before = letters(broker)
            replayed = broker.ctl_json("deadletters", "replay", "--all")
            assert replayed["done"] == []
            ((number, why),) = replayed["failed"]
            assert number == before[0]["id"] and "mqtt_msg" in why
            assert letters(broker) == before
        assert "1 went through" in broker.ctl("deadletters", "replay", "--all")


def test_letters_are_purged(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 3)
    ids = [letter["id"] for letter in letters(broker)]
    assert broker.ctl("deadletters", "purge", ids[0]) == "1 deleted\n"
    assert [letter["id"] for letter in letters(broker)] == ids[1:]
    assert broker.ctl_json("deadletters", "purge", "--all") == {"deleted": 2, "unknown": []}
    assert letters(broker) == []


def test_a_list_is_read_page_by_page(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 5)
    ids = [letter["id"] for letter in letters(broker)]
    assert [letter["id"] for letter in letters(broker, "--limit", 2)] == ids[:2]
    after = letters(broker, "--limit", 2, "--after", ids[1])
    assert [letter["id"] for letter in after] == ids[2:4]


def test_letters_outlive_the_broker(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 2)
    before = letters(broker)
    broker.kill()
    broker.start()
    assert letters(broker) == before
    assert broker.metric("hookwire_dead_letters") == 2


def test_the_oldest_letters_go_at_the_bound(start_broker, unique):
    broker = start_broker("max_dead_letters = 3\n" + LISTENER + POOL + storing())
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 3)
        ids = [letter["id"] for letter in letters(broker)]
        make_letters(broker, client, 2)
    kept = [letter["id"] for letter in letters(broker)]
    assert len(kept) == 3 and kept[0] == ids[2]
    assert broker.metric("hookwire_dead_letters") == 3


def test_an_event_that_brings_its_module_down_is_a_letter(start_broker, unique):
    trap = rule("trap", "message.publish", "mine", "trap")
    broker = start_broker(LISTENER + POOL + guest() + trap + storing())
    with RawClient.connected(broker.port, unique("raw")) as client:
        acks = [client.publish("t", payload) for payload in (b"good", b"boom", b"better")]
    assert [ack.reason >= 0x80 for ack in acks] == [False, True, False]
    (letter,) = letters(broker)
    assert (letter["rule"], letter["topic"], letter["code"]) == ("trap", "t", "host:trap")
    with broker.store() as store:
        assert store.payloads("t") == [b"good", b"better"]
    assert broker.metric("hookwire_module_traps_total", module="mine") >= 1


def test_a_rule_that_may_fail_leaves_no_letter(start_broker, unique):
    """What went on without it is done."""
    trap = rule("trap", "message.publish", "mine", "trap", on_error="continue")
    broker = start_broker(LISTENER + POOL + guest() + trap + storing())
    with RawClient.connected(broker.port, unique("raw")) as client:
        for payload in (b"good", b"boom", b"better"):
            assert client.publish("t", payload).reason < 0x80
    assert letters(broker) == []
    assert broker.metric("hookwire_rule_errors_total", rule="trap") >= 1
    with broker.store() as store:
        assert store.payloads("t") == [b"good", b"boom", b"better"]


def test_a_letter_that_cannot_be_read_is_listed_and_purged(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 2)
    broker.stop()
    with closing(sqlite3.connect(broker.data / "house.db")) as house, house:
        house.execute("UPDATE dead_letters SET event = '{' WHERE id = 1")
    broker.start()
    damaged, sound = letters(broker)
    assert (damaged["id"], damaged["rule"], damaged["hook"]) == (1, "store", "")
    assert damaged["unreadable"] and sound["unreadable"] is None
    row = broker.ctl("deadletters", "list").splitlines()[1]
    assert row.split()[:3] == ["1", "store", "unreadable"] and "cannot be read" in row
    replayed = broker.ctl_json("deadletters", "replay", "--all")
    ((number, why),) = replayed["failed"]
    assert (replayed["done"], number) == ([2], 1) and "cannot be read" in why
    assert broker.ctl("deadletters", "purge", 1) == "1 deleted\n"
    assert letters(broker) == []


def test_which_letters_has_to_be_said(broker):
    for verb in ("replay", "purge"):
        assert "--all" in broker.ctl_refused("deadletters", verb)
        broker.ctl_refused("deadletters", verb, "1", "--all")


def test_a_letter_that_is_not_there_is_named(broker):
    replayed = broker.ctl_json("deadletters", "replay", 77)
    assert replayed["done"] == []
    ((number, why),) = replayed["failed"]
    assert number == 77 and "no dead letter 77" in why
    assert broker.ctl_json("deadletters", "purge", 77) == {"deleted": 0, "unknown": [77]}
    for verb in ("replay", "purge"):
        told = broker.ctl("deadletters", verb, 77)
        assert "no dead letter 77: see `hookwire ctl deadletters list`" in told


def test_a_purge_deletes_what_is_there(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        make_letters(broker, client, 1)
    (letter,) = letters(broker)
    purged = broker.ctl_json("deadletters", "purge", letter["id"], letter["id"] + 1)
    assert purged == {"deleted": 1, "unknown": [letter["id"] + 1]}
