"""The first words with a STOMP server, to see whether it takes clients at all. Imports no library."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

from eda_cli.channels.activemq_wire import frame

GREET_S = 2.0
MOST_BYTES = 64 * 1024


class Unwelcome(Exception):
    """It answered, and not with a welcome; `refused` where it is STOMP and says why."""

    def __init__(self, why: str, refused: bool) -> None:
        super().__init__(why)
        self.refused = refused


def greet(host: str, port: int, headers: Mapping[str, str], seconds: float = GREET_S) -> str:
    """What the server calls itself: `ActiveMQ/6.3.1`. Raises OSError and Unwelcome."""
    deadline = time.monotonic() + seconds
    with socket.create_connection((host, port), seconds) as connection:
        connection.sendall(frame("CONNECT", {"accept-version": "1.2", "host": host, "heart-beat": "0,0", **headers}.items()))
        said = b""
        while b"\0" not in said and len(said) < MOST_BYTES:
            connection.settimeout(max(0.05, deadline - time.monotonic()))
            more = connection.recv(4096)
            if not more:
                raise ConnectionResetError("it closed the connection")
            said += more
            if not b"CONNECTED\n".startswith(said[:10]) and not b"ERROR\n".startswith(said[:6]):
                raise Unwelcome("what listens there does not speak STOMP", refused=False)
        connection.sendall(frame("DISCONNECT", ()))
    head, _, body = said.partition(b"\n\n")
    lines = head.decode(errors="replace").split("\n")
    told = dict(line.partition(":")[::2] for line in lines[1:])
    if lines[0] != "CONNECTED":
        why = told.get("message") or body.rstrip(b"\0").decode(errors="replace").strip() or "it gave no reason"
        raise Unwelcome(why.replace("\\c", ":"), refused=True)
    return told.get("server", "")
