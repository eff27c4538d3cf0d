"""Python source for a value, built up piece by piece and compiled once. Knows no sketch text.

Everything that comes from a sketch enters the source as the name of a constant, never as text, so that
nothing of a sketch is ever read as code. Expressions may use the names of `_LOCALS`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.context import Context, Seen
from eda_cli.payloads.problems import PayloadError

Scope = Literal["generator", "rule", "key"]
Value = Callable[[Context], Any]

_LOCALS = {  # what an expression may use, and where it comes from; in the order of the preamble
    "random": "context.random",
    "draw": "context.random.draw",
    "uuid": "context.random.uuid",
    "now": "context.now",
    "number": "context.number",
    "seen": "seen_in(context)",
    "budget": "Budget()",
}
_FREE_PATHS = 20  # so many `$` paths in one value may copy the event unmeasured


class Code:
    """The source under construction. `use` announces a local, `constant` names an object."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._constants: dict[str, Any] = {"Budget": Budget, "seen_in": seen_in, "int": int, "range": range}
        self._used: set[str] = set()
        self._options: list[str] = []
        self._paths = 0

    def constant(self, value: Any) -> str:
        """The name under which the source knows this object."""
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def use(self, *names: str) -> None:
        """These locals appear in the expression."""
        self._used.update(names)

    def path_is_measured(self, times: int) -> bool:
        """Whether one more `$` path, evaluated `times` times for each event, has to be paid from the budget."""
        self._paths += times
        return self._paths > _FREE_PATHS

    def option(self, expression: str) -> str:
        """An expression as a function of its own, so that it runs only when it is chosen; gives its name."""
        name = f"option{len(self._options)}"
        self._options.append(f"def {name}(context, {', '.join(_LOCALS)}):\n    return {expression}\n")
        return name

    def call_option(self, chosen: str) -> str:
        """The source that calls the option which the expression `chosen` gives."""
        self.use(*_LOCALS)
        return f"{chosen}(context, {', '.join(_LOCALS)})"

    def finish(self, expression: str) -> Value:
        """The function that evaluates the expression for a context."""
        preamble = "".join(f"    {name} = {source}\n" for name, source in _LOCALS.items() if name in self._used)
        source = "".join(self._options) + f"def value(context):\n{preamble}    return {expression}\n"
        names = dict(self._constants)
        exec(compile(source, "<value>", "exec"), names)  # only our own words and names of constants
        value: Value = names["value"]
        return value


def seen_in(context: Context) -> Seen:
    """The event that is looked into."""
    if context.seen is None:
        raise PayloadError("there is no event to look into")
    return context.seen
