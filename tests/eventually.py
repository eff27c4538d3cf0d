"""Wait for what must come true, and say what was seen when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.02


def eventually(check: Callable[[], T], seconds: float, every: float = LOOK_EVERY_S) -> T:
    """What `check` gives once it gives something true without raising; the last failure after `seconds`.

    What `check` looks up and does not find (the first of an empty list, a run that begins anew) may still come, too.
    A check that starts processes looks less often (`every`): it would take the time from what it waits for.
    """
    deadline = time.monotonic() + seconds
    while True:
        failure: Exception
        try:
            if found := check():
                return found
            failure = AssertionError(f"still {found!r} after {seconds} s")
        except (AssertionError, LookupError, StopIteration) as wrong:
            failure = wrong
        if time.monotonic() >= deadline:
            raise failure
        time.sleep(every)
