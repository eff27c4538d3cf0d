"""What a consumer's rules make of an event: handled twice, it is equal in id, key and body. Knows no channel and no store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eda_cli.event import NO_EXTENSIONS, Delivery, Event, rfc3339
from eda_cli.payloads import (
    Context,
    Dice,
    PayloadError,
    Seen,
    Value,
    asks,
    body_unread,
    compile_condition,
    compile_value,
    derived_id,
    seen_beside,
)
from eda_cli.sketch.resolved import Consumer, Resolved, Rule, Topic
from eda_cli.stubs.forms import Headers, as_failure, as_written, encoded, headers_maker, key_of, moment_of, record_key, seen_of

_ANYTHING = frozenset({"random", "now"})  # that a value may ask for
UNKNOWN = "unknown"  # the type of what follows from a foreign event, where the rule names none


class Later(NamedTuple):
    """An event that is to be published after some seconds, unless an event with such a key came to a topic."""

    topic: str
    event: Event
    after_s: float
    unless: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Follows:
    """What follows from an event: at once, by topic, and later."""

    now: list[tuple[str, Event]] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)


NOTHING = Follows()  # nobody adds to it


class Cause(NamedTuple):
    """What events follow from: one that was handled, a pair of them, or a window that closed (`event` is its last)."""

    identity: str
    event: Event
    now: float
    time: str | None = None  # the text of `now`, where it is known


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
    each: Value | None
    after_s: tuple[float, float] | None
    unless: Sequence[tuple[str, Value]]
    draw: tuple[int, float, float] | None  # which draw it shares with others, and its part of [0, 1)
    rolls: bool  # whether chance has a part in its values
    clocked: bool  # whether the time has


class Reactions:
    """What a consumer publishes when it handled an event."""

    def __init__(self, sketch: Resolved, consumer: Consumer, source: str) -> None:
        self._part = consumer.name
        self._source = source
        self._dice = Dice(0, consumer.name)
        self._draws = Dice(0, consumer.name, "share")
        shares = _shares(consumer.rules)
        self._rules = [_compiled(rule, sketch.topics[rule.to], share)
                       for rule, share in zip(consumer.rules, shares, strict=True)]
        self._simple = not any(rule.each or rule.after_s or rule.draw for rule in self._rules)
        self._timeless = self._simple and not any(rule.clocked for rule in self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def follow(self, delivery: Delivery, seen: Seen | None = None) -> Follows:
        """What follows from this one; `seen` where its copies are to be looked into.

        Raises PayloadError where a value cannot be made.
        """
        event = delivery.event
        time = as_written(event.time) if self._timeless else None  # then nobody asks which moment it is
        now = 0.0 if time is not None else moment_of(delivery)
        return self.follow_from(Cause(delivery.identity, event, now, time), seen or seen_of(delivery))

    def follow_from(self, cause: Cause, seen: Seen) -> Follows:
        """What follows from a cause that is seen so. Raises PayloadError."""
        try:
            return self._follow(cause, seen)
        except (ValueError, ArithmeticError) as wrong:
            raise as_failure(wrong) from wrong

    def _follow(self, cause: Cause, seen: Seen) -> Follows:
        follows = Follows()
        for index, rule in enumerate(self._rules):
            if rule.accepts and cause.event.type not in rule.accepts:
                continue
            if self._simple:
                id = derived_id(cause.identity, self._part, index, 0)
                context = Context(self._dice.roll(id) if rule.rolls else self._dice, cause.now, 0, seen)
                if rule.when is None or rule.when(context):
                    follows.now.append((rule.to, self._event(rule, id, cause, context)))
            else:
                self._apply(rule, index, cause, seen, follows)
        return follows

    def _apply(self, rule: _Rule, index: int, cause: Cause, seen: Seen, follows: Follows) -> None:
        """A rule that looks at items, at a share or at the clock."""
        for number, here in enumerate(self._items(rule, index, cause, seen)):
            id = derived_id(cause.identity, self._part, index, number)
            if rule.draw is not None:
                draw, low, high = rule.draw
                if not low <= self._draws.roll(f"{cause.identity}/{draw}/{number}").random() < high:
                    continue
            after_s = 0.0
            if rule.after_s is not None:
                low, high = rule.after_s
                after_s = low if low == high else self._draws.roll(f"{id}/after").uniform(low, high)
            context = Context(self._dice.roll(id), cause.now + after_s, seen=here)
            if rule.when is not None and not rule.when(context):
                continue
            if rule.after_s is None:
                follows.now.append((rule.to, self._event(rule, id, cause, context)))
                continue
            unless = [(topic, key) for topic, value in rule.unless if (key := key_of(value(context))) is not None]
            follows.later.append(Later(rule.to, self._event(rule, id, cause, context), after_s, unless))

    def _items(self, rule: _Rule, index: int, cause: Cause, seen: Seen) -> Sequence[Seen]:
        if rule.each is None:
            return (seen,)
        found = rule.each(Context(self._dice.roll(derived_id(cause.identity, self._part, index, 0)), cause.now, seen=seen))
        if found is None:
            return ()
        if not isinstance(found, list):
            raise PayloadError("each: gives no list", f"it gives {type(found).__name__}")
        return [_with_item(seen, item, number) for number, item in enumerate(found)]

    def _event(self, rule: _Rule, id: str, cause: Cause, context: Context) -> Event:
        heard = cause.event
        kind = rule.event(context) or heard.type or UNKNOWN
        happened = cause.time if cause.time is not None and context.now == cause.now else rfc3339(context.now)
        if rule.body is None:
            data, content = heard.data, heard.datacontenttype
            said = body_unread(context.seen) if rule.topic_key is not None and context.seen is not None else None
        else:
            said = rule.body(context)
            data, content = encoded(said), "application/json"
        event = Event(id, self._source, kind, happened, data, heard.key, content, None, heard.correlationid or heard.id,
                      heard.id, NO_EXTENSIONS, rule.headers(context) if rule.headers else ())
        if rule.key is not None:
            event.key = key_of(rule.key(context))
        elif rule.topic_key is not None:
            event.key = record_key(rule.topic_key, Context(self._dice, context.now), said, event)
        return event


def _compiled(rule: Rule, topic: Topic, draw: tuple[int, float, float] | None) -> _Rule:
    body = compile_value(rule.body, "rule") if rule.has_body else None
    key = compile_value(rule.key, "rule") if rule.has_key else None
    topic_key = compile_value(topic.key, "key") if topic.key is not None else None
    asked = asks(body) | asks(key) | asks(topic_key) | (_ANYTHING if rule.headers or rule.event.startswith("$") else set())
    return _Rule(
        to=rule.to, event=_event_type(rule.event), body=body, key=key, topic_key=topic_key,
        rolls="random" in asked, clocked="now" in asked,
        headers=headers_maker(rule.headers, "rule"), accepts=frozenset(rule.accepts),
        when=compile_condition(rule.when, "rule") if rule.when else None,
        each=compile_value(rule.each, "rule") if rule.each is not None else None, after_s=rule.after_s,
        unless=[(name, compile_value(key, "rule")) for name, key in rule.unless.items()], draw=draw)


def _shares(rules: Sequence[Rule]) -> list[tuple[int, float, float] | None]:
    """Rules with a share that accept the same types are one draw: 95 % and 5 % exclude each other."""
    draws: dict[tuple[str, ...], int] = {}
    reached: dict[int, float] = {}
    shares: list[tuple[int, float, float] | None] = []
    for rule in rules:
        if rule.share is None:
            shares.append(None)
            continue
        draw = draws.setdefault(tuple(sorted(rule.accepts)), len(draws))
        low = reached.get(draw, 0.0)
        high = reached[draw] = low + rule.share
        shares.append((draw, low, 1.0 if abs(high - 1) < 1e-9 else high))  # 33.4 + 33.3 + 33.3 leave no gap
    return shares


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


def _with_item(seen: Seen, item: Any, index: int) -> Seen:
    return seen_beside(seen, item=item, index=index)
