"""The event types of a topic, as `publish` needs them: which one, who ignores it, an event of it. Knows no channel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eda_cli.event import Event
    from eda_cli.payloads import Looked, Lookup
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.resolved import Generator, Resolved

PUBLISH = "publish"  # the part whose numbers and source events get that no generator makes


def types_of(sketch: Resolved, topic: str) -> list[str]:
    """The types that the sketch publishes to a topic."""
    types = {event for part in sketch.generators.values() if part.publishes == topic for event in part.events}
    types |= {rule.event for part in sketch.consumers.values() for rule in part.rules if rule.to == topic}
    return sorted(one for one in types if one and not one.startswith("$"))


def chosen_type(sketch: Resolved, topic: str, wished: str | None) -> str:
    """The type that is wished, else the only one that the sketch publishes there, else one named after the topic."""
    from eda_cli.sketch.defaults import created

    types = types_of(sketch, topic)
    return wished or (types[0] if len(types) == 1 else created(topic))


def warning(sketch: Resolved, topic: str, type_: str, meant: bool) -> str:
    """Who will ignore an event of this type; empty where nobody need be told.

    One that is declared, and was wished or made by the sketch (`meant`), is for some: only if all ignore it that is told.
    """
    hear = {name: part.accepts for name, part in sketch.consumers.items() if topic in part.subscribes}
    deaf = [name for name, accepts in hear.items() if accepts and type_ not in accepts]
    types = types_of(sketch, topic)
    if not deaf or (meant and type_ in (*types, *sketch.events) and len(deaf) < len(hear)):
        return ""
    known = f"; types there: {', '.join(types)}" if types else ""
    return f"the type is '{type_}': {', '.join(deaf)} will ignore it{known} (--type)"


def generated(run: RunFolder, sketch: Resolved, topic: str, wished: str | None) -> Event:
    """One event as the sketch's generator of this topic and type makes it, with its next number.

    Where no generator makes it, as the event type itself says. Raises UsageError, PayloadError.
    """
    from eda_cli.payloads import InvalidValue
    from eda_cli.sketch.looking import demand
    from eda_cli.sketch.resolved import Topic
    from eda_cli.stubs.lookers import Lookers
    from eda_cli.stubs.numbers import Numbers
    from eda_cli.stubs.published import skip
    from eda_cli.stubs.speakers import by_hand

    generator = _generator(sketch, topic, wished)
    lookers: list[Lookers] = []

    def look(lookups: Sequence[Lookup]) -> Sequence[Looked]:
        lookers.extend([Lookers(run.path, sketch, generator, lookups)] if lookups else [])
        return lookers[0].found if lookers else ()

    try:
        make = by_hand(sketch.topics.get(topic, Topic(topic)), generator, run.info().seed,
                       f"/eda/{sketch.name}/{generator.name}", look)
    except InvalidValue as wrong:
        raise UsageError(f"an event '{wished}' follows from another one", ": ".join(str(wrong).splitlines()),
                         f"give a body: eda publish {topic} '{{\"id\": 1}}' --type {wished}") from None
    number = Numbers(run.path, generator.name, f"{generator.name}.0").claim(1, None).start
    if demand(sketch, generator.name):
        skip(run.path, generator.name, number)
    for one in lookers:
        one.show(number)
        one.close()
    events, failed = make(number, time.time())
    if failed:
        raise failed[0][2]
    if wished is not None and events[0].type != wished:
        raise UsageError(f"an event '{wished}' tells of a later state", f"a life begins with '{events[0].type}'",
                         f"give a body: eda publish {topic} '{{\"id\": 1}}' --type {wished}")
    return events[0]


def _generator(sketch: Resolved, topic: str, wished: str | None) -> Generator:
    from eda_cli.sketch.resolved import Generator

    there = [part for part in sketch.generators.values() if part.publishes == topic]
    for generator in there:
        if wished is None or wished in generator.events:
            return generator
    if wished is not None and wished in sketch.events:
        return Generator(PUBLISH, topic, wished, sketch.events[wished])
    body = f"give a body: eda publish {topic} '{{\"id\": 1}}'"
    if there:
        raise UsageError(f"no generator of '{topic}' makes the type '{wished}'",
                         f"types that are made there: {', '.join(sorted({event for part in there for event in part.events}))}",
                         f"{body} --type {wished}")
    raise UsageError(f"no generator of the sketch publishes to '{topic}'", "so there is no body to make", body)
