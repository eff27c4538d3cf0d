"""Numbers, texts and lists without an item twice, as the keywords of a JSON Schema bound them. Knows no other schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from eda_cli.payloads.believable import (
    DATE,
    EMAIL,
    HOST,
    NOW,
    URL,
    UUID,
    Raw,
    Text,
    called,
    is_map,
    literal,
    multiple,
    number,
    pick,
    say,
    sized,
    text_of,
)
from eda_cli.payloads.compile import compile_value
from eda_cli.payloads.patterns import LONGEST
from eda_cli.payloads.problems import InvalidValue, Refused

_MOST_DISTINCT = 1_000  # items of a list that are all different
_FORMATS: Mapping[str, Text] = {
    "date-time": NOW, "date": DATE, "time": ("pattern(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)", 9, 9), "uuid": UUID,
    **dict.fromkeys(("email", "idn-email"), EMAIL), **dict.fromkeys(("hostname", "idn-hostname"), HOST),
    **dict.fromkeys(("uri", "uri-reference", "iri", "iri-reference", "url"), URL), "ipv4": ("faker.ipv4()", 7, 15),
    "ipv6": ("faker.ipv6()", 15, 39), "duration": ("pattern(PT([1-9]|[1-5][0-9])M)", 4, 5),
}
_SHORTER: Mapping[str, Text] = {  # where there is less room
    "date-time": ("2025-01-01T00:00:00Z..2026-12-31T23:59:59Z", 20, 20), "email": ("pattern([a-z]{2,4}@[a-z]{2,4}\\.com)", 9, 13),
}
_ONE_CLASS = re.compile(r"\^?(\[(?:[^\[\]\\]|\\.)+\]|\\[dws])[+*]\$?\Z")
_GROUP_NAME = re.compile(r"\(\?<(?![=!])")


def size_of(low: int, high: int) -> Raw:
    """The size of a $list."""
    return low if low == high else f"{low}..{high}"


def in_order(schema: Mapping[str, Any], least: str, most: str, name: str) -> tuple[int, int | None]:
    """Both bounds of a size; None where nothing is the most. Raises Refused where nothing lies between them."""
    low, high = int(schema.get(least, 0)), schema.get(most)
    if high is not None and low > high:
        raise Refused(f"the schema allows no value for {called(name)}", f"{least} is {low}, and {most} {high}", "mend the schema")
    return low, None if high is None else int(high)


def distinct(item: Raw, fewest: int, low: int, high: int) -> Raw:
    """A list without an item twice: of options, of parts of a range, of ids, else of one item. Raises Refused."""
    if isinstance(item, Mapping) and "$pick" in item and not any(map(is_map, item["$pick"])):
        options = item["$pick"]
        if fewest > len(options):
            raise Refused(f"{fewest} items that are all different cannot be made", f"there are {len(options)} to choose from",
                          "mend the schema")
        high = min(high, len(options))
        return pick([[*options, *options][at:at + size] for size in range(max(fewest, min(low, high)), high + 1)
                     for at in range(min(len(options), 50))])
    if low > _MOST_DISTINCT:
        raise Refused(f"{low:,} items that are all different are too many", "the schema asks for uniqueItems",
                      "say them in the sketch")
    bounds = re.fullmatch(r"(-?[0-9]+)\.\.(-?[0-9]+)", item) if isinstance(item, str) else None
    if bounds and (width := (int(bounds[2]) - int(bounds[1]) + 1) // max(low, 1)) >= 1:
        starts = range(int(bounds[1]), int(bounds[1]) + width * low, width)
        return [f"{start}..{start + width - 1}" if width > 1 else start for start in starts]
    if item == "uuid()" or low <= 1:
        return {"$list": item, "size": size_of(low, high if item == "uuid()" else low)}
    raise Refused(f"{low} items that are all different cannot be made", "the schema asks for uniqueItems",
                  "say them in the sketch")


def json_number(schema: dict[str, Any], name: str, whole: bool) -> Raw:
    """A number of its bounds and steps. Raises Refused where there is none."""
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


def json_string(schema: dict[str, Any], name: str) -> Raw:
    """A text: of its format, else its pattern, else its examples, else its name, else its default. Raises Refused."""
    low, high = in_order(schema, "minLength", "maxLength", name)
    if low > LONGEST:
        raise Refused(f"{called(name)} is {low:,} characters long at least", f"at most {LONGEST:,} are made", say(name))
    form = str(schema.get("format"))
    if known := _FORMATS.get(form):
        return sized(_SHORTER.get(form, known) if high is not None and high < known[2] else known, low, high)
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
        raise Refused(f"the pattern of {called(name)} cannot be made", wrong.problems[0].text(),
                      say(name, "pattern(…)")) from wrong
    return text
