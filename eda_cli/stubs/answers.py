"""Own code in place of a stub's rules: what it is asked and what it answers. Knows not how it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from eda_cli.event import Delivery

KEEP_S = 0.2  # between two times that `goes_on` is asked
_SHOWN = 80  # characters of a wrong answer that are told


@dataclass(frozen=True, slots=True)
class CodeFailure:
    """The code has no answer to an event: why, in one line; whether the program that ran it ended by that."""

    reason: str
    died: bool = False


Answer = Sequence[Mapping[str, Any]] | CodeFailure  # the events that it said, as it wrote them

# Asked at least every KEEP_S while the code works. Waits so many seconds itself (mostly 0), or until it would say
# False: stopping is wished, or the work is to be dropped. It may keep the membership of a group meanwhile.
GoesOn = Callable[[float], bool]


class OwnCode(Protocol):
    """One handler or program, living as long as its stub."""

    def handle(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Iterator[tuple[int, Answer]]:
        """(index, answer) for each delivery in their order, as soon as it is known.

        Behind a failure, later deliveries of the same topic, partition and key stay unanswered and are not handed to the
        code: their order holds, whether the failed one is tried again or given up. Hand them in again. Where `goes_on`
        says False, or the caller stops iterating, the rest stays unanswered too; the code may have seen some of it.
        """

    def close(self) -> None:
        """End the code. Nothing that it started as a program is left."""


def read_answer(line: bytes) -> Answer:
    """What a program answered with one line: a JSON array of objects."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return CodeFailure(f"its answer is no JSON: {shown(line)}")
    if not isinstance(said, list):
        return CodeFailure(f"its answer is no JSON array of events: {shown(line)}")
    if not all(isinstance(item, dict) for item in said):
        return CodeFailure(f"its answer holds something that is no JSON object: {shown(line)}")
    return said


def shown(text: bytes | str) -> str:
    """What code said, as an error quotes it: short, and without a sign that a terminal would obey."""
    if isinstance(text, bytes):
        text = text[: 4 * _SHOWN].decode(errors="backslashreplace")
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text[: 2 * _SHOWN])
    return (line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…") or "an empty line"
