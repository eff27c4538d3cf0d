"""What a log channel's member holds: which deliveries are done, and how far that can be committed.

Knows no technology. A place is committed up to the first event that is not done, so `done` out of order leaves
no gap behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from eda_cli.channels.base import Place
from eda_cli.event import Delivery


class Ledger:
    """Per place: the offsets handed out, in order, and those of them that are done."""

    def __init__(self) -> None:
        self._open: dict[Place, deque[int]] = {}
        self._done: dict[Place, set[int]] = {}
        self._moved: dict[Place, int] = {}

    def handed_out(self, place: Place, offsets: Iterable[int]) -> None:
        """These were delivered, in this order, behind those before."""
        self._open.setdefault(place, deque()).extend(offsets)

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """These are handled; a place that was dropped, or an event that is not open, is passed over."""
        touched = set()
        for delivery in deliveries:
            assert delivery.partition is not None and delivery.offset is not None
            place = Place(delivery.topic, delivery.partition)
            if place in self._open:
                self._done.setdefault(place, set()).add(delivery.offset)
                touched.add(place)
        for place in touched:
            self._advance(place)

    def moved(self) -> dict[Place, int]:
        """The places that can be committed further than before, each with the next offset to handle; forgets them."""
        moved, self._moved = self._moved, {}
        return moved

    def drop(self, place: Place) -> None:
        """The place was taken away: what is open there is no longer ours, nothing of it is committed."""
        self._open.pop(place, None)
        self._done.pop(place, None)
        self._moved.pop(place, None)

    def holds(self, place: Place) -> bool:
        """Whether an event of this place is handed out and not done."""
        return bool(self._open.get(place))

    def _advance(self, place: Place) -> None:
        waiting, done = self._open[place], self._done[place]
        while waiting and waiting[0] in done:
            offset = waiting.popleft()
            done.discard(offset)
            self._moved[place] = offset + 1
        if not waiting:
            done.clear()
