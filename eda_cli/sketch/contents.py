"""What events say, where it looks unintended: statements that nobody runs, keys that are not there. Knows no flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eda_cli.errors import Problem
from eda_cli.payloads import is_states, meant_value
from eda_cli.sketch import words
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Consumer, Raw, Resolved, Topic
from eda_cli.sketch.shapes import lacking, leads, meant
from eda_cli.sketch.text import shorten

Bodies = dict[str, list[tuple[str, Raw]]]  # topic -> (type, body) of each event there

_STATEMENTS = (("{%", "%}", "write {{ A if CONDITION else B }}"), ("{#", "#}", "leave the comment out"))


def statements(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Texts that look like a template's statement and hold no expression, so that they are no template; and those that are
    nearly a call or a range.
    """
    for path, raw in _values(resolved):
        for at, text in texts(path, raw) if places.exact(places.told(path)) else ():
            for opening, closing, hint in _STATEMENTS:
                if opening in text and closing in text and "{{" not in text:
                    yield Problem(*places.value(at), f"'{shorten(places.said(at, text))}' is published as it stands",
                                  "a template knows expressions only, in {{ }}", hint)
            if "$pick" not in at and (value := meant_value(text)):  # an option may well be the word
                said = shorten(places.said(at, text))
                yield Problem(*places.value(at), f"'{said}' is text as it stands",
                              hint=f"did you mean {shorten(places.said(at, value))}? As a text write {{$literal: \"{said}\"}}")


