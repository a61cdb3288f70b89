"""MQTT 5.0 and before: what a client and the broker agree on when it connects."""

from clients.stage import brokers
from clients.stage.roster import V5, V311
from clients.stage.scenario import scenario


@scenario(versions=[V311, V5])
def test_without_a_client_id(library):
    topic = library.topic()
    client = library.connect(client_id="")
    client.subscribe(topic, qos=1)
    library.connect(client_id="").publish(topic, b"hello", qos=1)
    assert client.wait_for_message().payload == b"hello"


@scenario("CONNACK properties", versions=[V5])
def test_a_client_id_is_assigned(library):
    ids = {library.connect(client_id="").connack["assigned_client_id"] for _ in range(2)}
    assert len(ids) == 2 and all(ids)


@scenario("CONNACK properties", versions=[V5])
def test_no_client_id_is_assigned_to_who_has_one(library):
    assert "assigned_client_id" not in library.connect().connack


@scenario("CONNACK properties", versions=[V5])
def test_an_assigned_client_id_has_a_session(library):
    topic = library.topic()
    client = library.connect(client_id="", session_expiry=60)
    client.subscribe(topic, qos=1)
    client.disconnect()
    library.connect().publish(topic, b"hello", qos=1)
    back = library.connect(client.connack["assigned_client_id"], persistent=True)
    assert back.session_present
    assert back.wait_for_message().payload == b"hello"


@scenario("CONNACK properties", versions=[V5])
def test_the_broker_sets_a_keep_alive(library):
    maximum = brokers.SERVER_KEEP_ALIVE_S
    assert library.connect(keep_alive=maximum * 10).connack["server_keep_alive"] == maximum


@scenario("several held acknowledgements", versions=[V5])
def test_receive_maximum(library):
    topic = library.topic()
    receiver = library.connect(manual_ack=True, receive_maximum=2)
    receiver.subscribe(topic, qos=1)
    sent = [f"message {number}".encode() for number in range(6)]
    library.connect().publish_all(topic, sent, qos=1)
    for come in (2, 4, 6):
        receiver.wait_for(come)
        # What the broker could send before it answers, has come by then.
        receiver.subscribe(library.topic("answered"))
        assert receiver.payloads() == sent[:come]
        receiver.acknowledge(2)


@scenario(versions=[V5])
def test_maximum_packet_size(library):
    topic = library.topic()
    small, large = library.connect(maximum_packet_size=1000), library.connect()
    for client in (small, large):
        client.subscribe(topic, qos=1)
    publisher = library.connect()
    publisher.publish(topic, b"x" * 2000, qos=1)
    publisher.publish(topic, b"end", qos=1)
    assert small.wait_for_payload(b"end") == []
    assert large.wait_for_payload(b"end") == [b"x" * 2000]


@scenario("CONNACK properties", versions=[V5])
def test_a_session_expiry_is_kept_or_told(library):
    """A broker that keeps a session for another time than asked for says so."""
    client = library.connect(persistent=True, session_expiry=300)
    assert client.connack.get("session_expiry", 300) == 300
