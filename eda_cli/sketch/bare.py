"""Texts that stand as they are, and were meant as paths or expressions: a forgotten `$.`, a forgotten `{{ }}`.

Knows no flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from eda_cli.errors import Problem
from eda_cli.sketch.contents import Bodies, comes, looks, said_in, texts
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Raw, Resolved
from eda_cli.sketch.shapes import leads
from eda_cli.sketch.text import shorten

_MOST_COMPARED = 50_000  # texts with bodies
_LONGEST = 1_000  # characters that are searched for an aggregate
_FIELD = re.compile(r"[\w-]+(?:\.[\w-]+)*\Z")
_EXPRESSION = re.compile(  # `event.created` may be a text, as may `window.closed`
    r"(?:body|was|copy|item|joined|vars|entity)\.[^\W\d]|event\.(?:id|type|time|source|key|topic)\b|window\.(?:start|end|key)\b")
_AGGREGATE = re.compile(r"\b(?:count\(\s*\)|(?:sum|mean|min|max)\(\s*\$[^\s()'\"]*\s*\))")


@dataclass(frozen=True)
class _Value:
    """A value: where it stands, and into which events it looks (of these types, and which they are in words)."""

    path: Path
    raw: Raw
    events: tuple[Sequence[tuple[str, Raw]], ...] = ()
    accepts: tuple[tuple[str, ...], ...] = ()
    whose: str = "heard"

    def has(self, field: str) -> bool:
        """Whether one of these events has the field."""
        return any(leads(f"$.{field}", body) for events in self.events for event, body in events
                   if all(comes(event, one) for one in self.accepts))


def bare(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Texts that look like expressions, or equal a field of an event that comes there."""
    said, _ = said_in(resolved)
    work = 0
    for value in chain(_of_consumers(resolved, places, said), _of_publishers(resolved, said)):
        for at, text in texts(value.path, value.raw):
            work += 1 + sum(map(len, value.events))
            if work > _MOST_COMPARED:
                return
            if text.startswith("$") or "{{" in text:
                continue
            shown = shorten(places.said(at, text))
            what = f"'{shown}' is text as it stands"
            if _is_expression(text):
                quote = "'" if '"' in shown else '"'
                yield Problem(*places.value(at), what, "an expression stands in {{ }}", f"write {quote}{{{{ {shown} }}}}{quote}")
            elif _FIELD.match(text) and value.has(text):
                yield Problem(*places.value(at), f"{what}, and a field of the events {value.whose}",
                              hint=f"did you mean $.{shown}? As a text write {{$literal: {shown}}}")


def _is_expression(text: str) -> bool:
    found = _AGGREGATE.search(text[:_LONGEST])
    return bool(_EXPRESSION.match(text) or (found and found[0] != text))


def _of_consumers(resolved: Resolved, places: Places, said: Bodies) -> Iterator[_Value]:
    """What stands in a consumer or, where it publishes what `events` says, there."""
    made = {generator.event for generator in resolved.generators.values()}  # of nothing: no expression can stand there
    for name, consumer in resolved.consumers.items():
        values = [_Value(path, raw, tuple(said.get(topic, ()) for topic in topics), accepts)
                  for path, raw, topics, accepts in looks(consumer)]
        values += [_Value(("consumers", name, "publishes", index, part), getattr(rule, part))
                   for index, rule in enumerate(consumer.rules if consumer.window else ())
                   for part in ("body", "key", "headers", "each", "unless")]
        for value in values:
            if value.path[2] != "publishes" or places.exact(places.told(value.path)):
                yield value
            elif value.path[-1] == "body" and (event := consumer.rules[int(value.path[3])].event) not in made:
                yield replace(value, path=("events", event))


def _of_publishers(resolved: Resolved, said: Bodies) -> Iterator[_Value]:
    """The keys of topics and generators, which look into the event that is published."""
    for name, topic in resolved.topics.items():
        yield _Value(("topics", name, "key"), topic.key, (said.get(name, ()),), whose="there")
    for name, generator in resolved.generators.items():
        events = tuple((event, generator.says) for event in generator.events)
        yield _Value(("generators", name, "key"), generator.key, (events,), whose="that it publishes")
