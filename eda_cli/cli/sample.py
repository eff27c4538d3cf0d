"""`sample`: the events of a generator, and what their fields contain, without any run. Knows no channel."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, with_examples
from eda_cli.cli.up import DEFAULT_SKETCH
from eda_cli.errors import EdaError, UsageError

if TYPE_CHECKING:
    from eda_cli.cli.fields import Field
    from eda_cli.event import Event
    from eda_cli.payloads import PayloadError
    from eda_cli.sketch.resolved import Generator, Resolved

SHOWN = 20  # events, where nobody says how many
LOOKED_AT = 1_000  # the same for --stats
MOST = 1_000_000
TRIES = 1_000  # numbers for each event at most: the others are dropped or cannot be made
SEEDS = 1_000_000  # as of a run that names none
CUT = 40  # characters of a value in a table
MEASURES = ("MIN", "MEAN", "P50", "P99", "MAX")  # of numbers
WIDE = 120  # columns of a terminal in which they have one each
NAMED = 0.05  # the share of the most frequent number, at least: where all are rarer, the measures say more than their names


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda sample",
                "eda sample webshop shop.yaml -n 100",
                "eda sample webshop --stats",
                "eda sample shop.yaml --seed 7 | jq .data"))(sample)


def sample(
    generator: Annotated[str | None, typer.Argument(metavar="GENERATOR", show_default=False,
                                                    help="May be left out where there is only one.")] = None,
    sketch: Annotated[Path | None, typer.Argument(metavar="SKETCH", show_default=False,
                                                  help="The sketch; default: sketch.yaml here.")] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", min=1, max=MOST, show_default=False,
                                              help=f"How many events ({SHOWN}, with --stats {LOOKED_AT:,}).")] = None,
    stats: Annotated[bool, typer.Option("--stats", help="What their fields contain, instead of the events.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of all random values.")] = None,
    json: Json = False,
) -> None:
    """Show events as a generator of a sketch would publish them.

    Nothing is started, and nothing is published. They come in the order of its schedule, which begins now, and with its faults.
    """
    from eda_cli.sketch.load import load

    if sketch is None and generator is not None and generator.endswith((".yaml", ".yml")):
        sketch, generator = Path(generator), None
    path = sketch or DEFAULT_SKETCH
    resolved = load(path).resolved  # what looks unintended in it is a matter of check
    part = _generator(resolved, generator, path, "--stats" if stats else "")
    chosen = seed if seed is not None else resolved.seed
    if chosen is None:
        chosen = random.randrange(SEEDS)
        console.say(f"seed {chosen}; the same events again: --seed {chosen}", "dim")
    events = _Events(resolved, part, chosen, count or (LOOKED_AT if stats else SHOWN))
    if stats:
        _show_fields(events, json)
    else:
        for event in events:
            console.write_line(_line(event, part.publishes))
    events.tell()


def _generator(resolved: Resolved, name: str | None, path: Path, how: str) -> Generator:
    """The generator of this name, or the only one; `how` it is to be shown. Raises UsageError."""
    import shlex

    from eda_cli.sketch.words import did_you_mean

    there = resolved.generators
    sketch = [] if path == DEFAULT_SKETCH else [shlex.quote(str(path))]
    named = f"generators of {path}: {', '.join(there) or 'none'}"
    if name is None:
        if not there:
            raise UsageError("there is no generator", named)
        if len(there) > 1:
            words = ("eda sample", next(iter(there)), *sketch, how)
            raise UsageError("which generator?", named, f"name one: {' '.join(words).rstrip()}")
        return next(iter(there.values()))
    if name in there:
        return there[name]
    if name in resolved.consumers:
        raise UsageError(f"'{name}' is a consumer", "what it publishes follows from what it hears, so that there is no sample",
                         f"let it run: eda up; {named}")
    raise UsageError(f"there is no generator '{name}'", named, did_you_mean(name, there))


class _Events:
    """So many events of a generator, but for those that cannot be made."""

    def __init__(self, resolved: Resolved, part: Generator, seed: int, many: int) -> None:
        from eda_cli.stubs.sampled_lookups import Others
        from eda_cli.stubs.sampling import TOGETHER, sampled, wanted_of

        now = time.time()
        make = Others(resolved, seed, now).maker(part)
        self._made = sampled(make, part, seed, islice(wanted_of(part, seed, now), many * TRIES), min(many, TOGETHER))
        self._wanted = many
        self._failed: list[PayloadError] = []
        self._came = 0
        self._dropping = part.faults is not None and part.faults.drop > 0

    def __iter__(self) -> Iterator[Event]:
        return islice(self._those_that_came(), self._wanted)

    def _those_that_came(self) -> Iterator[Event]:
        for one in self._made:
            if isinstance(one, EdaError):
                self._failed.append(one)
                if len(self._failed) >= self._wanted and not self._came:
                    return  # it is not by chance
            else:
                self._came += 1
                yield one

    def tell(self) -> None:
        """Say what is missing. Raises EdaError where nothing came at all."""
        if self._failed:
            why, missing = self._failed[0].line, self._wanted - self._came
            if not self._came:
                raise EdaError(f"{console.events(len(self._failed))} could not be made", why)
            many = f"{missing:,} of {console.events(self._wanted)}" if missing else f"{len(self._failed):,} others"
            console.say(f"warning: {many} could not be made: {why}", "yellow")
        elif not self._came:
            if not self._dropping:
                raise EdaError("there is no event", "its schedule has none", "see its stages in the sketch")
            raise EdaError("there is no event", "all of them are dropped", "see faults of the generator in the sketch")
        if self._came < self._wanted:
            console.say(f"these are all: {console.events(self._came)}", "dim")


def _line(event: Event, topic: str) -> bytes:
    """As `tail --json` writes it, but for its place, which it has none."""
    import orjson

    from eda_cli.event import to_line

    return to_line(event)[:-1] + b',"topic":' + orjson.dumps(topic) + b"}"


def _show_fields(events: _Events, json: bool) -> None:
    from eda_cli.cli.fields import fields_in

    fields = fields_in(events)
    if json or not fields:
        for field in fields:
            console.write_json(field.to_json())
        return
    width = console.width()
    measures = MEASURES if width is None or width >= WIDE else ()
    columns = ("FIELD", "TYPE", "NULL", "ABSENT", "DISTINCT", *measures, "VALUES")
    console.print_table(columns, [_row(field, measures) for field in fields], right=columns[2:-1])


def _row(field: Field, measures: Sequence[str]) -> Sequence[str]:
    """Where there is no room for columns of their own, the measures stand beside the values."""
    from eda_cli.cli.fields import Numbers
    from eda_cli.view.escape import escaped

    types = [*field.shares] or ["null"]
    frequent = field.frequent
    if field.numbers and frequent and frequent[0][1] < NAMED:
        frequent = []
    values = [", ".join(f"{escaped(value, CUT)} {_share(share)}" for value, share in frequent)]
    figures = [""] * len(measures)
    if field.numbers:
        numbers = Numbers.of(field.numbers)
        told = {name: _number(getattr(numbers, name.lower())) for name in MEASURES}
        figures = [told[name] for name in measures]
        among = "" if any(values) else "".join(f", {name.lower()} {told[name]}" for name in ("P50", "P99", "MEAN"))
        values = [numbers.bar, *([] if measures else [f"{told['MIN']}..{told['MAX']}{among}"]), *values]
    if len(types) > 1:
        values = [", ".join(f"{name} {_share(share)}" for name, share in field.shares.items()), *values]
    distinct = f"{len(field.values):,}" if field.values else ""
    return (escaped(field.path, CUT), types[0] if len(types) == 1 else "mixed", _share(field.null), _share(field.absent),
            distinct, *figures, "  ".join(filter(None, values)))


def _share(share: float) -> str:
    """Nothing where it never is; near nothing and near all tenths matter."""
    return "" if share <= 0 else f"{share:.1%}" if share < 0.0995 or 0.995 <= share < 1 else f"{share:.0%}"


def _number(value: float) -> str:
    """Four digits say enough."""
    if value and not 1e-3 <= abs(value) < 1e15:
        return f"{value:.2e}"
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{sign}"
    return f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.4g}"
