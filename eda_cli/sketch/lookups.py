"""Whether what a generator looks up can be found: who publishes it, and that nobody waits in a circle. Knows no YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eda_cli.errors import Problem
from eda_cli.payloads import lookups_in
from eda_cli.sketch import words
from eda_cli.sketch.defaults import event_type
from eda_cli.sketch.model import Sketch
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.text import shorten

_MOST_TOLD = 5  # names in one message


@dataclass(frozen=True)
class _Asked:
    """A `$lookup` of a generator: where it stands, and the generators that may answer it."""

    generator: str
    path: Path
    raw: Mapping[str, Any]
    by: tuple[str, ...]


def lookups(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """Lookups that find nothing, or not what is meant."""
    asked = list(_asked(sketch, places))
    for one in asked:
        yield from _unanswered(one, sketch, places)
    yield from _circles([one for one in asked if one.by], places)


def _asked(sketch: Sketch, places: Places) -> Iterator[_Asked]:
    for name, generator in sketch.generators.items():
        if generator.external:
            continue
        event = event_type(generator, sketch)
        own = "body" in generator.model_fields_set
        at: Path = ("generators", name, "body") if own else ("events", event)
        for inside, raw in lookups_in(generator.body if own else sketch.events.get(event)):
            topic, of = raw["$lookup"], raw.get("of", "")
            if isinstance(topic, str) and isinstance(of, str) and not places.wrong((*at, *inside)):
                by = tuple(other for other, one in sketch.generators.items()
                           if one.publishes == topic and of in ("", other) and not one.external)
                yield _Asked(name, (*at, *inside), raw, by)


def _unanswered(one: _Asked, sketch: Sketch, places: Places) -> Iterator[Problem]:
    """What is wrong with who shall answer."""
    topic, of = one.raw["$lookup"], one.raw.get("of", "")
    there = [name for name, other in sketch.generators.items() if other.publishes == topic]
    if of and of not in there:
        guess = words.near(of, there)
        known = f"those of '{shorten(topic)}' are {_listed(there)}" if there else f"no generator publishes to '{shorten(topic)}'"
        yield Problem(*places.value((*one.path, "of")), f"no generator '{shorten(of)}' publishes to '{shorten(topic)}'", known,
                      f"did you mean '{guess}'?" if guess else "")
    elif not there:
        yield Problem(*places.value((*one.path, "$lookup")), *_nobody(topic, sketch))
    elif not one.by:
        yield Problem(*places.value((*one.path, "$lookup")), f"what is published to '{shorten(topic)}' cannot be looked up",
                      f"{_listed(there)} is external, and eda does not see what it publishes",
                      "let a generator of the sketch publish it")
    elif len(one.by) > 1 and one.raw.get("once") is True:
        yield Problem(*places.value((*one.path, "once")), f"'once' does not say whose events of '{shorten(topic)}' are used",
                      f"{_listed(one.by)} publish there", f"add of: {one.by[0]}")


def _nobody(topic: str, sketch: Sketch) -> tuple[str, str, str]:
    """What, why and what to do, where no generator publishes to the topic."""
    known = {one.publishes for one in sketch.generators.values()}
    if any(rule.to == topic for one in sketch.consumers.values() for rule in one.publishes):
        return (f"no generator publishes to '{shorten(topic)}'",
                "what consumers publish is not looked up: who needs it keeps an own copy of it",
                "look up the topic that it follows from, or let a consumer keep it: keeps: {orders: $.id}")
    guess = words.near(topic, known)
    return (f"no generator publishes to '{shorten(topic)}'", "so there is nothing to look up",
            f"did you mean '{guess}'?" if guess else f"topics of generators are {_listed(sorted(known))}")


def _circles(asked: list[_Asked], places: Places) -> Iterator[Problem]:
    """Generators that wait for each other's first event."""
    waiting = [one for one in asked if "else" not in one.raw]
    stuck = {one.generator for one in waiting}
    while True:  # one whose lookups are all answered by somebody who is not stuck, begins
        still = {one.generator for one in waiting if stuck.issuperset(one.by)}
        if still == stuck:
            break
        stuck = still
    for one in waiting:
        if one.generator in stuck and stuck.issuperset(one.by):
            why = "it looks up what it publishes itself" if set(one.by) == {one.generator} else \
                f"it looks up {_listed(one.by)}, and they wait for each other"
            yield Problem(*places.value((*one.path, "$lookup")), f"generator '{one.generator}' can never begin", why,
                          "say else: what is taken instead")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join([f"'{shorten(name)}'" for name in names[:_MOST_TOLD]] + (["…"] if len(names) > _MOST_TOLD else []))
