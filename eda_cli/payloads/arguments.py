"""The call of a function inside a string, `pick(A, "B, C", 3)`: taken apart. Knows no function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from eda_cli.payloads.problems import Refused, shown

MOST_ARGUMENTS = 1_000

_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\((.*)\)\Z", re.DOTALL)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\Z")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][+-]?[0-9]{1,2})?\Z")
_QUOTED = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*""", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: as it stands there (without its quotes), and as the value it is."""

    text: str
    value: Any
    quoted: bool

    @property
    def number(self) -> float | int | None:
        """The value, if it is a number."""
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return self.value if is_number else None


def split_call(text: str) -> tuple[str, str] | None:
    """The name and what stands between the brackets, or None when the text is no call."""
    return (match[1], match[2]) if (match := _CALL.match(text)) else None


def read_arguments(name: str, text: str) -> list[Argument]:
    """What stands between the brackets, separated by commas; quotes protect. Raises Refused."""
    if not text.strip():
        return []
    arguments = []
    at = 0
    while True:
        argument, at = _next(name, text, at)
        arguments.append(argument)
        if len(arguments) > MOST_ARGUMENTS:
            raise Refused(f"{name}(…) has too many arguments", f"at most {MOST_ARGUMENTS:,} are read")
        if at >= len(text):
            return arguments
        at += 1  # the comma


def _next(name: str, text: str, at: int) -> tuple[Argument, int]:
    """The argument that begins here, and where it ends: at a comma or at the end."""
    if match := _QUOTED.match(text, at):
        end = match.end()
        if end < len(text) and text[end] != ",":
            raise Refused(f"{name}(…) has text behind a quoted argument", f"after {shown(match[1])}",
                          "put a comma between, or all of it into the quotes")
        inner = re.sub(r"\\(.)", r"\1", match[1][1:-1], flags=re.DOTALL)
        return Argument(inner, inner, True), end
    end = text.find(",", at)
    end = len(text) if end < 0 else end
    word = text[at:end].strip()
    if not word:
        raise Refused(f"{name}(…) has an empty argument", "commas separate arguments",
                      'take a comma out, or write "" for an empty text')
    if word[0] in "\"'":
        raise Refused(f"{name}(…) has a quote that does not end", f"at {shown(word)}",
                      f"close it, or protect it: {name}(\"it's\")")
    return Argument(word, _typed(word), False), end


def _typed(word: str) -> Any:
    """Numbers, true, false and null as what they are; anything else, `007` included, is text."""
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.match(word) and -(1 << 63) <= int(word) < 1 << 64:
        return int(word)
    return float(word) if _DECIMAL.match(word) and len(word) < 40 else word
