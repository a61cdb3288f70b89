"""Publishers and subscribers nobody here wrote, in both versions, at QoS 0 and 1."""

import pytest

from support.mosquitto import MosquittoSub, mosquitto_pub
from support.paho import PahoClient
from support.wire import V5, V311

CLIENTS = [("paho", V311), ("paho", V5), ("mosquitto", V311), ("mosquitto", V5)]
NAMES = ["paho-v311", "paho-v5", "mosquitto-v311", "mosquitto-v5"]


class Subscriber:
    """Either client, asked the same way."""

    def __init__(self, broker, kind, client_id, filters, qos):
        tool, version = kind
        self.is_paho = tool == "paho"
        if self.is_paho:
            self.client = PahoClient(broker.port, client_id, version).connect()
            assert self.client.subscribe(*filters, qos=qos) == [qos] * len(filters)
        else:
            self.client = MosquittoSub(
                broker.port, *filters, version=version, qos=qos, client_id=client_id
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_paho:
            self.client.close()
        else:
            self.client.__exit__()

    def messages(self, count):
        got = self.client.wait_for_messages(count)
        if self.is_paho:
            got = [(m.topic, m.qos, int(m.retain), m.payload) for m in got]
        return got


def publish(broker, kind, client_id, messages):
    """Publishes (topic, QoS, payload) one after the other."""
    tool, version = kind
    if tool == "mosquitto":
        for topic, qos, payload in messages:
            mosquitto_pub(broker.port, topic, payload, version, qos)
        return
    with PahoClient(broker.port, client_id, version) as client:
        for topic, qos, payload in messages:
            client.publish(topic, payload, qos)


@pytest.mark.parametrize("to", CLIENTS, ids=NAMES)
@pytest.mark.parametrize("by", CLIENTS, ids=NAMES)
def test_from_each_client_to_each_client(broker, unique, by, to):
    root = unique("house")
    filters = [f"{root}/+/temperature", f"{root}/cellar/#"]
    messages = [
        (f"{root}/hall/temperature", 0, b"18"),
        (f"{root}/hall/humidity", 1, b"not subscribed"),
        (f"{root}/hall/temperature", 1, b"19"),
        (f"{root}/cellar", 1, b"\x00\xff"),
        (f"{root}/cellar/wine/red", 0, b""),
        (f"{root}/attic/temperature", 1, b"last"),
    ]
    expected = [(topic, qos, 0, payload) for topic, qos, payload in messages]
    del expected[1]
    with Subscriber(broker, to, unique("sub"), filters, 1) as subscriber:
        publish(broker, by, unique("pub"), messages)
        got = subscriber.messages(len(expected))
    assert sorted(got) == sorted(expected)
    # Order is kept for one publisher; mosquitto_pub is a new one for each message.
    if by[0] == "paho":
        assert [m for m in got if m[0].endswith("hall/temperature")] == expected[:2]


@pytest.mark.parametrize("to", CLIENTS, ids=NAMES)
def test_delivery_has_the_lower_qos_of_publisher_and_subscriber(broker, unique, to):
    topic = unique("t/qos")
    messages = [(topic, 0, b"0"), (topic, 1, b"1")]
    for granted, expected in [(0, [0, 0]), (1, [0, 1])]:
        with Subscriber(broker, to, unique("sub"), [topic], granted) as subscriber:
            publish(broker, ("paho", V5), unique("pub"), messages)
            assert [qos for _, qos, _, _ in subscriber.messages(2)] == expected


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_thousand_messages_arrive_in_order_at_every_subscriber(broker, unique, version, qos):
    topic = unique("t/order")
    payloads = [str(number).encode() for number in range(1000)]
    subscribers = [
        Subscriber(broker, kind, unique("sub"), [filter_], qos)
        for kind, filter_ in [
            (("paho", V311), topic),
            (("paho", V5), topic.replace("t/", "+/")),
            (("mosquitto", V311), topic + "/#"),
            (("mosquitto", V5), topic),
        ]
    ]
    try:
        with PahoClient(broker.port, unique("pub"), version) as publisher:
            publisher.publish_many(topic, payloads, qos)
        for subscriber in subscribers:
            got = subscriber.messages(1000)
            assert [payload for _, _, _, payload in got] == payloads
            assert {got_qos for _, got_qos, _, _ in got} == {qos}
    finally:
        for subscriber in subscribers:
            subscriber.__exit__()
