"""What can be wrong with a value: as it is written, or while it is made. Knows no value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eda_cli.errors import EdaError

NOT_YET = "is not yet offered in this version"
_LONGEST_NAME = 40  # characters that a suggestion is searched for
_MOST_KNOWN = 200  # names that it is searched among


@dataclass(frozen=True, slots=True)
class ValueProblem:
    """One thing wrong with a raw value; `path` leads to it from the top (map keys and list indexes)."""

    path: tuple[str | int, ...]
    what: str
    why: str = ""
    hint: str = ""

    def text(self) -> str:
        """`items.0.sku: what: why; hint`."""
        said = ": ".join(part for part in (".".join(map(str, self.path)), self.what, self.why) if part)
        return said + (f"; {self.hint}" if self.hint else "")


class InvalidValue(EdaError):
    """The value is not written correctly; `problems` holds everything that is wrong with it."""

    exit_code = 2

    def __init__(self, problems: Sequence[ValueProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))


class PayloadError(EdaError):
    """The value is written correctly, and could not be made for this event (it lacks a field, say)."""


class Exhausted(PayloadError):
    """There is no value left for this event, nor for any after it."""


class Refused(ValueError):
    """What one part of a value does wrong; becomes a ValueProblem where its place is known."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint
        self.inside: tuple[str | int, ...] = ()

    def under(self, *inside: str | int) -> Refused:
        """The same, of what these steps lead to inside of the part: `size`, say."""
        self.inside = inside
        return self

    def at(self, path: tuple[str | int, ...]) -> ValueProblem:
        """The problem, at its place."""
        return ValueProblem((*path, *self.inside), self.what, self.why, self.hint)


def did_you_mean(name: str, known: Iterable[str], form: str = "{}") -> str:
    """`did you mean user?` with the nearest known name put into `form`, or an empty string."""
    if len(name) > _LONGEST_NAME:
        return ""
    near = difflib.get_close_matches(name.lower(), list(known)[:_MOST_KNOWN], n=1, cutoff=0.6)
    return f"did you mean {form.format(shown(near[0]))}?" if near else ""


def shown(text: object, limit: int = 60) -> str:
    """A text of the sketch as an error quotes it: one printable line of about `limit` characters."""
    line = " ".join(str(text)[: 4 * limit].split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
