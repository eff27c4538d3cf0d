"""Paths into an event, `$.items.0.sku`, `$key`, `$headers.NAME`: read, and followed. Knows no templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import Code, Scope, Variable
from eda_cli.payloads.context import MISSING, TOMBSTONE
from eda_cli.payloads.problems import PayloadError, Refused, did_you_mean, shown

OF_EVENT = ("key", "type", "id", "time", "source", "headers")
NAMES: Mapping[Scope, tuple[str, ...]] = {
    "generator": ("vars", "entity", "was"),
    "key": OF_EVENT,
    "fold": (*OF_EVENT, "topic", "was"),
    "rule": (*OF_EVENT, "topic", "item", "index", "joined", "window", "vars"),
}
ABSENT = {  # why a rule may have none of them
    "item": "only a rule with `each` has one",
    "index": "only a rule with `each` has one",
    "joined": "only a consumer with `joins` has one",
    "window": "only a consumer with a `window` has one",
    "entity": "only a generator with `entities` or `$states` has one",
    "was": "only an entity of `$states` has some",
}
WINDOW_FIELDS = ("start", "end", "key")
NO_EVENT = ("a generator makes its events out of nothing: there is none yet to look into",
            "that belongs into the rules of a consumer, or into a `key:`; what fields share is made first: $vars: {user: …}")

_NAMED = re.compile(r"\$([a-z][a-z0-9_]*)((?:[.\[].*)?)\Z", re.DOTALL)
_STEP = re.compile(r"[^\s\[\]{}()*,$]+\Z")
_INDEX = re.compile(r"[0-9]{1,9}\Z")
_MOST_STEPS = 100

_Step = tuple[str, int | None]  # the name, and the index that it can be in a list


def is_path(text: str) -> bool:
    """Whether the text is written like a path that is known."""
    return path_name(text) in ("", *NAMES["rule"], *NAMES["fold"], *NAMES["generator"])


def is_event_path(text: str) -> bool:
    """Whether a path leads into the event itself, and not to what a rule has besides it."""
    return path_name(text) in ("", *OF_EVENT, "topic")


def path_name(text: str) -> str | None:
    """What the path begins at, `item` of `$item.sku`; empty for the body, None where the text is no path."""
    if text == "$" or text.startswith("$."):
        return ""
    return match[1] if (match := _NAMED.match(text)) else None


def compile_path(text: str, code: Code) -> str | None:
    """The source that follows the path, or None when the text is none.

    Raises Refused for what was meant as a path and is not written as one.
    """
    name = path_name(text)
    if code.scope == "generator" and name not in NAMES["generator"] and is_path(text):
        raise Refused(f"'{shown(text)}' looks into an event", *NO_EVENT)
    if name == "vars" and name in NAMES[code.scope]:
        return _of_variable(text, code)
    if text == "$entity" and code.scope == "generator":
        code.use("entity")
        return "entity"
    expression = _source(text, code)
    if expression is None:
        return None
    code.use("seen")
    if code.path_is_measured():
        code.use("budget")
        return f"{code.constant(_paid)}({expression}, budget)"
    return expression


def _of_variable(text: str, code: Code) -> str:
    """`$vars.price`, `$vars.order.id`"""
    if text == "$vars":
        raise Refused("$vars are several values", "a path leads to one", "write $vars.NAME")
    (name, _), *steps = _steps(text)
    variable = known_variable(text, name, code)
    expression = f"vars[{code.constant(name)}]"
    code.use("vars")
    if steps:
        expression = f"{code.constant(_follow(steps))}({expression})"
    if code.is_paid(variable):
        code.use("budget")
        return f"{code.constant(_paid)}({expression}, budget)"
    return expression


def known_variable(text: str, name: str, code: Code) -> Variable:
    """The variable that the text looks at. Raises Refused where the body has none of that name before it."""
    if name in code.variables:
        return code.variables[name]
    if not code.variables:
        raise Refused(f"'{shown(text)}' looks at $vars, and there are none",
                      "the body on top of which they stand sees them, and nothing else",
                      "write $vars: {user: …} on top of the body")
    raise Refused(f"there is no '{shown(name)}' in $vars", f"seen here are {', '.join(map(shown, list(code.variables)[:10]))}",
                  did_you_mean(name, code.variables, "$vars.{}") or "one that is made of others stands behind them")


def _source(text: str, code: Code) -> str | None:
    if text == "$":
        return f"{code.constant(_json)}(seen.body)"
    if text.startswith(("$.", "$[")):
        steps = _steps(text)
        if len(steps) == 1 and steps[0][1] is None:  # most of them, and a call costs half
            return f"(seen.body.get({code.constant(steps[0][0])}) if type(seen.body) is dict else None)"
        return f"{code.constant(_follow(steps))}(seen.body)"
    if not (match := _NAMED.match(text)):
        return None
    name, rest = match.groups()
    names = NAMES[code.scope]
    if name not in names:
        raise _unknown(text, name, rest, names)
    if name == "headers":
        if not rest.startswith(".") or len(rest) < 2:
            raise Refused(f"'{shown(text)}' names no header", "", "write $headers.NAME")
        return f"{code.constant(_json)}(seen.headers.get({code.constant(rest[1:])}))"
    if name == "window":
        if rest[1:] not in WINDOW_FIELDS:
            raise Refused(f"'{shown(text)}' names nothing of a window", f"it has {', '.join(WINDOW_FIELDS)}",
                          did_you_mean(rest[1:], WINDOW_FIELDS, "$window.{}") or "write $window.start")
        return f"{code.constant(_present(name))}(seen.window){rest}"
    if name in ("item", "joined", "was", "entity"):
        there = f"{code.constant(_or_null if code.scope == 'fold' else _present(name))}(seen.{name})"
        return f"{code.constant(_follow(_steps(text)))}({there})" if rest else there
    if rest:
        raise Refused(f"'{shown(text)}' looks into ${name}, which has no fields", "",
                      f"write ${name}, or $.{shown(name + rest)} for a field of the body")
    if name == "index":
        return f"{code.constant(_present(name))}(seen.index)"
    return f"{code.constant(_json)}(seen.key)" if name == "key" else f"seen.{name}"


def _unknown(text: str, name: str, rest: str, names: tuple[str, ...]) -> Refused:
    hint = f"write $.{shown(name + rest)} for a field of the body, {{$literal: …}} for the text"
    if name == "entity":
        raise Refused(f"'{shown(text)}' is no path", "only the body of a generator with entities has one",
                      "let that body say it, as in {device: $entity}, and write $.device here")
    if name in ("copy", "was"):
        hint = f'write "{{{{ {name}.NAME[key] }}}}" for a row of an own copy'
    elif near := did_you_mean(name, names, "${}"):
        hint = near
    return Refused(f"'{shown(text)}' is no path", f"after $ stands a dot, or one of {', '.join(names)}", hint)


def _present(name: str) -> Callable[[Any], Any]:
    """Lets through what a rule may be without. Raises PayloadError where it is."""

    def present(value: Any) -> Any:
        if value is MISSING or (value is None and name == "window"):
            raise PayloadError(f"there is no {name}", ABSENT[name])
        return None if value is TOMBSTONE else value

    return present


def _or_null(value: Any) -> Any:
    return None if value is MISSING else value


def _steps(text: str) -> list[_Step]:
    """What stands between the dots of `$.a.b` or `$item.a.b`."""
    if "*" in text:
        raise Refused(f"'{shown(text)}' asks for many values", "a path leads to one",
                      "write \"{{ body.items | map(attribute='sku') | list }}\"")
    if "[" in text:
        dotted = re.sub(r"\[['\"]?([^\[\]'\"]*)['\"]?\]", r".\1", text)
        raise Refused(f"'{shown(text)}' has brackets", "dots separate the steps", f"write {shown(dotted)}")
    steps = text.partition(".")[2].split(".")
    if "" in steps:
        raise Refused(f"'{shown(text)}' has an empty step", "", "write $.name, or $ for the whole body")
    if len(steps) > _MOST_STEPS:
        raise Refused(f"'{shown(text)}' has too many steps", f"at most {_MOST_STEPS} are followed")
    if not all(map(_STEP.match, steps)):
        raise Refused(f"'{shown(text)}' has text around a path", "a path stands alone",
                      "write \"{{ body.user }}\" inside a text, \"{{ body['a b'] }}\" for an odd name")
    return [(step, int(step) if _INDEX.match(step) else None) for step in steps]


def _follow(steps: list[_Step]) -> Callable[[Any], Any]:
    """From a body to what the steps lead to; None where there is nothing."""
    def follow(body: Any) -> Any:
        for name, index in steps:
            if isinstance(body, dict):
                body = body.get(name)
            elif isinstance(body, list) and index is not None and index < len(body):
                body = body[index]
            else:
                return None
        return body

    return follow


def _json(value: Any) -> Any:
    """The value as JSON data: bytes that are text become text, a tombstone null."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise PayloadError("the event holds bytes that are neither JSON nor text", "",
                               "a rule without `body` republishes them as they are") from None
    return None if value is TOMBSTONE else value


def _paid(value: Any, budget: Budget) -> Any:
    budget.spend(value)
    return value
