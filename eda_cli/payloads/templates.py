"""Templates, `{{ body.total * 2 }}`, and the conditions of `when:`. Knows no other kind of value.

Expressions only. One that fills the whole text gives its own value; text around it gives a text.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import seen_in
from eda_cli.payloads.context import TOMBSTONE, Context, Seen
from eda_cli.payloads.filters import BUDGET
from eda_cli.payloads.functions import FUNCTIONS
from eda_cli.payloads.problems import PayloadError, Refused, did_you_mean, shown
from eda_cli.payloads.render import plain, text
from eda_cli.payloads.sandbox import sandbox

LONGEST_TEMPLATE = 20_000  # characters
MAY_BE_MISSING = "where a field may be missing, write | default(…)"
_PER_TEMPLATE = 20  # units of the budget: what evaluating one costs, however small it is

_NAMES: dict[str, Callable[[Seen], Any]] = {
    "body": lambda seen: None if seen.body is TOMBSTONE else seen.body,
    "event": lambda seen: {"id": seen.id, "type": seen.type, "time": seen.time, "source": seen.source,
                           "key": seen.key},
    "headers": lambda seen: dict(seen.headers),
}
_MEANT = {
    **dict.fromkeys(("data", "payload", "message", "msg", "value", "record", "this"), "body"),
    **dict.fromkeys(("null", "nil"), "none"),
    **dict.fromkeys(("id", "type", "time", "source", "key"), "event.{}"),
}
_SIGNS = (("$.", "write body.user for $.user"), ("$", "write event.key for $key"), ("&&", "write and"),
          ("||", "write or"), ("!", "write not, or != for unlike"), ("=", "write == to compare"))

_Finish = Callable[[list[Any], Budget], Any]


def compile_template(source: str, place: str) -> Callable[[Seen, Budget], Any]:
    """The function that makes the template's value; `place` names it in errors. Raises Refused."""
    parts: list[str | nodes.Expr] = _parsed(source, lambda: _parts(source))
    expressions = [part for part in parts if isinstance(part, nodes.Expr)]
    evaluate = _compiled(source, expressions, place)
    if len(expressions) == 1 and all(part == "\n" for part in parts if isinstance(part, str)):
        return lambda seen, budget: evaluate(seen, budget, _only)

    def joined(values: list[Any], budget: Budget) -> Any:
        made = iter(values)
        pieces = [part if isinstance(part, str) else text(next(made), budget) for part in parts]
        return plain("".join(pieces), budget)

    return lambda seen, budget: evaluate(seen, budget, joined)


def compile_truth(source: str) -> Callable[[Context], bool]:
    """The function that tells whether the expression holds; it may stand in `{{ }}`. Raises Refused."""
    if "{{" in source:
        parts = _parsed(source, lambda: _parts(source.strip()))
        if len(parts) != 1 or isinstance(parts[0], str):
            raise Refused(f"'{shown(source)}' is no condition", "it is one expression without text around it",
                          "write body.total > 100")
    else:
        parts = [_parsed(source, lambda: _expression(source))]
    evaluate = _compiled(source, parts, "")
    return lambda context: bool(evaluate(seen_in(context), Budget(), _only))


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


def _compiled(source: str, expressions: list[nodes.Expr], place: str
              ) -> Callable[[Seen, Budget, _Finish], Any]:
    """The function that evaluates the expressions for an event and hands their values on."""
    result = nodes.Assign(nodes.Name("result", "store"), nodes.List(expressions, lineno=1), lineno=1)
    tree = nodes.Template([result], lineno=1)

    def compiled() -> tuple[set[str], TemplateExpression]:
        names = _checked(source, tree)
        return names, TemplateExpression(sandbox().from_string(tree), undefined_to_none=False)

    named, evaluate = _parsed(source, compiled)
    variables = [(name, look) for name, look in _NAMES.items() if name in named]
    failure = f"'{shown(source)}' cannot be made" + (f" for '{shown(place)}'" if place else "")

    def make(seen: Seen, budget: Budget, finish: _Finish) -> Any:
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

    return make


def _checked(source: str, tree: nodes.Template) -> set[str]:
    """The variables in it. Raises Refused for variables, filters and tests that do not exist."""
    environment = sandbox()
    named = set()
    for node in tree.find_all((nodes.Name, nodes.Filter, nodes.Test)):
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            raise _unknown("filter", source, node.name, list(environment.filters))
        if isinstance(node, nodes.Test) and node.name not in environment.tests:
            raise _unknown("test", source, node.name, list(environment.tests))
        if isinstance(node, nodes.Name) and node.ctx == "load":
            if node.name not in _NAMES and node.name not in environment.globals:
                raise _unknown_name(source, node.name)
            named.add(node.name)
    return named


def _unknown(kind: str, source: str, name: str, known: list[str]) -> Refused:
    words = [word for word in known if word.isalpha()]
    return Refused(f"there is no {kind} '{shown(name)}'", f"in '{shown(source)}'",
                   did_you_mean(name, words) or f"known are {', '.join(words)}")


def _unknown_name(source: str, name: str) -> Refused:
    if name in FUNCTIONS:
        return Refused(f"{name}(…) does not work inside {{{{ }}}}", f"in '{shown(source)}'",
                       f"give it a field of its own: {FUNCTIONS[name].signature}")
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
