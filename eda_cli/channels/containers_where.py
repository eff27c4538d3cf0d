"""Where a container engine would be, as the docker command looks for it. Knows no engine and imports no library.

Importing the Docker SDK costs a quarter of a second: an engine that is not there is noticed before that.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PATIENCE_S = 3.0  # for an engine on another machine


class Found(NamedTuple):
    """An engine's address. `named` is what named it, None where it was found by looking at the usual places."""

    url: str
    named: str | None

    def __str__(self) -> str:
        return f"{masked(self.url)} ({self.named or 'its usual place'})"


def find() -> Found | None:
    """`DOCKER_HOST`, else the context of the docker command, else the first of the usual sockets that answers.

    Where none answers it is the first one that is there: what is wrong with it is worth telling.
    """
    if host := os.environ.get("DOCKER_HOST"):
        return Found(host, "DOCKER_HOST")
    if context := _context():
        return context
    there = [Found(f"unix://{path}", None) for path in _usual() if _exists(path)]
    return next((found for found in there if _answers(found.url)), there[0] if there else None)


def masked(url: str) -> str:
    """The address as it may be shown: without a password."""
    return re.sub(r"(?<=://)([^/?#:@]*):[^/?#]*@", r"\1:***@", url)


def elsewhere(url: str) -> str | None:
    """The other machine that an engine is on; None for this one, and where its name means nothing (`knock` tells).

    An address is this machine's where a socket can be bound to it.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix" or not parts.hostname:
        return None
    try:
        told = socket.getaddrinfo(parts.hostname, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return parts.hostname if parts.scheme == "ssh" else None  # a name of the ssh configuration
    return None if any(_ours(family, address) for family, _, _, _, address in told) else parts.hostname


def _ours(family: int, address: Any) -> bool:
    with socket.socket(family) as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def knock(url: str) -> None:
    """Whether somebody listens at this address. Raises OSError where nobody does, ValueError where it is none."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PATIENCE_S)
            probe.connect(parts.path or parts.netloc)
    elif parts.scheme in ("tcp", "http", "https") and parts.hostname:
        socket.create_connection((parts.hostname, parts.port or 2375), timeout=PATIENCE_S).close()


def _usual() -> list[Path]:
    """Docker's before Podman's, and of each the user's own behind that of the system, as the docker command has it."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return [Path("/var/run/docker.sock"), Path.home() / ".docker" / "run" / "docker.sock", runtime / "docker.sock",
            runtime / "podman" / "podman.sock", Path("/run/podman/podman.sock")]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder of somebody else
        return False


def _answers(url: str) -> bool:
    try:
        knock(url)
    except OSError:
        return False
    return True


def _context() -> Found | None:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = os.environ.get("DOCKER_CONTEXT") or _read(folder / "config.json").get("currentContext")
    if not isinstance(name, str) or name in ("", "default"):
        return None
    digest = hashlib.sha256(name.encode()).hexdigest()
    try:
        host = _read(folder / "contexts" / "meta" / digest / "meta.json")["Endpoints"]["docker"]["Host"]
    except (KeyError, TypeError):
        return None
    return Found(host, f"the docker context '{name}'") if host and isinstance(host, str) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
