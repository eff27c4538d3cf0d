"""An Avro schema becomes a raw value of its shape: plain JSON, unions without the name of their branch. Knows no file.

Bytes and fixed are texts, decimals numbers; dates and times are the numbers that Avro makes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from eda_cli.payloads.believable import KEYS, Raw, called, is_map, literal, nullable, number, pick, say, sized, text_of
from eda_cli.payloads.patterns import LONGEST
from eda_cli.payloads.problems import Refused, did_you_mean, shown

MOST_PARTS = 5_000
_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_NAMED = ("record", "error", "enum", "fixed")
_LOGICAL: Mapping[str, Raw] = {
    "uuid": "uuid()", "date": "20089..20818",  # days of 2025 and 2026
    "time-millis": "0..86399999", "time-micros": "0..86399999999",
    "timestamp-millis": "1735689600000..1798761599999", "timestamp-micros": "1735689600000000..1798761599999999",
    "local-timestamp-millis": "1735689600000..1798761599999", "local-timestamp-micros": "1735689600000000..1798761599999999",
}


class _Endless(Refused):
    """A record stands inside of itself; a union with null, an array or a map ends it."""


def is_avro(document: Any) -> bool:
    """Whether it is an Avro schema by what it says: of a type that JSON Schema does not have."""
    return isinstance(document, list) or (isinstance(document, Mapping) and document.get("type") in ("record", "error", "fixed"))


class AvroSchema:
    """One document; `parts` counts what its value is made of."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._types: dict[str, tuple[Mapping[str, Any], str]] = {}
        self._inside: list[str] = []
        self.parts = 0
        self._collect(document, "")

    def made(self, over: Mapping[str, Any]) -> Raw:
        """The value. What the sketch says `over` it is not asked of the schema. Raises Refused."""
        return self._value(self._document, "", "", over)

    def _collect(self, schema: Any, space: str) -> None:
        """The named types, by their full names."""
        if isinstance(schema, list):
            for one in schema:
                self._collect(one, space)
        if not isinstance(schema, Mapping):
            return
        if schema.get("type") in _NAMED and isinstance(schema.get("name"), str):
            space = _space(schema, space)
            self._types[_full(schema["name"], space)] = (schema, space)
        for field in schema.get("fields", ()) if isinstance(schema.get("fields"), list) else ():
            self._collect(field.get("type") if isinstance(field, Mapping) else None, space)
        for key in ("items", "values", "type"):
            self._collect(schema.get(key), space)

    def _value(self, schema: Any, name: str, space: str, over: Mapping[str, Any] | None = None) -> Raw:
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Refused("the schema is too large", f"a body of more than {MOST_PARTS:,} parts would be made of it",
                          "take a smaller one, or say the body in the sketch")
        if isinstance(schema, list):
            return self._union(schema, name, space, over)
        if isinstance(schema, str):
            schema, space = self._named(schema, space)
        if not isinstance(schema, Mapping) or "type" not in schema:
            raise Refused(f"'{shown(schema)}' is no Avro schema", f"{called(name)} has it", "mend the schema")
        kind = schema["type"]
        if not isinstance(kind, str):
            return self._value(kind, name, space, over)
        if kind in _PRIMITIVES:
            return _primitive(schema, kind, name)
        if kind in ("record", "error"):
            return self._record(schema, _space(schema, space), over or {})
        single = name[:-1] if name.endswith("s") else name
        if kind == "enum":
            if not schema.get("symbols"):
                raise Refused(f"the enum of {called(name)} has no symbols", "", "mend the schema")
            return pick([literal(one) for one in schema["symbols"]])
        if kind == "fixed":
            return _decimal(schema, name) if schema.get("logicalType") == "decimal" else _fixed(schema, name)
        if kind in ("array", "map"):
            try:
                of = self._value(schema.get("items" if kind == "array" else "values"), single, space)
            except _Endless:
                return [] if kind == "array" else {"$literal": {}}
            return {"$list": of, "size": "1..4"} if kind == "array" else dict.fromkeys(KEYS[:2], of)
        found, its_space = self._named(kind, space)
        return self._value(found, name, its_space, over)

    def _named(self, name: str, space: str) -> tuple[Mapping[str, Any], str]:
        """What a type's name stands for. Raises Refused for one that nobody defines."""
        if name in _PRIMITIVES:
            return {"type": name}, space
        for full in (_full(name, space), name):
            if full in self._types:
                return self._types[full]
        raise Refused(f"'{shown(name)}' is no type of Avro", "the schema does not define it either",
                      did_you_mean(name, (*_PRIMITIVES, "record", "enum", "array", "map", "fixed", *self._types)) or
                      "define it in this file: eda reads no other one")

    def _record(self, schema: Mapping[str, Any], space: str, over: Mapping[str, Any]) -> Raw:
        full = _full(str(schema.get("name", "")), space)
        if full in self._inside:
            raise _Endless(f"the record '{shown(full)}' would never end", "it stands inside of itself", "mend the schema")
        self._inside.append(full)
        try:
            made: dict[str, Raw] = {}
            for field in schema.get("fields", ()):
                name = str(field.get("name", ""))
                said = name in over and not is_map(over[name])
                made[name] = None if said else self._field(field, name, space, over.get(name))
            return made
        finally:
            self._inside.pop()

    def _field(self, field: Mapping[str, Any], name: str, space: str, over: Mapping[str, Any] | None) -> Raw:
        """A text that nothing tells more of is what the schema gives to those who say none."""
        if field.get("type") == "string" and text_of(name) is None and isinstance(field.get("default"), str) and field["default"]:
            return literal(field["default"])
        return self._value(field.get("type"), name, space, over)

    def _union(self, branches: list[Any], name: str, space: str, over: Mapping[str, Any] | None) -> Raw:
        if not branches:
            raise Refused(f"the union of {called(name)} is empty", "", "mend the schema")
        options: list[Raw] = []
        endless: _Endless | None = None
        for branch in branches:
            try:
                if branch != "null":
                    options.append(self._value(branch, name, space, over))
            except _Endless as wrong:
                endless = wrong
        if not options and endless and "null" not in branches:
            raise endless
        made = pick(options) if options else None
        return nullable(made) if "null" in branches else made


