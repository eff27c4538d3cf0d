"""Python source for a value, built up piece by piece and compiled once. Knows no sketch text.

Everything that comes from a sketch enters the source as the name of a constant, never as text, so that
nothing of a sketch is ever read as code. Expressions may use the names of `_LOCALS`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from eda_cli.payloads.budget import Budget, Memory
from eda_cli.payloads.context import Context, Seen
from eda_cli.payloads.problems import PayloadError, Refused

if TYPE_CHECKING:
    from eda_cli.payloads.lookups import Lookup

Scope = Literal["generator", "rule", "fold", "key"]
Value = Callable[[Context], Any]
Quick = Callable[[Seen], Any]

MOST_ITEMS = 100_000  # of all $lists inside each other together
DEEPEST_LISTS = 8  # $lists inside each other
MOST_PARTS = 20_000  # texts, numbers, lists and maps that one value is built of
LARGEST_BYTES = 10_000_000  # of one value as JSON, by estimate

_LOCALS = {  # what an expression may use, and where it comes from
    "random": "context.random",
    "draw": "context.random.draw",
    "uuid": "context.random.uuid",
    "now": "context.now",
    "number": "context.number",
    "step": "context.step",
    "entity": "context.entity",
    "lookups": "context.lookups",
    "seen": "context.seen or seen_in(context)",
    "vars": "seen.vars = {}",  # new for each event, so that nothing of one is seen in the next
    "budget": "Budget()",
}
_CIRCUMSTANCES = {**dict.fromkeys(("random", "draw", "uuid"), "random"), "now": "now",
                  **{name: name for name in ("number", "step", "entity")}}
_KNOWN_SIZE = frozenset({*_CIRCUMSTANCES, "vars"})  # what is made of these alone is as large as it was weighed
_USED = "@"  # stands for the locals in use, until all of them are known
_FREE_PATHS = 20  # so many `$` paths in one value may copy the event unmeasured


class Variable(NamedTuple):
    """What `$vars.NAME` stands for: how many bytes of JSON by estimate, and whether it can be more than estimated."""

    size: int
    foreign: bool


class Code:
    """The source under construction. `use` announces a local, `constant` names an object."""

    def __init__(self, scope: Scope, lookups: list[Lookup] | None = None) -> None:
        self.scope = scope
        self.lookups = lookups  # those of all values of a body so far; None: no $lookup may stand in it
        self.variables: dict[str, Variable] = {}  # those that may be looked at so far
        self._first: list[str] = []
        self._defining = False
        self._foreign = 0
        self._constants: dict[str, Any] = {"Budget": Budget, "seen_in": seen_in, "int": int, "range": range, "dict": dict}
        self._used: set[str] = set()
        self._options: list[str] = []
        self._parts = 0
        self._bytes = 0
        self._times = 1  # how often the part at hand is made for one event
        self._lists = 0  # how many $lists it stands in
        self._paths = 0
        self._quick: Quick | None = None
        self._places: dict[str, int] = {}
        self._tried = 0
        self.memory = Memory()

    def constant(self, value: Any) -> str:
        """The name under which the source knows this object."""
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def use(self, *names: str) -> None:
        """These locals appear in the expression."""
        self._used.update(names)
        self._foreign += not _KNOWN_SIZE.issuperset(names)

    def define(self, name: str, make: Callable[[], str]) -> None:
        """`vars[name]` is what the expression gives that `make` builds; it is made before the value, once for each."""
        size, foreign = self._bytes, self._foreign
        self._defining = True
        expression = make()
        self._defining = False
        self.variables[name] = Variable(self._bytes - size, self._foreign > foreign)
        self._first.append(f"    vars[{self.constant(name)}] = {expression}\n")
        self.use("seen", "vars")

    def is_paid(self, variable: Variable) -> bool:
        """Whether what looks at the variable at this place pays for it from the budget.

        One that is made of others always does, or a few of them that double each other would be endless.
        """
        self.weigh(variable.size)
        return variable.foreign and (self._defining or self.path_is_measured())

    def quicken(self, quick: Quick | None) -> None:
        """The whole value is what this makes, without a budget; it raises, whatever that is, where it is in doubt."""
        self._quick = quick

    def place(self, text: str) -> str:
        """A name for one more value that is written so, which tells it from the others: for `Dice.place`."""
        self._places[text] = self._places.get(text, 0) + 1
        return f"{text}#{self._places[text]}"

    def count_tried(self) -> int:
        """One more part that is made once to see whether it can be; gives how many there are."""
        self._tried += 1
        return self._tried

    @property
    def in_list(self) -> bool:
        """Whether the part at hand may be made several times for one event."""
        return self._lists > 0

    @property
    def times(self) -> int:
        """How often the part at hand is made at most for one event."""
        return self._times

    @property
    def full(self) -> bool:
        """Whether the value had too many parts already; the first one too many was refused."""
        return self._parts > MOST_PARTS

    def count_part(self) -> None:
        """One more part. Raises Refused for one too many."""
        self._parts += 1
        if self.full:
            raise Refused("the value has too many parts", f"at most {MOST_PARTS:,} are made")

    def weigh(self, size: int) -> None:
        """The part at hand can be so many bytes of JSON."""
        self._bytes += size * self._times

    def path_is_measured(self) -> bool:
        """Whether one more `$` path at this place has to be paid from the budget."""
        self._paths += self._times
        return self._paths > _FREE_PATHS

    @contextmanager
    def repeated(self, times: int) -> Iterator[None]:
        """What is built inside is made up to `times` times. Raises Refused when that is too much."""
        if self._times * times > MOST_ITEMS:
            raise Refused(f"$lists inside each other make {self._times * times:,} items",
                          f"at most {MOST_ITEMS:,} are made", "take smaller sizes")
        if self._lists == DEEPEST_LISTS:
            raise Refused("too many $lists stand inside each other", f"at most {DEEPEST_LISTS} do")
        before = self._times
        self._times, self._lists = before * max(times, 1), self._lists + 1
        try:
            yield
        finally:
            self._times, self._lists = before, self._lists - 1

    def option(self, expression: str) -> str:
        """An expression as a function of its own, so that it runs only when it is called; gives its name."""
        name = f"option{len(self._options)}"
        self._options.append(f"def {name}({_USED}):\n    return {expression}\n")
        return name

    def call(self, option: str) -> str:
        """The source that calls the option which the expression `option` gives."""
        return f"{option}({_USED})"

    def finish(self, expression: str) -> Value:
        """The function that evaluates the expression for a context. Raises Refused when it is too large."""
        if self._bytes > LARGEST_BYTES:
            raise Refused("the value is too large", f"it can grow to {self._bytes / 1e6:,.0f} MB",
                          f"at most {LARGEST_BYTES // 1_000_000} MB make sense in an event")
        used = [name for name in _LOCALS if name in self._used]
        preamble = "".join([f"    {name} = {_LOCALS[name]}\n" for name in used])
        source = "".join(self._options)
        names = dict(self._constants)
        if self._quick is not None:
            names["quick"] = self._quick
            preamble = f"    try:\n        return quick({_LOCALS['seen']})\n    except Exception:\n        pass\n{preamble}"
        elif self._used <= {"seen"}:
            source += f"def quick(seen):\n    return {expression}\n"
        source += f"def value(context):\n{preamble}{''.join(self._first)}    return {expression}\n"
        # Only our own words and the names of constants: see the top of this file.
        exec(compile(source.replace(_USED, ", ".join(used)), "<value>", "exec"), names)
        names["value"].asks = frozenset({_CIRCUMSTANCES[name] for name in used if name in _CIRCUMSTANCES})
        names["value"].quick = names.get("quick")
        names["value"].lookups = tuple(self.lookups or ())
        value: Value = names["value"]
        return value


def quick_of(value: Value) -> Quick | None:
    """The value without a context, where it needs no more than the event: raises, whatever that is, in any doubt."""
    quick: Quick | None = getattr(value, "quick", None)
    return quick


def asks(value: Value | None) -> frozenset[str]:
    """Which of a context's `random`, `now`, `number`, `step` and `entity` the value uses: the others need not be there."""
    return getattr(value, "asks", frozenset())


def lookups_of(value: Value | None) -> tuple[Lookup, ...]:
    """What the value looks up, in the order in which a context has to have it."""
    lookups: tuple[Lookup, ...] = getattr(value, "lookups", ())
    return lookups


def seen_in(context: Context) -> Seen:
    """The event that is looked into."""
    if context.seen is None:
        raise PayloadError("there is no event to look into")
    return context.seen
