"""How a consumer behaves, and what follows: the keys of its rules, failures, copies, joins and windows. Knows no place.

A short form, `retries: 3`, is read as the map that it stands for.
"""

# ruff: noqa: RUF012 (pydantic copies the defaults)
from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from eda_cli.sketch.fitting import Kind, MapOf, Misfit, OneOrMany, Schema, Short, misfit, varied, whole, without_notes
from eda_cli.sketch.kinds import (
    CONDITION,
    DURATIONS,
    EACH,
    EVENT_TYPE_OR_PATH,
    FLAG,
    FOLD_CONDITION,
    MOMENT,
    SHARE,
    SIDES,
    SPAN,
    WAIT,
)
from eda_cli.sketch.strict import (
    HEADERS,
    TOPICS,
    TYPES,
    EventType,
    FoldValue,
    HeaderName,
    RuleBody,
    RuleValue,
    Strict,
    TopicName,
    keys_of,
    says,
)

MAX_RETRIES = 1000
MAX_REMEMBERED = 100_000_000

_MAX = whole(0, MAX_RETRIES, f"a whole number from 0 to {MAX_RETRIES}", "write it as 3")
_LAST = whole(1, MAX_REMEMBERED, f"a whole number from 1 to {MAX_REMEMBERED:,}", "write it as 100000")
_FIELDS = MapOf("a map of fields and their values", "write it as {left: 0}", notes=False)
_AWAITED = MapOf("a map of topics and the key that is awaited there", "write it as {payments: $.order}", notes=False)


class Rule(Strict):
    """A rule: what a consumer publishes when it handled an event. Only a topic name republishes the body."""

    to: Annotated[TopicName, says("The topic it publishes to.", "invoices")]
    event: Annotated[str, EVENT_TYPE_OR_PATH,
                     says("The type of the event, or a path to it; without it, the type of the one handled.",
                          "invoiceIssued", "$.type")] = ""
    key: Annotated[RuleValue, says("The record key; without it the topic's, else that of the event handled.",
                                   "$.user")] = None
    headers: Annotated[dict[HeaderName, RuleValue], HEADERS, says("Headers of the event.")] = {}
    body: Annotated[RuleBody,
                    says("What the event contains; `$` and templates see the event handled. Without it, what "
                         "`events` says, else the body that was heard.", {"purchase": "$.id"})] = None
    accepts: Annotated[list[EventType], TYPES,
                       says("Only events of these types are followed by this one.")] = []
    when: Annotated[str, CONDITION, says("Only where this expression is true.", "body.total > 100")] = ""
    each: Annotated[Any, EACH, says("An event for each item of this list.", "$.items")] = None
    after: Annotated[tuple[float, float] | None, DURATIONS,
                     says("How long afterwards it is published.", "30s", "1s..3s")] = None
    unless: Annotated[dict[TopicName, RuleValue], _AWAITED,
                      says("With `after`: not if an event with this record key came to that topic in the meantime. The path "
                           "looks at the event handled.", {"payments": "$.order"})] = {}
    share: Annotated[float | None, SHARE,
                     says("How often: the rules with a share are one draw, so that at most one of them follows.", "95%")] = None

    @model_validator(mode="before")
    @classmethod
    def keys_only(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            return {"to": raw}
        if not isinstance(raw, dict):
            raise misfit("a topic name or a map of keys", "", f"its keys are {', '.join(keys_of(cls))}")
        return without_notes(raw)


class Fails(Strict):
    """Which attempts fail: a share of them, those where a condition holds, or both."""

    share: Annotated[float, SHARE, says("How many of them fail.", "2%")] = 1.0
    when: Annotated[str, CONDITION, says("Only attempts on events where this is true.", "body.total > 400")] = ""


class Retries(Strict):
    """How often a failed event is tried again, and how long after."""

    max: Annotated[int, _MAX, says("How many more attempts.", 3)] = 0
    backoff: Annotated[tuple[float, float], DURATIONS,
                       says("The pause before an attempt, else 200ms; a range doubles from its first to its last.",
                            "200ms", "200ms..10s")] = (0.2, 0.2)


class Idempotent(Strict):
    """The ids that are remembered, so that an event is handled once."""

    last: Annotated[int, _LAST, says("How many.", 100000)] = 1_000_000
    for_s: Annotated[float, SPAN, says("How long; else 7d.", "1d", alias="for")] = 7 * 86400.0


class Fold(Strict):
    """How events change one own copy."""

    topics: Annotated[list[TopicName], TOPICS,
                      says("The topic or topics; without it, that of the copy's name.", "orders", alias="from")] = []
    key: Annotated[RuleValue, says("The row that an event changes.", "$.sku")] = "$key"
    set: Annotated[dict[str, FoldValue], _FIELDS,
                   says("Fields of the row; `was` is the row before. Without it, the body is the row.",
                        {"left": "{{ (was.left | default(100)) - body.qty }}"})] = {}
    accepts: Annotated[list[EventType], TYPES, says("Only events of these types.")] = []
    when: Annotated[str, FOLD_CONDITION, says("Only where this expression is true.", "body.qty > 0")] = ""


class Window(Strict):
    """How events are gathered: by the clock, or until a pause."""

    every: Annotated[float | None, SPAN, says("Windows of this length, side by side.", "1m")] = None
    gap: Annotated[float | None, SPAN, says("A window ends with a pause of this length.", "5m")] = None
    by: Annotated[RuleValue, says("A window for each of these values.", "$.device", "all")] = "$key"
    time: Annotated[Any, MOMENT, says("The moment of an event.", "$time", "$.at")] = "$time"
    late: Annotated[float, WAIT, says("How long it stays open for events that come late; else not at all.", "10s")] = 0.0


class Join(Strict):
    """Which events make a pair."""

    topic: Annotated[TopicName, says("The other topic.", "payments", alias="with")]
    by: Annotated[Any, SIDES, says("What both have in common; a map of the topics where it is named differently.",
                                   "$.purchase", {"orders": "$.id", "payments": "$.order"})]
    within: Annotated[float, SPAN, says("How far apart they may be published; else 1m.", "30s")] = 60.0


def _fails(raw: Any) -> Any:
    if isinstance(raw, (str, int, float)) and not isinstance(raw, bool):
        return {"share": raw}
    raise Misfit


def _retries(raw: Any) -> Any:
    number = varied(raw)
    if isinstance(number, bool) or not isinstance(number, (int, float, str)):
        raise Misfit
    return {"max": raw}


def _idempotent(raw: Any) -> Any:
    return {} if FLAG.read(raw) else None


def _joins(raw: Any) -> Any:
    topic = isinstance(raw, str) and re.fullmatch(r"[\w.-]+", raw)
    raise Misfit(hint=f"write it as {{with: {raw}, by: $.id}}" if topic else "")


def _window(raw: Any) -> Any:
    length = isinstance(raw, str) and re.fullmatch(r"[0-9.]+[a-z]+", raw)
    raise Misfit(hint=f"write it as {{every: {raw}}}" if length else "")


def _code(raw: Any) -> Any:
    """A command and its arguments, from a text as a shell splits it or from a list."""
    if isinstance(raw, str):
        try:
            raw = shlex.split(raw)
        except ValueError:
            raise Misfit("a quote in it is not closed", "close it") from None
    if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
        quoted = isinstance(raw, list) and not any(isinstance(one, (dict, list, type(None))) for one in raw)
        raise Misfit("one of its arguments is no text" if quoted else "", "quote it" if quoted else "")
    if not raw or not raw[0]:
        raise Misfit("it names no program")
    if any("\0" in one for one in raw):
        raise Misfit("it holds a zero byte", "take it out")
    return raw


FAILS = Short("a share or a map of keys", "write it as 2%", _fails, {"type": "string"})
RETRIES = Short("a whole number or a map of keys", "write it as 3", _retries, _MAX.schema)
IDEMPOTENT = Short("true, false or a map of keys", "write it as true", _idempotent, {"type": ["boolean", "string"]})
JOINS = Short("a map of keys", "write it as {with: payments, by: $.purchase}", _joins, None)
WINDOW = Short("a map of keys", "write it as {every: 1m}", _window, None)
CODE = Kind("a command, or a list of a command and its arguments", "write it as node mailer.js", _code,
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})


