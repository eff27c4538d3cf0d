"""A raw value of a sketch becomes a function that makes it. Knows no function and no template from inside."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from eda_cli.payloads.aggregates import compile_aggregate
from eda_cli.payloads.code import Code, Scope, Value
from eda_cli.payloads.context import TOMBSTONE, Context
from eda_cli.payloads.functions import compile_call
from eda_cli.payloads.literals import DEEPEST, literal, named, plain_text, scalar
from eda_cli.payloads.paths import NO_EVENT, compile_path
from eda_cli.payloads.problems import NOT_YET, InvalidValue, Refused, ValueProblem, did_you_mean, shown
from eda_cli.payloads.ranges import compile_range, size_range, uniform

MOST_TEMPLATES = 1_000  # different ones in one value: each takes about a millisecond to compile
MOST_OPTIONS = 1_000  # of one $pick
LONGEST_LIST = 10_000  # items of one $list
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?\Z")

_Path = tuple[str | int, ...]


def compile_value(raw: Any, scope: Scope, *, body: bool = True) -> Value:
    """The function that makes the value for a context: JSON data, or TOMBSTONE where the whole value says so.

    In scope "generator" it may count and sees no event; in "rule" it sees the event being handled and what its
    consumer has besides; in "fold" that event and the row it changes; in "key" the event being published. What is
    no `body` (a header, say), no key and no fold can be no tombstone. Raises InvalidValue with every problem; the
    function raises PayloadError.
    """
    compiler = _Compiler(scope)
    expression = compiler.value(raw, (), whole=body and scope in ("generator", "rule"))
    if compiler.problems:
        raise InvalidValue(compiler.problems)
    try:
        return compiler.code.finish(expression)
    except Refused as refused:
        raise InvalidValue([refused.at(())]) from refused


def compile_condition(text: str, scope: Scope) -> Callable[[Context], bool]:
    """The function that tells whether an expression holds, as `when:` has it, with or without `{{ }}`.

    Raises InvalidValue; the function raises PayloadError, also for a field that the event lacks.
    """
    if scope == "generator":
        raise InvalidValue([ValueProblem((), f"'{shown(text)}' looks into an event", *NO_EVENT)])
    from eda_cli.payloads.templates import compile_truth  # Jinja2 is paid for only where it is needed

    try:
        return compile_truth(text, scope)
    except Refused as refused:
        raise InvalidValue([refused.at(())]) from refused


class _Compiler:
    """Walks over a raw value, collects its problems, and gives the source of each part."""

    def __init__(self, scope: Scope) -> None:
        self.code = Code(scope)
        self.problems: list[ValueProblem] = []
        self._templates: dict[str, str] = {}

    def value(self, raw: Any, path: _Path, whole: bool = False) -> str:
        """The source of a raw value; what is wrong with it goes into `problems`."""
        if self.code.full:
            return "None"
        try:
            if len(path) > DEEPEST:
                raise Refused("the value is nested too deeply", f"at most {DEEPEST} levels are made")
            self.code.count_part()
            if isinstance(raw, str):
                return self._text(raw, path, whole)
            if isinstance(raw, Mapping):
                return self._map(raw, path, whole)
            if isinstance(raw, list | tuple):
                return f"[{', '.join([self.value(item, (*path, at)) for at, item in enumerate(raw)])}]"
            return scalar(raw, self.code)
        except Refused as refused:
            self.problems.append(refused.at(path))
            return "None"

    def _text(self, text: str, path: _Path, whole: bool) -> str:
        """A call, a template, a path, a range; else the text itself."""
        source = compile_aggregate(text, self.code) or compile_call(text, self.code)
        if source is None and "{{" in text:
            source = self._template(text, path)
        if source is None and text == "$tombstone":
            if not whole:
                raise Refused("$tombstone stands alone", "it is a whole body, and no part of one",
                              "write `body: $tombstone`, or null for a field without a value")
            source = self.code.constant(TOMBSTONE)
        if source is None and text.startswith("$"):
            source = compile_path(text, self.code)
        source = source or compile_range(text, self.code)
        if source is None:
            return plain_text(text, self.code)
        self.code.weigh(40 + len(text))
        return source

    def _template(self, text: str, path: _Path) -> str:
        if self.code.scope == "generator":
            raise Refused(f"'{shown(text)}' is a template, which looks into an event", *NO_EVENT)
        from eda_cli.payloads.templates import compile_template, quick_template  # see compile_condition

        if text not in self._templates:
            if len(self._templates) == MOST_TEMPLATES:
                raise Refused("the value has too many templates", f"at most {MOST_TEMPLATES:,} are compiled")
            made = compile_template(text, ".".join(map(str, path)), self.code.scope)
            if not path:
                self.code.quicken(quick_template(text, self.code.scope))
            self._templates[text] = self.code.constant(made)
        self.code.use("seen", "budget")
        return f"{self._templates[text]}(seen, budget)"

    def _map(self, raw: Mapping[Any, Any], path: _Path, whole: bool) -> str:
        for name in raw:
            if isinstance(name, str) and name.startswith("$"):
                return self._form(name, raw, path, whole)
        entries = [f"{plain_text(named(name), self.code)}: {self.value(item, (*path, name))}"
                   for name, item in raw.items()]
        return f"{{{', '.join(entries)}}}"

    def _form(self, name: str, raw: Mapping[Any, Any], path: _Path, whole: bool) -> str:
        if name in LATER_FORMS:
            raise Refused(f"there is no long form '{name}'", f"it {NOT_YET}", "leave it out")
        if name not in FORMS:
            raise Refused(f"there is no long form '{shown(name)}'", f"known are {', '.join(FORMS)}",
                          did_you_mean(name, FORMS) or "a map with such a name is written {$literal: {…}}")
        others, compile_form = FORMS[name]
        for other in raw:
            if other != name and other not in others:
                beside = ", ".join(others) or "nothing"
                raise Refused(f"'{shown(other)}' does not belong to {name}", f"beside it may stand {beside}",
                              did_you_mean(str(other), others))
        return compile_form(self, raw, path, whole)


def _list(compiler: _Compiler, raw: Mapping[str, Any], path: _Path, whole: bool) -> str:
    """`{$list: VALUE, size: 1..4}`"""
    if "size" not in raw:
        raise Refused("$list has no size", "", "write {$list: VALUE, size: 1..4}")
    code = compiler.code
    try:
        low, high = size_range(raw["size"])
        if high > LONGEST_LIST:
            raise Refused(f"$list with {high:,} items is too long", f"at most {LONGEST_LIST:,} are made")
        with code.repeated(high):
            item = compiler.value(raw["$list"], (*path, "$list"))
    except Refused as refused:
        raise refused.under("size") from None
    size = code.constant(low) if low == high else uniform(low, high, code)
    return f"[{item} for _ in range({size})]"


def _pick(compiler: _Compiler, raw: Mapping[str, Any], path: _Path, whole: bool) -> str:
    """`{$pick: [A, B], weights: [9, 1]}`; only the value that is chosen is made."""
    options = raw["$pick"]
    if not isinstance(options, list | tuple) or not 1 <= len(options) <= MOST_OPTIONS:
        raise Refused("$pick has no options", f"it takes a list of 1 to {MOST_OPTIONS:,} values",
                      "write {$pick: [A, B]}")
    code = compiler.code
    names = [code.option(compiler.value(option, (*path, "$pick", at), whole))
             for at, option in enumerate(options)]
    code.use("draw")
    chosen = f"int((draw() - 1.0) * {code.constant(len(options))})"
    if "weights" in raw:
        sums = code.constant(_cumulated(raw["weights"], len(options)))
        chosen = f"{code.constant(_weighted)}({sums}, draw() - 1.0)"
    return code.call(f"({', '.join(names)},)[{chosen}]")


def _cumulated(weights: object, options: int) -> list[float]:
    """The weights as sums up to each option."""
    if not isinstance(weights, list | tuple) or len(weights) != options:
        raise Refused("$pick has other weights than options", f"there are {options} options",
                      "write one weight for each")
    sums = list(accumulate(map(_weight, weights, range(options))))
    if not sums[-1]:
        raise Refused("all weights are 0", "so nothing could be picked", "give one of them a weight")
    return sums


def _weight(raw: object, at: int) -> float:
    """A weight, which may stand in quotes as a size may."""
    number = float(raw) if isinstance(raw, str) and _PLAIN_NUMBER.match(raw) else raw
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e300:
        raise Refused(f"'{shown(raw)}' is no weight", "", "write numbers such as weights: [9, 1]").under("weights", at)
    return float(number)


def _weighted(sums: list[float], drawn: float) -> int:
    """The option whose share of the weights holds the number `drawn` of [0, 1)."""
    return bisect_right(sums, drawn * sums[-1], 0, len(sums) - 1)


def _literal(compiler: _Compiler, raw: Mapping[str, Any], path: _Path, whole: bool) -> str:
    """`{$literal: …}`"""
    return literal(raw["$literal"], compiler.code, len(path))


_Form = Callable[[_Compiler, Mapping[str, Any], _Path, bool], str]
FORMS: dict[str, tuple[Sequence[str], _Form]] = {  # the long forms, with what may stand beside each
    "$list": (("size",), _list),
    "$pick": (("weights",), _pick),
    "$literal": ((), _literal),
}
LATER_FORMS = frozenset({"$lookup", "$states"})
