"""Deleting queues of ActiveMQ: the one thing that STOMP has no word for. Speaks just enough of OpenWire, imports no library.

Loose encoding without a cache, as https://activemq.apache.org/components/classic/documentation/openwire-version-2-specification
tells it; commands are numbered as in the broker's own `CommandTypes`. Our own broker takes both protocols on its one port.
"""

from __future__ import annotations

import socket
import struct
import uuid
from collections.abc import Sequence
from typing import Protocol

_WIRE_FORMAT, _CONNECTION, _DESTINATION, _RESPONSE, _EXCEPTION = 1, 3, 8, 30, 31  # commands
_QUEUE, _CONNECTION_ID = 100, 120  # what they are about
_REMOVE = 1
_VERSION = 12
_MAX_FRAME = 1 << 20
_ASKED = b"\x01"  # an answer is wanted
_NOTHING = b"\x00"


class Refused(Exception):
    """The broker said no, and why."""


class Signed(Protocol):
    """Who is asking."""

    @property
    def username(self) -> str | None: ...

    @property
    def password(self) -> str | None: ...


def delete_queues(host: str, port: int, queues: Sequence[str], who: Signed, seconds: float) -> None:
    """These are gone with all that is in them; one that is not there is no error. Raises Refused and OSError."""
    with socket.create_connection((host, port), seconds) as connection:
        connection.settimeout(seconds)
        limit = struct.pack(">i", 1) + _utf("MaxFrameSize") + b"\x06" + struct.pack(">q", _MAX_FRAME)
        _send(connection, _WIRE_FORMAT,
              b"ActiveMQ" + struct.pack(">i", _VERSION) + b"\x01" + struct.pack(">i", len(limit)) + limit)
        name = _text(f"ID:eda-{uuid.uuid4()}")
        ours = b"\x01" + bytes([_CONNECTION_ID]) + name
        signed = _text(who.password) + _text(who.username)
        _send(connection, _CONNECTION, struct.pack(">i", 1) + _ASKED + ours + name + signed + bytes(6) + _text(None))
        _await(connection, 1)
        for number, queue in enumerate(queues, 2):
            _send(connection, _DESTINATION, struct.pack(">i", number) + _ASKED + ours + b"\x01" + bytes([_QUEUE]) + _text(queue)
                  + bytes([_REMOVE]) + struct.pack(">q", 0) + _NOTHING)
            _await(connection, number)


def _send(connection: socket.socket, kind: int, body: bytes) -> None:
    connection.sendall(struct.pack(">iB", len(body) + 1, kind) + body)


def _await(connection: socket.socket, number: int) -> None:
    """The answer to this command; whatever else comes is passed over."""
    while True:
        (size,) = struct.unpack(">i", _read(connection, 4))
        if not 0 < size <= 64 * _MAX_FRAME:
            raise Refused("it does not speak OpenWire")
        frame = _read(connection, size)
        if frame[0] in (_RESPONSE, _EXCEPTION) and struct.unpack(">i", frame[6:10])[0] == number:
            if frame[0] == _EXCEPTION:
                raise Refused(_message(frame[10:]))
            return


def _message(thrown: bytes) -> str:
    """What an exception says: its class, then its words, both as text that may be missing."""
    words: list[str] = []
    at = 1
    while len(words) < 2 and len(thrown) > at:
        if thrown[at]:
            (length,) = struct.unpack(">H", thrown[at + 1:at + 3])
            words.append(thrown[at + 3:at + 3 + length].decode(errors="replace"))
            at += length + 3
        else:
            words.append("")
            at += 1
    return words[-1] if words else "it gave no reason"


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise ConnectionResetError("the broker closed the connection")
        found += more
    return found


def _utf(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _text(text: str | None) -> bytes:
    return _NOTHING if text is None else b"\x01" + _utf(text)
