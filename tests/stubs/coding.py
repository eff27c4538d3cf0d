"""Own code under test: deliveries for it, and the answers it gave."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from eda_cli.event import Delivery, Event
from eda_cli.stubs.answers import Answer, CodeFailure, GoesOn, OwnCode
from eda_cli.stubs.program import Program

TIME = "2026-11-24T09:30:00.000000Z"
ECHO = """
import json, sys
for line in sys.stdin:
    event = json.loads(line)
    print(json.dumps([{"data": event["data"]}]))
"""


def delivery(number: int, data: Any = None, key: str | None = None, **fields: Any) -> Delivery:
    body = orjson.dumps({"n": number} if data is None else data)
    about: dict[str, Any] = {"id": str(number), "source": "/x", "type": "made", "time": TIME, "data": body,
                             "key": key.encode() if key is not None else None}
    return Delivery(Event(**{**about, **fields}), "t", 0, number, 1_700_000_000.0)


def deliveries(count: int) -> list[Delivery]:
    return [delivery(number) for number in range(count)]


def always(seconds: float) -> bool:
    """Goes on, and does not wait: a test of a pause says so itself."""
    return True


def answers(code: OwnCode, given: Sequence[Delivery], goes_on: GoesOn = always) -> list[tuple[int, Answer]]:
    return list(code.handle(given, goes_on))


def numbers(given: Sequence[tuple[int, Answer]]) -> list[Any]:
    """The number that each answer bears; of a failure the reason."""
    return [answer.reason if isinstance(answer, CodeFailure) else answer[0]["data"]["n"] for _, answer in given]


def python(folder: Path, code: str, timeout_s: float = 30.0, environ: Mapping[str, str] | None = None) -> Program:
    """A program in Python; the folder is the sketch's and the run's."""
    path = folder / "program.py"
    path.write_text(code)
    return program(folder, [sys.executable, str(path)], timeout_s, environ)


def program(folder: Path, command: Sequence[str], timeout_s: float = 30.0,
            environ: Mapping[str, str] | None = None) -> Program:
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})}
    return Program(command, folder, environ, folder, "bill.1", timeout_s)
