"""What is allowed and looks unintended, and what an event channel must be able to do. Knows no technology."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum

from eda_cli.errors import Problem
from eda_cli.sketch import faults, living, secured, words
from eda_cli.sketch.bare import bare
from eda_cli.sketch.commands import event_for
from eda_cli.sketch.contents import keyless, statements
from eda_cli.sketch.flow import ANY, Flow, always, endless, flow, published
from eda_cli.sketch.missing import missing
from eda_cli.sketch.places import NOWHERE, Path, Places
from eda_cli.sketch.resolved import Resolved
from eda_cli.technologies import TECHNOLOGIES, Ability


class Reach(IntEnum):
    """How much of a sketch is known: its parts each alone, also where events go, also what they say, or all of it."""

    PARTS = 0
    FLOW = 1
    CONTENTS = 2
    WHOLE = 3


def lint(resolved: Resolved, places: Places, reach: Reach = Reach.WHOLE) -> list[Problem]:
    """What looks unintended, as warnings: what can be said by what is known of the sketch."""
    looks: tuple[tuple[Reach, Callable[[Resolved, Places], Iterable[Problem]]], ...] = (
        (Reach.PARTS, _notes), (Reach.FLOW, _topics), (Reach.FLOW, _reach), (Reach.PARTS, _commands), (Reach.FLOW, _circles),
        (Reach.PARTS, _returning), (Reach.WHOLE, _idle), (Reach.CONTENTS, keyless), (Reach.WHOLE, secured.exposed),
        (Reach.PARTS, statements), (Reach.CONTENTS, missing), (Reach.CONTENTS, bare), (Reach.WHOLE, faults.unseen),
        (Reach.PARTS, living.unreached))
    _hide_defaults(resolved, places)
    return [problem for needs, look in looks if needs <= reach for problem in look(resolved, places)]


def _hide_defaults(resolved: Resolved, places: Places) -> None:
    """An event type that is named after a topic tells it: as a message shows it, it is no secret of the environment's."""
    for name, generator in resolved.generators.items():
        topic = places.spot(("generators", name, "publishes")).written
        if topic and not places.exact(("generators", name, "event")):
            places.hide(generator.event, f"the default for {topic}")


def demands(resolved: Resolved, broker: str, places: Places = NOWHERE) -> list[Problem]:
    """What the sketch demands and the event channel `broker` cannot do; nothing of `auto`, which is not decided.

    With `places` (those of what was loaded) each problem has the line that asks for it.
    """
    lacks = TECHNOLOGIES[broker].lacks if broker in TECHNOLOGIES else {}
    if not (why := lacks.get(Ability.REPLAY)):
        return []
    return [Problem(*places.value(("consumers", one.name, "from")),
                    f"consumer '{one.name}' is to begin with the earliest event", why,
                    "write from: latest, or take another broker")
            for one in resolved.consumers.values() if one.start == "earliest"]


def hints(resolved: Resolved, broker: str, places: Places = NOWHERE) -> list[Problem]:
    """What the sketch wishes and the event channel `broker` does without: warnings."""
    lacks = TECHNOLOGIES[broker].lacks if broker in TECHNOLOGIES else {}
    problems: list[Problem] = []
    if why := lacks.get(Ability.COMPACTION):
        problems += [Problem(*places.value(("topics", topic.name, "compacted")), f"topic '{topic.name}' keeps every event", why)
                     for topic in resolved.topics.values() if topic.compacted]
    if why := lacks.get(Ability.PARTITIONS):
        problems += [Problem(*places.value(("topics", topic.name, "partitions")), f"topic '{topic.name}' has no partitions", why)
                     for topic in resolved.topics.values() if places.exact(("topics", topic.name, "partitions"))]
    return problems


def publishers(resolved: Resolved) -> Iterator[tuple[str, Path]]:
    """Each topic that is published to, with the path of what says so."""
    for generator in resolved.generators.values():
        yield generator.publishes, ("generators", generator.name, "publishes")
    for consumer in resolved.consumers.values():
        for index, rule in enumerate(consumer.rules):
            yield rule.to, ("consumers", consumer.name, "publishes", index, "to")
        if consumer.dead_letter:
            yield consumer.dead_letter, ("consumers", consumer.name, "dead_letter")


