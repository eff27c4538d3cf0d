"""A program of the user never outlives the stub that speaks with it. Knows nothing of what the two say.

The program inherits a descriptor that holds `<process>.program.flock` of the run's folder; the file says its process
group. So whoever finds the lock held and no stub alive (`<process>.lock` is free) knows that a program was left, and
whom to kill. The stub does so at its orderly end, the warm process when it reaps a stub, the supervisor when it
loses the warm process, and `up` and `down` with what all of them left. What a program starts is in its group and ends
with it. Only where program and stub are killed in one moment, a child that closed the descriptor is not found.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from eda_cli import lock

_SUFFIX = ".program.flock"  # not `.lock`: a program is no process of the run that `ps` shows
# Written by the child itself, before it becomes the program: nobody can be killed between its start and its name.
_SIGNING = 'echo $$ > "$0" && exec "$@"'


def take(folder: Path, process: str) -> int:
    """The descriptor that holds the lock, for the program to inherit. What an earlier stub of this name left is killed."""
    path = folder / f"{process}{_SUFFIX}"
    deadline = time.monotonic() + lock.PATIENCE_S
    while (fd := lock.take(path, patience_s=0.05, for_child=True)) is None:
        if group := lock.holder(path):
            kill_group(group)
        if time.monotonic() > deadline:  # a daemon that left the group holds it: whoever started that has to end it
            path.unlink(missing_ok=True)
    return fd


def signed(command: Sequence[str], folder: Path, process: str) -> list[str]:
    """The command that signs the lock, then becomes `command`. It is to be started as the leader of a group."""
    return ["/bin/sh", "-c", _SIGNING, str(folder / f"{process}{_SUFFIX}"), *command]


def running(folder: Path) -> bool:
    """Whether any program of this folder runs."""
    return any(lock.holder(path) is not None for path in folder.glob(f"*{_SUFFIX}"))


def end_left(folder: Path, process: str = "*") -> bool:
    """Kill the programs of this folder (or process) whose stub is gone; whether there was one, which ends soon."""
    found = False
    for path in folder.glob(f"{process}{_SUFFIX}"):
        stub = path.with_name(f"{path.name.removesuffix(_SUFFIX)}.lock")
        if lock.holder(stub) is None and (group := lock.holder(path)) is not None:
            found = True
            if group:
                kill_group(group)
    return found


def kill_group(group: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process group that may be gone."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(group, number)
