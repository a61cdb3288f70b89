"""MQTT 5.0: what a subscription can ask for."""

from clients.stage.client import Filter
from clients.stage.roster import V5
from clients.stage.scenario import scenario

PROTOCOL_ERROR = 0x82
NO_SUBSCRIPTION_EXISTED = 0x11


@scenario(versions=[V5])
def test_subscription_identifier(library):
    topic = library.topic()
    with_one, without = library.connect(), library.connect()
    with_one.subscribe(topic, qos=1, subscription_id=7)
    without.subscribe(topic, qos=1)
    library.connect().publish(topic, b"hello", qos=1)
    assert with_one.wait_for_message().properties == {"subscription_ids": [7]}
    assert without.wait_for_message().properties == {}


@scenario("subscribe again", versions=[V5])
def test_subscription_identifiers_of_each(library):
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(f"{topic}/+", qos=1, subscription_id=7)
    subscriber.subscribe(f"{topic}/deep/#", qos=1, subscription_id=268_435_455)
    subscriber.subscribe(f"{topic}/none/x", qos=1)
    publisher = library.connect()
    for leaf in ("a", "deep/er", "none/x"):
        publisher.publish(f"{topic}/{leaf}", b"hello", qos=1)
    messages = subscriber.wait_for(3)
    assert [message.properties for message in messages] == [
        {"subscription_ids": [7]},
        {"subscription_ids": [268_435_455]},
        {},
    ]


@scenario("subscribe again", versions=[V5])
def test_a_new_subscription_replaces_the_identifier(library):
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(topic, qos=1, subscription_id=1)
    subscriber.subscribe(topic, qos=1, subscription_id=2)
    library.connect().publish(topic, b"hello", qos=1)
    assert subscriber.wait_for_message().properties == {"subscription_ids": [2]}


@scenario("several subscription identifiers", "subscribe again", versions=[V5])
def test_subscription_identifiers_of_all_that_match(library):
    """In one message or in one for each: the standard allows both."""
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(topic, qos=1, subscription_id=1)
    subscriber.subscribe(f"{topic}/#", qos=1, subscription_id=2)
    publisher = library.connect()
    publisher.publish(topic, b"hello", qos=1)
    publisher.publish(topic, b"end", qos=1)
    subscriber.wait_for_payload(b"end")
    found = [
        number
        for message in subscriber.messages()
        if message.payload == b"hello"
        for number in message.properties["subscription_ids"]
    ]
    assert sorted(found) == [1, 2]


@scenario("no local", versions=[V5])
def test_no_local(library):
    topic = library.topic()
    client = library.connect()
    client.subscribe(Filter(topic, qos=1, no_local=True))
    client.publish(topic, b"mine", qos=1)
    library.connect().publish(topic, b"another's", qos=1)
    assert client.wait_for_message().payload == b"another's"


@scenario("no local on a shared subscription", versions=[V5])
def test_no_local_on_a_shared_subscription_is_an_error(library):
    client = library.connect()
    wrong = Filter(f"$share/group/{library.topic()}", no_local=True)
    assert client.provoke(client.subscribe, wrong)["reason"] == PROTOCOL_ERROR


@scenario(
    "no local on a shared subscription",
    "DISCONNECT properties",
    versions=[V5],
    broker=["reason strings"],
)
def test_a_reason_string_says_what_is_wrong(library):
    client = library.connect()
    wrong = Filter(f"$share/group/{library.topic()}", no_local=True)
    assert client.provoke(client.subscribe, wrong)["properties"]["reason_string"]


@scenario(versions=[V5])
def test_retain_as_published(library):
    topic = library.topic()
    as_published, usual = library.connect(), library.connect()
    as_published.subscribe(Filter(topic, qos=1, retain_as_published=True))
    usual.subscribe(topic, qos=1)
    publisher = library.connect()
    publisher.publish(topic, b"kept", qos=1, retain=True)
    publisher.publish(topic, b"passing", qos=1)
    assert [message.retain for message in as_published.wait_for(2)] == [True, False]
    assert [message.retain for message in usual.wait_for(2)] == [False, False]


def subscribed_twice(library, retain_handling):
    """What comes of two subscriptions to one topic with a retained message."""
    topic = library.topic()
    publisher = library.connect()
    publisher.publish(topic, b"kept", qos=1, retain=True)
    subscriber = library.connect()
    for _ in range(2):
        subscriber.subscribe(Filter(topic, qos=1, retain_handling=retain_handling))
    publisher.publish(topic, b"end", qos=1)
    return subscriber.wait_for_payload(b"end")


@scenario("retain handling", versions=[V5])
def test_retained_messages_at_every_subscription(library):
    assert subscribed_twice(library, retain_handling=0) == [b"kept", b"kept"]


@scenario("retain handling", versions=[V5])
def test_retained_messages_at_a_new_subscription(library):
    assert subscribed_twice(library, retain_handling=1) == [b"kept"]


@scenario("retain handling", versions=[V5])
def test_retained_messages_at_no_subscription(library):
    assert subscribed_twice(library, retain_handling=2) == []


@scenario("subscribe again", versions=[V5])
def test_unsubscribing_says_what_was_there(library):
    topic = library.topic()
    client = library.connect()
    client.subscribe(topic)
    reasons = client.unsubscribe(topic, library.topic("never"))
    assert reasons == [0, NO_SUBSCRIPTION_EXISTED]


@scenario(versions=[V5])
def test_user_properties_of_a_subscription_are_taken(library):
    topic = library.topic()
    client = library.connect(user_properties=[["a", "1"], ["a", "2"]])
    assert client.subscribe(topic, qos=2, user_properties=[["b", "1"]]) == [2]
