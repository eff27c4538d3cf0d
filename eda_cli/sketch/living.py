"""Entities of generators and their lives, where they do not fit together or look unintended. Knows no YAML."""

from __future__ import annotations

from collections.abc import Iterator

from eda_cli.errors import Problem
from eda_cli.payloads import InvalidValue, States, is_states, read_states
from eda_cli.sketch import words
from eda_cli.sketch.defaults import ENTITIES, event_type
from eda_cli.sketch.kinds import EVENT_TYPE, Misfit
from eda_cli.sketch.model import Generator, Sketch
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Raw, Resolved
from eda_cli.sketch.text import shorten

_OWN = ("number", "key")  # what `$entity` has besides its fixed fields


def entities(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """Everything wrong with the entities of generators, and with their lives beyond the value itself."""
    for name, generator in sketch.generators.items():
        path: Path = ("generators", name)
        at, body = _body(name, generator, sketch)
        states = _read(body)
        count = generator.entities.count if generator.entities else None
        if states is not None:
            yield from _beside(path, at, generator, states, places)
            yield from _types(at, states, places)
            count = count or states.entities or ENTITIES
        if count is not None and generator.replicas > count:
            yield Problem(*places.value((*path, "replicas")),
                          f"{words.subject(path)} has {generator.replicas} replicas for {count} entities",
                          "each entity belongs to one replica", "take fewer replicas, or more entities")
        for field in generator.entities.have if generator.entities else ():
            if field in _OWN:
                yield Problem(*places.key((*path, "entities", "have", field)), f"'{field}' is no field that an entity can have",
                              f"$entity.{field} is its {field} already", "name it otherwise")


def types(sketch: Sketch) -> Iterator[str]:
    """The event types of all generators."""
    for name, generator in sketch.generators.items():
        event = event_type(generator, sketch)
        states = _read(_body(name, generator, sketch)[1])
        yield from states.events(event) if states else (event,)


def lives(resolved: Resolved) -> Iterator[tuple[Path, States]]:
    """The generators whose events tell of lives: with the path of `$states`, where the file has it there."""
    for name, generator in resolved.generators.items():
        if is_states(generator.body):
            yield ("generators", name, "body", "$states"), read_states(generator.body)
    for event, body in resolved.events.items():
        if any(one.event == event and one.body == body and is_states(body) for one in resolved.generators.values()):
            yield ("events", event, "$states"), read_states(body)


def unreached(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """States that no life comes to."""
    for path, states in lives(resolved):
        for state in states.unreached() if places.exact(path) else ():
            yield Problem(*places.key((*path, "states", state)), f"nothing leads to the state '{shorten(state)}'",
                          "it is neither the start nor the next one of a state that is reached",
                          f"write next: {shorten(state)} where it follows, or leave it out")


def _body(name: str, generator: Generator, sketch: Sketch) -> tuple[Path, Raw]:
    """What its events contain, and where that stands."""
    if "body" in generator.model_fields_set:
        return ("generators", name, "body"), generator.body
    event = event_type(generator, sketch)
    return ("events", event), sketch.events.get(event)


def _read(body: Raw) -> States | None:
    try:
        return read_states(body) if is_states(body) else None
    except InvalidValue:  # it is told what is wrong with it
        return None


def _beside(path: Path, at: Path, generator: Generator, states: States, places: Places) -> Iterator[Problem]:
    """Keys of the generator that say what the life says."""
    if generator.entities is not None and states.entities is not None:
        second = max(places.key((*path, "entities")), places.key((*at, "$states", "entities")))
        yield Problem(*second, f"{words.subject(path)} has 'entities' twice", "its $states say how many there are, too",
                      "keep one of them")
    if generator.every is not None:
        yield Problem(*places.key((*path, "every")), f"{words.subject(path)} has both 'every' and '$states'",
                      "'after' says how long an entity stays in each state", "leave every: out, or write rate: for the total")


def _types(at: Path, states: States, places: Places) -> Iterator[Problem]:
    for name, state in states.states.items():
        where: Path = (*at, "$states", "states", name, "event")
        try:
            if state.event and not places.wrong(where):
                EVENT_TYPE.read(state.event)
        except Misfit as wrong:
            yield Problem(*places.value(where), f"'{shorten(places.said(where, state.event))}' is no event type", wrong.why,
                          wrong.hint or EVENT_TYPE.example)
