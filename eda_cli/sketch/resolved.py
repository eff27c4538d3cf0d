"""A sketch in its full form: every default filled in, every quantity a number. Knows no YAML and no pydantic.

Stubs read it as JSON. Values of bodies, keys and headers are raw here, as written in the sketch; `payloads`
compiles them. Durations are seconds, rates are events per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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
class Generator:
    """Publishes events by the clock. Of `rate` and `every` exactly one is set.

    `rate` is the total of all replicas, `inf` is flat out; `every` is a range of pauses; `after` the wait
    before the first event; `count` the total number of events, None is without end.
    """

    name: str
    publishes: str
    event: str
    body: Raw
    key: Raw = None  # None: the topic's key
    headers: Mapping[str, Raw] = field(default_factory=dict)
    rate: float | None = 1.0
    every: tuple[float, float] | None = None
    count: int | None = None
    after_s: float = 0.0
    replicas: int = 1
    service: str = ""
    about: str = ""
    external: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What a consumer publishes when it handled an event.

    `event` is the type; empty keeps the type it heard. `body` and `key` are None where the rule names none: the
    body it heard is republished, and the topic's key (or else the key it heard) is taken. `has_body` and
    `has_key` tell a value of null from none.
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


@dataclass(frozen=True, slots=True)
class Consumer:
    """Subscribes to topics as a group. `takes` is the range of seconds that handling one event takes.

    `group` is empty where the run gives the name: `Resolved.group_of`.
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


@dataclass(frozen=True, slots=True)
class Resolved:
    """The whole sketch. `broker` is `{"kind": "auto" | "embedded" | "kafka", …settings}`; `seed` None: to be drawn.

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
        return "bootstrap_servers" in self.broker

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
            if generator["rate"] == float("inf"):
                generator["rate"] = "max"
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


def _generator(data: Mapping[str, Any]) -> Generator:
    rate = float("inf") if data["rate"] == "max" else data["rate"]
    every = tuple(data["every"]) if data["every"] is not None else None
    return Generator(**{**data, "rate": rate, "every": every})


def _consumer(data: Mapping[str, Any]) -> Consumer:
    rules = tuple(Rule(**{**rule, "accepts": tuple(rule["accepts"])}) for rule in data["rules"])
    takes = tuple(data["takes"]) if data["takes"] is not None else None
    return Consumer(**{**data, "rules": rules, "takes": takes, "subscribes": tuple(data["subscribes"]),
                       "accepts": tuple(data["accepts"])})
