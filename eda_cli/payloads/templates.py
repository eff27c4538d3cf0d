"""Templates, `{{ body.total * 2 }}`, and the conditions of `when:`. Knows no other kind of value.

Expressions only. One that fills the whole text gives its own value; text around it gives a text.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import isinf
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import seen_in
from eda_cli.payloads.context import TOMBSTONE, Context, Seen
from eda_cli.payloads.filters import BUDGET, takes
from eda_cli.payloads.functions import FUNCTIONS
from eda_cli.payloads.problems import NOT_YET, PayloadError, Refused, did_you_mean, shown
from eda_cli.payloads.render import plain, text
from eda_cli.payloads.sandbox import sandbox

LONGEST_TEMPLATE = 20_000  # characters
MAY_BE_MISSING = "where a field may be missing, write | default(…)"
_FOR_A_TRIAL = 2_000  # units: what evaluating one without variables may cost while it is compiled
_PER_TEMPLATE = 20  # units of the budget: what evaluating one costs, however small it is

_FIELDS = ("id", "type", "time", "source", "key")  # of `event`
_NAMES: dict[str, Callable[[Seen], Any]] = {
    "body": lambda seen: None if seen.body is TOMBSTONE else seen.body,
    "event": lambda seen: {field: getattr(seen, field) for field in _FIELDS},
    "headers": lambda seen: dict(seen.headers),
}
_MEANT = {
    **dict.fromkeys(("data", "payload", "message", "msg", "value", "record", "this"), "body"),
    **dict.fromkeys(("null", "nil"), "none"),
    **dict.fromkeys(_FIELDS, "event.{}"),
}
_MEANT_OF_EVENT = {"body": "body", "data": "body", "payload": "body", "headers": "headers", "timestamp": "event.time"}
_LATER = ("copy", "was")
_SIGNS = (("$.", "write body.user for $.user"), ("$", "write event.key for $key"), ("&&", "write and"),
          ("||", "write or"), ("!", "write not, or != for unlike"), ("=", "write == to compare"))

_Finish = Callable[[list[Any], Budget], Any]


def compile_template(source: str, place: str) -> Callable[[Seen, Budget], Any]:
    """The function that makes the template's value; `place` names it in errors. Raises Refused."""
    parts: list[str | nodes.Expr] = _parsed(source, lambda: _parts(source))
    expressions = [part for part in parts if isinstance(part, nodes.Expr)]
    if len(expressions) == 1 and all(part == "\n" for part in parts if isinstance(part, str)):
        return _compiled(source, expressions, place, _only)

    def joined(values: list[Any], budget: Budget) -> Any:
        made = iter(values)
        pieces = [part if isinstance(part, str) else text(next(made), budget) for part in parts]
        return plain("".join(pieces), budget)

    return _compiled(source, expressions, place, joined)


def compile_truth(source: str) -> Callable[[Context], bool]:
    """The function that tells whether the expression holds; it may stand in `{{ }}`. Raises Refused."""
    if "{{" in source:
        parts = _parsed(source, lambda: _parts(source.strip()))
        if len(parts) != 1 or isinstance(parts[0], str):
            raise Refused(f"'{shown(source)}' is no condition", "it is one expression without text around it",
                          "write body.total > 100")
    else:
        parts = [_parsed(source, lambda: _expression(source))]
    evaluate = _compiled(source, parts, "", _only)
    return lambda context: bool(evaluate(seen_in(context), Budget()))


def _only(values: list[Any], budget: Budget) -> Any:
    return plain(values[0], budget)


def _parts(source: str) -> list[str | nodes.Expr]:
    """The texts and the expressions of a template, in order."""
    parts: list[str | nodes.Expr] = []
    for node in sandbox().parse(source).body:
        if not isinstance(node, nodes.Output):
            raise _statement(source)
        parts.extend(part.data if isinstance(part, nodes.TemplateData) else part for part in node.nodes)
    return parts


