"""Templates, `{{ body.total * 2 }}`, and the conditions of `when:`. Knows no other kind of value.

Expressions only. One that fills the whole text gives its own value; text around it gives a text. Small ones are plain
Python where that makes the same; the sandbox makes all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jinja2 import UndefinedError, nodes

from eda_cli.payloads.aggregates import result
from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import Quick, Scope, seen_in
from eda_cli.payloads.context import Context, Seen
from eda_cli.payloads.direct import compile_direct, compile_quick
from eda_cli.payloads.expressions import Read, read_condition, read_template, understood
from eda_cli.payloads.filters import BUDGET
from eda_cli.payloads.names import NAMES, Look, checked
from eda_cli.payloads.problems import PayloadError, Refused, shown
from eda_cli.payloads.render import plain, text
from eda_cli.payloads.sandbox import sandbox
from eda_cli.payloads.scene import Scene

_OF_ROW = re.compile(r"\bwas\.\w+")  # in a fold, where `was` is the row itself
_FOR_A_TRIAL = 2_000  # units: what evaluating one without variables may cost while it is compiled
_PER_TEMPLATE = 20  # units of the budget: what evaluating one costs, however small it is

_Finish = Callable[[list[Any], Budget], Any]


def compile_template(source: str, place: str, scope: Scope) -> Callable[[Seen, Budget], Any]:
    """The function that makes the template's value; `place` names it in errors. Raises Refused."""
    read = read_template(source)
    parts = read.parts
    if _alone(read) is not None:
        return _compiled(source, read, place, scope, _only)

    def joined(values: list[Any], budget: Budget) -> Any:
        made = iter(values)
        pieces = [part if isinstance(part, str) else text(next(made), budget) for part in parts]
        return plain("".join(pieces), budget)

    return _compiled(source, read, place, scope, joined)


def quick_template(source: str, scope: Scope) -> Quick | None:
    """A quicker way to the value of a template that was compiled; None where there is none. In doubt it raises."""
    alone = _alone(read_template(source))
    return compile_quick(alone, scope) if alone is not None else None


def _alone(read: Read) -> nodes.Expr | None:
    """The expression that fills the whole text."""
    expressions = [part for part in read.parts if isinstance(part, nodes.Expr)]
    return expressions[0] if len(expressions) == 1 and all(
        part == "\n" for part in read.parts if isinstance(part, str)) else None


def compile_truth(source: str, scope: Scope) -> Callable[[Context], bool]:
    """The function that tells whether the expression holds; it may stand in `{{ }}`. Raises Refused."""
    evaluate = _compiled(source, read_condition(source), "", scope, _only)
    return lambda context: bool(evaluate(seen_in(context), Budget()))


def _only(values: list[Any], budget: Budget) -> Any:
    return plain(values[0], budget)


def _compiled(source: str, read: Read, place: str, scope: Scope, finish: _Finish) -> Callable[[Seen, Budget], Any]:
    """The function that evaluates the expressions for an event; what `finish` makes of their values.

    Without variables in them they are tried at once: what fails then would fail for every event.
    """
    variables, evaluate = understood(source, lambda: _evaluation(source, read, scope))
    direct = compile_direct([part for part in read.parts if isinstance(part, nodes.Expr)], scope)
    failure = f"'{shown(source)}' cannot be made" + (f" for '{shown(place)}'" if place else "")

    def make(seen: Seen, budget: Budget) -> Any:
        try:
            budget.take(_PER_TEMPLATE)
            if direct is not None:
                left = budget.left
                try:
                    return finish(direct(seen, budget), budget)
                except Exception:  # the sandbox knows what is wrong, or makes it
                    budget.left = left
            names: dict[str, Any] = {name: look(seen, budget) for name, look in variables}
            names[BUDGET] = budget
            return finish(evaluate(names), budget)
        except PayloadError as failed:
            why = ": ".join(said for said in (failed.what, failed.why) if said)
            raise PayloadError(failure, why, failed.hint) from failed
        except UndefinedError as missing:
            said = str(missing.message)
            what = next((what for what in ("field", "row") if f"there is no {what}" in said), "")
            hint = f"where a {what} may be missing, write | default(…)" if what else ""
            if "there is no row yet" in said and (field := _OF_ROW.search(source)):
                hint = f"for the first event of a row, write ({field[0]} | default(0))"
            raise PayloadError(failure, said, hint) from missing
        except Exception as failed:  # an expression of the user can fail in every way there is
            raise PayloadError(failure, shown(failed, 200) or type(failed).__name__) from failed

    if not variables:
        _try(source, make)
    return make


def _evaluation(source: str, read: Read, scope: Scope
                ) -> tuple[list[tuple[str, Look]], Callable[[dict[str, Any]], list[Any]]]:
    """What the expressions see, and the function from that to their values. Raises Refused."""
    values = nodes.List([part for part in read.parts if isinstance(part, nodes.Expr)], lineno=1)
    tree = nodes.Template([nodes.Assign(nodes.Name("result", "store"), values, lineno=1)], lineno=1)
    named = checked(source, tree, scope, read.aggregates)
    looks = {**NAMES[scope], **{name: _result(aggregate) for name, aggregate in read.aggregates.items()}}
    environment = sandbox()
    run = environment.from_string(tree).root_render_func

    def evaluate(names: dict[str, Any]) -> list[Any]:
        scene = Scene(environment, environment.escaping, {**environment.globals, **names})
        for _ in run(scene):
            pass
        values: list[Any] = scene.vars["result"]
        return values

    return [(name, look) for name, look in looks.items() if name in named], evaluate


def _result(aggregate: str) -> Look:
    return lambda seen, budget: result(seen, aggregate)


def _try(source: str, make: Callable[[Seen, Budget], Any]) -> None:
    """Raises Refused where the value cannot be made. What would take long is not judged."""
    budget = Budget()
    budget.left = _FOR_A_TRIAL
    try:
        make(Seen(), budget)
    except PayloadError as failed:
        if budget.left >= 0:
            raise Refused(f"'{shown(source)}' can never be made", failed.why, failed.hint) from failed


