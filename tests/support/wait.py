"""Waiting for a condition, never for a time."""

import os
import time

#: Seconds until a condition that should long have come true is a failure.
#: Generous: machines that run tests are busy.
DEADLINE_S = float(os.environ.get("HOOKWIRE_TEST_DEADLINE", "30"))

#: Seconds in which something that must not happen would have happened.
QUIET_S = 0.4

_POLL_S = 0.005


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Returns the first true value of `condition()`, or fails saying `what`."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what}; last seen: {value!r}")
        time.sleep(_POLL_S)
