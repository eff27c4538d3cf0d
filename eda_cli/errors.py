"""The errors a user can meet, each with its exit code. Knows nothing of what raises them.

EdaError                   1  ran and failed
├── UsageError             2  wrong usage
│   └── SketchError        2  the sketch is not valid; carries every problem at once
├── ExpectationFailed      3  an expectation of the user did not hold
├── Unreachable            4  no run, engine or broker to be reached
│   └── NoRun              4  a run is needed and none is up
├── NotReady               5  not ready in time
├── Forgetful              1  what a part remembers cannot be read or written
├── Futile                 1  what a part waits for can never come
└── ChannelError           1  the event channel could not do it
    ├── BrokerUnreachable  4  the broker does not answer
    │   └── BrokerRefused  4  it does, and one of the two does not let the other in
    ├── UnknownTopic       1  the channel has no such topic
    ├── EventRefused       1  the channel will never take this event
    └── PublishError       1  some events are not stored; names them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class EdaError(Exception):
    """What happened, why, and what to do next: one line each."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.hint) if line)

    @property
    def line(self) -> str:
        """What and why on one line, as a journal tells it."""
        return ": ".join(part.replace("\n", " ") for part in (self.what, self.why) if part)


class UsageError(EdaError):
    """The command was called in a way it does not understand."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a sketch. `line` and `column` count from 1; 0 means the whole file."""

    line: int
    column: int
    what: str
    why: str = ""
    hint: str = ""  # what to do: "did you mean 'publishes'?"

    def text(self, file: str, level: str = "") -> str:
        """`sketch.yaml:14:9: what: why; hint`, the form editors jump to; a `level` stands before what."""
        place = f"{file}:{self.line}:{self.column}" if self.line else file
        said = ": ".join(part for part in (level, self.what, self.why) if part)
        return f"{place}: {said}" + (f"; {self.hint}" if self.hint else "")


class SketchError(UsageError):
    """The sketch is not valid; `problems` holds every one of them, in the order of the file.

    `warnings` are of what else looks unintended in it, as far as it can be read.
    """

    def __init__(self, file: str, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        self.file = file
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(problem.text(file) for problem in self.problems))


class ExpectationFailed(EdaError):
    """Something the user expected did not happen."""

    exit_code = 3


class Unreachable(EdaError):
    """No run, container engine or broker could be reached."""

    exit_code = 4


class NoRun(Unreachable):
    """The command needs a run that is up, and there is none."""


class NotReady(EdaError):
    """Something did not become ready in the time it was given."""

    exit_code = 5


class Forgetful(EdaError):
    """What a part remembers could not be read or written."""


class Futile(EdaError):
    """What a part waits for can never come, and starting it again would not change that: its process ends with `status`."""

    status = 76


class ChannelError(EdaError):
    """The event channel could not do what it was asked."""


class BrokerUnreachable(ChannelError):
    """The broker does not answer."""

    exit_code = 4


class BrokerRefused(BrokerUnreachable):
    """The broker is there, and does not let us in, or we do not trust it: what to mend is known."""


class UnknownTopic(ChannelError):
    """The channel has no such topic; `topic` names it."""

    def __init__(self, topic: str, why: str = "", hint: str = "") -> None:
        super().__init__(f"there is no topic '{topic}'", why, hint)
        self.topic = topic


class EventRefused(ChannelError):
    """The channel will never take this event, however often it is tried; `id` is the event's."""

    def __init__(self, what: str, why: str = "", hint: str = "", *, id: str | None = None) -> None:
        super().__init__(what, why, hint)
        self.id = id


class PublishError(ChannelError):
    """Some events are not stored: `unstored` holds their ids, in the order they were published.

    The events that were stored are in `receipts`, as `flush` would have returned them. `refused` are those of
    the unstored that the channel will never take, by id, each with why.
    """

    def __init__(self, what: str, why: str = "", hint: str = "", *, unstored: Sequence[str | None] = (),
                 receipts: Sequence[Any] = (), refused: Mapping[str | None, EventRefused] | None = None) -> None:
        super().__init__(what, why, hint)
        self.unstored = tuple(unstored)
        self.receipts = tuple(receipts)
        self.refused = dict(refused or {})
