"""Shared subscriptions: the members of a group share its messages."""

import pytest

from clients.stage.roster import V5, V31, V311
from clients.stage.scenario import scenario
from support.wait import wait_until

MANY = 60


def check_shared(library, filters, qos):
    """Messages go to one member each, whichever, and both members get some."""
    topic, shared = filters
    members = [library.connect(), library.connect()]
    for member in members:
        assert member.subscribe(shared, qos=qos) == [qos]
    everyone = library.connect()
    everyone.subscribe(topic, qos=qos)
    sent = [f"message {number}".encode() for number in range(MANY)]
    library.connect().publish_all(topic, sent, qos=qos)
    assert [message.payload for message in everyone.wait_for(MANY)] == sent
    wait_until(
        lambda: sum(len(member.messages()) for member in members) >= MANY,
        f"{MANY} messages at two members",
    )
    shares = [member.payloads() for member in members]
    assert sorted(sum(shares, [])) == sorted(sent)
    assert all(shares), "one member got everything"
    # What one publisher sends reaches each member in order.
    assert all(share == sorted(share, key=sent.index) for share in shares)


@pytest.mark.parametrize("qos", [0, 1, 2])
@scenario()
def test_a_group(library, qos):
    topic = library.topic()
    check_shared(library, (topic, f"$share/group/{topic}"), qos)


@scenario(versions=[V31, V311], broker=["$queue"])
def test_the_queue_of_older_clients(library):
    topic = library.topic()
    check_shared(library, (topic, f"$queue/{topic}"), qos=1)


@scenario()
def test_two_groups_get_each_message_once(library):
    topic = library.topic()
    members = [library.connect() for _ in range(2)]
    for number, member in enumerate(members):
        member.subscribe(f"$share/group-{number}/{topic}", qos=1)
    library.connect().publish(topic, b"hello", qos=1)
    for member in members:
        assert member.wait_for_message().payload == b"hello"


@scenario()
def test_what_a_member_leaves_the_other_gets(library):
    topic = library.topic()
    stays, leaves = library.connect(), library.connect()
    for member in (stays, leaves):
        member.subscribe(f"$share/group/{topic}", qos=1)
    leaves.disconnect()
    # Its session is over for sure when it has begun another.
    library.connect(client_id=leaves.client_id).listen()
    sent = [f"message {number}".encode() for number in range(10)]
    library.connect().publish_all(topic, sent, qos=1)
    assert [message.payload for message in stays.wait_for(10)] == sent


@scenario(versions=[V5])
def test_no_retained_messages(library):
    topic = library.topic()
    publisher = library.connect()
    publisher.publish(topic, b"kept", qos=1, retain=True)
    member = library.connect()
    member.subscribe(f"$share/group/{topic}", qos=1)
    publisher.publish(topic, b"end", qos=1)
    assert member.wait_for_payload(b"end") == []
