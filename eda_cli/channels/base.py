"""What an event channel must do. Knows no technology.

Delivery is at least once on every channel; order holds per key where ORDER_BY_KEY is offered. Every method may
raise ChannelError, and nothing else: a channel maps the errors of its library at this seam.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from eda_cli.errors import ChannelError
from eda_cli.event import Delivery, Event
from eda_cli.technologies import Ability


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as wished. `retention_s` None keeps everything; `config` is handed to the broker as it is."""

    name: str
    partitions: int = 3
    retention_s: float | None = None
    compacted: bool = False
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group: every one gets every event of its topics, its members share them.

    `start` holds where nothing is committed yet: `latest` is the moment of `declare`. A member names that moment
    (`since`, epoch seconds) for a topic that came while the group was busy, so that its position could not be set.
    """

    name: str
    topics: tuple[str, ...]
    start: Literal["earliest", "latest"] = "latest"
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a read or a reset begins: the constructors below say what `value` is."""

    at: Literal["beginning", "end", "offset", "last", "time"]
    value: float = 0
    partition: int | None = None  # only this one; None is all

    # beginning: the oldest event that is kept. end: what is published from now on.
    # offset: from this offset on, in each partition. last: the newest `value` events of the topic (of the
    # partition, if one is named), by time of publishing. time: published at or after these epoch seconds.


End = Literal["stored", "never"]  # stop behind what is stored at the time of the call, or follow for ever


class Receipt(NamedTuple):
    """An event is stored: where. `offset` is None where the channel has none. `published` is epoch seconds."""

    id: str | None
    topic: str
    partition: int | None
    offset: int | None
    published: float


class Place(NamedTuple):
    """A partition of a topic; the topic itself, with None, where the channel has no partitions."""

    topic: str
    partition: int | None


class Polled(NamedTuple):
    """`lost` are the places taken away since the last poll: what is held of them must be dropped."""

    deliveries: Sequence[Delivery]
    lost: frozenset[Place] = frozenset()


class PartitionInfo(NamedTuple):
    """`first` is the oldest offset that is kept, `end` the one the next event gets."""

    number: int
    first: int
    end: int


class TopicInfo(NamedTuple):
    """A topic as it is. `partitions` is empty, and `events` None, where the channel does not know."""

    name: str
    partitions: Sequence[PartitionInfo]
    events: int | None
    compacted: bool = False
    retention_s: float | None = None


class GroupPlace(NamedTuple):
    """A group's position in one partition. `lag` is end minus committed, None where unknown, never 0 instead."""

    place: Place
    committed: int | None
    end: int | None
    lag: int | None
    member: str | None


class GroupInfo(NamedTuple):
    """A group as it is: its positions and how many members it has now."""

    name: str
    members: int
    places: Sequence[GroupPlace]

    @property
    def lag(self) -> int | None:
        """Of all its places; None if one of them is unknown."""
        known = [place.lag for place in self.places if place.lag is not None]
        return sum(known) if len(known) == len(self.places) else None


class Subscription(Protocol):
    """Membership in a group. Belongs to one thread; heartbeats do not depend on `poll`."""

    def poll(self, timeout: float, at_most: int) -> Polled:
        """Deliveries, at the latest after `timeout` seconds (then maybe none), and the places taken away.

        Each delivery comes once, in the order of its partition, until a place is lost and comes back.
        `at_most=0` only keeps membership.
        """

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """These are handled: never again to this group, once stored (at the latest 0.2 s later while polling, or at `close`).

        In any order: a place is committed up to the first event that is not done. On a lost place it does nothing.
        """

    def close(self) -> None:
        """Store what is done and leave: what is not done goes to the others at once, or comes again."""


class EventChannel(Protocol):
    """One connection to what carries events. Belongs to one thread.

    `address` says where it is, and by `"ours": False` that it is a bus which eda did not start: nothing that others
    made there is changed or deleted.
    """

    can: frozenset[Ability]

    def declare(self, topics: Sequence[Topic], groups: Sequence[Group]) -> Sequence[str]:
        """Topics exist and from now on each group gets every event of its topics; a line for each hint that is not met.

        Idempotent: only what is missing is made, only missing positions are set. A topic that exists keeps
        its settings, but for partitions, which may grow where the bus is ours.
        """

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        """Take events into care, in order. They may still be in flight; blocks when full, never drops.

        Raises UnknownTopic where the topic does not exist: topics come from `declare` alone. Raises EventRefused at
        the first event that the topic never takes: those before it are in care, it and those behind it are not.
        """

    def flush(self, timeout: float) -> Sequence[Receipt]:
        """All that was published since the last flush is stored: a receipt each, in the order of publishing.

        Raises PublishError, naming those that are not stored after `timeout` seconds; they are dropped. It says which
        of them the channel will never take.
        """

    def subscribe(self, group: Group) -> Subscription:
        """Join a declared group."""

    def read(self, topic: str, start: Start, end: End) -> Iterator[Sequence[Delivery]]:
        """Events in batches, of no group and moving nobody's position; `start` before now needs REPLAY.

        Waiting yields an empty batch at least every 0.1 s, so that the caller can stop. Raises UnknownTopic.
        """

    def topics(self) -> Sequence[TopicInfo]:
        """All topics that are not internal to the broker, by name."""

    def groups(self) -> Sequence[GroupInfo]:
        """All groups, by name."""

    def reset(self, group: str, topics: Sequence[str], start: Start) -> None:
        """Set where a group goes on, per topic (none named: all it has). Raises ChannelError while it has members."""

    def remove(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        """Delete these. Raises UnknownTopic, and ChannelError on a bus that is not ours."""

    def version(self) -> str:
        """What answers and its version: `Apache Kafka 4.1`."""

    def close(self) -> None:
        """Let go; idempotent. What is in flight is given up: flush before."""


def none_created(names: Iterable[str]) -> ChannelError:
    """What to raise where topics are missing and the address says `"creates": False`: names all of them."""
    told = sorted(names)
    what = f"there is no topic '{told[0]}'" if len(told) == 1 else f"{len(told)} topics are not there: {', '.join(told)}"
    return ChannelError(what, "this run creates none (--no-create)", "have them created there, or leave --no-create out")
