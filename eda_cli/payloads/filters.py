"""The filters and tests that a template may use: Jinja2's own, each paying for what it reads and makes.

One is listed here or does not exist. Missing on purpose: what is random without the seed, what makes HTML,
and what can make much out of little.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import Signature, signature
from typing import Any

import orjson
from jinja2 import Environment, pass_context
from jinja2.runtime import Context as Scene

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.methods import WIDEST, replace
from eda_cli.payloads.problems import PayloadError, shown
from eda_cli.payloads.render import plain, text

BUDGET = "~budget"  # among the variables of a template; no template can write this name

_OF_ITEMS = ("count", "dictsort", "first", "groupby", "items", "last", "length", "list", "map", "max", "min",
             "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique")
_OF_ONE = ("abs", "capitalize", "d", "default", "float", "int", "lower", "title", "trim", "truncate", "upper",
           "urlencode", "wordcount")
_FREE_TESTS = ("boolean", "defined", "divisibleby", "even", "false", "float", "integer", "iterable",
               "mapping", "none", "number", "odd", "sequence", "string", "true", "undefined")
_PAYING_TESTS = ("!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt", "in", "le",
                 "lessthan", "lower", "lt", "ne", "upper")
_PER_CALL = 10  # units: what calling a filter costs, however little it gets
_CONVERSION = re.compile(
    r"%(?:%|(?:\([A-Za-z0-9_.-]*\))?[#0 +-]{0,5}([0-9]{0,4})(?:\.([0-9]{0,4}))?[diouxXeEfFgGcrs])")
_MOST_DECIMALS = 15


def budget_of(scene: Scene) -> Budget:
    """What is left for the value that the template belongs to."""
    budget: Budget = scene.parent[BUDGET]
    return budget


class _Paid:
    """Jinja2's own filters, each paying for what it reads and makes."""

    def __init__(self, original: Environment) -> None:
        self._original = original

    def __call__(self, name: str, scene: Scene, value: Any, *arguments: Any, **named: Any) -> Any:
        budget = budget_of(scene)
        budget.spend(value)
        given = (*arguments, *named.values())
        given_size = budget.spend(*given) if given else 0
        budget.take(_PER_CALL)
        if name not in _OF_ONE:  # then what is given is looked at, or put in, for every item
            steps = sum([one.count(".") + one.count(",") for one in given if isinstance(one, str)])  # 'a.b,c'
            items = len(value) if isinstance(value, str | list | tuple | dict | range) else 1
            budget.take(items * (given_size + steps + (_PER_CALL if isinstance(value, str) else 0)))
        return budget.collect(self._original.call_filter(name, value, arguments, named, context=scene))


def filters(original: Environment) -> dict[str, Callable[..., Any]]:
    """The filters by name. `original` holds Jinja2's own, and looks fields up as the templates do."""
    own = _Paid(original)

    def guarded(name: str) -> Callable[..., Any]:
        @pass_context
        def call(scene: Scene, value: Any, *arguments: Any, **named: Any) -> Any:
            return own(name, scene, value, *arguments, **named)
        call.__wrapped__ = original.filters[name]  # type: ignore[attr-defined]  # what `takes` looks at
        return call

    @pass_context
    def groupby(scene: Scene, value: Any, *arguments: Any, **named: Any) -> Any:
        groups = own("groupby", scene, value, *arguments, **named)
        return [{"grouper": group[0], "list": group[1]} for group in groups]

    @pass_context
    def join(scene: Scene, value: Any, d: str = "", attribute: str | int | None = None) -> str:
        budget = budget_of(scene)
        if attribute is not None:
            value = own("map", scene, value, attribute=attribute)
        parts = [text(item, budget) for item in own("list", scene, value)]
        budget.take(len(parts) * (1 + (len(d) >> 3)))
        return d.join(parts)

    @pass_context
    def rounded(scene: Scene, value: Any, precision: int = 0, method: str = "common") -> Any:
        if abs(precision) > _MOST_DECIMALS:
            raise PayloadError(f"round({precision}) is too much", f"at most {_MOST_DECIMALS} decimals")
        return own("round", scene, value, precision, method)

    @pass_context
    def total(scene: Scene, value: Any, attribute: str | int | None = None, start: Any = 0) -> Any:
        if not isinstance(start, int | float):
            raise PayloadError("sum starts at a number")
        return own("sum", scene, value, attribute, start)

    table = {name: guarded(name) for name in (*_OF_ITEMS, *_OF_ONE)}
    return {**table, "groupby": groupby, "join": join, "round": rounded, "sum": total, "format": _format,
            "replace": _replace, "string": _string, "tojson": _tojson}


def takes(function: Callable[..., Any]) -> Signature:
    """What a filter takes behind the value."""
    inner = getattr(function, "__wrapped__", function)
    parameters = list(signature(inner).parameters.values())
    return Signature(parameters[1 + hasattr(inner, "jinja_pass_arg"):])


def tests(original: Environment) -> dict[str, Callable[..., Any]]:
    """The tests by name, `is defined`, `is in`; those that may look at much pay for it."""

    def paying(name: str) -> Callable[..., Any]:
        @pass_context
        def call(scene: Scene, value: Any, *arguments: Any) -> Any:
            budget = budget_of(scene)
            budget.spend(value, *arguments)
            budget.take(_PER_CALL)
            return original.call_test(name, value, arguments)
        return call

    free: Mapping[str, Any] = original.tests
    return {**{name: free[name] for name in _FREE_TESTS}, **{name: paying(name) for name in _PAYING_TESTS}}


def formatted(budget: Budget, pattern: str, values: Any) -> str:
    """`pattern % values`. Raises PayloadError for widths that fill memory, and for what is no conversion."""
    if "%" in _CONVERSION.sub("", pattern):
        raise PayloadError(f"'{shown(pattern)}' is no format", "", "write one such as '%.2f', or %% for %")
    widths = [int(width or 0) for found in _CONVERSION.finditer(pattern) for width in found.groups()]
    widest = max(widths, default=0)
    if widest > WIDEST:
        raise PayloadError(f"a width of {widest} is too large", f"at most {WIDEST} characters")
    size = budget.spend(pattern, values)
    budget.take(len(widths) * (1 + size + (widest >> 3)))
    return str(pattern % values)


@pass_context
def _format(scene: Scene, value: Any, *arguments: Any, **named: Any) -> str:
    if not isinstance(value, str):
        raise PayloadError("format is for a text", "", "write {{ '%.2f' | format(body.total) }}")
    return formatted(budget_of(scene), value, named or arguments)


@pass_context
def _replace(scene: Scene, value: Any, old: str, new: str, count: int = -1) -> str:
    budget = budget_of(scene)
    budget.spend(value, old, new)
    return replace(budget, text(value, budget), text(old, budget), text(new, budget), count)


@pass_context
def _string(scene: Scene, value: Any) -> str:
    return text(value, budget_of(scene))


@pass_context
def _tojson(scene: Scene, value: Any) -> str:
    budget = budget_of(scene)
    written = orjson.dumps(plain(value, budget)).decode()
    budget.spend(written)
    return written
