"""Values that YAML tears apart, as it reads them without complaint. Knows YAML's signs, no key of a sketch.

Inside `{…}` or `[…]` a comma, bracket or brace ends a value, and anywhere ` #` does. The pieces are told, and
put together again so that nothing else is wrong with them. What the parser refuses is in `misread`.
"""

from __future__ import annotations

import re
from typing import Any

from eda_cli.errors import Problem
from eda_cli.sketch.nodes import Node
from eda_cli.sketch.text import shorten

_COMMENT = re.compile(r"[ \t]*#[^\n\r]*")
_COLON = re.compile(r"\s*:")
_GLUED = re.compile(r"(?P<key>[A-Za-z_$][\w.$-]*):(?P<value>\S+)\Z")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+|/\w+)?\Z")
_MOST_PIECES = 50


def mend(node: Node, text: str) -> list[Problem]:
    """Puts the torn pieces of this node together again, and tells of each. Does not go into it."""
    if node.kind == "scalar":
        return _comment(node, text) if node.plain else []
    if not node.flow:
        return []
    if node.pairs and node.pairs[0][0].kind == "map" and text.startswith("{{", node.start):
        piece = text[node.start:node.end]
        node.kind, node.text, node.pairs, node.wrong = "scalar", piece, [], True
        return [torn(node, piece, "YAML reads '{' as the beginning of a map")]
    glued = [problem for pair in range(len(node.pairs)) for problem in _glued(node, pair)]
    return _pieces(node, text) + glued + _valueless(node, text)


def torn(node: Node, piece: str, why: str) -> Problem:
    return Problem(node.line, node.column, f"'{shorten(piece)}' is torn apart", why, quoted(piece))


def quoted(piece: str) -> str:
    """The hint that quotes a piece."""
    if len(piece) > 60 or not piece.isprintable():
        return "quote it"
    if '"' in piece or "\\" in piece:
        escaped = piece.replace("'", "''")
        return f"quote it: '{escaped}'"
    return f'quote it: "{piece}"'


def unclosed(text: str) -> int:
    return text.count("(") - text.count(")")


def _comment(node: Node, text: str) -> list[Problem]:
    """`pattern(A #[0-9])`: the rest of the line is a comment to YAML."""
    found = _COMMENT.match(text, node.end)
    if unclosed(node.text) <= 0 or found is None or unclosed(text[node.start:found.end()]) > 0:
        return []
    piece = text[node.start:found.end()].rstrip()
    node.text, node.plain, node.wrong = piece, False, True
    return [torn(node, piece, "' #' begins a comment")]


def _pieces(node: Node, text: str) -> list[Problem]:
    """`{sku: pick(A, B)}`: to YAML the value `pick(A` and a key `B)` without one."""
    entries: list[Any] = node.pairs if node.kind == "map" else node.items
    firsts = [entry[1] if node.kind == "map" else entry for entry in entries]
    problems = []
    index = 0
    while index < len(firsts):
        first = firsts[index]
        if first.kind == "scalar" and first.plain and unclosed(first.text) > 0:
            for last in range(index + 1, min(len(firsts), index + _MOST_PIECES)):
                end = firsts[last].end if node.kind == "list" or firsts[last].text else entries[last][0].end
                piece = text[first.start:end]
                if firsts[last].kind == "scalar" and unclosed(piece) <= 0:
                    first.text, first.plain, first.end, first.wrong = piece, False, end, True
                    del entries[index + 1:last + 1], firsts[index + 1:last + 1]
                    problems.append(torn(first, piece, "inside {…} or […] a comma ends a value"))
                    break
        index += 1
    return problems


def _valueless(node: Node, text: str) -> list[Problem]:
    """`{text: Hello, world}`: to YAML the value `Hello` and a key `world`, which has not even a colon."""
    problems = []
    index = 0
    while index < len(node.pairs):
        end = index
        while end < len(node.pairs) and _has_no_colon(*node.pairs[end], text):
            end += 1
        if end == index:
            index += 1
            continue
        key, value = node.pairs[index]
        before = node.pairs[index - 1][1] if index else None
        name = shorten(key.text)
        if before is not None and before.kind == "scalar" and before.plain and before.text:
            piece = text[before.start:node.pairs[end - 1][0].end]
            before.text, before.plain, before.wrong = piece, False, True
            other = f"write {piece.replace(',', '')}" if _THOUSANDS.match(piece) else f"{quoted(piece)}, or write {name}: null"
            problems.append(Problem(before.line, before.column, f"'{shorten(piece)}' is torn apart",
                                    "inside {…} a comma ends a value", other))
            del node.pairs[index:end]
        else:
            value.wrong = True
            problems.append(Problem(key.line, key.column, f"'{name}' is a key without a colon", "",
                                    f"write {name}: null, or quote the value that it belongs to"))
            index += 1
    return problems


def _has_no_colon(key: Node, value: Node, text: str) -> bool:
    return (key.kind == value.kind == "scalar" and value.plain and not value.text and not key.wrong and not value.wrong
            and _COLON.match(text, key.end) is None)


def _glued(node: Node, pair: int) -> list[Problem]:
    """`{max:3}`: to YAML one key, `max:3`, without a value."""
    key, value = node.pairs[pair]
    found = _GLUED.match(key.text) if key.kind == "scalar" and key.plain else None
    if found is None or value.kind != "scalar" or value.text or not value.plain:
        return []
    place = (key.line, key.column)
    value.text, value.line, value.column = found["value"], key.line, key.column + found.start("value")
    value.start, value.wrong = key.start + found.start("value"), True
    shown = shorten(key.text)
    key.text = found["key"]
    return [Problem(*place, f"'{shown}' is a key without a value", "YAML wants a space after the colon",
                    f"write {shorten(found['key'])}: {shorten(found['value'])}, or quote it if it is text")]
