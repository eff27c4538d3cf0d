"""A sketch in its full form: every default filled in, every quantity a number. Knows no YAML and no pydantic.

Stubs read it as JSON. Values of bodies, keys and headers are raw here, as written in the sketch; `payloads`
compiles them. Durations are seconds, rates are events per second. Over 250 lines: it is the list of what can be wished.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from eda_cli.payloads import is_states, read_states
from eda_cli.technologies import foreign

Raw = Any  # a value as the sketch has it: JSON scalars, lists and maps, `$`-maps included


@dataclass(frozen=True, slots=True)
class Topic:
    """`key` is the value of a record's key where the publisher names none; `$` is the event being published."""

    name: str
    partitions: int = 3
    key: Raw = None
    retention_s: float | None = None
    compacted: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """From one rate to another within `for_s` seconds (None, of the last one alone: without end)."""

    rate: tuple[float, float]
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Entities:
    """How many there are, and the values that each `has` for good."""

    count: int
    have: Mapping[str, Raw] = field(default_factory=dict)


MOST_HELD = 100_000  # events that a replica holds back, of half a kilobyte and their bodies; then the first goes out early


@dataclass(frozen=True, slots=True)
class Spread:
    """A share (0 to 1) of the events, and a range of seconds."""

    share: float
    by_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong with which share (0 to 1) of the events, each drawn by itself."""

    duplicate: float = 0.0
    drop: float = 0.0
    late: Spread | None = None
    out_of_order: Spread | None = None
    corrupt: float = 0.0
    null_key: float = 0.0


@dataclass(frozen=True, slots=True)
class Generator:
    """Publishes events by the clock. At most one of `rate`, `every` and `stages` is set; none where the states of its
    entities are its clock.

    `rate` (and that of the stages) is the total of all replicas, `inf` is flat out; `every` is a range of pauses, of each
    entity where there are some; the stages are gone through `repeat` times (None: without end); `after` the wait before the
    first event; `count` the total number of events, None is without end. `start` is when the first event happened:
    ("ago", seconds) or ("at", epoch seconds).
    """

    name: str
    publishes: str
    event: str
    body: Raw
    key: Raw = None  # None: the topic's key
    headers: Mapping[str, Raw] = field(default_factory=dict)
    rate: float | None = 1.0
    every: tuple[float, float] | None = None
    stages: tuple[Stage, ...] = ()
    repeat: int | None = 1
    arrivals: str = "even"
    count: int | None = None
    after_s: float = 0.0
    start: tuple[str, float] | None = None
    entities: Entities | None = None
    faults: Faults | None = None
    replicas: int = 1
    service: str = ""
    about: str = ""
    external: bool = False
    paused: bool = False
    touched: Mapping[str, str] = field(default_factory=dict)  # knobs turned on the run: key -> as it was typed

    @property
    def events(self) -> list[str]:
        """The types of its events."""
        return read_states(self.body).events(self.event) if is_states(self.body) else [self.event]

    @property
    def says(self) -> Raw:
        """What its events contain, be it in one state or another of those that they tell of."""
        return read_states(self.body).fields() if is_states(self.body) else self.body


@dataclass(frozen=True, slots=True)
class Rule:
    """What a consumer publishes when it handled an event, or when one of its windows closed.

    `event` is the type; empty keeps the type it heard. `body` and `key` are None where the rule names none: the
    body it heard is republished, and the topic's key (or else the key it heard) is taken. `has_body` and
    `has_key` tell a value of null from none. `each` is the value of a list: an event for each of its items;
    `after_s` a range of seconds to wait; `unless` maps topics to the key of an event that, once it comes there,
    makes this one needless; `share` (0 to 1) is drawn once for all rules with a share that accept the same types.
    """

    to: str
    event: str = ""
    body: Raw = None
    has_body: bool = False
    key: Raw = None
    has_key: bool = False
    headers: Mapping[str, Raw] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    when: str = ""
    each: Raw = None
    after_s: tuple[float, float] | None = None
    unless: Mapping[str, Raw] = field(default_factory=dict)
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Fails:
    """Which attempts fail: a `share` (0 to 1) of those where the expression `when` holds (empty: of all)."""

    share: float = 1.0
    when: str = ""


@dataclass(frozen=True, slots=True)
class Retries:
    """`max` more attempts; the pause before the first and the longest one, in seconds: they double in between."""

    max: int = 0
    backoff_s: tuple[float, float] = (0.2, 0.2)


@dataclass(frozen=True, slots=True)
class Idempotent:
    """Event ids are remembered: the last so many, for so many seconds."""

    last: int = 1_000_000
    for_s: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Fold:
    """How events of some topics change one own copy: the row under `key` becomes the body, or gets the fields `set`.

    A tombstone deletes the row (its record key is the key where `key` finds none).
    """

    topics: tuple[str, ...]
    key: Raw = "$key"
    set: Mapping[str, Raw] | None = None
    accepts: tuple[str, ...] = ()
    when: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An own copy: rows by key, made by its folds in their order."""

    name: str
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Events are gathered by the value `by` and their moment `time`, and rules follow once a window closes.

    Tumbling windows of `every_s` seconds, or sessions that end after a gap of `gap_s`; exactly one is set. One
    closes `late_s` seconds after its end, by the time of the events.
    """

    by: Raw = "$key"
    every_s: float | None = None
    gap_s: float | None = None
    time: Raw = "$time"
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Join:
    """Each event is paired with those of another topic: where `by` of ours equals `with_by` of theirs.

    Their moments of publishing are at most `within_s` seconds apart, whichever came first.
    """

    topic: str
    by: Raw
    with_by: Raw
    within_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Consumer:
    """Subscribes to topics as a group. `takes` is the range of seconds that handling one event takes.

    `group` is empty where the run gives the name: `Resolved.group_of`. Where `handler` (`module:function`) or `run`
    (a command and its arguments) is set, that code takes the place of the rules: they then only say where it
    publishes to and of which type, and `timeout_s` is how long it has for one event.
    """

    name: str
    subscribes: tuple[str, ...]
    group: str = ""
    accepts: tuple[str, ...] = ()
    start: Literal["earliest", "latest"] = "latest"
    replicas: int = 1
    takes: tuple[float, float] | None = None
    rules: tuple[Rule, ...] = ()
    service: str = ""
    about: str = ""
    external: bool = False
    fails: Fails | None = None
    retries: Retries = Retries()
    dead_letter: str = ""
    idempotent: Idempotent | None = None
    keeps: tuple[Kept, ...] = ()
    window: Window | None = None
    joins: Join | None = None
    handler: str = ""
    run: tuple[str, ...] = ()
    timeout_s: float = 30.0
    paused: bool = False
    touched: Mapping[str, str] = field(default_factory=dict)  # knobs turned on the run: key -> as it was typed

    @property
    def hears(self) -> tuple[str, ...]:
        """The topics whose events come to its group: those it subscribes to, then those that it only keeps,
        joins or waits for."""
        kept = [topic for copy in self.keeps for fold in copy.folds for topic in fold.topics]
        joined = [self.joins.topic] if self.joins else []
        awaited = [topic for rule in self.rules for topic in rule.unless]
        return tuple(dict.fromkeys((*self.subscribes, *kept, *joined, *awaited)))

    @property
    def code(self) -> str:
        """The own code that it runs, in words; empty where it runs none."""
        return f"handler {self.handler}" if self.handler else f"run {shlex.join(self.run)}" if self.run else ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The whole sketch. `broker` is `{"kind": "auto" | a technology, …settings}`; `seed` None: to be drawn.

    `events` maps each declared event type to the raw value of its body.
    """

    name: str
    broker: Mapping[str, Any]
    seed: int | None
    topics: Mapping[str, Topic]
    events: Mapping[str, Raw]
    generators: Mapping[str, Generator]
    consumers: Mapping[str, Consumer]

    @property
    def guest(self) -> bool:
        """Whether the bus is somebody else's: there, nothing that was there before is changed or deleted."""
        return bool(foreign(self.broker))

    def replicas(self) -> dict[str, int]:
        """How many each part has, in the order of the sketch."""
        parts: list[Generator | Consumer] = [*self.generators.values(), *self.consumers.values()]
        return {part.name: part.replicas for part in parts}

    def group_of(self, part: Consumer) -> str:
        """The name of its group; as a guest with the run's before it, but where the sketch says the name."""
        return part.group or (f"{self.name}.{part.name}" if self.guest else part.name)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data (`inf` becomes the string "max")."""
        data = asdict(self)
        for generator in data["generators"].values():
            generator["rate"] = _said(generator["rate"])
            for stage in generator["stages"]:
                stage["rate"] = tuple(map(_said, stage["rate"]))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Resolved:
        """What `to_json` gave."""
        return cls(
            name=data["name"], broker=data["broker"], seed=data["seed"], events=data["events"],
            topics={name: Topic(**topic) for name, topic in data["topics"].items()},
            generators={name: _generator(part) for name, part in data["generators"].items()},
            consumers={name: _consumer(part) for name, part in data["consumers"].items()},
        )


def _generator(told: Mapping[str, Any]) -> Generator:
    data: dict[str, Any] = {"stages": (), "start": None, "entities": None, "faults": None, **told}  # older runs lack these
    faults, entities = data["faults"], data["entities"]
    stages = [Stage((_rate(one["rate"][0]), _rate(one["rate"][1])), one["for_s"]) for one in data["stages"]]
    if faults is not None:
        spread = {name: Spread(faults[name]["share"], tuple(faults[name]["by_s"]))
                  for name in ("late", "out_of_order") if faults[name] is not None}
        faults = Faults(**{**faults, **spread})
    return Generator(**{**data, "rate": _rate(data["rate"]), "every": _range(data["every"]), "stages": tuple(stages),
                        "start": tuple(data["start"]) if data["start"] else None, "faults": faults,
                        "entities": Entities(**entities) if entities is not None else None})


def _rate(said: Any) -> Any:
    return float("inf") if said == "max" else said


def _said(rate: Any) -> Any:
    """JSON has no infinity."""
    return "max" if rate == float("inf") else rate


def _consumer(data: Mapping[str, Any]) -> Consumer:
    made = {
        "rules": tuple(Rule(**{**rule, "accepts": tuple(rule["accepts"]), "after_s": _range(rule["after_s"])})
                       for rule in data["rules"]),
        "keeps": tuple(Kept(copy["name"], tuple(
            Fold(**{**fold, "topics": tuple(fold["topics"]), "accepts": tuple(fold["accepts"])})
            for fold in copy["folds"])) for copy in data["keeps"]),
        "retries": Retries(data["retries"]["max"], tuple(data["retries"]["backoff_s"])),
        "takes": _range(data["takes"]),
    }
    made |= {name: kind(**data[name]) if data[name] is not None else None
             for name, kind in (("fails", Fails), ("idempotent", Idempotent), ("window", Window), ("joins", Join))}
    made |= {name: tuple(data[name]) for name in ("subscribes", "accepts", "run")}
    return Consumer(**{**data, **made})


def _range(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return (ends[0], ends[1]) if ends is not None else None
