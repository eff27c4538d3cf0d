"""A long-lived child of the supervisor: spawned by command line, with a lock, a log and a leash it can talk on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from eda_cli import lock


class Helper:
    """`python -m MODULE … RUN_FOLDER LOCK_FD`, its stdin a socket: leash, orders and reports in lines of JSON."""

    def __init__(self, folder: Path, process: str, command: list[str], spawned: Callable[[int], None]) -> None:
        self.process = process
        self._rest = b""
        self._since = time.monotonic()
        fd = lock.take(folder / f"{process}.lock", patience_s=5.0, for_child=True)
        if fd is None:
            raise TimeoutError(f"another {process} process of this run is still alive")
        self.socket, theirs = socket.socketpair()
        with (folder / f"{process}.log").open("ab") as log:
            self._popen: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-m", *command, str(folder), str(fd)], stdin=theirs.fileno(), stdout=log, stderr=log,
                pass_fds=(fd,), start_new_session=True)
        theirs.close()
        os.close(fd)
        spawned(self._popen.pid)

    def order(self, order: dict[str, Any]) -> None:
        """Tell it what to do; one that is gone is noticed elsewhere.

        Hears meanwhile: two that only spoke would wait for each other.
        """
        data = memoryview(orjson.dumps(order) + b"\n")
        with contextlib.suppress(OSError):
            while data:
                readable, writable, _ = select.select([self.socket], [self.socket], [])
                if readable and not self._hear():
                    return
                if writable:
                    data = data[self.socket.send(data, socket.MSG_DONTWAIT):]

    def reports(self) -> list[dict[str, Any]]:
        """What it said since the last call; never waits."""
        with contextlib.suppress(OSError):
            self._hear()
        *lines, self._rest = self._rest.split(b"\n")
        return [orjson.loads(line) for line in lines]

    @property
    def has_said(self) -> bool:
        """Whether there is something that was heard already, so that its socket does not tell."""
        return b"\n" in self._rest

    def _hear(self) -> bool:
        """False where it is gone."""
        try:
            heard = self.socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        self._rest += heard
        return bool(heard)

    def ended(self) -> int | None:
        """Its exit status (negative: the signal), None while it lives."""
        return self._popen.poll()

    def age(self) -> float:
        """Seconds since it was spawned."""
        return time.monotonic() - self._since

    def terminate(self) -> None:
        """Ask it to end in order."""
        self._popen.send_signal(signal.SIGTERM)

    def let_go(self) -> None:
        """Let go of the leash: it ends by itself."""
        self.socket.close()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it after that."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
