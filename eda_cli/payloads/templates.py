"""Templates, `{{ body.total * 2 }}`, and the conditions of `when:`. The only file that meets Jinja2's parser.

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
from eda_cli.payloads.context import Context, Seen
from eda_cli.payloads.filters import BUDGET
from eda_cli.payloads.functions import FUNCTIONS
from eda_cli.payloads.problems import PayloadError, Refused, did_you_mean, shown
from eda_cli.payloads.render import plain, text
from eda_cli.payloads.sandbox import sandbox

LONGEST_TEMPLATE = 20_000  # characters

_NAMES: dict[str, Callable[[Seen], Any]] = {
    "body": lambda seen: seen.body,
    "event": lambda seen: {"id": seen.id, "type": seen.type, "time": seen.time, "source": seen.source, "key": seen.key},
    "headers": lambda seen: dict(seen.headers),
}
_MEANT = {
    **dict.fromkeys(("data", "payload", "message", "msg", "value", "record", "this"), "body"),
    **dict.fromkeys(("null", "nil", "None"), "none"),
    **dict.fromkeys(("header", "meta"), "headers"),
    **dict.fromkeys(("id", "type", "time", "source", "key"), "event.{}"),
}
_Evaluate = Callable[[Seen, Budget], Any]


def compile_template(source: str, place: str) -> _Evaluate:
    """The function that makes the template's value; `place` is where it stands, for errors. Raises Refused."""
    parts = _parsed(source, lambda: _parts(source))
    expressions = [part for part in parts if not isinstance(part, str)]
    evaluate = _compiled(source, expressions, place)
    if not expressions:
        written = "".join(part for part in parts if isinstance(part, str))
        return lambda seen, budget: written
    if len(expressions) == 1 and all(part == "\n" for part in parts if isinstance(part, str)):
        return lambda seen, budget: evaluate(seen, budget, _only)

    def joined(values: list[Any], budget: Budget) -> str:
        made = iter(values)
        written = "".join([part if isinstance(part, str) else text(next(made), budget) for part in parts])
        return str(plain(written, budget))

    return lambda seen, budget: evaluate(seen, budget, joined)


def compile_truth(source: str) -> Callable[[Context], bool]:
    """The function that tells whether the expression holds; it may stand in `{{ }}`. Raises Refused."""
    if "{{" in source:
        parts = _parsed(source, lambda: _parts(source.strip()))
        expressions = [part for part in parts if not isinstance(part, str)]
        if len(parts) != 1 or not expressions:
            raise Refused(f"'{shown(source)}' is no condition", "it is one expression, without text around it",
                          "write body.total > 100")
    else:
        expressions = [_parsed(source, lambda: _expression(source))]
    evaluate = _compiled(source, expressions, "")
    return lambda context: bool(evaluate(seen_in(context), Budget(), _only))


def _only(values: list[Any], budget: Budget) -> Any:
    return plain(values[0], budget)


def _parts(source: str) -> list[str | nodes.Expr]:
    """The texts and the expressions of a template, in order."""
    parts: list[str | nodes.Expr] = []
    for node in sandbox().parse(source).body:
        if not isinstance(node, nodes.Output):
            raise Refused(f"'{shown(source)}' holds a statement", "only expressions are allowed, no {% %}",
                          "write {{ A if CONDITION else B }}, or {{ body.items | map(…) }} in place of a loop")
        parts.extend(part.data if isinstance(part, nodes.TemplateData) else part for part in node.nodes)
    return parts


