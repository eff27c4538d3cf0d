"""From nodes to plain data by the core rules of YAML 1.2, with the place of everything. Knows no key.

Three deviations: a leading zero is text, a key is its source text, `<<` merges as in compose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eda_cli.errors import Problem
from eda_cli.sketch import environment, torn
from eda_cli.sketch.nodes import MAX_CHARACTERS, Node
from eda_cli.sketch.places import Places, Spot
from eda_cli.sketch.text import shorten

_WORDS: Mapping[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0o(?P<octal>[0-7]+)\Z|0x(?P<hex>[0-9a-fA-F]+)\Z")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_TAGS = {
    "!": "scalar", "tag:yaml.org,2002:str": "scalar",
    "tag:yaml.org,2002:map": "map", "tag:yaml.org,2002:seq": "list",
}
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1  # what JSON carries here


@dataclass(slots=True)
class Data:
    """What the file says: JSON-like data, the places of all of it, and what was wrong so far."""

    value: Any
    places: Places
    problems: list[Problem] = field(default_factory=list)


class Varied(str):
    """Quoted text with a variable: a number or a flag, too, where one is wanted (`{count: "${COUNT}"}`)."""

    __slots__ = ()


class NoNumber(ValueError):
    """A plain scalar that is meant as a number, and cannot be one in JSON."""


def core(text: str) -> Any:
    """What a plain scalar means by the core rules. Raises NoNumber."""
    if text in _WORDS:
        return _WORDS[text]
    if found := _WHOLE.match(text):
        if len(text) > 40:
            raise NoNumber
        number = int(text, 8 if found["octal"] else 16) if found["octal"] or found["hex"] else int(text)
        if not _LOWEST <= number <= _HIGHEST:
            raise NoNumber
        return number
    if _DECIMAL.match(text):
        decimal = float(text)
        if decimal in (float("inf"), float("-inf")):
            raise NoNumber
        return decimal
    if _NO_NUMBER.match(text):
        raise NoNumber
    return text


def construct(root: Node | None, text: str, environ: Mapping[str, str]) -> Data:
    """The data of a tree of nodes. Every problem is told, and what is wrong is marked so in the places."""
    if root is None:
        return Data(None, Places(Spot((1, 1))))
    builder = _Builder(text, environ)
    value, spot = builder.build(root)
    return Data(value, Places(spot, builder.hidden), builder.problems)


class _Builder:
    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self.text = text
        self.environ = environ
        self.problems: list[Problem] = []
        self.hidden: dict[str, str] = {}
        self.room = MAX_CHARACTERS  # for what the environment gives
        self.built: dict[int, tuple[Any, Spot]] = {}  # by node: an alias is built once and shared

    def tell(self, node: Node, what: str, why: str = "", hint: str = "") -> None:
        self.problems.append(Problem(node.line, node.column, what, why, hint))

    def build(self, node: Node) -> tuple[Any, Spot]:
        done = self.built.get(id(node))
        if done is None:
            self.problems += torn.mend(node, self.text)
            tagged = self.tag_is_wrong(node)
            make = {"map": self.of_map, "list": self.of_list, "scalar": self.of_scalar}[node.kind]
            done = make(node)
            done[1].wrong |= tagged or node.wrong
            self.built[id(node)] = done
        return done

    def tag_is_wrong(self, node: Node) -> bool:
        if node.tag is None or _TAGS.get(node.tag) == node.kind:
            return False
        shown = self.text[node.start:node.end].split(maxsplit=1)[0][:40]
        self.tell(node, f"'{shown}' is a YAML tag, and a sketch has none",
                  hint="leave it out, or quote it if it is text")
        return True

    def of_scalar(self, node: Node) -> tuple[Any, Spot]:
        spot = Spot((node.line, node.column), plain=node.plain)
        text = node.text
        if "${" in text:
            try:
                expanded = environment.expand(text, self.environ, self.room)
                self.room -= len(expanded.text)
            except environment.NoValue as error:
                self.tell(node, error.what, hint=error.hint)
                spot.written, spot.wrong = text, True
                return text, spot
            spot.written = text if expanded.varies else None
            spot.secret = text if expanded.taken else None
            self.hidden.update((value, f"${{{name}}}") for name, value in expanded.taken.items())
            if expanded.taken:
                self.hidden.setdefault(expanded.text, text)
            text = expanded.text
        if not node.plain or node.tag is not None or (spot.written and not text):
            return (Varied(text) if spot.written else text), spot
        try:
            return core(text), spot
        except NoNumber:
            shown = spot.secret or (text if len(text) <= 40 else text[:40] + "…")
            whole = _WHOLE.match(text) is not None
            why = "it needs more than 64 bits" if whole else "JSON has no such number"
            self.tell(node, f"'{shown}' is no number that an event can carry", why, "quote it if it is text")
            spot.wrong = True
            return 0, spot

    def of_list(self, node: Node) -> tuple[Any, Spot]:
        spot = Spot((node.line, node.column))
        values = []
        for index, item in enumerate(node.items):
            value, inside = self.build(item)
            spot.inside[index] = inside
            values.append(value)
        return values, spot

    def of_map(self, node: Node) -> tuple[Any, Spot]:
        spot = Spot((node.line, node.column))
        values: dict[str, Any] = {}
        merged: list[tuple[Any, Spot]] = []
        merge: Node | None = None
        for key, item in node.pairs:
            if key.wrong:
                continue  # a placeholder for what only lacks quotes, which is told
            if key.kind != "scalar":
                self.tell(key, f"a {key.kind} cannot be a key", hint="quote it if it is meant as text")
                continue
            value, inside = self.build(item)
            if key.plain and key.text == "<<":
                if merge is not None:
                    self.duplicate(key, merge.line)
                merge = key
                merged += self.merges(key, value, inside)
                continue
            if key.text in values:
                first = spot.inside[key.text].key
                self.duplicate(key, first[0] if first else node.line)
                continue
            values[key.text] = value
            spot.inside[key.text] = inside.under((key.line, key.column))
        for other, its in merged:
            for name, value in other.items():
                if name not in values:
                    values[name] = value
                    spot.inside[name] = its.inside[name]
        return values, spot

    def duplicate(self, key: Node, first: int) -> None:
        self.tell(key, f"the key '{shorten(key.text)}' stands here a second time",
                  f"the first one is in line {first}", "keep one of them")

    def merges(self, key: Node, value: Any, spot: Spot) -> list[tuple[Any, Spot]]:
        """The maps that `<<` names, the first one winning."""
        if isinstance(value, dict):
            return [(value, spot)]
        if isinstance(value, list) and all(isinstance(one, dict) for one in value):
            return [(one, spot.inside[index]) for index, one in enumerate(value)]
        self.tell(key, "'<<' merges a map, or a list of maps", hint="write <<: *anchor")
        return []
