"""Which dead letters of a topic are meant, and how many of them are left alone. Publishes nothing."""

from __future__ import annotations

from collections import Counter
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
        self._before: Counter[str | None] = Counter()  # redriven before; by id, where ids are asked for
        self._others: Counter[str | None] = Counter()  # no dead letters

    def pick(self, deliveries: Iterable[Delivery], count: int | None) -> Iterable[Letter]:
        """Those that are meant, the oldest `count` of them. Raises EdaError where an id is not there or not the only one."""
        letters: Iterable[Letter] = self._meant(deliveries)
        if self._found:
            letters = list(letters)
            wanted = self._ids()
            letters = [letter for letter in letters if letter.delivery.event.id in wanted]
            for left in (self._before, self._others):
                for id_ in left.keys() - wanted:
                    del left[id_]
        return letters if count is None else nsmallest(count, letters, key=lambda letter: letter.delivery.published)

    def _meant(self, deliveries: Iterable[Delivery]) -> Iterator[Letter]:
        from eda_cli.dead_letter import revived

        for delivery in deliveries:
            if not (self._chosen(delivery) and self._named(delivery.event.id)):
                continue
            id_ = delivery.event.id if self._found else None
            if (back := revived(delivery.event)) is None:
                self._others[id_] += 1
            elif delivery in self._redriven and not self._again:
                self._before[id_] += 1
            else:
                yield Letter(delivery, *back)

    def _named(self, id_: str | None) -> bool:
        begins = [begin for begin in self._found if id_ is not None and id_.startswith(begin)]
        for begin in begins:
            self._found[begin].add(str(id_))
        return bool(begins) or not self._found

    def _ids(self) -> set[str]:
        """The ids that are asked for: those that are given in full, and else the only one that begins so."""
        wanted: set[str] = set()
        for begin, ids in self._found.items():
            if not ids:
                raise EdaError(f"no event in {self.topic} has an id that begins with '{begin}'", "",
                               f"see them with: eda redrive {self.topic} --dry-run")
            if begin not in ids and len(ids) > 1:
                raise UsageError(f"--id {begin} is how several ids begin", ", ".join(sorted(ids)[:5]), "write more of it")
            wanted |= {begin} if begin in ids else ids
        return wanted

    def told(self) -> str:
        """Which are left alone, and why; empty where there are none."""
        said = []
        if self._before:
            said.append(f"{console.events(self._before.total())} redriven before (with --again these too)")
        if self._others:
            said.append(f"{console.events(self._others.total())} without the header dead-letter-topic left alone")
        return ", ".join(said)
