"""The call of a function inside a string, `pick(A, "B, C", 3)`: taken apart. Knows no function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eda_cli.payloads.problems import Refused, shown

MOST_ARGUMENTS = 1_000

_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\((.*)\)\Z", re.DOTALL)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\Z")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][+-]?[0-9]{1,2})?\Z")
_QUOTED = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*""", re.DOTALL)
_KEYWORD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)")
_WORDS = {"true": True, "false": False, "null": None}


class WrongArguments(ValueError):
    """The function takes other arguments: its text says which."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: as it stands there (without its quotes), and as the value it is."""

    text: str
    value: Any
    quoted: bool

    @property
    def decimals(self) -> int:
        """Digits behind the point, of a number or of either bound of a range."""
        return max(len(bound.partition(".")[2]) for bound in self.text.split(".."))

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
    return [argument for _, argument in _each(name, text, named=False)]


def read_named_arguments(name: str, text: str) -> tuple[list[Argument], dict[str, Argument]]:
    """As `read_arguments`, with those that are written `name=value` apart, which stand last. Raises Refused."""
    arguments: list[Argument] = []
    named: dict[str, Argument] = {}
    for keyword, argument in _each(name, text, named=True):
        if keyword in named:
            raise Refused(f"{name}(…) has '{shown(keyword)}' twice", "", "take one out")
        if keyword:
            named[keyword] = argument
        elif named:
            raise Refused(f"{name}(…) has '{shown(argument.text)}' behind an argument with a name",
                          "those with a name stand last", "move it to the front, or give it a name")
        else:
            arguments.append(argument)
    return arguments, named


def _each(name: str, text: str, named: bool) -> Iterator[tuple[str, Argument]]:
    """Each argument, behind the name that it has, if it has one and may have one."""
    at = 0 if text.strip() else len(text) + 1
    read = 0
    while at <= len(text):
        if read == MOST_ARGUMENTS:
            raise Refused(f"{name}(…) has too many arguments", f"at most {MOST_ARGUMENTS:,} are read")
        keyword = _KEYWORD.match(text, at) if named else None
        argument, at = _next(name, text, keyword.end() if keyword else at)
        yield keyword[1] if keyword else "", argument
        read += 1
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
