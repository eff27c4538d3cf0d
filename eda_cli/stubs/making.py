"""Makes events: those of a generator, and those that follow from one that was handled. Knows no channel and no clock
but the one it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eda_cli.event import Delivery, Event, encode_json, encode_key, epoch, rfc3339
from eda_cli.payloads import (
    TOMBSTONE,
    Context,
    Dice,
    PayloadError,
    Scope,
    Seen,
    Value,
    compile_condition,
    compile_value,
    derived_id,
    event_id,
)
from eda_cli.sketch.resolved import Consumer, Generator, Resolved, Topic

UNKNOWN = "unknown"  # the type of what follows from a foreign event, where the rule names none
Headers = tuple[tuple[str, bytes | None], ...]
NO_HEADERS: Mapping[str, str | None] = {}


Failed = list[tuple[Event, PayloadError]]  # an event that could not be made: its header, and why


def generator_events(topic: Topic, generator: Generator, seed: int,
                     source: str) -> Callable[[Iterable[int]], tuple[list[Event], Failed]]:
    """A function from numbers to events, and to those that could not be made.

    The same seed, part and number give the same event (but for its time).
    """
    body = compile_value(generator.body, "generator")
    raw_key = topic.key if generator.key is None else generator.key
    key = compile_value(raw_key, "key") if raw_key is not None else None
    headers = _headers_maker(generator.headers, "generator")
    kind = generator.event
    dice = Dice(seed, generator.name)
    context = Context(dice, 0.0)

    def make(numbers: Iterable[int]) -> tuple[list[Event], Failed]:
        context.now = time.time()
        happened = rfc3339(context.now)
        events: list[Event] = []
        failed: Failed = []
        for number in numbers:
            dice.roll(number)
            context.number = number
            context.seen = None
            id = event_id(dice)
            try:
                said = body(context)
                event = Event(id, source, kind, happened, _encode(said), headers=headers(context) if headers else ())
                if key is not None:
                    event.key = record_key(key, context, said, event)
                events.append(event)
            except (PayloadError, ValueError, ArithmeticError) as wrong:
                failed.append((Event(id, source, kind, happened, None), _as_failure(wrong)))
        return events, failed

    return make


@dataclass(slots=True)
class _Rule:
    to: str
    event: Callable[[Context], str]
    body: Value | None
    key: Value | None  # sees the event that is handled
    topic_key: Value | None  # sees the event that is published
    headers: Callable[[Context], Headers] | None
    accepts: frozenset[str]
    when: Callable[[Context], bool] | None


class Reactions:
    """What a consumer publishes when it handled an event: handled twice, it is equal in id, key and body."""

    def __init__(self, sketch: Resolved, consumer: Consumer, source: str) -> None:
        self._part = consumer.name
        self._source = source
        self._dice = Dice(0, consumer.name)
        self._rules = [
            _Rule(
                to=rule.to, event=_event_type(rule.event),
                body=compile_value(rule.body, "rule") if rule.has_body else None,
                key=compile_value(rule.key, "rule") if rule.has_key else None,
                topic_key=_topic_key(sketch.topics[rule.to]),
                headers=_headers_maker(rule.headers, "rule"), accepts=frozenset(rule.accepts),
                when=compile_condition(rule.when, "rule") if rule.when else None)
            for rule in consumer.rules
        ]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def follow(self, delivery: Delivery) -> list[tuple[str, Event]]:
        """(topic, event) for each rule that applies. Raises PayloadError where a value cannot be made."""
        try:
            return self._follow(delivery)
        except (ValueError, ArithmeticError) as wrong:  # whatever others wrote fails its event, never the part
            raise _as_failure(wrong) from wrong

    def _follow(self, delivery: Delivery) -> list[tuple[str, Event]]:
        heard = delivery.event
        seen: Seen | None = None
        follows: list[tuple[str, Event]] = []
        for index, rule in enumerate(self._rules):
            if rule.accepts and heard.type not in rule.accepts:
                continue
            seen = seen or _seen(heard)
            id = derived_id(delivery.identity, self._part, index, 0)
            context = Context(self._dice.roll(id), _moment(delivery), seen=seen)
            if rule.when is None or rule.when(context):
                follows.append((rule.to, self._event(rule, id, delivery, context)))
        return follows

    def _event(self, rule: _Rule, id: str, delivery: Delivery, context: Context) -> Event:
        heard = delivery.event
        kind = rule.event(context) or heard.type or UNKNOWN
        happened = rfc3339(context.now)
        if rule.body is None:
            data, content = heard.data, heard.datacontenttype
            said = context.seen.body if context.seen else None
        else:
            said = rule.body(context)
            data, content = _encode(said), "application/json"
        event = Event(id, self._source, kind, happened, data, heard.key, content,
                      correlationid=heard.correlationid or heard.id, causationid=heard.id,
                      headers=rule.headers(context) if rule.headers else ())
        if rule.key is not None:
            event.key = _bytes(rule.key(context))
        elif rule.topic_key is not None:
            event.key = record_key(rule.topic_key, Context(self._dice, context.now), said, event)
        return event


def _event_type(raw: str) -> Callable[[Context], str]:
    """A type as it is, or the path where it stands in the event that is handled."""
    if not raw.startswith("$"):
        return lambda context: raw
    value = compile_value(raw, "rule")

    def read(context: Context) -> str:
        found = value(context)
        if found is None:
            return ""
        if not (isinstance(found, str) and found.isprintable()):
            raise PayloadError(f"{raw} is no event type", f"it is {type(found).__name__}: a type is a line of text")
        return found

    return read


def _topic_key(topic: Topic) -> Value | None:
    return compile_value(topic.key, "key") if topic.key is not None else None


def _moment(delivery: Delivery) -> float:
    """When the cause happened: `now()` of what follows, so that it is the same each time it is handled."""
    if delivery.event.time:
        with suppress(ValueError):
            moment = epoch(delivery.event.time)
            rfc3339(moment)  # others may write what we could not: the last moment of the year 9999 in another zone
            return moment
    return delivery.published


def _seen(event: Event) -> Seen:
    key = event.key.decode(errors="replace") if event.key is not None else None
    return Seen(body=event.body(), key=key, id=event.id, type=event.type, source=event.source, time=event.time,
                headers=_texts(event.headers))


def _texts(headers: Headers) -> dict[str, str | None]:
    return {name: value.decode(errors="replace") if value is not None else None for name, value in headers}


def _as_failure(wrong: Exception) -> PayloadError:
    return wrong if isinstance(wrong, PayloadError) else PayloadError("its values cannot be made", str(wrong))


def _encode(said: Any) -> bytes | None:
    """The body's bytes. Raises PayloadError where it is nested too deep to be written."""
    if said is TOMBSTONE:
        return None
    try:
        return encode_json(said)
    except ValueError as wrong:
        raise PayloadError("the body has no JSON", str(wrong)) from None


def record_key(key: Value, context: Context, body: Any, event: Event) -> bytes | None:
    """The key that a topic gives to an event being published, which is what `context` sees from now on.

    Raises PayloadError.
    """
    context.seen = Seen(body=body, id=event.id, type=event.type, source=event.source, time=event.time,
                        headers=_texts(event.headers) if event.headers else NO_HEADERS)
    return _bytes(key(context))


def _bytes(said: Any) -> bytes | None:
    """Those of a key or a header. Raises PayloadError where it is nested too deep to be written."""
    try:
        return encode_key(said)
    except ValueError as wrong:
        raise PayloadError("a key or header has no JSON", str(wrong)) from None


def _headers_maker(raw: Mapping[str, Any], scope: Scope) -> Callable[[Context], Headers] | None:
    if not raw:
        return None
    values = [(name, compile_value(value, scope)) for name, value in raw.items()]

    def make(context: Context) -> Headers:
        return tuple((name, _bytes(value(context))) for name, value in values)

    return make
