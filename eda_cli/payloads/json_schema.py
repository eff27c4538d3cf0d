"""A JSON Schema (draft 4 to 2020-12) becomes a raw value that it allows. Knows no file, and no Avro.

Optional properties are absent in a share of the events, what may be null is null in one; recursion is cut where the schema
allows it. Over 250 lines because each keyword needs a few, and all of them look at the same schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from eda_cli.payloads.believable import KEYS, Raw, called, is_map, literal, nullable, optional, pick, say
from eda_cli.payloads.json_leaves import distinct, in_order, json_number, json_string, size_of
from eda_cli.payloads.json_parts import allows, found, merged_schema
from eda_cli.payloads.long_forms import LONGEST_LIST
from eda_cli.payloads.problems import Refused, did_you_mean, shown

MOST_PARTS = 5_000  # subschemas that one value is made of
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_IGNORED = frozenset({"not", "if", "dependentSchemas", "contains", "unevaluatedProperties", "propertyNames",
                      "$dynamicRef", "$recursiveRef"})
_TYPICAL = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "minProperties", "maxProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}


class Endless(Refused):
    """The schema goes round in a circle; whoever may leave the value out does."""


class JsonSchema:
    """One document; `parts` counts what its value is made of, `ignored` holds the keywords that were not looked at."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._inside: list[str] = []  # the references that the part at hand stands in
        self.parts = 0
        self.ignored: set[str] = set()

    def made(self, over: Mapping[str, Any]) -> Raw:
        """The value. What the sketch says `over` it is not asked of the schema. Raises Refused."""
        return self._value(self._document, "", over)

    def _value(self, schema: Any, name: str, over: Mapping[str, Any] | None = None) -> Raw:
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Refused("the schema is too large", f"a body of more than {MOST_PARTS:,} parts would be made of it",
                          "take a smaller one, or say the body in the sketch")
        flat, entered = self._flat(schema, name, ())
        with self._within(entered):
            return self._made(flat, name, over or {})

    def _flat(self, schema: Any, name: str, chain: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
        """The schema with all of its `$ref` and `allOf` merged in, and the references that were followed."""
        if isinstance(schema, bool):
            if not schema:
                raise Refused(f"the schema allows no value for {called(name)}", "it says false", "mend the schema")
            return {}, []
        if not isinstance(schema, Mapping):
            raise Refused(f"'{shown(schema)}' is no JSON Schema", "it is a map, or true", "mend the schema")
        flat = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        self.ignored |= _IGNORED & flat.keys()
        entered: list[str] = []
        if "$ref" in schema:
            pointer = str(schema["$ref"])
            if pointer in self._inside or pointer in chain:
                raise Endless(f"{called(name)} would never end", f"{shown(pointer)} stands inside of itself, and must be there",
                              say(name))
            chain = (*chain, pointer)
            target, entered = self._flat(found(self._document, pointer), name, chain)
            entered = [pointer, *entered]
            flat = merged_schema(target, flat)
        for part in schema.get("allOf", ()):
            more, its = self._flat(part, name, chain)
            flat, entered = merged_schema(flat, more), entered + its
        return flat, entered

    @contextmanager
    def _within(self, entered: Sequence[str]) -> Iterator[None]:
        self._inside += entered
        try:
            yield
        finally:
            del self._inside[len(self._inside) - len(entered):]

    def _made(self, schema: dict[str, Any], name: str, over: Mapping[str, Any]) -> Raw:
        if "const" in schema:
            return literal(schema["const"])
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                return self._choice(schema, key, name, over)
        if "enum" in schema:
            fitting = [literal(value) for value in schema["enum"] if allows(schema, value)]
            if not fitting:
                raise Refused(f"the schema allows no value for {called(name)}", "none of its enum fits what else it says",
                              "mend the schema")
            return pick(fitting)
        types = schema.get("type", next((_TYPICAL[key] for key in schema if key in _TYPICAL), "string"))
        types = [types] if isinstance(types, str) else list(types)
        if not types:
            raise Refused(f"the schema allows no value for {called(name)}", "there is no type that it may have",
                          "mend the schema")
        for one in types:
            if one not in _TYPES:
                raise Refused(f"'{shown(one)}' is no type of JSON Schema", f"{called(name)} has it",
                              did_you_mean(str(one), _TYPES) or f"known are {', '.join(_TYPES)}")
        return self._options([lambda one=one: self._typed(one, schema, name, over)  # type: ignore[misc]
                              for one in types if one != "null" and (one != "integer" or "number" not in types)],
                             "null" in types or schema.get("nullable") is True)

    def _options(self, makers: Sequence[Callable[[], Raw]], is_nullable: bool) -> Raw:
        """One of these, or null; without those that go round in a circle or that nothing fits."""
        options: list[Raw] = []
        wrong: Refused | None = None
        for make in makers:
            try:
                options.append(make())
            except Refused as refused:
                wrong = refused if wrong is None or isinstance(wrong, Endless) else wrong
        if wrong and not options and not (is_nullable and isinstance(wrong, Endless)):
            raise wrong
        made = pick(options) if options else None
        return nullable(made) if is_nullable else made

    def _choice(self, schema: dict[str, Any], key: str, name: str, over: Mapping[str, Any]) -> Raw:
        """`oneOf`, `anyOf`: each option with what stands beside it. Of `oneOf` only one fits: what others need is left out."""
        beside = {other: value for other, value in schema.items() if other != key}
        flats = []
        wrong: Refused | None = None
        for option in schema[key]:
            try:
                flats.append(self._flat(option, name, ()))
            except Refused as refused:
                wrong = refused
        if wrong and not flats:
            raise wrong
        needed: list[set[str]] = [set(flat.get("required", ())) for flat, _ in flats]
        makers = []
        for at, (flat, entered) in enumerate(flats):
            if flat.get("type") == "null":
                continue
            merged = merged_schema(beside, flat)
            others = {field for place, fields in enumerate(needed) for field in fields if place != at and key == "oneOf"}
            merged["properties"] = {field: value for field, value in merged.get("properties", {}).items()
                                    if field not in others or field in merged.get("required", ())}
            if not merged["properties"] and "properties" not in {**beside, **flat}:
                del merged["properties"]

            def make(merged: dict[str, Any] = merged, entered: list[str] = entered) -> Raw:
                with self._within(entered):
                    return self._made(merged, name, over)

            makers.append(make)
        return self._options(makers, len(makers) < len(flats))

    def _typed(self, kind: str, schema: dict[str, Any], name: str, over: Mapping[str, Any]) -> Raw:
        if kind == "object":
            return self._object(schema, name, over)
        if kind == "array":
            return self._array(schema, name)
        if kind in ("number", "integer"):
            return json_number(schema, name, kind == "integer")
        return "chance(50%)" if kind == "boolean" else json_string(schema, name)

    def _object(self, schema: dict[str, Any], name: str, over: Mapping[str, Any]) -> Raw:
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
        required = list(dict.fromkeys(schema.get("required", ()) if isinstance(schema.get("required"), list) else ()))
        required += [field for fields in {**schema.get("dependencies", {}), **schema.get("dependentRequired", {})}.values()
                     if isinstance(fields, list) for field in fields if field not in required]
        made: dict[str, Raw] = {}
        for field in dict.fromkeys((*properties, *required)):
            if field.startswith("$") and field not in required:
                continue
            if field.startswith("$"):
                raise Refused(f"the schema has a property '{shown(field)}'", "in a sketch such a name is a form of eda's",
                              "say the body in the sketch, as {$literal: …}")
            made |= self._property(field, properties.get(field, rest), field in required, over)
        fewest, most = int(schema.get("minProperties", 0)), schema.get("maxProperties")
        for field in [field for field in made if field not in required][:max(0, fewest - len(required))]:
            made[field] = {key: value for key, value in made[field].items() if key != "absent"}
            made[field] = made[field]["$maybe"] if len(made[field]) == 1 else made[field]
        if rest is not False and (len(made) < fewest or (not made and isinstance(rest, Mapping) and rest)):
            for key in KEYS[:max(2, fewest) - len(made)]:
                made[key] = self._value(rest, key)
        if len(made) < fewest:
            raise Refused(f"{called(name)} wants {fewest} properties", "the schema names fewer of them",
                          "say them in the sketch")
        while most is not None and len(made) > most and made.keys() - set(required):
            del made[[field for field in made if field not in required][-1]]
        return made

    def _property(self, field: str, schema: Any, is_required: bool, over: Mapping[str, Any]) -> dict[str, Raw]:
        """The property, if there is one to be."""
        if field in over and not is_map(over[field]):
            return {field: None}  # the sketch says it
        if schema is False and not is_required:
            return {}
        try:
            value = self._value(schema, field, over.get(field))
        except Endless:
            if is_required:
                raise
            return {}
        return {field: value if is_required or field in over else optional(value)}

    def _array(self, schema: dict[str, Any], name: str) -> Raw:
        items, first = schema.get("items", {}), schema.get("prefixItems", [])
        if isinstance(items, list):  # up to draft 2019-09
            items, first = schema.get("additionalItems", {}), items
        fewest, most = in_order(schema, "minItems", "maxItems", name)
        if fewest > LONGEST_LIST:
            raise Refused(f"{called(name)} has {fewest:,} items at least", f"at most {LONGEST_LIST:,} are made", say(name))
        single = name[:-1] if name.endswith("s") else name
        head = [self._value(one, single) for one in first[:most]]
        if first or items is False:
            return head + [self._value(items, single) for _ in range(max(0, fewest - len(head)))]
        low = max(fewest, 1 if most is None or most >= 1 else 0)
        high = max(low, min(low + 3, LONGEST_LIST if most is None else most))
        if not high:
            return []
        try:
            item = self._value(items, single)
        except Endless:
            if fewest:
                raise
            return []
        return distinct(item, fewest, low, high) if schema.get("uniqueItems") else {"$list": item, "size": size_of(low, high)}
