"""Own code as a Python function in the stub's own process: called with an event, its return is the answer.

It may be plain or async, a generator or an async generator. Plain code is interrupted by SIGALRM, so it has to run in
the main thread; async code by its loop. Knows not what its answers are for.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import orjson

from eda_cli.event import Delivery, to_line
from eda_cli.log import log
from eda_cli.stubs.answers import KEEP_S, Answer, CodeFailure, GoesOn, shown
from eda_cli.stubs.inbox import lane_of
from eda_cli.stubs.loaded import Loaded, Told, place_of

BLUNT_S = 0.5  # after its timeout, async code that blocks its loop is interrupted like plain code

Copies = Callable[[], Mapping[str, Mapping[str, Any]]]  # own copies: name -> key -> row


class _Interrupted(BaseException):
    """Raised inside of the user's code; no `except Exception` of it catches this."""


class _TooSlow(_Interrupted): ...


class _Dropped(_Interrupted): ...


class Handler:
    """`module:function` of the sketch's folder. Raises EdaError where it cannot be imported."""

    def __init__(self, name: str, folder: Path, timeout_s: float, copies: Copies, told: Told) -> None:
        self._folder = folder.resolve()
        self._timeout_s = timeout_s
        self._copies = copies
        self._outputs = sys.stdout, sys.stderr
        self._log = _Log()
        self._goes_on: GoesOn = lambda seconds: True
        self._inside = False
        self._trouble: Exception | None = None  # of `goes_on`, on its way out through the user's code
        self._deadline = 0.0
        self._timer = (0.0, 0.0)  # somebody else's, who gets it back
        self._loop: asyncio.AbstractEventLoop | None = None
        sys.stdout = sys.stderr = io.TextIOWrapper(self._log, "utf-8", "backslashreplace", write_through=True)
        try:
            self._loaded = Loaded(name, folder, told)
        except BaseException:
            self._restore_output()
            raise
        self._shape(self._loaded.function)

    def handle(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Iterator[tuple[int, Answer]]:
        """See OwnCode."""
        self._goes_on = goes_on
        failed: set[Hashable] = set()
        asked = 0.0
        for index, delivery in enumerate(deliveries):
            if (its := lane_of(delivery)) is not None and its in failed:
                continue
            if time.monotonic() - asked >= KEEP_S:
                if not goes_on(0.0):
                    return
                asked = time.monotonic()
            self._loaded.look()
            if self._loaded.function is not self._function:
                self._shape(self._loaded.function)
            answer = self._answer(delivery)
            if self._trouble is not None:
                trouble, self._trouble = self._trouble, None
                raise trouble
            if answer is None:
                return
            if isinstance(answer, CodeFailure):
                failed.add(its)
            yield index, answer

    def close(self) -> None:
        """See OwnCode."""
        self._log.end_line()
        self._restore_output()
        self._drop_loop()
        self._loaded.forget()

    def _restore_output(self) -> None:
        sys.stdout, sys.stderr = self._outputs

    def _shape(self, function: Callable[..., Any]) -> None:
        """How it is to be called: with one argument or two."""
        self._function = function
        try:
            taken = list(inspect.signature(function).parameters.values())
        except ValueError:  # a builtin that tells none
            taken = []
        places = [one for one in taken if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
        needed = [one for one in places if one.default is one.empty]
        self._with_copy = len(needed) == 2 or (len(places) > 1 and places[1].name == "copy") \
            or any(one.kind is one.VAR_POSITIONAL for one in taken)

    # --- one event

    def _answer(self, delivery: Delivery) -> Answer | None:
        """What it answers; None where the work was dropped while it worked."""
        event = orjson.loads(to_line(delivery.event, delivery))
        before = signal.signal(signal.SIGALRM, self._tick)
        try:
            return self._interruptible(event)
        except _Dropped:
            return None
        except _TooSlow:
            return self._too_slow()
        except (_WrongReturn, TimeoutError) as wrong:
            if isinstance(wrong, TimeoutError) and time.monotonic() >= self._deadline:
                return self._too_slow()
            return CodeFailure(str(wrong) if isinstance(wrong, _WrongReturn) else place_of(wrong, self._folder))
        except BaseException as wrong:  # SystemExit and the like too: it is the event that fails
            return CodeFailure(place_of(wrong, self._folder))
        finally:
            self._leave()
            signal.signal(signal.SIGALRM, before)
            self._log.end_line()

    def _interruptible(self, event: dict[str, Any]) -> list[Mapping[str, Any]]:
        self._deadline = time.monotonic() + self._timeout_s
        self._inside = True
        first = min(KEEP_S, self._timeout_s)
        self._timer = signal.setitimer(signal.ITIMER_REAL, first, KEEP_S)
        try:
            returned = self._function(event, self._copies()) if self._with_copy else self._function(event)
            if inspect.isawaitable(returned) or inspect.isasyncgen(returned):
                returned = self._run(returned)
            return _events(returned)  # a generator does its work here
        finally:
            self._leave()

    def _leave(self) -> None:
        """No tick interrupts any more. Called again further out: one may have come in the middle of it."""
        self._inside = False
        signal.setitimer(signal.ITIMER_REAL, *self._timer)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        if not self._inside:
            return
        grace = BLUNT_S if self._loop is not None and self._loop.is_running() else 0.0
        if time.monotonic() >= self._deadline + grace:
            raise _TooSlow
        try:
            goes_on = self._goes_on(0.0)
        except Exception as wrong:
            self._trouble, goes_on = wrong, False
        if not goes_on:
            raise _Dropped

    def _run(self, returned: Any) -> Any:
        """What async code gives, in the one loop of this process."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        left = max(0.0, self._deadline - time.monotonic())
        try:
            given, wrong = self._loop.run_until_complete(asyncio.wait_for(_gathered(returned), left))
        except _Interrupted:  # in the middle of the loop itself, which is in no state to go on
            self._drop_loop()
            raise
        if wrong is not None:
            raise wrong
        return given

    def _drop_loop(self) -> None:
        if self._loop is None:
            return
        loop, self._loop = self._loop, None
        loop.set_exception_handler(lambda loop, about: None)  # of code that will not be cancelled
        try:
            if tasks := asyncio.all_tasks(loop):
                for task in tasks:
                    task.cancel()
                loop.run_until_complete(asyncio.wait(tasks, timeout=KEEP_S))
        finally:
            loop.close()

    def _too_slow(self) -> CodeFailure:
        return CodeFailure(f"no answer within {self._timeout_s:g}s")


class _WrongReturn(Exception):
    """It returned what is no answer."""


async def _gathered(returned: Any) -> tuple[Any, BaseException | None]:
    """What async code gives, and what it raised that no loop survives: `sys.exit`, or that it was interrupted."""
    try:
        if isinstance(returned, AsyncIterator):
            return [item async for item in returned], None
        return await returned, None
    except (_Interrupted, SystemExit, KeyboardInterrupt) as wrong:
        return None, wrong


def _events(returned: Any) -> list[Mapping[str, Any]]:
    """The events of what a handler returned. Raises _WrongReturn."""
    if returned is None:
        return []
    if isinstance(returned, Mapping):
        return [returned]
    if isinstance(returned, str | bytes) or not hasattr(returned, "__iter__"):
        raise _WrongReturn(f"it returned {_named(returned)}, not events: None, a dict, or several of them")
    events = list(returned)
    for event in events:
        if not isinstance(event, Mapping):
            raise _WrongReturn(f"it returned {_named(event)} among its events: an event is a dict")
    return events


def _named(value: Any) -> str:
    return f"{type(value).__name__} ({shown(repr(value))})"


class _Log(io.RawIOBase):
    """Where the user's prints go: the log, line by line, each with its time."""

    def __init__(self) -> None:
        self._rest = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        *lines, self._rest = (self._rest + bytes(data)).split(b"\n")
        if lines:
            log(b"\n".join(lines).decode(errors="replace"))
        return len(data)

    def end_line(self) -> None:
        """What has no end yet becomes a line: an event is done."""
        if self._rest:
            self.write(b"\n")
