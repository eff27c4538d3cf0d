"""The life of an entity, `{$states: {…}}` as a whole body: read, and compiled. Knows no entity, no clock and no event.

Over 250 lines because reading a life tells everything that is wrong with it at once, each with its place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from eda_cli.payloads.code import Scope, Value
from eda_cli.payloads.compile import compile_value
from eda_cli.payloads.lookups import Lookup, lookups_in
from eda_cli.payloads.problems import InvalidValue, Refused, ValueProblem, did_you_mean, shown
from eda_cli.payloads.quantities import parse_duration, parse_range, parse_share

MOST_STATES = 1_000  # of one life
MOST_ENTITIES = 1_000_000
DWELL_S = (1.0, 1.0)  # how long an entity stays in a state that does not say it
_ROUNDING = 1e-9  # shares are written in percent
_KEYS = ("key", "entities", "start", "states")
_OF_STATE = ("body", "event", "next", "after")
_WRITE = "write {$states: {states: {created: {body: {…}, next: paid}, paid: {body: {…}}}}}"

Shares = tuple[tuple[str, float], ...]  # of states: what a share (0 to 1) lacks to 1 is the end of a life
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is published on entering it (`event`: empty for the generator's type), and what comes after so many seconds."""

    body: Any = None
    event: str = ""
    next: Shares = ()
    after_s: tuple[float, float] = DWELL_S


@dataclass(frozen=True, slots=True)
class States:
    """A life as it is written. `entities` is None where it does not say how many live it."""

    states: Mapping[str, State]
    start: Shares
    key: Any = None
    entities: int | None = None

    def events(self, event: str) -> list[str]:
        """The types of its events, each once, where the generator's own type is `event`."""
        return list(dict.fromkeys(state.event or event for state in self.states.values()))

    def fields(self) -> Any:
        """What the bodies of all states together contain: a raw map; a long form where only an event will tell."""
        maps = [state.body for state in self.states.values() if isinstance(state.body, Mapping)]
        plain = [body for body in maps if not any(str(name).startswith("$") and name != "$vars" for name in body)]
        if len(plain) < len(maps):
            return {"$pick": maps}
        return {name: value for body in reversed(plain) for name, value in body.items() if name != "$vars"}

    def unreached(self) -> list[str]:
        """The states that no life comes to, in the order of the file."""
        seen: set[str] = set()
        waiting = [name for name, share in self.start if share]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [other for other, share in self.states[name].next if share]
        return [name for name in self.states if name not in seen]


class Lives:
    """A life whose values are compiled: `bodies` makes the fields of each state, `key` the key of a life; `lookups` are those
    of all bodies.
    """

    def __init__(self, states: States, bodies: Mapping[str, Value], key: Value | None, lookups: Sequence[Lookup]) -> None:
        self.states = states.states
        self.bodies = bodies
        self.key = key
        self.lookups = lookups
        self._start = _draws(states.start)
        self._next = {name: _draws(state.next) for name, state in states.states.items()}

    def first(self, drawn: float) -> str:
        """The state in which a life begins; `drawn` is a number of [0, 1)."""
        return self._start(drawn) or next(iter(self.states))  # the shares may lack the last bit to 1

    def after(self, state: str, drawn: float) -> str | None:
        """The state that follows; None where the life ends, be it that there is no such state any more."""
        return self._next[state](drawn) if state in self._next else None


def is_states(raw: Any) -> bool:
    """Whether the body is the life of an entity."""
    return isinstance(raw, Mapping) and "$states" in raw


def read_states(raw: Any) -> States:
    """The life that a whole body says. Raises InvalidValue with every problem; values are not looked into."""
    reader = _Reader()
    states = reader.read(raw)
    reader.tell()
    return states


def compile_body(raw: Any, scope: Scope) -> Value | Lives:
    """A whole body as `compile_value` makes it, or the life that a generator's may be. Raises InvalidValue."""
    return compile_states(raw) if scope == "generator" and is_states(raw) else compile_value(raw, scope)


