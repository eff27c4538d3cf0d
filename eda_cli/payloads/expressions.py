"""The text of templates and conditions, read into Jinja2's nodes, its errors in our words. Knows no names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

from eda_cli.payloads.aggregates import named_aggregates
from eda_cli.payloads.problems import Refused, shown
from eda_cli.payloads.sandbox import sandbox

LONGEST_TEMPLATE = 20_000  # characters
_SIGNS = (("$.", "write body.user for $.user"), ("$", "write event.key for $key"), ("&&", "write and"),
          ("||", "write or"), ("!", "write not, or != for unlike"), ("=", "write == to compare"))

_HOLDERS = ("copy", "was", "vars", "entity")  # of names that are known before any event

_DEFAULT, _ASKED = frozenset({"default", "d"}), frozenset({"defined", "undefined"})  # filters and tests of what may be missing
_SELECT = frozenset({"list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"})  # and change no item

Step = str | int | None  # a name, an index, or one that only an event tells

_Made = TypeVar("_Made")


class Read(NamedTuple):
    """The texts and the expressions of a template, in order, and the aggregates that names in it stand for."""

    parts: list[str | nodes.Expr]
    aggregates: dict[str, str]


def read_template(source: str) -> Read:
    """Raises Refused."""
    return _read(source, source, False)


def read_condition(source: str) -> Read:
    """One expression, which may stand in `{{ }}`. Raises Refused."""
    if "{{" not in source:
        return _read(source, source, True)
    read = _read(source, source.strip(), False)
    if len(read.parts) != 1 or isinstance(read.parts[0], str):
        raise Refused(f"'{shown(source)}' is no condition", "it is one expression without text around it",
                      "write body.total > 100")
    return read


def names_in(source: str, condition: bool) -> set[str]:
    """The names in it, `aggregate` where it has one, and `copy:purchases`, `vars:price`, `entity:plate` where a name of
    theirs stands there.

    Raises Refused.
    """
    read = read_condition(source) if condition else read_template(source)
    return understood(source, lambda: _names(read))


def _names(read: Read) -> set[str]:
    names: set[str] = {"aggregate"} if read.aggregates else set()
    values: list[nodes.Node] = [part for part in read.parts if isinstance(part, nodes.Expr)]
    for node in nodes.List(values).find_all((nodes.Name, nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Name) and node.name not in read.aggregates:
            names.add(node.name)
        elif isinstance(node, nodes.Getattr | nodes.Getitem):
            name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
            if isinstance(node.node, nodes.Name) and node.node.name in _HOLDERS and isinstance(name, str):
                names.add(f"{node.node.name}:{name}")
    return names - set(sandbox().globals)


def chains_in(source: str, condition: bool) -> list[tuple[str, tuple[Step, ...], bool]]:
    """Where it looks into something: the name, the steps from there (`body`, ("items", 0, "sku")), and whether it says what
    happens where that is missing. A method that is called is no step; `attribute='sku'` of a filter is one into each item.

    Raises Refused.
    """
    read = read_condition(source) if condition else read_template(source)
    return understood(source, lambda: list(_chains(read)))


def _chains(read: Read) -> Iterator[tuple[str, tuple[Step, ...], bool]]:
    tree = nodes.List([part for part in read.parts if isinstance(part, nodes.Expr)])
    looks = list(tree.find_all((nodes.Getattr, nodes.Getitem)))
    inside = {id(node.node) for node in looks if isinstance(node, nodes.Getattr | nodes.Getitem)}
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    replaced = {id(one.node) for one in tree.find_all(nodes.Filter) if one.name in _DEFAULT}
    asked = set(_asked(tree))
    attributes = dict(_attributes(tree))
    for look in looks:
        if id(look) in inside:
            continue
        name, steps = _chain(look.node if id(look) in called and isinstance(look, nodes.Getattr) else look)
        if steps and name and name not in read.aggregates:
            guarded = id(look) in replaced or any((name, steps[:many]) in asked for many in range(1, len(steps) + 1))
            yield name, (*steps, *attributes.get(id(look), ())), guarded


def _chain(node: nodes.Node | None) -> tuple[str, tuple[Step, ...]]:
    """The name that it looks into, and the steps from there; no name where it begins with something else."""
    steps: list[Step] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        steps.append(node.attr if isinstance(node, nodes.Getattr) else _index(node.arg))
        node = node.node
    return node.name if isinstance(node, nodes.Name) else "", tuple(reversed(steps))


def _asked(tree: nodes.Node) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """What it asks for, as in `body.x is defined` or `'x' in body`: wherever else it looks there, it knows what it does."""
    for test in tree.find_all(nodes.Test):
        if test.name in _ASKED:
            yield _chain(test.node)
    for compared in tree.find_all(nodes.Compare):
        if isinstance(compared.expr, nodes.Const):
            for operand in compared.ops:
                if operand.op in ("in", "notin"):
                    name, steps = _chain(operand.expr)
                    yield name, (*steps, _index(compared.expr))


def _attributes(tree: nodes.Node) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """The steps on from a list to what filters take of its items, by the id of the list."""
    for one in tree.find_all(nodes.Filter):
        said = {str(named.key): getattr(named.value, "value", None) for named in one.kwargs}
        items: nodes.Node | None = one.node
        while isinstance(items, nodes.Filter) and items.name in _SELECT:
            items = items.node
        if isinstance(name := said.get("attribute"), str) and "default" not in said:
            yield id(items), (None, *name.split("."))


def _index(node: nodes.Node) -> Step:
    value = getattr(node, "value", None)
    return value if isinstance(value, str) or type(value) is int else None


def _read(source: str, text: str, bare: bool) -> Read:
    if len(source) > LONGEST_TEMPLATE:
        raise Refused("a template is too long", f"it has more than {LONGEST_TEMPLATE:,} characters")
    named, aggregates = named_aggregates(text, bare)
    return Read(understood(source, lambda: [_expression(named)] if bare else _parts(source, named)), aggregates)


def _parts(source: str, named: str) -> list[str | nodes.Expr]:
    """The texts and the expressions of a template, in order."""
    if "{%" in named and any(kind == "raw_begin" for _, kind, _ in sandbox().lex(named)):
        raise _statement(source)
    parts: list[str | nodes.Expr] = []
    for node in sandbox().parse(named).body:
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


def understood(source: str, parse: Callable[[], _Made]) -> _Made:
    """What `parse` gives, its errors in our words. Raises Refused."""
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


def _statement(source: str) -> Refused:
    return Refused(f"'{shown(source)}' holds a statement", "there are only expressions, no {% %}",
                   "write {{ A if CONDITION else B }}, or {{ body.items | map(…) }} in place of a loop")


def _sign_hint(source: str) -> str:
    """What stands in for a sign that other languages have."""
    bare = source
    for operator in ("==", "!=", "<=", ">="):
        bare = bare.replace(operator, " ")
    return next((hint for sign, hint in _SIGNS if sign in bare), "")
