"""Bodies from Avro schemas: what is made has the shape of the schema."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from eda_cli.payloads.problems import Refused
from eda_cli.payloads.schemas import expand
from tests.payloads.test_json_schemas import bodies

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "invoice.avsc").read_text())


def test_what_is_made_has_the_shape() -> None:
    for body in bodies(SCHEMA, times=200):
        body["total"] = Decimal(str(body["total"]))  # of JSON's types, where a library wants those of Python
        body["hash"], body["raw"] = body["hash"].encode(), body["raw"].encode()
        assert fastavro.validate(body, fastavro.parse_schema(SCHEMA))
        assert len(body["hash"]) == 16
        assert body["channel"] == "web"


def test_what_may_be_null_sometimes_is_and_recursion_ends() -> None:
    made = bodies(SCHEMA, times=300)
    assert 10 < sum(body["was"] is None for body in made) < 60
    assert {type(body["payer"]) for body in made} == {dict, str}
    assert all(line["parts"] == [] and line["next"] is None for body in made for line in body["lines"])


def test_what_the_sketch_says_lies_on_top() -> None:
    made = bodies(SCHEMA, {"customer": {"name": "ann"}, "number": "seq(5)", "more": True}, times=3)
    assert [(body["customer"]["name"], body["number"], body["more"]) for body in made] == [("ann", n, True) for n in (5, 6, 7)]


@pytest.mark.parametrize(("schema", "said"), [
    ({"type": "record", "name": "A", "fields": [{"name": "a", "type": "strng"}]},
     "'strng' is no type of Avro: the schema does not define it either; did you mean string?"),
    ({"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]}, "the record 'A' would never end"),
    ({"type": "record", "name": "A", "fields": [{"name": "a"}]}, "'None' is no Avro schema"),
    ([{"type": "fixed"}, 1], "'1' is no Avro schema"),
    ({"type": "fixed", "name": "F", "size": -1},
     "the body is a fixed of -1 bytes: 0 to 1,000 are made; say the body in the sketch"),
    ({"type": "fixed", "name": "F", "size": 10**9}, "the body is a fixed of 1000000000 bytes"),
    ({"type": "record", "name": "A", "fields": [{"name": "a", "type": {"type": "enum", "name": "E", "symbols": []}}]},
     "the enum of 'a' has no symbols; mend the schema"),
    ({"type": "record", "name": "A", "fields": [{"name": "a", "type": []}]}, "the union of 'a' is empty; mend the schema"),
])
def test_what_cannot_be_made_is_said(schema: Any, said: str) -> None:
    with pytest.raises(Refused) as caught:
        expand(schema, {})
    assert said in caught.value.at(()).text()


def test_a_schema_of_a_file_for_avro_need_not_look_like_one() -> None:
    assert expand({"type": "enum", "name": "E", "symbols": ["A", "B"]}, {}, avro=True).raw == {"$pick": ["A", "B"]}
    assert expand("string", {}, avro=True).raw == "faker.word()"
