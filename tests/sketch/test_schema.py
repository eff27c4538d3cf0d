"""The JSON Schema for editors: it takes every sketch that loads, and refuses the plain mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from eda_cli.sketch import nodes
from eda_cli.sketch.data import construct
from eda_cli.sketch.load import load_text
from eda_cli.sketch.model import MODELS
from eda_cli.sketch.render import config
from eda_cli.sketch.schema import schema
from eda_cli.sketch.starter import examples, starter
from eda_cli.sketch.strict import keys_of

SCHEMA = schema()
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int,
         "number": (int, float)}
TELLS_ONLY = {"$defs", "$schema", "title", "description", "examples", "default"}
RICH = (Path(__file__).parent / "rich.yaml").read_text()
GOOD = {**{name: example.sketch for name, example in examples().items()}, "starter": starter(), "rich": RICH}


def fits(value: Any, form: Any) -> bool:
    """Validates by the keywords that our schema uses; one that it does not know fails the test."""
    if isinstance(form, bool):
        return form
    return all(KEYWORDS[keyword](value, said, form) for keyword, said in form.items() if keyword not in TELLS_ONLY)


def of_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (not isinstance(value, bool) or name == "boolean")


def additional(value: Any, said: Any, form: Any) -> bool:
    patterns = form.get("patternProperties", {})
    rest = [one for key, one in value.items() if key not in form.get("properties", {})
            and not any(re.search(pattern, key) for pattern in patterns)] if isinstance(value, dict) else []
    return all(fits(one, said) for one in rest)


KEYWORDS = {
    "type": lambda value, said, form: any(of_type(value, name) for name in ([said] if isinstance(said, str) else said)),
    "anyOf": lambda value, said, form: any(fits(value, one) for one in said),
    "$ref": lambda value, said, form: fits(value, SCHEMA["$defs"][said.removeprefix("#/$defs/")]),
    "enum": lambda value, said, form: value in said,
    "minimum": lambda value, said, form: not of_type(value, "number") or value >= said,
    "maximum": lambda value, said, form: not of_type(value, "number") or value <= said,
    "pattern": lambda value, said, form: not isinstance(value, str) or bool(re.search(said, value)),
    "minItems": lambda value, said, form: not isinstance(value, list) or len(value) >= said,
    "items": lambda value, said, form: not isinstance(value, list) or all(fits(one, said) for one in value),
    "required": lambda value, said, form: not isinstance(value, dict) or set(said) <= set(value),
    "properties": lambda value, said, form: not isinstance(value, dict) or all(
        fits(one, said[key]) for key, one in value.items() if key in said),
    "patternProperties": lambda value, said, form: not isinstance(value, dict) or all(
        fits(one, of) for key, one in value.items() for pattern, of in said.items() if re.search(pattern, key)),
    "propertyNames": lambda value, said, form: not isinstance(value, dict) or all(fits(key, said) for key in value),
    "additionalProperties": additional,
}


def raw(text: str) -> Any:
    """As an editor sees it: variables are not filled in."""
    return construct(nodes.compose(text.replace("${", "$${")).root, text, {}).value


def test_it_says_which_draft_it_is() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["description"]


@pytest.mark.parametrize("name", GOOD)
def test_every_sketch_that_loads_fits_and_so_does_its_full_form(name: str) -> None:
    assert fits(raw(GOOD[name]), SCHEMA)
    assert fits(raw(config(load_text(GOOD[name], "sketch.yaml", {}))), SCHEMA)


@pytest.mark.parametrize("text", [
    "nam: shop", "name: Web Shop", "broker: kafak", "broker: {kafka: {port: 0}}", "topics: {a b: }",
    "topics: {a: {partitions: three}}", "generators: {shop: }", "generators: {shop: {rate: 5/s}}",
    "generators: {Shop: {publishes: a}}", "generators: {shop: {publishes: a, count: 0}}", "consumers: []",
    "consumers: {c: {subscribes: []}}", "consumers: {c: {subscribes: a, from: now}}",
    "consumers: {c: {subscribes: a, publishes: {event: b}}}", "consumers: {c: {subscribes: a, rate: 3/s}}",
    "consumers: {c: {subscribes: a, retries: {maximum: 3}}}", "consumers: {c: {subscribes: a, fails: [2%]}}",
    "consumers: {c: {subscribes: a, window: 1m}}", "consumers: {c: {subscribes: a, joins: {with: b}}}",
    "consumers: {c: {subscribes: a, keeps: {b: {kee: 1}}}}", "consumers: {c: {subscribes: a, run: []}}",
])
def test_plain_mistakes_do_not_fit(text: str) -> None:
    assert not fits(yaml.safe_load(text), SCHEMA)


def test_every_key_has_a_description() -> None:
    for name, model in MODELS.items():
        form = SCHEMA if name == "sketch" else SCHEMA["$defs"][model.__name__]
        form = next((one for one in form.get("anyOf", [form]) if "properties" in one), form)
        assert set(form["properties"]) == set(keys_of(model))
        for key, one in form["properties"].items():
            assert one.get("description"), (name, key)
