"""`pattern([A-Z]{3}-\\d{4})`: texts that a regular expression matches. Knows no other function.

The expression is read by Python's own parser and turned round: what would be matched is made. Neighbouring choices become
one table, and several tables share one draw. What cannot be made (looking around, flags) is refused, and so is what could
grow long. Without an end of their own `*` and `+` repeat up to 10 times more than they must.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

from eda_cli.payloads.arguments import WrongArguments
from eda_cli.payloads.budget import Memory
from eda_cli.payloads.classes import signs_of
from eda_cli.payloads.code import Code
from eda_cli.payloads.makers import Piece, joined, one_of, only_text, remembered, repeated
from eda_cli.payloads.problems import Refused, shown

LONGEST = 1_000  # characters of an expression, and of what it makes
UNBOUNDED = 10  # what `*` and `+` add at most
_LARGEST_TABLE = 1_000  # texts that neighbouring choices are multiplied to
_MOST_COUNTS = 32  # so many lengths of a repeat are made ready, so that one draw gives several signs
_ANCHORS = ({"AT_BEGINNING", "AT_BEGINNING_STRING"}, {"AT_END", "AT_END_STRING"})
_CANNOT = {
    "ASSERT": "looks ahead or back with (?=…) or (?<=…)", "ASSERT_NOT": "looks ahead or back with (?!…) or (?<!…)",
    "AT": "has \\b or an anchor in its middle", "GROUPREF_EXISTS": "asks with (?(…)…) whether a group is there",
    "POSSESSIVE_REPEAT": "repeats with ++ or *+ and never goes back", "ATOMIC_GROUP": "has a group (?>…) that never goes back",
}


def pattern(name: str, expression: str, code: Code) -> str:
    """`pattern(REGEX)`: all between the brackets is the expression. Each choice in it is as likely as its neighbours."""
    if not expression:
        raise WrongArguments("it takes a regular expression")
    if len(expression) > LONGEST:
        raise Refused("pattern(…) is too long", f"at most {LONGEST:,} characters are read")
    try:
        items = _parsed(expression)
        reader = _Reader(code.memory, set(_referred(items)))
        made = joined(reader.sequence(items, whole=True))
    except re.error as wrong:
        raise Refused(f"'{shown(expression)}' is no regular expression", shown(wrong),
                      "a sign that means itself stands behind \\") from wrong
    except RecursionError as wrong:
        raise Refused("pattern(…) is nested too deeply", "", "write it with fewer brackets") from wrong
    code.weigh(4 + 4 * reader.longest)
    code.use("draw")
    return f"{code.constant(made)}(draw, {'{}' if reader.referred else 'None'})"


def _parsed(expression: str) -> Any:
    """What Python's parser reads: (operation, argument) one after the other. Raises re.error, and Refused."""
    parser = import_module("re._parser")  # as the standard library has it from 3.11 on, if not as a promise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what may be read otherwise in later versions
        try:
            read = parser.parse(expression)
        except OverflowError as wrong:
            raise Refused(f"'{shown(expression)}' repeats too often", "", "write a smaller number") from wrong
    if read.state.flags & ~re.UNICODE:
        raise Refused(f"'{shown(expression)}' has flags", "they say how to read a text, not which one to make",
                      "take (?…) out, and write both cases such as [Aa]")
    return read


def _referred(items: Any) -> list[int]:
    """The groups that `\\1` and the like refer to."""
    waiting, found = [items], []
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple) and len(part) == 2 and getattr(part[0], "name", "") == "GROUPREF":
            found.append(part[1])
        elif not isinstance(part, str | int) and hasattr(part, "__getitem__"):
            waiting.extend(part[at] for at in range(len(part)))
    return found


