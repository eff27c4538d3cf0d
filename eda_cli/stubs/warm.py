"""The warm process: has imported what stubs need and forks one wherever the supervisor asks. Starts no thread.

It speaks lines of JSON on its stdin, a socket to the supervisor that is its leash as well. It hears
`{"do": "start", "process", "part", "replica"}`, `{"do": "stop", "process", "kill"}`, `{"do": "declare", "sketch": …}`
and `{"do": "lag"}`, and tells
`{"report": "warm" | "ready" | "exited" | "failed" | "declared" | "warning" | "groups",
"process", …}`.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from eda_cli import programs
from eda_cli.errors import EdaError, Futile
from eda_cli.log import log, log_to
from eda_cli.stubs import child

DECLARE, LAG = "declare", "lag"  # short jobs; a part's process has a number behind its name


class Warm:
    """Its children, by process name, each with the end of the leash that holds it."""

    def __init__(self, folder: Path, lock_fd: int) -> None:
        self._folder = folder
        self._lock_fd = lock_fd
        self._children: dict[int, str] = {}
        self._leashes: dict[int, int] = {}  # pid -> our end
        self._rest = b""
        self._reports, self._reporter = os.pipe()
        self._wake, waker = os.pipe()
        for fd in (self._reports, self._wake, waker):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self._waker = waker
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until the supervisor is gone or lets go; the children's leashes end with this process."""
        gc.freeze()  # the children share what was imported instead of copying it at their first collection
        self._tell({"report": "warm"})
        while True:
            readable, _, _ = select.select([0, self._reports, self._wake], [], [])
            if self._wake in readable:
                os.read(self._wake, 4096)
            self._forward()
            self._reap()
            if 0 in readable:
                heard = os.read(0, 65536)
                if not heard:
                    return
                *lines, self._rest = (self._rest + heard).split(b"\n")
                for line in lines:
                    self._obey(orjson.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if order["do"] == "start":
            self._fork(order["process"], lambda report: child.play(
                self._folder, order["process"], order["part"], order["replica"], report))
        elif order["do"] == "declare":
            self._fork(DECLARE, lambda report: child.declare(self._folder, DECLARE, order["sketch"], report))
        elif order["do"] == "lag":
            self._fork(LAG, lambda report: child.lag(self._folder, LAG, report))
        elif order["do"] == "stop":
            for pid, process in self._children.items():
                if process == order["process"]:
                    os.kill(pid, signal.SIGKILL if order.get("kill") else signal.SIGTERM)

    def _fork(self, process: str, work: Callable[[child.Report], None]) -> None:
        theirs, ours = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become(process, theirs, ours, work)
        os.close(theirs)
        self._children[pid] = process
        self._leashes[pid] = ours

    def _become(self, process: str, leash: int, ours: int, work: Callable[[child.Report], None]) -> None:
        """In the child: nothing of the warm process or the siblings stays open. Never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (ours, self._lock_fd, self._reports, self._wake, self._waker, *self._leashes.values()):
                os.close(fd)
            os.dup2(leash, 0)
            os.close(leash)
            log_to(self._folder / f"{process}.log")
            reporter = self._reporter

            def report(kind: str, **fields: Any) -> None:
                os.write(reporter, orjson.dumps({"report": kind, "process": process, **fields}) + b"\n")

            try:
                work(report)
                status = 0
            except EdaError as wrong:
                report("failed", what=wrong.what, why=wrong.why, hint=wrong.hint, exit_code=wrong.exit_code)
                status = Futile.status if isinstance(wrong, Futile) else 1
            except OSError as wrong:
                report("failed", what="a file of the run cannot be read or written", why=str(wrong),
                       hint="is the disk full?", exit_code=1)
                log(traceback.format_exc())
            except SystemExit as wish:
                status = wish.code if isinstance(wish.code, int) else 1
        except BaseException:
            log(traceback.format_exc())
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            programs.kill_group(pid)  # where it had one: what a handler started ends with its stub
            process = self._children.pop(pid)
            programs.end_left(self._folder, process)
            os.close(self._leashes.pop(pid))
            self._forward()  # its last words come before its end
            self._tell({"report": "exited", "process": process, "status": os.waitstatus_to_exitcode(status)})

    def _forward(self) -> None:
        with suppress(BlockingIOError):
            while reports := os.read(self._reports, 65536):
                self._send(reports)

    def _tell(self, report: dict[str, Any]) -> None:
        self._send(orjson.dumps(report) + b"\n")

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(0, view):]
        except BrokenPipeError:  # the supervisor is gone: the next read says so
            pass
