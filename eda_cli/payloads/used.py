"""What a raw value looks at, told without making it: for whoever checks that it will be there. Knows no scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eda_cli.payloads.aggregates import aggregate_in, named_aggregates
from eda_cli.payloads.paths import path_name
from eda_cli.payloads.problems import InvalidValue, Refused

_PART_OF = {"": "body", "id": "event", "type": "event", "time": "event", "source": "event", "topic": "event"}


def names_used(raw: Any, condition: bool = False) -> frozenset[str]:
    """What the value, or the expression of a `when:`, looks at: body, event, headers, key, copy, was, item, index,
    joined, window, vars, entity, aggregate; and `copy:NAME` beside copy where it says the name, so for was, vars, entity.

    Only what `compile_value` takes has names for certain. Raises InvalidValue for a template that cannot be read.
    """
    used: set[str] = set()
    try:
        for text, bare in _texts(raw, condition):
            if bare or "{{" in text:
                used |= _names_in(text, bare)
            elif aggregate_in(text):
                used.add("aggregate")
            elif text != "$tombstone" and (name := path_name(text)) is not None:
                used.add(_PART_OF.get(name, name))
                if name in ("vars", "entity") and (step := text.partition(".")[2].partition(".")[0]):
                    used.add(f"{name}:{step}")
    except Refused as refused:
        raise InvalidValue([refused.at(())]) from refused
    return frozenset(used)


def aggregates(raw: Any, condition: bool = False) -> frozenset[str]:
    """The aggregates that the value, or the expression of a `when:`, asks for: `sum($.x)`, `count()`.

    Raises InvalidValue for one that is not written as such.
    """
    found: set[str] = set()
    try:
        for text, bare in _texts(raw, condition):
            if bare or "{{" in text:
                found.update(named_aggregates(text, bare and "{{" not in text)[1].values())
            elif aggregate := aggregate_in(text):
                found.add(aggregate)
    except Refused as refused:
        raise InvalidValue([refused.at(())]) from refused
    return frozenset(found)


def _texts(raw: Any, condition: bool) -> Iterator[tuple[str, bool]]:
    """Each text that may look at something, and whether it is a condition."""
    waiting = [raw]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part, condition
        elif isinstance(part, Mapping):
            if "$lookup" in part:  # the others tell of another event
                waiting.append(part.get("else"))
            elif "$literal" not in part:
                waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)


def _names_in(text: str, condition: bool) -> set[str]:
    from eda_cli.payloads.expressions import names_in  # see compile_condition

    return names_in(text, condition)
