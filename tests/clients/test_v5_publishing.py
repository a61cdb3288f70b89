"""MQTT 5.0: what a message carries besides its payload."""

from clients.stage.roster import V5
from clients.stage.scenario import scenario
from clients.stage.waiting import let_pass

TOPIC_ALIAS_INVALID = 0x94


def carried(library, **properties):
    """The properties of a message that was published with these, as they arrive."""
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(topic, qos=1)
    library.connect().publish(topic, b"hello", qos=1, **properties)
    return subscriber.wait_for_message().properties


@scenario(versions=[V5])
def test_no_properties(library):
    assert carried(library) == {}


@scenario(versions=[V5])
def test_content_type_and_payload_format(library):
    sent = {"content_type": "text/größe", "payload_format": 1}
    assert carried(library, **sent) == sent


@scenario(versions=[V5])
def test_response_topic_and_correlation_data(library):
    sent = {"response_topic": "answers/here", "correlation": b"number-1".hex()}
    assert carried(library, **sent) == sent


@scenario("binary correlation data", versions=[V5])
def test_correlation_data_of_any_bytes(library):
    sent = {"correlation": bytes(range(256)).hex()}
    assert carried(library, **sent) == sent


@scenario(versions=[V5])
def test_user_properties_of_one_name(library):
    sent = [["tag", value] for value in ("c", "a", "b", "a")]
    assert carried(library, user_properties=sent) == {"user_properties": sent}


@scenario("user properties by order", versions=[V5])
def test_user_properties_in_order(library):
    sent = [["b", "1"], ["a", "2"], ["b", "3"], ["", "4"]]
    assert carried(library, user_properties=sent) == {"user_properties": sent}


@scenario(versions=[V5])
def test_kept_with_a_retained_message(library):
    topic = library.topic()
    sent = {"content_type": "text/plain", "user_properties": [["a", "1"]]}
    library.connect().publish(topic, b"kept", qos=1, retain=True, **sent)
    later = library.connect()
    later.subscribe(topic, qos=1)
    message = later.wait_for_message()
    assert (message.retain, message.properties) == (True, sent)


@scenario(versions=[V5])
def test_request_and_response(library):
    topic, answers = library.topic("requests"), library.topic("answers")
    responder = library.connect()
    responder.subscribe(topic, qos=1)
    requester = library.connect()
    requester.request(topic, b"2 + 2", answers, correlation=b"number-1")
    request = responder.wait_for_message()
    assert request.payload == b"2 + 2"
    assert request.properties["response_topic"] == answers
    library.connect().publish(
        request.properties["response_topic"],
        b"4",
        qos=1,
        correlation=request.properties["correlation"],
    )
    response = requester.wait_for_message()
    assert (response.topic, response.payload) == (answers, b"4")
    assert response.properties == {"correlation": b"number-1".hex()}


@scenario(versions=[V5])
def test_an_expired_message_does_not_come(library):
    """In a session that waits, and as a retained message; a live one has aged."""
    topic = library.topic()
    subscriber = library.connect(persistent=True)
    subscriber.subscribe(topic, qos=1)
    subscriber.disconnect()
    publisher = library.connect()
    publisher.publish(topic, b"expired", qos=1, message_expiry=1)
    publisher.publish(topic, b"live", qos=1, message_expiry=60)
    publisher.publish(f"{topic}/kept", b"expired", qos=1, retain=True, message_expiry=1)
    publisher.publish(f"{topic}/kept/live", b"live", qos=1, retain=True, message_expiry=60)
    let_pass(seconds=1)

    back = library.connect(subscriber.client_id, persistent=True).listen()
    later = library.connect()
    later.subscribe(f"{topic}/kept/#", qos=1)
    for client, end in ((back, topic), (later, f"{topic}/kept/end")):
        publisher.publish(end, b"end", qos=1)
        assert client.wait_for_payload(b"end") == [b"live"]
        assert 1 <= client.messages()[0].properties["message_expiry"] <= 59


@scenario(versions=[V5])
def test_the_expiry_of_a_message_that_does_not_wait(library):
    assert 1 <= carried(library, message_expiry=60)["message_expiry"] <= 60


@scenario("subscribe again", versions=[V5])
def test_topic_alias(library):
    topic, other = library.topic(), library.topic("other")
    subscriber = library.connect()
    subscriber.subscribe(topic, other, qos=1)
    publisher = library.connect()
    assert publisher.connack.get("topic_alias_maximum", 0) >= 2
    publisher.publish(topic, b"1", qos=1, topic_alias=1)
    publisher.publish(other, b"2", qos=1, topic_alias=2)
    publisher.publish("", b"3", qos=1, topic_alias=1)
    publisher.publish("", b"4", qos=1, topic_alias=2)
    publisher.publish(other, b"5", qos=1, topic_alias=1)
    publisher.publish("", b"6", qos=1, topic_alias=1)
    expected = [topic, other, topic, other, other, other]
    messages = subscriber.wait_for(6)
    assert [message.topic for message in messages] == expected
    # An alias is a matter between a client and the broker.
    assert all(message.properties == {} for message in messages)


@scenario(versions=[V5])
def test_many_messages_by_one_topic_alias(library):
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(topic, qos=1)
    sent = [f"message {number}".encode() for number in range(20)]
    library.connect().publish_all(topic, sent, qos=1, topic_alias=1)
    messages = subscriber.wait_for(20)
    assert [(message.topic, message.payload) for message in messages] == [
        (topic, payload) for payload in sent
    ]


@scenario("topic alias in", versions=[V5])
def test_the_broker_may_use_topic_aliases(library):
    topics = [library.topic(), library.topic("other"), library.topic("third")]
    subscriber = library.connect(topic_alias_maximum=2)
    subscriber.subscribe(*topics, qos=1)
    publisher = library.connect()
    expected = topics * 4
    for topic in expected:
        publisher.publish(topic, b"hello", qos=1)
    assert [message.topic for message in subscriber.wait_for(len(expected))] == expected


@scenario("alias beyond the maximum", versions=[V5])
def test_a_topic_alias_that_is_not_allowed(library):
    publisher = library.connect()
    said = publisher.provoke(publisher.publish, library.topic(), qos=1, topic_alias=65535)
    assert said["reason"] == TOPIC_ALIAS_INVALID
