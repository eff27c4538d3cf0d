"""Paths into an event, `$.items.0.sku`, `$key`, `$headers.NAME`: read, and followed. Knows no templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import Code
from eda_cli.payloads.problems import PayloadError, Refused, did_you_mean, shown

NAMES = ("key", "type", "id", "time", "source", "headers")
NO_EVENT = ("a generator makes its events out of nothing: there is no event to look into yet",
            "paths and templates belong into the rules of a consumer, or into a `key:`")

_NAMED = re.compile(r"\$([a-z][a-z0-9_]*)((?:[.\[].*)?)\Z", re.DOTALL)
_PART = re.compile(r"[^\s\[\]{}()*,$]+\Z")


def compile_path(text: str, code: Code, times: int) -> str | None:
    """The source that follows the path, or None when the text is none. `times`: how often for each event.

    Raises Refused for what was meant as a path and is not written as one.
    """
    expression = _source(text, code)
    if expression is None:
        return None
    if code.scope == "generator":
        raise Refused(f"'{shown(text)}' looks into an event", *NO_EVENT)
    code.use("seen")
    if code.path_is_measured(times):
        code.use("budget")
        return f"{code.constant(_paid)}({expression}, budget)"
    return expression


def _source(text: str, code: Code) -> str | None:
    if text == "$":
        return f"{code.constant(_plain)}(seen.body)"
    if text.startswith(("$.", "$[")):
        return f"{code.constant(_follow(_parts(text)))}(seen.body)"
    if not (match := _NAMED.match(text)):
        return None
    name, rest = match.groups()
    if name == "headers":
        if not rest.startswith(".") or len(rest) < 2:
            raise Refused(f"'{shown(text)}' names no header", "", "write $headers.NAME")
        return f"{code.constant(_plain)}(seen.headers.get({code.constant(rest[1:])}))"
    if name not in NAMES:
        raise Refused(
            f"'{shown(text)}' is no path", f"after $ come a dot or one of {', '.join(NAMES)}",
            did_you_mean(name, NAMES, "${}") or f"write $.{name}{rest} for a field of the body, "
            f"{{$literal: \"{shown(text)}\"}} for the text itself",
        )
    if rest:
        raise Refused(f"'{shown(text)}' goes into ${name}, which has no fields", "",
                      f"write ${name}, or $.{name}{rest} for a field of the body")
    return f"{code.constant(_plain)}(seen.{name})" if name == "key" else f"seen.{name}"


def _parts(text: str) -> list[tuple[str, int | None]]:
    """Each step as a name and, where it can be one, as an index."""
    if "[" in text:
        dotted = re.sub(r"\[['\"]?([^\[\]'\"]*)['\"]?\]", r".\1", text)
        if "*" in text:
            raise Refused(f"'{shown(text)}' asks for many values", "a path leads to one",
                          "write \"{{ body.items | map(attribute='sku') | list }}\"")
        raise Refused(f"'{shown(text)}' has brackets", "steps are separated by dots", f"write {shown(dotted)}")
    steps = text[2:].split(".")
    for step in steps:
        if not step:
            raise Refused(f"'{shown(text)}' has an empty step", "", "write $.name.name, or $ for the whole body")
        if step == "*":
            raise Refused(f"'{shown(text)}' asks for many values", "a path leads to one",
                          "write \"{{ body.items | map(attribute='sku') | list }}\"")
        if not _PART.match(step):
            raise Refused(f"'{shown(text)}' has text around a path", "a path stands alone",
                          "write \"{{ body.user }}\" inside a text, \"{{ body['a b'] }}\" for an odd name")
    return [(step, int(step) if step.isascii() and step.isdigit() and len(step) < 10 else None) for step in steps]


def _follow(parts: list[tuple[str, int | None]]) -> Callable[[Any], Any]:
    """From a body to what the steps lead to; None where there is nothing."""
    if len(parts) == 1:
        only = parts[0][0]

        def field(body: Any) -> Any:
            return body.get(only) if type(body) is dict else walk(body)
    else:
        def field(body: Any) -> Any:
            return walk(body)

    def walk(body: Any) -> Any:
        for name, index in parts:
            if isinstance(body, dict):
                body = body.get(name)
            elif isinstance(body, list) and index is not None and index < len(body):
                body = body[index]
            else:
                return None
        return body

    return field


def _plain(value: Any) -> Any:
    """The value, which must not be bytes: JSON has no word for them."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise PayloadError("the event holds bytes that are neither JSON nor text", "",
                               "a rule without `body` republishes them as they are") from None
    return value


def _paid(value: Any, budget: Budget) -> Any:
    budget.spend(value)
    return value
