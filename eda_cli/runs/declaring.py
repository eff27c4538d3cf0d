"""Which sketch is to be made live: one at a time, and of two wishes the newer. Pure: the caller brings the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eda_cli.runs.plan import backoff
from eda_cli.sketch.resolved import Resolved


@dataclass(frozen=True, slots=True)
class Wished:
    """A sketch that is to be live. `text` None: it is in the folder already; `ids` name it to those who wait for it.

    `by_touch`: it is what runs, with knobs turned.
    """

    sketch: Resolved
    text: str | None = None
    ids: tuple[str, ...] = ()
    by_touch: bool = False


class Declaring:
    """The sketch whose topics and groups are being made by a process, and the one that comes after it."""

    def __init__(self, first: Wished) -> None:
        self._first: Wished | None = first  # until one was declared
        self._next: Wished | None = first
        self._under_way: Wished | None = None
        self._answered = False  # the process has said what came of it, and has not ended yet
        self._not_before = 0.0
        self._failures = 0

    def wish(self, wished: Wished) -> None:
        """This is to be live. What was wished before and not begun is forgotten: who waits for that is answered with this."""
        self._next = replace(wished, ids=(*self._next.ids, *wished.ids)) if self._next and self._next.ids else wished

    @property
    def idle(self) -> bool:
        """Whether nothing is being made live, or waits for it."""
        return self._next is None and self._under_way is None

    def begin(self, now: float) -> Wished | None:
        """The one to begin with now; None while a process is at another, or it is too early after a failure."""
        if self._next is None or self._under_way is not None or now < self._not_before:
            return None
        self._under_way, self._next = self._next, None
        return self._under_way

    def declared(self) -> Wished | None:
        """It is done: what that was."""
        self._first = None
        return self._answer()

    def refused(self) -> Wished | None:
        """It cannot be: what that was. The first sketch comes after a newer one that took its place in vain."""
        if self._first is not self._under_way:
            self._next = self._next or self._first
        return self._answer()

    def _answer(self) -> Wished | None:
        self._answered, self._failures = True, 0
        return self._under_way

    def exited(self, now: float) -> float | None:
        """The process ended. One that died without an answer is begun again: after so many seconds."""
        died = self._under_way is not None and not self._answered
        self.interrupted()
        if not died:
            return None
        self._failures += 1
        pause = backoff(self._failures)
        self._not_before = now + pause
        return pause

    def interrupted(self) -> None:
        """Its process is gone: what has no answer is to be begun again, unless there is a newer wish."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None and not self._answered:
            newer, self._next = self._next, under_way
            if newer is not None:
                self.wish(newer)
        self._answered = False

    def due_in(self, now: float) -> float | None:
        """Seconds until it is worth asking again; None: nothing waits for the clock."""
        return self._not_before - now if self._next is not None and self._not_before > now else None
