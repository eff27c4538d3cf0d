"""The journal: what each process of a run tells, as lines of JSON, and how to listen to it.

Knows neither processes nor channels. An observation is one line of `<process>.jsonl`. Single events are sampled above
LINES_PER_S (none is where the environment sets WHOLE), while the `counted` line behind each batch always holds the exact
totals. Over 250 lines because writing and reading share what a line and its totals are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from eda_cli.dead_letter import redriven
from eda_cli.event import Delivery, Event, rfc3339

LINES_PER_S = 200  # events a process tells one by one; above it samples
WHOLE = "EDA_WHOLE_JOURNAL"  # set in the environment of a run: every event has its lines, whatever they cost
BODY_SHOWN = 2_000  # bytes of a body that an observation carries
FILE_LIMIT = 32 * 1024 * 1024  # bytes; then the file moves to `.jsonl.1` and a new one begins
COUNTED_EVERY = 16 * 1024  # bytes at most between two `counted` lines
LINES_KEPT = 1_000  # lines that wait while the disk is full
_TAIL = 64 * 1024  # bytes at the end of a file that are looked at first

Counts = dict[str, dict[str, int]]  # kind -> topic (or process, or fault) -> how many since the run's events began


@dataclass(slots=True)
class Observation:
    """One line of a journal: what happened when, and to which part; `fields` is the rest of the line."""

    kind: str
    time: str
    part: str
    fields: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_line(cls, line: bytes) -> Observation:
        """Raises ValueError where the line is none (a torn one, say)."""
        data = orjson.loads(line)
        try:
            return cls(data.pop("kind"), data.pop("time"), data.pop("part"), data)
        except (KeyError, AttributeError, TypeError) as wrong:
            raise ValueError("not an observation") from wrong

    def to_line(self) -> bytes:
        return orjson.dumps({"kind": self.kind, "time": self.time, "part": self.part, **self.fields})


class Journal:
    """Writes the observations of one process; each batch is one write, so lines never mix.

    `counts` go on where the file's last `counted` line left them. A full disk stops nobody: what cannot be written
    waits, and what does not fit into LINES_KEPT is left out; the counts are told whole once there is room.
    """

    def __init__(self, path: Path, part: str, replica: int = 0) -> None:
        self._path = path
        self._about = {"part": part, **({"replica": replica} if replica else {})}
        self.counts: Counts = last_counts(path)
        self.faults: Mapping[str | None, Sequence[str]] = {}  # by the id of the event: what lines say of it
        self._fd = _append(path)
        self._size = os.fstat(self._fd).st_size
        self._lines: list[bytes] = []
        self._uncounted = 0  # bytes since the last `counted` line
        self._torn = False  # the last line was not written whole
        self._whole = bool(os.environ.get(WHOLE))
        self._tokens = float(LINES_PER_S)
        self._refilled = time.monotonic()

    def tell(self, kind: str, **fields: Any) -> None:
        """Something that is no event happened: written at once."""
        self._lines.append(self._line(kind, fields))
        self._write()

    def published(self, topic: str, events: Sequence[Event], receipts: Sequence[Any]) -> None:
        """These are stored; `receipts` (partition, offset, published) stand in the same order."""
        self._count("published", topic, len(events))
        for index in range(self._allowed(len(events))):
            event, receipt = events[index], receipts[index]
            self._lines.append(self._line("published", {
                "topic": topic, "partition": receipt.partition, "offset": receipt.offset,
                **({"faults": self.faults[event.id]} if event.id in self.faults else {}), **shown(event)}))

    def unpublished(self, topic: str, event: Event, reason: str, made: bool = True) -> None:
        """This could not be `made`, so that it is a header alone, or the channel never takes it: it counts as failed."""
        self._count("failed", topic, 1)
        if self._allowed(1):
            self._lines.append(self._line("failed", {"topic": topic, "partition": None, "offset": None, **shown(event),
                                                     "reason": reason, **({} if made else {"made": False})}))

    def consumed(self, kind: str, deliveries: Sequence[Delivery], **fields: Any) -> None:
        """These were received, handled or failed (`kind`), just now."""
        if not deliveries:
            return
        moment = time.time()
        topics: dict[str, int] = {}
        for delivery in deliveries:
            topics[delivery.topic] = topics.get(delivery.topic, 0) + 1
        for topic, many in topics.items():
            self._count(kind, topic, many)
        for delivery in deliveries[:self._allowed(len(deliveries))]:
            self._lines.append(self._line(kind, {
                "topic": delivery.topic, "partition": delivery.partition, "offset": delivery.offset,
                "after_ms": round((moment - delivery.published) * 1000, 1), **shown(delivery.event), **fields}))

    def count(self, kind: str, name: str) -> None:
        """One more of what is counted but is no event."""
        self._count(kind, name, 1)
        self.flush()

    def count_events(self, kind: str, topic: str, many: int) -> None:
        """So many more events of a topic that have no line of this kind."""
        self._count(kind, topic, many)

    def count_all(self, kind: str, totals: Mapping[str, int]) -> None:
        """The totals of a kind that somebody else keeps."""
        if totals:
            self.counts[kind] = dict(totals)

    def flush(self) -> None:
        """Write what was told since, with the totals behind it."""
        self._lines.append(self._line("counted", {"counts": self.counts}))
        self._write(counted=True)

    def close(self) -> None:
        if self._lines:
            self.flush()
        os.close(self._fd)

    def _line(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        return orjson.dumps({"kind": kind, "time": rfc3339(time.time()), **self._about, **fields})

    def _count(self, kind: str, topic: str, many: int) -> None:
        by_topic = self.counts.setdefault(kind, {})
        by_topic[topic] = by_topic.get(topic, 0) + many

    def _allowed(self, wanted: int) -> int:
        if self._whole:
            return wanted
        moment = time.monotonic()
        self._tokens = min(LINES_PER_S, self._tokens + (moment - self._refilled) * LINES_PER_S)
        self._refilled = moment
        allowed = min(wanted, int(self._tokens))
        self._tokens -= allowed
        return allowed

    def _write(self, counted: bool = False) -> None:
        size = sum(map(len, self._lines)) + len(self._lines)
        self._uncounted = 0 if counted else self._uncounted + size
        if self._uncounted > COUNTED_EVERY:
            self._lines.append(self._line("counted", {"counts": self.counts}))
            self._uncounted = 0
        try:
            if self._size + size > FILE_LIMIT:
                self._turn_over()
            data = (b"\n" if self._torn else b"") + b"\n".join(self._lines) + b"\n"
            written = os.write(self._fd, data)
        except OSError:
            self._lines = self._lines[-LINES_KEPT:]
            return
        self._size += written
        self._torn = written < len(data)
        self._lines = []

    def _turn_over(self) -> None:
        with suppress(FileNotFoundError):  # it moved at an earlier try, which then found no room for a new one
            self._path.replace(_older(self._path))
        new = _append(self._path)
        os.close(self._fd)
        self._fd, self._size, self._torn = new, 0, False
        self._lines.insert(0, self._line("counted", {"counts": self.counts}))


Marks = Mapping[str, int]  # file -> how much of it was written


def marks(folder: Path) -> Marks:
    """How far the journals of a run are: what is told from now on is behind that."""
    try:
        return {path.name: path.stat().st_size for path in folder.iterdir() if path.suffix == ".jsonl"}
    except FileNotFoundError:
        return {}


class Listener:
    """Reads what the processes of a run tell, in the order of time as far as one look shows it.

    `since` None reads all that is kept; else only what was told behind those marks. Then `past` holds what stood
    shortly before them, the latest totals among it. Files that appear later are read whole.
    """

    def __init__(self, folder: Path, since: Marks | None = None) -> None:
        self._folder = folder
        self._open: dict[str, _Tail] = {}
        self.past: list[Observation] = []
        if since:
            self.past = in_order([last_observations(folder / name, size) for name, size in since.items()])
            for name, size in since.items():
                with suppress(FileNotFoundError):
                    self._open[name] = _Tail(folder / name, size)

    def poll(self) -> list[Observation]:
        """What was told since the last call; never waits."""
        for path in self._files():
            if path.name not in self._open:
                self._open[path.name] = _Tail(path, 0)
        return in_order([tail.read() for tail in self._open.values()])

    def close(self) -> None:
        for tail in self._open.values():
            tail.close()

    def _files(self) -> Iterable[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.suffix == ".jsonl"]
        except FileNotFoundError:
            return []


class _Tail:
    """One journal file, followed across its turning over."""

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._rest = b""
        if start <= os.fstat(self._fd).st_size:  # else it turned over meanwhile
            os.lseek(self._fd, start, os.SEEK_SET)

    def read(self) -> list[Observation]:
        seen = self._read_open()
        try:
            turned = self._path.stat().st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return seen
        if turned:
            seen += self._read_open()
            os.close(self._fd)
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            self._rest = b""
            seen += self._read_open()
        return seen

    def close(self) -> None:
        os.close(self._fd)

    def _read_open(self) -> list[Observation]:
        chunks = [self._rest]
        while chunk := os.read(self._fd, 1 << 20):
            chunks.append(chunk)
        lines = b"".join(chunks).split(b"\n")
        self._rest = lines.pop()
        return list(_parsed(lines))


def _parsed(lines: Iterable[bytes]) -> Iterable[Observation]:
    for line in lines:
        try:
            yield Observation.from_line(line)
        except ValueError:  # torn by a kill in the middle of a write
            continue


def last_counts(path: Path) -> Counts:
    """The totals of a journal file; empty where it has none yet."""
    for file in (path, _older(path)):  # a kill may have come between turning over and the first line
        for observation in reversed(last_observations(file)):
            if observation.kind == "counted":
                counts: Counts = observation.fields["counts"]
                return counts
    return {}


def last_observations(path: Path, end: int | None = None) -> list[Observation]:
    """What stands at the end of a journal file (or before `end`), oldest first: its last totals are among it."""
    try:
        with path.open("rb") as file:
            whole = file.seek(0, os.SEEK_END)
            size = whole if end is None or end > whole else end
            window = _TAIL
            while True:
                file.seek(max(0, size - window))
                seen = list(_parsed(file.read(min(window, size)).split(b"\n")))
                if window >= size or any(one.kind == "counted" for one in seen):
                    return seen
                window *= 4
    except FileNotFoundError:
        return []


def in_order(files: Iterable[Sequence[Observation]]) -> list[Observation]:
    """The observations of several files by time, each file in its own order, whatever its clock did."""
    timed: list[tuple[str, Observation]] = []
    for seen in files:
        latest = ""
        for one in seen:
            latest = max(latest, one.time)
            timed.append((latest, one))
    timed.sort(key=itemgetter(0))
    return [one for _, one in timed]


def _older(path: Path) -> Path:
    """Where a full file moves."""
    return path.with_name(path.name + ".1")


def _append(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":  # a kill tore the last line: it must not spoil the next
        os.write(fd, b"\n")
    return fd


def shown(event: Event) -> dict[str, Any]:
    """What an observation tells of an event: its body as text, cut at BODY_SHOWN bytes (`size` is the whole)."""
    data = event.data
    shown: dict[str, Any] = {"id": event.id, "type": event.type}
    if event.key is not None:
        shown["key"] = event.key.decode(errors="replace")
    if data is not None:
        shown["body"] = data[:BODY_SHOWN].decode(errors="replace")
        shown["size"] = len(data)
    if event.causationid is not None:
        shown["causationid"] = event.causationid
    if times := redriven(event):
        shown["redriven"] = times
    return shown
