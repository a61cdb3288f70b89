"""`hookwire rule record`: what a running broker sees becomes a fixture."""

import subprocess

import pytest

from support import wire
from support.broker import binary, run_hookwire
from support.raw import RawClient
from support.rules import LISTENER
from support.wait import wait_until


@pytest.fixture
def broker(start_broker):
    return start_broker(LISTENER)


def recorded(broker, tmp_path, happen, *options):
    """The fixture of a recording, with `happen` again and again until it is whole."""
    out = tmp_path / "recorded.hcl"
    command = [binary(), "rule", "record", "--out", out, "--data", broker.data, *options]
    recorder = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def ended():
        happen()
        return recorder.poll() is not None

    try:
        wait_until(ended, "the recorder has what it wants")
        stdout, stderr = recorder.communicate()
        assert recorder.returncode == 0, stderr
        assert "2 events" in stdout
    finally:
        recorder.kill()
        recorder.wait()
    return out.read_text()


@pytest.mark.parametrize("hook", ["client.authorize", "client.subscribe", "session.subscribed"])
def test_subscriptions_are_recorded_by_their_filter(broker, tmp_path, unique, hook):
    with RawClient.connected(broker.port, unique("raw")) as client:

        def subscribe():
            # An answer of client.authorize is kept: the same is not asked twice.
            for topic in [unique("other/"), unique("wanted/")]:
                client.send(wire.subscribe(1, (topic, 0)))
                client.expect(wire.SUBACK)

        options = ["--hook", hook, "--topic", "wanted/#", "--count", "2"]
        text = recorded(broker, tmp_path, subscribe, *options)
    assert text.count('"wanted/') == 2
    assert "other/" not in text
    assert "missing" not in text


def test_what_the_broker_publishes_itself_is_recorded_when_it_is_asked_for(
    broker, tmp_path, unique
):
    def come_and_publish():
        with RawClient.connected(broker.port, unique("raw")) as client:
            client.publish("mine", b"x")

    assert recorded(broker, tmp_path, come_and_publish, "--count", "2").count('"mine"') == 2
    (tmp_path / "recorded.hcl").unlink()
    options = ["--count", "2", "--topic", "$SYS/#"]
    assert recorded(broker, tmp_path, come_and_publish, *options).count('"$SYS/') == 2


def test_what_a_hook_does_not_have_is_not_asked_for(broker, tmp_path):
    def refused(*options):
        done = run_hookwire(
            "rule", "record", "--out", tmp_path / "no.hcl", "--data", broker.data, *options
        )
        assert done.returncode == 1
        return done.stderr

    why = refused("--hook", "client.connected", "--topic", "a/#")
    assert "client.connected have no topic: leave out --topic" in why
    assert 'did you mean "client.connected"?' in refused("--hook", "client.conected")
    assert "a/#/b" in refused("--topic", "a/#/b")
