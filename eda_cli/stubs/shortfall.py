"""Tells when a generator cannot keep up, and when it can again. Knows neither its schedule nor its events."""

from __future__ import annotations

from eda_cli.journal import Journal

FIRST_S = 1.0  # from the first loss until it is told, with the rates of that time
AGAIN_S = 5.0  # from then on until it is told again


class Shortfall:
    """Counts the events of a topic that were given up as `behind`, and tells the rates that were wished and reached.

    What could not be published because the channel refused is told as that: nobody was too slow.
    """

    def __init__(self, journal: Journal, topic: str, now: float) -> None:
        self._journal = journal
        self._topic = topic
        self._since = now
        self._made = self._lost = self._troubles = 0  # all that there were when the window began
        self._counted = 0
        self._behind = False

    def see(self, now: float, made: int, lost: int, troubles: int) -> None:
        """Hear of all that was made, given up and refused so far, whenever events were looked for."""
        if missed := lost - self._counted:
            self._counted = lost
            self._journal.count_events("behind", self._topic, missed)
            if troubles > self._troubles:
                self._journal.tell("behind", lost=missed, refused=True)
        in_time = not self._behind and lost == self._lost
        if troubles > self._troubles or in_time:
            self._begin(now, made, lost, troubles)
        elif now - self._since >= (AGAIN_S if self._behind else FIRST_S):
            self._tell(now - self._since, made - self._made, lost - self._lost)
            self._begin(now, made, lost, troubles)

    def _tell(self, seconds: float, made: int, lost: int) -> None:
        if lost:
            self._journal.tell("behind", lost=lost, wished=round((made + lost) / seconds, 3), reached=round(made / seconds, 3))
        elif self._behind:
            self._journal.tell("in_time")
        self._behind = lost > 0

    def _begin(self, now: float, made: int, lost: int, troubles: int) -> None:
        self._since, self._made, self._lost, self._troubles = now, made, lost, troubles
