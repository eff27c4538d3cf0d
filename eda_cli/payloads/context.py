"""What a value may look at while it is made. Knows nothing of how values are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from eda_cli.payloads.dice import Dice


class _Tombstone(Enum):
    TOMBSTONE = "$tombstone"


TOMBSTONE: Final = _Tombstone.TOMBSTONE
"""The whole body of an event that deletes its key: no bytes at all, not those of the JSON `null`."""


@dataclass(slots=True)
class Seen:
    """The event that paths and templates look at: being published (in a key) or being handled (in a rule).

    `body` is JSON data, text, or bytes that are neither, as `Event.body()` gives it; of a tombstone None or
    TOMBSTONE.
    """

    body: Any = None
    key: Any = None
    id: str | None = None
    type: str | None = None
    source: str | None = None
    time: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """One event's worth of circumstances.

    `random` has been rolled for this event: `dice.roll(number)` in a generator, `dice.roll(derived id)` in a
    rule. `number` counts a generator's events from 0; `now` is epoch seconds, in a rule those of the cause.
    """

    random: Dice
    now: float
    number: int = 0
    seen: Seen | None = None
