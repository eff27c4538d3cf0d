"""What became of every event of a run, folded from its observations: lost, repeated, out of order, and how late. Pure.

Knows no technology, and believes no broker: an event is *published* once the channel acknowledged it to the part that
published it, and *settled* by a group once one of its members handled it, skipped it, gave it up or sent it to the dead
letters. Needs a line for each of these (a whole journal); where lines are missing, `Figures.untold` says how many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from eda_cli.event import epoch
from eda_cli.journal import Observation
from eda_cli.sketch.resolved import Consumer, Resolved
from eda_cli.view.picture import RUN, Picture

AT_WORK_S = 2.0  # a group that settled something so shortly before is at work still
NO_LAGS: Mapping[str, int | None] = {}  # none is known

Id = tuple[str, str]  # topic and id: what one event is
Lane = tuple[str, str, str, int]  # topic, key, and the process that published: the only order that was ever promised


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a number of measured times, in milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, measured: Iterable[float]) -> Spread | None:
        """The nearest rank; None of none."""
        ranked = sorted(measured)
        return cls(*(ranked[max(0, -(-len(ranked) * share // 100) - 1)] for share in (50, 99))) if ranked else None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """What one group did. All but `handled` are about events that it had to handle.

    `lost`: not settled, though nothing in the group was at work any more, or the channel has nothing left for it.
    `unfinished`: not settled, while it was at work.
    `duplicated`: handled more often than published. `out_of_order`: handled behind a later event of its key.
    `skipped` (handled before, or late), `dead_lettered` and `given_up` are settled, as the sketch wishes.
    """

    handled: int
    lost: int
    unfinished: int
    duplicated: int
    out_of_order: int
    skipped: int = 0
    dead_lettered: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. `received` and `handled` are from publishing on, the first time each, of what was published once the
    run was ready; before that it is its start that one would measure. `untold` is how many lines miss."""

    published: Mapping[str, int]  # by topic
    groups: Mapping[str, GroupFigures]
    received: Spread | None
    handled: Spread | None
    restarts: int
    untold: int

    def total(self, what: str) -> int:
        """Of all groups: a field of GroupFigures."""
        return sum(getattr(group, what) for group in self.groups.values())


class _Seen(NamedTuple):
    """A member told of an event: when, and how many milliseconds after it was published."""

    moment: str
    id: Id
    after_ms: float


@dataclass(slots=True)
class _Published:
    copies: int
    lane: Lane | None  # None without a key
    number: int  # which of its process


@dataclass(slots=True)
class _Group:
    """One group: `members` are the parts in it."""

    members: list[Consumer]
    owed: dict[Id, int] = field(default_factory=dict)  # how often it is still to be settled; below 0: too often
    open: int = 0  # how many are still to be settled
    held: set[Id] = field(default_factory=set)  # received and not settled since
    received: list[_Seen] = field(default_factory=list)
    handled: list[_Seen] = field(default_factory=list)
    settled_at: str = ""
    skipped: int = 0
    dead_lettered: int = 0
    given_up: int = 0
    _reacts: dict[tuple[str, str | None], bool] = field(default_factory=dict)

    def reacts(self, topic: str, type_: str | None) -> bool:
        """Whether whichever member gets such an event has to handle it."""
        if (known := self._reacts.get((topic, type_))) is None:
            hearing = [one for one in self.members if topic in one.hears]
            known = self._reacts[topic, type_] = bool(hearing) and all(
                topic in one.subscribes and (not one.accepts or type_ in one.accepts) for one in hearing)
        return known

    def owe(self, id_: Id, more: int) -> None:
        before = self.owed.get(id_, 0)
        self.owed[id_] = before + more
        self.open += max(before + more, 0) - max(before, 0)

    def settle(self, id_: Id, moment: str) -> None:
        self.owe(id_, -1)
        self.held.discard(id_)
        self.settled_at = max(self.settled_at, moment)


