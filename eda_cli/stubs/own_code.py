"""The own code of a consumer: run as its part of the sketch says, its answers made events. Knows no membership."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from eda_cli.event import Delivery, Event
from eda_cli.payloads import MISSING, Rows
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.answers import Answer, CodeFailure, GoesOn, OwnCode
from eda_cli.stubs.attempts import InProgress
from eda_cli.stubs.handler import Copies, Handler
from eda_cli.stubs.inbox import lane_of
from eda_cli.stubs.loaded import Told
from eda_cli.stubs.part import Part
from eda_cli.stubs.program import Program, environment
from eda_cli.stubs.saying import Saying


class Code:
    """Lives as long as its stub, through all memberships. Raises EdaError where there is no such code."""

    def __init__(self, part: Part, consumer: Consumer) -> None:
        self.rows: Mapping[str, Rows] = {}  # own copies, for code that looks into them
        self.looks = bool(consumer.handler)  # a program cannot
        self._saying = Saying(part.sketch, consumer, part.source)
        self._marks = InProgress(part.folder / f"{part.process}.attempt") if consumer.handler else None
        self._code = open_code(consumer, part.folder, part.process, part.replica,
                               lambda: {name: _Looked(rows) for name, rows in self.rows.items()},
                               lambda kind, text: part.journal.tell(kind, text=text))

    def left(self) -> list[str]:
        """The events at which the process before this one ended: code in the stub's own process can end it."""
        return self._marks.left() if self._marks is not None else []

    def counted(self) -> None:
        """What was left is remembered, and not left any more."""
        if self._marks is not None:
            self._marks.end()

    def handle(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Iterator[tuple[int, Answer]]:
        """See `OwnCode.handle`."""
        if self._marks is None:
            yield from self._code.handle(deliveries, goes_on)
            return
        failed = set()
        for index, delivery in enumerate(deliveries):
            lane = lane_of(delivery)
            if lane is not None and lane in failed:
                continue
            self._marks.begin([delivery.identity])
            try:
                answers = [answer for _, answer in self._code.handle([delivery], goes_on)]
            except Exception:  # the membership is over, and not the process
                self._marks.end()
                raise
            self._marks.end()
            if not answers:
                return
            if isinstance(answers[0], CodeFailure):
                failed.add(lane)
            yield index, answers[0]

    def follow(self, answer: Sequence[Mapping[str, Any]], delivery: Delivery) -> list[tuple[str, Event]]:
        """The events that it said. Raises PayloadError."""
        return self._saying.follow(answer, delivery)

    def close(self) -> None:
        """Nothing of it is left."""
        self._code.close()
        if self._marks is not None:
            self._marks.close()


def open_code(consumer: Consumer, folder: Path, process: str, replica: int, copies: Copies,
              told: Told) -> OwnCode:
    """The handler or program of a consumer that has one; `folder` is the run's. Raises EdaError.

    A handler, too, finds its files beside the sketch: that becomes this process's folder. `copies` gives a handler the own
    copies; `told` is called when its code changed.
    """
    sketch = Path(orjson.loads((folder / "run.json").read_bytes())["path"]).parent
    if consumer.handler:
        os.chdir(sketch)
        return Handler(consumer.handler, sketch, consumer.timeout_s, copies, told)
    return Program(consumer.run, sketch, environment(folder, consumer.name, replica), folder, process, consumer.timeout_s)


class _Looked(Mapping[str, Any]):
    """An own copy as a handler sees it: read row by row, and not to be walked through."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, key: str) -> Any:
        if (row := self._rows.get(key)) is MISSING:
            raise KeyError(key)
        return row

    def __iter__(self) -> Iterator[str]:
        raise TypeError("an own copy is looked into by key: copy['purchases']['42'], or .get('42')")

    def __len__(self) -> int:
        raise TypeError("an own copy is looked into by key: copy['purchases']['42'], or .get('42')")
