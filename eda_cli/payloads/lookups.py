"""`{$lookup: orders, path: $.id, last: 1000}`: a value from an event that was published earlier. Knows not by whom, nor how
one comes to hear of it: whoever makes the events gives the context what finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eda_cli.payloads.code import Code
from eda_cli.payloads.context import MISSING, Context, Seen
from eda_cli.payloads.dice import Dice
from eda_cli.payloads.problems import InvalidValue, PayloadError, Refused, did_you_mean, shown

if TYPE_CHECKING:
    from eda_cli.payloads.long_forms import Compiler, Path

LAST = 1_000  # events that are looked at where nothing is said
MOST_LAST = 1_000_000
DISTRIBUTIONS = ("uniform", "recent", "zipf")
BESIDE = ("path", "last", "once", "where", "distribution", "of", "else")
_SHAPE = "write {$lookup: orders, path: $.id}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is looked up: in the last so many events of a topic, by the generator `of` (empty: by whichever).

    `once`: each event is used at most once; `stride` is how many one event that is made can use. `take` gives the
    value of an event, or MISSING where it is not one of those that are meant. `otherwise`: there is an `else`.
    """

    topic: str
    of: str
    last: int
    once: bool
    where: str
    distribution: str
    stride: int
    otherwise: bool
    take: Callable[[Seen], Any]


def compile_lookup(compiler: Compiler, raw: Mapping[str, Any], path: Path, whole: bool) -> str:
    """The source of `{$lookup: TOPIC, …}`. Raises Refused."""
    code = compiler.code
    if code.lookups is None:
        raise Refused("$lookup stands in the body of a generator",
                      "a key and a header are made of the event itself" if code.scope in ("key", "generator") else
                      "a consumer asks nobody: it keeps its own copy of what it heard",
                      "take it from the body" if code.scope in ("key", "generator") else
                      "write keeps: {orders: $.id}, and \"{{ copy.orders[key] }}\"")
    lookup = _read(raw, code)
    index = len(code.lookups)
    code.lookups.append(lookup)
    code.use("random", "number", "lookups")
    code.weigh(200)
    found = f"lookups[{index}](random, number)"
    if not lookup.otherwise:
        return found
    otherwise = code.option(compiler.value(raw["else"], (*path, "else")))
    return f"(found{index} if (found{index} := {found}) is not {code.constant(MISSING)} else {code.call(otherwise)})"


def lookups_in(raw: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every `$lookup` in a raw value, with the path of each."""
    if isinstance(raw, Mapping):
        if "$literal" in raw:
            return
        if "$lookup" in raw:
            yield path, raw
        for name in sorted(raw, key=lambda name: bool(name != "$vars")):  # they are made first
            yield from lookups_in(raw[name], (*path, name))
    elif isinstance(raw, list | tuple):
        for at, one in enumerate(raw):
            yield from lookups_in(one, (*path, at))


def last_of(raw: Mapping[str, Any]) -> int:
    """How many events back a `$lookup` looks. Raises Refused."""
    last = raw.get("last", LAST)
    if isinstance(last, bool) or not isinstance(last, int) or not 1 <= last <= MOST_LAST:
        why = f"it is from 1 to {MOST_LAST:,}"
        raise Refused(f"'{shown(last)}' is no number of events", why, "write last: 1000").under("last")
    return last


def once_of(raw: Mapping[str, Any]) -> bool:
    """Whether each event is used at most once. Raises Refused."""
    once = raw.get("once", False)
    if not isinstance(once, bool):
        raise Refused(f"'{shown(once)}' is neither true nor false", "", "write once: true").under("once")
    if once and (said := next((key for key in ("last", "distribution") if key in raw), "")):
        raise Refused(f"$lookup has both 'once' and '{said}'", "with once, each event is taken in its turn",
                      "keep one of them").under(said)
    return once


def _read(raw: Mapping[str, Any], code: Code) -> Lookup:
    topic, of = raw["$lookup"], raw.get("of", "")
    if not isinstance(topic, str) or not topic:
        raise Refused("$lookup names no topic", "", _SHAPE).under("$lookup")
    if not isinstance(of, str):
        raise Refused(f"'{shown(of)}' is no generator", "", "write of: webshop").under("of")
    distribution = raw.get("distribution", "uniform")
    if distribution not in DISTRIBUTIONS:
        raise Refused(f"there is no distribution '{shown(distribution)}'", f"known are {', '.join(DISTRIBUTIONS)}",
                      did_you_mean(str(distribution), DISTRIBUTIONS)).under("distribution")
    where = raw.get("where", "")
    if not isinstance(where, str):
        raise Refused(f"'{shown(where)}' is no expression", "", 'write where: "body.total > 10"').under("where")
    return Lookup(topic, of, last_of(raw), once_of(raw), where, distribution, code.times, "else" in raw,
                  _taker(raw.get("path", "$"), where))


def _taker(path: object, where: str) -> Callable[[Seen], Any]:
    """From an event to what is taken of it; MISSING where `where` does not hold, be it for want of a field."""
    from eda_cli.payloads.compile import compile_condition, compile_value  # which compile this form
    from eda_cli.payloads.paths import is_event_path

    if not isinstance(path, str) or not is_event_path(path):
        raise Refused(f"'{shown(path)}' is no path into an event", "", "write path: $.id, or $ for the whole body").under("path")
    try:
        value = compile_value(path, "key")
    except InvalidValue as wrong:
        raise _refused(wrong).under("path") from None
    try:
        holds = compile_condition(where, "key") if where else None
    except InvalidValue as wrong:
        raise _refused(wrong).under("where") from None
    context = Context(Dice(0), 0.0)

    def take(seen: Seen) -> Any:
        context.seen = seen
        try:
            return value(context) if holds is None or holds(context) else MISSING
        except PayloadError:
            return MISSING

    return take


def _refused(wrong: InvalidValue) -> Refused:
    first = wrong.problems[0]
    return Refused(first.what, first.why, first.hint)
