"""What a replica of a generator has left to publish or holds back, and the faults of its events so far. Knows no channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from eda_cli.journal import last_counts
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.faults import Faulty
from eda_cli.stubs.held import Going, Held
from eda_cli.stubs.numbers import Batch, Spool
from eda_cli.stubs.part import Part
from eda_cli.stubs.shelf import Shelf

FAULTED = "faulted"  # the kind under which the journal counts events by their faults


class Stock:
    """As its spool says; `left` is the last batch, and whether it may still have to be published."""

    def __init__(self, part: Part, generator: Generator, process: str) -> None:
        self.process = process
        self._counted = last_counts(part.folder / f"{process}.jsonl").get(FAULTED, {})
        self.spool = Spool(part.folder, process)
        self.left = self.spool.pending()
        self._shelf = Shelf(part.folder, part.name, process)
        self._shelf.put(self.left[0].held)  # a kill may have come between the two
        self.held = Held(self._shelf.all())
        self.faults = Faulty(generator.faults, part.seed, part.name, self.held, self.left[0].faulted or self._counted)

    def store(self, numbers: range, going: Going, change: Sequence[Any] | None = None, told: bytes | None = None) -> Batch:
        """Keep what is about to be published, what is held back, what changes of the entities, and what is told of it."""
        batch = Batch(numbers, going.events, going.faults, self.held.changed(), dict(self.faults.faulted), change, told)
        self.spool.store(batch)
        self._shelf.put(batch.held)
        return batch

    def keep(self, numbers: range) -> None:
        """Store what is held and counted, with nothing to publish: all of these numbers is."""
        self.store(numbers, Going())
        self.spool.stored()

    def take_over(self, other: Stock) -> None:
        """Hold what the other one held, and count what it did not come to count."""
        self.held.take_over(other.held)
        uncounted = other.faults.faulted - Counter(other._counted)
        self.faults.faulted += uncounted
        other.faults.faulted -= uncounted

    def close(self) -> None:
        """Let go of its files."""
        self._shelf.close()
        self.spool.close()
