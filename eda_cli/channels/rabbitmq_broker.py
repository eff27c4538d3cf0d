"""How a RabbitMQ broker is run from its official image. Knows no engine, and imports no library."""

from __future__ import annotations

import re
import socket

from eda_cli.channels.containers_model import LOCALHOST, Spec

PORT = 5672
DATA = "/var/lib/rabbitmq"
MEMORY = "1g"
GREET_S = 2.0

_GREETING = b"AMQP\x00\x00\x09\x01"
_TAG = re.compile(r"(?:^|/)rabbitmq:(\d+\.\d+(?:\.\d+)?)")


def spec(run: str, run_id: str, image: str, port: int | None) -> Spec:
    """The container of a run's broker. `port` None prefers 5672.

    Its host name is part of the name of its data, and is the container's name, which is the same for a run's every container.
    """
    return Spec(run=run, run_id=run_id, role="broker", image=image, inside=PORT, prefers=PORT, port=port, data=DATA,
                memory=MEMORY, environment=lambda name, host_port: {})


def address(name: str, port: int) -> dict[str, str]:
    """Where clients find it: programs on this machine, and containers on the run's network."""
    return {"channel": "rabbitmq", "at": f"amqp://{LOCALHOST}:{port}", "internal": f"amqp://{name}:{PORT}"}


def version(image: str) -> str | None:
    """As the tag of the image tells it; None where it tells nothing."""
    tag = _TAG.search(image)
    return f"RabbitMQ {tag[1]}" if tag else None


def answers(port: int) -> bool:
    """Whether the broker published on this port takes clients: it answers AMQP's greeting with Connection.Start."""
    try:
        with socket.create_connection((LOCALHOST, port), GREET_S) as connection:
            connection.settimeout(GREET_S)
            connection.sendall(_GREETING)
            frame = connection.recv(11)
    except OSError:
        return False
    return len(frame) == 11 and frame[0] == 1 and frame[7:] == b"\x00\x0a\x00\x0a"
