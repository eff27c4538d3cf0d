"""What a consumer holds that is not done: ready, waiting for a retry, or behind one of its key that waits. Pure.

Order per key: an event never overtakes one of its key (of its place) that came before it, however often that one fails.
Events without a key have no order, and wait for nobody. Moments are monotonic seconds of the caller's clock.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count

from eda_cli.channels.base import Place
from eda_cli.event import Delivery

Lane = tuple[str, int | None, bytes]  # topic, partition, key


class Inbox:
    """The deliveries of one member that are not done yet."""

    def __init__(self) -> None:
        self._ready: deque[Delivery] = deque()
        self._released: deque[Delivery] = deque()  # taken before, or behind one that is decided: before all that is ready
        self._back: list[Delivery] = []  # of the batch at hand, in its order: before what is released
        self._waiting: list[tuple[float, int, Delivery]] = []  # a heap by the moment of the retry
        self._behind: dict[Lane, deque[Delivery]] = {}  # lanes that an event waits in, and who stands behind it
        self._heads: dict[Lane, Delivery] = {}  # that event
        self._before: dict[int, Delivery] = {}  # by their id(): taken before, and not tried
        self._order = count()

    def __len__(self) -> int:
        return (len(self._ready) + len(self._released) + len(self._back) + len(self._waiting)
                + sum(map(len, self._behind.values())))

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """These came, in the order of their places."""
        self._ready.extend(deliveries)

    def take(self, now: float, at_most: int) -> list[Delivery]:
        """Those whose turn it is, at most so many: due retries first."""
        if self._back:
            self._released.extendleft(reversed(self._back))
            self._back = []
        if not self._behind and not self._waiting and not self._released and len(self._ready) <= at_most:
            taken, self._ready = list(self._ready), deque()
            return taken
        taken = []
        while self._waiting and self._waiting[0][0] <= now and len(taken) < at_most:
            taken.append(heapq.heappop(self._waiting)[2])  # each is alone in its lane
        while len(taken) < at_most and (delivery := self._next()) is not None:
            taken.append(delivery)
        return taken

    def _next(self) -> Delivery | None:
        """The next one that waits for nobody."""
        while queue := self._released or self._ready:
            lane = lane_of(queue[0])
            if lane is None or lane not in self._behind:
                return queue.popleft()
            self._behind[lane].append(queue.popleft())
        return None

    def first_time(self, taken: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those of them that were not taken before to stand behind another, or to be put back."""
        if not self._before:
            return taken
        return [delivery for delivery in taken if self._before.pop(id(delivery), None) is None]

    def stand_behind(self, delivery: Delivery) -> None:
        """One of its key was taken with it and failed: it waits until that one is decided."""
        lane = lane_of(delivery)
        assert lane is not None
        self._behind[lane].append(delivery)
        self._before[id(delivery)] = delivery

    def put_back(self, delivery: Delivery) -> None:
        """It was taken and nothing came of it, nor of any of its key behind it: it is ready, before all that came later."""
        self._back.append(delivery)
        self._before[id(delivery)] = delivery

    def again(self, delivery: Delivery, due: float) -> None:
        """It failed and comes again at that moment; those of its key stand behind it."""
        heapq.heappush(self._waiting, (due, next(self._order), delivery))
        if (lane := lane_of(delivery)) is not None:
            self._behind.setdefault(lane, deque())
            self._heads[lane] = delivery

    def settled(self, deliveries: Iterable[Delivery]) -> None:
        """These are decided, and wait no more: those behind them are ready, before all others."""
        if not self._behind:
            return
        for delivery in deliveries:
            lane = lane_of(delivery)
            if lane is not None and self._heads.get(lane) is delivery:  # not one that was handled before it
                del self._heads[lane]
                self._released.extendleft(reversed(self._behind.pop(lane)))  # of this lane, the first that are left

    def lose(self, places: Collection[Place]) -> None:
        """These places were taken away: what is held of them belongs to others."""
        def keeps(delivery: Delivery) -> bool:
            return Place(delivery.topic, delivery.partition) not in places

        self._ready = deque(filter(keeps, self._ready))
        self._released = deque(filter(keeps, self._released))
        self._back = list(filter(keeps, self._back))
        self._waiting = [each for each in self._waiting if keeps(each[2])]
        heapq.heapify(self._waiting)
        self._heads = {lane: head for lane, head in self._heads.items() if keeps(head)}
        self._behind = {lane: behind for lane, behind in self._behind.items() if lane in self._heads}
        self._before = {id_: delivery for id_, delivery in self._before.items() if keeps(delivery)}

    def waiting(self) -> Mapping[Place, Collection[int]]:
        """Those that wait, or did so until now: later ones of their places may be settled already.

        By their offsets, or else by numbers of ours that tell them apart.
        """
        offsets: dict[Place, list[int]] = {}
        if not self._waiting and not self._behind and not self._released and not self._back:
            return offsets
        for delivery in (*(each[2] for each in self._waiting), *(one for lane in self._behind.values() for one in lane),
                         *self._released, *self._back):
            number = delivery.offset if delivery.offset is not None else id(delivery)
            offsets.setdefault(Place(delivery.topic, delivery.partition), []).append(number)
        return offsets

    def due_in(self, now: float) -> float | None:
        """Seconds until the next retry; None where nothing waits."""
        return max(0.0, self._waiting[0][0] - now) if self._waiting else None


def lane_of(delivery: Delivery) -> Lane | None:
    """What keeps events in order: those of one key in one place; None for an event without a key."""
    key = delivery.event.key
    return (delivery.topic, delivery.partition, key) if key is not None else None
