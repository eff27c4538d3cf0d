"""Alive means: its lock is held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from eda_cli import lock
from tests.eventually import eventually

HOLD = "import sys, pathlib, time; from eda_cli import lock; lock.take(pathlib.Path(sys.argv[1])); time.sleep(60)"


def test_a_lock_is_held_until_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    assert lock.holder(path) is None
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path)])
    try:
        eventually(lambda: lock.holder(path) == child.pid, 10)
        assert lock.take(path, patience_s=0) is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert lock.holder(path) is None
    fd = lock.take(path, patience_s=0)
    assert fd is not None
    assert lock.holder(path) == os.getpid()
    os.close(fd)


def test_a_grandchild_does_not_look_alive(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    fd = lock.take(path)
    assert fd is not None
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    os.close(fd)
    try:
        eventually(lambda: lock.holder(path) is None, 5)  # until then it has not become another program yet
    finally:
        grandchild.kill()
        grandchild.wait()


def test_looking_does_not_refuse_an_honest_start(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.touch()
    looker = os.open(path, os.O_RDONLY)
    import fcntl
    import threading

    fcntl.flock(looker, fcntl.LOCK_SH)
    threading.Timer(0.2, lambda: os.close(looker)).start()
    fd = lock.take(path)
    assert fd is not None
    os.close(fd)
