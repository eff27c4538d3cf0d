"""What values look at and cannot see there: an item without `each`, a copy that is not kept, an entity where there is none.

Knows no YAML; how a value says what it looks at is known to `payloads`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from eda_cli.errors import Problem
from eda_cli.payloads import InvalidValue, is_states, names_used
from eda_cli.sketch import words
from eda_cli.sketch.contents import has_key, texts
from eda_cli.sketch.defaults import event_type
from eda_cli.sketch.kinds import sides
from eda_cli.sketch.model import Consumer, Generator, Sketch
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Raw
from eda_cli.sketch.text import shorten

_MOST_LOOKED = 200_000  # texts
_MOST_COPIES = 20  # of one consumer that a missing one is looked for in
_EVENT = frozenset({"body", "event", "headers", "key"})
_COPIES = frozenset({"copy", "was"})
_CANDIDATE = re.compile(r"copy|was|entity|item|index|joined|window|count|sum|mean|min|max|body|event|headers|key|\$")
_COMPILED = frozenset({"vars", "entity"})  # whether a rule sees them is told with its values
_WHAT = {**dict.fromkeys(_EVENT, "looks into an event"), **dict.fromkeys(_COPIES, "looks into own copies"),
         "aggregate": "is taken over a window"}
_LACKS = {  # why a rule has none of them, and what to do
    "item": ("only a rule with 'each' has one", "add each: $.items to the rule"),
    "index": ("only a rule with 'each' has one", "add each: $.items to the rule"),
    "joined": ("only a consumer with 'joins' has one", "add joins: {with: payments, by: $.id}"),
    "window": ("only a consumer with 'window' has one", "add window: {every: 1m}"),
    "aggregate": ("events are counted in a window", "add window: {every: 1m}"),
}


@dataclass(frozen=True)
class _Sight:
    """A value: where it stands, and what it may see there; `early`: before anything is kept, joined or counted."""

    path: Path
    raw: Raw
    sees: frozenset[str]
    condition: bool = False
    early: bool = False


@dataclass(frozen=True)
class _Scene:
    """A value of a generator, and the fields of the entity that it may look at; `lives`: whether that one has states."""

    path: Path
    raw: Raw
    fields: list[str]
    lives: bool


def sights(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """Everything that is looked at where it cannot be seen."""
    looked = 0
    names = lru_cache(maxsize=None)(_names)  # a body of `events` may stand for many rules
    for name, seen in _everywhere(sketch):
        for at, text in texts(seen.path, seen.raw):
            looked += 1
            if looked > _MOST_LOOKED:
                return
            if not _CANDIDATE.search(text) or places.wrong(at):
                continue
            said = shorten(places.said(at, text))
            if isinstance(seen, _Scene):
                found = _no_entity(names(text, False), seen, name)
            else:
                found = _unseen(names(text, seen.condition), seen, name, sketch.consumers[name])
            for what, why, hint in found:
                yield Problem(*places.value(at), f"'{said}' {what}", why, hint)


def _everywhere(sketch: Sketch) -> Iterator[tuple[str, _Sight | _Scene]]:
    """Every value that may look at something, with the name of its part."""
    for name, generator in sketch.generators.items():
        yield from ((name, scene) for scene in _of_generator(("generators", name), generator, sketch))
    for name, consumer in sketch.consumers.items():
        path: Path = ("consumers", name)
        yield from ((name, sight) for sight in (*_early(path, consumer), *_of_rules(path, consumer, sketch)))


def _of_generator(path: Path, part: Generator, sketch: Sketch) -> Iterator[_Scene]:
    own, event = "body" in part.model_fields_set, event_type(part, sketch)
    body = part.body if own else sketch.events.get(event)
    lives = is_states(body)
    have = part.entities.have if part.entities else {}
    fields = ["number", *(["key"] if has_key(body) else []), *have] if part.entities or lives else []
    yield _Scene((*path, "body") if own else ("events", event), body, fields, lives)
    yield _Scene((*path, "headers"), part.headers, fields, lives)
    yield _Scene((*path, "entities", "have"), have, fields[:1], lives=False)


def _no_entity(used: frozenset[str], scene: _Scene, name: str) -> Iterator[tuple[str, str, str]]:
    """What is looked at of an entity and is not there, why, and what to do."""
    if "entity" in used and not scene.fields:
        yield "looks at an entity", f"'{name}' has none", "add entities: 100 to the generator"
    elif "was" in used and not scene.lives:
        yield "looks at what an entity was", "only one with $states has a life", "write $vars.NAME for what is made first"
    for one in sorted(used) if scene.fields else ():
        holder, _, field = one.partition(":")
        if holder == "entity" and field and field not in scene.fields:
            guess = words.near(field, scene.fields[:_MOST_COPIES])
            yield (f"looks at '{shorten(field)}' of an entity", f"it has {', '.join(map(shorten, scene.fields[:5]))}",
                   f"did you mean '{guess}'?" if guess else
                   f"say it there: entities: {{count: 100, have: {{{shorten(field)}: …}}}}")


def _early(path: Path, consumer: Consumer) -> Iterator[_Sight]:
    """Values that look at an event only."""
    if consumer.fails and consumer.fails.when:
        yield _Sight((*path, "fails", "when"), consumer.fails.when, _EVENT | _COPIES, condition=True, early=True)
    for copy, folds in consumer.keeps.items():
        for index, fold in enumerate(folds):
            yield _Sight((*path, "keeps", copy, index, "key"), fold.key, _EVENT, early=True)
    if consumer.window:
        for part in ("by", "time"):
            yield _Sight((*path, "window", part), getattr(consumer.window, part), _EVENT, early=True)
    if consumer.joins:
        named = sides(consumer.joins.by)
        by: Path = (*path, "joins", "by")
        for at, raw in [((*by, topic), raw) for topic, raw in named.items()] if named else [(by, consumer.joins.by)]:
            yield _Sight(at, raw, _EVENT, early=True)


def _of_rules(path: Path, consumer: Consumer, sketch: Sketch) -> Iterator[_Sight]:
    heard = frozenset({"window", "aggregate", "copy"}) if consumer.window else _EVENT | _COPIES
    heard |= {"joined"} if consumer.joins else frozenset()
    for index, rule in enumerate(consumer.publishes):
        at: Path = (*path, "publishes", index)
        sees = heard | (frozenset() if rule.each is None else {"item", "index"})
        yield _Sight((*at, "each"), rule.each, heard)
        yield _Sight((*at, "when"), rule.when, sees, condition=True)
        for part in ("key", "headers", "unless"):
            yield _Sight((*at, part), getattr(rule, part), sees)
        if rule.event.startswith("$"):
            yield _Sight((*at, "event"), rule.event, sees)
        if "body" in rule.model_fields_set:
            yield _Sight((*at, "body"), rule.body, sees)
        elif not (consumer.handler or consumer.run):
            yield _Sight(("events", rule.event), sketch.events.get(rule.event), sees)


def _names(text: str, condition: bool) -> frozenset[str]:
    try:
        return names_used(text, condition)
    except InvalidValue:
        return frozenset()  # it is told what is wrong with it


def _unseen(used: frozenset[str], sight: _Sight, name: str, consumer: Consumer) -> Iterator[tuple[str, str, str]]:
    """What is looked at and cannot be seen, why, and what to do."""
    wrong = next((one for one in sorted(used - _COMPILED) if ":" not in one and one not in sight.sees), None)
    if wrong:
        yield (_WHAT.get(wrong, f"looks at '{wrong}'"), *_why(wrong, sight))
        return
    for one in sorted(used):
        holder, colon, copy = one.partition(":")
        if colon and holder in _COPIES and copy not in consumer.keeps:
            guess = words.near(copy, list(consumer.keeps)[:_MOST_COPIES])
            kept = [f"'{shorten(other)}'" for other in list(consumer.keeps)[:5]]
            yield (f"looks into a copy '{shorten(copy)}'", f"'{name}' keeps {', '.join(kept) or 'none'}",
                   f"did you mean '{guess}'?" if guess else f"add keeps: {{{shorten(copy)}: $.id}}")
    if used & _COPIES and not consumer.keeps and not any(":" in one for one in used):
        yield "looks into own copies", f"'{name}' keeps none", "add keeps: {purchases: $.id}"


def _why(name: str, sight: _Sight) -> tuple[str, str]:
    if sight.early:
        return "here only the event itself is seen", "take something of it, such as $.id"
    return _LACKS.get(name) or (
        "a rule follows when a window closes, and no single event is handled then",
        "write copy: the copies as they are then" if name == "was" else "write $window.key, count() or sum($.price)")