def hearers(resolved: Resolved) -> Iterator[tuple[str, Path]]:
    """Each topic that is subscribed to, kept, joined or waited for, with the path of what says so."""
    path: Path
    for consumer in resolved.consumers.values():
        path = ("consumers", consumer.name)
        for index, topic in enumerate(consumer.subscribes):
            yield topic, (*path, "subscribes", index)
        for copy in consumer.keeps:
            for number, fold in enumerate(copy.folds):
                for index, topic in enumerate(fold.topics):
                    yield topic, (*path, "keeps", copy.name, number, "from", index)
        if consumer.joins:
            yield consumer.joins.topic, (*path, "joins", "with")
        for number, rule in enumerate(consumer.rules):
            yield from ((topic, (*path, "publishes", number, "unless", topic)) for topic in rule.unless)


def _topics(resolved: Resolved, places: Places) -> Iterator[Problem]:
    published_to, heard = dict(publishers(resolved)), dict(hearers(resolved))
    dead_letters = {one.dead_letter for one in resolved.consumers.values()}  # which people read
    only_published = sorted(published_to.keys() - heard.keys())
    only_heard = sorted(heard.keys() - published_to.keys())
    declared = [topic for topic in resolved.topics if places.exact(("topics", topic))]
    made = {*only_heard, *only_published}.difference(declared)
    same = {**words.guesses(words.slip, only_heard, only_published),
            **words.guesses(words.slip, only_published, only_heard)}
    hints = {**{topic: f"is '{guess}' the same?" for topic, guess in same.items()},
             **{topic: f"did you mean '{guess}'?" for topic, guess in words.guesses(words.slip, made, declared).items()
                if not places.spot({**published_to, **heard}[topic]).written}}  # a variable mistypes nothing
    for topic in resolved.topics:
        at: Path = ("topics", topic)
        used = published_to.get(topic) or heard.get(topic) or at
        place, name = (places.key(at), topic) if places.exact(at) else (places.value(used), places.said(used, topic))
        does = [does for does, side in (("publishes", published_to), ("subscribes", heard)) if topic not in side]
        if does and not (does == ["subscribes"] and topic in dead_letters):
            yield Problem(*place, f"nobody {' or '.join(does)} to the topic '{name}'", hint=hints.get(topic, ""))


