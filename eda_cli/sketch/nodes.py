"""From text to a tree of nodes, each with its place. Knows YAML's syntax, and no meaning of any scalar.

Composed from parser events without recursion: PyYAML's own composers recurse, the C one until it crashes.
Aliases share their node; what they would expand to is counted, never built.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import yaml

from eda_cli.errors import Problem
from eda_cli.sketch.text import shorten

MAX_LEVELS = 100
TOO_DEEP = (f"the sketch is nested more than {MAX_LEVELS} levels deep", "", "make it flatter")  # what, why, hint
MAX_VALUES = 10_000  # with the templates among them, a second of work
MAX_CHARACTERS = 2_000_000  # of all scalars, with every alias expanded
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """The text is no YAML that a sketch may be."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


@dataclass(slots=True, eq=False)
class Node:
    """`pairs` of a map, `items` of a list, `text` of a scalar. `start` and `end` are indexes into the file."""

    kind: str  # "map", "list" or "scalar"
    line: int
    column: int
    start: int
    end: int
    tag: str | None = None
    text: str = ""
    plain: bool = False  # a scalar without quotes
    flow: bool = False  # a map or list in brackets
    wrong: bool = False  # a problem with it is told already
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    values: int = 1  # how many nodes this one expands to
    characters: int = 0
    levels: int = 1


@dataclass(slots=True)
class _Open:
    node: Node
    anchor: str | None
    key: Node | None = None


class _Composer:
    def __init__(self, passed: Collection[int]) -> None:
        self.passed = passed
        self.root: Node | None = None
        self.documents = 0
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.problems: list[Problem] = []

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            node = _node("scalar", event, text=event.value, plain=not event.style)
            node.characters = len(event.value)
            node.wrong = any(node.start <= index < node.end for index in self.passed)
            if event.anchor:
                self.anchors[event.anchor] = node
            self.attach(node)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
            self.open.append(_Open(_node(kind, event, flow=bool(event.flow_style)), event.anchor))
            if event.anchor:  # known while open, so that an alias inside itself is seen
                self.anchors[event.anchor] = self.open[-1].node
            if len(self.open) > MAX_LEVELS:
                raise Unreadable(_too_deep(self.open[-1].node))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self.open.pop()
            end: Any = event.end_mark
            done.node.end = end.index
            self.attach(done.node)
        elif isinstance(event, yaml.AliasEvent):
            self.attach(self.alias(event))
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise Unreadable(_at(event, "a second document begins here", "a file holds one sketch",
                                     "remove the '---', or put what follows into a file of its own"))

    def alias(self, event: yaml.AliasEvent) -> Node:
        anchor = event.anchor or ""
        node, name = self.anchors.get(anchor), shorten(anchor)
        if node is None:
            self.problems.append(_at(event, f"'*{name}' refers to an anchor that is not defined above",
                                     hint=f'quote it if it is text: "*{name}"'))
        elif any(one.node is node for one in self.open):
            self.problems.append(_at(event, f"'*{name}' stands inside what it refers to",
                                     "it would never end", "take it out"))
        else:
            return node
        return _node("scalar", event, text=f"*{name}", wrong=True)

    def attach(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        holder = parent.node
        if holder.kind == "list":
            holder.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            holder.pairs.append((parent.key, node))
            parent.key = None
        holder.values += node.values
        holder.characters += node.characters
        holder.levels = max(holder.levels, node.levels + 1)
        if holder.levels + len(self.open) - 1 > MAX_LEVELS:
            raise Unreadable(_too_deep(holder))
        if holder.values > MAX_VALUES:
            raise Unreadable(_too_much(holder, f"{MAX_VALUES:,} values"))
        if holder.characters > MAX_CHARACTERS:
            raise Unreadable(_too_much(holder, f"{MAX_CHARACTERS:,} characters"))


@dataclass(frozen=True, slots=True)
class Tree:
    """The root is None where the text holds nothing; `problems` did not keep it from being read."""

    root: Node | None
    problems: list[Problem]


def compose(text: str, passed: Collection[int] = ()) -> Tree:
    """The tree of `text`; scalars over the indexes `passed` are marked as wrong.

    Raises Unreadable, or the parser's own MarkedYAMLError.
    """
    composer = _Composer(passed)
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            composer.take(event)
    except yaml.MarkedYAMLError:
        raise
    except (yaml.YAMLError, ValueError):  # the parser in Python calls chr() with what an escape says
        problem = Problem(0, 0, "the file cannot be read as YAML", hint="save it as UTF-8 text")
        raise Unreadable(problem) from None
    return Tree(composer.root, composer.problems)


def _node(kind: str, event: Any, **more: Any) -> Node:
    start, end = event.start_mark, event.end_mark
    tag = getattr(event, "tag", None)
    return Node(kind, start.line + 1, start.column + 1, start.index, end.index, tag, **more)


def _at(event: yaml.Event, what: str, why: str = "", hint: str = "") -> Problem:
    mark: Any = event.start_mark
    return Problem(mark.line + 1, mark.column + 1, what, why, hint)


def _too_much(node: Node, most: str) -> Problem:
    return Problem(node.line, node.column, f"the sketch holds more than {most}",
                   "aliases count as often as they are used", "make it smaller")


def _too_deep(node: Node) -> Problem:
    return Problem(node.line, node.column, *TOO_DEEP)
