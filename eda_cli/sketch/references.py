"""What does not fit together: names that lead nowhere, keys that exclude each other. Knows no YAML."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from math import inf

from eda_cli.errors import Problem
from eda_cli.payloads import InvalidValue, Scope, compile_body
from eda_cli.sketch import living, secured, words
from eda_cli.sketch.behaviour import Rule
from eda_cli.sketch.defaults import event_type
from eda_cli.sketch.fitting import Effort
from eda_cli.sketch.lookups import lookups
from eda_cli.sketch.model import Consumer, Generator, Sketch
from eda_cli.sketch.needs import exclusions, requirements
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.sights import sights
from eda_cli.sketch.text import shorten
from eda_cli.technologies import TECHNOLOGIES

OWN = ("run", "keeper", "stubs", "publish")  # who else tells in a run's journals


def references(sketch: Sketch, places: Places, effort: Effort, whole: bool = True) -> list[Problem]:
    """Every problem between the parts of a sketch; not `whole`: parts with problems were left out."""
    found = [*_names(sketch, places), *_clocks(sketch, places), *_broker(sketch, places),
             *_groups(sketch, places), *_events(sketch, places), *_bodies(sketch, places, effort),
             *exclusions(sketch, places), *secured.exclusions(sketch, places), *living.entities(sketch, places)]
    if whole:
        found += [*_accepted(sketch, places), *requirements(sketch, places), *secured.requirements(sketch, places),
                  *sights(sketch, places), *lookups(sketch, places)]
    return found


def rules(sketch: Sketch) -> Iterator[tuple[Path, Rule]]:
    """Every rule with its path."""
    for name, consumer in sketch.consumers.items():
        for index, rule in enumerate(consumer.publishes):
            yield ("consumers", name, "publishes", index), rule


def _code(sketch: Sketch, rule: Path) -> bool:
    """Whether own code, of which nobody knows what it publishes, takes the place of the rule."""
    consumer = sketch.consumers[str(rule[1])]
    return bool(consumer.handler or consumer.run)


def _names(sketch: Sketch, places: Places) -> Iterator[Problem]:
    for name in sketch.generators.keys() & sketch.consumers.keys():
        ours, theirs = places.key(("generators", name)), places.key(("consumers", name))
        first, second = sorted((ours, theirs))
        who = "generator" if first == ours else "consumer"
        yield Problem(*second, f"the name '{name}' is taken",
                      f"the {who} in line {first[0]} has it, and parts share one namespace",
                      "give one of them another name")
    for room in ("generators", "consumers"):
        for name in getattr(sketch, room):
            if name in OWN:
                yield Problem(*places.key((room, name)), f"the name '{name}' is taken",
                              f"eda's own lines stand under {', '.join(OWN)}", "give the part another name")


def _clocks(sketch: Sketch, places: Places) -> Iterator[Problem]:
    for name, generator in sketch.generators.items():
        path: Path = ("generators", name)
        said = [key for key in ("rate", "every", "stages") if key in generator.model_fields_set and getattr(generator, key)]
        for one, other in itertools.pairwise(said):
            second = max(places.key((*path, key)) for key in (one, other))
            yield Problem(*second, f"generator '{name}' has both '{one}' and '{other}'",
                          "they exclude each other", "keep one of them")
        has = generator.stages or ("stages" not in generator.model_fields_set and places.exact((*path, "stages")))
        if "repeat" in generator.model_fields_set and not has:  # those that cannot be read are told of already
            yield Problem(*places.key((*path, "repeat")), f"generator '{name}' has 'repeat' and no 'stages'",
                          "it says how often the stages are gone through", "add stages:, or leave it out")
        if generator.arrivals == "poisson" and generator.rate == inf:
            yield Problem(*places.key((*path, "arrivals")), f"generator '{name}' has 'rate: max' and 'arrivals: poisson'",
                          "flat out there are no pauses that could vary", "write a rate such as 1000/s, or leave it out")
        if generator.arrivals == "poisson" and "every" in said:
            yield Problem(*places.key((*path, "arrivals")), f"generator '{name}' has 'every' and 'arrivals: poisson'",
                          "chance arrivals have a rate, and no pause of their own", "write rate: in place of every:")
        yield from _stages(name, generator, places)
        yield from _past(name, generator, places)


def _stages(name: str, generator: Generator, places: Places) -> Iterator[Problem]:
    if generator.stages and not any(any(stage.rate) for stage in generator.stages):
        yield Problem(*places.value(("generators", name, "stages")), f"generator '{name}' never publishes anything",
                      "the rates of all its stages are 0", "give one of them a rate such as 5/s")
    for index, stage in enumerate(generator.stages):
        last = index == len(generator.stages) - 1
        path: Path = ("generators", name, "stages", index)
        if stage.for_s is None and not (last and generator.repeat == 1):
            yield Problem(*places.value(path), f"stage {index + 1} of generator '{name}' has no 'for'",
                          "only the last one can go on without end" if not last else "what is repeated has an end",
                          "add for: 10s")
        elif stage.for_s is None and stage.rate[0] != stage.rate[1]:
            yield Problem(*places.value(path), f"stage {index + 1} of generator '{name}' is a ramp and has no 'for'",
                          "a ramp without end goes nowhere", "add for: 10s")


def _past(name: str, generator: Generator, places: Places) -> Iterator[Problem]:
    path: Path = ("generators", name)
    rates: list[tuple[Path, float | None]] = [((*path, "rate"), generator.rate)]
    rates += [((*path, "stages", index, "rate"), stage.rate[0]) for index, stage in enumerate(generator.stages)]
    for at, rate in rates:
        if generator.start is not None and rate == inf:
            yield Problem(*places.value(at), f"generator '{name}' has 'from' and the rate max",
                          "as fast as it goes says not when its events happened", "write a rate such as 5/s, or leave out from:")


def _broker(sketch: Sketch, places: Places) -> Iterator[Problem]:
    kind = next(iter(sketch.broker.model_fields_set))
    one, settings = TECHNOLOGIES.get(kind), getattr(sketch.broker, kind)
    for key in ("image", "port") if one and one.reached and getattr(settings, one.reached) else ():
        if one and getattr(settings, key) is not None:
            yield Problem(*places.key(("broker", kind, key)), f"broker '{kind}' has both '{one.reached}' and '{key}'",
                          "eda starts no container where a broker already runs", "keep one of them")


def _groups(sketch: Sketch, places: Places) -> Iterator[Problem]:
    first: dict[str, tuple[str, Consumer]] = {}
    for name, consumer in sketch.consumers.items():
        other, its = first.setdefault(consumer.group or name, (name, consumer))
        if its.start != consumer.start:
            path: Path = ("consumers", name, "from")
            yield Problem(*places.value(path if places.exact(path) else path[:-1]),
                          f"consumers '{other}' and '{name}' are one group and begin at different places",
                          f"'{other}' begins at {its.start}, '{name}' at {consumer.start}",
                          "write the same from: for both, or give one of them another group")


def _events(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """Once `events` exists, it holds every type whose body is not said where it is published."""
    if not sketch.events:
        return
    used: list[tuple[Path, str]] = []
    for name, generator in sketch.generators.items():
        event = event_type(generator, sketch)
        if event in sketch.events or "body" in generator.model_fields_set:
            continue
        path: Path = ("generators", name)
        if generator.event:
            used.append(((*path, "event"), event))
        else:
            yield Problem(*places.key(path), f"generator '{name}' does not say which event it publishes",
                          hint=f"add event: {' or '.join(list(sketch.events)[:5])}")
    for at, rule in rules(sketch):
        if rule.event and not rule.event.startswith("$") and "body" not in rule.model_fields_set and not _code(sketch, at):
            used.append(((*at, "event"), rule.event))
    yield from _undeclared(used, sketch.events, places, "", "add it there, or say its body here")


def _undeclared(used: Sequence[tuple[Path, str]], known: Collection[str], places: Places, why: str, hint: str
                ) -> Iterator[Problem]:
    """Event types that are not known; `why` and `hint` where there is no guess at what was meant."""
    wrong = [(path, event) for path, event in used if event not in known and not places.wrong(path)]
    guesses = words.guesses(words.near, {event for _, event in wrong}, known)
    for path, event in wrong:
        told = ("", f"did you mean '{guesses[event]}'?") if event in guesses else (why, hint)
        if places.exact(("events", event)):
            told = (words.NOTES, "name it otherwise")
        yield Problem(*places.value(path), f"the event type '{shorten(places.said(path, event))}' is not under 'events'",
                      *told)


def _accepted(sketch: Sketch, places: Places) -> Iterator[Problem]:
    """Once `events` exists, types that a part accepts are there too, or somebody publishes them."""
    if not sketch.events or any(rule.event.startswith("$") or _code(sketch, at) for at, rule in rules(sketch)):
        return
    known = dict.fromkeys([*sketch.events, *living.types(sketch),
                           *(rule.event for _, rule in rules(sketch))])  # in the file's order, unlike a set
    accepted: list[tuple[Path, list[str]]] = [(("consumers", name, "accepts"), one.accepts)
                                              for name, one in sketch.consumers.items()]
    accepted += [((*path, "accepts"), rule.accepts) for path, rule in rules(sketch)]
    accepted += [(("consumers", name, "keeps", copy, index, "accepts"), fold.accepts)
                 for name, one in sketch.consumers.items() for copy, folds in one.keeps.items()
                 for index, fold in enumerate(folds)]
    used = [((*path, index), event) for path, types in accepted for index, event in enumerate(types)]
    yield from _undeclared(used, known, places, "nobody publishes it", "add it there")


def _bodies(sketch: Sketch, places: Places, effort: Effort) -> Iterator[Problem]:
    """The bodies under `events`, each compiled for those who publish it."""
    made = {event_type(one, sketch) for one in sketch.generators.values()
            if "body" not in one.model_fields_set}
    followed = {rule.event for at, rule in rules(sketch)
                if "body" not in rule.model_fields_set and not _code(sketch, at)}
    for event, body in sketch.events.items():
        if body is None:
            continue
        path: Path = ("events", event)
        wrong = _compiled(path, body, "generator", places, effort) if event in made else []
        if event in followed:
            wrong += _compiled(path, body, "rule", places, effort)
        if event not in made | followed and _compiled(path, body, "rule", places, effort):
            wrong = _compiled(path, body, "generator", places, effort)  # it may be meant for either
        yield from wrong


def _compiled(path: Path, raw: object, scope: Scope, places: Places, effort: Effort) -> list[Problem]:
    try:
        effort.spend(raw)
        compile_body(raw, scope)
    except InvalidValue as error:
        from eda_cli.sketch.explain import value_problems  # what only a broken sketch needs

        return value_problems(path, error.problems, places)
    return []


