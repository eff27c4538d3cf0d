"""What a template gave becomes JSON data, or text. Knows no template."""

from __future__ import annotations

from math import isfinite
from typing import Any

import orjson
from jinja2 import Undefined

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.copies import Copies, Table
from eda_cli.payloads.problems import PayloadError, shown

DEEPEST = 100  # levels of what a template gives


def plain(value: Any, budget: Budget, depth: int = 0) -> Any:
    """The value as plain JSON data. Raises PayloadError where there is no such thing, Undefined included."""
    kind = type(value)
    if (kind is float and isfinite(value)) or (kind is int and 0 <= value < 1 << 63):  # most of what is computed
        return value
    if isinstance(value, str):
        budget.take(len(value) >> 3)
        return _text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise PayloadError("a number is too large", "JSON numbers have 64 bits here")
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise PayloadError(f"{value} is no JSON number")
        return value
    if isinstance(value, Undefined):
        return value._fail_with_undefined_error()
    if depth == DEEPEST:
        raise PayloadError("the value is nested too deeply", f"at most {DEEPEST} levels are made")
    if isinstance(value, list | tuple | range):
        budget.take(1 + len(value))
        return [plain(item, budget, depth + 1) for item in value]
    if isinstance(value, dict):
        budget.take(1 + 2 * len(value))
        return {_name(name): plain(item, budget, depth + 1) for name, item in value.items()}
    if isinstance(value, Copies | Table):
        value.refuse()
    raise PayloadError("the expression gives no JSON value", f"it gives a {type(value).__name__}")


def text(value: Any, budget: Budget) -> str:
    """The value inside a text: a string as it is, anything else as JSON writes it."""
    if isinstance(value, str):
        budget.take(1 + (len(value) >> 3))
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    written = orjson.dumps(plain(value, budget)).decode()
    budget.spend(written)
    return written


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise PayloadError("a text is not valid Unicode", "it holds half of a surrogate pair") from None
    return value


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise PayloadError(f"the name {shown(name)} is no text", "", "write it in quotes")
    return _text(name)
