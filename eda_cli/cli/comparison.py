"""How a comparison reads: a table with a column for each broker, or an object for each. Knows no run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from eda_cli.cli import console
from eda_cli.cli.compared import Figures, GroupFigures, Spread
from eda_cli.errors import EdaError
from eda_cli.technologies import TECHNOLOGIES, Ability

Cell = Callable[["Told", "Figures"], str]


@dataclass(slots=True)
class Told:
    """What is known of one broker's run. `ready_s`: from asking for the run until all of it was ready."""

    broker: str
    seed: int
    for_s: float
    version: str = ""
    ready_s: float | None = None
    figures: Figures | None = None
    error: EdaError | None = None

    def to_json(self) -> dict[str, Any]:
        """As one line tells it; what is not known is null."""
        one, figures = TECHNOLOGIES[self.broker], self.figures
        measured = None if figures is None else {
            "published": sum(figures.published.values()),
            **{field.name: figures.total(field.name) for field in fields(GroupFigures)},
            "received_ms": figures.received and asdict(figures.received),
            "handled_ms": figures.handled and asdict(figures.handled),
            "restarts": figures.restarts,
            "topics": figures.published,
            "groups": {name: asdict(group) for name, group in figures.groups.items()}}
        error = self.error
        return {"broker": self.broker, "version": self.version or None, "seed": self.seed, "for_s": self.for_s,
                "ready_s": self.ready_s, **(measured or {}),
                "lacks": {ability.name.lower(): why for ability, why in one.lacks.items()},
                "error": error and {"what": error.what, "why": error.why, "hint": error.hint, "exit_code": error.exit_code}}


MEASURES: Sequence[tuple[str, Cell]] = (
    ("events published", lambda told, seen: f"{sum(seen.published.values()):,}"),
    ("events handled", lambda told, seen: f"{seen.total('handled'):,}"),
    ("skipped", lambda told, seen: f"{seen.total('skipped'):,}"),
    ("dead-lettered", lambda told, seen: f"{seen.total('dead_lettered'):,}"),
    ("given up", lambda told, seen: f"{seen.total('given_up'):,}"),
    ("lost", lambda told, seen: f"{seen.total('lost'):,}"),
    ("unfinished", lambda told, seen: f"{seen.total('unfinished'):,}"),
    ("duplicated", lambda told, seen: f"{seen.total('duplicated'):,}"),
    ("out of order per key", lambda told, seen: f"{seen.total('out_of_order'):,}"),
    ("ms until received, p50", lambda told, seen: _ms(seen.received, "p50")),
    ("ms until received, p99", lambda told, seen: _ms(seen.received, "p99")),
    ("ms until handled, p50", lambda told, seen: _ms(seen.handled, "p50")),
    ("ms until handled, p99", lambda told, seen: _ms(seen.handled, "p99")),
    ("s until ready", lambda told, seen: f"{told.ready_s:.1f}"),
    ("crashed parts", lambda told, seen: f"{seen.restarts:,}"),
)
ONLY_IF_ANY = {"skipped", "dead-lettered", "given up", "unfinished", "crashed parts"}  # rows that say nothing where all are 0


def table(told: Sequence[Told]) -> None:
    """Measures are rows, brokers columns; below it the versions, why one failed, and why one cannot do something."""
    rows = [(name, *(_cell(one, cell) for one in told)) for name, cell in MEASURES]
    rows = [row for row in rows if row[0] not in ONLY_IF_ANY or any(cell not in ("0", "–") for cell in row[1:])]
    lacks = {one.broker: TECHNOLOGIES[one.broker].lacks for one in told}
    differing = [ability for ability in Ability if len({ability in each for each in lacks.values()}) > 1]
    rows += [(ability.value, *("no" if ability in lacks[one.broker] else "yes" for one in told)) for ability in differing]
    console.print_table(("", *(one.broker for one in told)), rows, right=[one.broker for one in told])
    for one in told:
        error = one.error
        _say(one.version if error is None else
             "; ".join(filter(None, (f"{one.broker} failed: {error.line}", error.hint))))
        for ability in differing:
            if ability in lacks[one.broker]:
                _say(f"no {ability.value}: {lacks[one.broker][ability]}", indent=2)


def _say(line: str, indent: int = 0) -> None:
    """On a terminal in as many lines as it needs, else in one."""
    from rich.padding import Padding

    from eda_cli.view.escape import escaped

    out = console.out()
    if out.is_terminal:
        out.print(Padding(escaped(line), (0, 0, 0, indent), expand=False))
    else:
        out.print(" " * indent + escaped(line), soft_wrap=True)


def _cell(told: Told, cell: Cell) -> str:
    return cell(told, told.figures) if told.figures is not None and told.error is None else "–"


def _ms(spread: Spread | None, share: str) -> str:
    return "–" if spread is None else f"{getattr(spread, share):,.1f}"
