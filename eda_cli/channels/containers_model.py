"""What a run's container is wished to be, and what it is. Knows no engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LABEL_RUN, LABEL_ROLE, LABEL_ID = "eda.run", "eda.role", "eda.id"
LABEL_IMAGE = "eda.image"  # as it was wished: Podman tells the full name, localhost/… or docker.io/…
LABEL_PORT = "eda.port"  # the published one: an engine can be asked for labels, of what does not run as well
LOCALHOST = "127.0.0.1"  # nothing of a run listens anywhere else


@dataclass(frozen=True, slots=True)
class Spec:
    """A broker's container as wished. `environment` is asked once the published port and the name are known.

    `port` is the one to publish, None prefers `prefers` and takes a free one where that is busy, or another run's.
    """

    run: str
    run_id: str
    role: str
    image: str
    inside: int  # the port that the broker listens on in the container
    prefers: int
    port: int | None
    data: str  # the folder whose content is to outlive the container
    memory: str
    environment: Callable[[str, int], Mapping[str, str]]
    command: Sequence[str] | None = None  # None is what the image says
    files: Mapping[str, bytes] = field(default_factory=dict)  # by their paths in the container: written before it starts

    @property
    def name(self) -> str:
        return f"eda-{self.run}-{self.run_id[:8]}"

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_RUN: self.run, LABEL_ROLE: self.role, LABEL_ID: self.run_id, LABEL_IMAGE: self.image}


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine told it. `state` is the engine's word: created, running, paused, exited, …"""

    id: str
    name: str
    state: str
    image: str
    port: int | None  # published on 127.0.0.1
    exit_code: int = 0
    out_of_memory: bool = False

    @property
    def running(self) -> bool:
        return self.state in ("running", "paused", "restarting")

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> Container:
        """From what the engine tells of one container."""
        bindings = told["HostConfig"].get("PortBindings") or {}
        ports = [int(each["HostPort"]) for given in bindings.values() for each in given or () if each.get("HostPort")]
        state = told["State"]
        config = told["Config"]
        image = (config.get("Labels") or {}).get(LABEL_IMAGE) or config["Image"]
        return cls(told["Id"], told["Name"].lstrip("/"), state["Status"], image,
                   ports[0] if ports else None, state.get("ExitCode", 0), bool(state.get("OOMKilled")))


def run_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Whose it is, by its labels."""
    labels = told.get("Labels") or {}
    return {"run": labels.get(LABEL_RUN), "run_id": labels.get(LABEL_ID), "role": labels.get(LABEL_ROLE)}