def keyless(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Events that come to a compacted topic without a key, and keys that are in no event."""
    path: Path
    for name, generator in resolved.generators.items():
        topic, path = resolved.topics[generator.publishes], ("generators", name)
        of_topic: Path = ("topics", topic.name, "key")
        key, at = (topic.key, of_topic) if generator.key is None else (generator.key, (*path, "key"))
        if topic.compacted and key is None and not has_key(generator.body):
            yield Problem(*places.key(path), f"{words.subject(path)} publishes without a key",
                          _compacted(topic), "add key: to the topic")
        elif key is not None:
            yield from _without(key, at, generator.says, path, topic, places)
    keyed = _keyed(resolved)
    for name, consumer in resolved.consumers.items():
        for index, rule in enumerate(consumer.rules):
            topic, path = resolved.topics[rule.to], ("consumers", name, "publishes", index)
            of_own = consumer.code or consumer.window  # own code says the key, or the window has one
            heard = not rule.has_key and (of_own or keyed.intersection(consumer.subscribes))
            if topic.compacted and (rule.has_key or topic.key is None) and rule.key is None and not heard:
                yield Problem(*places.value((*path, "to")), f"{words.subject(path)} publishes without a key",
                              _compacted(topic), "add key: to the topic or to the rule")
            elif topic.key is not None and rule.has_body and not rule.has_key:
                yield from _without(topic.key, ("topics", topic.name, "key"), rule.body, path, topic, places)


def looks(consumer: Consumer) -> Iterator[tuple[Path, Raw, tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """The values that look into events: where each stands, and into which: of these topics, and of these types."""
    path: Path = ("consumers", consumer.name)
    mine, accepts = consumer.subscribes, consumer.accepts
    for index, rule in enumerate(consumer.rules if not consumer.window else ()):
        for part in ("body", "key", "headers", "each", "unless"):
            yield (*path, "publishes", index, part), getattr(rule, part), mine, (accepts, rule.accepts)
    for copy in consumer.keeps:
        for index, fold in enumerate(copy.folds):
            for part in ("key", "set"):
                yield (*path, "keeps", copy.name, index, part), getattr(fold, part), fold.topics, (fold.accepts,)
    if window := consumer.window:
        for part in ("by", "time"):
            yield (*path, "window", part), getattr(window, part), mine, (accepts,)
    if join := consumer.joins:
        yield (*path, "joins", "by", mine[0]), join.by, mine, (accepts,)
        yield (*path, "joins", "by", join.topic), join.with_by, (join.topic,), ()


def said_in(resolved: Resolved) -> tuple[Bodies, set[str]]:
    """What comes to each topic, and the topics where something else may come, which nobody knows."""
    said: Bodies = {}
    unknown: set[str] = set()
    for generator in resolved.generators.values():
        said.setdefault(generator.publishes, []).extend((event, generator.says) for event in generator.events)
        unknown |= {generator.publishes} if generator.external else set()
    for consumer in resolved.consumers.values():
        for rule in consumer.rules:
            said.setdefault(rule.to, []).append((rule.event, rule.body))
            unknown |= {rule.to} if consumer.external or not rule.has_body else set()
        unknown.add(consumer.dead_letter)
    return said, unknown


def has_key(body: Raw) -> bool:
    """Whether a body is a life with a key of its own."""
    life = body.get("$states") if is_states(body) else None
    return isinstance(life, Mapping) and life.get("key") is not None


def comes(event: str, accepts: tuple[str, ...]) -> bool:
    """Whether an event of that type is accepted; one of a type that nobody knows may be."""
    return not accepts or event in accepts or not event or event.startswith("$")


def _without(key: Raw, at: Path, body: Raw, publisher: Path, topic: Topic, places: Places) -> Iterator[Problem]:
    """The key at `at` is a path that leads to nothing in what the publisher publishes."""
    steps = tuple(key[2:].split(".")) if isinstance(key, str) and leads(key, body) is False else ()
    if (wrong := lacking(steps, [body])) is not None:
        lacks = "the topic is compacted, which keeps the newest event of each key" if topic.compacted else \
            "events without a key have no order"
        better = meant(steps, wrong, [body])
        yield Problem(*places.value(at), f"'{shorten(places.said(at, key))}' is in no event of {words.subject(publisher)}",
                      f"so its key is null, and {lacks}", f"did you mean '$.{'.'.join(map(str, better))}'?" if better else "")


def _compacted(topic: Topic) -> str:
    return f"'{topic.name}' is compacted, which keeps the newest event of each key"


def _keyed(resolved: Resolved) -> set[str]:
    """The topics that may carry events with a key: those that somebody else may publish to, too."""
    keyed = {name for name, topic in resolved.topics.items() if topic.key is not None}
    keyed |= {one.publishes for one in resolved.generators.values()
              if one.key is not None or one.external or has_key(one.body)}
    steps = [(one, rule) for one in resolved.consumers.values() for rule in one.rules]
    keyed |= {rule.to for one, rule in steps if rule.key is not None or one.external or one.code or one.window}
    known = {one.publishes for one in resolved.generators.values()} | {rule.to for _, rule in steps}
    keyed |= resolved.topics.keys() - known
    hands_on: dict[str, set[str]] = {}  # a rule without a key takes the one it heard
    for one, rule in steps:
        for heard in () if rule.has_key else one.subscribes:
            hands_on.setdefault(heard, set()).add(rule.to)
    waiting = list(keyed)
    while waiting:
        more = hands_on.get(waiting.pop(), set()) - keyed
        keyed |= more
        waiting += more
    return keyed


def _values(resolved: Resolved) -> Iterator[tuple[Path, Raw]]:
    """Every value that a sketch can say, with its path; what the file does not say has no exact place."""
    for name, topic in resolved.topics.items():
        yield ("topics", name, "key"), topic.key
    for event, body in resolved.events.items():
        yield ("events", event), body
    publishers: list[tuple[Path, Any]] = [
        *((("generators", name), one) for name, one in resolved.generators.items()),
        *((("consumers", name, "publishes", index), rule)
          for name, one in resolved.consumers.items() for index, rule in enumerate(one.rules))]
    for path, one in publishers:
        for part in ("body", "key", "headers"):
            yield (*path, part), getattr(one, part)
    for name, consumer in resolved.consumers.items():
        for copy in consumer.keeps:
            for index, fold in enumerate(copy.folds):
                yield ("consumers", name, "keeps", copy.name, index, "set"), fold.set


def texts(path: Path, raw: Raw) -> Iterator[tuple[Path, str]]:
    """The texts in a value, with the path of each."""
    if isinstance(raw, str):
        yield path, raw
    inside = raw.items() if isinstance(raw, Mapping) and "$literal" not in raw else ()
    if isinstance(raw, Mapping) and "$lookup" in raw:
        inside = {"else": raw.get("else")}.items()  # the others tell of another event
    for step, one in enumerate(raw) if isinstance(raw, (list, tuple)) else inside:
        yield from texts((*path, step), one)
