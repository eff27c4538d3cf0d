"""The wish to stop, and waiting that ends with it. Knows not who wishes it."""

from __future__ import annotations

import contextlib
import os
import select
import signal

from eda_cli import leash


class Stop:
    """True once this process should end: SIGTERM came, or its parent is gone.

    Handlers only set the flag and wake the waiter; whoever loops looks at `wished`.
    """

    def __init__(self) -> None:
        self.wished = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)

    def listen(self) -> None:
        """From now on SIGTERM and the end of the parent set the flag; Ctrl-C in a terminal is not for us."""
        signal.signal(signal.SIGTERM, lambda *_: self.wish())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leash.hold(self.wish)

    def wish(self) -> None:
        self.wished = True
        with contextlib.suppress(BlockingIOError):  # it is awake already
            os.write(self._waker, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until stopping is wished; says whether it is."""
        if not self.wished and seconds > 0:
            select.select([self._wake], [], [], seconds)
        return self.wished
