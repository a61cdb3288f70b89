"""What is acknowledged reaches its readers, in order, though the broker is killed.

Publishers at QoS 1 and 2, and persistent subscribers that stay, leave and come
back, are slow, or resume without SUBSCRIBE, lose their broker to SIGKILL at random
moments under load. What they saw is recorded, and checked when all has arrived.
HOOKWIRE_KILLS sets how often (20), HOOKWIRE_SEED repeats a run's random choices.
"""

import os
import random
import time

from faults.history import History
from faults.play import assert_kept, config, play

KILLS = int(os.environ.get("HOOKWIRE_KILLS", "20"))


def test_what_is_acknowledged_reaches_its_readers(start_broker, report, tmp_path):
    seed = int(os.environ.get("HOOKWIRE_SEED") or random.SystemRandom().randrange(2**32))
    report(f"{KILLS} times SIGKILL, seed {seed}")
    started = time.monotonic()
    recorder = History(tmp_path / "history")
    findings = play(start_broker(config()), recorder, KILLS, random.Random(seed))
    for line in [*findings.table(), *findings.examples()]:
        report(line)
    report(f"{time.monotonic() - started:.1f} s")
    assert_kept(findings)
    assert findings.refused == 0
    loaded = sum(in_flight > 0 for in_flight, _ in findings.kills)
    assert loaded >= 0.9 * KILLS, f"something was in flight at {loaded} of {KILLS} kills only"
