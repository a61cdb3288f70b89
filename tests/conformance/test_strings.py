"""UTF-8: what is none is the end; what is, is passed on letter by letter."""

import pytest

from conformance import build
from conformance.build import V5, V311, Will
from conformance.net import name
from conformance.properties import (
    AUTH_METHOD,
    CLIENT_ID_NOT_VALID,
    CONTENT_TYPE,
    FILTER_INVALID,
    MALFORMED,
    PROTOCOL_ERROR,
    REASON_STRING,
    RESPONSE_TOPIC,
    TOPIC_INVALID,
    USER_PROPERTY,
)
from conformance.versions import ALL, OASIS, cases

ILL_FORMED = {
    "a byte that never occurs": b"a\xffb",
    "a continuation without a start": b"\x80",
    "a start without its continuation": b"a\xe2\x82",
    "an overlong form": b"\xc0\x80",
    "an overlong slash": b"\xe0\x80\xaf",
    "the surrogate U+D800": b"\xed\xa0\x80",
    "the surrogate U+DFFF": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
}
WRONG = {**ILL_FORMED, "U+0000": b"a\0b", "U+0000 alone": b"\0"}

IN_CONNECT = {
    "client id": lambda bad: {"client_id": bad},
    "will topic": lambda bad: {"will": Will(bad)},
    "user name": lambda bad: {"username": bad},
}


def _refused(net, version, options):
    client = net.open(version)
    client.try_send(build.connect(**{"client_id": name("utf"), "version": version, **options}))
    if version == V311:
        client.expect_end()
    else:
        client.expect_refusal(MALFORMED, PROTOCOL_ERROR, CLIENT_ID_NOT_VALID, TOPIC_INVALID)


@OASIS
@pytest.mark.parametrize("bad", cases(WRONG))
@pytest.mark.parametrize("where", cases(IN_CONNECT))
def test_ill_formed_strings_in_connect_are_the_end(net, version, where, bad):
    _refused(net, version, where(bad))


@OASIS
@pytest.mark.parametrize("bad", cases(WRONG))
def test_ill_formed_topics_are_the_end(net, version, bad):
    reasons = (MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID)
    net.join(version).breaks(build.publish(bad, b"m", version), reasons=reasons)


@OASIS
@pytest.mark.parametrize("bad", cases(WRONG))
def test_ill_formed_filters_are_the_end(net, version, bad):
    reasons = (MALFORMED, PROTOCOL_ERROR, FILTER_INVALID)
    net.join(version).breaks(build.subscribe(1, (bad, 0), version=version), reasons=reasons)


@OASIS
@pytest.mark.parametrize("bad", cases(WRONG))
def test_ill_formed_filters_of_unsubscribe_are_the_end(net, version, bad):
    reasons = (MALFORMED, PROTOCOL_ERROR, FILTER_INVALID)
    net.join(version).breaks(build.unsubscribe(1, bad, version=version), reasons=reasons)


IN_PROPERTIES = {
    "content type": lambda bad: build.publish("t", b"m", props=[(CONTENT_TYPE, bad)]),
    "response topic": lambda bad: build.publish("t", b"m", props=[(RESPONSE_TOPIC, bad)]),
    "name of a user property": lambda bad: build.publish(
        "t", b"m", props=[(USER_PROPERTY, (bad, "v"))]
    ),
    "value of a user property": lambda bad: build.publish(
        "t", b"m", props=[(USER_PROPERTY, ("n", bad))]
    ),
    "user property of SUBSCRIBE": lambda bad: build.subscribe(
        1, ("t", 0), props=[(USER_PROPERTY, (bad, "v"))]
    ),
    "user property of UNSUBSCRIBE": lambda bad: build.unsubscribe(
        1, "t", props=[(USER_PROPERTY, ("n", bad))]
    ),
    "reason string of DISCONNECT": lambda bad: build.disconnect(0, [(REASON_STRING, bad)]),
}


@pytest.mark.parametrize("bad", cases(WRONG))
@pytest.mark.parametrize("where", cases(IN_PROPERTIES))
def test_ill_formed_properties_are_the_end(net, where, bad):
    net.join(V5).breaks(where(bad), reasons=(MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID))


IN_CONNECT_PROPERTIES = {
    "user property": lambda bad: {"props": [(USER_PROPERTY, (bad, "v"))]},
    "authentication method": lambda bad: {"props": [(AUTH_METHOD, bad)]},
    "content type of the will": lambda bad: {"will": Will("w", props=((CONTENT_TYPE, bad),))},
    "response topic of the will": lambda bad: {"will": Will("w", props=((RESPONSE_TOPIC, bad),))},
    "user property of the will": lambda bad: {
        "will": Will("w", props=((USER_PROPERTY, ("n", bad)),))
    },
}


@pytest.mark.parametrize("bad", [b"a\xffb", b"a\0b"], ids=["ill-formed", "U+0000"])
@pytest.mark.parametrize("where", cases(IN_CONNECT_PROPERTIES))
def test_ill_formed_properties_of_connect_are_the_end(net, where, bad):
    # No server knows the method, but an authentication method that is no text is no method.
    _refused(net, V5, where(bad))


RIGHT = {
    "two bytes": "\u00e9",
    "three bytes": "\u20ac",
    "four bytes": "\U0001f600",
    "a combining mark": "e\u0301",
    "U+FFFD": "\ufffd",
    "U+10FFFD": "\U0010fffd",
    "spaces": " a b ",
    "U+FEFF at the front": "\ufeffa",
    "U+FEFF inside": "a\ufeffb",
    "U+FEFF at the end": "a\ufeff",
}


@ALL
@pytest.mark.parametrize("letters", cases(RIGHT))
def test_topics_are_passed_on_letter_by_letter(net, version, letters):
    base = name("topic")
    listener = net.listen(f"{base}/#", version=version)
    publisher = net.join(version)
    publisher.publish(f"{base}/{letters}", b"m", qos=1)
    assert listener.message().topic == f"{base}/{letters}"


@ALL
def test_topics_that_look_alike_are_not_one(net, version):
    base = name("topic")
    alike = ("\u00e9", "e\u0301", "\ufeff\u00e9", "\u00c9", "E\u0301", "e", "\u00e9 ")
    listeners = [net.listen(f"{base}/{letters}", version=version) for letters in alike]
    publisher = net.join(version)
    for letters in alike:
        publisher.publish(f"{base}/{letters}", letters.encode(), qos=1)
    for listener, letters in zip(listeners, alike, strict=True):
        heard = listener.heard(publisher)
        assert [(got.topic, got.payload) for got in heard] == [
            (f"{base}/{letters}", letters.encode())
        ]


@ALL
def test_a_byte_order_mark_in_a_client_id_is_a_letter(net, version):
    # A server may decline either client id, but not take the two for one.
    who = name("who")
    first = net.join(version, who)
    client = net.open(version)
    client.send(build.connect("\ufeff" + who, version))
    client.read()
    first.ping()


@ALL
def test_payloads_are_no_strings(net, version):
    topic = name("topic")
    listener, publisher = net.listen(topic, version=version), net.join(version)
    for payload in (b"\xff\xfe", b"\0", b"a\0b", b"\xed\xa0\x80"):
        publisher.publish(topic, payload, qos=1)
        assert listener.message().payload == payload


@ALL
def test_the_longest_topic_is_one(net, version):
    base = name("topic")
    topic = base + "/" + "x" * (65_535 - len(base) - 1)
    listener, publisher = net.listen(topic, version=version), net.join(version)
    publisher.publish(topic, b"m", qos=1)
    assert listener.message().topic == topic
