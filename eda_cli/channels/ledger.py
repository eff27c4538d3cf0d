"""What a log channel's member holds: which deliveries are done, and how far that can be committed.

Knows no technology. A place is committed up to the first event that is not done, so `done` out of order
leaves no gap behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eda_cli.channels.base import Place
from eda_cli.event import Delivery


@dataclass(slots=True)
class _Held:
    """A place: its offsets that are not done, those done ahead of their turn, and how far all are done."""

    open: deque[int] = field(default_factory=deque)
    ahead: set[int] = field(default_factory=set)
    next: int | None = None
    told: int | None = None


class Ledger:
    """The deliveries of one member, by place."""

    def __init__(self) -> None:
        self._held: dict[Place, _Held] = {}

    def handed_out(self, place: Place, offsets: Iterable[int]) -> None:
        """These were delivered, in this order, behind those before."""
        self._held.setdefault(place, _Held()).open.extend(offsets)

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """These are handled; a place that was dropped, or an event that is not open, is passed over."""
        topic: str | None = None
        partition: int | None = None
        held: _Held | None = None
        for delivery in deliveries:
            if delivery.partition != partition or delivery.topic != topic:
                topic, partition = delivery.topic, delivery.partition
                assert partition is not None
                held = self._held.get(Place(topic, partition))
            offset = delivery.offset
            assert offset is not None
            if held is None or not held.open:
                continue
            waiting = held.open
            if waiting[0] == offset:
                waiting.popleft()
                held.next = offset + 1
                if held.ahead:
                    _catch_up(held)
            elif offset > waiting[0]:
                held.ahead.add(offset)

    def moved(self) -> dict[Place, int]:
        """The places that can be committed further than before, each with the next offset; forgets them."""
        moved = {}
        for place, held in self._held.items():
            if held.next is not None and held.next != held.told:
                held.told = moved[place] = held.next
        return moved

    def drop(self, place: Place) -> None:
        """The place was taken away: what is open there is no longer ours, nothing of it is committed."""
        self._held.pop(place, None)

    def holds(self, place: Place) -> bool:
        """Whether an event of this place is handed out and not done."""
        held = self._held.get(place)
        return held is not None and bool(held.open)


def _catch_up(held: _Held) -> None:
    """What was done ahead of its turn, and is next now."""
    while held.open and held.open[0] in held.ahead:
        held.next = held.open.popleft() + 1
        held.ahead.discard(held.next - 1)
