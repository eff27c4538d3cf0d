"""Parts of a JSON Schema put together: what a `$ref` leads to, what two schemas allow that both hold. Knows no values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from eda_cli.payloads.problems import Refused, shown

_OF: Mapping[Any, Any] = {"object": Mapping, "array": list, "string": str, "number": (int, float)}


def found(document: Any, pointer: str) -> Any:
    """What a reference leads to. Raises Refused for one that leads out of the document, or nowhere."""
    own = str(document.get("$id", document.get("id", ""))) if isinstance(document, Mapping) else ""
    base, _, fragment = pointer.partition("#")
    here: Any = document
    if base and base != own and base != own.rpartition("/")[2]:
        raise Refused(f"$ref '{shown(pointer)}' leads out of the file", "eda reads no other one",
                      "put what it leads to under $defs, and write #/$defs/NAME")
    if fragment and not fragment.startswith("/"):
        here = _anchored(document, fragment)
    for step in fragment.split("/")[1:] if fragment.startswith("/") else ():
        step = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            here = here.get(step) if isinstance(here, Mapping) else None
    if here is None:
        raise Refused(f"$ref '{shown(pointer)}' leads nowhere", "", "mend the schema")
    return here


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


def allows(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value is of the type, the bounds and the lengths that stand beside an `enum`."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is_of(kind, value) for kind in kinds):
        return value is None and schema.get("nullable") is True
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")  # in draft 4 they say so of the others
    if (low is True and value == schema.get("minimum")) or (high is True and value == schema.get("maximum")):
        return False
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value)
                and (low is None or isinstance(low, bool) or value > low)
                and (high is None or isinstance(high, bool) or value < high))


def _is_of(kind: Any, value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return bool(kind == ("null" if value is None else "boolean"))
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _OF.get(kind, ()))


def merged_schema(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
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
            merged[key] = [value for value in mine if value in theirs]
        elif key in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
            merged[key] = max(mine, theirs)
        elif key in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
            merged[key] = min(mine, theirs)
        elif key == "type":
            mine, theirs = ([one] if isinstance(one, str) else list(one) for one in (mine, theirs))
            merged[key] = [kind for kind in mine if kind in theirs or (kind == "integer" and "number" in theirs)]
            merged[key] += [kind for kind in theirs if kind == "integer" and "number" in mine and kind not in merged[key]]
        elif key == "items" and isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            merged[key] = {"allOf": [mine, theirs]}
    return merged
