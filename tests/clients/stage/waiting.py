"""For what nothing but time brings about: that something expires."""

import time

from support.wait import wait_until

#: What a broker whose clock ticks in seconds may take longer than it was told.
_TICK_S = 1.2


def let_pass(seconds):
    """Waits until an interval of that many seconds is over by any clock."""
    end = time.monotonic() + seconds + _TICK_S
    wait_until(lambda: time.monotonic() > end, f"{seconds} s are over")
