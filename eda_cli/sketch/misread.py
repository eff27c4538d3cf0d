"""What the YAML parser refuses, said so that one knows what to do. Knows the parser's words, no key.

A value that only lacks quotes is told, and replaced by a placeholder of the same length, so that the rest of
the file is read too and every problem comes at once. Longer than 250 lines: one method for each way to fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from eda_cli.errors import Problem
from eda_cli.sketch.nodes import TOO_DEEP
from eda_cli.sketch.text import place, shorten
from eda_cli.sketch.torn import quoted, unclosed

_KEY = r"(?:[\w$./-]+|\"[^\"\n]*\"|'[^'\n]*')"
_LINE = re.compile(rf"(?P<lead>[ \t]*(?:-[ \t]+)*)(?:(?P<key>{_KEY}):[ \t]+)?(?P<value>[^\n\r]*)")
_HALVES = re.compile(r"\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_TAB = re.compile(r" *\t")
_COMMENT = re.compile(r"[ \t]+#[^\n\r]*|[ \t]+\Z")
_TEMPLATE = re.compile(r"(?:^|[:,\[-])[ \t]*(?P<open>\{\{)", re.MULTILINE)
_LONGEST_KEY = 1024  # characters, by YAML 1.2 section 7.4.2
_NEAR = 5000  # characters before an error that are looked at
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Misread:
    """What is wrong; `start` and `end` of the value that only lacks quotes, where that is all."""

    problem: Problem
    start: int = 0
    end: int = 0

    def without(self, text: str) -> str | None:
        """The text with a placeholder instead of the value, so long as there is one."""
        if self.end <= self.start:
            return None
        return text[:self.start] + "x" * (self.end - self.start) + text[self.end:]


def misread(error: yaml.MarkedYAMLError, text: str, source: str) -> Misread:
    """What the parser's error means; `source` is the text without placeholders, which a message may quote."""
    return _Reader(error, text, source).misread()