def _expression(source: str) -> nodes.Expr:
    """A bare expression, read as `Environment.compile_expression` reads one."""
    parser = Parser(sandbox(), source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(f"'{parser.stream.current.value}' is one too many", 1)
    expression.set_environment(sandbox())
    return expression


def _parsed(source: str, parse: Callable[[], Any]) -> Any:
    """What `parse` gives, its errors in our words."""
    if len(source) > LONGEST_TEMPLATE:
        raise Refused("a template is too long", f"it has more than {LONGEST_TEMPLATE:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about backslashes and the like
            return parse()
    except Refused:
        raise
    except TemplateSyntaxError as wrong:
        if "{%" in source:
            raise _statement(source) from wrong
        said = str(wrong.message).partition("\n")[0]
        hint = "as a text, write {$literal: …}" if "{{" in source else "write body.total > 100"
        raise Refused(f"'{shown(source)}' is no expression", said, _sign_hint(source) or hint) from wrong
    except (SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as wrong:
        raise Refused(f"'{shown(source)}' is no expression",
                      "it is nested too deeply, or holds too large a number", "make it simpler") from wrong


def _compiled(source: str, expressions: list[nodes.Expr], place: str, finish: _Finish
              ) -> Callable[[Seen, Budget], Any]:
    """The function that evaluates the expressions for an event; what `finish` makes of their values.

    Without variables in them they are tried at once: what fails then would fail for every event.
    """
    result = nodes.Assign(nodes.Name("result", "store"), nodes.List(expressions, lineno=1), lineno=1)
    tree = nodes.Template([result], lineno=1)

    def compiled() -> tuple[set[str], TemplateExpression]:
        names = _checked(source, tree)
        return names, TemplateExpression(sandbox().from_string(tree), undefined_to_none=False)

    named, evaluate = _parsed(source, compiled)
    variables = [(name, look) for name, look in _NAMES.items() if name in named]
    failure = f"'{shown(source)}' cannot be made" + (f" for '{shown(place)}'" if place else "")

    def make(seen: Seen, budget: Budget) -> Any:
        scene: dict[str, Any] = {name: look(seen) for name, look in variables}
        scene[BUDGET] = budget
        try:
            budget.take(_PER_TEMPLATE)
            return finish(evaluate(scene), budget)
        except PayloadError as failed:
            why = ": ".join(said for said in (failed.what, failed.why) if said)
            raise PayloadError(failure, why, failed.hint) from failed
        except UndefinedError as missing:
            said = str(missing.message)
            raise PayloadError(failure, said, MAY_BE_MISSING if "field" in said else "") from missing
        except Exception as failed:  # an expression of the user can fail in every way there is
            raise PayloadError(failure, shown(failed, 200) or type(failed).__name__) from failed

    if not variables:
        _try(source, make)
    return make


def _try(source: str, make: Callable[[Seen, Budget], Any]) -> None:
    """Raises Refused where the value cannot be made. What would take long is not judged."""
    budget = Budget()
    budget.left = _FOR_A_TRIAL
    try:
        make(Seen(), budget)
    except PayloadError as failed:
        if budget.left >= 0:
            raise Refused(f"'{shown(source)}' can never be made", failed.why, failed.hint) from failed


def _checked(source: str, tree: nodes.Template) -> set[str]:
    """The variables in it. Raises Refused for variables, fields of `event`, filters and tests that do not exist."""
    environment = sandbox()
    named = set()
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for node in tree.find_all((nodes.Name, nodes.Filter, nodes.Test, nodes.Const, nodes.Getattr)):
        if isinstance(node, nodes.Filter):
            if node.name not in environment.filters:
                raise _unknown("filter", source, node.name, list(environment.filters))
            _check_arguments(source, node)
        if isinstance(node, nodes.Const) and isinstance(node.value, float) and isinf(node.value):
            raise Refused(f"'{shown(source)}' holds a number that is too large", "JSON has none above 1.8e308")
        if isinstance(node, nodes.Getattr) and id(node) not in called:
            _check_field(source, node)
        if isinstance(node, nodes.Test) and node.name not in environment.tests:
            raise _unknown("test", source, node.name, list(environment.tests))
        if isinstance(node, nodes.Name) and node.ctx == "load":
            if node.name not in _NAMES and node.name not in environment.globals:
                raise _unknown_name(source, node.name)
            named.add(node.name)
    return named


def _check_arguments(source: str, node: nodes.Filter) -> None:
    """Raises Refused where the filter does not take what it gets."""
    if node.dyn_args or node.dyn_kwargs:
        return
    known = takes(sandbox().filters[node.name])
    try:
        known.bind(*node.args, **{str(named.key): named for named in node.kwargs})
    except TypeError as wrong:
        names = ", ".join(known.parameters)
        raise Refused(f"the filter {node.name} has wrong arguments", f"in '{shown(source)}': {wrong}",
                      f"it takes {names}" if names else "it takes none") from wrong


def _check_field(source: str, node: nodes.Getattr) -> None:
    """Raises Refused for `event.foo`: unlike that of a body, its fields are known."""
    if not isinstance(node.node, nodes.Name) or node.node.name != "event" or node.attr in _FIELDS:
        return
    hint = did_you_mean(node.attr, _FIELDS, "event.{}") or f"did you mean body.{shown(node.attr)}?"
    if node.attr in _MEANT_OF_EVENT:
        hint = f"did you mean {_MEANT_OF_EVENT[node.attr]}?"
    raise Refused(f"an event has no field '{shown(node.attr)}'",
                  f"in '{shown(source)}': it has {', '.join(_FIELDS)}", hint)


def _unknown(kind: str, source: str, name: str, known: list[str]) -> Refused:
    words = [word for word in known if word.isalpha()]
    return Refused(f"there is no {kind} '{shown(name)}'", f"in '{shown(source)}'",
                   did_you_mean(name, words) or f"known are {', '.join(words)}")


def _unknown_name(source: str, name: str) -> Refused:
    if name in FUNCTIONS:
        return Refused(f"{name}(…) does not work inside {{{{ }}}}", f"in '{shown(source)}'",
                       f"give it a field of its own: {FUNCTIONS[name].signature}")
    if name in _LATER:
        return Refused(f"there is no '{name}'", f"it {NOT_YET}", "leave it out")
    hint = did_you_mean(name, _NAMES)
    if name in _MEANT:
        hint = f"did you mean {_MEANT[name].format(name)}?"
    return Refused(f"there is no '{shown(name)}'",
                   f"in '{shown(source)}': an expression sees {', '.join(_NAMES)}",
                   hint or f"did you mean body.{shown(name)}, or '{shown(name)}' in quotes?")


def _statement(source: str) -> Refused:
    return Refused(f"'{shown(source)}' holds a statement", "there are only expressions, no {% %}",
                   "write {{ A if CONDITION else B }}, or {{ body.items | map(…) }} in place of a loop")


def _sign_hint(source: str) -> str:
    """What stands in for a sign that other languages have."""
    bare = source
    for operator in ("==", "!=", "<=", ">="):
        bare = bare.replace(operator, " ")
    return next((hint for sign, hint in _SIGNS if sign in bare), "")
