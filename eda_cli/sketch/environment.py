"""`${VAR}` and `${VAR:-default}` in scalars. Tells what stood there, never what it became."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_FORM = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}|\$\{")


class NoValue(ValueError):
    """A variable is not set, or not written as one. Holds why and hint."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Expanded(NamedTuple):
    """The text with its variables filled in; `varies` if it held any; what the environment gave, by name."""

    text: str
    varies: bool
    taken: Mapping[str, str]


def expand(text: str, environ: Mapping[str, str], most: int = 1_000_000) -> Expanded:
    """Fill in the variables, with at most so many characters. Raises NoValue.

    An empty variable counts as unset where a default is given, as in a shell. `$${` is a literal `${`.
    """
    taken: dict[str, str] = {}
    varies, length = False, 0

    def value(found: re.Match[str]) -> str:
        if found.group() == "$${":
            return "${"
        nonlocal varies, length
        varies = True
        name, default = found["name"], found["default"]
        if name is None:
            raise NoValue(f"'{text[found.start():][:40]}' is no variable",
                          "write ${NAME} or ${NAME:-default}; a literal '${' is written '$${'")
        set_to = environ.get(name)
        if set_to or (set_to is not None and default is None):
            taken[name] = set_to
            if not set_to.isascii() and re.search("[\ud800-\udfff]", set_to):  # so Python reads other bytes than UTF-8
                raise NoValue(f"the environment variable {name} is not valid UTF-8", "set it to text")
            length += len(set_to)
            if length > most:
                raise NoValue("the environment gives too much text", "make what the variables hold shorter")
            return set_to
        if default is None:
            raise NoValue(f"the environment variable {name} is not set",
                          f"set it, or give a default: ${{{name}:-…}}")
        return str(default)

    return Expanded(_FORM.sub(value, text), varies, taken)


def variable(text: str) -> str | None:
    """The name of the variable that is the whole text, without a default; None where it is anything else."""
    found = _FORM.fullmatch(text)
    return found["name"] if found and found["default"] is None else None


def escape(text: str) -> str:
    """`text` written so that `expand` gives it back."""
    return text.replace("${", "$${")
