"""Small expressions as plain Python, beside the sandbox: paths, numbers, comparisons, and a few filters.

What is made here is what the sandbox makes. In any doubt (a field that is missing, a type for which an operator does
something else) it raises, whatever that is, and the sandbox is asked, which knows what is wrong. So there are no messages
here, and no operation that can make much out of little. Over 250 lines because what is written calls the helpers below it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from jinja2 import nodes

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import Quick, Scope
from eda_cli.payloads.context import MISSING, Seen

Direct = Callable[[Seen, Budget], list[Any]]

_DEEPEST = 30  # operations inside each other
_LONGEST_COMPARED = 1_000  # characters
_MOST_DECIMALS = 15
_LARGE = 1 << 63
_NUMBERS = frozenset({int, float})
_SCALARS = frozenset({int, float, str, bool, type(None)})
_ROOTS = {"body": ("rule", "fold", "key"), "item": ("rule",), "joined": ("rule",), "was": ("fold", "generator"),
          "vars": ("rule", "generator"), "entity": ("generator",)}
_FIELDS = frozenset({"id", "type", "time", "source", "key", "topic"})  # of `event`


class _Doubt(Exception):
    """The expression, or what it looks at, is a matter for the sandbox."""


def compile_direct(values: Sequence[nodes.Expr], scope: Scope) -> Direct | None:
    """The function that makes the values, or None where they need the sandbox. Whatever it raises: then, too."""
    if (made := _written(values, scope)) is None:
        return None
    writer, written = made
    # As in `code`: only our own words and the names of constants.
    exec(compile(f"def direct(seen, budget):\n    return [{', '.join(written)}]\n", "<direct>", "exec"), writer.names)
    direct: Direct = writer.names["direct"]
    return direct


def compile_quick(value: nodes.Expr, scope: Scope) -> Quick | None:
    """The function that makes this one where it is a small scalar and takes no budget; None where it cannot be. As above."""
    if (made := _written([value], scope)) is None or "budget" in made[1][0]:
        return None
    writer, (written,) = made
    source = (f"def quick(seen):\n    value = {written}\n"
              "    return value if type(value) is int and 0 <= value < LARGE else small(value)\n")
    exec(compile(source, "<quick>", "exec"), writer.names)
    quick: Quick = writer.names["quick"]
    return quick


def _written(values: Sequence[nodes.Expr], scope: Scope) -> tuple[_Writer, list[str]] | None:
    writer = _Writer(scope)
    try:
        return writer, [writer.value(value) for value in values]
    except _Doubt:
        return None


class _Writer:
    """The source of expressions; what comes from a sketch enters it as the name of a constant. All raise _Doubt."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.names: dict[str, Any] = {**_HELPERS}
        self._depth = 0

    def value(self, node: nodes.Node) -> str:
        write = _WRITE.get(type(node))
        if write is None or self._depth == _DEEPEST:
            raise _Doubt
        self._depth += 1
        written = write(self, node)
        self._depth -= 1
        return written

    def constant(self, value: Any) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def scalar(self, node: Any) -> str:
        if type(node) is not nodes.Const or type(node.value) not in _SCALARS:
            raise _Doubt
        return self.constant(node.value)

    def path(self, node: Any) -> str:
        """`body.user`, `body.items[0].price`, `event.id`; a step that leads nowhere raises."""
        source, steps = self.steps(node)
        for step in steps:
            name = self.constant(step)
            source = f"item_at({source}, {name})" if isinstance(step, int) else f"{source}[{name}]"
        return source

    def steps(self, node: Any) -> tuple[str, list[str | int]]:
        """Where a path begins, and what it goes on with."""
        steps: list[str | int] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            step: Any = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
            if not isinstance(step, str | int) or isinstance(step, bool):
                raise _Doubt
            steps.insert(0, step)
            node = node.node
        if not isinstance(node, nodes.Name) or not steps:
            raise _Doubt
        if node.name == "event" and steps[0] in _FIELDS:
            return f"seen.{steps[0]}", steps[1:]
        if self._scope not in _ROOTS.get(node.name, ()):
            raise _Doubt
        return f"seen.{node.name}", steps

    def found(self, node: Any, default: str) -> str:
        """A path, or the default where it leads nowhere."""
        source, steps = self.steps(node)
        if not steps or not all(isinstance(step, str) for step in steps):
            raise _Doubt
        if len(steps) == 1:  # most of them, and a call costs half
            name, held = self.constant(steps[0]), f"v{len(self.names)}"
            return f"({held}[{name}] if type({held} := {source}) is dict and {name} in {held} else {default})"
        return f"found({source}, {self.constant(tuple(steps))}, {default})"

    def filter(self, node: Any) -> str:
        if node.dyn_args or node.dyn_kwargs:
            raise _Doubt
        given = [*node.args, *(named.value for named in node.kwargs)]
        names = [named.key for named in node.kwargs]
        if node.name in ("default", "d") and len(given) == 1 and not names:
            return self.found(node.node, self.scalar(given[0]))
        value = self.value(node.node)
        if node.name in ("length", "count") and not given:
            return f"length({value})"
        if node.name == "abs" and not given:
            return f"absolute({value})"
        if node.name == "round" and len(given) <= 1 and not names:
            decimals = getattr(given[0], "value", None) if given else 0
            if type(decimals) is int and abs(decimals) <= _MOST_DECIMALS:
                return f"rounded({value}, {self.constant(decimals)})"
        if node.name == "sum" and len(given) == 1 and names in ([], ["attribute"]):
            attribute = getattr(given[0], "value", None)
            if isinstance(attribute, str) and attribute.isidentifier():  # others are paths
                return f"sum_of({value}, {self.constant(attribute)}, budget)"
        raise _Doubt

    def test(self, node: Any) -> str:
        if node.name != "defined" or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise _Doubt
        return f"({self.found(node.node, 'MISSING')} is not MISSING)"

    def choice(self, node: Any) -> str:
        if node.expr2 is None:
            raise _Doubt
        return f"({self.value(node.expr1)} if {self.value(node.test)} else {self.value(node.expr2)})"

    def operation(self, node: Any) -> str:
        return f"{type(node).__name__}({self.value(node.left)}, {self.value(node.right)})"

    def comparison(self, node: Any) -> str:
        if len(node.ops) != 1 or node.ops[0].op not in _HELPERS:
            raise _Doubt
        return f"{node.ops[0].op}({self.value(node.expr)}, {self.value(node.ops[0].expr)})"


