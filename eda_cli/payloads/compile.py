"""A raw value of a sketch becomes a function that makes it. Knows no function and no template from inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from eda_cli.payloads.aggregates import compile_aggregate
from eda_cli.payloads.code import Code, Scope, Value
from eda_cli.payloads.context import TOMBSTONE, Context
from eda_cli.payloads.functions import compile_call
from eda_cli.payloads.literals import DEEPEST, named, plain_text, scalar
from eda_cli.payloads.long_forms import FORMS, Path, is_maybe_absent, maybe_field
from eda_cli.payloads.lookups import Lookup
from eda_cli.payloads.paths import NO_EVENT, compile_path, known_variable
from eda_cli.payloads.problems import InvalidValue, Refused, ValueProblem, did_you_mean, shown
from eda_cli.payloads.ranges import compile_range

MOST_TEMPLATES = 1_000  # different ones in one value: each takes about a millisecond to compile


def compile_value(raw: Any, scope: Scope, *, body: bool = True, lookups: list[Lookup] | None = None) -> Value:
    """The function that makes the value for a context: JSON data, or TOMBSTONE where the whole value says so.

    In scope "generator" it may count and sees no event; in "rule" it sees the event being handled and what its
    consumer has besides; in "fold" that event and the row it changes; in "key" the event being published. What is
    no `body` (a header, say), no key and no fold can be no tombstone. `lookups` are those of the values of a body that were
    compiled before, where it has several. Raises InvalidValue with every problem; the function raises PayloadError.
    """
    compiler = _Compiler(Code(scope, [] if lookups is None and body and scope == "generator" else lookups))
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
        _see_variables(text, Code(scope), condition=True)
        return compile_truth(text, scope)
    except Refused as refused:
        raise InvalidValue([refused.at(())]) from refused


def _see_variables(text: str, code: Code, condition: bool = False) -> None:
    """Raises Refused where a template or condition looks at one of `$vars` that is not there."""
    if "vars" not in text:
        return
    from eda_cli.payloads.expressions import names_in

    for used in sorted(names_in(text, condition)) if code.scope in ("generator", "rule") else ():
        holder, named_so, name = used.partition(":")
        if holder == "vars" and (named_so or not code.variables):
            known_variable(text, name, code)


class _Compiler:
    """Walks over a raw value, collects its problems, and gives the source of each part."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.problems: list[ValueProblem] = []
        self._templates: dict[str, str] = {}

    def value(self, raw: Any, path: Path, whole: bool = False) -> str:
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

    def _text(self, text: str, path: Path, whole: bool) -> str:
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

    def _template(self, text: str, path: Path) -> str:
        from eda_cli.payloads.templates import compile_template, quick_template  # see compile_condition

        if text not in self._templates:
            if len(self._templates) == MOST_TEMPLATES:
                raise Refused("the value has too many templates", f"at most {MOST_TEMPLATES:,} are compiled")
            _see_variables(text, self.code)
            made = compile_template(text, ".".join(map(str, path)), self.code.scope)
            if not path:
                self.code.quicken(quick_template(text, self.code.scope))
            self._templates[text] = self.code.constant(made)
        self.code.use("seen", "budget")
        return f"{self._templates[text]}(seen, budget)"

    def _map(self, raw: Mapping[Any, Any], path: Path, whole: bool) -> str:
        if whole and not path and "$vars" in raw:
            self._make_first(raw["$vars"])
            raw = {name: item for name, item in raw.items() if name != "$vars"}
        for name in raw:
            if isinstance(name, str) and name.startswith("$"):
                return self._form(name, raw, path, whole)
        return f"{{{', '.join([self._field(name, item, (*path, name)) for name, item in raw.items()])}}}"

    def _make_first(self, raw: Any) -> None:
        """`$vars`: what they give can be looked at from now on, by those behind them and by the body."""
        if not isinstance(raw, Mapping) or not raw:
            raise Refused("$vars has no values", "it is a map of names and values",
                          "write $vars: {user: zipf(200, user-)}").under("$vars")
        for name, item in raw.items():
            path = ("$vars", name)
            if not str(name).isidentifier():
                wrong = Refused(f"'{shown(name)}' is no name for one of $vars", "an expression could not say it",
                                "write letters, digits and _, as in unit_price")
                self.problems.append(wrong.at(path))
            self.code.define(str(name), partial(self.value, item, path))

    def _field(self, name: Any, raw: Any, path: Path) -> str:
        """The source of a field of a map: its name and its value."""
        try:
            field = plain_text(named(name), self.code)
            if is_maybe_absent(raw):
                self._check_beside("$maybe", raw)
                return maybe_field(self, field, raw, path)
        except Refused as refused:
            self.problems.append(refused.at(path))
            return "**{}"
        return f"{field}: {self.value(raw, path)}"

    def _form(self, name: str, raw: Mapping[Any, Any], path: Path, whole: bool) -> str:
        if "$states" in raw:
            if self.code.scope == "rule":
                raise Refused("$states tells the life of an entity", "a rule has no entities", "give it to a generator")
            raise Refused("$states stands alone", "a life is the whole body of a generator, and no part of one",
                          "write body: {$states: {…}}")
        if name == "$vars":
            raise Refused("$vars stands on top of a whole body", "what it makes is seen by all of the body",
                          "move it there")
        if name not in FORMS:
            raise Refused(f"there is no long form '{shown(name)}'", f"known are {', '.join(FORMS)}",
                          did_you_mean(name, FORMS) or "a map with such a name is written {$literal: {…}}")
        self._check_beside(name, raw)
        return FORMS[name][1](self, raw, path, whole)

    def _check_beside(self, name: str, raw: Mapping[Any, Any]) -> None:
        others = FORMS[name][0]
        for other in raw:
            if other != name and other not in others:
                beside = ", ".join(others) or "nothing"
                raise Refused(f"'{shown(other)}' does not belong to {name}", f"beside it may stand {beside}",
                              did_you_mean(str(other), others))
