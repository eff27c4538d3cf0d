"""What a value may look at while it is made. Knows nothing of how values are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol

from eda_cli.payloads.dice import Dice
from eda_cli.payloads.problems import PayloadError


class _Tombstone(Enum):
    TOMBSTONE = "$tombstone"


TOMBSTONE: Final = _Tombstone.TOMBSTONE
"""The whole body of an event that deletes its key: no bytes at all, not those of the JSON `null`."""


class _Missing(Enum):
    MISSING = "there is none"


MISSING: Final = _Missing.MISSING
"""What is not there, where null would be something: a row may be null, and so may an item."""


class Rows(Protocol):
    """An own copy to look into, by the text of a record key (see `event.encode_key`)."""

    def get(self, key: str, /) -> Any:
        """The row as JSON data, or MISSING."""


class Found(Protocol):
    """What a `$lookup` finds for the event of a number: JSON data, or MISSING where its `else` is to be made."""

    def __call__(self, random: Dice, number: int, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Window:
    """A window that closes. `start` and `end` are RFC 3339; `results` has the value of each aggregate that is asked
    for, by the text that `aggregates` gives it, such as `sum($.x)`.
    """

    start: str
    end: str
    key: Any
    results: Mapping[str, Any]


@dataclass(slots=True)
class Seen:
    """The event that paths and templates look at: being published (in a key) or being handled (in a rule or fold).

    `body` is JSON data, text, or bytes that are neither, as `Event.body()` gives it, and `joined` is that of the
    other event; of a tombstone None or TOMBSTONE. `copy` and `was` are the own copies by name (Mapping[str, Rows]),
    after and before the event; in scope "fold" `was` is the row that there is so far. Both may be left out. In
    scope "generator" there is no event: `vars` are what its body made first, `entity` is whom it tells of (JSON data), and
    `was` are the fields that this one has so far.
    """

    body: Any = None
    key: Any = None
    id: str | None = None
    type: str | None = None
    source: str | None = None
    time: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    topic: str | None = None
    item: Any = MISSING
    index: Any = MISSING
    joined: Any = MISSING
    copy: Mapping[str, Rows] = field(default_factory=dict)
    was: Any = MISSING
    window: Window | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    entity: Any = MISSING


class NoJson(NamedTuple):
    """Stands for a body that says it is JSON and is none: what is to be said of it, and why it is none."""

    what: str
    why: str


_FIELDS = attrgetter(*Seen.__slots__)
_SLOTS = {name: getattr(Seen, name) for name in Seen.__slots__}


class Unreadable(Seen):
    """An event with a NoJson as `body` or `joined`: whoever looks there fails, and nobody else does."""

    __slots__ = ()
    body = property(lambda self: _readable(_SLOTS["body"].__get__(self)), _SLOTS["body"].__set__)
    joined = property(lambda self: _readable(_SLOTS["joined"].__get__(self)), _SLOTS["joined"].__set__)


def body_unread(seen: Seen) -> Any:
    """Its body, to be handed on and not looked into: may be a NoJson."""
    return _SLOTS["body"].__get__(seen)


def seen_beside(seen: Seen, **more: Any) -> Seen:
    """The same event, and these besides it. Nobody looks into its body by that."""
    fields = _FIELDS(seen) if type(seen) is Seen else [slot.__get__(seen) for slot in _SLOTS.values()]
    beside = Unreadable(*fields) if type(seen) is Unreadable or type(more.get("joined")) is NoJson else Seen(*fields)
    for name, value in more.items():
        setattr(beside, name, value)
    return beside


def _readable(value: Any) -> Any:
    if type(value) is NoJson:
        raise PayloadError(value.what, value.why)
    return value


@dataclass(slots=True)
class Context:
    """One event's worth of circumstances.

    `random` has been rolled for this event: `dice.roll(number)` in a generator, `dice.roll(derived id)` in a
    rule. `number` counts a generator's events from 0, `step` those of its entity (without entities, all of them), which is
    the `entity`-th (from 1; 0 without entities); `now` is epoch seconds, in a rule those of the cause. `lookups` has one
    for each `$lookup` of the body, in the order of `lookups_of`, which is asked by `serial`: the event's own number where
    `number` is that of the first one of its life.
    """

    random: Dice
    now: float
    number: int = 0
    seen: Seen | None = None
    step: int = 0
    entity: int = 0
    lookups: Sequence[Found] = ()
    serial: int = 0