def _expression(source: str) -> nodes.Expr:
    """As `Environment.compile_expression` reads one."""
    parser = Parser(sandbox(), source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(f"'{parser.stream.current.value}' is one too many", 1)
    expression.set_environment(sandbox())
    return expression


def _parsed(source: str, parse: Callable[[], Any]) -> Any:
    """What `parse` gives, its errors in our words."""
    if len(source) > LONGEST_TEMPLATE:
        raise Refused("a template is too long", f"at most {LONGEST_TEMPLATE:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, about backslashes in what is not Python
            return parse()
    except TemplateSyntaxError as wrong:
        raise Refused(f"'{shown(source)}' is no template", str(wrong.message), _syntax_hint(source)) from wrong
    except (RecursionError, MemoryError, ValueError, OverflowError) as wrong:
        if isinstance(wrong, Refused):
            raise
        raise Refused(f"'{shown(source)}' is no template", "it is nested too deeply, or holds too large a number",
                      "make it simpler") from wrong


def _compiled(source: str, expressions: list[nodes.Expr], place: str
              ) -> Callable[[Seen, Budget, Callable[[list[Any], Budget], Any]], Any]:
    """The function that evaluates the expressions for an event and hands their values on."""
    listed = nodes.Assign(nodes.Name("result", "store"), nodes.List(expressions, lineno=1), lineno=1)
    tree = nodes.Template([listed], lineno=1)
    named = _parsed(source, lambda: _checked(source, tree))
    variables = [(name, _NAMES[name]) for name in _NAMES if name in named]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluate = TemplateExpression(sandbox().from_string(tree), undefined_to_none=False)
    except (TemplateSyntaxError, SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as wrong:
        raise Refused(f"'{shown(source)}' is no template", "it is nested too deeply", "make it simpler") from wrong
    where = f" for '{place}'" if place else ""

    def make(seen: Seen, budget: Budget, finish: Callable[[list[Any], Budget], Any]) -> Any:
        scene: dict[str, Any] = {name: look(seen) for name, look in variables}
        scene[BUDGET] = budget
        try:
            return finish(evaluate(scene) or [], budget)
        except PayloadError as failed:
            why = ": ".join(said for said in (failed.what, failed.why) if said)
            raise PayloadError(f"'{shown(source)}' cannot be made{where}", why, failed.hint) from failed
        except UndefinedError as missing:
            raise PayloadError(f"'{shown(source)}' cannot be made{where}", str(missing.message),
                               "where a field may be missing, write | default(…)") from missing
        except Exception as failed:  # an expression of the user can fail in every way there is
            raise PayloadError(f"'{shown(source)}' cannot be made{where}",
                               shown(failed, 200) or type(failed).__name__) from failed

    return make


def _checked(source: str, tree: nodes.Template) -> set[str]:
    """The names of variables in it; raises Refused for names, filters and tests that do not exist."""
    environment = sandbox()
    named = set()
    for node in tree.find_all((nodes.Name, nodes.Filter, nodes.Test)):
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            raise Refused(f"there is no filter '{shown(node.name)}'", f"in '{shown(source)}'",
                          did_you_mean(node.name, environment.filters) or f"known are {', '.join(environment.filters)}")
        if isinstance(node, nodes.Test) and node.name not in environment.tests:
            raise Refused(f"there is no test '{shown(node.name)}'", f"in '{shown(source)}'",
                          did_you_mean(node.name, environment.tests))
        if isinstance(node, nodes.Name) and node.ctx == "load":
            if node.name not in _NAMES and node.name not in environment.globals:
                raise _unknown_name(source, node.name)
            named.add(node.name)
    return named


def _unknown_name(source: str, name: str) -> Refused:
    if name in FUNCTIONS:
        return Refused(f"{name}(…) does not work inside {{{{ }}}}", f"in '{shown(source)}'",
                       f"give it a field of its own: {FUNCTIONS[name].signature}")
    hint = f"did you mean {_MEANT[name].format(name)}?" if name in _MEANT else did_you_mean(name, _NAMES, "{}")
    return Refused(f"there is no '{shown(name)}'", f"in '{shown(source)}': a template sees {', '.join(_NAMES)}",
                   hint or f"did you mean body.{shown(name)}, or '{shown(name)}' in quotes?")


def _syntax_hint(source: str) -> str:
    for sign, hint in (("$.", "inside an expression write body.user for $.user"), ("$", "write event.key for $key"),
                       ("&&", "write and"), ("||", "write or"), ("===", "write =="), ("!", "write not, or !="),
                       ("=", "write == to compare")):
        if sign in source.replace("!=", "").replace("==", "==" if sign == "===" else ""):
            return hint
    return "as a text, write {$literal: …}" if "{{" in source else ""
