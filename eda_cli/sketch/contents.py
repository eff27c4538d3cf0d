"""What events say, where it looks unintended: statements that nobody runs, keys that are not there. Knows no flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eda_cli.errors import Problem
from eda_cli.sketch import words
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Raw, Resolved, Topic
from eda_cli.sketch.text import shorten

_MOST_FIELDS = 20  # of a body that a missing key is looked for in
_FORMS = ("$list", "$pick", "$literal")
_STATEMENTS = (("{%", "%}", "write {{ A if CONDITION else B }}"), ("{#", "#}", "leave the comment out"))


def statements(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Texts that look like a template's statement and hold no expression, so that they are no template."""
    for path, raw in _values(resolved):
        for at, text in _texts(path, raw) if places.exact(places.told(path)) else ():
            for opening, closing, hint in _STATEMENTS:
                if opening in text and closing in text and "{{" not in text:
                    yield Problem(*places.value(at), f"'{shorten(places.said(at, text))}' is published as it stands",
                                  "a template knows expressions only, in {{ }}", hint)


def keyless(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Events that come to a compacted topic without a key."""
    path: Path
    for name, generator in resolved.generators.items():
        topic, path = resolved.topics[generator.publishes], ("generators", name)
        of_topic: Path = ("topics", topic.name, "key")
        key, at = (topic.key, of_topic) if generator.key is None else (generator.key, (*path, "key"))
        if topic.compacted and key is None:
            yield Problem(*places.key(path), f"{words.subject(path)} publishes without a key",
                          _compacted(topic), "add key: to the topic")
        elif topic.compacted:
            yield from _without(key, at, generator.body, path, places)
    keyed = _keyed(resolved)
    for name, consumer in resolved.consumers.items():
        for index, rule in enumerate(consumer.rules):
            topic, path = resolved.topics[rule.to], ("consumers", name, "publishes", index)
            heard = not rule.has_key and keyed.intersection(consumer.subscribes)
            if topic.compacted and (rule.has_key or topic.key is None) and rule.key is None and not heard:
                yield Problem(*places.value((*path, "to")), f"{words.subject(path)} publishes without a key",
                              _compacted(topic), "add key: to the topic or to the rule")
            elif topic.compacted and topic.key is not None and rule.has_body and not rule.has_key:
                yield from _without(topic.key, ("topics", topic.name, "key"), rule.body, path, places)


def _without(key: Raw, at: Path, body: Raw, publisher: Path, places: Places) -> Iterator[Problem]:
    """The key at `at` is a path that leads to nothing in what the publisher publishes."""
    if not isinstance(key, str) or not key.startswith("$."):
        return
    here = body
    for step in key[2:].split("."):
        if not isinstance(here, Mapping) or not here.keys().isdisjoint(_FORMS):
            if here is not None and here != "$tombstone" and not isinstance(here, (bool, int, float)):
                return  # only the event itself will tell
            break
        if step not in here:
            break
        here = here[step]
    else:
        return
    field = key[2:]
    few = isinstance(body, Mapping) and len(body) <= _MOST_FIELDS
    guess = words.near(field, body) if few and "." not in field else None
    yield Problem(*places.value(at), f"'{shorten(places.said(at, key))}' is in no event of {words.subject(publisher)}",
                  "so its key is null, and the topic is compacted, which keeps the newest event of each key",
                  f"did you mean '$.{guess}'?" if guess else "")


def _compacted(topic: Topic) -> str:
    return f"'{topic.name}' is compacted, which keeps the newest event of each key"


def _keyed(resolved: Resolved) -> set[str]:
    """The topics that may carry events with a key: those that somebody else may publish to, too."""
    keyed = {name for name, topic in resolved.topics.items() if topic.key is not None}
    keyed |= {one.publishes for one in resolved.generators.values() if one.key is not None or one.external}
    steps = [(one, rule) for one in resolved.consumers.values() for rule in one.rules]
    keyed |= {rule.to for one, rule in steps if rule.key is not None or one.external}
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


def _texts(path: Path, raw: Raw) -> Iterator[tuple[Path, str]]:
    """The texts in a value, with the path of each."""
    if isinstance(raw, str):
        yield path, raw
    inside = raw.items() if isinstance(raw, Mapping) and "$literal" not in raw else ()
    for step, one in enumerate(raw) if isinstance(raw, (list, tuple)) else inside:
        yield from _texts((*path, step), one)
