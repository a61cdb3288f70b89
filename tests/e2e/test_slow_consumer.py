"""One subscriber stops reading: what it may cost, and who tells of it."""

from pathlib import Path

import pytest

from support.raw import RawClient
from support.wait import wait_until

MIB = 1024 * 1024
COUNT, PAYLOAD = 2000, b"x" * 50_000

CONFIG = """
listener "tcp" "default" { address = "127.0.0.1:0" }
mqtt {
  max_output_bytes    = "1MiB"
  max_queued_messages = 50
  queue_overflow      = "%s"
  sys_interval_s      = 1
}
"""


def resident_bytes(broker):
    status = Path(f"/proc/{broker.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest", "disconnect"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_subscriber_that_stops_reading_costs_what_it_may(start_broker, unique, qos, overflow):
    broker = start_broker(CONFIG % overflow)
    topic = unique("t")
    with (
        RawClient.connected(broker.port, unique("deaf")) as deaf,
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
        RawClient.connected(broker.port, unique("curious")) as curious,
    ):
        deaf.subscribe(topic, qos=qos)
        reader.subscribe(topic, qos=0)
        before = resident_bytes(broker)
        # 100 MB: many times what may wait for it.
        for _ in range(COUNT):
            if qos:
                writer.publish(topic, PAYLOAD)
            else:
                writer.publish_qos0(topic, PAYLOAD)
            assert len(reader.message().payload) == len(PAYLOAD)
        grown = resident_bytes(broker) - before
        assert grown < 24 * MIB, f"{grown / MIB:.1f} MiB"

        curious.subscribe("$SYS/broker/publish/messages/dropped", qos=0)
        dropped = []

        def is_told():
            dropped.append(int(curious.message().payload))
            return dropped[-1] > 0

        wait_until(is_told, "the metric says that messages were dropped")
        writer.publish_qos0(topic, b"still served")
        assert reader.message().payload == b"still served"
