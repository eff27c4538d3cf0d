"""What an entity has: its fixed fields, and in its life the key and the fields so far. Knows no clock and no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from eda_cli.event import Event
from eda_cli.payloads import MISSING, TOMBSTONE, Context, Dice, Lives, Lookup, PayloadError, Seen, Value, compile_value
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.forms import key_of
from eda_cli.stubs.turns import Step

_MOST_KEPT = 100_000  # entities whose fixed fields are remembered: they can be drawn again


@dataclass(slots=True)
class _Own:
    """What an entity has in its present life: `number` is that of its first event, `said` are the fields as JSON."""

    number: int
    key: Any = None
    fields: dict[str, Any] = field(default_factory=dict)
    said: bytes = b"{}"


class Having:
    """The fixed fields of each entity, `$entity.name`: a pure function of (seed, part, entity); `began` is their `now()`."""

    def __init__(self, generator: Generator, seed: int, began: float) -> None:
        have: Mapping[str, Any] = generator.entities.have if generator.entities else {}
        self._values: list[tuple[str, Value]] = [(name, compile_value(raw, "generator")) for name, raw in have.items()]
        self._dice = Dice(seed, generator.name, "have")
        self._began = began
        self._kept: dict[int, dict[str, Any]] = {}

    def of(self, entity: int) -> dict[str, Any]:
        """Its number and its fields. Raises PayloadError."""
        if not self._values:
            return {"number": entity}
        kept = self._kept.get(entity)
        if kept is None:
            context = Context(self._dice.roll(entity), self._began, entity - 1, entity=entity)
            context.seen = Seen(entity={"number": entity})
            kept = {"number": entity, **{name: value(context) for name, value in self._values}}
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[entity] = kept
        return kept


class Living:
    """The entities of a generator with `$states`: what each says on entering a state, and what it has then."""

    def __init__(self, lives: Lives, generator: Generator, seed: int) -> None:
        self._lives = lives
        self._event = generator.event
        self._keys = Dice(seed, generator.name, "lives")
        self._own: dict[int, _Own] = {}
        self._stored: dict[int, bytes] = {}

    @property
    def lookups(self) -> Sequence[Lookup]:
        """What their bodies look up."""
        return self._lives.lookups

    def recall(self, entity: int, own: bytes) -> None:
        """What `own` gave before the process began."""
        self._stored[entity] = own

    def own(self, entity: int) -> bytes | None:
        """What an entity has, to be kept; None where it never spoke."""
        own = self._own.get(entity)
        if own is None:
            return self._stored.get(entity)
        return b"[%d,%b,%b]" % (own.number, orjson.dumps(own.key), own.said)

    def say(self, context: Context, seen: Seen, state: str, born: bool) -> Any:
        """The body of the state that an entity enters: its fields, on top of those that it has. Raises PayloadError."""
        own = self._begin(context, seen) if born else self._of(context)
        context.number = own.number
        seen.entity = {**seen.entity, "key": own.key}
        seen.was = own.fields
        said = self._lives.bodies[state](context)
        if said is TOMBSTONE:
            return said
        if not isinstance(said, dict):
            raise PayloadError(f"the body of the state '{state}' is no map", "its fields come on top of those that it has")
        return {**own.fields, **said}

    def type_of(self, state: str) -> str:
        """The type of the event that tells of a state."""
        return self._lives.states[state].event or self._event

    def kept(self, entity: int, body: Any, event: Event) -> None:
        """Its event is made: from now on it has what it says there."""
        if body is not TOMBSTONE and event.data is not None:
            own = self._own[entity]
            own.fields, own.said = body, _trimmed(event.data)

    def fields(self, entity: int) -> dict[str, Any]:
        """What an entity has."""
        return self._own[entity].fields

    def key(self, entity: int) -> bytes | None:
        """The record key of its events, where nobody says another one. Raises PayloadError."""
        key = self._own[entity].key
        return None if key is None else key_of(key)

    def _begin(self, context: Context, seen: Seen) -> _Own:
        own = self._own[context.entity] = _Own(context.number)
        if self._lives.key is not None:
            seen.was = MISSING
            dice = self._keys.roll(f"{context.entity}/{context.step}")
            own.key = self._lives.key(Context(dice, context.now, context.number, seen, context.step, context.entity))
        return own

    def _of(self, context: Context) -> _Own:
        own = self._own.get(context.entity)
        if own is None:
            stored = self._stored.pop(context.entity, None)
            if stored is None:  # its first event could not be told, or the sketch had no lives then
                own = _Own(context.number)
            else:
                own = _Own(*orjson.loads(stored))
                own.said = _trimmed(orjson.dumps(own.fields))
            self._own[context.entity] = own
        return own


def _trimmed(data: bytes) -> bytes:
    """The same bytes, to be kept for long: those that orjson gives sit in 4 KB."""
    return bytes(memoryview(data))


def step_of(lives: Lives, part: str, seed: int) -> Step:
    """Which state an entity enters, and how long it stays: a pure function of (seed, part, entity, step)."""
    dice = Dice(seed, part, "steps")

    def step(entity: int, step: int, state: str) -> tuple[str, bool, float]:
        draw = dice.roll(f"{entity}/{step}")
        follows = lives.after(state, draw.random())
        entered = follows if follows is not None else lives.first(draw.random())
        return entered, follows is None, draw.uniform(*lives.states[entered].after_s)

    return step


def paused(every: tuple[float, float], part: str, seed: int) -> Step:
    """An entity without a life pauses: a pure function of (seed, part, entity, step)."""
    dice = Dice(seed, part, "every")
    low, high = every
    if low == high:
        return lambda entity, step, state: ("", False, low)
    return lambda entity, step, state: ("", False, dice.roll(f"{entity}/{step}").uniform(low, high))
