"""The check of histories finds every kind of fault that is planted, and no other."""

import pytest

from faults import history
from faults.history import History, check, matches


def published(id, topic="t/a", who="p", qos=1):
    return [history.PUBLISHED, who, {"id": id, "topic": topic, "qos": qos}]


def acknowledged(id, who="p"):
    return [history.ACKNOWLEDGED, who, {"id": id}]


def delivered(id, topic="t/a", who="s", qos=1, dup=False):
    return [history.DELIVERED, who, {"id": id, "topic": topic, "qos": qos, "dup": dup}]


def subscribed(filter, who="s"):
    return [
        [history.SUBSCRIBING, who, {"filter": filter}],
        [history.SUBSCRIBED, who, {"filter": filter}],
    ]


def connected(who, present):
    return [history.CONNECTED, who, {"present": present}]


KILLED = [history.KILLED, "broker", {}]
STARTED = [history.STARTED, "broker", {}]


def clean():
    """Two publishers; one subscriber by an exact filter, and one by a wildcard that was
    away; a kill, after which one message is published and delivered again at QoS 1."""
    return [
        connected("s", False), *subscribed("t/a"),
        connected("w", False), *subscribed("t/#", "w"),
        published("1"), published("2"), published("3", "t/b", qos=2),
        acknowledged("1"), delivered("1"), delivered("1", who="w"), delivered("2"),
        KILLED, STARTED,
        connected("s", True), connected("w", False), *subscribed("t/#", "w"),
        [history.SENT_AGAIN, "p", {"id": "2"}], [history.SENT_AGAIN, "p", {"id": "3"}],
        acknowledged("2"), delivered("2", dup=True), acknowledged("3"),
        published("4", who="q"), delivered("4"), acknowledged("4", "q"),
        delivered("2", who="w"), delivered("3", "t/b", "w", 2), delivered("4", who="w"),
        [history.REPEATED, "w", {"id": "3"}],
    ]  # fmt: skip


def faults(findings):
    return {
        "duplicated": findings.duplicated[2],
        "reordered": findings.reordered,
        "lost": findings.lost,
        "unknown": findings.unknown,
        "misdirected": findings.misdirected,
    }


def test_a_clean_history_is_counted_and_has_no_fault():
    findings = check(clean())
    assert not any(faults(findings).values())
    assert findings.kills == [(2, 1)]
    assert (findings.published, findings.acknowledged, findings.refused) == (4, 4, 0)
    assert findings.delivered == 8
    assert findings.duplicated[1] == [("s", "2")]
    assert (findings.resumed, findings.began_anew) == (1, 1)
    assert findings.examples() == []


def without(entry):
    entries = clean()
    entries.remove(entry)
    return entries


def swapped(one, other):
    entries = clean()
    first, second = entries.index(one), entries.index(other)
    entries[first], entries[second] = other, one
    return entries


PLANTED = {
    "lost of an exact filter": (
        without(delivered("1")), {"lost": [("s", "1")]},
    ),
    "lost of a wildcard": (
        without(delivered("3", "t/b", "w", 2)), {"lost": [("w", "3")]},
    ),
    "lost, the last message": (
        without(delivered("4", who="w")), {"lost": [("w", "4")]},
    ),
    "reordered": (
        swapped(delivered("1", who="w"), delivered("2", who="w")), {"reordered": [("w", "1")]},
    ),
    "first delivery behind a repeated later one": (
        [*without(delivered("1")), delivered("2", dup=True), delivered("1")],
        {"reordered": [("s", "1")]},
    ),
    "twice at QoS 2": (
        [*clean(), delivered("3", "t/b", "w", 2)], {"duplicated": [("w", "3")]},
    ),
    "twice at QoS 2 across a kill": (
        [*clean(), KILLED, connected("w", True), delivered("3", "t/b", "w", 2)],
        {"duplicated": [("w", "3")]},
    ),
    "published by nobody": (
        [*clean(), delivered("5")], {"unknown": [("s", "5")]},
    ),
    "to another topic than published": (
        [*without(delivered("1")), delivered("1", "t/b", "s")],
        {"misdirected": [("s", "1", "t/b")], "reordered": [("s", "1")]},
    ),
    "to a topic that was not subscribed to": (
        [*clean(), delivered("3", "t/b", "s", 2)], {"misdirected": [("s", "3", "t/b")]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_found(planted):
    entries, expected = PLANTED[planted]
    findings = check(entries)
    assert {kind: found for kind, found in faults(findings).items() if found} == expected
    assert len(findings.examples()) == len(expected)


def test_what_was_not_promised_is_not_lost():
    last = (acknowledged("4", "q"), delivered("4"), delivered("4", who="w"))
    assert check([entry for entry in clean() if entry not in last]).lost == []
    not_granted_yet = [*clean(), [history.SUBSCRIBING, "s", {"filter": "t/b"}]]
    assert check([*not_granted_yet, published("5", "t/b"), acknowledged("5")]).lost == [("w", "5")]
    subscribed_later = [published("0"), acknowledged("0"), *clean()]
    assert check(subscribed_later).lost == []


def test_messages_of_others_have_an_order_of_their_own():
    between_publishers = swapped(delivered("2", who="w"), delivered("4", who="w"))
    assert check(between_publishers).reordered == []
    between_topics = swapped(delivered("2", who="w"), delivered("3", "t/b", "w", 2))
    assert check(between_topics).reordered == []


def test_a_history_that_contradicts_itself_is_no_history():
    for more in (published("1"), acknowledged("1"), ["published?", "p", {}]):
        with pytest.raises(AssertionError):
            check([*clean(), more])
    with pytest.raises(KeyError):
        check([*clean(), acknowledged("5")])


def test_a_recorded_history_is_read_as_it_was(tmp_path):
    recorder = History(tmp_path / "history")
    for what, who, fields in clean():
        recorder.record(what, who, **fields)
    recorder.close()
    assert history.read(recorder.path) == clean()


@pytest.mark.parametrize(
    ("topic_filter", "taken", "left"),
    [
        ("a/b", ["a/b"], ["a", "a/b/c", "a/c"]),
        ("a/#", ["a", "a/b", "a/b/c"], ["b", "ab"]),
        ("+/b", ["a/b", "/b"], ["a", "a/b/c"]),
        ("#", ["a", "a/b"], []),
    ],
)
def test_filters_take_topics(topic_filter, taken, left):
    assert all(matches(topic_filter, topic) for topic in taken)
    assert not any(matches(topic_filter, topic) for topic in left)
