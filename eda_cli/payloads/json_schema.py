"""A JSON Schema (draft 4 to 2020-12) becomes a raw value that it allows. Knows no file, and no Avro.

Optional properties are absent in a share of the events, what may be null is null in one; recursion is cut where the schema
allows it. Over 250 lines because each keyword needs a few, and all of them look at the same schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from eda_cli.payloads.believable import (
    DATE,
    EMAIL,
    HOST,
    KEYS,
    NOW,
    URL,
    UUID,
    Raw,
    Text,
    is_map,
    literal,
    multiple,
    nullable,
    number,
    optional,
    pick,
    sized,
    text_of,
)
from eda_cli.payloads.compile import compile_value
from eda_cli.payloads.problems import InvalidValue, Refused, did_you_mean, shown

MOST_PARTS = 5_000  # subschemas that one value is made of
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_IGNORED = frozenset({"not", "if", "dependentSchemas", "contains", "unevaluatedProperties", "propertyNames"})
_TYPICAL = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "minProperties", "maxProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
_FORMATS: Mapping[str, Text] = {
    "date-time": NOW, "date": DATE, "time": ("pattern(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)", 9, 9), "uuid": UUID,
    **dict.fromkeys(("email", "idn-email"), EMAIL), **dict.fromkeys(("hostname", "idn-hostname"), HOST),
    **dict.fromkeys(("uri", "uri-reference", "iri", "iri-reference", "url"), URL), "ipv4": ("faker.ipv4()", 7, 15),
    "ipv6": ("faker.ipv6()", 15, 39), "duration": ("pattern(PT([1-9]|[1-5][0-9])M)", 4, 5),
}
_ONE_CLASS = re.compile(r"\^?(\[(?:[^\[\]\\]|\\.)+\]|\\[dws])[+*]\$?\Z")
_GROUP_NAME = re.compile(r"\(\?<(?![=!])")


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
                raise Refused(f"the schema allows no value for '{shown(name)}'", "it says false", "mend the schema")
            return {}, []
        if not isinstance(schema, Mapping):
            raise Refused(f"'{shown(schema)}' is no JSON Schema", "it is a map, or true", "mend the schema")
        flat = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        self.ignored |= _IGNORED & flat.keys()
        entered: list[str] = []
        if "$ref" in schema:
            pointer = str(schema["$ref"])
            if pointer in self._inside or pointer in chain:
                raise Endless(f"'{shown(name)}' would never end", f"{shown(pointer)} stands inside of itself, and must be there",
                              f"say it in the sketch: {shown(name)}: …")
            chain = (*chain, pointer)
            target, entered = self._flat(self._found(pointer), name, chain)
            entered = [pointer, *entered]
            flat = _merged(target, flat)
        for part in schema.get("allOf", ()):
            more, its = self._flat(part, name, chain)
            flat, entered = _merged(flat, more), entered + its
        return flat, entered

    @contextmanager
    def _within(self, entered: Sequence[str]) -> Any:
        self._inside += entered
        try:
            yield
        finally:
            del self._inside[len(self._inside) - len(entered):]

    def _found(self, pointer: str) -> Any:
        """What a reference leads to. Raises Refused for one that leads out of the document, or nowhere."""
        own = str(self._document.get("$id", self._document.get("id", ""))) if isinstance(self._document, Mapping) else ""
        base, _, fragment = pointer.partition("#")
        here: Any = self._document
        if base and base != own and base != own.rpartition("/")[2]:
            raise Refused(f"$ref '{shown(pointer)}' leads out of the file", "eda reads no other one",
                          "put what it leads to under $defs, and write #/$defs/NAME")
        if fragment and not fragment.startswith("/"):
            here = _anchored(self._document, fragment)
        for step in fragment.split("/")[1:] if fragment.startswith("/") else ():
            step = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(here, list) and step.isdigit() and int(step) < len(here):
                here = here[int(step)]
            else:
                here = here.get(step) if isinstance(here, Mapping) else None
        if here is None:
            raise Refused(f"$ref '{shown(pointer)}' leads nowhere", "", "mend the schema")
        return here

    def _made(self, schema: dict[str, Any], name: str, over: Mapping[str, Any]) -> Raw:
        if "const" in schema:
            return literal(schema["const"])
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                return self._choice(schema, key, name, over)
        if "enum" in schema:
            return pick([literal(value) for value in schema["enum"]])
        types = schema.get("type", next((_TYPICAL[key] for key in schema if key in _TYPICAL), "string"))
        types = [types] if isinstance(types, str) else list(types)
        for one in types:
            if one not in _TYPES:
                raise Refused(f"'{shown(one)}' is no type of JSON Schema", f"'{shown(name)}' has it",
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
            merged = _merged(beside, flat)
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
            return _number(schema, name, kind == "integer")
        return "chance(50%)" if kind == "boolean" else _string(schema, name)

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
            raise Refused(f"'{shown(name)}' wants {fewest} properties", "the schema names fewer of them",
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
        fewest, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        single = name[:-1] if name.endswith("s") else name
        head = [self._value(one, single) for one in first[:most]]
        if first or items is False:
            return head + [self._value(items, single) for _ in range(max(0, fewest - len(head)))]
        low = max(fewest, 1 if most is None or most >= 1 else 0)
        high = max(low, low + 3 if most is None else min(int(most), low + 3))
        if not high:
            return []
        try:
            item = self._value(items, single)
        except Endless:
            if fewest:
                raise
            return []
        return _distinct(item, fewest, low, high) if schema.get("uniqueItems") else {"$list": item, "size": _size(low, high)}


def _size(low: int, high: int) -> Raw:
    return low if low == high else f"{low}..{high}"


def _distinct(item: Raw, fewest: int, low: int, high: int) -> Raw:
    """A list without an item twice: of options, of parts of a range, of ids, else of one item. Raises Refused."""
    if isinstance(item, Mapping) and "$pick" in item and not any(map(is_map, item["$pick"])):
        options = item["$pick"]
        high = min(high, len(options))
        return pick([[*options, *options][at:at + size] for size in range(max(fewest, min(low, high)), high + 1)
                     for at in range(min(len(options), 50))])
    bounds = re.fullmatch(r"(-?[0-9]+)\.\.(-?[0-9]+)", item) if isinstance(item, str) else None
    if bounds and (width := (int(bounds[2]) - int(bounds[1]) + 1) // max(low, 1)) >= 1:
        starts = range(int(bounds[1]), int(bounds[1]) + width * low, width)
        return [f"{start}..{start + width - 1}" if width > 1 else start for start in starts]
    if item in ("uuid()",) or low <= 1:
        return {"$list": item, "size": _size(low, high if item == "uuid()" else low)}
    raise Refused(f"{low} items that are all different cannot be made", "the schema asks for uniqueItems",
                  "say them in the sketch")


def _number(schema: dict[str, Any], name: str, whole: bool) -> Raw:
    low, high = (Decimal(str(schema[key])) if isinstance(schema.get(key), int | float) else None
                 for key in ("minimum", "maximum"))
    ends = []
    for key, bound, tighter in (("exclusiveMinimum", low, max), ("exclusiveMaximum", high, min)):
        open_end = schema.get(key)
        if isinstance(open_end, int | float) and not isinstance(open_end, bool):  # in draft 4 it says so of minimum
            end = Decimal(str(open_end))
            bound, open_end = (end, True) if bound is None or tighter(bound, end) == end else (bound, False)
        ends.append((bound, bool(open_end)))
    (low, low_open), (high, high_open) = ends
    step = schema.get("multipleOf")
    if isinstance(step, int | float) and step > 0 and not (whole and step == 1):
        return multiple(name, Decimal(str(step)), whole, low, high, (low_open, high_open))
    return number(name, whole, low, high, None, (low_open, high_open))


def _string(schema: dict[str, Any], name: str) -> Raw:
    low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
    if known := _FORMATS.get(str(schema.get("format"))):
        return sized(known, low, high)
    if "pattern" in schema:
        return _pattern(str(schema["pattern"]), name, low, high)
    if examples := [one for one in schema.get("examples", ()) if isinstance(one, str)]:
        return pick([literal(one) for one in examples])
    meant = text_of(name)
    if meant is None and isinstance(schema.get("default"), str):
        return literal(schema["default"])
    return sized(meant, low, high)


def _pattern(regex: str, name: str, low: int, high: int | None) -> Raw:
    if low or high is not None:
        most = low + 10 if high is None else min(high, low + 10)
        regex = _ONE_CLASS.sub(lambda found: f"{found[1]}{{{low},{most}}}", regex)
    text = f"pattern({_GROUP_NAME.sub('(?P<', regex)})"
    try:
        compile_value(text, "rule")
    except InvalidValue as wrong:
        raise Refused(f"the pattern of '{shown(name)}' cannot be made", wrong.problems[0].text(),
                      f"say it in the sketch: {shown(name)}: pattern(…)") from wrong
    return text


def _anchored(document: Any, anchor: str) -> Any:
    """The subschema of this `$anchor` (or `$id: "#…"`, as before 2019)."""
    waiting = [document]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            if here.get("$anchor") == anchor or f"#{anchor}" in (here.get("$id"), here.get("id")):
                return here
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here
    return None


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that allows what both allow, as far as that can be said."""
    merged = {**one, **other}
    for key in one.keys() & other.keys():
        mine, theirs = one[key], other[key]
        if key == "properties":
            merged[key] = {**mine, **{name: {"allOf": [mine[name], schema]} if name in mine else schema
                                      for name, schema in theirs.items()}}
        elif key == "required" and isinstance(mine, list) and isinstance(theirs, list):
            merged[key] = list(dict.fromkeys((*mine, *theirs)))
        elif key == "enum":
            merged[key] = [value for value in mine if value in theirs] or theirs
        elif key in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
            merged[key] = max(mine, theirs)
        elif key in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
            merged[key] = min(mine, theirs)
        elif key == "type":
            mine, theirs = ([one] if isinstance(one, str) else list(one) for one in (mine, theirs))
            merged[key] = [kind for kind in mine if kind in theirs or (kind == "integer" and "number" in theirs)] or theirs
        elif key == "items" and isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            merged[key] = {"allOf": [mine, theirs]}
    return merged
