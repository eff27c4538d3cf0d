"""A raw value of a sketch becomes a function that makes it: `compile_value`. Knows no template from inside."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from itertools import accumulate
from math import isfinite
from typing import Any, Final

from eda_cli.payloads.code import Code, Scope, Value
from eda_cli.payloads.context import Context
from eda_cli.payloads.functions import MOST_OPTIONS, compile_call
from eda_cli.payloads.paths import NO_EVENT, compile_path
from eda_cli.payloads.problems import InvalidValue, Refused, ValueProblem, did_you_mean, shown
from eda_cli.payloads.ranges import compile_range, size_range, uniform

DEEPEST = 100  # levels of maps and lists
MOST_NODES = 20_000  # values inside one value
MOST_TEMPLATES = 1_000  # in one value: each is compiled, which takes about a millisecond
LONGEST_LIST = 10_000  # items of one $list
MOST_ITEMS = 100_000  # of all $lists inside each other together
DEEPEST_LISTS = 8  # $lists inside each other
LARGEST_BYTES = 10_000_000  # of one value as JSON, by estimate

_Path = tuple[str | int, ...]


class _Tombstone(Enum):
    TOMBSTONE = "$tombstone"


TOMBSTONE: Final = _Tombstone.TOMBSTONE
"""The whole body of an event that deletes its key: its bytes are null, not the JSON `null`."""


def compile_value(raw: Any, scope: Scope) -> Value:
    """The function that makes the value for a context: JSON data, or TOMBSTONE where the whole value says so.

    In scope "generator" it may count and sees no event; in "rule" it sees the event being handled; in "key" the
    event being published. Raises InvalidValue with every problem; the function raises PayloadError.
    """
    compiler = _Compiler(scope)
    expression = compiler.value(raw, (), whole=True)
    if not compiler.problems and compiler.bytes > LARGEST_BYTES:
        compiler.problems.append(ValueProblem(
            (), "the value is too large", f"it can grow to {compiler.bytes / 1e6:,.0f} MB, "
            f"at most {LARGEST_BYTES // 1_000_000} MB make sense in an event"))
    if compiler.problems:
        raise InvalidValue(compiler.problems)
    return compiler.code.finish(expression)


def compile_condition(text: str, scope: Scope) -> Callable[[Context], bool]:
    """The function that tells whether an expression holds, as `when:` has it, with or without `{{ }}`.

    Raises InvalidValue; the function raises PayloadError, also for a field that the event lacks.
    """
    if scope == "generator":
        raise InvalidValue([ValueProblem((), f"'{shown(text)}' looks into an event", *NO_EVENT)])
    from eda_cli.payloads.templates import compile_truth  # Jinja2 is paid for only where a template is written

    try:
        return compile_truth(text)
    except Refused as refused:
        raise InvalidValue([ValueProblem((), refused.what, refused.why, refused.hint)]) from refused


class _Compiler:
    """Walks over a raw value, collects its problems, and gives the source of each part."""

    def __init__(self, scope: Scope) -> None:
        self.code = Code(scope)
        self.problems: list[ValueProblem] = []
        self.bytes = 0
        self._times = 1  # how often the part at hand is made for one event
        self._lists = 0  # how many $lists it stands in
        self._nodes = 0
        self._templates: dict[str, str] = {}

    def value(self, raw: Any, path: _Path, whole: bool = False) -> str:
        """The source of a raw value; what is wrong with it is in `problems`."""
        try:
            self._enter(path)
            if isinstance(raw, str):
                return self._text(raw, path, whole)
            if isinstance(raw, Mapping):
                return self._map(raw, path, whole)
            if isinstance(raw, list | tuple):
                return f"[{', '.join([self.value(item, (*path, at)) for at, item in enumerate(raw)])}]"
            return self._scalar(raw)
        except Refused as refused:
            self.problems.append(ValueProblem(path, refused.what, refused.why, refused.hint))
            return "None"

    def _enter(self, path: _Path) -> None:
        self._nodes += 1
        if len(path) > DEEPEST:
            raise Refused("the value is nested too deeply", f"at most {DEEPEST} levels are made")
        if self._nodes == MOST_NODES + 1:
            raise Refused("the value has too many parts", f"at most {MOST_NODES:,} are made")
        self.bytes += 4 * self._times

    def _scalar(self, raw: Any) -> str:
        if isinstance(raw, int) and not isinstance(raw, bool) and not -(1 << 63) <= raw < 1 << 64:
            raise Refused(f"{shown(raw, 30)} is too large", "JSON numbers have 64 bits here", "quote it")
        if isinstance(raw, float) and not isfinite(raw):
            raise Refused(f"{raw} is no JSON number", "", "quote it")
        if raw is not None and not isinstance(raw, bool | int | float):
            raise Refused(f"{shown(raw)} is no JSON value", f"it is a {type(raw).__name__}", "quote it")
        self.bytes += 16 * self._times
        return self.code.constant(raw)

    def _plain_text(self, text: str) -> str:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as wrong:
                raise Refused("a text is not valid Unicode", "it holds half of a surrogate pair") from wrong
        self.bytes += len(text) * self._times
        return self.code.constant(text)

    def _text(self, text: str, path: _Path, whole: bool) -> str:
        """A call, a template, a path, a range; else the text itself."""
        self.bytes += 40 * self._times
        source = compile_call(text, self.code)
        if source is None and "{{" in text:
            source = self._template(text, path)
        if source is None and text == "$tombstone":
            if not whole or self.code.scope == "key":
                raise Refused("$tombstone stands alone", "it is a whole body, and no part of one",
                              "write `body: $tombstone`, or null for a field without a value")
            source = self.code.constant(TOMBSTONE)
        if source is None and text.startswith("$"):
            source = compile_path(text, self.code, self._times)
        return source or compile_range(text, self.code) or self._plain_text(text)

    def _template(self, text: str, path: _Path) -> str:
        if self.code.scope == "generator":
            raise Refused(f"'{shown(text)}' is a template, which looks into an event", *NO_EVENT)
        from eda_cli.payloads.templates import compile_template  # see compile_condition

        if text not in self._templates:
            if len(self._templates) >= MOST_TEMPLATES:
                raise Refused("the value has too many templates", f"at most {MOST_TEMPLATES:,} different ones")
            self._templates[text] = self.code.constant(compile_template(text, ".".join(map(str, path))))
        self.code.use("seen", "budget")
        return f"{self._templates[text]}(seen, budget)"

    def _map(self, raw: Mapping[Any, Any], path: _Path, whole: bool) -> str:
        forms = [name for name in raw if isinstance(name, str) and name in _FORMS]
        if forms:
            return self._form(forms[0], raw, path, whole)
        entries = []
        for name, item in raw.items():
            if not isinstance(name, str):
                raise Refused(f"the name {shown(name)} is no text", "", f"quote it: '{shown(name)}'")
            if name.startswith("$"):
                raise Refused(f"there is no long form '{shown(name)}'", f"known are {', '.join(_FORMS)}",
                              did_you_mean(name, _FORMS) or "a map with such a name is written {$literal: {…}}")
            entries.append(f"{self._plain_text(name)}: {self.value(item, (*path, name))}")
        return f"{{{', '.join(entries)}}}"

    def _form(self, name: str, raw: Mapping[Any, Any], path: _Path, whole: bool) -> str:
        others, compile_form = _FORMS[name]
        for other in raw:
            if other != name and other not in others:
                allowed = f"beside it may stand {', '.join(others)}" if others else "nothing may stand beside it"
                raise Refused(f"'{shown(other)}' does not belong to {name}", allowed,
                              did_you_mean(str(other), others) if others else "")
        return compile_form(self, raw, path, whole)

    def list_form(self, raw: Mapping[str, Any], path: _Path, whole: bool) -> str:
        """`{$list: VALUE, size: 1..4}`"""
        if "size" not in raw:
            raise Refused("$list has no size", "", "write {$list: VALUE, size: 1..4}")
        low, high = size_range(raw["size"])
        if high > LONGEST_LIST:
            raise Refused(f"$list with {high:,} items is too long", f"at most {LONGEST_LIST:,} are made")
        with self._inside_list(high):
            item = self.value(raw["$list"], (*path, "$list"))
        size = self.code.constant(low) if low == high else uniform(low, high, self.code)
        return f"[{item} for _ in range({size})]"

    @contextmanager
    def _inside_list(self, longest: int) -> Iterator[None]:
        times = self._times
        if times * longest > MOST_ITEMS:
            raise Refused(f"$lists inside each other make {times * longest:,} items",
                          f"at most {MOST_ITEMS:,} are made", "take smaller sizes")
        if self._lists == DEEPEST_LISTS:
            raise Refused("too many $lists stand inside each other", f"at most {DEEPEST_LISTS} do")
        self._times, self._lists = times * max(longest, 1), self._lists + 1
        try:
            yield
        finally:
            self._times, self._lists = times, self._lists - 1

    def pick_form(self, raw: Mapping[str, Any], path: _Path, whole: bool) -> str:
        """`{$pick: [A, B], weights: [9, 1]}`; only the value that is chosen is made."""
        options = raw["$pick"]
        if not isinstance(options, list | tuple) or not 1 <= len(options) <= MOST_OPTIONS:
            raise Refused("$pick has no options", f"it takes a list of 1 to {MOST_OPTIONS:,} values",
                          "write {$pick: [A, B]}")
        code = self.code
        names = [code.option(self.value(option, (*path, "$pick", at), whole)) for at, option in enumerate(options)]
        code.use("draw")
        if "weights" in raw:
            sums = _cumulated(raw["weights"], len(options))
            chosen = f"{code.constant(_weighted)}({code.constant(sums)}, draw() - 1.0)"
        else:
            chosen = f"int((draw() - 1.0) * {code.constant(len(options))})"
        return code.call_option(f"({', '.join(names)},)[{chosen}]")

    def literal_form(self, raw: Mapping[str, Any], path: _Path, whole: bool) -> str:
        """`{$literal: …}`: JSON as it stands there."""
        return self._literal(raw["$literal"], (*path, "$literal"))

    def _literal(self, raw: Any, path: _Path) -> str:
        self._enter(path)
        if isinstance(raw, str):
            return self._plain_text(raw)
        if isinstance(raw, Mapping):
            if wrong := [name for name in raw if not isinstance(name, str)]:
                raise Refused(f"the name {shown(wrong[0])} is no text", "", f"quote it: '{shown(wrong[0])}'")
            entries = [f"{self._plain_text(name)}: {self._literal(item, (*path, name))}" for name, item in raw.items()]
            return f"{{{', '.join(entries)}}}"
        if isinstance(raw, list | tuple):
            return f"[{', '.join([self._literal(item, (*path, at)) for at, item in enumerate(raw)])}]"
        return self._scalar(raw)


def _cumulated(weights: object, options: int) -> list[float]:
    """The weights as sums up to each option."""
    if not isinstance(weights, list | tuple) or len(weights) != options:
        raise Refused("$pick has other weights than options", f"there are {options} options", "write one weight for each")
    for weight in weights:
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < 1e300:
            raise Refused(f"'{shown(weight)}' is no weight", "", "write numbers such as weights: [9, 1]")
    sums = list(accumulate(map(float, weights)))
    if not sums[-1]:
        raise Refused("all weights are 0", "so nothing could be picked", "give one of them a weight")
    return sums


def _weighted(sums: list[float], drawn: float) -> int:
    return bisect_right(sums, drawn * sums[-1], 0, len(sums) - 1)


_Form = tuple[Sequence[str], Callable[[_Compiler, Mapping[str, Any], _Path, bool], str]]
_FORMS: dict[str, _Form] = {  # the long forms, with what may stand beside each
    "$list": (("size",), _Compiler.list_form),
    "$pick": (("weights",), _Compiler.pick_form),
    "$literal": ((), _Compiler.literal_form),
}
