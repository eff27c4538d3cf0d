"""The methods of texts, lists and maps that a template may call. Knows no template.

A method is listed here or does not exist: none changes what it is called on, none makes much out of little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.problems import PayloadError

WIDEST = 1_000  # characters that a text is filled up to

_Run = Callable[..., Any]


def method(of: Any, name: object) -> _Run | None:
    """The method of that name, to be called with a budget before its arguments; None where there is none.

    The call raises TypeError or ValueError as the method does, PayloadError when it would give too much.
    """
    methods = next((methods for kind, methods in _METHODS if isinstance(of, kind)), {})
    run = methods.get(name) if isinstance(name, str) else None
    if run is None:
        return None

    def call(budget: Budget, *arguments: Any, **named: Any) -> Any:
        budget.spend(of, *arguments, *named.values())
        return budget.collect(run(budget, of, *arguments, **named))

    return call


def replace(budget: Budget, of: str, old: str, new: str, count: int = -1) -> str:
    """`str.replace`, paid before it is made."""
    found = of.count(old) if count < 0 else min(of.count(old), count)
    budget.take((len(of) + found * len(new)) >> 3)
    return of.replace(old, new, count)


def _free(run: _Run) -> _Run:
    """One whose result is about as large as what it got."""
    def call(budget: Budget, of: Any, *arguments: Any, **named: Any) -> Any:
        return run(of, *arguments, **named)
    return call


def _split(run: _Run) -> _Run:
    """One that may give a piece for each character."""
    def call(budget: Budget, of: str, *arguments: Any, **named: Any) -> Any:
        budget.take(len(of))
        return run(of, *arguments, **named)
    return call


def _filled(run: _Run) -> _Run:
    """One that fills a text up to a width."""
    def call(budget: Budget, of: str, width: int, *fill: str) -> Any:
        if width > WIDEST:
            raise PayloadError(f"a width of {width} is too large", f"at most {WIDEST} characters")
        return run(of, width, *fill)
    return call


def _join(budget: Budget, of: str, parts: Any) -> str:
    if not isinstance(parts, str | list | tuple):
        raise PayloadError("join() takes a list of texts")
    budget.take(len(parts) * (1 + (len(of) >> 3)))
    return of.join(parts)


def _get(budget: Budget, of: dict[Any, Any], name: Any, default: Any = None) -> Any:
    return of.get(name, default)


_TEXT: dict[str, _Run] = {
    **{name: _free(getattr(str, name)) for name in (
        "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii",
        "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip",
        "partition", "removeprefix", "removesuffix", "rfind", "rindex", "rpartition", "rstrip", "startswith",
        "strip", "swapcase", "title", "upper")},
    **{name: _split(getattr(str, name)) for name in ("rsplit", "split", "splitlines")},
    **{name: _filled(getattr(str, name)) for name in ("center", "ljust", "rjust", "zfill")},
    "join": _join,
    "replace": replace,
}
_METHODS: tuple[tuple[type, dict[str, _Run]], ...] = (
    (str, _TEXT),
    (dict, {"get": _get, **{name: _free(getattr(dict, name)) for name in ("items", "keys", "values")}}),
    (list, {name: _free(getattr(list, name)) for name in ("count", "index")}),
)
