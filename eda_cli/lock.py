"""Alive means: its lock is held. Knows nothing of who holds it or why.

A lock is a file under `flock`: the kernel lets go of it when the holder ends, however it ends, so a pid read
from a held lock cannot be stale.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

PATIENCE_S = 1.0  # merely looking at a lock holds it for a moment, which must not refuse an honest start


def take(path: Path, patience_s: float = PATIENCE_S, for_child: bool = False) -> int | None:
    """The descriptor that holds the lock, or None where somebody else keeps it for longer than `patience_s`.

    Whoever inherits the descriptor holds the lock as well; it is not inherited unless it is passed on. With
    `for_child` it bears no name until the child signs it. Raises FileNotFoundError where its folder is gone.
    """
    deadline = time.monotonic() + patience_s
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.01)
            continue
        if not is_there(path, fd):  # its folder was removed meanwhile, and maybe made anew
            os.close(fd)
            continue
        if for_child:
            os.ftruncate(fd, 0)
        else:
            sign(fd)
        return fd


def is_there(path: Path, fd: int) -> bool:
    """Whether the lock that is held is the one that others find at this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def sign(fd: int) -> None:
    """Write this process's id into the lock it holds, and keep the lock from its children."""
    os.set_inheritable(fd, False)
    os.pwrite(fd, b"%-20d\n" % os.getpid(), 0)


def holder(path: Path) -> int | None:
    """The process id of the holder, or None where the lock is free or there is no such file.

    A holder that has not signed yet counts as 0.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(fd, 20, 0).strip() or 0)
    else:
        return None
    finally:
        os.close(fd)