@dataclass(frozen=True)
class Folds(OneOrMany):
    """Around the folds of one copy: a value in place of a fold is its key."""

    expected: str = "a key, a map of keys, or a list of such maps"
    example: str = "write it as $.id"
    once: bool = False

    def listed(self, raw: Any) -> Any:
        if isinstance(raw, list) and raw:
            return raw
        is_value = not isinstance(raw, dict) or any(name.startswith("$") for name in raw)
        return super().listed({} if raw is None else {"key": raw} if is_value and raw != [] else raw)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = super().__get_pydantic_json_schema__(core, handler)
        scalar: Schema = {"type": ["string", "number", "boolean", "null"]}
        long_form: Schema = {"type": "object", "propertyNames": {"pattern": r"^(\$.*|weights)$"}}
        return {"anyOf": [*schema["anyOf"], scalar, long_form]}


@dataclass(frozen=True)
class Kept(MapOf):
    """Around the copies of a consumer: a topic, or a list of topics, is kept by the key of its records."""

    def mapped(self, raw: Any) -> Any:
        named = [raw] if isinstance(raw, str) else raw
        if isinstance(named, list) and named and all(isinstance(one, str) for one in named):
            if len(set(named)) < len(named):
                raise misfit(self.expected, "it names one of them twice", "keep one of them")
            return dict.fromkeys(named)
        if raw is None or isinstance(raw, list):
            raise misfit(self.expected, "", self.example)
        return super().mapped(raw)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = super().__get_pydantic_json_schema__(core, handler)
        forms = [form for form in schema["anyOf"] if form.get("type") != "null"]
        texts: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
        return {"anyOf": [*forms, {"type": "string"}, texts]}


KEPT = Kept("a topic, a list of topics, or a map of copies and their keys", "write it as {purchases: $.id}")
