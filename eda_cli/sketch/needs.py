"""Keys of a consumer that exclude each other, and keys that need another one. Knows no YAML, and no value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eda_cli.errors import Problem
from eda_cli.sketch import words
from eda_cli.sketch.behaviour import Join, Rule
from eda_cli.sketch.kinds import sides
from eda_cli.sketch.model import Consumer, Sketch
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.text import shorten

_ROUNDING = 1e-9  # shares are written in percent
_EXCLUDE: Mapping[tuple[str, str], str] = {
    ("handler", "run"): "one of them handles the events",
    ("handler", "window"): "own code is called for each event, not when a window closes",
    ("run", "window"): "own code is called for each event, not when a window closes",
    ("handler", "joins"): "own code is called for each event, not for pairs of them",
    ("run", "joins"): "own code is called for each event, not for pairs of them",
    ("joins", "window"): "rules follow either for a pair or when a window closes",
}
_OF_CODE = ("to", "event")  # what a rule may say where own code makes the events


def exclusions(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """What cannot stand beside something else."""
    for name, consumer in sketch.consumers.items():
        path: Path = ("consumers", name)
        for keys, why in _EXCLUDE.items():
            if consumer.model_fields_set.issuperset(keys):
                yield _both(path, keys, why, places)
        if consumer.window and consumer.window.model_fields_set.issuperset(("every", "gap")):
            yield _both((*path, "window"), ("every", "gap"), "a window ends by the clock or with a pause", places)
        for index, rule in enumerate(consumer.publishes):
            at: Path = (*path, "publishes", index)
            if consumer.handler or consumer.run:
                yield from _beside_code(at, rule, places)
            if consumer.window and rule.accepts:
                yield Problem(*places.key((*at, "accepts")), f"{_rule(at, places)} cannot say 'accepts'",
                              "it follows when a window closes, which holds events of every type",
                              "let the consumer say accepts:")
        yield from _shares(path, consumer, places)
        if consumer.joins:
            yield from _joined((*path, "joins"), consumer, consumer.joins, places)


def requirements(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """What needs something else that is not there."""
    for name, consumer in sketch.consumers.items():
        path: Path = ("consumers", name)
        if consumer.window and not consumer.window.model_fields_set & {"every", "gap"}:
            yield Problem(*places.key((*path, "window")), f"'window' of {words.subject(path)} has neither 'every' nor 'gap'",
                          "so no window would end", "add every: 1m, or gap: 5m")
        if "timeout" in consumer.model_fields_set and not (consumer.handler or consumer.run):
            yield Problem(*places.key((*path, "timeout")), f"{words.subject(path)} has a 'timeout' and no own code",
                          "it says how long own code has for an event", "add handler: or run:, or leave it out")
        for index, rule in enumerate(consumer.publishes):
            at: Path = (*path, "publishes", index)
            if rule.unless and rule.after is None and not (consumer.handler or consumer.run):
                yield Problem(*places.key((*at, "unless")), f"{_rule(at, places)} has 'unless' and no 'after'",
                              "there is no time in which such an event could come", "add after: 30s")
            if consumer.window:
                yield from _of_window(at, rule, sketch, places)


def _both(owner: Path, keys: tuple[str, str], why: str, places: Places) -> Problem:
    second = max(places.key((*owner, key)) for key in keys)
    return Problem(*second, f"{words.subject(owner)} has both '{keys[0]}' and '{keys[1]}'", why, "keep one of them")


def _rule(path: Path, places: Places) -> str:
    return words.subject(places.told(path))


def _beside_code(path: Path, rule: Rule, places: Places) -> Iterator[Problem]:
    for key in sorted(rule.model_fields_set.difference(_OF_CODE)):
        yield Problem(*places.key((*path, key)), f"{_rule(path, places)} cannot say '{key}'",
                      "its own code makes the events", "leave it out: here stand only topics and the types of their events")
    if rule.event.startswith("$"):
        yield Problem(*places.value((*path, "event")), f"{_rule(path, places)} cannot take its type from an event",
                      "its own code makes the events", "name a type, or leave it to the code")


def _shares(path: Path, consumer: Consumer, places: Places) -> Iterator[Problem]:
    """Rules with a share that accept the same types are one draw."""
    sums: dict[frozenset[str], float] = {}
    for index, rule in enumerate(consumer.publishes):
        if rule.share is None:
            continue
        types = frozenset(rule.accepts)
        before = sums.get(types, 0.0)
        sums[types] = before + rule.share
        if before <= 1 + _ROUNDING < sums[types]:
            yield Problem(*places.value((*path, "publishes", index, "share")),
                          f"the shares of {words.subject(path)} are {sums[types] * 100:g}% up to here",
                          "rules with a share are one draw, and one of them follows", "make them 100% or less together")


def _joined(path: Path, consumer: Consumer, join: Join, places: Places) -> Iterator[Problem]:
    owner = words.subject(path[:-1])
    if join.topic in consumer.subscribes:
        topic = places.said((*path, "with"), join.topic)
        yield Problem(*places.value((*path, "with")), f"{owner} joins '{shorten(topic)}', which it subscribes to",
                      "a pair is one event of what it subscribes to and one of another topic",
                      "subscribe to one of the two, and join the other")
        return
    named = sides(join.by)
    if named is None:
        return
    ours = [topic for topic in named if topic in consumer.subscribes]
    known = {*consumer.subscribes, join.topic}
    unknown = [topic for topic in named if topic not in known]
    guesses = words.guesses(words.near, unknown, known)
    for topic in unknown:
        yield Problem(*places.key((*path, "by", topic)), f"{owner} does not join '{shorten(topic)}'",
                      "under by: stand the topic that it joins and one that it subscribes to",
                      f"did you mean '{guesses[topic]}'?" if topic in guesses else "")
    if not unknown and (len(named) != 2 or len(ours) != 1):
        yield Problem(*places.value((*path, "by")), f"'by' of {words.subject(path)} must name two topics",
                      "one that it subscribes to, and the one that it joins",
                      "write one value for both, or {orders: $.id, payments: $.order}")


def _of_window(path: Path, rule: Rule, sketch: Sketch, places: Places) -> Iterator[Problem]:
    """There is no event handled whose type and body could be handed on."""
    lacks = {"event": not rule.event,
             "body": "body" not in rule.model_fields_set and sketch.events.get(rule.event) is None and not (
                 rule.event and sketch.events and rule.event not in sketch.events)}  # which is told
    for key, what, example in (("event", "type", "minuteCounted"), ("body", "body", "{of: $window.key, count: count()}")):
        if lacks[key]:
            yield Problem(*places.value((*path, "to")), f"{_rule(path, places)} has no '{key}'",
                          f"when a window closes there is no event whose {what} it could keep",
                          f"add {key}: {example}")
