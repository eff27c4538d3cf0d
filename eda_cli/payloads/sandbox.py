"""Jinja2's sandbox, narrowed: fields before methods, and every operation bounded. Knows no raw values.

Nothing is computed while a template is compiled (`optimized=False`), so that no bomb goes off there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from jinja2 import StrictUndefined
from jinja2.nodes import EvalContext
from jinja2.runtime import Context as JinjaContext
from jinja2.runtime import Undefined
from jinja2.sandbox import SandboxedEnvironment

from eda_cli.payloads.budget import Budget, check_bits
from eda_cli.payloads.context import MISSING
from eda_cli.payloads.copies import Copies, Table
from eda_cli.payloads.filters import budget_of, filters, formatted, tests
from eda_cli.payloads.methods import method
from eda_cli.payloads.problems import PayloadError, did_you_mean, shown
from eda_cli.payloads.render import text
from eda_cli.payloads.scene import BoundedCode, Scene

LONGEST_RANGE = 10_000


class Missing(StrictUndefined):
    """A field that is not there: all but `is defined` and `default(…)` fail on it, and say what is there.

    What has the name of a method is missing, too, until it is called: `body.items` is a field, or none.
    """

    __slots__ = ()
    __abs__ = __round__ = __index__ = Undefined._fail_with_undefined_error  # Jinja2 forgets these

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        name: Any = self._undefined_name
        of = self._undefined_obj
        if isinstance(of, Missing):
            return of._undefined_message
        called = f", and {name}() can be called" if method(of, name) else ""
        if isinstance(of, dict):
            fields = [field for field in of if isinstance(field, str)]
            there = ", ".join(map(shown, fields[:8])) or "none"
            near = did_you_mean(str(name), fields, "'{}'") or f"the fields are {there}"
            return f"there is no field '{shown(name)}', {near}{called}"
        if isinstance(of, list | tuple) and isinstance(name, int):
            return f"there is no item {name} in a list of {len(of)}"
        instead = ", write '%.2f' | format(body.total)" if name == "format" else ""
        return f"there is no '{shown(name)}' in {_kind(of)}{called}{instead}"


class Sandbox(SandboxedEnvironment):
    """The environment of all templates. All that is in it is JSON data, and the methods of it."""

    code_generator_class = BoundedCode
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.escaping = EvalContext(self)  # nothing in an expression changes it

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`body.items`: the field. What is missing may still be called: see `call`."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, Copies | Table):
            return self._looked_up(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`body['odd name']`, `body.items.0`: the field or item."""
        if isinstance(obj, dict):
            if argument in obj:
                return obj[argument]
            if isinstance(argument, int) and str(argument) in obj:
                return obj[str(argument)]
        elif isinstance(obj, list | tuple | str | range) and isinstance(argument, int):
            try:
                return obj[argument]
            except IndexError:
                pass
        elif isinstance(obj, Copies | Table):
            return self._looked_up(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def _looked_up(self, obj: Copies | Table, name: Any) -> Any:
        """`copy.purchases`, `copy.purchases[key]`: the table, its row, or what says that there is none."""
        if isinstance(name, Undefined):
            _fail(name)
        written = text(name, obj.budget)
        found = obj.table(written) if isinstance(obj, Copies) else MISSING if name is None else obj.row(written)
        if found is MISSING:
            return self.undefined(hint=f"there is no row '{shown(written)}' in {shown(obj.called)}")
        if found is None and isinstance(obj, Copies):
            return self.undefined(hint=obj.without(written))
        return found

    def call(__self, __context: JinjaContext, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Only methods of data, and `range`. The odd names keep those of arguments free, as in the base."""
        budget = budget_of(__context)
        budget.take(4)
        for given in (*args, *kwargs.values()):
            if isinstance(given, Undefined):
                _fail(given)
        if isinstance(__obj, Undefined):
            run = method(__obj._undefined_obj, __obj._undefined_name) or _fail(__obj)
            return run(budget, *args, **kwargs)
        if __obj is bounded_range:
            return bounded_range(*args)
        raise PayloadError(f"{_kind(__obj)} cannot be called")

    def call_binop(self, context: JinjaContext, operator: str, left: Any, right: Any) -> Any:
        """The operators that can make much out of little."""
        budget = budget_of(context)
        if operator == "%" and isinstance(left, str):
            return formatted(budget, left, right)
        if operator == "*":
            _pay_product(budget, left, right)
        elif operator == "**":
            _check_power(left, right)
        elif operator == "+" and not isinstance(left, int | float):
            budget.spend(left, right)
        return self.binop_table[operator](left, right)

    def joined(self, scene: Scene, values: tuple[Any, ...]) -> str:
        """`a ~ b`"""
        budget = budget_of(scene)
        return "".join([text(value, budget) for value in values])

    def compared(self, scene: Scene, first: Any, *others: tuple[str, Any]) -> bool:
        """`a < b`, `a in b`, and chains of them."""
        budget = budget_of(scene)
        left = first
        for sign, right in others:
            budget.spend(left, right)
            if not _COMPARE[sign](left, right):
                return False
            left = right
        return True

    def sliced(self, scene: Scene, obj: Any, *bounds: Any) -> Any:
        """`body.items[0:2]`"""
        if isinstance(obj, Undefined):
            _fail(obj)
        if not isinstance(obj, str | list | tuple | range):
            raise PayloadError(f"{_kind(obj)} cannot be sliced")
        part = obj[slice(*bounds)]
        budget_of(scene).spend(part)
        return part


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne,
    "lt": operator.lt, "lteq": operator.le, "gt": operator.gt, "gteq": operator.ge,
    "in": lambda item, items: item in items, "notin": lambda item, items: item not in items,
}


@cache
def sandbox() -> Sandbox:
    """The one environment; made when the first template is compiled."""
    original = Sandbox(undefined=Missing)
    environment = Sandbox(undefined=Missing, optimized=False, keep_trailing_newline=True)
    environment.filters.clear()
    environment.filters.update(filters(original))
    environment.tests.clear()
    environment.tests.update(tests(original))
    environment.globals = {"range": bounded_range}
    return environment


def bounded_range(*bounds: int) -> range:
    """`range`, of at most LONGEST_RANGE numbers."""
    numbers = range(*bounds)
    if numbers[LONGEST_RANGE:]:
        raise PayloadError("a range is too long", f"at most {LONGEST_RANGE:,} numbers")
    return numbers


def _fail(missing: Undefined) -> NoReturn:
    missing._fail_with_undefined_error()


def _pay_product(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(right, str | list | tuple):
        left, right = right, left
    if isinstance(left, str | list | tuple) and isinstance(right, int):
        budget.take(budget.spend(left) * max(right, 0))
    elif isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() + right.bit_length())


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1:
        check_bits(base.bit_length() * max(exponent, 0))


def _kind(value: Any) -> str:
    """What a value is, in the words of JSON."""
    if isinstance(value, Copies | Table):
        return value.called
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for kind, word in ((str, "a text"), (dict, "a map"), (list | tuple, "a list"), (int | float, "a number"),
                       (bytes, "bytes that are neither JSON nor text")):
        if isinstance(value, kind):
            return word
    return f"a {type(value).__name__}"
