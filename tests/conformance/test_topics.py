"""Topic filters: what matches what, and which filters there are."""

import pytest

from conformance import build
from conformance.build import V311
from conformance.net import name
from conformance.properties import (
    DISCONNECT,
    FILTER_INVALID,
    MALFORMED,
    PROTOCOL_ERROR,
    PUBACK,
    SUBACK,
)
from conformance.versions import ALL, OASIS, cases

#: Topics below a base; "" is the base itself.
TOPICS = ["", "/", "/a", "/a/", "/a/b", "/a/b/c", "//", "//a", "/A", "/a b", "/aa", "/a/b/", "/$x"]

#: For each filter below the base, the topics it matches.
MATCHES = {
    "": [""],
    "/": ["/"],
    "/+": ["/", "/a", "/A", "/a b", "/aa", "/$x"],
    "/#": TOPICS,
    "/a": ["/a"],
    "/a/": ["/a/"],
    "/a/+": ["/a/", "/a/b"],
    "/a/#": ["/a", "/a/", "/a/b", "/a/b/c", "/a/b/"],
    "/a/b/#": ["/a/b", "/a/b/c", "/a/b/"],
    "/+/b": ["/a/b"],
    "/+/": ["/a/", "//"],
    "/+/+": ["/a/", "/a/b", "//", "//a"],
    "/+/a": ["//a"],
    "//+": ["//", "//a"],
    "//#": ["/", "//", "//a"],
    "/+/+/+": ["/a/b/c", "/a/b/"],
    "/+/#": [topic for topic in TOPICS if topic],
    "/+/b/#": ["/a/b", "/a/b/c", "/a/b/"],
    "/a b": ["/a b"],
    "/$x": ["/$x"],
    "/b": [],
    "/+/+/+/+": [],
}


@ALL
def test_filters_match_what_they_say(net, version):
    base, publisher = name("topic"), net.join(version)
    listeners = {each: net.listen(base + each, version=version, qos=1) for each in MATCHES}
    for topic in TOPICS:
        publisher.publish(base + topic, b"m", qos=1)
    for each, listener in listeners.items():
        heard = [got.topic.removeprefix(base) for got in listener.heard(publisher)]
        assert heard == [topic for topic in TOPICS if topic in MATCHES[each]], each


AT_THE_FRONT = {
    "#": ({"{}", "{}/a", "/{}", "/{}/a", "a/{}"}, set()),
    "+": ({"{}"}, {"{}/a", "/{}", "/{}/a", "a/{}"}),
    "+/a": ({"{}/a"}, {"{}", "/{}", "/{}/a", "a/{}"}),
    "+/+": ({"{}/a", "/{}", "a/{}"}, {"{}", "/{}/a"}),
    "/+": ({"/{}"}, {"{}", "{}/a", "/{}/a", "a/{}"}),
    "/#": ({"/{}", "/{}/a"}, {"{}", "{}/a", "a/{}"}),
    "+/#": ({"{}", "{}/a", "/{}", "/{}/a", "a/{}"}, set()),
    "+/+/+": ({"/{}/a"}, {"{}", "{}/a", "/{}", "a/{}"}),
}


@ALL
@pytest.mark.parametrize(
    ("filter_", "matched", "missed"),
    [pytest.param(key, *row, id=key) for key, row in AT_THE_FRONT.items()],
)
def test_filters_that_begin_with_a_wildcard(net, version, filter_, matched, missed):
    word, publisher = name("topic"), net.join(version)
    listener = net.listen(filter_, version=version, qos=0)
    for topic in sorted(matched | missed):
        publisher.publish(topic.format(word), word.encode())
    # Other tests publish too.
    heard = {got.topic for got in listener.heard(publisher) if got.payload == word.encode()}
    assert heard == {topic.format(word) for topic in matched}


def _publish_anyway(client, topic, payload):
    """Publishes where a server may refuse it, even with the end of the connection."""
    client.send_publish(topic, payload, 1)
    got = client.read()
    assert got is None or got.kind in (PUBACK, DISCONNECT)


@ALL
@pytest.mark.parametrize("filter_", ["#", "+/#", "+/{}", "+/+"])
def test_wildcards_at_the_front_match_no_dollar_topics(net, version, filter_):
    word = name("word")
    listener = net.listen(filter_.format(word), version=version, qos=0)
    _publish_anyway(net.join(version), f"$conformance/{word}", word.encode())
    heard = listener.heard(net.join(version))
    assert not [got for got in heard if got.topic.startswith("$")]


@ALL
@pytest.mark.parametrize("filter_", ["$conformance/{}", "$conformance/+", "$conformance/#"])
def test_dollar_topics_are_matched_by_their_own_filters(net, version, filter_):
    # A server may keep such topics for itself, but not spread them elsewhere.
    word = name("word")
    listener = net.listen(version=version)
    listener.send(build.subscribe(7, (filter_.format(word), 0), version=version))
    listener.expect(SUBACK, 7)
    _publish_anyway(net.join(version), f"$conformance/{word}", word.encode())
    heard = [got.topic for got in listener.heard(net.join(version))]
    assert heard in ([], [f"$conformance/{word}"])


BAD_FILTERS = {
    "empty": "",
    "# behind letters": "a#",
    "# before letters": "#a",
    "# before a level": "#/a",
    "# inside": "a/#/b",
    "# twice": "#/#",
    "# behind letters of a level": "a/b#",
    "+ behind letters": "a+",
    "+ before letters": "+a",
    "+ inside letters": "a/b+c/d",
    "+ twice in a level": "++",
    "+ and # in a level": "a/+#",
}


@OASIS
@pytest.mark.parametrize("filter_", cases(BAD_FILTERS))
def test_filters_that_are_none_are_not_granted(net, version, filter_):
    client = net.join(version)
    client.try_send(build.subscribe(1, (filter_, 0), version=version)).try_send(build.PING)
    got = client.read()
    if got is not None and got.kind == SUBACK:
        assert got.reasons[0] >= 0x80
        return
    assert got is None or got.reason in (MALFORMED, PROTOCOL_ERROR, FILTER_INVALID), got
    assert got is None or client.read() is None


@OASIS
@pytest.mark.parametrize("filter_", cases(BAD_FILTERS))
def test_filters_that_are_none_match_nothing(net, version, filter_):
    client = net.listen(version=version)
    client.try_send(build.subscribe(7, (filter_, 0), version=version))
    got = client.read()
    if got is None or got.kind != SUBACK:
        return  # It was the end.
    publisher = net.join(version)
    for topic in ("a", "b", "a/b", "a/x/b", "ab", "#", "+"):
        if not set("#+") & set(topic):
            publisher.publish(topic, b"bad filter")
    assert [each.payload for each in client.heard(publisher)].count(b"bad filter") == 0


@ALL
def test_topics_of_many_levels(net, version):
    base = name("topic")
    # Fewer than any server has a limit of its own for.
    topic = base + "/x" * 100
    listeners = [
        net.listen(filter_, version=version)
        for filter_ in (topic, base + "/+" * 100, base + "/#", base + "/x" * 99 + "/#")
    ]
    publisher = net.join(version)
    publisher.publish(topic, b"m", qos=1)
    for listener in listeners:
        assert [got.topic for got in listener.heard(publisher)] == [topic]


@OASIS
def test_topics_between_versions(net, version):
    topic = name("topic")
    listener = net.listen(f"{topic}/+", version=version)
    publisher = net.join(V311)
    publisher.publish(f"{topic}/a", b"m", qos=2)
    assert listener.message().topic == f"{topic}/a"
