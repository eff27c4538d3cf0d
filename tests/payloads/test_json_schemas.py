"""Bodies from JSON Schema: what is made is what the schema allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import InvalidValue, Seen, compile_value
from eda_cli.payloads.problems import Refused
from eda_cli.payloads.schemas import expand
from tests.payloads.making import context

FOLDER = Path(__file__).parent / "schemas"
FILES = sorted(path.name for path in FOLDER.glob("*.schema.json"))


def bodies(schema: Any, over: dict[str, Any] | None = None, times: int = 60) -> list[Any]:
    value = compile_value(expand(schema, over or {}).raw, "generator")
    return [value(context(number, seen=Seen())) for number in range(times)]


def valid(schema: Any, made: list[Any]) -> None:
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    for body in made:
        validator.validate(body)


@pytest.mark.parametrize("name", FILES)
def test_what_is_made_of_a_real_schema_is_valid(name: str) -> None:
    text = (FOLDER / name).read_text()
    schema = json.loads(text)
    made = bodies(schema, times=300)
    valid(json.loads(text.replace("(?<", "(?P<")), made)  # the validator reads patterns as Python's
    assert len({json.dumps(body) for body in made}) > 250, "they are not all alike"


def test_what_is_optional_is_absent_and_what_may_be_null_is_null_in_a_share() -> None:
    made = bodies({"properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "integer"}}, "required": ["b"]}, times=2_000)
    assert all("b" in body for body in made)
    assert sum("a" not in body for body in made) == pytest.approx(400, abs=70)
    assert sum(body.get("a", 0) is None for body in made) == pytest.approx(200, abs=50)


def leaf() -> st.SearchStrategy[dict[str, Any]]:
    bounds = st.tuples(st.integers(-1_000, 1_000), st.integers(0, 50)).map(lambda two: (two[0], two[0] + two[1]))
    decimals = st.tuples(st.integers(-500, 500), st.integers(1, 900)).map(lambda two: (two[0] / 8, (two[0] + two[1]) / 8))
    return st.one_of(
        bounds.map(lambda two: {"type": "integer", "minimum": two[0], "maximum": two[1]}),
        bounds.map(lambda two: {"type": "integer", "exclusiveMinimum": two[0], "exclusiveMaximum": two[1] + 2}),
        decimals.map(lambda two: {"type": "number", "minimum": two[0], "exclusiveMaximum": two[1]}),
        st.integers(-99, 99).map(lambda low: {"type": "number", "minimum": low}),
        st.integers(-99, 99).map(lambda high: {"type": "integer", "maximum": high}),
        st.sampled_from([2, 3, 0.5, 0.25, 10, 7]).map(lambda step: {"type": "number", "multipleOf": step, "minimum": 1}),
        st.tuples(st.integers(0, 20), st.integers(0, 30)).map(
            lambda two: {"type": "string", "minLength": two[0], "maxLength": two[0] + two[1]}),
        st.sampled_from(["uuid", "email", "date", "date-time", "ipv4", "ipv6", "uri", "time", "duration", "hostname"]).map(
            lambda name: {"type": "string", "format": name}),
        st.sampled_from(["^[a-z]{2,4}$", r"\d+", "^(a|b)c?$", "^[A-Z][a-z]*$"]).map(
            lambda text: {"type": "string", "pattern": text}),
        st.lists(st.one_of(st.integers(), st.text(max_size=8), st.none(), st.sampled_from(["1..5", "$.a", "uuid()", "{{ 1 }}"])),
                 min_size=1, max_size=5).map(lambda values: {"enum": values}),
        st.sampled_from([True, {}, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {"const": {"$x": [1]}}]))


NAMES = st.sampled_from(["id", "name", "email", "city", "price", "quantity", "createdAt", "user_id", "x", "lat",
                         "description", "zip"])
SCHEMAS = st.recursive(leaf(), lambda inner: st.one_of(
    st.tuples(st.dictionaries(NAMES, inner, max_size=5), st.integers(0, 3), st.booleans()).map(
        lambda made: {"type": "object", "properties": made[0], "required": list(made[0])[:made[1]],
                      "additionalProperties": made[2]}),
    st.tuples(inner, st.integers(0, 3), st.integers(0, 3)).map(
        lambda made: {"type": "array", "items": made[0], "minItems": made[1], "maxItems": made[1] + made[2]}),
    st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    st.lists(inner, min_size=1, max_size=3).map(lambda first: {"prefixItems": first, "items": False, "type": "array"})),
    max_leaves=12)


@given(schema=SCHEMAS)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_what_is_made_of_any_schema_is_valid(schema: Any) -> None:
    valid(schema, bodies(schema, times=8))


def test_what_the_sketch_says_lies_on_top() -> None:
    schema = {"properties": {"user": {"properties": {"name": {"type": "string"}, "city": {"type": "string"}}},
                             "bad": {"type": "string", "pattern": "(?=x)y"}, "list": {"type": "array"}}, "required": ["user"]}
    made = bodies(schema, {"user": {"name": "ann"}, "bad": "1..3", "list": {"a": 1}, "new": {"b": 2}})
    assert {body["user"]["name"] for body in made} == {"ann"}
    assert any("city" in body["user"] for body in made)
    assert all(body["bad"] in (1, 2, 3) and body["list"] == {"a": 1} and body["new"] == {"b": 2} for body in made)
    assert expand(schema, {"$vars": {"n": 1}, "user": "$vars.n", "bad": None}).raw == {
        "$vars": {"n": 1}, "user": "$vars.n", "bad": None, "list": {"$maybe": {"$list": "faker.word()", "size": "1..4"},
                                                                   "absent": "20%"}}


def test_a_part_that_the_sketch_says_in_part_may_still_be_missing() -> None:
    schema = {"properties": {"a": {"anyOf": [{"properties": {"b": {"const": 1}}, "required": ["b"]}, {"type": "null"}]}}}
    assert expand(schema, {"a": {"c": 2}}).raw == {"a": {"$maybe": {"b": 1, "c": 2}, "null": "10%"}}
    options = {"oneOf": [{"properties": {"k": {"const": kind}}, "required": ["k"]} for kind in "xy"]}
    assert expand(options, {"z": 1}).raw == {"$pick": [{"k": "x", "z": 1}, {"k": "y", "z": 1}]}


@pytest.mark.parametrize(("schema", "raw"), [
    ({"properties": {"email": {"type": "string"}}, "required": ["email"]}, {"email": "faker.email()"}),
    ({"properties": {"unitPrice": {"type": "number"}}, "required": ["unitPrice"]}, {"unitPrice": "5.00..250.00"}),
    ({"properties": {"state": {"default": "open"}}, "required": ["state"]}, {"state": "faker.state()"}),
    ({"properties": {"mode": {"default": "open"}}, "required": ["mode"]}, {"mode": "open"}),
    ({"properties": {"mode": {"examples": ["a", "b"]}}, "required": ["mode"]}, {"mode": {"$pick": ["a", "b"]}}),
    ({"properties": {"n": {"minimum": 5}}, "required": ["n"]}, {"n": "5.00..1000.00"}),
    ({"type": "integer", "minimum": 7, "maximum": 7}, 7), ({"const": "5..7"}, {"$literal": "5..7"}),
    ({"type": "object", "maxProperties": 1, "properties": {"a": {"const": 1}, "b": {"const": 2}}},
     {"a": {"$maybe": 1, "absent": "20%"}}),
])
def test_what_a_schema_becomes(schema: Any, raw: Any) -> None:
    assert expand(schema, {}).raw == raw


@pytest.mark.parametrize(("schema", "said"), [
    ({"$ref": "other.json#/a"},
     "$ref 'other.json#/a' leads out of the file: eda reads no other one; put what it leads to under $defs"),
    ({"$ref": "#/$defs/a"}, "$ref '#/$defs/a' leads nowhere"), ({"type": "strin"}, "'strin' is no type of JSON Schema"),
    ({"$ref": "#"}, "would never end"),
    ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
     "'a' would never end: # stands inside of itself, and must be there; say it in the sketch: a: …"),
    ({"properties": {"a": False}, "required": ["a"]}, "the schema allows no value for 'a'"),
    ({"properties": {"a": {"type": "string", "pattern": "(?!x)y"}}}, "the pattern of 'a' cannot be made"),
    ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, "no number fits"),
    ({"type": "integer", "minimum": 1, "maximum": 6, "multipleOf": 7}, "no multiple of 7 fits"),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 2}, "2 items that are all different"),
    ({"properties": {"$id": {}}, "required": ["$id"]}, "the schema has a property '$id'"), ([1], "is no"),
    ("text", "is no JSON Schema"),
    ({"$ref": "#/$defs/a", "$defs": {
        "a": {"properties": {f"p{n}": {"$ref": f"#/$defs/b{n}"} for n in range(80)}},
      **{f"b{n}": {"properties": {f"q{m}": {"type": "null"} for m in range(80)}} for n in range(80)}}},
     "the schema is too large"),
])
def test_what_cannot_be_made_is_said(schema: Any, said: str) -> None:
    with pytest.raises(Refused) as caught:
        expand(schema, {})
    assert said in caught.value.at(()).text()


def test_what_is_not_looked_at_is_named() -> None:
    schema = {"properties": {"a": {"not": {"const": 1}}}, "if": {}, "then": {}, "else": {}}
    assert expand(schema, {}).ignored == ["if", "not"]


def test_a_schema_with_very_many_texts_is_no_body_of_too_many_words() -> None:
    schema = {"properties": {f"field{n}": {"type": "string"} for n in range(400)}, "required": ["field1"]}
    valid(schema, bodies(schema, times=3))


JUNK = st.one_of(st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(), st.text(max_size=4), st.just([]), st.just({}),
                 st.lists(st.one_of(st.none(), st.integers(0, 3), st.text(max_size=3)), max_size=2),
                 st.sampled_from(["#", "#/", "#/properties", "#/$defs", "object", "array", "null", "record"]))


def spoiled(schema: Any, steps: list[int], junk: Any) -> Any:
    """The schema with something else at some place in it."""
    if not steps or not isinstance(schema, dict | list) or not schema:
        return junk
    places = list(schema) if isinstance(schema, dict) else list(range(len(schema)))
    place = places[steps[0] % len(places)]
    copied = dict(schema) if isinstance(schema, dict) else list(schema)
    copied[place] = spoiled(schema[place], steps[1:], junk)
    return copied


@given(name=st.sampled_from([*FILES, "invoice.avsc"]), steps=st.lists(st.integers(0, 30), min_size=1, max_size=6), junk=JUNK)
@settings(derandomize=True, max_examples=500, deadline=None)
def test_whatever_stands_in_a_schema_is_made_or_refused(name: str, steps: list[int], junk: Any) -> None:
    schema = spoiled(json.loads((FOLDER / name).read_text()), steps, junk)
    try:
        bodies(schema, times=1)
    except (Refused, InvalidValue) as refused:
        assert str(refused)


@pytest.mark.parametrize("schema", [
    {"type": "integer", "enum": [1, 5, 10, "a", 7.0, 7.5], "minimum": 5, "exclusiveMaximum": 10},
    {"type": ["string", "null"], "enum": ["a", "long", None, True, 1], "maxLength": 3},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 9_999},
    {"type": "string", "minLength": 995},
    {"type": "string", "format": "date-time", "maxLength": 20},
    {"type": "string", "format": "email", "maxLength": 13},
    {"allOf": [{"type": "number"}, {"type": ["integer", "string"]}]},
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
     "oneOf": [{"type": "string"}, {"properties": {"a": {"minimum": 7}}}]},
])
def test_what_stands_beside_each_other_holds_together(schema: dict[str, Any]) -> None:
    valid(schema, bodies(schema))


@pytest.mark.parametrize(("schema", "said"), [
    ({"type": "string", "enum": [1, 2]}, "the schema allows no value for 'a': none of its enum fits what else it says"),
    ({"enum": []}, "the schema allows no value for 'a': none of its enum"),
    ({"allOf": [{"enum": [1, 2]}, {"enum": [3]}]}, "the schema allows no value for 'a': none of its enum"),
    ({"allOf": [{"type": "integer"}, {"type": "string"}]}, "the schema allows no value for 'a': there is no type"),
    ({"type": "array", "minItems": 5, "maxItems": 2}, "the schema allows no value for 'a': minItems is 5, and maxItems 2"),
    ({"type": "string", "minLength": 5, "maxLength": 2}, "the schema allows no value for 'a': minLength is 5, and maxLength 2"),
    ({"type": "array", "minItems": 10**9},
     "'a' has 1,000,000,000 items at least: at most 10,000 are made; say it in the sketch: a: …"),
    ({"type": "string", "minLength": 2_000}, "'a' is 2,000 characters long at least: at most 1,000 are made"),
    ({"type": "array", "uniqueItems": True, "minItems": 4, "items": {"enum": [1, 2, 3]}},
     "4 items that are all different cannot be made: there are 3 to choose from; mend the schema"),
])
def test_what_allows_nothing_names_the_field(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as caught:
        expand({"properties": {"a": schema}, "required": ["a"]}, {})
    assert caught.value.at(()).text().startswith(said)


def test_without_a_field_the_body_is_said() -> None:
    with pytest.raises(Refused) as caught:
        expand({"$ref": "#"}, {})
    assert caught.value.hint == "say the body in the sketch"
