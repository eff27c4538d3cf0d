"""What the values of a consumer look at and cannot see there: an item without `each`, a copy that is not kept.

Knows no YAML; how a value says what it looks at is known to `payloads`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from eda_cli.errors import Problem
from eda_cli.payloads import InvalidValue, names_used
from eda_cli.sketch import words
from eda_cli.sketch.contents import texts
from eda_cli.sketch.kinds import sides
from eda_cli.sketch.model import Consumer, Sketch
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Raw
from eda_cli.sketch.text import shorten

_MOST_LOOKED = 200_000  # texts
_MOST_COPIES = 20  # of one consumer that a missing one is looked for in
_EVENT = frozenset({"body", "event", "headers", "key"})
_COPIES = frozenset({"copy", "was"})
_CANDIDATE = re.compile(r"copy|was|item|index|joined|window|count|sum|mean|min|max|body|event|headers|key|\$")
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


def sights(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """Everything that is looked at where it cannot be seen."""
    looked = 0
    names = lru_cache(maxsize=None)(_names)  # a body of `events` may stand for many rules
    for name, consumer in sketch.consumers.items():
        path: Path = ("consumers", name)
        for sight in (*_early(path, consumer), *_of_rules(path, consumer, sketch)):
            for at, text in texts(sight.path, sight.raw):
                looked += 1
                if looked > _MOST_LOOKED:
                    return
                if _CANDIDATE.search(text) and not places.wrong(at):
                    said = shorten(places.said(at, text))
                    for what, why, hint in _unseen(names(text, sight.condition), sight, name, consumer):
                        yield Problem(*places.value(at), f"'{said}' {what}", why, hint)


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
    wrong = next((one for one in sorted(used) if ":" not in one and one not in sight.sees), None)
    if wrong:
        yield (_WHAT.get(wrong, f"looks at '{wrong}'"), *_why(wrong, sight))
        return
    for one in sorted(used):
        _, colon, copy = one.partition(":")
        if colon and copy not in consumer.keeps:
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
