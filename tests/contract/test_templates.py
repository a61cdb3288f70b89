"""A rule's own statements: values are bound, statements and rules run in their order."""

import pytest

from contract.ends import ENDS, PAIRS, pair_name
from contract.store import HOOK_PARAMETERS, Capability
from support.paho import PahoClient
from support.wait import wait_until

pytestmark = pytest.mark.needs(Capability.TEMPLATES)

#: What would do harm if it became text of a statement.
HOSTILE = [
    "x'; drop table t",
    "x'); drop table note; --",
    'y" ${clientid} ${topic} ?',
    "* flushall\\r\\n del note",
    "ü\\ %s :name $1 @p {0}",
]


@pytest.fixture
def noting(own_stage):
    """A stage with a rule on each hook, that notes what the hook offers."""
    return own_stage(
        more=lambda store: "".join(
            store.template_rule(f"note-{number}", hook, store.noting(hook))
            for number, hook in enumerate(HOOK_PARAMETERS)
        )
    )


@pytest.mark.parametrize("pair", PAIRS, ids=pair_name)
def test_values_are_bound_on_every_hook(noting, unique, pair):
    writer, reader = pair
    for hostile in HOSTILE:
        reader_id, writer_id = unique(f"r {hostile}"), unique(f"w {hostile}")
        topic = unique(f"t/{hostile}").replace("+", "").replace("#", "")
        with reader.reader(noting.port, reader_id, topic) as client:
            writer.write(noting.port, topic, [hostile.encode()], writer_id)
            assert client.take(1) == [(topic, hostile.encode())]
        if reader.library == "paho":
            with PahoClient(noting.port, reader_id, reader.version, clean=False) as client:
                client.unsubscribe(topic)
        hooks = set(HOOK_PARAMETERS)
        if reader.library != "paho":
            hooks.remove("session.unsubscribed")

        def noted():
            return [n for n in noting.store.notes() if n["clientid"] in (reader_id, writer_id)]

        wait_until(lambda: hooks <= {note["hook"] for note in noted()}, "each hook was noted")
        assert_notes(noted(), reader_id, writer_id, topic, hostile.encode())


def assert_notes(notes, reader_id, writer_id, topic, payload):
    """Values as the hooks have them; messages have one id everywhere."""
    for note in notes:
        is_publish = note["hook"] == "message.publish"
        assert note["clientid"] == writer_id or not is_publish
        assert note.get("topic", topic) == topic
        assert int(note.get("qos", 1)) == 1
        if is_publish:
            assert bytes(note["payload"]) == payload
        elif "topic" in note:
            assert note["clientid"] == reader_id
    assert len({note["msgid"] for note in notes if "msgid" in note}) == 1


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_statements_and_rules_run_in_order(own_stage, unique, end):
    def more(store):
        return "".join(
            [
                store.template_rule("note", "message.publish", store.noting("message.publish"), topic="a/#"),
                store.template_rule("last", "message.publish", store.keeping_last(), topic="+/x"),
            ]
        )  # fmt: skip

    stage = own_stage(more=more)
    payloads = [b"%d" % number for number in range(20)]
    writer_id = unique("writer")
    for topic in ("a/x", "a/y", "b/x"):
        end.write(stage.port, topic, payloads, writer_id)
    # Acknowledged is stored, by every rule that takes the message.
    notes = [(note["topic"], bytes(note["payload"])) for note in stage.store.notes()]
    assert notes == [(topic, payload) for topic in ("a/x", "a/y") for payload in payloads]
    assert stage.store.last() == {"a/x": b"19", "b/x": b"19"}
    for topic in ("a/x", "a/y", "b/x"):
        assert stage.store.payloads(topic) == payloads, "and by the stock rule beside them"
