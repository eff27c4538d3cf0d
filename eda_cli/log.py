"""A process's own log: its stderr, where views find what parts and libraries say. Knows no journal."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from eda_cli.event import rfc3339

LIMIT = 8 * 1024 * 1024  # bytes; then the file moves to `.log.1` and a new one begins
QUIET_S = 10.0  # between two messages of a library that differ at most in their details
_DETAILS = re.compile(r"<[^<>]*>|\d[\d.]*")  # objects and numbers, where a library formats its messages itself
_STAMP = len("2026-11-24T09:30:00.000000Z")

_log_path: Path | None = None  # of this process's log, where it opened that itself


def log(text: str) -> None:
    """A line of this process's own log, its stderr; each line carries the time, so that views can interleave."""
    stamp = rfc3339(time.time())
    with suppress(OSError):  # the disk is full
        if _log_path is not None and os.fstat(2).st_size > LIMIT:
            _log_path.replace(_log_path.with_name(_log_path.name + ".1"))
            _redirect(_log_path)
        os.write(2, b"".join(f"{stamp} {line}\n".encode(errors="replace") for line in text.splitlines() or [""]))


def stamped(line: str) -> tuple[str, str]:
    """The time that a line of a log carries, empty where it has none, and its text."""
    first, _, text = line.partition(" ")
    if len(first) == _STAMP and first.endswith("Z") and first[:4].isdigit():
        return first, text
    return "", line


def last_words(path: Path, lines: int, not_before: float = 0.0) -> list[str]:
    """The last so many lines of a log, without their times; none where it was written to last before that (epoch seconds)."""
    try:
        if path.stat().st_mtime < not_before:
            return []
        text = path.read_bytes()[-4000:].decode(errors="replace")
    except FileNotFoundError:
        return []
    return [stamped(line)[1] for line in text.splitlines()[-lines:]]


def log_to(path: Path) -> None:
    """From now on stdout and stderr of this process, and the warnings of its libraries, go to that file."""
    global _log_path
    _log_path = path
    _redirect(path)
    log_libraries()


def _redirect(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def log_libraries() -> None:
    """The warnings of libraries become lines of this process's log."""
    logging.getLogger().addHandler(_LogHandler(logging.WARNING))


class _LogHandler(logging.Handler):
    """One message of a kind now and then: a broker that is away makes its client say the same thousands of times."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind, now = (record.name, _DETAILS.sub("", str(record.msg))), time.monotonic()
        if now - self._said.get(kind, -QUIET_S) >= QUIET_S:
            self._said[kind] = now
            log(f"{record.levelname} {record.name}: {record.getMessage()}")  # without its traceback, if it has one
