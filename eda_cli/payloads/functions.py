"""The functions of the value language, `uuid()` to `faker.name()`: their table. Knows no maps, paths and templates.

A new one is a function from its arguments to source (see `code`), and one line in FUNCTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from eda_cli.event import rfc3339
from eda_cli.payloads.aggregates import AGGREGATES, no_aggregate
from eda_cli.payloads.arguments import Argument, WrongArguments, read_arguments, split_call
from eda_cli.payloads.code import Code
from eda_cli.payloads.distributions import exponential, lognormal, normal, poisson, zipf
from eda_cli.payloads.fakers import compile_faker
from eda_cli.payloads.paths import is_path
from eda_cli.payloads.patterns import pattern
from eda_cli.payloads.problems import Refused, did_you_mean, shown
from eda_cli.payloads.quantities import parse_duration, parse_share
from eda_cli.payloads.ranges import is_range
from eda_cli.payloads.walks import walk


class Function(NamedTuple):
    """One function: how it is written, how it becomes source, and what it is for (with an example)."""

    signature: str
    compile: Callable[[str, str, Code], str]  # of its name and what stands between the brackets; may raise WrongArguments
    help: str


_FAKER = "faker."  # a name that begins so has its line in FUNCTIONS under _FAKED
_FAKED = "faker.name"


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
    function = FUNCTIONS.get(_FAKED if name.startswith(_FAKER) else name)
    if function is None:
        lower = name.lower()
        if name != lower and lower not in FUNCTIONS and not lower.startswith(_FAKER):
            return None
        raise no_aggregate(name, inner) if is_path(inner) and code.scope == "rule" else _unknown(name, text)
    if "{{" in inner:
        raise Refused(f"'{shown(text)}' has a template among its arguments", "functions take plain arguments",
                      "write one template, or {$pick: [\"{{ … }}\", …]} for a choice of them")
    try:
        return function.compile(name, inner, code)
    except WrongArguments as wrong:
        raise Refused(f"{name}(…) has wrong arguments", str(wrong), f"write {function.signature}: {function.help}") from wrong


def _reads(compile: Callable[[Sequence[Argument], Code], str]) -> Callable[[str, str, Code], str]:
    """The same of what stands between the brackets, which commas separate."""
    return lambda name, inner, code: compile(read_arguments(name, inner), code)


def _unknown(name: str, text: str) -> Refused:
    lower = name.lower()
    if lower in FUNCTIONS:
        hint = f"did you mean {FUNCTIONS[lower].signature}?"
    elif lower.startswith(_FAKER):
        hint = f"did you mean {shown(lower)}(…)?"
    elif lower in _MEANT:
        hint = f"did you mean {_MEANT[lower]}?"
    else:
        hint = did_you_mean(lower, FUNCTIONS, "{}(…)")
    for_text = f'as a text write {{$literal: "{shown(text)}"}}'
    known = ", ".join("faker.NAME" if one == _FAKED else one for one in FUNCTIONS)
    return Refused(f"there is no function '{shown(name)}'", f"known are {known}",
                   f"{hint} {for_text}" if hint else for_text)


def _uuid(arguments: Sequence[Argument], code: Code) -> str:
    if arguments:
        raise WrongArguments("it takes none")
    code.use("uuid")
    return "uuid()"


def _seq(arguments: Sequence[Argument], code: Code) -> str:
    if code.scope != "generator":
        raise Refused("seq(…) counts the events of a generator", "its body and headers alone can have it",
                      "take a field of the event, such as $.id")
    start = arguments[0].value if arguments else 1
    if len(arguments) > 1 or type(start) is not int or abs(start) >= 1 << 62:
        raise WrongArguments("it takes the whole number to begin with")
    code.use("number")
    return f"{code.constant(start)} + number"


def _now(arguments: Sequence[Argument], code: Code) -> str:
    if len(arguments) > 1:
        raise WrongArguments("it takes one duration at most, or a range of them")
    written = arguments[0].text if arguments else "0s"
    bounds = written.split("..") if ".." in written else [written, written]
    if len(bounds) != 2:
        raise WrongArguments("it takes one duration at most, or a range of them")
    try:
        low, high = map(_offset, bounds)
    except ValueError as wrong:
        raise WrongArguments(str(wrong)) from wrong
    if low > high:
        raise WrongArguments(f"{written} begins behind its end")
    code.use("now")
    moment = f"now + {code.constant(low)}" if low else "now"
    if low < high:
        code.use("draw")
        moment += f" + (draw() - 1.0) * {code.constant(high - low)}"
    return f"{code.constant(rfc3339)}({moment})"


def _offset(written: str) -> float:
    """Seconds from now, `-1h` or `5m`. Raises ValueError."""
    seconds = parse_duration(written[1:] if written[:1] in ("+", "-") else written)
    return -seconds if written.startswith("-") else seconds


def _pick(arguments: Sequence[Argument], code: Code) -> str:
    if not arguments:
        raise WrongArguments("it takes one option at least")
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
    if call is not None and (call[0] in FUNCTIONS or call[0] in AGGREGATES or call[0].startswith(_FAKER)):
        return True
    return is_range(text) or is_path(text)


def _chance(arguments: Sequence[Argument], code: Code) -> str:
    if len(arguments) != 1:
        raise WrongArguments("it takes one share")
    try:
        share = parse_share(arguments[0].text)
    except ValueError as wrong:
        raise WrongArguments(str(wrong)) from wrong
    code.use("draw")
    return f"draw() < {code.constant(1.0 + share)}"


FUNCTIONS: dict[str, Function] = {
    "uuid": Function("uuid()", _reads(_uuid), "a uuid of version 4"),
    "seq": Function("seq(1000)", _reads(_seq), "a counter that begins at 1000, or at 1: seq()"),
    "now": Function("now(-1h)", _reads(_now), "the time now, or so much before or after it: now(), now(5m), now(5m..15m)"),
    "pick": Function("pick(A, B)", _reads(_pick), "one of them, each as likely: pick(A, \"B, C\", 3)"),
    "chance": Function("chance(10%)", _reads(_chance), "true as often as said, else false: chance(10%)"),
    "zipf": Function("zipf(200, user-)", _reads(zipf),
                     "user-1 to user-200, the first ones most often; a number without the text: zipf(200)"),
    "normal": Function("normal(50, 10)", _reads(normal),
                       "a number around 50 with a standard deviation of 10, two decimals more than written; within bounds: "
                       "normal(50, 10, 0..100)"),
    "lognormal": Function("lognormal(3, 0.5)", _reads(lognormal),
                          "a number whose logarithm is normal, here around 20 with some far above; within bounds: "
                          "lognormal(3, 0.5, 1..200)"),
    "exponential": Function("exponential(30)", _reads(exponential),
                            "a span of time, say, of 30 on average; within bounds: exponential(30, 0..300)"),
    "poisson": Function("poisson(4)", _reads(poisson),
                        "a whole number, as often as something happens that happens 4 times on average; within bounds: "
                        "poisson(4, 1..10)"),
    "walk": Function("walk(21, 0.2, 15..30)", _reads(walk),
                     "a measurement that begins at 21 and changes by about 0.2 from event to event, within bounds; each entity "
                     "begins elsewhere: walk(15..25, 0.2)"),
    "pattern": Function("pattern([A-Z]{3}-\\d{4})", pattern, "a text that the regular expression matches"),
    _FAKED: Function("faker.name()", compile_faker,
                           "what the library Faker makes: faker.city(locale=de_DE), from a pool of faker.name(pool=5000), "
                           "or each once: faker.unique.email()"),
}

_RANDOM_NUMBER = "a range such as 1..5 or 5.00..250.00"
_MEANT = {
    **dict.fromkeys(("guid", "uuid4", "uuidv4", "id"), "uuid()"),
    **dict.fromkeys(("sequence", "counter", "count", "serial", "increment", "autoincrement"), "seq(1000)"),
    **dict.fromkeys(("timestamp", "datetime", "date", "time", "today"), "now()"),
    **dict.fromkeys(("choice", "choose", "oneof", "one_of", "select", "sample", "enum"), "pick(A, B)"),
    **dict.fromkeys(("bool", "boolean", "probability", "maybe"), "chance(10%)"),
    **dict.fromkeys(("faker", "fake"), "faker.name()"),
    **dict.fromkeys(("regex", "regexify", "bothify"), "pattern([A-Z]{3}-\\d{4})"),
    **dict.fromkeys(("expovariate", "exp"), "exponential(30)"),
    **dict.fromkeys(("lognormvariate", "log_normal"), "lognormal(3, 0.5)"),
    **dict.fromkeys(("drift", "brownian", "random_walk"), "walk(21, 0.2, 15..30)"),
    **dict.fromkeys(("gauss", "gaussian", "gaussianvariate", "normalvariate"), "normal(50, 10)"),
    **dict.fromkeys(("random", "rand", "randint", "random_int", "randrange", "uniform", "between", "range",
                     "int", "integer", "float", "number"), _RANDOM_NUMBER),
}
