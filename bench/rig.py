"""The real `eda` in a home of its own; the journals of its processes are the clock. Knows no channel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from bench.by_hand import WARM
from eda_cli import lock
from eda_cli.event import epoch

PATIENCE_S = 300.0
LOOK_S = 0.2  # seldom, so that looking costs nothing of what is measured
_TAIL = 4096

T = TypeVar("T")


class Lap(NamedTuple):
    """So many events in so many seconds."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class Memory(NamedTuple):
    """Of one process, in MB. What it shares with others counts by its share in `pss`, and whole in `rss`."""

    pss: float
    rss: float


class Rig:
    """One `EDA_HOME`; `close` ends whatever runs there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._sketches = home.with_name(f"{home.name}-sketches")
        self._sketches.mkdir()
        self.environ = {**os.environ, "EDA_HOME": str(home), "PYTHONUNBUFFERED": "1"}

    def __call__(self, *args: str) -> str:
        """A command that ends; its stdout. Raises RuntimeError where it fails."""
        done = subprocess.run([sys.executable, "-m", "eda_cli", *args], env=self.environ, capture_output=True,
                              text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"eda {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def write(self, sketch: dict[str, Any]) -> Path:
        """The sketch as a file (JSON is YAML)."""
        path = self._sketches / f"{sketch['name']}.yaml"
        path.write_bytes(orjson.dumps(sketch))
        return path

    def up(self, sketch: dict[str, Any]) -> Run:
        """Start the sketch, or bring the run of its name to what it says now."""
        self("up", str(self.write(sketch)), "-d", "--wait-timeout", str(PATIENCE_S))
        return self.run(sketch["name"])

    def run(self, name: str) -> Run:
        return Run(self.home / name)

    def down(self, run: str) -> None:
        self("down", "--run", run)

    def close(self) -> None:
        subprocess.run([sys.executable, "-m", "eda_cli", "down", "--all"], env=self.environ,
                       capture_output=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)


class Run:
    """A run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def address(self) -> dict[str, Any]:
        """Where its event channel is."""
        address: dict[str, Any] = orjson.loads((self.folder / "channel.json").read_bytes())
        return address

    def wait_for(self, process: str, kind: str, many: int, published: int = 0) -> Lap:
        """Until a process counts so many events of a kind, and so many that it published; measured once WARM are through."""
        began, first = self._when(process, kind, round(many * WARM))
        ended, last = self._when(process, kind, many)
        if published:
            ended = max(ended, self._when(process, "published", published)[0])
        return Lap(last - first, ended - began)

    def _when(self, process: str, kind: str, many: int) -> tuple[float, int]:
        """The moment when a process has counted so many, and how many it were then."""
        eventually(lambda: self._counted_last(process, kind) >= many)
        return next(lap for lap in self._counted(process, kind) if lap[1] >= many)

    def after_ms(self, process: str) -> list[float]:
        """How long after its publishing each event was handled, of those that the process told one by one."""
        return [line["after_ms"] for line in self._lines(process) if line["kind"] == "handled"]

    def memory(self, process: str) -> Memory:
        """Of a process that is alive."""
        pid = eventually(lambda: lock.holder(self.folder / f"{process}.lock"))
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        said = dict(line.split(":") for line in rollup.splitlines()[1:])
        return Memory(*(int(said[name].split()[0]) / 1024 for name in ("Pss", "Rss")))

    def _lines(self, process: str) -> Iterator[dict[str, Any]]:
        for path in (self.folder / f"{process}.jsonl.1", self.folder / f"{process}.jsonl"):
            if path.exists():
                whole = path.read_bytes().rpartition(b"\n")[0]  # a line may be under way
                yield from map(orjson.loads, whole.splitlines())

    def _counted(self, process: str, kind: str) -> Iterator[tuple[float, int]]:
        for line in self._lines(process):
            if line["kind"] == "counted" and kind in line["counts"]:
                yield epoch(line["time"]), sum(line["counts"][kind].values())

    def _counted_last(self, process: str, kind: str) -> int:
        path = self.folder / f"{process}.jsonl"
        if not path.exists():
            return 0
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = [line for line in file.read().splitlines() if line.startswith(b'{"kind":"counted"')]
        return sum(orjson.loads(lines[-1])["counts"].get(kind, {}).values()) if lines else 0


def eventually(look: Callable[[], T], seconds: float = PATIENCE_S) -> T:
    """What `look` gives once it gives something. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise TimeoutError(f"nothing came in {seconds:g} s")
        time.sleep(LOOK_S)
    return found


def alone(module: str, *args: str) -> subprocess.Popen[bytes]:
    """A module of ours in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", module, *args], stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL)


def result(process: subprocess.Popen[bytes]) -> Any:
    """Its last line (None where it said nothing), once it ended. Raises RuntimeError where it failed."""
    out, _ = process.communicate(timeout=PATIENCE_S)
    if process.returncode:
        raise RuntimeError(f"{process.args!r}: exit {process.returncode}")
    return orjson.loads(out.splitlines()[-1]) if out else None
