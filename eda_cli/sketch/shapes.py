"""What is known of a value before it is made: which fields it has, and where only an event will tell. Knows no sketch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from eda_cli.sketch import words
from eda_cli.sketch.resolved import Raw

if TYPE_CHECKING:
    from eda_cli.payloads.expressions import Step

ABSENT: Final[Any] = object()  # there is nothing for certain
UNKNOWN: Final[Any] = object()

_MOST_FIELDS = 20  # of values that a missing one is looked for in


def leads(path: str, value: Raw) -> bool | None:
    """Whether `$.a.b` leads to something in the value; None where only the event itself will tell."""
    if not path.startswith("$."):
        return None
    found = follow(path[2:].split("."), value)
    return None if found is UNKNOWN else found is not ABSENT


def follow(steps: Sequence[Step], value: Raw) -> Raw:
    """What the steps lead to, ABSENT or UNKNOWN."""
    here = present(value)
    for step in steps:
        if isinstance(here, Mapping) and "$list" in here and _is_index(step):
            here = here["$list"]
        elif isinstance(here, Mapping) and isinstance(step, str) and len(fields(here)) == len(here.keys() - {"$vars"}):
            here = here.get(step, ABSENT)
        else:
            nothing = here is None or here == "$tombstone" or isinstance(here, (bool, int, float))
            return ABSENT if nothing else UNKNOWN
        if here is ABSENT:
            return ABSENT
        here = present(here)
    return here


def present(value: Raw) -> Raw:
    """The value without the chance that it is missing."""
    while isinstance(value, Mapping) and "$maybe" in value:
        value = value["$maybe"]
    return value


def lacking(steps: Sequence[Step], values: Sequence[Raw]) -> int | None:
    """The number of the step that leads to nothing in any of the values; None where one may have it, or there are none."""
    if not values or any(follow(steps, value) is not ABSENT for value in values):
        return None
    return next(at for at in range(len(steps)) if all(follow(steps[:at + 1], value) is ABSENT for value in values))


def meant(steps: tuple[Step, ...], at: int, values: Sequence[Raw]) -> tuple[Step, ...] | None:
    """The steps with a field that there is in place of the one that there is not."""
    known = dict.fromkeys(field for value in values for field in fields(follow(steps[:at], value)))
    step = steps[at]
    guess = words.near(step, known) if isinstance(step, str) and len(known) <= _MOST_FIELDS else None
    return (*steps[:at], guess, *steps[at + 1:]) if guess else None


def fields(value: Raw) -> list[str]:
    """The fields that the value names, without those that a long form makes."""
    return [field for field in value if not field.startswith("$")] if isinstance(value, Mapping) else []


def items(value: Raw) -> Iterator[Raw]:
    """What may be an item of the value."""
    value = present(value)
    if isinstance(value, Mapping) and "$list" in value:
        yield value["$list"]
    elif isinstance(value, (list, tuple)):
        yield from value
    elif value is not ABSENT:
        yield UNKNOWN


def _is_index(step: Step) -> bool:
    return step is None or isinstance(step, int) or step.isdecimal()
