"""What a raw value looks at, told without making it: for whoever checks that it will be there. Knows no scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eda_cli.payloads.aggregates import aggregate_in, aggregate_path, named_aggregates
from eda_cli.payloads.paths import path_name
from eda_cli.payloads.problems import InvalidValue, Refused

if TYPE_CHECKING:
    from eda_cli.payloads.expressions import Step  # see compile_condition

_PART_OF = {"": "body", "id": "event", "type": "event", "time": "event", "source": "event", "topic": "event"}


@dataclass(frozen=True, slots=True)
class Field:
    """One that is looked at: in `body`, say, and where it stands there. `path`: as `$.user`, and not as `body.user`;
    `guarded`: the expression says what happens where it is missing.
    """

    holder: str
    steps: tuple[Step, ...]
    path: bool = False
    guarded: bool = False

    def said(self, steps: tuple[Step, ...]) -> str:
        """Other steps in the same words."""
        if self.path:
            return ".".join(["$" if self.holder == "body" else f"${self.holder}", *map(str, steps)])
        return self.holder + "".join(map(_written, steps))


def fields_used(text: str, condition: bool = False) -> list[Field]:
    """The fields that a text, or the expression of a `when:`, looks at, without those that `event` and `window` always have.

    Raises InvalidValue for a template that cannot be read.
    """
    try:
        paths = [path for one in aggregates(text, condition) if (path := aggregate_path(one))]
        if condition or "{{" in text:
            from eda_cli.payloads.expressions import chains_in  # see compile_condition

            found = [Field(holder, steps, guarded=guarded) for holder, steps, guarded in chains_in(text, condition)]
        else:
            paths, found = paths or [text], []
    except Refused as refused:
        raise InvalidValue([refused.at(())]) from refused
    for path in paths:
        name, steps = path_name(path), tuple(path.partition(".")[2].split("."))
        if name is not None and all(steps):
            found.append(Field(name or "body", steps, path=True))
    return [one for one in dict.fromkeys(found) if one.holder not in ("event", "window", "headers")]


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


def _written(step: Step) -> str:
    if isinstance(step, str):
        return f".{step}" if step.isidentifier() else f"[{step!r}]"
    return "[…]" if step is None else f"[{step}]"