class Compared:
    """The fold. Groups that eda runs no member of are left out: nobody tells what they do."""

    def __init__(self, sketch: Resolved) -> None:
        self.picture = Picture()
        self.moved = 0  # lines about events so far
        self._published: dict[Id, _Published] = {}
        self._lines: dict[tuple[str, int], int] = {}  # published and handled, by process
        self._numbers: dict[tuple[str, int], int] = {}
        self.ready_at: float | None = None
        parts: dict[str, list[Consumer]] = {}
        for one in sketch.consumers.values():
            parts.setdefault(sketch.group_of(one), []).append(one)
        self._groups = {name: _Group(members) for name, members in parts.items()
                        if all(one.replicas and not one.external for one in members)}
        self._of_part = {one.name: group for group in self._groups.values() for one in group.members}

    def see_all(self, observations: Iterable[Observation]) -> None:
        """Fold these in, in the order of time as far as it is known."""
        for seen in observations:
            self.picture.see(seen)
            if seen.kind == "ready" and seen.part == RUN and self.ready_at is None:
                self.ready_at = epoch(seen.time)
            if "id" in seen.fields and "topic" in seen.fields:
                self._see_event(seen)

    @property
    def open(self) -> int:
        """How many events are still to be settled, counted once for each group."""
        return sum(group.open for group in self._groups.values())

    def _see_event(self, seen: Observation) -> None:
        self.moved += 1
        process = (seen.part, seen.fields.get("replica") or 1)
        id_ = (seen.fields["topic"], seen.fields["id"])
        if seen.kind in ("published", "handled"):
            self._lines[process] = self._lines.get(process, 0) + 1
        if seen.kind == "published":
            self._see_published(seen, process, id_)
        elif (group := self._of_part.get(seen.part)) is not None:
            _see_consumed(group, seen, id_)

    def _see_published(self, seen: Observation, process: tuple[str, int], id_: Id) -> None:
        if (before := self._published.get(id_)) is not None:
            before.copies += 1
        else:
            number = self._numbers[process] = self._numbers.get(process, 0) + 1
            key = seen.fields.get("key")
            self._published[id_] = _Published(1, None if key is None else (id_[0], key, *process), number)
        for group in self._groups.values():
            if group.reacts(id_[0], seen.fields.get("type")):
                group.owe(id_, 1)

    def figures(self, now: float, lags: Mapping[str, int | None] = NO_LAGS) -> Figures:
        """What is known so far; `now` (epoch seconds) tells who is at work still, `lags` what the channel has for them."""
        topics: dict[str, int] = {}
        for (topic, _), one in self._published.items():
            topics[topic] = topics.get(topic, 0) + one.copies
        groups = {name: self._figures_of(group, now, lags.get(name)) for name, group in self._groups.items()}
        untold = sum(max(0, part.total("published") + part.total("handled") - self._lines.get(process, 0))
                     for process, part in self.picture.parts.items())
        return Figures(
            topics, groups,
            self._spread(group.received for group in self._groups.values()),
            self._spread(group.handled for group in self._groups.values()),
            sum(self.picture.restarts.values()), untold)

    def _spread(self, each: Iterable[Sequence[_Seen]]) -> Spread | None:
        return Spread.of(one.after_ms for seen in each for one in _firsts(seen, self._published)
                         if self.ready_at is not None and epoch(one.moment) - one.after_ms / 1000 >= self.ready_at)

    def _figures_of(self, group: _Group, now: float, lag: int | None) -> GroupFigures:
        at_work = any(group.owed.get(id_, 0) > 0 for id_ in group.held) or (
            bool(group.settled_at) and now - epoch(group.settled_at) < AT_WORK_S)
        times: dict[Id, int] = {}
        for one in group.handled:
            times[one.id] = times.get(one.id, 0) + 1
        again = sum(max(0, many - self._published[id_].copies) for id_, many in times.items() if id_ in self._published)
        unfinished = 0 if not at_work else group.open if lag is None else min(group.open, lag)
        return GroupFigures(len(group.handled), group.open - unfinished, unfinished, again,
                            _out_of_order([self._published[one.id] for one in _firsts(group.handled, self._published)]),
                            group.skipped, group.dead_lettered, group.given_up)


def _see_consumed(group: _Group, seen: Observation, id_: Id) -> None:
    match seen.kind:
        case "received":
            group.held.add(id_)
            group.received.append(_Seen(seen.time, id_, seen.fields["after_ms"]))
        case "handled":
            group.handled.append(_Seen(seen.time, id_, seen.fields["after_ms"]))
            group.settle(id_, seen.time)
        case "skipped":
            group.skipped += 1
            group.settle(id_, seen.time)
        case "failed" if seen.fields.get("dead_letter"):
            group.dead_lettered += 1
            group.settle(id_, seen.time)
        case "failed" if seen.fields.get("given_up"):
            group.given_up += 1
            group.settle(id_, seen.time)


def _firsts(seen: Sequence[_Seen], published: Collection[Id]) -> list[_Seen]:
    """The first time of each event, in the order of time; those of one moment in the order they came."""
    first: dict[Id, _Seen] = {}
    for one in sorted(seen, key=lambda one: one.moment):
        if one.id in published:
            first.setdefault(one.id, one)
    return list(first.values())


def _out_of_order(handled: Sequence[_Published]) -> int:
    """How many were handled behind one of their lane that was published later."""
    latest: dict[Lane, int] = {}
    late = 0
    for one in handled:
        if one.lane is not None:
            late += one.number < latest.get(one.lane, 0)
            latest[one.lane] = max(one.number, latest.get(one.lane, 0))
    return late