_WRITE: dict[type[nodes.Node], Callable[[_Writer, Any], str]] = {
    nodes.Const: _Writer.scalar, nodes.Getattr: _Writer.path, nodes.Getitem: _Writer.path, nodes.Filter: _Writer.filter,
    nodes.Test: _Writer.test, nodes.CondExpr: _Writer.choice, nodes.Compare: _Writer.comparison,
    **dict.fromkeys((nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod), _Writer.operation),
    nodes.Neg: lambda writer, node: f"negative({writer.value(node.node)})",
    nodes.Not: lambda writer, node: f"(not {writer.value(node.node)})",
    nodes.And: lambda writer, node: f"({writer.value(node.left)} and {writer.value(node.right)})",
    nodes.Or: lambda writer, node: f"({writer.value(node.left)} or {writer.value(node.right)})",
}


def _small(value: Any) -> Any:
    """A scalar that `render.plain` lets through as it is, and that costs next to nothing."""
    kind = type(value)
    if ((kind is float and isfinite(value)) or (kind is int and -_LARGE <= value < _LARGE) or kind is bool or value is None
            or (kind is str and len(value) <= _LONGEST_COMPARED and value.isascii())):
        return value
    raise _Doubt


def _item_at(items: Any, index: int) -> Any:
    if type(items) is not list:
        raise _Doubt
    return items[index]


def _found(value: Any, steps: tuple[str, ...], default: Any) -> Any:
    for step in steps:
        if type(value) is not dict or step not in value:
            return default
        value = value[step]
    return value


def _sum_of(items: Any, attribute: str, budget: Budget) -> Any:
    if type(items) is not list:
        raise _Doubt
    budget.take(len(items))
    return sum([item[attribute] for item in items])


def _length(value: Any) -> int:
    if type(value) not in (list, dict, str):
        raise _Doubt
    return len(value)


def _of_number(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(number: Any, *constant: int) -> Any:
        if type(number) not in _NUMBERS:
            raise _Doubt
        return make(number, *constant)

    return made


def _of_numbers(make: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def made(one: Any, other: Any) -> Any:
        if type(one) not in _NUMBERS or type(other) not in _NUMBERS:
            raise _Doubt
        number = make(one, other)
        if type(number) is int and not -(1 << 63) <= number < 1 << 63:
            raise _Doubt
        return number

    return made


def _of_scalars(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(one: Any, other: Any) -> bool:
        for value in (one, other):
            kind = type(value)
            if kind not in _SCALARS or (kind is str and len(value) > _LONGEST_COMPARED):
                raise _Doubt
        return compare(one, other)

    return compared


_HELPERS: dict[str, Any] = {
    "MISSING": MISSING, "LARGE": _LARGE, "small": _small,
    "item_at": _item_at, "found": _found, "sum_of": _sum_of, "length": _length,
    "absolute": _of_number(abs), "negative": _of_number(operator.neg), "rounded": _of_number(round),
    "Add": _of_numbers(operator.add), "Sub": _of_numbers(operator.sub), "Mul": _of_numbers(operator.mul),
    "Div": _of_numbers(operator.truediv), "FloorDiv": _of_numbers(operator.floordiv), "Mod": _of_numbers(operator.mod),
    "eq": _of_scalars(operator.eq), "ne": _of_scalars(operator.ne), "lt": _of_scalars(operator.lt),
    "lteq": _of_scalars(operator.le), "gt": _of_scalars(operator.gt), "gteq": _of_scalars(operator.ge),
}
