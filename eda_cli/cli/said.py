"""What the processes of a run said on stderr, as observations. Knows no journal file and no terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eda_cli.log import stamped

if TYPE_CHECKING:
    from eda_cli.journal import Observation
    from eda_cli.sketch.resolved import Resolved


class Log:
    """A `.log` file of a run, read as observations of the kind `log`. A line without a time has that of the one before it.

    With `new` only what is written from now on.
    """

    def __init__(self, path: Path, new: bool = False) -> None:
        self._path = path
        name, _, replica = path.stem.partition(".")
        self._part = {"supervisor": "run"}.get(name, name)
        self._replica = int(replica or 0)
        self._at = path.stat().st_size if new and path.exists() else 0
        self._stamp = ""

    def read(self) -> list[Observation]:
        """What was written since the last call, whole lines only."""
        from eda_cli.event import rfc3339
        from eda_cli.journal import Observation

        try:
            with self._path.open("rb") as file:
                at = self._at if self._at <= file.seek(0, os.SEEK_END) else 0  # it turned over
                file.seek(at)
                data = file.read()
                written = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        self._at = at + whole
        lines = [stamped(line) for line in data[:whole].decode(errors="replace").splitlines()]
        stamp = self._stamp or next((stamp for stamp, _ in lines if stamp), rfc3339(written))
        found = []
        for own, text in lines:
            stamp = self._stamp = own or stamp
            found.append(Observation("log", stamp, self._part, {"text": text, "replica": self._replica}))
        return found


class Said:
    """What own code says from now on: its handlers and programs, of all replicas."""

    def __init__(self, folder: Path, sketch: Resolved) -> None:
        self._folder = folder
        self._logs = {path: Log(path, new=True) for path in folder.glob("*.*.log")}
        self.follow(sketch)

    def follow(self, sketch: Resolved) -> None:
        """This is live from now on."""
        self._parts = [part.name for part in sketch.consumers.values() if part.code]

    def poll(self) -> list[Sequence[Observation]]:
        """What was said since the last call, a list for each process."""
        paths = [path for part in self._parts for path in sorted(self._folder.glob(f"{part}.*.log"))]
        return [self._logs.setdefault(path, Log(path)).read() for path in paths]
