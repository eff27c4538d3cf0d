"""Bodies that schema files say: found, expanded, refused with their place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from eda_cli.errors import SketchError
from eda_cli.sketch.load import Loaded, load, load_text
from eda_cli.sketch.render import config
from eda_cli.sketch.resolved import Resolved

ORDER = {"type": "object", "required": ["id", "user"], "properties": {
    "id": {"format": "uuid"}, "user": {"properties": {"name": {}}, "required": ["name"]}, "note": {}}}
BODY = {"id": "uuid()", "user": {"name": "faker.name()"}, "note": {"$maybe": "faker.sentence()", "absent": "20%"}}


def written(folder: Path, text: str, **files: Any) -> Path:
    for name, schema in files.items():
        (folder / f"{name}.json").write_text(schema if isinstance(schema, str) else json.dumps(schema))
    sketch = folder / "sketch.yaml"
    sketch.write_text(dedent(text))
    return sketch


def read(folder: Path, text: str, environ: dict[str, str] | None = None, **files: Any) -> Loaded:
    return load(written(folder, text, **files), environ or {})


def errors(folder: Path, text: str, **files: Any) -> list[str]:
    with pytest.raises(SketchError) as raised:
        read(folder, text, **files)
    return [problem.text("sketch.yaml") for problem in raised.value.problems]


def test_a_schema_says_a_body_wherever_one_stands(tmp_path: Path) -> None:
    loaded = read(tmp_path, """\
        events: {placed: {$schema: order.json}, told: {of: {$schema: order.json, note: hi}}}
        generators:
          one: {publishes: a, event: placed}
          two: {publishes: a, event: made, body: {$schema: order.json, user: {name: ann}, more: 1..5}}
        consumers:
          c: {subscribes: a, publishes: [b, {to: b, event: told}, {to: b, event: f, body: {$schema: order.json, id: $.id}}]}
          d: {subscribes: b, publishes: {to: e, event: g, body: {$list: {$schema: order.json}, size: 2}}}
          f: {subscribes: e}
        """, order=ORDER)
    sketch = loaded.resolved
    assert sketch.generators["one"].body == BODY
    assert sketch.generators["two"].body == {**BODY, "user": {"name": "ann"}, "more": "1..5"}
    assert sketch.consumers["c"].rules[1].body == {"of": {**BODY, "note": "hi"}}
    assert sketch.consumers["c"].rules[2].body == {**BODY, "id": "$.id"}
    assert sketch.consumers["d"].rules[0].body == {"$list": BODY, "size": 2}
    assert loaded.files == (tmp_path / "order.json",)
    assert loaded.warnings == ()
    assert Resolved.from_json(sketch.to_json()) == sketch


def test_the_full_form_needs_no_file(tmp_path: Path) -> None:
    loaded = read(tmp_path, """\
        events: {placed: {$schema: order.json, $vars: {who: faker.name()}, user: {name: $vars.who}, id: "${ID}"}}
        generators: {one: {publishes: a}}
        consumers: {c: {subscribes: a}}
        """, {"ID": "zipf(9, id-)"}, order={
            **ORDER, "properties": {**ORDER["properties"], "item": {"properties": {"id": {"const": 1}}}}})
    text = config(loaded)
    assert "$schema" not in text
    assert text.count("${ID}") == 1, "the id of the item is another one"
    again = load_text(text, "sketch.yaml", {"ID": "zipf(9, id-)"})
    assert again.resolved == loaded.resolved
    assert config(again) == text


def test_a_problem_is_told_where_the_sketch_says_it(tmp_path: Path) -> None:
    assert errors(tmp_path, """\
        events:
          placed:
            $schema: order.json
            user: {name: uuuid()}
            note: $vars.x
        generators: {one: {publishes: a}}
        """, order=ORDER)[:2] == [
        "sketch.yaml:4:18: there is no function 'uuuid': known are uuid, seq, now, pick, chance, zipf, normal, lognormal, "
        "exponential, poisson, walk, pattern, faker.NAME; did you mean uuid(…)? as a text write {$literal: \"uuuid()\"}",
        "sketch.yaml:5:11: '$vars.x' looks at $vars, and there are none: the body on top of which they stand sees them, "
        "and nothing else; write $vars: {user: …} on top of the body"]


def test_fields_of_a_schema_are_known_to_check(tmp_path: Path) -> None:
    loaded = read(tmp_path, """\
        generators: {one: {publishes: a, body: {$schema: order.json}}}
        consumers:
          c: {subscribes: a, publishes: {to: b, event: e, body: {a: $.user.name, b: $.usr, c: $.note}}}
          d: {subscribes: b}
        """, order=ORDER)
    assert [one.text("sketch.yaml") for one in loaded.warnings] == [
        "sketch.yaml:3:77: '$.usr' is in no event that 'c' hears: a missing path is null; did you mean '$.user'?"]


@pytest.mark.parametrize(("name", "schema", "said"), [
    ("nope.json", {}, "2:49: $schema leads to no file: there is no file 'nope.json'; a path begins in the sketch's folder, "
                      "unless with / or ~"),
    (".", {}, "$schema leads to no file"), ("order.json", "{", "'order.json' is no JSON: "),
    ("order.json", "[" * 100_000, "'order.json' is no JSON: "),
    ("order.json", " " * 1_000_001, "'order.json' is too large for a schema"),
    ("order.json", {"type": "strin"},
     "2:49: 'strin' is no type of JSON Schema: order.json: the body has it; did you mean string?"),
    ("order.json", {"$ref": "x.json"}, "$ref 'x.json' leads out of the file: order.json: eda reads no other one; put what"),
    ("https://json-schema.org/draft/2020-12/schema", {}, "$schema is an address: eda fetches nothing; save the schema"),
    ("[1]", {}, "$schema names no file"), ('""', {}, "$schema names no file"),
])
def test_what_is_wrong_is_told_where_the_file_is_named(tmp_path: Path, name: str, schema: Any, said: str) -> None:
    (only,) = errors(tmp_path, f"""\
        generators:
          one: {{publishes: a, event: e, body: {{$schema: {name}}}}}
        consumers: {{c: {{subscribes: a}}}}
        """, order=schema)
    assert said in only


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_one_may_not_read_is_told(tmp_path: Path) -> None:
    sketch = written(tmp_path, "generators: {one: {publishes: a, body: {$schema: order.json}}}\n", order=ORDER)
    (tmp_path / "order.json").chmod(0)
    with pytest.raises(SketchError, match=r"'order.json' cannot be read"):
        load(sketch, {})


def test_a_sketch_without_a_folder_reads_no_file() -> None:
    with pytest.raises(SketchError, match="a schema file cannot be read here"):
        load_text("generators: {one: {publishes: a, body: {$schema: order.json}}}", "sketch.yaml", {})


def test_what_is_not_looked_at_is_a_warning(tmp_path: Path) -> None:
    loaded = read(tmp_path, """\
        generators: {one: {publishes: a, body: {$schema: order.json}}}
        consumers: {c: {subscribes: a}}
        """, order={**ORDER, "not": {"const": 1}})
    assert [one.text("sketch.yaml") for one in loaded.warnings] == [
        "sketch.yaml:1:50: 'not' of order.json is not looked at: what is made may break it; say such fields in the sketch"]


def test_aliases_are_expanded_once(tmp_path: Path) -> None:
    levels = "\n".join(f"  l{n}: &l{n} [*l{n - 1}, *l{n - 1}]" for n in range(1, 6))
    events = f"events:\n  l0: &l0 {{$schema: order.json}}\n{levels}\n"
    loaded = read(tmp_path, events + "generators: {g: {publishes: a, event: l0}}\n", order=ORDER)
    assert loaded.resolved.events["l0"] == BODY
    assert loaded.resolved.events["l1"] == [BODY, BODY]
    assert loaded.resolved.events["l1"][0] is loaded.resolved.events["l1"][1]


def test_many_large_ones_are_refused(tmp_path: Path) -> None:
    large = {"properties": {f"p{n}": {"type": "null"} for n in range(4_000)}}
    many = "\n".join(f"  e{n}: {{$schema: order.json}}" for n in range(20))
    assert any("the schemas of the sketch are too large together" in line for line in errors(
        tmp_path, f"events:\n{many}\ngenerators: {{g: {{publishes: a, event: e1}}}}\n", order=large))


def test_text_that_is_literal_names_no_file(tmp_path: Path) -> None:
    loaded = read(tmp_path, "generators: {g: {publishes: a, body: {a: {$literal: {$schema: x}}}}}\n")
    assert loaded.resolved.generators["g"].body == {"a": {"$literal": {"$schema": "x"}}}
