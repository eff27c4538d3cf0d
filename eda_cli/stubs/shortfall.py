"""Tells when a generator cannot keep up, and when it can again. Knows neither its schedule nor its events."""

from __future__ import annotations

from typing import NamedTuple

from eda_cli.journal import Journal

FIRST_S = 1.0  # from the first loss until it is told, with the rates of that time
AGAIN_S = 5.0  # from then on until it is told again


class Sums(NamedTuple):
    """Of a process since it began: events made, wished by its schedule, and given up; and how often the channel refused."""

    made: int
    wished: float
    lost: int
    troubles: int


class Shortfall:
    """Counts the events of a topic that were given up as `behind`, and tells the rates that were wished and reached.

    What could not be published because the channel refused is told as that: nobody was too slow.
    """

    def __init__(self, journal: Journal, topic: str, now: float) -> None:
        self._journal = journal
        self._topic = topic
        self._since = now
        self._then = Sums(0, 0.0, 0, 0)  # when the window began
        self._counted = 0
        self._behind = False

    def see(self, now: float, sums: Sums) -> None:
        """Hear how far it is, whenever events were looked for."""
        refused = sums.troubles > self._then.troubles
        if missed := sums.lost - self._counted:
            self._counted = sums.lost
            self._journal.count_events("behind", self._topic, missed)
            if refused:
                self._journal.tell("behind", lost=missed, refused=True)
        in_time = not self._behind and sums.lost == self._then.lost
        if not refused and not in_time:
            if now - self._since < (AGAIN_S if self._behind else FIRST_S):
                return
            self._tell(now - self._since, sums)
        self._since, self._then = now, sums

    def _tell(self, seconds: float, sums: Sums) -> None:
        lost = sums.lost - self._then.lost
        if lost:
            self._journal.tell("behind", lost=lost, wished=round((sums.wished - self._then.wished) / seconds, 3),
                               reached=round((sums.made - self._then.made) / seconds, 3))
        elif self._behind:
            self._journal.tell("in_time")
        self._behind = lost > 0
