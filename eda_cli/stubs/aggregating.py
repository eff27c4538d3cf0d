"""Counts, sums, means, the smallest and the largest: gathered value by value, in a form that JSON carries. Knows no window.

A sum is exact in whatever order it is gathered, as that of math.fsum: of floats it is a list, and of too many some fewer with
the same sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import copysign, fsum
from sys import float_info
from typing import Any

from eda_cli.payloads import Context, PayloadError, Seen, aggregate_path, compile_value, quick_of

MOST_PARTS = 16  # of a sum; an append for each event, and now and then a sum of so many, cost about what an addition costs


class Aggregates:
    """Those of `texts`, `sum($.x)`: what is gathered is a list with a place for each, None where nothing came yet."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._kinds = [(text, text.partition("(")[0]) for text in texts]
        self._joins = [_JOIN[kind] for _, kind in self._kinds]
        self._measured = [(place, text, kind, compile_value(path, "rule")) for place, (text, kind) in enumerate(self._kinds)
                          if (path := aggregate_path(text)) is not None]
        self.paths = [quick for *_, path in self._measured if (quick := quick_of(path)) is not None]
        self.quick = self._measuring()  # what `measured` gives of numbers that are there; in doubt it raises

    def _measuring(self) -> Callable[[Seen], list[tuple[int, Any]]] | None:
        if len(self.paths) < len(self._measured):
            return None
        paths = [(place, kind, path) for (place, _, kind, _), path in zip(self._measured, self.paths, strict=True)]

        def measured(seen: Seen) -> list[tuple[int, Any]]:
            made = []
            for place, kind, path in paths:
                value = path(seen)
                if type(value) is not float and type(value) is not int:
                    raise ValueError(value)
                made.append((place, [value, 1] if kind == "mean" else value))
            return made

        return measured

    def none(self) -> list[Any]:
        """Nothing gathered yet."""
        return [None] * len(self._kinds)

    def measured(self, context: Context) -> list[tuple[int, Any]]:
        """What one event gives, by place. Raises PayloadError where its value is of the wrong kind."""
        return [(place, _start(text, kind, value)) for place, text, kind, path in self._measured
                if (value := path(context)) is not None]

    def add(self, gathered: list[Any], more: Iterable[tuple[int, Any]]) -> None:
        """Take in what one event gives, or what was gathered elsewhere."""
        for place, value in more:
            if value is not None:
                gathered[place] = value if gathered[place] is None else self._joins[place](gathered[place], value)

    def results(self, gathered: Sequence[Any], events: int) -> Mapping[str, Any]:
        """The value of each by its text, of so many events."""
        return {text: _result(kind, value, events) for (text, kind), value in zip(self._kinds, gathered, strict=True)}


def _start(text: str, kind: str, value: Any) -> Any:
    """What one event gives to an aggregate. Raises PayloadError where its value is of the wrong kind."""
    if type(value) is float or type(value) is int:
        return [value, 1] if kind == "mean" else value
    if kind in ("min", "max") and isinstance(value, str):
        return value
    raise PayloadError(f"{text} needs numbers", f"the event has {type(value).__name__} there")


def _alike(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Of a text and a number the first that came."""
    return lambda one, other: choose(one, other) if isinstance(one, str) is isinstance(other, str) else one


Sum = float | list[float]


def _sum(one: Sum, other: Sum) -> Sum:
    """As a list from the first float on, or where JSON could not carry the whole number. Changes `one` where it is a list."""
    if isinstance(one, list):
        if isinstance(other, list):
            one += other
        else:
            one.append(other)
        return one if len(one) < MOST_PARTS else _fewer(one)
    if type(one) is int and type(other) is int and -(2**63) <= (total := one + other) < 2**64:
        return total
    return _sum([one], other)


def _fewer(parts: Sequence[float]) -> list[float]:
    """Floats with exactly the same sum: that sum, what is missing to it, and so on. Beyond all floats is the largest."""
    fewer: list[float] = []
    missing = [one for part in parts for one in _floats(part)]
    try:
        while total := fsum(missing):
            fewer.append(total)
            missing.append(-total)
    except (OverflowError, ValueError):
        return [copysign(float_info.max, sum(parts))]
    return fewer or [0.0]


def _floats(number: float) -> tuple[float, ...]:
    """As numbers that a float holds exactly."""
    if type(number) is float or -(2**53) <= number <= 2**53:
        return (number,)
    return (nearest := float(number), int(number) - int(nearest))


def _total(value: Sum) -> float:
    return _fewer(value)[0] if isinstance(value, list) else value


_JOIN: dict[str, Callable[[Any, Any], Any]] = {  # of two values that are there
    "count": lambda one, other: None,
    "sum": _sum,
    "mean": lambda one, other: [_sum(one[0], other[0]), one[1] + other[1]],
    "min": _alike(min),
    "max": _alike(max),
}


def _result(kind: str, value: Any, events: int) -> Any:
    if kind == "count":
        return events
    if kind == "mean":
        return _total(value[0]) / value[1] if value else None
    if kind == "sum":
        return 0 if value is None else _total(value)
    return value
