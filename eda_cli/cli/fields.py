"""What the fields of many bodies contain: how often each is there, of which type, which values. Knows no generator."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from eda_cli.event import Event

FREQUENT = 5  # values that are named
OFTEN = 0.01  # the share that one of them has at least
BARS = "▁▂▃▄▅▆▇█"
BUCKETS = 8  # of the distribution of numbers, at most
MOST_KNOWN = 100_000  # different values of a field that are told apart
MOST_FIELDS = 1_000  # paths that are told apart: keys may be drawn, too
DEEP = 20  # levels that are looked into
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "object", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A sample of numbers; `buckets` are how many lie in each of BUCKETS equal parts from `min` to `max`.

    Where all of them are `whole`, no bucket has parts of one, and each has its own where they are near enough.
    """

    min: float
    mean: float
    p50: float
    p99: float
    max: float
    buckets: tuple[int, ...]
    whole: bool = False

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Numbers:
        """Of at least one number."""
        values = sorted(numbers)
        least, most, last = values[0], values[-1], len(values) - 1
        half = most / 2 - least / 2  # of their width, which no float is too small for
        whole = all(isinstance(value, int) for value in values)
        buckets = [0] * (min(BUCKETS, int(most - least) + 1) if whole else BUCKETS)
        for value in values:
            if whole:
                buckets[int(value - least) * len(buckets) // int(most - least + 1)] += 1
            else:
                buckets[min(BUCKETS - 1, int((value / 2 - least / 2) / half * BUCKETS)) if half else 0] += 1
        try:
            mean = math.fsum(values) / len(values)
        except OverflowError:  # numbers near the largest there are
            mean = math.fsum(value / len(values) for value in values)
        return cls(least, mean, values[round(last * 0.5)], values[round(last * 0.99)], most, tuple(buckets), whole)

    @property
    def bar(self) -> str:
        """The buckets as bars; one with few in it is no empty one. Nothing where all are equal.

        Of ten whole numbers some buckets have one and some two: the bars say how many came of each.
        """
        if self.min == self.max:
            return ""
        begin = [-(-index * int(self.max - self.min + 1) // len(self.buckets)) for index in range(len(self.buckets) + 1)]
        dense = [many / (end - start if self.whole else 1)
                 for many, (start, end) in zip(self.buckets, pairwise(begin), strict=True)]
        fullest = max(dense)
        return "".join(BARS[math.ceil(one / fullest * (len(BARS) - 1))] if one else " " for one in dense)


@dataclass(slots=True)
class Field:
    """One path in the bodies: `$.items[*].sku`; `$key` is the record key, `$type` the event type.

    `places` is how often it could have been there: as often as what it is in. `types` counts the JSON types of what was there;
    what is none is "no JSON", no body at all a "tombstone". `numbers` are its numbers, of a list how many items it has. `values`
    counts at most MOST_KNOWN different ones.
    """

    path: str
    places: int = 0
    types: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    numbers: list[float] = field(default_factory=list)

    def note(self, value: Any, type_: str) -> None:
        """It is there once more."""
        self.types[type_] += 1
        if type_ in ("integer", "number"):
            self.numbers.append(value)
        elif type_ == "list":
            self.numbers.append(len(value))
        if type_ in ("string", "integer", "number", "boolean"):
            said = value if isinstance(value, str) else orjson.dumps(value).decode()
            if said in self.values or len(self.values) < MOST_KNOWN:
                self.values[said] += 1

    @property
    def null(self) -> float:
        """The share (0 to 1) of the places where it is null."""
        return self.types["null"] / self.places

    @property
    def absent(self) -> float:
        """The share of the places where it is not there."""
        return 1 - self.types.total() / self.places

    @property
    def shares(self) -> dict[str, float]:
        """The types that it has where it is not null, each with its share of them; whole numbers are numbers where others are."""
        types = Counter({name: many for name, many in self.types.items() if name != "null"})
        if types["number"]:
            types["number"] += types.pop("integer", 0)
        return {name: many / types.total() for name, many in types.most_common() if many}

    @property
    def frequent(self) -> list[tuple[str, float]]:
        """The values that came often, as text or JSON, the most frequent first, each with its share of all of them."""
        there = self.values.total()
        return [(value, many / there) for value, many in self.values.most_common(FREQUENT)
                if many >= max(2, OFTEN * there)]

    def to_json(self) -> dict[str, Any]:
        """As one line tells it; `numbers` is null where there are none."""
        numbers = Numbers.of(self.numbers) if self.numbers else None
        return {"path": self.path, "places": self.places, "null": round(self.null, 6), "absent": round(self.absent, 6),
                "types": self.types, "distinct": len(self.values), "numbers": numbers,
                "frequent": [{"value": value, "share": round(share, 6)} for value, share in self.frequent]}


def fields_in(events: Iterable[Event]) -> list[Field]:
    """The fields of these events, in the order in which they came up first: key, types if there are several, then the bodies.

    Maps that are always there are left out: what is in them says all.
    """
    looked = _Looked()
    for event in events:
        looked.see(event)
    return [one for one in looked.fields.values()
            if one.places and ([*one.shares] != ["object"] or one.null or (one.absent and one.path != "$"))
            and (one.path != "$key" or one.types) and (one.path != "$type" or len(one.values) > 1)]


class _Looked:
    def __init__(self) -> None:
        self.fields: dict[str, Field] = {}
        self._key, self._type, self._body = self._field("$key"), self._field("$type"), self._field("$")
        self._inside: dict[str, list[Field]] = {}  # path of a map -> the fields that are in one of them

    def see(self, event: Event) -> None:
        self._key.places += 1
        self._type.places += 1
        self._body.places += 1
        if event.type is not None:
            self._type.note(event.type, "string")
        if event.key is not None:
            self._key.note(event.key.decode(errors="replace"), "string")
        if event.data is None:
            self._body.note(None, "tombstone")
            return
        try:
            self._walk(self._body, orjson.loads(event.data), DEEP)
        except orjson.JSONDecodeError:
            self._body.note(None, "no JSON")

    def _field(self, path: str) -> Field:
        if path not in self.fields:
            self.fields[path] = Field(path)
        return self.fields[path]

    def _walk(self, at: Field, value: Any, deep: int) -> None:
        type_ = _TYPES[type(value)]
        at.note(value, type_)
        if type_ == "object" and deep:
            self._walk_map(at, value, deep)
        elif type_ == "list" and deep:
            for item in value:
                inside = self._field(f"{at.path}[*]")
                inside.places += 1
                self._walk(inside, item, deep - 1)

    def _walk_map(self, at: Field, value: dict[str, Any], deep: int) -> None:
        inside = self._inside.setdefault(at.path, [])
        for name, one in value.items():
            path = f"{at.path}.{name}"
            if path not in self.fields:
                if len(self.fields) >= MOST_FIELDS:
                    continue
                new = self._field(path)
                new.places = at.types["object"] - 1  # in those before it was not
                inside.append(new)
            self._walk(self.fields[path], one, deep - 1)
        for one in inside:
            one.places += 1
