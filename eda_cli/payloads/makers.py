"""Makers of texts: functions that draw a part of a pattern. Knows no regular expression.

A piece is a table, texts of which each is as likely, or a maker. Several tables share one draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

_ONE_DRAW = 1 << 40  # so many texts one draw tells apart, each as likely to one in 4,000

Draw = Callable[[], float]
Groups = dict[int, str]  # what the groups that are referred to have made
Maker = Callable[[Draw, Groups], str]
Piece = Sequence[str] | Maker  # texts of which each is as likely, or what makes one


def remembered(number: int, make: Maker, draw: Draw, groups: Groups) -> str:
    """What it makes, which is kept as that of a group."""
    groups[number] = made = make(draw, groups)
    return made


def one_of(makers: Sequence[Maker]) -> Maker:
    """What makes one of them, each as likely."""
    count = len(makers)
    return lambda draw, groups: makers[int((draw() - 1.0) * count)](draw, groups)


def repeated(make: Maker, least: int, most: int) -> Maker:
    """What makes it several times, each number of times as likely."""
    width = most - least + 1
    return lambda draw, groups: "".join([make(draw, groups) for _ in range(least + int((draw() - 1.0) * width))])


def only_text(pieces: list[Piece]) -> str | None:
    """The one text that the pieces make, if there is but one."""
    if not pieces:
        return ""
    return pieces[0][0] if len(pieces) == 1 and not callable(pieces[0]) and len(pieces[0]) == 1 else None


def joined(pieces: list[Piece]) -> Maker:
    """What makes all pieces, one after the other."""
    makers: list[Maker] = []
    tables: list[Sequence[str]] = []
    for piece in pieces:
        if callable(piece) or prod(map(len, tables)) * len(piece) > _ONE_DRAW:
            if tables:
                makers.append(_drawn(tables))
            tables = []
        if callable(piece):
            makers.append(piece)
        else:
            tables.append(piece)
    if tables or not makers:
        makers.append(_drawn(tables))
    return makers[0] if len(makers) == 1 else lambda draw, groups: "".join([make(draw, groups) for make in makers])


def _drawn(tables: Sequence[Sequence[str]]) -> Maker:
    """What takes one text of each table, all by one draw."""
    sized = [(table, len(table)) for table in tables]
    total = prod(size for _, size in sized)

    def make(draw: Draw, groups: Groups) -> str:
        number = int((draw() - 1.0) * total)
        text = ""
        for table, size in sized:
            number, at = divmod(number, size)
            text += table[at]
        return text

    return make