class _Reader:
    """Turns what the parser read into pieces. Keeps count of what they can grow to."""

    def __init__(self, memory: Memory, referred: set[int]) -> None:
        self.referred = referred
        self.longest = 0  # of what was read last
        self._memory = memory
        self._sizes: dict[int, int] = {}  # the longest that a group referred to makes
        self._made: set[int] = set()  # groups that have surely made something at this place
        self._tables: dict[tuple[Sequence[str], Sequence[str]], tuple[str, ...]] = {}

    def sequence(self, items: Any, whole: bool = False) -> list[Piece]:
        """One after the other; `whole`: nothing stands around them, so that they may have anchors."""
        operations = [(operation.name, argument) for operation, argument in items]
        if whole:
            beginning, end = _ANCHORS
            while operations and operations[0][0] == "AT" and operations[0][1].name in beginning:
                operations.pop(0)
            while operations and operations[-1][0] == "AT" and operations[-1][1].name in end:
                operations.pop()
        pieces: list[Piece] = []
        size = 0
        for name, argument in operations:
            for piece in self._pieces(name, argument, whole and len(operations) == 1):
                self._add(pieces, piece)
            size = self._checked(size + self.longest)
        self.longest = size
        return pieces

    def _pieces(self, name: str, argument: Any, whole: bool) -> list[Piece]:
        """One operation; sets how long what it makes can be."""
        self.longest = 1
        if name == "BRANCH":
            return [self._branches(argument[1], whole)]
        if name == "SUBPATTERN":
            return self._group(argument, whole)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeated(*argument)
        if name == "GROUPREF":
            return [self._again(argument)]
        if name in _CANNOT:
            raise Refused(f"pattern(…) {_CANNOT[name]}", "that cannot be made", "write out what is meant")
        return [signs_of(name, argument, self._memory)]

    def _add(self, pieces: list[Piece], piece: Piece) -> None:
        """One more piece: multiplied with the last one where that stays a small table."""
        last = pieces[-1] if pieces else None
        if last is None or callable(last) or callable(piece) or len(last) * len(piece) > _LARGEST_TABLE:
            pieces.append(piece)
            return
        key = (last, piece)
        if key not in self._tables:
            entries = len(last) * len(piece)
            if not self._memory.holds(entries * (60 + len(last[0]) + len(piece[0]))):
                pieces.append(piece)
                return
            self._tables[key] = tuple(one + other for one in last for other in piece)
        pieces[-1] = self._tables[key]

    def _branches(self, branches: Any, whole: bool) -> Piece:
        before, longest = set(self._made), 0
        sure: list[set[int]] = []
        made: list[list[Piece]] = []
        for branch in branches:
            self._made = set(before)
            made.append(self.sequence(branch, whole))
            longest = max(longest, self.longest)
            sure.append(self._made)
        self._made, self.longest = set.intersection(*sure), longest
        texts = [only_text(pieces) for pieces in made]
        if None not in texts:
            return tuple(text for text in texts if text is not None)
        return one_of([joined(pieces) for pieces in made])

    def _group(self, argument: Any, whole: bool) -> list[Piece]:
        number, flags, without, items = argument
        if flags or without:
            raise Refused("pattern(…) has flags", "they say how to read a text, not which one to make", "take (?…:…) out")
        pieces = self.sequence(items, whole)
        if number not in self.referred:
            return pieces
        self._sizes[number] = self.longest
        self._made.add(number)
        return [partial(remembered, number, joined(pieces))]

    def _again(self, number: int) -> Piece:
        if number not in self._made:
            raise Refused(f"pattern(…) repeats group {number} by \\{number}, which may have made nothing",
                          "it stands in a part that can be left out", "refer to a group that is always there")
        self.longest = self._sizes[number]
        return lambda draw, groups: groups[number]

    def _repeated(self, least: int, most: int, items: Any) -> list[Piece]:
        before = set(self._made)
        pieces = self.sequence(items)
        if not least:
            self._made = before
        if str(most) == "MAXREPEAT":
            most = least + UNBOUNDED
        self.longest = self._checked(max(self.longest, 1) * most)
        if least == most:
            return pieces * least
        if len(pieces) == 1 and not callable(pieces[0]) and most - least < _MOST_COUNTS:
            return [one_of([joined(self._times(pieces[0], count)) for count in range(least, most + 1)])]
        return [repeated(joined(pieces), least, most)]

    def _times(self, piece: Piece, count: int) -> list[Piece]:
        pieces: list[Piece] = []
        for _ in range(count):
            self._add(pieces, piece)
        return pieces

    @staticmethod
    def _checked(size: int) -> int:
        if size > LONGEST:
            raise Refused("pattern(…) makes too long texts", f"at most {LONGEST:,} characters are made",
                          "write smaller numbers into {…}")
        return size
