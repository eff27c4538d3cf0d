"""Turns what own code answered into events, as rules would have made them. Knows not how the code is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eda_cli.event import JSON_TYPE, Delivery, Event, from_line, rfc3339
from eda_cli.payloads import Context, Dice, PayloadError, Value, compile_value, derived_id
from eda_cli.sketch.resolved import Consumer, Resolved
from eda_cli.stubs.answers import shown
from eda_cli.stubs.forms import moment_of, record_key

# What eda sets itself; own code that sends on the event it heard need not take these out of it.
_OURS = frozenset({"specversion", "id", "source", "time", "correlationid", "causationid", "partition", "offset"})
_MEANT = {"body": "data", "payload": "data", "value": "data", "key": "partitionkey", "event": "type", "to": "topic"}


class Saying:
    """What a consumer with own code publishes: handled twice with the same answer, it is the same events."""

    def __init__(self, sketch: Resolved, consumer: Consumer, source: str) -> None:
        self._part = consumer.name
        self._source = source
        self._dice = Dice(0, consumer.name)
        self._types: dict[str, set[str]] = {}
        for rule in consumer.rules:
            self._types.setdefault(rule.to, set()).update([rule.event] if rule.event else [])
        keys = {name: sketch.topics[name].key for name in self._types}
        self._keys: dict[str, Value | None] = {
            name: compile_value(raw, "key") if raw is not None else None for name, raw in keys.items()}

    def follow(self, answer: Sequence[Mapping[str, Any]], delivery: Delivery) -> list[tuple[str, Event]]:
        """(topic, event) for each that it said. Raises PayloadError that says what is wrong with which."""
        said: list[tuple[str, Event]] = []
        for index, item in enumerate(answer):
            try:
                topic = self._topic(item)
                said.append((topic, self._event(item, topic, index, delivery)))
            except (ValueError, ArithmeticError, PayloadError) as wrong:
                nth = f"event {index + 1} of its answer" if len(answer) > 1 else "its answer"
                why = wrong.line if isinstance(wrong, PayloadError) else str(wrong)
                raise PayloadError(f"{nth} cannot be published", why) from wrong
        return said

    def _topic(self, item: Mapping[str, Any]) -> str:
        if (topic := item.get("topic")) is None:
            if len(self._types) == 1:
                return next(iter(self._types))
            raise ValueError(f"it has no 'topic', and {self._part} publishes to {self._named()}")
        if topic not in self._types if isinstance(topic, str) else True:
            raise ValueError(f"{self._part} publishes to {self._named()}, and not to {shown(str(topic))}")
        found: str = topic
        return found

    def _named(self) -> str:
        return ", ".join(self._types) or "no topic"

    def _type(self, item: Mapping[str, Any], topic: str) -> str:
        kind = item.get("type")
        if kind is None:
            if len(self._types[topic]) == 1:
                return next(iter(self._types[topic]))
            raise ValueError(f"it has no 'type', and the sketch names {'several' if self._types[topic] else 'none'} for {topic}")
        if not (isinstance(kind, str) and kind and kind.isprintable()):
            raise ValueError(f"'type' is a line of text, not {shown(str(kind))}")
        return kind

    def _event(self, item: Mapping[str, Any], topic: str, index: int, delivery: Delivery) -> Event:
        heard = delivery.event
        kind = self._type(item, topic)
        for name in _MEANT.keys() & item.keys():
            raise ValueError(f"an event has no '{name}': it is '{_MEANT[name]}'")
        event = from_line({name: value for name, value in item.items() if name not in _OURS})
        if event.data is None and event.extensions:  # mistyped, it would be a tombstone
            raise ValueError(f"it has no 'data', and {', '.join(map(shown, event.extensions))}: a tombstone has neither")
        id, moment = derived_id(delivery.identity, self._part, 0, index), moment_of(delivery)
        event.id, event.source, event.type, event.time = id, self._source, kind, rfc3339(moment)
        event.correlationid, event.causationid = heard.correlationid or heard.id, heard.id
        if event.datacontenttype is None and "data_base64" not in item:
            event.datacontenttype = JSON_TYPE
        if "partitionkey" not in item and "key_base64" not in item:
            key = self._keys[topic]
            event.key = heard.key if key is None else record_key(
                key, Context(self._dice.roll(id), moment), event.body(), event)
        return event
