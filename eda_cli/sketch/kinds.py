"""The kinds of things a key may hold: names, quantities, text, values. Knows what fits, and no key that holds it.

A kind is a pydantic annotation with words of its own: pydantic finds every error with its path, and what the error
says stands here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from eda_cli.payloads import (
    InvalidValue, Scope, compile_condition, compile_value, parse_duration, parse_range, parse_rate,
)

Schema = dict[str, Any]
VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}  # what an editor must allow wherever a number stands
NULL: Schema = {"type": "null"}


class Misfit(ValueError):
    """The value does not fit. `why` says more than "it is the text …", `hint` more than the example."""

    def __init__(self, why: str = "", hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def misfit(expected: str, why: str, hint: str) -> PydanticCustomError:
    """What `explain` reads: it completes the sentence "… must be …"."""
    return PydanticCustomError("misfit", "misfit", {"expected": expected, "why": why, "hint": hint})


@dataclass(frozen=True)
class Kind:
    """`read` gives what the model holds, or raises Misfit or InvalidValue; `expected` completes "must be …"."""

    expected: str
    example: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def validate(self, raw: Any) -> Any:
        try:
            return self.read(raw)
        except Misfit as error:
            raise misfit(self.expected, error.why, error.hint or self.example) from None
        except InvalidValue as error:
            raise PydanticCustomError("value", "value", {"problems": error.problems}) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return dict(self.schema)


@dataclass(frozen=True)
class OneOrMany:
    """Around `list[…]`: a single one may stand without brackets; none at all may not, nor with `once` a name twice."""

    expected: str
    example: str
    once: bool = True

    def listed(self, raw: Any) -> Any:
        if raw is None or raw == []:
            raise misfit(self.expected, "", self.example)
        many = raw if isinstance(raw, list) else [raw]
        if self.once and len({one for one in many if isinstance(one, str)}) < sum(isinstance(one, str) for one in many):
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
        for name, of_value in schema.pop("patternProperties", {}).items():  # pydantic's way to say what a name is
            schema |= {"propertyNames": {"pattern": f"{name}|^x-" if self.notes else name},
                       "additionalProperties": of_value}
        if self.notes:
            schema["patternProperties"] = {"^x-": {}}
        return {"anyOf": [schema, NULL]}


def without_notes(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if not key.startswith("x-")}


def whole(low: int, high: int, expected: str, example: str, none: bool = False) -> Kind:
    """A whole number between the two, both included; with `none` null is allowed as well."""
    def read(raw: Any) -> int | None:
        if raw is None and none:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int):
            quoted = isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw)
            raise Misfit(hint="remove the quotes" if quoted else "")
        if not low <= raw <= high:
            raise Misfit
        return raw

    number: Schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(expected, example, read, {"anyOf": [number, VARIABLE, *([NULL] if none else [])]})


def matching(pattern: str, longest: int, expected: str, example: str, fit: Callable[[str], str] | None = None) -> Kind:
    """Text that matches the pattern as a whole; `fit` proposes a text that would."""
    form = re.compile(pattern)

    def read(raw: Any) -> str:
        if not isinstance(raw, str):
            raise Misfit(hint="quote it" if type(raw) in (bool, int, float) and form.fullmatch(str(raw)) else "")
        if len(raw) > longest:
            raise Misfit(f"it has {len(raw)} characters")
        if not form.fullmatch(raw):
            proposed = fit(raw) if fit else ""
            raise Misfit(hint=f"write it as {proposed}" if proposed else "")
        return raw

    return Kind(expected, example, read, {"type": "string", "pattern": f"^(?:{pattern})$|\\$\\{{"})


def fit_name(text: str) -> str:
    """`text` made to fit the rule for names, "" where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).lstrip("-_0123456789")[:40].rstrip("-_")


def _line(raw: Any) -> str:
    if raw is None:
        return ""
    if not isinstance(raw, str):
        raise Misfit(hint="quote it" if isinstance(raw, (bool, int, float)) else "")
    if len(raw) > 1000:
        raise Misfit("it is longer than 1,000 characters")
    return raw


