"""The signals of the supervisor: handlers only set a flag, whoever waits looks. Knows not what they mean."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from typing import Any

HEARD = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)


class Signals:
    """Those that came. SIGINT is not for us: Ctrl-C in a terminal reaches the viewer, which asks."""

    def __init__(self) -> None:
        self._came: set[int] = set()
        self._wake, self._waker = os.pipe()

    def listen(self) -> None:
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for wanted in HEARD:
            signal.signal(wanted, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait(self, fds: Sequence[Any], seconds: float | None) -> list[Any]:
        """Until a signal comes or one of these is readable, at the latest in so many seconds: those that are."""
        readable: list[Any] = select.select([self._wake, *fds], [], [], seconds)[0]
        if self._wake in readable:
            self._came.update(os.read(self._wake, 4096))
            readable.remove(self._wake)
        return readable

    @property
    def stop(self) -> bool:
        """An end is wished."""
        return bool(self._came & {signal.SIGTERM, signal.SIGQUIT})

    @property
    def kill(self) -> bool:
        """Nobody wants to wait for an orderly end."""
        return signal.SIGQUIT in self._came

    def take(self, wanted: signal.Signals) -> bool:
        """Whether it came since it was last taken."""
        came = wanted in self._came
        self._came.discard(wanted)
        return came
