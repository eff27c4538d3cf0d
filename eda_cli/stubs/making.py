"""Makes the events of a generator. Knows no channel and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from eda_cli.event import Event, rfc3339
from eda_cli.payloads import (
    TOMBSTONE,
    Context,
    Dice,
    Found,
    Lookup,
    PayloadError,
    Seen,
    Value,
    compile_value,
    event_id,
    lookups_of,
)
from eda_cli.sketch.resolved import Generator, Topic
from eda_cli.stubs.forms import as_failure, encoded, headers_maker, record_key
from eda_cli.stubs.lives import Having, Living

Failed = list[tuple[int, Event, PayloadError]]  # an event that could not be made: its number, its header, and why


class Wanted(NamedTuple):
    """An event to be made: its number, and when it happens (epoch seconds); see `Context`.

    It is that of an entity entering a `state`, in which its life begins where it is `born`; without lives there is none.
    """

    number: int
    now: float
    step: int
    entity: int = 0
    state: str = ""
    born: bool = False

    @property
    def lot(self) -> int | str:
        """What is drawn for it is drawn by this: an entity's step says the same whatever number it has."""
        return f"{self.entity}/{self.step}" if self.entity else self.number


Look = Callable[[Sequence[Lookup]], Sequence[Found]]


def generator_events(topic: Topic, generator: Generator, seed: int, source: str, look: Look = lambda lookups: (),
                     having: Having | None = None, living: Living | None = None
                     ) -> Callable[[Iterable[Wanted]], tuple[list[Event], Failed]]:
    """A function from what is wanted to events, and to those that could not be made.

    The same seed, part and number, or entity and step, give the same event (but for its time, and what it looks up). `look`
    is asked once for what finds what the body looks up; `having` and `living` are those of a generator with entities.
    """
    raw_key = topic.key if generator.key is None else generator.key
    key = compile_value(raw_key, "key") if raw_key is not None else None
    headers = headers_maker(generator.headers, "generator")
    dice = Dice(seed, generator.name)
    value = None if living else compile_value(generator.body, "generator")
    context, seen = Context(dice, 0.0, lookups=look(living.lookups if living else lookups_of(value))), Seen()
    body = _body(value, seen, having, living)

    def make(wanted: Iterable[Wanted]) -> tuple[list[Event], Failed]:
        happened = ""
        before = None
        events: list[Event] = []
        failed: Failed = []
        for want in wanted:
            number, now, step, entity, state, _ = want
            if now != before:  # most events of a batch happen at once
                context.now = before = now
                happened = rfc3339(now)
            dice.roll(want.lot)
            context.number = context.serial = number
            context.step, context.entity = step, entity
            context.seen = seen
            id = event_id(dice)
            kind = living.type_of(state) if living else generator.event
            try:
                said = body(context, want)
                event = Event(id, source, kind, happened, encoded(said), headers=headers(context) if headers else ())
                if key is not None:
                    event.key = record_key(key, context, living.fields(entity) if living and said is TOMBSTONE else said, event)
                elif living:
                    event.key = living.key(entity)
                if living:
                    living.kept(entity, said, event)
                events.append(event)
            except (PayloadError, ValueError, ArithmeticError) as wrong:
                failed.append((number, Event(id, source, kind, happened, None), as_failure(wrong)))
        return events, failed

    return make


def _body(value: Value | None, seen: Seen, having: Having | None, living: Living | None) -> Callable[[Context, Wanted], Any]:
    """The function that makes a body: nobody's, that of an entity, or that of a state which one enters."""
    if value is None:
        assert having is not None
        assert living is not None

        def live(context: Context, want: Wanted) -> Any:
            seen.entity = having.of(want.entity)
            return living.say(context, seen, want.state, want.born)

        return live
    if having is None:
        return lambda context, want: value(context)

    def say(context: Context, want: Wanted) -> Any:
        seen.entity = having.of(want.entity)
        return value(context)

    return say
