"""Which dead letters of a topic are meant, and how many of them are left alone. Publishes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

from eda_cli.cli import console
from eda_cli.errors import EdaError, UsageError

if TYPE_CHECKING:
    from eda_cli.cli.chosen import Chosen
    from eda_cli.event import Delivery, Event
    from eda_cli.runs.redriven import Redriven


class Letter(NamedTuple):
    """A dead letter as it lies in its topic, where it came from, and the event as it was there."""

    delivery: Delivery
    origin: str
    event: Event


class Picking:
    """Which dead letters of a topic are redriven, and how many of those that were meant are not."""

    def __init__(self, topic: str, chosen: Chosen, ids: list[str], redriven: Redriven, again: bool) -> None:
        self.topic = topic
        self._chosen = chosen
        self._found: dict[str, set[str]] = {id_: set() for id_ in ids}
        self._redriven = redriven
        self._again = again
        self._before = 0  # redriven before
        self._others = 0  # no dead letters

    def pick(self, deliveries: Iterable[Delivery], count: int | None) -> Iterable[Letter]:
        """Those that are meant, the oldest `count` of them. Raises EdaError where an id is not there or not the only one."""
        letters: Iterable[Letter] = self._meant(deliveries)
        if self._found:
            letters = list(letters)
            self._check_ids()
        return letters if count is None else nsmallest(count, letters, key=lambda letter: letter.delivery.published)

    def _meant(self, deliveries: Iterable[Delivery]) -> Iterator[Letter]:
        from eda_cli.dead_letter import revived

        for delivery in deliveries:
            if not (self._chosen(delivery) and self._named(delivery.event.id)):
                continue
            if (back := revived(delivery.event)) is None:
                self._others += 1
            elif delivery in self._redriven and not self._again:
                self._before += 1
            else:
                yield Letter(delivery, *back)

    def _named(self, id_: str | None) -> bool:
        for begin, ids in self._found.items():
            if id_ is not None and id_.startswith(begin):
                ids.add(id_)
                return True
        return not self._found

    def _check_ids(self) -> None:
        for begin, ids in self._found.items():
            if not ids:
                raise EdaError(f"no event in {self.topic} has an id that begins with '{begin}'", "",
                               f"see them with: eda redrive {self.topic} --dry-run")
            if len(ids) > 1:
                raise UsageError(f"--id {begin} is how several ids begin", ", ".join(sorted(ids)[:5]), "write more of it")

    def told(self) -> str:
        """Which are left alone, and why; empty where there are none."""
        said = []
        if self._before:
            said.append(f"{console.events(self._before)} redriven before (with --again these too)")
        if self._others:
            said.append(f"{console.events(self._others)} without the header dead-letter-topic left alone")
        return ", ".join(said)
