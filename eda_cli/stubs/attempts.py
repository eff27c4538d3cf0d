"""What own code was at when its process was killed: an event that kills every process must be given up some time.

A mark in a file, in the page cache and so not lost by a SIGKILL. Knows not what becomes of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_HEAD = 8  # the digits of how many bytes follow; what an earlier, longer mark left behind them means nothing
_NONE = b"%08d" % 0


class InProgress:
    """The file of one process. Costs a system call for each `begin` and `end`."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def left(self) -> list[str]:
        """The identities that an earlier process of this name had begun and not ended. Ask before `begin`."""
        head = os.pread(self._fd, _HEAD, 0)
        size = int(head) if len(head) == _HEAD and head.isdigit() else 0
        with suppress(ValueError):  # it is damaged, and no stub is to end at it
            left: list[str] = json.loads(os.pread(self._fd, size, _HEAD)) if size else []
            return left
        return []

    def begin(self, identities: Iterable[str]) -> None:
        """The code is given these events now."""
        text = json.dumps(list(identities)).encode()  # whatever others take for an id: orjson has no half of a sign
        os.pwrite(self._fd, b"%08d%b" % (len(text), text), 0)

    def end(self) -> None:
        """It is done with them, whatever came of it."""
        os.pwrite(self._fd, _NONE, 0)

    def close(self) -> None:
        os.close(self._fd)