def _notes(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """What is a note by its name, and looks as if it was meant to be more."""
    told = {event for one in resolved.generators.values() for event in one.events}
    for one in resolved.consumers.values():
        told.update(one.accepts, *((rule.event, *rule.accepts) for rule in one.rules))
    for section, what, used in (("topics", "topic", resolved.topics), ("events", "event type", told)):
        for name in sorted(used):
            path: Path = (section, name)
            if name.startswith("x-") and places.exact(path):
                yield Problem(*places.key(path), f"{what} '{name}' is used, and what stands here is not read",
                              words.NOTES, "name it otherwise")
    for section, key in (("generators", "publishes"), ("consumers", "subscribes")):
        parts = places.exact((section,))
        for step, spot in parts.inside.items() if parts else ():
            if str(step).startswith("x-") and key in spot.inside:
                yield Problem(*places.key((section, step)), f"{words.subject((section, step))} is not started",
                              words.NOTES, "name it otherwise")


def _reach(resolved: Resolved, places: Places) -> Iterator[Problem]:
    seen = flow(resolved, published(resolved))
    if not seen.known:
        return
    published_to = {topic for topic, _ in publishers(resolved)}
    for name, consumer in resolved.consumers.items():
        topics = [topic for topic in consumer.subscribes if topic in published_to]
        if not topics:
            continue  # nobody publishes there at all, which is told
        if name not in seen.reached:
            yield Problem(*places.key(("consumers", name)), f"nothing reaches consumer '{name}'",
                          _why_unreached(topics, _accepted(("consumers", name), consumer.accepts, places), seen))
            continue
        for index, rule in enumerate(consumer.rules):
            if (name, index) not in seen.fired:
                path: Path = ("consumers", name, "publishes", index)
                yield Problem(*places.value((*path, "accepts")), f"{words.subject(path)} never follows",
                              f"'{name}' hears no event of type {_accepted(path, rule.accepts, places)}")


def _accepted(path: Path, accepts: tuple[str, ...], places: Places) -> str:
    return _either(tuple(places.said((*path, "accepts", index), event) for index, event in enumerate(accepts)))


def _why_unreached(topics: list[str], accepts: str, seen: Flow) -> str:
    comes = sorted({event or "of any type" for topic, event in seen.states if topic in topics})
    where = _listed(topics)
    if not comes:
        return f"nothing reaches those who publish to {where}"
    return f"it accepts {accepts}, and {where} carries {_either(tuple(comes))}"


def _either(names: tuple[str, ...]) -> str:
    return " or ".join([*names[:4], *(["…"] if len(names) > 4 else [])])


def _listed(names: list[str]) -> str:
    shown = [f"'{name}'" for name in names[:5]] + ([f"{len(names) - 5} more"] if len(names) > 5 else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _commands(resolved: Resolved, places: Places) -> Iterator[Problem]:
    named: list[tuple[str, Path]] = [(event, ("events", event)) for event in resolved.events]
    named += [(one.event, ("generators", one.name, "event")) for one in resolved.generators.values()]
    named += [(state.event, (*path, "states", name, "event")) for path, states in living.lives(resolved)
              for name, state in states.states.items() if state.event]
    named += [(rule.event, ("consumers", one.name, "publishes", index, "event"))
              for one in resolved.consumers.values() for index, rule in enumerate(one.rules)]
    told = set()
    for event, path in named:
        spot = places.exact(path)
        better = event_for(event) if event not in told and spot and not spot.written else None
        if better:
            told.add(event)
            place = places.key(path) if path[0] == "events" else places.value(path)
            yield Problem(*place, f"'{event}' is a command", "an event says what happened, in the past tense",
                          f"name it {better}")


def _circles(resolved: Resolved, places: Places) -> Iterator[Problem]:
    seen = flow(resolved, published(resolved))
    carrying = {topic for topic, _ in seen.states}
    by_hand = [(topic, ANY) for topic in resolved.topics if topic not in carrying]
    if by_hand:  # nothing comes there by itself, but somebody may publish one event
        seen = flow(resolved, [*published(resolved), *by_hand])
    told: set[frozenset[str]] = set()
    for circle in endless(resolved, seen):
        inside = set(circle)
        by = {(name, index) for state in circle for follow, name, index in seen.steps[state]
              if follow in inside and always(resolved.consumers[name], index)}
        names = sorted({name for name, _ in by})
        if frozenset(names) in told:
            continue
        told.add(frozenset(names))
        who = f"consumer '{names[0]}' feeds itself" if len(names) == 1 else \
            f"consumers {_listed(names)} feed each other"
        at = max(places.value(("consumers", name, "publishes", index, "to")) for name, index in by)
        topics = _listed(sorted({topic for topic, _ in circle}))
        yield Problem(*at, f"{who} without end", f"each event in {topics} leads to another one there",
                      "let a rule say when: or accepts:, or publish to another topic")


def _returning(resolved: Resolved, places: Places) -> Iterator[Problem]:
    for name, consumer in resolved.consumers.items():
        if consumer.dead_letter in consumer.subscribes:
            path: Path = ("consumers", name, "dead_letter")
            topic = places.said(path, consumer.dead_letter)
            yield Problem(*places.value(path), f"consumer '{name}' reads its own dead letter topic '{topic}'",
                          "what fails there comes back to it, and fails again", "let another consumer read it")


def _idle(resolved: Resolved, places: Places) -> Iterator[Problem]:
    for name, consumer in resolved.consumers.items():
        partitions = sum(resolved.topics[topic].partitions for topic in consumer.subscribes)
        if consumer.replicas > partitions:
            spare = consumer.replicas - partitions
            yield Problem(*places.value(("consumers", name, "replicas")),
                          f"consumer '{name}' has {consumer.replicas} replicas for {partitions} partitions",
                          f"a partition has one reader in a group, so {spare} would do nothing",
                          "take fewer replicas, or more partitions")
