"""What can go wrong with a container engine, each case its own class. Knows the engine's texts, not its library.

Unreachable                4
├── EngineAbsent           no engine answers
│   └── EngineElsewhere    it is on another machine
├── EngineForbidden        it is there, but not for this user
├── EngineRefused          it answers that it cannot do it
├── ImageMissing           no such image, here or in its registry
├── RegistryUnreachable    the image is not here and its registry does not answer
├── PortTaken              the port that was asked for is in use
├── NameTaken              the name is in use by somebody else's container
└── ContainerDied          it ended before its broker answered
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eda_cli.channels import installing
from eda_cli.errors import Unreachable

OTHER_IMAGE = "name another image: image: in the sketch, or EDA_<BROKER>_IMAGE"
CONFLICT = 409  # the HTTP status of a name that is in use
LOG_LINES_SHOWN = 5


class EngineAbsent(Unreachable):
    """No container engine answers."""


class EngineElsewhere(EngineAbsent):
    """The container engine is on another machine: a broker there would listen where nobody here reaches it."""


class EngineForbidden(Unreachable):
    """A container engine is there, but this user may not use it."""


class EngineRefused(Unreachable):
    """The container engine answers that it cannot do it."""


class ImageMissing(Unreachable):
    """There is no such image, neither here nor in its registry."""


class RegistryUnreachable(Unreachable):
    """The image is not here, and its registry cannot be reached."""


class PortTaken(Unreachable):
    """The port that was asked for is in use."""


class NameTaken(Unreachable):
    """The name of the container is in use by one that is not this run's."""


class ContainerDied(Unreachable):
    """The container ended before its broker answered; `log` holds the last lines it wrote."""

    def __init__(self, what: str, why: str, log: Sequence[str]) -> None:
        said = "\n".join(("its last words:", *(f"  {line}" for line in log[-LOG_LINES_SHOWN:]))) if log else ""
        super().__init__(what, "\n".join(line for line in (why, said) if line), OTHER_IMAGE)
        self.log = tuple(log)


_NO_REGISTRY = re.compile(
    r"dial tcp|no such host|i/o timeout|connection refused|connection reset|TLS handshake|deadline exceeded|"
    r"request canceled|network is unreachable|server misbehaving|x509|proxyconnect|lookup ", re.IGNORECASE)
_PORT = re.compile(r"address already in use|port is already allocated|cannot expose port", re.IGNORECASE)
_NAME = re.compile(r"container name \S+ is already in use", re.IGNORECASE)  # Podman tells it with status 500
_MEMORY = re.compile(r"\bmemory\b", re.IGNORECASE)


def absent(text: str) -> EngineAbsent:
    """Nobody answers."""
    return EngineAbsent("no container engine answers", text, "start Docker or Podman, or run without: --broker embedded")


def elsewhere(told: str, host: str) -> EngineElsewhere:
    """It is not asked anything: what would be started there could not be used."""
    return EngineElsewhere(
        "the container engine is on another machine", f"{told}: what eda starts would listen on 127.0.0.1 of {host}",
        "use one of this machine (unset DOCKER_HOST, docker context use default), name a broker that runs there in the sketch,"
        " or run without: --broker embedded")


def no_ssh(told: str) -> EngineAbsent:
    """The SDK speaks ssh only with a library that not everybody has."""
    return EngineAbsent("no container engine answers", f"{told}: ssh:// needs the Python package 'paramiko'",
                        f"{installing('ssh')}, or name the engine's socket: DOCKER_HOST=unix://…")


def forbidden(where: str) -> EngineForbidden:
    """The socket is there, and closed to this user."""
    return EngineForbidden(
        "no right to use the container engine", f"permission denied: {where}" if where else "permission denied",
        "add yourself to the group docker and log in again, start a rootless Podman (systemctl --user start podman.socket),"
        " or run without: --broker embedded")


def refused(doing: str, status: int | None, text: str) -> Unreachable:
    """The engine answered with an error to `doing`, "start the container" say."""
    if _PORT.search(text):
        return PortTaken(f"could not {doing}: the port is in use", text, "free it, or leave port: out of the sketch")
    if _NAME.search(text) or (status == CONFLICT and "name" in text):
        return NameTaken(f"could not {doing}: its name is in use", text, "remove or rename the other container")
    hint = "give the engine more memory" if _MEMORY.search(text) else "what the engine says of itself: docker info"
    return EngineRefused(f"could not {doing}", text, hint)


def no_image(image: str, text: str) -> ImageMissing:
    """The image is not here, or its registry has none of that name."""
    return ImageMissing(f"there is no image {image}", text, f"pull it: eda pull BROKER; or {OTHER_IMAGE}")


def not_pulled(image: str, text: str) -> Unreachable:
    """A pull failed: the registry did not answer, or it has no such image."""
    if _NO_REGISTRY.search(text):
        return RegistryUnreachable(f"the image {image} is not here, and its registry cannot be reached", text,
                                   f"go online, {OTHER_IMAGE}, or run without it: --broker embedded")
    return no_image(image, text)
