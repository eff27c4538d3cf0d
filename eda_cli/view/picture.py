"""The picture of a run: its observations folded. Pure; every face shows the same one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eda_cli.journal import Counts, Observation

SHOWN = ("published", "handled", "failed", "skipped")  # of which an event may have a line
COUNTED = (*SHOWN, "received", "dead_lettered", "given_up", "behind")
RUN = "run"  # the part under which the supervisor speaks of the whole
HELPERS = ("stubs", "keeper")


@dataclass(slots=True)
class PartPicture:
    """One part, or one of its replicas. `reason` is why it crashed or can do no more, where it has not started again."""

    state: str = "starting"
    reason: str = ""
    counts: Counts = field(default_factory=dict)
    since: str = ""

    def total(self, kind: str) -> int:
        return sum(self.counts.get(kind, {}).values())

    @property
    def faults(self) -> Mapping[str, int]:
        """How many of its events had each fault."""
        return self.counts.get("faulted", {})


@dataclass(slots=True)
class Picture:
    """A run as its journals tell it. `parts` is by (part, replica); one without siblings is replica 1.

    `state` is starting, running or stopped; empty where what was folded does not say.
    """

    state: str = ""
    supervisor: int | None = None  # the process id of the one that told last that it started
    failure: Mapping[str, Any] | None = None
    parts: dict[tuple[str, int], PartPicture] = field(default_factory=dict)
    helpers: dict[str, PartPicture] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)  # by process: `<part>.<replica>`
    groups: dict[str, int | None] = field(default_factory=dict)
    address: Mapping[str, Any] | None = None

    def see(self, observation: Observation) -> None:
        """Fold one observation in. What was touched is told by what the parts do then."""
        if observation.kind == "touched":
            return
        if observation.part == RUN:
            self._see_run(observation)
        elif observation.part in HELPERS:
            self._see_part(self.helpers.setdefault(observation.part, PartPicture()), observation)
        else:
            key = (observation.part, observation.fields.get("replica") or 1)
            self._see_part(self.parts.setdefault(key, PartPicture()), observation)

    def see_all(self, observations: Iterable[Observation]) -> Picture:
        for observation in observations:
            self.see(observation)
        return self

    def begin(self) -> None:
        """The run starts: how it and its parts ended before is over; what was counted goes on."""
        self.state, self.failure, self.groups = "starting", None, {}
        for part in self.parts.values():
            part.state, part.reason = "starting", ""

    def by_part(self) -> dict[str, dict[str, int]]:
        """Per part, replicas together: how many of each kind of COUNTED, and restarts."""
        sums: dict[str, dict[str, int]] = {}
        for (part, _), seen in self.parts.items():
            row = sums.setdefault(part, dict.fromkeys((*COUNTED, "restarts"), 0))
            for kind in COUNTED:
                row[kind] += seen.total(kind)
        for process, many in self.restarts.items():
            if (part := process.rpartition(".")[0]) in sums:
                sums[part]["restarts"] += many
        return sums

    def faults(self) -> dict[str, dict[str, int]]:
        """Per part that has some, replicas together: how many of its events had each fault (those with two are in both)."""
        sums: dict[str, dict[str, int]] = {}
        for (part, _), seen in self.parts.items():
            for fault, many in seen.faults.items():
                row = sums.setdefault(part, {})
                row[fault] = row.get(fault, 0) + many
        return sums

    def events(self) -> int:
        """How many times an event was published, handled, failed or skipped: what flow lines tell of."""
        return sum(part.total(kind) for part in self.parts.values() for kind in SHOWN)

    def published(self) -> int:
        return sum(part.total("published") for part in self.parts.values())

    def _see_run(self, observation: Observation) -> None:
        match observation.kind:
            case "started":
                self.begin()
                self.supervisor = observation.fields.get("pid")
            case "ready":
                self.state, self.address = "running", observation.fields.get("address")
            case "stopped":
                self.state = "stopped"
            case "failed" if not observation.fields.get("applying"):
                self.failure = observation.fields
            case "counted":
                self.restarts = observation.fields["counts"].get("restarts", {})
            case "groups":
                self.groups = observation.fields["groups"]

    def _see_part(self, part: PartPicture, observation: Observation) -> None:
        match observation.kind:
            case "started":
                part.state, part.reason, part.since = "starting", "", observation.time
            case "ready":
                part.state = "running"
            case "finished" | "stopped" | "crashed":
                part.state, part.reason = observation.kind, str(observation.fields.get("reason", ""))
            case "counted":
                part.counts = observation.fields["counts"]
                if part.state == "crashed":  # it runs again, and its start stands too far back in its journal
                    part.state, part.reason = "running", ""
