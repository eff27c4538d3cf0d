"""A program of the user as a process: a group of its own, and lines that go in and come out. Knows no events.

Nothing here waits for a full pipe: what cannot be written yet is kept, and written while waiting for what it says.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eda_cli import programs
from eda_cli.errors import EdaError
from eda_cli.log import log
from eda_cli.stubs.answers import shown

LINE_MAX = 16 * 1024 * 1024  # bytes of one answer
EOF_S, TERM_S = 1.0, 0.5  # to end when its stdin ends, and when it is told; a stub that lost its leash has 2 s in all
EXIT_S = 0.5  # from the end of its stdout to its exit
_LOG_LINE = 64 * 1024  # bytes of a line of stderr
_READ = 256 * 1024


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program is started: its command, where, with what environment, and whose it is."""

    command: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str]
    folder: Path  # of the run
    process: str  # of the stub


class Spawned:
    """One life of the program. Raises EdaError where the system does not start it."""

    def __init__(self, launch: Launch) -> None:
        held = programs.take(launch.folder, launch.process)
        said, errors = os.pipe()
        try:
            self._popen: subprocess.Popen[bytes] = subprocess.Popen(
                programs.signed(launch.command, launch.folder, launch.process), cwd=launch.cwd, env=launch.environ, bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, pass_fds=(held,), process_group=0)
        except OSError as wrong:  # its folder is gone, say, or there are too many processes
            os.close(said)
            raise EdaError(f"the program {shown(launch.command[0])} cannot be started", str(wrong)) from None
        finally:
            os.close(held)
            os.close(errors)
        assert self._popen.stdin and self._popen.stdout
        self._stdin, self._stdout = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._asks_to_write = False
        self._unwritten: deque[memoryview] = deque()
        self._rest: list[bytes] = []  # of a line that has not ended
        self._rest_size = 0
        self.silent = False  # it has said its last
        self._last_line = ""
        self._stderr = threading.Thread(target=self._log_stderr, args=(said,), daemon=True)
        self._stderr.start()

    def send(self, line: bytes) -> None:
        """One more line for it; written by `hear`."""
        self._unwritten.append(memoryview(line + b"\n"))

    def hear(self, seconds: float) -> list[bytes | None]:
        """Write what can be written and wait so long for what it says: whole lines, None for one that is too long."""
        self._write()
        if self._asks_to_write != bool(self._unwritten):
            self._asks_to_write = not self._asks_to_write
            if self._asks_to_write:
                self._selector.register(self._stdin, selectors.EVENT_WRITE)
            else:
                self._selector.unregister(self._stdin)
        if self.silent:
            return []
        ready = {key.fd for key, _ in self._selector.select(seconds)}
        if self._stdin in ready:
            self._write()
        if self._stdout in ready:
            return self._read()
        if self._popen.poll() is not None:  # it is gone, and a child of its own may keep its stdout open
            heard = self._read()
            self.silent = True
            return heard
        return []

    def _write(self) -> None:
        try:
            while self._unwritten:
                line = self._unwritten[0]
                if (written := os.write(self._stdin, line)) < len(line):
                    self._unwritten[0] = line[written:]
                else:
                    self._unwritten.popleft()
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it does not listen any more; what it said before is still to be heard
            self._unwritten.clear()

    def _read(self) -> list[bytes | None]:
        lines: list[bytes | None] = []
        try:
            heard = os.read(self._stdout, _READ)
        except BlockingIOError:
            return lines
        if not heard:
            self.silent = True
        *ended, rest = heard.split(b"\n")
        for line in ended:
            lines.append(self._whole(line))
        if rest:
            self._rest_size += len(rest)
            if self._rest_size <= LINE_MAX:
                self._rest.append(rest)
            else:
                self._rest.clear()
        return lines

    def _whole(self, end: bytes) -> bytes | None:
        line = b"".join((*self._rest, end)) if self._rest_size + len(end) <= LINE_MAX else None
        self._rest.clear()
        self._rest_size = 0
        return line

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._popen.poll() is not None

    def kill(self) -> None:
        """End it and all that it started, at once."""
        programs.kill_group(self._popen.pid)
        self._ended()

    def bury(self) -> str:
        """End what is left of a program that has said its last: how it ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(EXIT_S)
        status = self._popen.poll()
        self.kill()
        if status is None:
            how = "it closed its stdout"
        elif status < 0:
            how = f"it was killed by {_signal(-status)}"
        else:
            how = f"it ended with exit status {status}"
        return f"{how}: {self._last_line}" if self._last_line else how

    def close(self) -> None:
        """End it in order: its stdin ends, then it is told, then it is killed."""
        self._unwritten.clear()
        self._forget_stdin()
        deadline = time.monotonic() + EOF_S
        while not self.silent and not self.gone and (left := deadline - time.monotonic()) > 0:
            self.hear(min(left, 0.05))  # it may be writing into a full pipe
        if not self.gone:
            programs.kill_group(self._popen.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(TERM_S)
        self.kill()

    def _forget_stdin(self) -> None:
        if self._asks_to_write:
            self._asks_to_write = False
            self._selector.unregister(self._stdin)
        assert self._popen.stdin
        self._popen.stdin.close()

    def _ended(self) -> None:
        self._popen.wait()
        self._stderr.join(EXIT_S)  # a descendant in another group may keep it open
        self._forget_stdin()
        self._selector.close()
        assert self._popen.stdout
        self._popen.stdout.close()

    def _log_stderr(self, fd: int) -> None:
        rest = b""
        while heard := os.read(fd, _LOG_LINE):
            *lines, rest = (rest + heard).split(b"\n")
            if len(rest) >= _LOG_LINE:
                lines, rest = [*lines, rest], b""
            self._log(lines)
        self._log([rest] if rest else [])
        os.close(fd)

    def _log(self, lines: Sequence[bytes]) -> None:
        if lines:
            log("\n".join(line.decode(errors="replace") for line in lines))
            self._last_line = next((shown(line) for line in reversed(lines) if line.strip()), self._last_line)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
