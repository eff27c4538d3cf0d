"""Whether a Kafka broker answers: two requests over a socket, no library. Knows nothing of topics or groups.

A client library takes a quarter of a second to import and waits long for a broker that is not there.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

Place = tuple[str, int]  # host and port

ANSWER_S = 1.0  # a broker that took the connection answers in milliseconds, or is not up yet
LARGEST = 1 << 20  # bytes of an answer that is believed

_API_VERSIONS, _METADATA = 18, 3
_CLIENT = b"eda"


def greet(host: str, port: int, seconds: float = ANSWER_S) -> None:
    """The broker speaks Kafka and takes clients: it names at least one broker in the cluster's metadata.

    Raises OSError where it does not. Docker accepts connections long before the broker does, so that a
    connection alone says nothing.
    """
    with socket.create_connection((host, port), timeout=seconds) as connection:
        hello(connection)
        look(connection)


def hello(connection: socket.socket) -> None:
    """It speaks Kafka: it says so to anybody, known or not. Raises OSError where it does not."""
    ask(connection, _API_VERSIONS, 0, b"")


def look(connection: socket.socket) -> list[Place]:
    """It takes this client: where it sends its clients. Raises OSError where it does not."""
    no_topics = struct.pack(">i", 0)
    answer = ask(connection, _METADATA, 1, no_topics)
    try:
        places = list(_brokers(answer))
    except (struct.error, UnicodeDecodeError):
        raise OSError("what answers is not Kafka") from None
    if not places:
        raise OSError("the broker is not ready yet")
    return places


def _brokers(answer: bytes) -> Iterator[Place]:
    """Of an answer about the cluster: of each broker its number, host, port and maybe rack."""
    (many,), at = struct.unpack_from(">i", answer), 4
    for _ in range(many):
        (size,) = struct.unpack_from(">h", answer, at + 4)
        host = answer[at + 6:at + 6 + size].decode()
        port, rack = struct.unpack_from(">ih", answer, at + 6 + size)
        yield host, port
        at += 12 + size + max(0, rack)


def ask(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """One request; the answer behind its header. Raises OSError."""
    request = struct.pack(">hhih", api, version, api, len(_CLIENT)) + _CLIENT + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    size, correlation = struct.unpack(">ii", _exactly(connection, 8))
    if correlation != api or not 4 <= size <= LARGEST:
        raise OSError("what answers is not Kafka")
    return _exactly(connection, size - 4)


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        if not (chunk := connection.recv(size - len(received))):
            raise OSError("the connection was closed")
        received += chunk
    return bytes(received)
