"""What to start and to stop: a pure function from what is wished and what is seen. Acts on nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

import orjson

from eda_cli.errors import Futile
from eda_cli.sketch.looking import demand, looked_at
from eda_cli.sketch.resolved import Consumer, Generator, Resolved

BACKOFF_S = (0.2, 10.0)  # the first pause before a crashed part starts again, and the longest
SETTLED_S = 10.0  # a part that was up so long is not in a row of crashes any more


@dataclass(frozen=True, slots=True)
class Needed:
    """One process that should be there. `digest` changes with whatever it would have to be restarted for."""

    part: str
    replica: int
    digest: str


@dataclass(slots=True)
class Seen:
    """One process as the supervisor sees it. Moments are monotonic seconds."""

    state: Literal["starting", "ready", "stopping", "crashed", "finished"]
    need: Needed
    since: float
    failures: int = 0  # crashes in a row

    @property
    def alive(self) -> bool:
        return self.state in ("starting", "ready", "stopping")


@dataclass(frozen=True, slots=True)
class Start:
    process: str
    need: Needed


@dataclass(frozen=True, slots=True)
class Stop:
    process: str


@dataclass(frozen=True, slots=True)
class Forget:
    """It is not wished any more, and gone."""

    process: str


Step = Start | Stop | Forget


def needed(sketch: Resolved, restarts: Mapping[str, int] | None = None) -> dict[str, Needed]:
    """The processes of a sketch, by name: `<part>.<replica>`; `restarts` says how often each part was to be restarted."""
    parts: list[Generator | Consumer] = [*sketch.consumers.values(), *sketch.generators.values()]
    return {
        f"{part.name}.{replica}": Needed(part.name, replica, digest)
        for part in parts if not part.external
        for digest in (f"{_digest(sketch, part)}.{(restarts or {}).get(part.name, 0)}",)
        for replica in range(1, part.replicas + 1)
    }


def plan(wished: Mapping[str, Needed], seen: Mapping[str, Seen], now: float) -> list[Step]:
    """The next steps towards what is wished. Applied again after each change it comes to an end.

    A changed part begins when all its old processes are gone: a group that is empty can be given new positions.
    """
    steps: list[Step] = []
    for process, have in seen.items():
        same = process in wished and wished[process].digest == have.need.digest
        if have.alive and not same and have.state != "stopping":
            steps.append(Stop(process))
        elif not have.alive and process not in wished:
            steps.append(Forget(process))
    old = {have.need.part for have in seen.values() if have.alive and _outdated(have.need, wished)}
    for process, need in wished.items():
        have_now = seen.get(process)
        if (have_now is None or (not have_now.alive and _due(have_now, need, now))) and need.part not in old:
            steps.append(Start(process, need))
    return steps


def _outdated(need: Needed, wished: Mapping[str, Needed]) -> bool:
    return any(other.part == need.part and other.digest != need.digest for other in wished.values())


def backoff(failures: int) -> float:
    """Seconds to wait after so many crashes in a row."""
    first, longest = BACKOFF_S
    return min(longest, first * 2 ** min(failures - 1, 10)) if failures else 0.0


def next_due(seen: Mapping[str, Seen], now: float) -> float | None:
    """Seconds until a crashed process should start again."""
    waits = [have.since + backoff(have.failures) - now for have in seen.values() if have.state == "crashed"]
    return max(0.0, min(waits)) if waits else None


def after_exit(have: Seen, status: int, now: float) -> Seen:
    """How a process that ended is seen: a wished end, a job that is finished or cannot be, or a crash."""
    if have.state == "stopping":
        return Seen("crashed", have.need, now)
    if status in (0, Futile.status):
        return Seen("finished", have.need, now)
    failures = 1 if have.state == "ready" and now - have.since >= SETTLED_S else have.failures + 1
    return Seen("crashed", have.need, now, failures)


def _due(have: Seen, need: Needed, now: float) -> bool:
    if have.need.digest != need.digest:
        return True
    return have.state == "crashed" and now - have.since >= backoff(have.failures)


def _digest(sketch: Resolved, part: Generator | Consumer) -> str:
    """Of all that the part's process reads; not of the notes about it."""
    data = sketch.to_json()
    name = part.name
    own = dict(data["generators"].get(name) or data["consumers"][name])
    for field in ("about", "service", "touched") + (("replicas",) if name in data["consumers"] else ()):
        own.pop(field)  # a generator's replicas share its rate, a consumer's know nothing of each other
    topics = [rule["to"] for rule in own.get("rules", ())] + [own.get("publishes")]
    keys = {topic: data["topics"][topic]["key"] for topic in topics if topic in data["topics"]}
    told: list[object] = [own, keys, sketch.name]
    if name in data["generators"]:
        sources = [sketch.generators[source] for source in looked_at(sketch, name)]
        ends = [(one.name, one.replicas, one.rate == inf, one.count, one.stages, one.repeat) for one in sources]  # when it comes
        told += [part for part in (demand(sketch, name), ends) if part]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
