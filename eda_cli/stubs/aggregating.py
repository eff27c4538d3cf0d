"""Counts, sums, means, the smallest and the largest: gathered value by value, in a form that JSON carries. Knows no window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from eda_cli.payloads import Context, PayloadError, Seen, aggregate_path, compile_value, quick_of


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


def _sum(one: float, other: float) -> float:
    """As a float where JSON could not carry the whole number."""
    total = one + other
    return total if -(2**63) <= total < 2**64 else float(total)


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
        return value[0] / value[1] if value else None
    return 0 if kind == "sum" and value is None else value
