"""The long forms of values: `{$list: VALUE, size: 1..4}`, `{$pick: [A, B], weights: [9, 1]}`, `{$maybe: VALUE, null: 5%}`,
`{$literal: …}`; `$lookup` has a file of its own.

A new one is a function from its map to source (see `code`), and one line in FORMS. Knows no text of the short forms.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

from eda_cli.payloads.code import Code
from eda_cli.payloads.literals import literal
from eda_cli.payloads.lookups import BESIDE, compile_lookup
from eda_cli.payloads.problems import Refused, shown
from eda_cli.payloads.quantities import parse_share
from eda_cli.payloads.ranges import size_range, uniform

MOST_OPTIONS = 1_000  # of one $pick
LONGEST_LIST = 10_000  # items of one $list
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?\Z")

Path = tuple[str | int, ...]


class Compiler(Protocol):
    """What compiles the values inside of a form."""

    code: Code

    def value(self, raw: Any, path: Path, whole: bool = False) -> str:
        """The source of a raw value; `whole`: it may be a tombstone."""


def _list(compiler: Compiler, raw: Mapping[str, Any], path: Path, whole: bool) -> str:
    """`{$list: VALUE, size: 1..4}`"""
    if "size" not in raw:
        raise Refused("$list has no size", "", "write {$list: VALUE, size: 1..4}")
    code = compiler.code
    try:
        low, high = size_range(raw["size"])
        if high > LONGEST_LIST:
            raise Refused(f"$list with {high:,} items is too long", f"at most {LONGEST_LIST:,} are made")
        with code.repeated(high):
            item = compiler.value(raw["$list"], (*path, "$list"))
    except Refused as refused:
        raise refused.under("size") from None
    size = code.constant(low) if low == high else uniform(low, high, code)
    return f"[{item} for _ in range({size})]"


def _pick(compiler: Compiler, raw: Mapping[str, Any], path: Path, whole: bool) -> str:
    """`{$pick: [A, B], weights: [9, 1]}`; only the value that is chosen is made."""
    options = raw["$pick"]
    if not isinstance(options, list | tuple) or not 1 <= len(options) <= MOST_OPTIONS:
        raise Refused("$pick has no options", f"it takes a list of 1 to {MOST_OPTIONS:,} values",
                      "write {$pick: [A, B]}")
    code = compiler.code
    names = [code.option(compiler.value(option, (*path, "$pick", at), whole))
             for at, option in enumerate(options)]
    code.use("draw")
    chosen = f"int((draw() - 1.0) * {code.constant(len(options))})"
    if "weights" in raw:
        sums = code.constant(_cumulated(raw["weights"], len(options)))
        chosen = f"{code.constant(_weighted)}({sums}, draw() - 1.0)"
    return code.call(f"({', '.join(names)},)[{chosen}]")


def _cumulated(weights: object, options: int) -> list[float]:
    """The weights as sums up to each option."""
    if not isinstance(weights, list | tuple) or len(weights) != options:
        raise Refused("$pick has other weights than options", f"there are {options} options",
                      "write one weight for each")
    sums = list(accumulate(map(_weight, weights, range(options))))
    if not sums[-1]:
        raise Refused("all weights are 0", "so nothing could be picked", "give one of them a weight")
    return sums


def _weight(raw: object, at: int) -> float:
    """A weight, which may stand in quotes as a size may."""
    number = float(raw) if isinstance(raw, str) and _PLAIN_NUMBER.match(raw) else raw
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e300:
        raise Refused(f"'{shown(raw)}' is no weight", "", "write numbers such as weights: [9, 1]").under("weights", at)
    return float(number)


def _weighted(sums: list[float], drawn: float) -> int:
    """The option whose share of the weights holds the number `drawn` of [0, 1)."""
    return bisect_right(sums, drawn * sums[-1], 0, len(sums) - 1)


def is_maybe_absent(raw: object) -> bool:
    """Whether this is a field that may be left out, so that its name belongs to it."""
    return isinstance(raw, Mapping) and "$maybe" in raw and "absent" in raw


def maybe_field(compiler: Compiler, field: str, raw: Mapping[str, Any], path: Path) -> str:
    """`NAME: {$maybe: VALUE, null: 10%, absent: 5%}`; one draw decides, and only what is there is made."""
    null, absent = _lacks(raw)
    code = compiler.code
    value = compiler.value(raw["$maybe"], (*path, "$maybe"))
    code.use("draw")
    there, drawn = f"{field}: {value}", "draw()"
    if null:  # the name is used up before the value is made, which may have such a name of its own
        there, drawn = f"{field}: None if drawn < {code.constant(1.0 + absent + null)} else {value}", "(drawn := draw())"
    return f"**({code.constant({})} if {drawn} < {code.constant(1.0 + absent)} else {{{there}}})"


def _maybe(compiler: Compiler, raw: Mapping[str, Any], path: Path, whole: bool) -> str:
    """`{$maybe: VALUE, null: 10%}`, where nothing can be left out."""
    null, absent = _lacks(raw)
    if absent:
        raise Refused("this cannot be absent", "only a field of a map can be left out", "write null: in place of absent:"
                      ).under("absent")
    value = compiler.value(raw["$maybe"], (*path, "$maybe"), whole)
    compiler.code.use("draw")
    return f"(None if draw() < {compiler.code.constant(1.0 + null)} else {value})"


def _lacks(raw: Mapping[str, Any]) -> tuple[float, float]:
    """The shares that are null and absent."""
    shares = {name: _share(raw[name], name) for name in ("null", "absent") if name in raw}
    if not shares:
        raise Refused("$maybe does not say how often", "", "write {$maybe: VALUE, null: 10%}, or absent: 10%")
    null, absent = shares.get("null", 0.0), shares.get("absent", 0.0)
    if null + absent > 1 + 1e-9:
        raise Refused("null and absent are more than 100% together", f"they are {(null + absent) * 100:g}%",
                      "take smaller shares")
    return null, absent


def _share(raw: object, name: str) -> float:
    try:
        return parse_share(raw)
    except ValueError as wrong:
        what, _, hint = str(wrong).partition(": ")
        raise Refused(what, "", hint).under(name) from None


def _literal(compiler: Compiler, raw: Mapping[str, Any], path: Path, whole: bool) -> str:
    """`{$literal: …}`"""
    return literal(raw["$literal"], compiler.code, len(path))


Form = Callable[[Compiler, Mapping[str, Any], Path, bool], str]
FORMS: dict[str, tuple[Sequence[str], Form]] = {  # the long forms, with what may stand beside each
    "$list": (("size",), _list),
    "$pick": (("weights",), _pick),
    "$maybe": (("null", "absent"), _maybe),
    "$literal": ((), _literal),
    "$lookup": (BESIDE, compile_lookup),
}
