"""`walk(21, 0.2, 15..30)`: a measurement that changes by a little from event to event. Knows no other function.

A walk is a Brownian path W, looked at after each step, and a pure function of (place, entity, step): W is known at the
powers of two from increments, and between two known points the middle one is drawn (Lévy's construction, a Brownian
bridge). So a step is found from about two normal numbers for each of its binary digits, without those before it, and no
kill, restart or replica changes it. Each number of a step is drawn for the point that it leads to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import sqrt

from eda_cli.payloads.arguments import Argument, WrongArguments
from eda_cli.payloads.code import Code
from eda_cli.payloads.dice import Dice, floats_at, standard_normal
from eda_cli.payloads.problems import Refused, shown
from eda_cli.payloads.ranges import number_range

MOST_PATHS = 20_000  # that are remembered, of all walks and entities; one takes about 1 kB
_LARGEST = 1e12
_START = 0  # the number for which a start is drawn; W(0) is 0 and needs none

_paths: OrderedDict[tuple[bytes, int], _Path] = OrderedDict()  # those used last stand last; nothing depends on it


def walk(arguments: Sequence[Argument], code: Code) -> str:
    """`walk(START, STEP, lo..hi)`: begins at START, and changes by a normal number of the standard deviation STEP.

    START may be a range: then each entity begins elsewhere. At a bound it turns back. It has one decimal more than written.
    """
    if code.scope != "generator":
        raise Refused("walk(…) goes on from event to event of a generator", "its body and headers alone can have it",
                      "take a field of the event, such as $.temperature")
    if code.in_list:
        raise Refused("walk(…) stands in a $list", "it has one value for each event, so all items would be equal",
                      "give each walk a field of its own")
    start, step, bounds = _read(arguments)
    decimals = min(12, 1 + max(argument.decimals for argument in arguments))
    written = ", ".join(argument.text for argument in arguments)
    made = _Walk(code.place(f"walk({written})"), start, step, bounds, decimals)
    code.use("random", "entity", "step")
    return f"{code.constant(made.value)}(random, entity, step)"


def _read(arguments: Sequence[Argument]) -> tuple[tuple[float, float], float, tuple[float, float] | None]:
    if not 2 <= len(arguments) <= 3:
        raise WrongArguments("it takes where it begins, the standard deviation of a step, and if you like the bounds")
    first, step = arguments[0].number, arguments[1].number
    start = (float(first), float(first)) if first is not None else number_range(arguments[0].text)
    bounds = number_range(arguments[2].text) if len(arguments) == 3 else None
    if start is None or step is None or (bounds is None and len(arguments) == 3):
        raise WrongArguments("where it begins is a number or a range, a step is a number, and the bounds are a range")
    if step < 0 or max(step, *map(abs, (*start, *(bounds or ())))) > _LARGEST:
        raise WrongArguments("a step is not negative, and no number is over 1e12")
    if bounds and bounds[0] == bounds[1]:
        raise Refused(f"walk(…) cannot move within {shown(arguments[2].text)}", "there is nothing between the bounds",
                      "take wider bounds")
    if bounds and not bounds[0] <= start[0] <= start[1] <= bounds[1]:
        raise Refused(f"walk(…) begins outside of {shown(arguments[2].text)}", f"at {shown(arguments[0].text)}",
                      "begin within the bounds, or take wider ones")
    return start, float(step), bounds


class _Walk:
    """One walk of one body, of all entities."""

    def __init__(self, name: str, start: tuple[float, float], step: float, bounds: tuple[float, float] | None,
                 decimals: int) -> None:
        self._name = name
        self._low, self._high = start
        self._step = step
        self._bounds = bounds
        self._decimals = decimals

    def value(self, random: Dice, entity: int, step: int) -> float:
        """Where it is after so many steps."""
        place = random.place(self._name)
        start = self._low
        if self._high > start:
            start += (self._high - start) * (floats_at(place, entity, _START)[0] - 1.0)
        reached = start + self._step * _path(place, entity).at(step)
        if self._bounds is not None:
            reached = _reflected(reached, *self._bounds)
        return round(reached, self._decimals) + 0.0  # no negative zero


def _reflected(reached: float, low: float, high: float) -> float:
    """Where a walk is that turns back at each bound it comes to."""
    width = high - low
    beyond = (reached - low) % (2.0 * width)
    return low + (beyond if beyond <= width else 2.0 * width - beyond)


def _path(place: bytes, entity: int) -> _Path:
    """The path, remembered or from its beginning, which is the same."""
    key = place, entity
    path = _paths.get(key)
    if path is not None:
        _paths.move_to_end(key)
        return path
    if len(_paths) >= MOST_PATHS:
        _paths.popitem(last=False)
    path = _paths[key] = _Path(place, entity)
    return path


class _Path:
    """W of one entity. Remembers the point it was at and the ends of the intervals around it, so that the next one is near."""

    __slots__ = ("_ends", "_entity", "_here", "_place", "_step")

    def __init__(self, place: bytes, entity: int) -> None:
        self._place = place
        self._entity = entity
        self._begin()

    def _begin(self) -> None:
        self._step, self._here = 0, 0.0
        self._ends: list[tuple[int, float]] = []  # points behind this one, the nearest last; each interval has its middle

    def at(self, step: int) -> float:
        """W after so many steps; its variance is their number."""
        if step < self._step:
            self._begin()
        while self._ends and self._ends[-1][0] <= step:
            self._step, self._here = self._ends.pop()
        while self._step != step:
            if not self._ends:
                reached = max(2 * self._step, 1)  # from one power of two to the next
                there = self._here + sqrt(reached - self._step) * self._normal(reached)
            else:
                end, last = self._ends[-1]
                reached = (self._step + end) // 2
                there = (self._here + last) / 2.0 + sqrt((end - self._step) / 4.0) * self._normal(reached)
            if reached <= step:
                self._step, self._here = reached, there
            else:
                self._ends.append((reached, there))
        return self._here

    def _normal(self, reached: int) -> float:
        first, second, *_ = floats_at(self._place, self._entity, reached)
        return standard_normal(first, second)
