"""What the expressions of each scope see, and whether all that one of them names is there. Knows no Jinja2 at work."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from math import isinf
from typing import Any

from jinja2 import nodes

from eda_cli.payloads.aggregates import AGGREGATES, NO_WINDOW
from eda_cli.payloads.budget import Budget
from eda_cli.payloads.code import Scope
from eda_cli.payloads.context import MISSING, TOMBSTONE, Seen
from eda_cli.payloads.copies import Copies
from eda_cli.payloads.filters import takes
from eda_cli.payloads.functions import FUNCTIONS
from eda_cli.payloads.paths import ABSENT, NO_EVENT, WINDOW_FIELDS
from eda_cli.payloads.problems import Refused, did_you_mean, shown
from eda_cli.payloads.sandbox import sandbox

Look = Callable[[Seen, Budget], Any]

_FIELDS = ("id", "type", "time", "source", "key")  # of `event`
_MEANT = {
    **dict.fromkeys(("data", "payload", "message", "msg", "value", "record", "this"), "body"),
    **dict.fromkeys(("null", "nil"), "none"),
    **dict.fromkeys((*_FIELDS, "topic"), "event.{}"),
}
_MEANT_OF_EVENT = {"body": "body", "data": "body", "payload": "body", "headers": "headers", "timestamp": "event.time"}


def fields_of_event(scope: Scope) -> tuple[str, ...]:
    """What `event` has: the topic is not yet known to a key."""
    return _FIELDS if scope == "key" else (*_FIELDS, "topic")


def _event(*fields: str) -> Look:
    return lambda seen, budget: {field: getattr(seen, field) for field in fields}


def _body(seen: Seen, budget: Budget) -> Any:
    return None if seen.body is TOMBSTONE else seen.body


def _or_absent(name: str) -> Look:
    """What a rule may be without: missing as a field may be, with the reason."""

    def look(seen: Seen, budget: Budget) -> Any:
        value = getattr(seen, name)
        if value is MISSING:
            return sandbox().undefined(hint=f"there is no {name}: {ABSENT[name]}")
        return None if value is TOMBSTONE else value

    return look


def _window(seen: Seen, budget: Budget) -> Any:
    window = seen.window
    if window is None:
        return sandbox().undefined(hint=f"there is no window: {ABSENT['window']}")
    return {field: getattr(window, field) for field in WINDOW_FIELDS}


def _row(seen: Seen, budget: Budget) -> Any:
    return sandbox().undefined(hint="there is no row yet") if seen.was is MISSING else seen.was


_OF_EVENT: dict[str, Look] = {
    "body": _body,
    "event": _event(*fields_of_event("rule")),
    "headers": lambda seen, budget: dict(seen.headers),
    "key": lambda seen, budget: seen.key,
}
NAMES: Mapping[Scope, Mapping[str, Look]] = {
    "generator": {"vars": lambda seen, budget: seen.vars, **{name: _or_absent(name) for name in ("entity", "was")}},
    "key": {"body": _body, "event": _event(*fields_of_event("key")), "headers": _OF_EVENT["headers"]},
    "fold": {**_OF_EVENT, "was": _row},
    "rule": {
        **_OF_EVENT,
        "copy": lambda seen, budget: Copies("copy", seen.copy, budget),
        "was": lambda seen, budget: Copies("was", {} if seen.was is MISSING else seen.was, budget),
        **{name: _or_absent(name) for name in ("item", "index", "joined")},
        "window": _window,
        "vars": lambda seen, budget: seen.vars,
    },
}


def checked(source: str, tree: nodes.Template, scope: Scope, aggregates: Container[str]) -> set[str]:
    """The variables in it. Raises Refused for variables, fields of `event`, filters and tests that do not exist."""
    environment = sandbox()
    named = set()
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    looked_into = {id(step.node) for step in tree.find_all(nodes.Getattr)} | {
        id(step.node) for step in tree.find_all(nodes.Getitem)}
    for node in tree.find_all((nodes.Name, nodes.Filter, nodes.Test, nodes.Const, nodes.Getattr)):
        if isinstance(node, nodes.Filter):
            if node.name not in environment.filters:
                raise _unknown("filter", source, node.name, list(environment.filters))
            _check_arguments(source, node)
        if isinstance(node, nodes.Const) and isinstance(node.value, float) and isinf(node.value):
            raise Refused(f"'{shown(source)}' holds a number that is too large", "JSON has none above 1.8e308")
        if isinstance(node, nodes.Getattr) and id(node) not in called:
            _check_field(source, node, scope)
        if isinstance(node, nodes.Test) and node.name not in environment.tests:
            raise _unknown("test", source, node.name, list(environment.tests))
        if isinstance(node, nodes.Name) and node.ctx == "load":
            if node.name in aggregates:
                _check_aggregate(source, scope)
            elif node.name not in NAMES[scope] and node.name not in environment.globals:
                raise _unknown_name(source, node.name, scope)
            if node.name == "entity" and id(node) not in looked_into:
                raise Refused("entity is several values", f"in '{shown(source)}'", "write entity.number, or entity.NAME")
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


def _check_aggregate(source: str, scope: Scope) -> None:
    if scope != "rule":
        raise Refused(f"'{shown(source)}' counts the events of a window", NO_WINDOW,
                      "it belongs into the rules of a consumer")


def _check_field(source: str, node: nodes.Getattr, scope: Scope) -> None:
    """Raises Refused for `event.foo`: unlike that of a body, its fields are known. So are those of a window."""
    of = node.node.name if isinstance(node.node, nodes.Name) else ""
    fields = fields_of_event(scope) if of == "event" else WINDOW_FIELDS
    if of not in ("event", "window") or node.attr in fields:
        return
    hint = did_you_mean(node.attr, fields, of + ".{}") or f"did you mean body.{shown(node.attr)}?"
    if of == "event" and node.attr in _MEANT_OF_EVENT:
        hint = f"did you mean {_MEANT_OF_EVENT[node.attr]}?"
    raise Refused(f"{'an' if of == 'event' else 'a'} {of} has no field '{shown(node.attr)}'",
                  f"in '{shown(source)}': it has {', '.join(fields)}", hint)


def _unknown(kind: str, source: str, name: str, known: list[str]) -> Refused:
    words = [word for word in known if word.isalpha()]
    return Refused(f"there is no {kind} '{shown(name)}'", f"in '{shown(source)}'",
                   did_you_mean(name, words) or f"known are {', '.join(words)}")


def _unknown_name(source: str, name: str, scope: Scope) -> Refused:
    if name in FUNCTIONS:
        return Refused(f"{name}(…) does not work inside {{{{ }}}}", f"in '{shown(source)}'",
                       f"give it a field of its own: {FUNCTIONS[name].signature}")
    if name in AGGREGATES:
        return Refused(f"{name}(…) takes a path, and no expression", f"in '{shown(source)}'",
                       "write count()" if name == "count" else f"write {name}($.price), or [1, 2] | {name} for a list")
    if scope == "generator" and (name in _MEANT or name in NAMES["rule"]) and name not in ("null", "nil"):
        return Refused(f"'{shown(source)}' looks into an event", *NO_EVENT)
    names = NAMES[scope]
    hint = did_you_mean(name, names)
    if name in _MEANT:
        hint = f"did you mean {_MEANT[name].format(name)}?"
    return Refused(f"there is no '{shown(name)}'",
                   f"in '{shown(source)}': an expression sees {', '.join(names)}",
                   hint or f"did you mean {'vars' if scope == 'generator' else 'body'}.{shown(name)}, "
                           f"or '{shown(name)}' in quotes?")
