"""The own code of a consumer, as its part of the sketch says. Knows handlers and programs, and what neither does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import orjson

from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.answers import OwnCode
from eda_cli.stubs.handler import Copies, Handler
from eda_cli.stubs.program import Program, environment


def open_code(consumer: Consumer, folder: Path, process: str, replica: int, copies: Copies,
              told: Callable[[str], object]) -> OwnCode:
    """The handler or program of a consumer that has one; `folder` is the run's. Raises EdaError.

    A handler, too, finds its files beside the sketch: that becomes this process's folder. `copies` gives a handler the own
    copies; `told` is called with a line for the user when its code changed.
    """
    sketch = Path(orjson.loads((folder / "run.json").read_bytes())["path"]).parent
    if consumer.handler:
        os.chdir(sketch)
        return Handler(consumer.handler, sketch, consumer.timeout_s, copies, told)
    return Program(consumer.run, sketch, environment(folder, consumer.name, replica), folder, process, consumer.timeout_s)
