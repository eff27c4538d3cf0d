"""What a forked process does with its life: play a part, or declare topics and groups. Knows not who forked it."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import orjson

from eda_cli import channels, leash, lock
from eda_cli.channels.base import EventChannel, Group, Topic
from eda_cli.journal import Journal
from eda_cli.log import log
from eda_cli.sketch.resolved import Resolved
from eda_cli.stubs import consumer, generator
from eda_cli.stubs.part import Part
from eda_cli.stubs.stop import Stop

STILL_ALIVE = 75  # exit status: another process of this name has not ended yet
TOLD_TO_STOP = 143  # exit status: of no interest where the supervisor told it; else it is a crash, and 0 is only a job done


COLLECT = 20_000  # objects: a batch of events holds thousands, and nothing in them goes in circles


class Report(Protocol):
    """Tells the supervisor."""

    def __call__(self, kind: str, **fields: Any) -> None: ...


def play(folder: Path, process: str, name: str, replica: int, report: Report) -> None:
    """Be the part until told to stop; returns early only where a generator's `count` is reached."""
    _alone(folder, process)
    gc.set_threshold(COLLECT)
    stop = Stop()
    stop.listen()
    sketch, seed = read_sketch(folder)
    if name in sketch.consumers and sketch.consumers[name].code:
        os.setpgid(0, 0)  # what own code starts ends with this process: whoever reaps it kills its group
    journal = Journal(folder / f"{process}.jsonl", name, replica)
    journal.tell("started", pid=os.getpid())
    channel = connect(folder)
    try:
        ready = _ready_once(journal, report)
        work: Callable[[Part], bool] = generator.run if name in sketch.generators else consumer.run
        finished = work(Part(folder, process, name, replica, sketch, seed, channel, journal, stop, ready))
        if finished:
            journal.tell("finished")
        channel.close()
    finally:
        journal.close()
    if not finished:
        raise SystemExit(TOLD_TO_STOP)


def declare(folder: Path, process: str, wished: Mapping[str, Any], report: Report) -> None:
    """Make the topics and groups of the sketch that is wished. Raises ChannelError."""
    _short(folder, process)
    sketch = Resolved.from_json(wished)
    groups: dict[str, Group] = {}
    for part in sketch.consumers.values():
        name = sketch.group_of(part)
        others = groups[name].topics if name in groups else ()
        groups[name] = Group(name, tuple(dict.fromkeys((*others, *part.hears))), part.start)
    channel = connect(folder)
    try:
        unmet = channel.declare([Topic(topic.name, topic.partitions, topic.retention_s, topic.compacted, topic.config)
                                 for topic in sketch.topics.values()], list(groups.values()))
    finally:
        channel.close()
    for hint in unmet:
        report("warning", text=hint)
    report("declared")


def lag(folder: Path, process: str, report: Report) -> None:
    """Tell how far each group of the sketch came. Raises ChannelError."""
    _short(folder, process)
    sketch, _ = read_sketch(folder)
    wanted = {sketch.group_of(part) for part in sketch.consumers.values()}
    channel = connect(folder)
    try:
        report("groups", groups={group.name: group.lag for group in channel.groups() if group.name in wanted})
    finally:
        channel.close()


def _short(folder: Path, process: str) -> None:
    """A short job is seen by its lock like any process, and ends at once where its parent is gone."""
    leash.hold(lambda: os._exit(TOLD_TO_STOP))
    _alone(folder, process)


def _alone(folder: Path, process: str) -> None:
    if lock.take(folder / f"{process}.lock") is None:
        log("another process of this name is still alive")
        raise SystemExit(STILL_ALIVE)


def read_sketch(folder: Path) -> tuple[Resolved, int]:
    """The sketch as it is wished now, and the run's seed."""
    sketch = Resolved.from_json(orjson.loads((folder / "sketch.json").read_bytes()))
    return sketch, int(orjson.loads((folder / "run.json").read_bytes())["seed"])


def read_broker(folder: Path) -> str:
    """The kind of channel the run was decided to have: a name of the registry."""
    kind: str = orjson.loads((folder / "run.json").read_bytes())["broker"]["kind"]
    return kind


def connect(folder: Path) -> EventChannel:
    """The run's channel; its address stands in `channel.json` once its broker is ready."""
    return channels.connect(orjson.loads((folder / "channel.json").read_bytes()))


def _ready_once(journal: Journal, report: Report) -> Callable[[], None]:
    """Tells at its first call only: a part that joins its group again is not ready again."""
    told = False

    def ready() -> None:
        nonlocal told
        if not told:
            told = True
            journal.tell("ready", pid=os.getpid())
            report("ready")

    return ready