def _primitive(schema: Mapping[str, Any], kind: str, name: str) -> Raw:
    logical = schema.get("logicalType")
    if logical == "decimal" and kind == "bytes":
        return _decimal(schema, name)
    if logical in _LOGICAL:
        return _LOGICAL[str(logical)]
    if kind == "null":
        return None
    if kind == "boolean":
        return "chance(50%)"
    if kind in ("int", "long"):
        return number(name, True, None, None)
    if kind in ("float", "double"):
        return number(name, False, None, None)
    return sized(text_of(name), 0, None) if kind == "string" else "pattern([a-z]{8})"


def _fixed(schema: Mapping[str, Any], name: str) -> Raw:
    size = schema.get("size", 1)
    if type(size) is not int or not 0 <= size <= LONGEST:
        raise Refused(f"{called(name)} is a fixed of {shown(size)} bytes", f"0 to {LONGEST:,} are made", say(name))
    return sized(None, size, size)


def _decimal(schema: Mapping[str, Any], name: str) -> Raw:
    """A number of at most `precision` digits, `scale` of them behind the point."""
    scale, precision = int(schema.get("scale", 0)), int(schema.get("precision", 9))
    most = Decimal(10) ** max(0, precision - scale) - Decimal(1).scaleb(-scale)
    return number(name, scale == 0, None, None if most >= 1_000 else most, scale)


def _space(schema: Mapping[str, Any], space: str) -> str:
    """The namespace inside of a named type."""
    name = str(schema.get("name", ""))
    return name.rpartition(".")[0] if "." in name else str(schema.get("namespace", space) or "")


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"