def compile_states(raw: Any) -> Lives:
    """The life, compiled. Raises InvalidValue with every problem."""
    reader = _Reader()
    states = reader.read(raw)
    lookups: list[Lookup] = []
    bodies = {name: reader.compiled({} if state.body is None else state.body, ("$states", "states", name, "body"), lookups)
              for name, state in states.states.items()}
    key = reader.compiled(states.key, ("$states", "key")) if states.key is not None else None
    for at, lookup in lookups_in(raw):
        if lookup.get("once") is True:
            reader.problems.append(ValueProblem((*at, "once"), "'once' does not stand in $states",
                                                "each event would use one up, also those of other states",
                                                "look it up in a generator of its own, or leave once out"))
    reader.tell()
    return Lives(states, bodies, key, lookups)


def _gives_fields(body: Any) -> bool:
    """Whether a state's body is, as far as one can tell, a map or a tombstone in each event."""
    if not isinstance(body, Mapping):
        return bool(body == "$tombstone")
    if isinstance(options := body.get("$pick"), list):
        return all(map(_gives_fields, options))
    return not {"$list", "$maybe"} & body.keys() and isinstance(body.get("$literal", {}), Mapping)


def _draws(shares: Shares) -> Callable[[float], str | None]:
    """From a number of [0, 1) to the state whose share holds it."""
    sums, names = list(accumulate(share for _, share in shares)), [name for name, _ in shares]
    if sums and sums[-1] > 1 - _ROUNDING:
        sums[-1] = 1.0
    return lambda drawn: names[at] if (at := bisect_right(sums, drawn)) < len(names) else None


