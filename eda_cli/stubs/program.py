"""Own code as a program in any language: an event a line on its stdin, an array of events a line on its stdout.

Several events are on their way at once, never two of one key; answers come in their order. A program that dies or is
too slow fails the event it was at, and is started again for the others. Knows not what its answers are for.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from eda_cli.errors import EdaError
from eda_cli.event import Delivery, to_line
from eda_cli.log import log
from eda_cli.stubs.answers import KEEP_S, Answer, CodeFailure, GoesOn, read_answer, shown
from eda_cli.stubs.inbox import lane_of
from eda_cli.stubs.spawned import LINE_MAX, Launch, Spawned
from eda_cli.technologies import TECHNOLOGIES

AT_ONCE = 64  # events on their way: what pipes and the program's own buffers make of it, and what a death sends twice
BYTES_AT_ONCE = 1024 * 1024
BACKOFF_S = (0.1, 5.0)  # the pause before a program starts again that died twice without an answer, and the longest


@dataclass(slots=True)
class _Sent:
    index: int
    delivery: Delivery
    lane: Hashable
    size: int
    wanted: bool = True  # False once nobody waits for its answer any more


@dataclass(slots=True)
class _Work:
    """The deliveries of one call that are not answered yet."""

    unsent: deque[tuple[int, Delivery]]
    failed: set[Hashable] = field(default_factory=set)  # lanes


def environment(folder: Path, part: str, replica: int) -> dict[str, str]:
    """What a program finds in its environment: ours, and what it needs to join the run by itself."""
    info = orjson.loads((folder / "run.json").read_bytes())
    address = orjson.loads((folder / "channel.json").read_bytes())
    given = {"EDA_RUN": info["name"], "EDA_HOME": str(folder.parent), "EDA_PART": part, "EDA_REPLICA": str(replica)}
    if variable := TECHNOLOGIES[address["channel"]].variable:
        given[variable] = address["at"]
    # Python keeps what it prints to a pipe back, and the answer would never come.
    return {"PYTHONUNBUFFERED": "1", **os.environ, **given}


class Program:
    """The program of one stub process, started again when it ends. Raises EdaError where there is no such program."""

    def __init__(self, command: Sequence[str], cwd: Path, environ: Mapping[str, str], folder: Path, process: str,
                 timeout_s: float) -> None:
        self._launch = Launch((_found(command[0], cwd, environ), *command[1:]), cwd, environ, folder, process)
        self._timeout_s = timeout_s
        self._sent: deque[_Sent] = deque()
        self._first_since = 0.0  # when the first of them became the first
        self._asked = 0.0  # when `goes_on` was asked last
        self._deaths = 0  # in a row, without an answer
        self._spawned: Spawned | None = Spawned(self._launch)

    def handle(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Iterator[tuple[int, Answer]]:
        """See OwnCode."""
        work = _Work(deque(enumerate(deliveries)))
        self._notice_idle()
        self._first_since = time.monotonic()
        try:
            while work.unsent or any(sent.wanted for sent in self._sent):
                if self._spawned is None and not self._start(goes_on):
                    return
                self._send(work)
                if not self._sent:
                    continue
                if time.monotonic() - self._asked >= KEEP_S:
                    if not goes_on(0.0):
                        return
                    self._asked = time.monotonic()
                answered = self._hear(work)
                yield from answered
                if answered:
                    self._first_since = time.monotonic()  # whoever took them may have taken its time
        finally:
            for sent in self._sent:
                sent.wanted = False

    def close(self) -> None:
        """See OwnCode."""
        if self._spawned is not None:
            self._spawned.close()
            self._spawned = None

    def _notice_idle(self) -> None:
        """What it did while nobody asked it anything. One that never stops talking is not heard to its end."""
        unasked: list[bytes | None] = []
        until = time.monotonic() + KEEP_S
        while self._spawned is not None and not self._sent:
            unasked += (lines := self._spawned.hear(0.0))
            if self._spawned.silent:
                log(f"{self._launch.command[0]}: {self._spawned.bury()}; it is started again")
                self._spawned = None
            elif not lines or time.monotonic() >= until:
                break
        _tell_unasked(unasked)

    def _start(self, goes_on: GoesOn) -> bool:
        """Start it, after a pause where it keeps dying; False where the work ends meanwhile."""
        first, longest = BACKOFF_S
        until = time.monotonic() + (min(first * 2 ** (self._deaths - 2), longest) if self._deaths > 1 else 0.0)
        while (left := until - time.monotonic()) > 0:
            if not goes_on(min(left, KEEP_S)):
                return False
        self._spawned = Spawned(self._launch)
        self._first_since = time.monotonic()
        return True

    def _send(self, work: _Work) -> None:
        """As many as may be on their way, in their order."""
        assert self._spawned is not None
        on_way = {sent.lane for sent in self._sent if sent.lane is not None}
        size = sum(sent.size for sent in self._sent)
        while work.unsent and len(self._sent) < AT_ONCE and size < BYTES_AT_ONCE:
            index, delivery = work.unsent[0]
            its = lane_of(delivery)
            if its in on_way:
                return
            work.unsent.popleft()
            if its is not None and its in work.failed:
                continue
            line = to_line(delivery.event, delivery)
            if not self._sent:
                self._first_since = time.monotonic()
            self._sent.append(_Sent(index, delivery, its, len(line)))
            self._spawned.send(line)
            if its is not None:
                on_way.add(its)
            size += len(line)

    def _hear(self, work: _Work) -> list[tuple[int, Answer]]:
        """What is answered by now, or failed."""
        assert self._spawned is not None
        heard = self._spawned.hear(min(KEEP_S, max(0.0, self._first_since + self._timeout_s - time.monotonic())))
        answered: list[tuple[int, Answer]] = []
        for place, line in enumerate(heard):
            if not self._sent:
                _tell_unasked(heard[place:])
                break
            self._deaths = 0
            too_long = CodeFailure(f"its answer is longer than {LINE_MAX // 1024 // 1024} MB")
            answered += self._settle(work, too_long if line is None else read_answer(line))
        if self._spawned.silent:
            answered += self._lost(work, CodeFailure(f"{self._spawned.bury()}; it had not answered", died=True))
        elif not heard and self._sent and time.monotonic() >= self._first_since + self._timeout_s:
            self._spawned.kill()
            answered += self._lost(work, CodeFailure(f"no answer within {self._timeout_s:g}s"))
        return answered

    def _settle(self, work: _Work, answer: Answer) -> list[tuple[int, Answer]]:
        """The first that was sent has its answer."""
        sent = self._sent.popleft()
        self._first_since = time.monotonic()
        if not sent.wanted:
            return []
        if isinstance(answer, CodeFailure) and sent.lane is not None:
            work.failed.add(sent.lane)
        return [(sent.index, answer)]

    def _lost(self, work: _Work, failure: CodeFailure) -> list[tuple[int, Answer]]:
        """The program is gone: the first fails, and what was sent behind it is sent again."""
        self._spawned = None
        if not self._sent:
            log(f"{self._launch.command[0]}: {failure.reason}; it is started again")
            return []
        self._deaths += 1
        answered = self._settle(work, failure)
        work.unsent.extendleft((sent.index, sent.delivery) for sent in reversed(self._sent) if sent.wanted)
        self._sent.clear()
        return answered


def _tell_unasked(lines: Sequence[bytes | None]) -> None:
    """Once for all of them: a program that talks on and on would fill the log."""
    if lines:
        first = shown(lines[0]) if lines[0] is not None else "a long one"
        more = f", and {len(lines) - 1:,} more" if len(lines) > 1 else ""
        log(f"warning: the program said a line that nothing was asked for: {first}{more}")


def _found(name: str, cwd: Path, environ: Mapping[str, str]) -> str:
    """The file of the program, looked for as a shell in that folder would."""
    path = str(cwd / name) if "/" in name else shutil.which(name, path=environ.get("PATH"))
    if path is not None and Path(path).is_file() and os.access(path, os.X_OK):
        return path
    if path is not None and Path(path).exists():
        raise EdaError(f"the program {shown(name)} cannot be started", f"{path} is not executable",
                       f"say what runs it (run: sh {name}), or: chmod +x {path}")
    raise EdaError(f"the program {shown(name)} cannot be started", f"there is no such file in {cwd}" if "/" in name else
                   "there is no such command in PATH", f"a file beside the sketch is ./{name}" if "/" not in name else "")
