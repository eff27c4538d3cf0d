"""Makes the events of a generator. Knows no channel and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from eda_cli.event import Event, rfc3339
from eda_cli.payloads import Context, Dice, PayloadError, Seen, compile_value, event_id
from eda_cli.sketch.resolved import Generator, Topic
from eda_cli.stubs.forms import as_failure, encoded, headers_maker, record_key

Failed = list[tuple[int, Event, PayloadError]]  # an event that could not be made: its number, its header, and why


class Wanted(NamedTuple):
    """An event to be made: its number, and when it happens (epoch seconds); see `Context`."""

    number: int
    now: float
    step: int
    entity: int = 0


def generator_events(topic: Topic, generator: Generator, seed: int,
                     source: str) -> Callable[[Iterable[Wanted]], tuple[list[Event], Failed]]:
    """A function from what is wanted to events, and to those that could not be made.

    The same seed, part and number give the same event (but for its time).
    """
    body = compile_value(generator.body, "generator")
    raw_key = topic.key if generator.key is None else generator.key
    key = compile_value(raw_key, "key") if raw_key is not None else None
    headers = headers_maker(generator.headers, "generator")
    kind = generator.event
    dice = Dice(seed, generator.name)
    context, seen = Context(dice, 0.0), Seen()

    def make(wanted: Iterable[Wanted]) -> tuple[list[Event], Failed]:
        happened = ""
        before = None
        events: list[Event] = []
        failed: Failed = []
        for number, now, step, entity in wanted:
            if now != before:  # most events of a batch happen at once
                context.now = before = now
                happened = rfc3339(now)
            dice.roll(number)
            context.number, context.step, context.entity = number, step, entity
            context.seen = seen
            id = event_id(dice)
            try:
                said = body(context)
                event = Event(id, source, kind, happened, encoded(said), headers=headers(context) if headers else ())
                if key is not None:
                    event.key = record_key(key, context, said, event)
                events.append(event)
            except (PayloadError, ValueError, ArithmeticError) as wrong:
                failed.append((number, Event(id, source, kind, happened, None), as_failure(wrong)))
        return events, failed

    return make
