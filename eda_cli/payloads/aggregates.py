"""Aggregates over the events of a window, `count()` and `sum($.x)`: found, checked and named. Knows no window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from eda_cli.payloads.code import Code
from eda_cli.payloads.context import Seen
from eda_cli.payloads.paths import compile_path, is_event_path
from eda_cli.payloads.problems import PayloadError, Refused, did_you_mean, shown

AGGREGATES = ("count", "sum", "mean", "min", "max")
NO_WINDOW = "only a consumer with a `window` has one"

_MEANT = {**dict.fromkeys(("avg", "average"), "mean"), "total": "sum", "minimum": "min", "maximum": "max", "median": ""}
_CALL = re.compile(r"(count|sum|mean|min|max)\((.*)\)\Z", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<call>(?:count\(\s*|(?:sum|mean|min|max)\(\s*\$[^\s()'"]*\s*)\))"""
    r"""|(?P<unknown>(?!range\b)[^\W\d]\w*\(\s*\$[^\s()'"]*\s*\))"""
    r"""|'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?"""  # texts; one that does not end is for Jinja2 to complain about
    r"""|[|.]\s*\w+|\w+"""  # filters, methods and fields are called like some aggregates
    r"""|(?P<brace>[{}])""", re.DOTALL)
_OUTSIDE = re.compile(r"\{#.*?#\}|\{\{", re.DOTALL)


def aggregate_path(text: str) -> str | None:
    """The path of which an aggregate's text, `sum($.x)`, takes the values; None of `count()`."""
    return text[text.index("(") + 1:-1] or None


def compile_aggregate(text: str, code: Code) -> str | None:
    """The source that looks the aggregate up, or None when the text is none. Raises Refused."""
    if not (match := _CALL.match(text)):
        return None
    if "(" in match[2]:
        raise Refused(f"'{shown(text)}' is more than one aggregate", "an expression stands in a template",
                      f'write "{{{{ {shown(text)} }}}}"')
    if code.scope != "rule":
        raise Refused(f"'{shown(text)}' is taken over the events of a window", NO_WINDOW,
                      "it belongs into the rules of a consumer")
    canonical = _canonical(text)
    code.use("seen")
    return f"{code.constant(result)}(seen, {code.constant(canonical)})"


def result(seen: Seen, aggregate: str) -> Any:
    """The value of the aggregate. Raises PayloadError without a window."""
    if seen.window is None:
        raise PayloadError(f"{aggregate} has nothing to count", f"there is no window: {NO_WINDOW}")
    return seen.window.results[aggregate]


def no_aggregate(name: str, path: str) -> Refused:
    """What is wrong with `avg($.x)`."""
    meant = _MEANT.get(name.lower())
    hint = f"did you mean {meant}({shown(path)})?" if meant else ""
    return Refused(f"there is no {shown(name)}(…)",
                   "over the events of a window there are count(), sum($.x), mean($.x), min($.x), max($.x)",
                   hint or ("" if meant == "" else did_you_mean(name, AGGREGATES, "{}(…)")))


def aggregate_in(text: str) -> str | None:
    """The aggregate's own text, `sum($.x)` of `sum( $.x )`, or None when the text is none. Raises Refused."""
    return _canonical(text) if _CALL.match(text) else None


def named_aggregates(source: str, bare: bool) -> tuple[str, dict[str, str]]:
    """An expression (`bare`) or a template with a name in place of each aggregate, and what the names stand for.

    Raises Refused for an aggregate that is not written as one.
    """
    prefix = "aggregate_"
    while prefix in source:
        prefix += "_"
    names: dict[str, str] = {}
    pieces = []
    copied = 0
    for start, end in _calls(source, bare):
        name = names.setdefault(_canonical(source[start:end]), f"{prefix}{len(names)}")
        pieces += [source[copied:start], name]
        copied = end
    return "".join([*pieces, source[copied:]]), {name: text for text, name in names.items()}


def _calls(source: str, bare: bool) -> Iterator[tuple[int, int]]:
    """Where the aggregates stand. A closing pair of braces ends an expression only outside of its maps."""
    at = 0
    braces = 0
    inside = bare
    while match := (_TOKEN if inside else _OUTSIDE).search(source, at):
        at = match.end()
        if not inside:
            inside = match[0] == "{{"
        elif match["call"]:
            yield match.span()
        elif match["unknown"]:
            _canonical(match["unknown"])
        elif match["brace"] == "{":
            braces += 1
        elif match["brace"] and braces:
            braces -= 1
        elif match["brace"] and not bare and source.startswith("}}", at - 1):
            inside = False
            at += 1


def _canonical(text: str) -> str:
    name, _, rest = text.partition("(")
    path = rest[:-1].strip()
    if name not in AGGREGATES:
        raise no_aggregate(name, path)
    if name == "count":
        if path:
            raise Refused("count() counts all events of a window", f"'{shown(text)}' gives it something",
                          "write count()")
        return "count()"
    if not path.startswith("$"):
        raise Refused(f"{name}(…) takes a path", f"'{shown(text)}' has none", f"write {name}($.price)")
    compile_path(path, Code("rule"))
    if not is_event_path(path):
        raise Refused(f"'{shown(text)}' does not look at the events of a window", f"{shown(path)} is none of them",
                      f"write {name}($.price)")
    return f"{name}({path})"