class _Reader:
    def __init__(self, error: yaml.MarkedYAMLError, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.said = (error.problem or "").lower()
        self.context = (error.context or "").lower()
        mark, context = error.problem_mark or error.context_mark, error.context_mark
        self.at = min(mark.index, len(text)) if mark else 0
        self.opened = min(context.index, len(text)) if context else self.at
        self.here = text[self.at:self.at + 1]
        self.line_start = self.start_of_line(self.at)
        self.line = self.line_at(self.line_start)

    def misread(self) -> Misread:
        tab = _TAB.match(self.line)
        token = "cannot start any token" in self.said and self.here == "\t"
        if token or (tab and ("tab character" in self.said or "mapping values are not allowed" in self.said)):
            at = self.line_start + tab.end() - 1 if tab and not token else self.at
            return self.told(at, "a tab stands here", "YAML indents with spaces only",
                             "replace it by spaces")
        if "nesting depth" in self.said:
            return self.told(self.at, *TOO_DEEP)
        for read in (self.template, self.forbidden, self.colon, self.quote, self.flow, self.block, self.key):
            found = read()
            if found:
                return found
        return self.told(self.at, "YAML cannot read this", self.said.replace("<", "").replace(">", ""),
                         "if it is text, quote it")

    def template(self) -> Misread | None:
        """`total: {{ x }} EUR`, in the line of the error or in the one where it began."""
        for start in {self.line_start, self.start_of_line(self.opened)}:
            found = _TEMPLATE.search(self.line_at(start))
            if found and start + found.start("open") <= self.at:
                return self.torn(start + found.start("open"), "YAML reads '{' as the beginning of a map")
        return None

    def forbidden(self) -> Misread | None:
        """A value that begins with a sign of YAML's own."""
        signs = {"cannot start any token": self.at, "node content": self.at, "block scalar": self.opened,
                 "anchor": self.opened, "alias": self.opened, "a tag": self.opened, "undefined tag": self.at,
                 "mapping keys are not allowed": self.at, "directive": self.opened}
        said = f"{self.context} {self.said}"
        start = next((where for words, where in signs.items() if words in said), None)
        sign = self.text[start:start + 1] if start is not None else ""
        if start is None or not sign or sign.isspace():
            return None
        if sign in ",]}":
            return self.told(start, f"'{sign}' stands where a value should begin", "",
                             "add the value, or remove it")
        return self.torn(start, f"a value cannot begin with '{sign}'", "needs quotes")

    def colon(self) -> Misread | None:
        if "mapping values are not allowed" not in self.said:
            return None
        if self.at - self.line_start > _LONGEST_KEY:
            return self.told(self.line_start, f"a key is longer than {_LONGEST_KEY:,} characters", "",
                             "if it is text, quote it")
        found = _LINE.match(self.line)
        start = self.line_start + (found.start("value") if found else 0)
        if found and found["key"] and start < self.at:
            return self.torn(start, "': ' makes a key of what stands before it")
        if found and found["key"]:
            above = self.line_above()
            if above is not None and not re.search(r":(?:[ \t]|\Z)", self.line_at(above)):
                return self.no_key(above)
            return self.told(self.line_start + len(found["lead"]),
                             "this line is indented deeper than the one above", "that one has a value already",
                             "align it with the line above")
        above = self.line_above()
        if above is not None and not re.search(r":(?:[ \t]|\Z)", self.line_at(above)):
            return self.no_key(above)
        return self.told(self.at, "a ':' stands where none can", "", "if it is text, quote it")

    def quote(self) -> Misread | None:
        if "quoted scalar" not in self.context:
            return None
        if "escape" in self.said or "hexdecimal" in self.said:  # so libyaml spells it
            back = self.text.rfind("\\", 0, self.at + 1)
            if self.text[back + 1:back + 2] in tuple("xuU"):
                return self.number(back)
            shown = shorten(self.text[back:back + 2])
            return self.told(back, f"'{shown}' means nothing in double quotes", "",
                             "write it in single quotes, or with two backslashes")
        sign = self.text[self.opened:self.opened + 1]
        name = "single quote" if sign == "'" else "double quote"
        return self.told(self.opened, f"this {name} is never closed", "", f"add the closing {sign}")

    def number(self, back: int) -> Misread:
        """An escape that wants a character's number: `C:\\users`, or one of JSON in two halves."""
        halves = _HALVES.match(self.text, back)
        if halves:
            high, low = (int(half, 16) for half in halves.groups())
            code = 0x10000 + ((high - 0xD800) << 10) + low - 0xDC00
            return self.told(back, f"'{halves.group()}' is one character in two halves", "YAML, unlike JSON, writes it in one",
                             f"write \\U{code:08X}, or the character itself")
        return self.told(back, f"'{self.text[back:back + 2]}' begins an escape in double quotes",
                         "the number of a character follows there", "write it in single quotes, or with two backslashes")

    def flow(self) -> Misread | None:
        if "flow mapping" not in self.context and "flow sequence" not in self.context:
            return None
        sign = self.text[self.opened:self.opened + 1]
        closing = {"[": "]", "{": "}"}.get(sign, sign)
        start = self.token_start(self.at)
        if self.here and self.here in "]}" and unclosed(self.text[start:self.at]) <= 0:
            return self.unmatched(sign, closing)
        if self.line_start <= start < self.at and self.here and self.here in "([{)]}":
            return self.torn(start, "inside {…} or […] a bracket ends a value")
        comment = self.text.find(" #", self.opened, self.opened + len(self.line_at(self.opened)))
        if comment > 0:
            start = self.token_start(comment)
            if "(" in self.text[start:comment] and ")" not in self.text[start:comment]:
                return self.torn(start, "' #' begins a comment")
        if self.end_of(self.opened, len(self.text)) is None:
            return self.told(self.opened, f"the '{sign}' is never closed", "", f"add the closing '{closing}'")
        return self.told(self.at, f"a comma or '{closing}' is missing before this", "",
                         "add it, or quote the value it belongs to")

    def unmatched(self, sign: str, closing: str) -> Misread:
        """`[p, q}`: the bracket that is open, or else the one that stands here, has no partner."""
        if not self.open_before(self.opened, _OPENING[_CLOSING.index(self.here)]):
            return self.told(self.at, f"this '{self.here}' closes nothing", "", "remove it, or quote the value")
        line, column = place(self.text, self.at)
        return self.told(self.opened, f"the '{sign}' is not closed",
                         f"the '{self.here}' in line {line}, column {column} closes another bracket",
                         f"add the closing '{closing}' before it")

    def block(self) -> Misread | None:
        if "entries are not allowed" in self.said:
            return self.told(self.at, "a list cannot begin here", "its '-' stands behind a key",
                             "put it on a line of its own, or write [a, b]; quote it if it is text")
        if "document start" in self.said:
            return self.told(self.at, "the sketch ends before this", "",
                             "remove it, or indent it as the rest")
        if "block" not in self.context:
            return None
        before = self.line[:self.at - self.line_start]
        if not before.strip(" \t-"):
            if "collection" in self.context or "sequence" in self.context:
                return self.told(self.at, "this stands among the items of a list and is none", "",
                                 "begin it with '- ', or indent it as the list's key")
            return self.told(self.at, "this line is not indented as those above", "",
                             "align it with the keys that it belongs to")
        if self.here in _CLOSING and self.here:
            return self.told(self.at, f"this '{self.here}' closes nothing", "",
                             "remove it, or quote the value")
        found = _LINE.match(self.line)
        if found and self.line_start + found.start("value") < self.at:
            closing = "quote" if found["value"][0] in "\"'" else "bracket"
            start = self.line_start + found.start("value")
            said = self.told(start, f"text stands behind the closing {closing} of a value", "",
                             "put the whole value into one pair of quotes")
            return Misread(said.problem, start, self.value_end(start))
        return None

    def key(self) -> Misread | None:
        if "simple key" in self.context:
            return self.no_key(self.start_of_line(self.opened))
        return None

    # ── telling ──

    def told(self, index: int, what: str, why: str = "", hint: str = "") -> Misread:
        return Misread(Problem(*place(self.text, index), what, why, hint))

    def torn(self, start: int, why: str, how: str = "is torn apart") -> Misread:
        """The value that begins at `start` lacks quotes."""
        end = self.value_end(start)
        piece = self.source[start:end]
        before = self.text[self.start_of_line(start):start].rstrip()
        in_map = self.text[self.opened:self.opened + 1] == "{" or ": " in piece
        if not before or (before[-1] in "{," and in_map):  # a key, if anything
            piece = piece.partition(":")[0]
            end = start
        problem = Problem(*place(self.text, start), f"'{shorten(piece)}' {how}", why, quoted(piece))
        return Misread(problem, start, end)

    def no_key(self, start: int) -> Misread:
        line = _COMMENT.sub("", self.source[start:start + len(self.line_at(start))])
        said = line.strip(" \t-")
        index = start + len(line) - len(line.lstrip(" \t-"))
        glued = re.match(r"([\w$.-]+):(\S.*)\Z", said)
        hint = "add a ':' and a value"
        if glued:
            hint = f"write a space after the colon, {shorten(glued[1])}: {shorten(glued[2])}"
        return self.told(index, f"'{shorten(said)}' is no 'key: value'", "", hint)

    # ── looking ──

    def start_of_line(self, index: int) -> int:
        return max(self.text.rfind("\n", 0, index), self.text.rfind("\r", 0, index)) + 1

    def line_at(self, start: int) -> str:
        found = re.compile(r"[^\n\r]*").match(self.text, start)
        return found.group() if found else ""

    def line_above(self) -> int | None:
        """Where the nearest line above begins that says something."""
        index = self.line_start
        while index > 0:
            index = self.start_of_line(index - 1)
            said = self.line_at(index).strip()
            if said and not said.startswith("#"):
                return index
        return None

    def in_flow(self, index: int) -> bool:
        """Whether an open bracket stands before `index`."""
        found = _LINE.match(self.line_at(self.start_of_line(index)))
        value = self.start_of_line(index) + (found.start("value") if found else 0)
        if value < index:
            return self.text[value] in "[{" and not self.text.startswith("{{", value)
        return self.open_before(self.start_of_line(index))

    def open_before(self, index: int, signs: str = "[{") -> bool:
        """Whether more of these brackets are opened than closed before, in the lines nearby."""
        near = self.text[self.start_of_line(max(0, index - _NEAR)):index]
        bare = re.sub(r"(?m)\"[^\"\n]*\"|'[^'\n]*'|(?:^|[ \t])#.*$", "", near)
        return sum(map(bare.count, signs)) > sum(bare.count(_CLOSING[_OPENING.index(sign)]) for sign in signs)

    def value_end(self, start: int) -> int:
        """Where the value that begins at `start` was meant to end."""
        line_end = self.start_of_line(start) + len(self.line_at(self.start_of_line(start)))
        if not self.in_flow(start):
            rest = self.text[start:line_end]
            return start + len(_COMMENT.sub("", rest))
        opened: list[str] = []
        calls = 0  # how many of them are "(", inside of which any other bracket is text
        for index in range(start, line_end):
            char = self.text[index]
            if char in _OPENING:
                opened.append(char)
                calls += char == "("
            elif opened and char in _CLOSING and _OPENING[_CLOSING.index(char)] == opened[-1]:
                calls -= opened.pop() == "("
            elif char in ",]}" and not calls and (not opened or char != ","):
                return index
        return line_end

    def end_of(self, start: int, limit: int) -> int | None:
        """Where the bracket at `start` is closed, outside of quotes."""
        depth, quote = 0, ""
        for index in range(start, limit):
            char = self.text[index]
            if quote:
                quote = "" if char == quote else quote
            elif char in "\"'" and self.text[index - 1] in " ,:[{":
                quote = char
            elif char in "[{":
                depth += 1
            elif char in "]}":
                depth -= 1
                if depth == 0:
                    return index
        return None

    def token_start(self, limit: int) -> int:
        """Where the value around `limit` begins: behind the last ',', ': ' or bracket that no '(' holds."""
        begin = max(self.opened, self.start_of_line(limit))
        start, depth = begin, 0
        for index in range(begin, limit):
            char = self.text[index]
            if char in "()":
                depth = max(0, depth + (1 if char == "(" else -1))
            elif depth == 0 and (char in ",[{" or (char == ":" and self.text[index + 1].isspace())):
                start = index + 1
        return start + len(self.text[start:limit]) - len(self.text[start:limit].lstrip())
