"""A JSON Schema or an Avro schema becomes a raw value of the sketch's language, with what the sketch says on top.

Knows no file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from eda_cli.payloads.avro_schema import AvroSchema, is_avro
from eda_cli.payloads.believable import Raw, is_map
from eda_cli.payloads.fakers import MOST_OF_ONE_VALUE
from eda_cli.payloads.json_schema import JsonSchema
from eda_cli.payloads.problems import Refused, shown


class Expanded(NamedTuple):
    """The raw value, of how many parts of the schema it is made, and the keywords that were not looked at."""

    raw: Raw
    parts: int
    ignored: list[str]


def expand(document: Any, on_top: Mapping[str, Any], avro: bool = False) -> Expanded:
    """A value that the schema allows, of JSON data; `avro` where the file's name says so, else the document does.

    What stands in `on_top` is not asked of the schema: maps merge, anything else replaces. Raises Refused.
    """
    schema: AvroSchema | JsonSchema
    try:
        schema = AvroSchema(document) if avro or is_avro(document) else JsonSchema(document)
        raw = _spared(schema.made(on_top))
    except Refused:
        raise
    except RecursionError as wrong:
        raise Refused("the schema is nested too deeply", "", "say the body in the sketch") from wrong
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as wrong:  # a keyword of the wrong type, say
        raise Refused("the schema is not well formed", shown(wrong, 200), "mend the schema") from wrong
    return Expanded(lay(raw, on_top), schema.parts, sorted(schema.ignored) if isinstance(schema, JsonSchema) else [])


def _spared(raw: Raw) -> Raw:
    """The same with letters in place of words where there are too many words for one body."""
    written = json.dumps(raw)
    if written.count("faker.") <= MOST_OF_ONE_VALUE // 2:
        return raw
    return json.loads(written.replace('"faker.word()"', '"pattern([a-z]{3,10})"'))


def lay(base: Raw, top: Raw) -> Raw:
    """The base with what the sketch says on top of it. What may be missing may still be, where only some of it is said."""
    if not is_map(top):
        return top
    if isinstance(base, Mapping) and "$maybe" in base:
        return {**base, "$maybe": lay(base["$maybe"], top)}
    if isinstance(base, Mapping) and "$pick" in base and all(map(is_map, base["$pick"])):
        return {**base, "$pick": [lay(option, top) for option in base["$pick"]]} if len(top) else base
    if not is_map(base):
        return top if len(top) else base
    first = {"$vars": top["$vars"]} if "$vars" in top else {}  # as one would write it
    return {**first, **base, **{name: lay(base[name], value) if name in base else value for name, value in top.items()}}

