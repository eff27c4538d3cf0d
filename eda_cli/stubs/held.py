"""Events that are published later than they were made, each at its moment. Knows not why, and no file."""

from __future__ import annotations

import heapq
import math
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from eda_cli.event import Event
from eda_cli.sketch.resolved import MOST_HELD
from eda_cli.stubs.packing import fields_of

Packed = tuple[float, int, bytes]  # when it is due (epoch seconds), the how-many-th it is, and the event


class Kept(NamedTuple):
    """An event, the faults that it has, and how many times it is published."""

    event: Event
    faults: tuple[str, ...] = ()
    times: int = 1


class Change(NamedTuple):
    """What is held from now on, and which of those before are held no more."""

    more: Sequence[Packed] = ()
    gone: Sequence[int] = ()


NOTHING = Change()


class Held:
    """What is held back, by when it is due. Packed, so that it is stored as it is: a batch by what it changes of it."""

    def __init__(self, packed: Iterable[Packed] = ()) -> None:
        self._heap = list(packed)
        heapq.heapify(self._heap)
        self._many = max((order for _, order, _ in self._heap), default=0)
        self._more: dict[int, Packed] = {}
        self._gone: list[int] = []

    def __len__(self) -> int:
        return len(self._heap)

    def hold(self, due: float, kept: Kept) -> None:
        """Keep it until that moment (epoch seconds)."""
        self._push(due, pickle.dumps((fields_of(kept.event), *kept[1:]), 5))  # pickle, as for the spool

    def due(self, moment: float) -> Iterator[Kept]:
        """What is due then, or more than may be held; it is held no more."""
        while self._heap and (self._heap[0][0] <= moment or len(self._heap) > MOST_HELD):
            packed = heapq.heappop(self._heap)
            self._let_go(packed)
            yield _unpacked(packed)

    def pause(self, moment: float) -> float:
        """Seconds until something is due; `inf` where nothing is held."""
        return max(0.0, self._heap[0][0] - moment) if self._heap else math.inf

    def changed(self) -> Change:
        """What changed since this was asked last."""
        change = Change(list(self._more.values()), self._gone)
        self._more, self._gone = {}, []
        return change

    def take_over(self, other: Held) -> None:
        """Hold what another replica held, but what is held already; it holds nothing then."""
        known = {one for _, _, one in self._heap}
        for due, _, one in other._heap:
            if one not in known:
                self._push(due, one)
        for packed in other._heap:
            other._let_go(packed)
        other._heap = []

    def _push(self, due: float, one: bytes) -> None:
        self._many += 1
        packed = self._more[self._many] = (due, self._many, one)
        heapq.heappush(self._heap, packed)

    def _let_go(self, packed: Packed) -> None:
        if self._more.pop(packed[1], None) is None:  # else it was never stored
            self._gone.append(packed[1])


@dataclass(slots=True)
class Going:
    """What goes out together: the events in their order, and the faults of those that have some, by id."""

    events: list[Event] = field(default_factory=list)
    faults: dict[str | None, tuple[str, ...]] = field(default_factory=dict)

    def add(self, *some: Kept) -> Going:
        for event, faults, times in some:
            self.events += [event] * times
            if faults:
                self.faults[event.id] = faults
        return self


def _unpacked(packed: Packed) -> Kept:
    fields, faults, times = pickle.loads(packed[2])
    return Kept(Event(*fields), faults, times)
