"""What one library publishes, every library understands, whatever the versions."""

from clients.stage.roster import V5
from clients.stage.scenario import scenario


@scenario()
def test_messages_of_every_qos(library, everyone):
    topic = library.topic()
    subscribers = [other.connect() for other in everyone]
    for subscriber in subscribers:
        assert subscriber.subscribe(topic, qos=2) == [2]
    publisher = library.connect()
    sent = {qos: f"größe {qos}".encode() for qos in (0, 1, 2)}
    for qos, payload in sent.items():
        publisher.publish(topic, payload, qos=qos)
    for subscriber in subscribers:
        messages = subscriber.wait_for(3)
        assert {message.qos: message.payload for message in messages} == sent, subscriber
        assert {message.topic for message in messages} == {topic}


@scenario(versions=[V5])
def test_properties(library, everyone):
    topic = library.topic()
    subscribers = [other.connect() for other in everyone]
    for subscriber in subscribers:
        subscriber.subscribe(topic, qos=1)
    sent = {
        "payload_format": 1,
        "content_type": "text/plain",
        "response_topic": "answers/here",
        "correlation": b"number-1".hex(),
        "user_properties": [["tag", "b"], ["tag", "a"]],
    }
    library.connect().publish(topic, b"hello", qos=1, **sent)
    for subscriber in subscribers:
        message = subscriber.wait_for_message()
        assert message.payload == b"hello"
        expected = sent if subscriber.library.version == V5 else {}
        assert message.properties == expected, subscriber
