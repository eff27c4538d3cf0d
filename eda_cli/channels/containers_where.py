"""Where a container engine would be, as the docker command looks for it. Knows no engine and imports no library.

Importing the Docker SDK costs a quarter of a second: an engine that is not there is noticed before that.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PATIENCE_S = 3.0  # for an engine on another machine


class Found(NamedTuple):
    """An engine's address. `named` is what named it, None where it was found by looking at the usual places."""

    url: str
    named: str | None


def find() -> Found | None:
    """`DOCKER_HOST`, else the context of the docker command, else the usual sockets."""
    if host := os.environ.get("DOCKER_HOST"):
        return Found(host, "DOCKER_HOST")
    if context := _context():
        return context
    for path in _usual():
        if path.exists():
            return Found(f"unix://{path}", None)
    return None


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
    paths = [Path("/var/run/docker.sock"), Path.home() / ".docker" / "run" / "docker.sock"]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        paths += [Path(runtime) / "docker.sock", Path(runtime) / "podman" / "podman.sock"]
    return paths


def _context() -> Found | None:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = os.environ.get("DOCKER_CONTEXT") or _read(folder / "config.json").get("currentContext")
    if not isinstance(name, str) or name in ("", "default"):
        return None
    digest = hashlib.sha256(name.encode()).hexdigest()
    host = _read(folder / "contexts" / "meta" / digest / "meta.json").get("Endpoints", {}).get("docker", {}).get("Host")
    return Found(host, f"the docker context '{name}'") if host else None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
