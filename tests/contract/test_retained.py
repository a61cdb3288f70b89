"""Retained messages stand in the store, one for each topic."""

import pytest

from contract.ends import ENDS
from contract.store import Capability
from support.paho import PahoClient

needs = pytest.mark.needs


@needs(Capability.RETAINED)
@pytest.mark.parametrize("end", ENDS, ids=str)
def test_a_retained_message_is_stored_replaced_and_deleted(stage, unique, end):
    topic, other, client_id = unique("state"), unique("state"), unique("writer")
    end.write_retained(stage.port, other, b"other", client_id)
    for payload in (b"on", b"off"):
        end.write_retained(stage.port, topic, payload, client_id)
        end.write(stage.port, topic, [b"not retained"], client_id)
        stored = stage.store.retained(topic)
        assert (stored.topic, stored.payload) == (topic, payload)
        assert (stored.sender, stored.qos) == (client_id, 1)
    end.write_retained(stage.port, topic, b"", client_id)
    assert stage.store.retained(topic) is None
    assert stage.store.retained(other).payload == b"other"


@needs(Capability.RETAINED)
def test_a_retained_message_takes_the_place_of_another_writers(stage, unique):
    topic = unique("state")
    for foreign in ("1", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzz", None):
        stage.store.insert_retained(topic, b"theirs", foreign)
        with PahoClient(stage.port, unique("writer")) as writer:
            writer.publish(topic, b"ours", retain=True)
            assert stage.store.retained(topic).payload == b"ours", foreign
            writer.publish(topic, b"", retain=True)
        assert stage.store.retained(topic) is None


@needs(Capability.RETAINED, Capability.RETAINED_LOOKUP)
@pytest.mark.parametrize("end", ENDS, ids=str)
def test_retained_messages_are_found_over_a_kill(own_stage, unique, end):
    stage = own_stage()
    root, writer_id = unique("state"), unique("writer")
    kept, replaced, deleted, theirs = (f"{root}/{word}" for word in ("a", "b", "c", "d"))
    for topic in (kept, replaced, deleted):
        end.write_retained(stage.port, topic, b"first", writer_id)
    end.write_retained(stage.port, replaced, b"second", writer_id)
    end.write_retained(stage.port, deleted, b"", writer_id)
    stage.kill()
    stage.store.insert_retained(theirs, b"theirs", None)
    expected = [(kept, b"first"), (replaced, b"second"), (theirs, b"theirs")]
    with end.reader(stage.port, unique("reader"), f"{root}/#") as reader:
        assert sorted(reader.take(3)) == expected
        # What comes now comes behind it.
        end.write(stage.port, deleted, [b"live"], writer_id)
        assert sorted(reader.take(4)[:3]) == expected
