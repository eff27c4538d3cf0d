"""Jinja2's sandbox, narrowed: fields before methods, and every operation bounded. Knows no raw values.

Nothing is computed while a template is compiled (`optimized=False`), so that no bomb goes off there.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context as Scene
from jinja2.runtime import Undefined
from jinja2.sandbox import SandboxedEnvironment

from eda_cli.payloads.budget import LARGEST_INT_BITS, Budget
from eda_cli.payloads.filters import budget_of, filters, formatted, tests
from eda_cli.payloads.methods import Method, method
from eda_cli.payloads.problems import PayloadError, did_you_mean, shown
from eda_cli.payloads.render import text

LONGEST_RANGE = 10_000


class Missing(StrictUndefined):
    """A field that is not there: every use of it but `is defined` and `default(…)` fails, and says what is there."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        name, of = self._undefined_name, self._undefined_obj
        if isinstance(of, dict):
            fields = [field for field in of if isinstance(field, str)]
            near = did_you_mean(str(name), fields, "'{}'")
            there = f"there are {', '.join(map(shown, fields[:8]))}" if fields else "there are no fields at all"
            return f"there is no field '{shown(name)}', {near or there}"
        if isinstance(of, list | tuple):
            return f"there is no item {shown(name)} in a list of {len(of)}"
        return f"there is no '{shown(name)}' in {_kind(of)}"


class Sandbox(SandboxedEnvironment):
    """The environment of all templates. Everything in it is data: maps, lists, texts, numbers, true, false, none."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`body.items`: the field; where there is none, a method."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, Undefined):
            _fail(obj)
        return method(obj, attribute) or self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`body['odd name']`, `body.items.0`: the field or item, never a method."""
        if isinstance(obj, Undefined):
            _fail(obj)
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
        return self.undefined(obj=obj, name=argument)

    def call(__self, __context: Scene, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Only methods of data, and `range`. The odd names keep those of arguments free, as in the base."""
        budget = budget_of(__context)
        budget.take(4)
        if isinstance(__obj, Undefined):
            _fail(__obj)
        if isinstance(__obj, Method):
            return __obj(budget, *args, **kwargs)
        if __obj is bounded_range:
            return bounded_range(*args)
        raise PayloadError(f"{_kind(__obj)} cannot be called")

    def call_binop(self, context: Scene, operator: str, left: Any, right: Any) -> Any:
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


class _Generator(CodeGenerator):
    """Sends `~` through the sandbox too, which Jinja2 does not offer."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.joined(context, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


Sandbox.code_generator_class = _Generator


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
        _check_bits(left.bit_length() + right.bit_length())


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int):
        _check_bits(base.bit_length() * max(exponent, 0) if abs(base) > 1 else 0)


def _check_bits(bits: int) -> None:
    if bits > LARGEST_INT_BITS:
        raise PayloadError("a number is too large", f"numbers have at most {LARGEST_INT_BITS} bits here")


def _kind(value: Any) -> str:
    """What a value is, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for kind, word in ((str, "a text"), (dict, "a map"), (list | tuple, "a list"), (int | float, "a number"),
                       (bytes, "bytes that are neither JSON nor text")):
        if isinstance(value, kind):
            return word
    return f"a {type(value).__name__}"
