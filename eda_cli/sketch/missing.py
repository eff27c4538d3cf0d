"""Fields that are looked at and never there: in events, own copies, lookups, items, entities, lives and `$vars`.

What only an event will tell is not judged. Knows no YAML; how a value says what it looks at is known to `payloads`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from eda_cli.errors import Problem
from eda_cli.payloads import Field, InvalidValue, fields_used, is_states, lookups_in, read_states
from eda_cli.sketch.contents import comes, looks, said_in, texts
from eda_cli.sketch.looking import sources
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Consumer, Generator, Raw, Resolved, Rule
from eda_cli.sketch.shapes import ABSENT, UNKNOWN, follow, items, lacking, meant, present
from eda_cli.sketch.text import shorten

_MOST_COMPARED = 50_000  # fields with values


@dataclass(frozen=True)
class _Seen:
    """What a name may stand for: one of these values, which are so many steps away; where a field would be, in words."""

    values: Sequence[Raw]
    where: str
    away: int = 0


_Sees = Mapping[str, _Seen]  # by body, joined, item, was, entity; and by copy:NAME, was:NAME, vars:NAME


@dataclass(frozen=True)
class _Look:
    """A value: where it stands, and what it sees of which something is known."""

    path: Path
    raw: Raw
    sees: _Sees
    condition: bool = False


def missing(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Everything that looks at a field which nothing has that can be there."""
    work = 0
    for look in chain(_of_consumers(resolved, places), _of_generators(resolved, places), _of_keys(resolved)):
        for at, text in texts(look.path, look.raw):
            said = places.said(at, text)
            for field in _fields(text, look.condition):
                seen, steps = _behind(field, look.sees)
                work += 1 + len(seen.values)
                if work > _MOST_COMPARED:
                    return
                if (wrong := lacking(steps, seen.values)) is None:
                    continue
                better = meant(steps, wrong, seen.values)
                if better or not field.guarded:
                    what = field.said(field.steps) if said == text else said
                    guess = shorten(field.said((*field.steps[:seen.away], *better))) if better else ""
                    yield Problem(*places.value(at), f"'{shorten(what)}' is in no {seen.where}",
                                  "a missing path is null" if field.path else "it is always missing",
                                  f"did you mean '{guess}'?" if guess else "")


@lru_cache(maxsize=1024)
def _fields(text: str, condition: bool) -> list[Field]:
    try:
        return fields_used(text, condition) if condition or "$" in text or "{{" in text else []
    except InvalidValue:
        return []  # it is told what is wrong with it


def _behind(field: Field, sees: _Sees) -> tuple[_Seen, tuple[str | int | None, ...]]:
    """What the field is looked for in, and the steps that lead to it from there."""
    seen = sees.get(f"{field.holder}:{field.steps[0]}") or sees.get(field.holder) or _Seen((), "")
    return seen, field.steps[seen.away:]


# ── consumers: they look into what they hear ──


class _Ears:
    """What comes to a consumer, as far as that is known."""

    def __init__(self, resolved: Resolved) -> None:
        self._said, self._unknown = said_in(resolved)

    def bodies(self, topics: Sequence[str], *accepts: tuple[str, ...]) -> list[Raw]:
        """Of events of these topics, that are all of these types; none where others may come."""
        if self._unknown.intersection(topics) or not self._said.keys() >= set(topics):
            return []
        return [body for topic in topics for event, body in self._said[topic] if all(comes(event, one) for one in accepts)]

    def copies(self, consumer: Consumer) -> dict[str, _Seen]:
        """By the names of its own copies: what a row may be."""
        found = {}
        for copy in consumer.keeps:
            rows = [[fold.set] if fold.set is not None else self.bodies(fold.topics, fold.accepts) for fold in copy.folds]
            if all(rows):
                found[copy.name] = _Seen([row for some in rows for row in some], f"row of the copy '{copy.name}'", 2)
        return found


def _of_consumers(resolved: Resolved, places: Places) -> Iterator[_Look]:
    ears = _Ears(resolved)
    made = _makers(resolved, places)
    for consumer in resolved.consumers.values():
        for look in _of_consumer(consumer, ears):
            if look.path[2] != "publishes" or places.exact(places.told(look.path)):
                yield look
            elif look.path[-1] == "body" and made[event := consumer.rules[int(look.path[3])].event] == 1:
                yield replace(look, path=("events", event))


def _makers(resolved: Resolved, places: Places) -> Counter[str]:
    """How many publish what `events` says: what several do need not make sense for each of them."""
    made = Counter(generator.event for generator in resolved.generators.values())
    for name, consumer in resolved.consumers.items():
        made.update(rule.event for index, rule in enumerate(consumer.rules)
                    if not places.exact(places.told(("consumers", name, "publishes", index, "body"))))
    return made


