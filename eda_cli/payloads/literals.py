"""JSON of a sketch as it stands there: texts, numbers, what is inside `$literal`. Knows no value language."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from eda_cli.payloads.code import Code
from eda_cli.payloads.problems import Refused, shown

DEEPEST = 100  # levels of maps and lists in a value


def literal(raw: Any, code: Code, depth: int = 0) -> str:
    """The source of JSON data, new for each event. Raises Refused for what is no JSON."""
    if depth > DEEPEST:
        raise Refused("the value is nested too deeply", f"at most {DEEPEST} levels are made")
    code.count_part()
    if isinstance(raw, str):
        return plain_text(raw, code)
    if isinstance(raw, Mapping):
        entries = [f"{plain_text(named(name), code)}: {literal(item, code, depth + 1)}"
                   for name, item in raw.items()]
        return f"{{{', '.join(entries)}}}"
    if isinstance(raw, list | tuple):
        return f"[{', '.join([literal(item, code, depth + 1) for item in raw])}]"
    return scalar(raw, code)


def plain_text(text: str, code: Code) -> str:
    """The source of a text. Raises Refused for half of a surrogate pair, which no JSON can carry."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as wrong:
            raise Refused("a text is not valid Unicode", "it holds half of a surrogate pair") from wrong
    code.weigh(4 + len(text))
    return code.constant(text)


def scalar(raw: Any, code: Code) -> str:
    """The source of a number, true, false or null. Raises Refused for anything else."""
    if isinstance(raw, int) and not isinstance(raw, bool) and not -(1 << 63) <= raw < 1 << 64:
        raise Refused("a number is too large", f"it has {raw.bit_length()} bits, JSON numbers have 64 here",
                      "quote it")
    if isinstance(raw, float) and not isfinite(raw):
        raise Refused(f"{raw} is no JSON number", "", "quote it")
    if raw is not None and not isinstance(raw, bool | int | float):
        raise Refused(f"{shown(raw)} is no JSON value", f"it is a {type(raw).__name__}", "quote it")
    code.weigh(20)
    return code.constant(raw)


def named(name: Any) -> str:
    """The name of a field. Raises Refused when it is no text."""
    if not isinstance(name, str):
        raise Refused(f"the name {shown(name)} is no text", "", f"quote it: '{shown(name)}'")
    return name