@dataclass
class _Reader:
    """Reads a life and collects what is wrong with it. Raises InvalidValue where no more can be read."""

    problems: list[ValueProblem] = field(default_factory=list)

    def tell(self) -> None:
        """Raises InvalidValue where something was wrong."""
        if self.problems:
            raise InvalidValue(self.problems)

    def read(self, raw: Mapping[str, Any]) -> States:
        for name in raw:
            with self._at(name):
                if name != "$states":
                    raise Refused(f"'{shown(name)}' does not belong to $states", "a life is the whole body",
                                  "write it into the body of a state")
        said, at = raw["$states"], ("$states",)
        if not isinstance(said, Mapping):
            self._wrong(Refused("$states is no map", "", _WRITE).at(at))
            raise InvalidValue(self.problems)
        self._keys(said, _KEYS, at, "$states")
        named = said.get("states")
        if not isinstance(named, Mapping) or not 1 <= len(named) <= MOST_STATES:
            self._wrong(Refused("$states has no states", f"it takes a map of 1 to {MOST_STATES:,} by their names", _WRITE)
                        .at((*at, "states") if "states" in said else at))
            raise InvalidValue(self.problems)
        states = {str(name): self._state(one, named, (*at, "states", name)) for name, one in named.items()}
        start: Shares = ((next(iter(states)), 1.0),)
        if said.get("start") is not None:
            start = self._shares(said["start"], named, (*at, "start"), whole=True)
        return States(states, start, said.get("key"), self._entities(said, at))

    def compiled(self, raw: Any, path: Path, lookups: list[Lookup] | None = None) -> Value:
        """A body, which may look up, or else a key."""
        try:
            return compile_value(raw, "generator", body=lookups is not None, lookups=lookups)
        except InvalidValue as wrong:
            self.problems += [ValueProblem((*path, *one.path), one.what, one.why, one.hint) for one in wrong.problems]
            return lambda context: None

    def _state(self, raw: Any, named: Mapping[str, Any], at: Path) -> State:
        if not isinstance(raw, Mapping):
            if raw is not None:
                self._wrong(Refused(f"the state '{shown(at[-1])}' is no map", "",
                                    "write {body: {…}, next: paid, after: 1s..5s}").at(at))
            return State()
        self._keys(raw, _OF_STATE, at, "a state")
        event, body = raw.get("event") or "", raw.get("body")
        if not isinstance(event, str):
            self._wrong(Refused(f"'{shown(event)}' is no event type", "", "write it as orderPaid").at((*at, "event")))
        if body is not None and not _gives_fields(body):
            self._wrong(Refused(f"the body of the state '{shown(at[-1])}' is no map",
                                "its fields come on top of those that the entity has",
                                "write body: {total: 1..5}, or body: $tombstone").at((*at, "body")))
        follows = self._shares(raw["next"], named, (*at, "next")) if raw.get("next") is not None else ()
        return State(body, str(event), follows, self._after(raw, at))

    def _after(self, raw: Mapping[str, Any], at: Path) -> tuple[float, float]:
        if raw.get("after") is None:
            return DWELL_S
        try:
            low, high = parse_range(raw["after"], parse_duration)
            if high <= 0:
                raise ValueError("an entity stays in a state for some time: write a duration such as 1s..5s")
        except ValueError as wrong:
            why, _, hint = str(wrong).partition(": ")
            self._wrong(Refused("'after' must be a duration or a range of durations", why, hint).at((*at, "after")))
            return DWELL_S
        return low, high

    def _shares(self, raw: Any, named: Mapping[str, Any], at: Path, whole: bool = False) -> Shares:
        """States and their shares; `whole`: there must be one for certain."""
        if isinstance(raw, str) or type(raw) is int:  # as the states of a list are: 404 names one, too
            return self._known([(str(raw), 1.0)], named, at, ((),))
        if isinstance(raw, list) and raw:
            return self._known([(str(name), 1 / len(raw)) for name in raw], named, at, [(step,) for step in range(len(raw))])
        found: list[tuple[str, float]] = []
        steps: list[Path] = []
        with self._at(*at):
            if not isinstance(raw, Mapping) or not raw:
                raise Refused(f"'{at[-1]}' names no state", "",
                              f"write {at[-1]}: paid, [paid, cancelled] or {{paid: 80%, cancelled: 20%}}")
            steps = [(name,) for name in raw]
            found = [(str(name), self._share(said, (*at, name))) for name, said in raw.items()]
            total = sum(share for _, share in found)
            if total > 1 + _ROUNDING:
                raise Refused(f"the shares of '{at[-1]}' are {100 * total:.6g} % together",
                              "each time one of the states follows", "make them 100 % at most")
            if not total or (whole and total < 1 - _ROUNDING):
                raise Refused(f"the shares of '{at[-1]}' are {100 * total:.6g} % together",
                              "each life begins in one of the states" if whole else "so nothing ever follows",
                              "make them 100 %" if whole else f"leave {at[-1]}: out where a life ends")
        return self._known(found, named, at, steps)

    def _share(self, raw: Any, at: Path) -> float:
        try:
            return parse_share(raw)
        except ValueError as wrong:
            why, _, hint = str(wrong).partition(": ")
            self._wrong(Refused(f"the share of '{shown(at[-1])}' must be a share", why, hint).at(at))
            return 0.5

    def _known(self, shares: list[tuple[str, float]], named: Mapping[str, Any], at: Path, steps: Sequence[Path]) -> Shares:
        """The shares; each state stands behind its own steps."""
        for (name, _), step in zip(shares, steps, strict=True):
            with self._at(*at, *step):
                if name not in named:
                    raise Refused(f"there is no state '{shown(name)}'", f"known are {shown(', '.join(map(str, named)), 100)}",
                                  did_you_mean(name, map(str, named)))
        return tuple(shares)

    def _entities(self, said: Mapping[str, Any], at: Path) -> int | None:
        many = said.get("entities")
        if many is not None and (type(many) is not int or not 1 <= many <= MOST_ENTITIES):
            self._wrong(Refused(f"'entities' of $states must be a whole number from 1 to {MOST_ENTITIES:,}", "",
                                "write entities: 40; what each of them has is said at the generator").at((*at, "entities")))
            return None
        return many

    def _keys(self, raw: Mapping[str, Any], known: tuple[str, ...], at: Path, whose: str) -> None:
        for name in raw:
            with self._at(*at, name):
                if name not in known and not str(name).startswith("x-"):
                    raise Refused(f"{whose} has no key '{shown(name)}'", "",
                                  did_you_mean(str(name), known) or f"its keys are {', '.join(known)}")

    def _wrong(self, problem: ValueProblem) -> None:
        self.problems.append(problem)

    @contextmanager
    def _at(self, *path: str | int) -> Iterator[None]:
        """What is refused inside goes into the problems, with its place."""
        try:
            yield
        except Refused as refused:
            self.problems.append(refused.at(path))