def _quantity(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What `payloads` reads, with its refusal ("'5' has no unit: write 5/s") as why and hint."""
    def read(raw: Any) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
            raise Misfit
        try:
            return parse(raw)
        except ValueError as error:
            why, _, hint = str(error).partition(": ")
            raise Misfit(why, hint) from None

    return read


def _pause(raw: Any) -> tuple[float, float]:
    low, high = parse_range(raw, parse_duration)
    if high <= 0:
        raise ValueError("there is no pause between the events: for as fast as possible write rate: max")
    return low, high


def _flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        word = raw.lower() if isinstance(raw, str) else ""
        raise Misfit(hint="write true" if word in ("yes", "on", "y", "true") else
                     "write false" if word in ("no", "off", "n", "false") else "")
    return raw


def _setting(raw: Any) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, (int, float, str)):
        return str(raw)
    raise Misfit


def _topic(raw: Any) -> str:
    if raw in (".", ".."):
        raise Misfit("Kafka reserves it")
    return str(_TOPIC.read(raw))


def _event_type(raw: Any) -> str:
    if isinstance(raw, str) and raw.startswith("$"):
        compile_value(raw, "rule")
        return raw
    return str(EVENT_TYPE.read(raw))


def _header(raw: Any) -> str:
    name = _HEADER.read(raw)
    if name.lower().startswith("ce_") or name.lower() == "content-type":
        raise Misfit(f"'{name}' is written by eda itself", "take another name")
    return str(name)


def _servers(raw: Any) -> list[str]:
    servers = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(servers, list) or not servers:
        raise Misfit
    found = []
    for server in servers:
        stripped = server.strip() if isinstance(server, str) else ""
        host, _, port = stripped.rpartition(":")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]", host):
            raise Misfit(hint=f"add the port: {stripped}:9092" if re.fullmatch(r"[A-Za-z0-9_.-]+", stripped) else "")
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
            raise Misfit(f"'{port[:20]}' is no port")
        found.append(stripped)
    return found


def _condition(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise Misfit
    compile_condition(raw, "rule")
    return raw


def value(scope: Scope) -> Kind:
    """A value of the payload language, compiled to see whether it can be; `scope` says what it may look at."""
    def read(raw: Any) -> Any:
        compile_value(raw, scope)
        return raw

    return Kind("a value", "", read, {})


_TEXT: Schema = {"type": ["string", "null"]}
_QUANTITY: Schema = {"type": "string"}
_NAME_RULE = "a name of at most 40 small letters, digits, - and _ that begins with a letter"
_TOPIC = matching(r"[A-Za-z0-9._-]+", 249, "a topic name of at most 249 letters, digits, ., - and _", "")
_HEADER = matching(r"[!-9;-~]+", 200, "a header name of at most 200 visible ASCII characters", "")

PART = matching(r"[a-z][a-z0-9_-]*", 40, _NAME_RULE, "write it as web-shop", fit_name)
TOPIC = Kind(_TOPIC.expected, "write it as purchases", _topic, _TOPIC.schema)
GROUP = Kind("a group name of at most 249 letters, digits, ., - and _", "write it as billing", _topic, _TOPIC.schema)
EVENT_TYPE = matching(r"[^\W\d][\w.:/-]*", 200, "an event type: a word that begins with a letter",
                      "write it as purchaseCreated")
EVENT_TYPE_OR_PATH = Kind("an event type, or a path such as $.type", "write it as purchaseCreated", _event_type,
                          {"type": "string"})
HEADER = Kind(_HEADER.expected, "write it as trace-id", _header, _HEADER.schema)
LINE = Kind("text", "quote it", _line, _TEXT)
IMAGE = matching(r"[A-Za-z0-9][\w./:@-]*", 255, "the name of a container image", "write it as apache/kafka:4.3.1")
SERVERS = Kind("a list of host:port", "write it as localhost:9092", _servers,
               {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
DURATION = Kind("a duration", "write it as 200ms, 5s, 1h or 7d", _quantity(parse_duration), _QUANTITY)
OPTIONAL_DURATION = Kind("a duration", "write it as 1h or 7d",
                         lambda raw: None if raw is None else DURATION.read(raw), _TEXT)
DURATIONS = Kind("a duration or a range of durations", "write it as 20ms or 20ms..80ms",
                 _quantity(lambda raw: parse_range(raw, parse_duration)), _QUANTITY)
PAUSE = Kind("a duration or a range of durations", "write it as 200ms or 200ms..2s", _quantity(_pause), _QUANTITY)
RATE = Kind("a rate", "write it as 5/s, 120/min or max", _quantity(parse_rate), _QUANTITY)
FLAG = Kind("true or false", "write true or false", _flag, {"anyOf": [{"type": "boolean"}, VARIABLE]})
SETTING = Kind("text, a number, true or false", "a setting is one value", _setting,
               {"type": ["string", "number", "boolean"]})
CONDITION = Kind("an expression", "write it as body.total > 100", _condition, {"type": "string"})
