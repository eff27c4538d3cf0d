"""What goes wrong with the events of a generator: which of them, and what is done to them. Knows no channel and no file.

The faults of an event are drawn from dice of their own, by its number, or by its entity and step: the same seed gives the
same faults, whatever the replicas are, and the bodies of all other events stay as they are without faults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eda_cli.event import Event
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Faults, Spread
from eda_cli.stubs.held import Going, Held, Kept
from eda_cli.stubs.making import Wanted

NONE = Spread(0.0, (0.0, 0.0))
_NO_UTF8 = b"\xff"  # in no text of UTF-8, so in no JSON either


class Drawn(NamedTuple):
    """What goes wrong with one event; `late_s` and `hold_s` are by how many seconds, `at` (0 to 1) is where it is spoiled."""

    drop: bool
    duplicate: bool
    late_s: float
    hold_s: float
    corrupt: bool
    null_key: bool
    at: float


def drawer(faults: Faults | None, seed: int, part: str) -> Callable[[int | str], Drawn | None]:
    """A function from the lot of an event (see `Wanted`) to what goes wrong with it; None is nothing."""
    if faults is None:
        return lambda lot: None
    dice = Dice(seed, part, "faults")
    late, held = faults.late or NONE, faults.out_of_order or NONE

    def draw(lot: int | str) -> Drawn | None:
        dice.roll(lot)
        # all are drawn in this order whatever is asked for, so that no fault changes who has the others
        drop, duplicate = dice.random() < faults.drop, dice.random() < faults.duplicate
        is_late, late_s = dice.random() < late.share, dice.uniform(*late.by_s)
        is_held, hold_s = dice.random() < held.share, dice.uniform(*held.by_s)
        corrupt, null_key = dice.random() < faults.corrupt, dice.random() < faults.null_key
        if not (drop or duplicate or is_late or is_held or corrupt or null_key):
            return None
        return Drawn(drop, duplicate, late_s if is_late else 0.0, hold_s if is_held else 0.0, corrupt, null_key,
                     dice.random())

    return draw


class Faulty:
    """Does to the events of a generator what is drawn for them, and holds back those that others are to overtake.

    `held` is changed by it; `faulted` counts the events with each fault, from what it was before.
    """

    def __init__(self, faults: Faults | None, seed: int, part: str, held: Held, faulted: Mapping[str, int]) -> None:
        self._draw = drawer(faults, seed, part)
        self._none = faults is None or not any((faults.duplicate, faults.drop, faults.late, faults.out_of_order, faults.corrupt,
                                                faults.null_key))
        self._held = held
        self._drawn: dict[int, Drawn] = {}
        self.faulted = Counter(faulted)

    def earlier(self, wanted: Sequence[Wanted]) -> Sequence[Wanted]:
        """What is to be made: late events happened earlier than the schedule says."""
        if self._none:
            return wanted
        self._drawn = {one.number: drawn for one in wanted if (drawn := self._draw(one.lot))}
        return [one._replace(now=one.now - self._drawn[one.number].late_s) if one.number in self._drawn else one
                for one in wanted]

    def come(self, wanted: Sequence[Wanted], events: Sequence[Event]) -> tuple[Sequence[Wanted], Sequence[Event]]:
        """Those that are published sooner or later, as they were made: all but the dropped ones."""
        dropped = {number for number, drawn in self._drawn.items() if drawn.drop}
        if not dropped:
            return wanted, events
        pairs = [(one, event) for one, event in zip(wanted, events, strict=True) if one.number not in dropped]
        return [one for one, _ in pairs], [event for _, event in pairs]

    def afflict(self, wanted: Sequence[Wanted], events: list[Event]) -> Going:
        """What is published now of the events that were made: between them stands what was held back until then.

        `wanted` stands in the same order, with the moments of the schedule.
        """
        if self._none and not self._held:
            return Going(events)
        going = Going()
        for one, event in zip(wanted, events, strict=True):
            going.add(*self._held.due(one.now))
            drawn = self._drawn.get(one.number)
            if drawn is None:
                going.events.append(event)
            elif drawn.drop:
                self.faulted["drop"] += 1
            else:
                names = _spoil(event, drawn)
                self.faulted.update(names)
                kept = Kept(event, names, 2 if drawn.duplicate else 1)
                if drawn.hold_s:
                    self._held.hold(one.now + drawn.hold_s, kept)
                else:
                    going.add(kept)
        return going


def _spoil(event: Event, drawn: Drawn) -> tuple[str, ...]:
    """The faults that the event has then: one without a key cannot lose it, and a tombstone has no bytes to spoil."""
    names = ["duplicate"] if drawn.duplicate else []
    names += ["late"] if drawn.late_s else []
    names += ["out_of_order"] if drawn.hold_s else []
    if drawn.corrupt and event.data:
        event.data = spoiled(event.data, drawn.at)
        names.append("corrupt")
    if drawn.null_key and event.key is not None:
        event.key = None
        names.append("null_key")
    return tuple(names)


def spoiled(data: bytes, at: float) -> bytes:
    """Bytes that are no JSON, and never none at all: cut off or with a byte that is no text, as `at` (0 to 1) says."""
    cut, rest = divmod(at * 2, 1.0)
    place = int(rest * len(data))
    if cut and place and data[:1] in (b"{", b"[", b'"'):  # what begins like this is no JSON before its end
        return data[:place]
    return data[:place] + _NO_UTF8 + data[place + 1:]