def _of_consumer(consumer: Consumer, ears: _Ears) -> Iterator[_Look]:
    path: Path = ("consumers", consumer.name)
    copies = ears.copies(consumer)
    kept = {f"{holder}:{name}": seen for name, seen in copies.items() for holder in ("copy", "was")}

    def heard(topics: Sequence[str], *accepts: tuple[str, ...]) -> dict[str, _Seen]:
        return {"body": _Seen(ears.bodies(topics, *accepts), f"event that '{consumer.name}' hears")}

    for at, raw, topics, accepts in looks(consumer):
        if at[2] != "publishes":
            row = {"was": replace(copies[at[3]], away=0)} if at[2] == "keeps" and at[3] in copies else {}
            yield _Look(at, raw, {**heard(topics, *accepts), **row})
    for copy in consumer.keeps:
        for index, fold in enumerate(copy.folds):
            row = {"was": replace(copies[copy.name], away=0)} if copy.name in copies else {}
            yield _Look((*path, "keeps", copy.name, index, "when"), fold.when, {**heard(fold.topics, fold.accepts), **row},
                        condition=True)
    if consumer.fails:
        yield _Look((*path, "fails", "when"), consumer.fails.when, {**heard(consumer.subscribes, consumer.accepts), **kept},
                    condition=True)
    if consumer.joins:
        topic = consumer.joins.topic
        kept["joined"] = _Seen(ears.bodies((topic,)), f"event of '{topic}'")
    for index, rule in enumerate(consumer.rules):
        accepts = (consumer.accepts,) if consumer.window else (consumer.accepts, rule.accepts)
        yield from _of_rule((*path, "publishes", index), rule, {**heard(consumer.subscribes, *accepts), **kept})


def _of_rule(path: Path, rule: Rule, sees: _Sees) -> Iterator[_Look]:
    yield _Look((*path, "each"), rule.each, sees)
    if rule.each is not None:
        sees = {**sees, "item": _Seen(_items(rule.each, sees), "item of 'each'")}
    yield _Look((*path, "when"), rule.when, sees, condition=True)
    for part in ("key", "headers", "unless"):
        yield _Look((*path, part), getattr(rule, part), sees)
    yield _Look((*path, "body"), rule.body, {**sees, **_variables(rule.body)})


def _items(each: Raw, sees: _Sees) -> list[Raw]:
    """What the items of a path, or of a list that stands there, may be."""
    if not isinstance(each, str):
        return list(items(each))
    field = next(iter(_fields(each, False)), None)
    if field is None or not (field.path or field.said(field.steps) == each.strip("{} ")):
        return []
    seen, steps = _behind(field, sees)
    return [item for value in seen.values for item in items(follow(steps, value))]


def _variables(body: Raw, resolved: Resolved | None = None) -> dict[str, _Seen]:
    """`$vars` on top of a body; those of a generator may be looked up in the sketch."""
    made = body.get("$vars") if isinstance(body, Mapping) else None
    return {f"vars:{name}": _Seen(list(_made(present(value), resolved)), f"value of '{name}' in $vars", 1)
            for name, value in made.items()} if isinstance(made, Mapping) else {}


# ── generators: they look into what they look up, what they made first, and those of whom they tell ──


def _of_generators(resolved: Resolved, places: Places) -> Iterator[_Look]:
    for name, generator in resolved.generators.items():
        own: Path = ("generators", name, "body")
        at: Path = own if places.exact(own) else ("events", generator.event)
        for inside, raw in lookups_in(generator.body):
            sees = {"body": _Seen(_looked_up(raw, resolved), f"event that '{name}' looks up")}
            yield _Look((*at, *inside, "path"), raw.get("path"), sees)
            yield _Look((*at, *inside, "where"), raw.get("where", ""), sees, condition=True)
        yield from _told(generator, at, resolved)


def _of_keys(resolved: Resolved) -> Iterator[_Look]:
    """Templates of keys look into the event that is published; of a key that is a path, whose events lack it is told."""
    ears = _Ears(resolved)
    for name, topic in resolved.topics.items():
        if isinstance(topic.key, str) and "{{" in topic.key:
            yield _Look(("topics", name, "key"), topic.key, {"body": _Seen(ears.bodies((name,)), f"event of '{name}'")})
    for name, one in resolved.generators.items():
        if isinstance(one.key, str) and "{{" in one.key:
            yield _Look(("generators", name, "key"), one.key, {"body": _Seen([one.says], f"event of generator '{name}'")})


def _told(generator: Generator, at: Path, resolved: Resolved) -> Iterator[_Look]:
    """The bodies of a generator, or those of the states of a life, and its headers."""
    name, bodies = generator.name, [(at, generator.body)]
    has = {"number": UNKNOWN, **(generator.entities.have if generator.entities else {})}
    sees: dict[str, _Seen] = {}
    if is_states(generator.body):
        life = read_states(generator.body)
        has["key"] = life.key
        bodies = [((*at, "$states", "states", state, "body"), one.body) for state, one in life.states.items()]
        sees["was"] = _Seen([body for _, body in bodies if isinstance(body, Mapping)], f"state of '{name}'")
    sees["entity"] = _Seen([has], f"entity of '{name}'")
    for path, body in bodies:
        yield _Look(path, body, {**sees, **_variables(body, resolved)})
    yield _Look(("generators", name, "headers"), generator.headers, sees)


def _looked_up(raw: Mapping[str, Raw], resolved: Resolved) -> list[Raw]:
    """The bodies of events that a `$lookup` may find."""
    return [resolved.generators[one].says for one in sources(resolved, raw["$lookup"], raw.get("of", ""))]


def _made(raw: Raw, resolved: Resolved | None) -> Iterator[Raw]:
    """What a value of `$vars` may be."""
    if resolved is None or not isinstance(raw, Mapping) or "$lookup" not in raw:
        yield raw
        return
    path = raw.get("path", "$")
    steps = path[2:].split(".") if path.startswith("$.") else []
    for body in _looked_up(raw, resolved):
        found = follow(steps, body) if path.startswith("$.") or path == "$" else UNKNOWN
        yield from () if found is ABSENT else (found,)
    if "else" in raw:
        yield raw["else"]
