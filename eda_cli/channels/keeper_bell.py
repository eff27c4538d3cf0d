"""What a keeper waits for: a signal, the loss of its leash, the end of its container. Knows not what follows."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from eda_cli import leash
from eda_cli.channels.containers import Container, Engine
from eda_cli.errors import Unreachable


class Ended(Exception):
    """The end is wished while something else is waited for."""


class Bell:
    """Rings when something happened; handlers and threads only set a flag and ring.

    Once the leash is lost, the process is ended `grace_s` and the leash's own grace later, unless `ended` is set.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        self._stop_wished = False
        self.leash_lost = False
        self.ended = threading.Event()

    def listen(self) -> None:
        """Hear SIGTERM and the leash."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leash.hold(self._on_leash)

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            os.write(self._waker, b"\0")

    def wait(self, seconds: float | None) -> bool:
        """Wait so long, or until something happens; whether the end is wished."""
        if not self._end_wished():
            select.select([self._wake], [], [], seconds)
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)
        return self._end_wished()

    def pause(self, seconds: float) -> None:
        """Wait so long, or until something happens. Raises Ended where that is the end."""
        if self.wait(seconds):
            raise Ended

    def _end_wished(self) -> bool:
        return self._stop_wished or self.leash_lost

    def _on_term(self, *_: object) -> None:
        self._stop_wished = True

    def _on_leash(self) -> None:
        """In the leash's own thread, which ends this process a moment after this returns."""
        self.leash_lost = True
        self.ring()
        self.ended.wait(self._grace_s)


class Watch:
    """Waits for the end of a container, on a connection of its own, and rings then."""

    def __init__(self, container: Container, ring: Callable[[], None]) -> None:
        self.over = False
        self.lost_engine = False
        self._container = container
        self._ring = ring
        threading.Thread(target=self._wait, name="watch", daemon=True).start()

    def _wait(self) -> None:
        try:
            Engine.connect().wait(self._container)
        except Unreachable:
            self.lost_engine = True
        self.over = True
        self._ring()
