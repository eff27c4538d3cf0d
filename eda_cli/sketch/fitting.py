"""How a kind of value is told to pydantic, with words of our own. Knows no kind, and no key.

Pydantic finds every error with its path; what is wrong and what to do instead stands in the kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from eda_cli.payloads import InvalidValue, Scope, ValueProblem, compile_body, compile_value
from eda_cli.sketch.data import NoNumber, Varied, core

Schema = dict[str, Any]
VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}  # an editor must allow it wherever a number stands
_PER_TEMPLATE = 50  # characters that each costs besides its own
NULL: Schema = {"type": "null"}


class Misfit(ValueError):
    """The value does not fit. `why` says more than "it is the text …", `hint` more than the example."""

    def __init__(self, why: str = "", hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def misfit(expected: str, why: str, hint: str, example: str = "") -> PydanticCustomError:
    """What `explain` reads: `expected` completes "… must be …"; unlike the hint, the example holds no value."""
    told = {"expected": expected, "why": why, "hint": hint, "example": example}
    return PydanticCustomError("misfit", "misfit", told)


@dataclass
class Effort:
    """How many characters of templates may still be compiled: a foreign sketch must not keep anybody waiting.

    Without `compiles` values are taken as they are.
    """

    left: int = 40_000  # about half a second
    compiles: bool = True

    def spend(self, raw: Any, is_template: bool = False) -> None:
        """Raises InvalidValue where it would be too much."""
        self.left -= _weight(raw, is_template)
        if self.left < 0:
            raise InvalidValue([ValueProblem(
                (), "the sketch has too many templates", "40,000 characters of them are compiled",
                "make them fewer or shorter")])


def _weight(raw: Any, is_template: bool) -> int:
    if isinstance(raw, str):
        return len(raw) + _PER_TEMPLATE if is_template or "{{" in raw else 0
    inside = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    return sum(_weight(one, is_template) for one in inside)


@dataclass(frozen=True)
class Kind:
    """`read` gives what the model holds, or raises Misfit or InvalidValue; `expected` completes "must be"."""

    expected: str
    example: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def fit(self, raw: Any, effort: Effort) -> Any:
        return self.read(raw)

    def validate(self, raw: Any, info: ValidationInfo) -> Any:
        try:
            return self.fit(raw, info.context or Effort())
        except Misfit as error:
            raise misfit(self.expected, error.why, error.hint or self.example, self.example) from None
        except InvalidValue as error:
            raise PydanticCustomError("value", "value", {"problems": error.problems}) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return dict(self.schema)


@dataclass(frozen=True)
class Compiled(Kind):
    """A kind that is compiled only to see whether it can be; the model holds it raw."""

    is_template: bool = False

    def fit(self, raw: Any, effort: Effort) -> Any:
        if effort.compiles:
            effort.spend(raw, self.is_template)
            self.read(raw)
        return raw


@dataclass(frozen=True)
class OneOrMany:
    """Around `list[…]`: a single one needs no brackets. None at all is refused; with `once`, a name twice."""

    expected: str
    example: str
    once: bool = True

    def listed(self, raw: Any) -> Any:
        if raw is None or raw == []:
            raise misfit(self.expected, "", self.example)
        many = raw if isinstance(raw, list) else [raw]
        names = [one for one in many if isinstance(one, str)]
        if self.once and len(set(names)) < len(names):
            raise misfit(self.expected, "it names one of them twice", "keep one of them")
        return many

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.listed, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        many = handler(core)
        return {"anyOf": [many["items"], {**many, "minItems": 1}]}


@dataclass(frozen=True)
class MapOf:
    """Around `dict[…]`: nothing is an empty map; with `notes`, keys that begin with `x-` are skipped."""

    expected: str
    example: str
    notes: bool = True

    def mapped(self, raw: Any) -> Any:
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raise misfit(self.expected, "", self.example)
        return without_notes(raw) if self.notes else raw

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.mapped, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = handler(core)
        for name, of_value in schema.pop("patternProperties", {}).items():  # so pydantic says what a name is
            schema |= {"propertyNames": {"pattern": f"{name}|^x-" if self.notes else name},
                       "additionalProperties": of_value}
        if self.notes:
            schema["patternProperties"] = {"^x-": {}}
        return {"anyOf": [schema, NULL]}


@dataclass(frozen=True)
class Short:
    """Around a map of keys that may be none: `read` makes the map of a short form, or raises Misfit."""

    expected: str
    example: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any] | None  # of the short form, where there is one

    def widened(self, raw: Any) -> Any:
        try:
            return raw if isinstance(raw, dict) else self.read(raw)
        except Misfit as error:
            raise misfit(self.expected, error.why, error.hint or self.example, self.example) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.widened, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = handler(core)
        forms = [form for form in schema.get("anyOf", [schema]) if form != NULL]
        return {"anyOf": [*forms, *([dict(self.schema)] if self.schema else [])]}


def without_notes(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if not key.startswith("x-")}


def whole(low: int, high: int, expected: str, example: str, none: bool = False) -> Kind:
    """A whole number between the two, both included; with `none` null is allowed as well."""
    def read(raw: Any) -> int | None:
        raw = varied(raw)
        if raw is None and none:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int):
            written = isinstance(raw, str) and re.fullmatch(r"-?(0*)([0-9]{1,18})", raw)
            raise Misfit(hint=f"write {int(raw)}" if written and written[1] else "remove the quotes" if written else "")
        if not low <= raw <= high:
            raise Misfit
        return raw

    number: Schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(expected, example, read, {"anyOf": [number, VARIABLE, *([NULL] if none else [])]})


def varied(raw: Any) -> Any:
    """What a variable in quotes stands for, were it without them."""
    try:
        return core(raw) if isinstance(raw, Varied) else raw
    except NoNumber:
        return raw


def matching(pattern: str, longest: int, expected: str, example: str,
             fit: Callable[[str], str] | None = None) -> Kind:
    """Text that matches the pattern as a whole; `fit` proposes a text that would."""
    form = re.compile(pattern)

    def read(raw: Any) -> str:
        if not isinstance(raw, str):
            scalar = isinstance(raw, (bool, int, float)) and form.fullmatch(str(raw))
            raise Misfit(hint="quote it" if scalar else "")
        if len(raw) <= longest and form.fullmatch(raw):
            return raw
        proposed = fit(raw) if fit else ""
        raise Misfit(f"it has {len(raw)} characters" if len(raw) > longest else "",
                     f"write it as {proposed}" if proposed else "")

    return Kind(expected, example, read, {"type": "string", "pattern": f"^(?:{pattern})$|\\$\\{{"})


def value(scope: Scope, body: bool = False) -> Compiled:
    """A value of the payload language; `scope`: what it may look at; `body`: whether it may be $tombstone."""
    def compiled(raw: Any) -> object:
        return compile_body(raw, scope) if body else compile_value(raw, scope, body=False)

    return Compiled("a value", "", compiled, {})
