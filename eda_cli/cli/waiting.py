"""What is waited for, shown while it is: a line that moves on a terminal, lines in a pipe. Knows no run and no command.

From the first word on there is no second in which nothing says what is waited for: on a terminal the line stands there,
in a pipe a wait that is not over at once is a line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eda_cli.cli import console
from eda_cli.view.escape import escaped

if TYPE_CHECKING:
    from rich.text import Text

QUIET_S = 0.4  # a pipe that heard nothing so long is told what is waited for; what is over by then is not worth a line
LOOK_S = 0.05
DETAIL_EVERY_S = 5.0  # and of what is known of it, such as a broker's last log line
DETAIL_LINES = 2  # of a terminal, for what is known
COUNTED_S = 2.0  # a wait that takes longer shows how long


class Waiting:
    """One wait. `update` may be called at any time, from the thread that began it."""

    def __init__(self, text: str) -> None:
        self._text, self._detail = text, ""
        self._since = time.monotonic()
        self._over = threading.Event()
        self._shown: Any = None  # rich's status, or the thread that says it line by line

    @property
    def text(self) -> str:
        return self._text

    def update(self, text: str, detail: str = "") -> None:
        """From now on `text` is waited for; `detail` is what is known of it."""
        if text != self._text:
            self._since = time.monotonic()
        self._text, self._detail = text, detail

    def start(self) -> None:
        if console.can_spin():
            self._shown = console.err().status(self)
            self._shown.start()
        else:
            self._over.clear()
            self._shown = threading.Thread(target=self._say, name="waiting", daemon=True)
            self._shown.start()

    def stop(self) -> None:
        self._over.set()
        if isinstance(self._shown, threading.Thread):
            self._shown.join()
        elif self._shown is not None:
            self._shown.stop()

    def __rich__(self) -> Text:
        """As it is now: rich asks for it whenever it draws."""
        from rich.text import Text

        seconds = time.monotonic() - self._since
        counted = f" {seconds:.0f} s" if seconds >= COUNTED_S else ""
        columns = max(console.err().width - 3, 1)
        line = Text(f"{escaped(self._text)} …{counted}")
        line.truncate(columns, overflow="ellipsis")
        if self._detail:  # a log line begins with its time: in one line with the rest nothing of it would be seen
            line.append(f"\n  {escaped(self._detail, DETAIL_LINES * columns)}", "dim")
        return line

    def _say(self) -> None:
        global _quiet_since
        while not self._over.wait(LOOK_S):
            now, current = time.monotonic(), (self._text, self._detail)
            news = [one for one in current if one and one not in _said]
            if news and now - _quiet_since >= (QUIET_S if current[0] in news else DETAIL_EVERY_S):
                console.say(f"{escaped(current[0])} …" + (f" · {escaped(current[1])}" if current[1] else ""), "dim")
                _said.update(current)
                _quiet_since = now


_now: Waiting | None = None
_said: set[str] = set()  # in a pipe, by whichever wait: several steps reach the same engine, and one line says so
_quiet_since = time.monotonic() - time.process_time()  # about when the command was typed


@contextmanager
def waiting(text: str) -> Iterator[Waiting]:
    """While this goes on, `text` is waited for. Within another wait it stands in its place, and gives it back."""
    global _now
    if (outer := _now) is not None:
        before = outer.text
        outer.update(text)
        try:
            yield outer
        finally:
            outer.update(before)
        return
    _now = Waiting(text)
    _now.start()
    try:
        yield _now
    finally:
        ended, _now = _now, None
        ended.stop()


@contextmanager
def paused() -> Iterator[None]:
    """Something else shows what is waited for, a bar say."""
    outer = _now
    if outer is None:
        yield
        return
    outer.stop()
    try:
        yield
    finally:
        outer.start()
