"""The functions of the value language, `uuid()` to `normal(50, 10)`. Knows no maps, paths and templates.

A new one is a function from its arguments to source (see `code`), and one line in FUNCTIONS.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import cos, log, pi, sqrt
from typing import NamedTuple, NoReturn

from eda_cli.event import rfc3339
from eda_cli.payloads.aggregates import AGGREGATES, no_aggregate
from eda_cli.payloads.arguments import Argument, read_arguments, split_call
from eda_cli.payloads.code import Code
from eda_cli.payloads.paths import is_path
from eda_cli.payloads.problems import NOT_YET, Refused, did_you_mean, shown
from eda_cli.payloads.quantities import parse_duration, parse_share
from eda_cli.payloads.ranges import is_range

MOST_RANKS = 1_000_000  # of one zipf(…)

_harmonic: list[float] = []  # sums of 1/1 … 1/n: the same table serves every zipf(…)


class Function(NamedTuple):
    """One function: how it is written, how it becomes source, and what it is for (with an example)."""

    signature: str
    compile: Callable[[Sequence[Argument], Code], str]
    help: str


def compile_call(text: str, code: Code) -> str | None:
    """The source of the call, or None when the text is none. Raises Refused.

    A lower-case name with brackets is always meant as a call: one that is unknown is an error, not a text.
    """
    call = split_call(text)
    if call is None:
        name, opened, rest = text.partition("(")
        if opened and name in FUNCTIONS and ")" not in rest:
            raise Refused(f"'{shown(text)}' has no closing bracket", "",
                          f"write {FUNCTIONS[name].signature}, in quotes inside {{…}} or […]")
        return None
    name, inner = call
    if name not in FUNCTIONS:
        if name != name.lower() and name.lower() not in FUNCTIONS:
            return None
        raise no_aggregate(name, inner) if is_path(inner) and code.scope == "rule" else _unknown(name, text)
    if "{{" in inner:
        raise Refused(f"'{shown(text)}' has a template among its arguments", "functions take plain arguments",
                      "write one template, or {$pick: [\"{{ … }}\", …]} for a choice of them")
    return FUNCTIONS[name].compile(read_arguments(name, inner), code)


def _unknown(name: str, text: str) -> Refused:
    lower = name.lower()
    if lower in FUNCTIONS:
        hint = f"did you mean {FUNCTIONS[lower].signature}?"
    elif lower in _MEANT:
        hint = f"did you mean {_MEANT[lower]}?"
    else:
        hint = did_you_mean(lower, FUNCTIONS, "{}(…)")
    for_text = f'as a text write {{$literal: "{shown(text)}"}}'
    if lower in _LATER or lower.startswith("faker."):
        return Refused(f"there is no function '{shown(name)}'", f"it {NOT_YET}", f"leave it out, or {for_text}")
    return Refused(f"there is no function '{shown(name)}'", f"known are {', '.join(FUNCTIONS)}",
                   f"{hint} {for_text}" if hint else for_text)


def _wrong(name: str, why: str) -> NoReturn:
    signature, _, help = FUNCTIONS[name]
    raise Refused(f"{name}(…) has wrong arguments", why, f"write {signature}: {help}")


def _uuid(arguments: Sequence[Argument], code: Code) -> str:
    if arguments:
        _wrong("uuid", "it takes none")
    code.use("uuid")
    return "uuid()"


def _seq(arguments: Sequence[Argument], code: Code) -> str:
    if code.scope != "generator":
        raise Refused("seq(…) counts the events of a generator", "its body and headers alone can have it",
                      "take a field of the event, such as $.id")
    start = arguments[0].value if arguments else 1
    if len(arguments) > 1 or type(start) is not int or abs(start) >= 1 << 62:
        _wrong("seq", "it takes the whole number to begin with")
    code.use("number")
    return f"{code.constant(start)} + number"


def _now(arguments: Sequence[Argument], code: Code) -> str:
    if len(arguments) > 1:
        _wrong("now", "it takes one duration at most")
    offset = 0.0
    if arguments:
        written = arguments[0].text
        try:
            offset = parse_duration(written[1:] if written[:1] in ("+", "-") else written)
        except ValueError as wrong:
            _wrong("now", str(wrong))
        if written.startswith("-"):
            offset = -offset
    code.use("now")
    moment = f"now + {code.constant(offset)}" if offset else "now"
    return f"{code.constant(rfc3339)}({moment})"


def _pick(arguments: Sequence[Argument], code: Code) -> str:
    if not arguments:
        _wrong("pick", "it takes one option at least")
    for argument in arguments:
        if not argument.quoted and _is_value(argument.text):
            said = shown(argument.text)
            raise Refused(f"pick(…) cannot hold '{said}'", "its options are plain texts and numbers",
                          f"write {{$pick: [\"{said}\", …]}}, or quote it to mean the text")
    code.use("draw")
    options = code.constant(tuple(argument.value for argument in arguments))
    return f"{options}[int((draw() - 1.0) * {code.constant(len(arguments))})]"


def _is_value(text: str) -> bool:
    call = split_call(text)
    return (call is not None and (call[0] in FUNCTIONS or call[0] in AGGREGATES)) or is_range(text) or is_path(text)


def _chance(arguments: Sequence[Argument], code: Code) -> str:
    if len(arguments) != 1:
        _wrong("chance", "it takes one share")
    try:
        share = parse_share(arguments[0].text)
    except ValueError as wrong:
        _wrong("chance", str(wrong))
    code.use("draw")
    return f"draw() < {code.constant(1.0 + share)}"


def _zipf(arguments: Sequence[Argument], code: Code) -> str:
    ranks = arguments[0].value if arguments else None
    if not 1 <= len(arguments) <= 2 or type(ranks) is not int or not 1 <= ranks <= MOST_RANKS:
        _wrong("zipf", f"it takes how many there are, 1 to {MOST_RANKS:,}, and what to write before each")
    for rank in range(len(_harmonic) + 1, ranks + 1):
        _harmonic.append((_harmonic[-1] if _harmonic else 0.0) + 1.0 / rank)
    code.use("draw")
    total = code.constant(_harmonic[ranks - 1])
    drawn = (f"{code.constant(bisect_right)}({code.constant(_harmonic)}, (draw() - 1.0) * {total}, 0, "
             f"{code.constant(ranks - 1)}) + 1")
    return f'f"{{{code.constant(arguments[1].text)}}}{{{drawn}}}"' if len(arguments) == 2 else drawn


def _normal(arguments: Sequence[Argument], code: Code) -> str:
    numbers = [argument.number for argument in arguments]
    if len(numbers) != 2 or None in numbers:
        _wrong("normal", "it takes two numbers, the mean and the standard deviation")
    mean, deviation = (float(number) for number in numbers if number is not None)
    if deviation < 0 or max(abs(mean), deviation) > 1e15:
        _wrong("normal", "the standard deviation is not negative, and no number is over 1e15")
    decimals = min(12, 2 + max(len(argument.text.partition(".")[2]) for argument in arguments))

    def normal(first: float, second: float) -> float:
        """Box and Muller, of two numbers in [1, 2); rounded, because logarithms differ in their last bit."""
        drawn = mean + deviation * sqrt(-2.0 * log(2.0 - first)) * cos(2.0 * pi * second)
        return round(drawn, decimals) + 0.0  # no negative zero

    code.use("draw")
    return f"{code.constant(normal)}(draw(), draw())"


FUNCTIONS: dict[str, Function] = {
    "uuid": Function("uuid()", _uuid, "a uuid of version 4"),
    "seq": Function("seq(1000)", _seq, "a counter that begins at 1000, or at 1: seq()"),
    "now": Function("now(-1h)", _now, "the time now, or so much before or after it: now(), now(5m)"),
    "pick": Function("pick(A, B)", _pick, "one of them, each as likely: pick(A, \"B, C\", 3)"),
    "chance": Function("chance(10%)", _chance, "true as often as said, else false: chance(10%)"),
    "zipf": Function("zipf(200, user-)", _zipf,
                     "user-1 to user-200, the first ones most often; a number without the text: zipf(200)"),
    "normal": Function("normal(50, 10)", _normal,
                       "a number around 50 with a standard deviation of 10, two decimals more than written"),
}

_LATER = frozenset({"faker", "pattern", "walk"})
_RANDOM_NUMBER = "a range such as 1..5 or 5.00..250.00"
_MEANT = {
    **dict.fromkeys(("guid", "uuid4", "uuidv4", "id"), "uuid()"),
    **dict.fromkeys(("sequence", "counter", "count", "serial", "increment", "autoincrement"), "seq(1000)"),
    **dict.fromkeys(("timestamp", "datetime", "date", "time", "today"), "now()"),
    **dict.fromkeys(("choice", "choose", "oneof", "one_of", "select", "sample", "enum"), "pick(A, B)"),
    **dict.fromkeys(("bool", "boolean", "probability", "maybe"), "chance(10%)"),
    **dict.fromkeys(("gauss", "gaussian", "gaussianvariate", "normalvariate"), "normal(50, 10)"),
    **dict.fromkeys(("random", "rand", "randint", "random_int", "randrange", "uniform", "between", "range",
                     "int", "integer", "float", "number"), _RANDOM_NUMBER),
}
