"""Whether a broker answers, told from everything else that may listen there."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eda_cli.channels import connect, kafka_wire
from eda_cli.errors import BrokerUnreachable

HOST = "127.0.0.1"
ONE_BROKER = struct.pack(">iih", 1, 7, 4) + b"host" + struct.pack(">ih", 9092, -1)


@contextmanager
def server(*answers: bytes | None) -> Iterator[int]:
    """Takes a connection, and gives these answers in turn; None is silence."""
    with socket.create_server((HOST, 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            with listener.accept()[0] as connection:
                for answer in answers:
                    if not connection.recv(4096):
                        return
                    if answer is None:
                        stop.wait(5)
                        return
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        thread.join()


def answer(correlation: int, body: bytes) -> bytes:
    return struct.pack(">ii", 4 + len(body), correlation) + body


@pytest.mark.parametrize(("answers", "expected"), [
    ([answer(18, b"\0\0"), answer(3, ONE_BROKER)], None),
    ([answer(18, b"\0\0"), answer(3, struct.pack(">i", 0))], "not ready"),
    ([answer(18, b"\0\0"), answer(3, b"")], "not Kafka"),
    ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "not Kafka"),
    ([b"\xff\xff\xff\xff\0\0\0\x12"], "not Kafka"),
    ([b""], "closed"),
    ([None], "timed out"),
], ids=["ready", "no broker yet", "torn", "http", "nonsense", "hangs up", "silent"])
def test_only_a_broker_that_takes_clients_answers(answers: list[bytes | None], expected: str | None) -> None:
    with server(*answers) as port:
        if expected is None:
            kafka_wire.greet(HOST, port)
        else:
            with pytest.raises(OSError, match=expected):
                kafka_wire.greet(HOST, port, 0.3)


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2", "nohost.invalid:9092", "nonsense"])
def test_an_absent_broker_is_told_at_once_and_by_its_address(bootstrap: str) -> None:
    channel = connect({"channel": "kafka", "at": bootstrap})
    began = time.monotonic()
    for act in (channel.topics, channel.version, lambda: channel.publish("orders", [])):
        with pytest.raises(BrokerUnreachable) as raised:
            act()
        assert bootstrap in raised.value.what
        assert raised.value.exit_code == 4
    assert time.monotonic() - began < 15
    channel.close()


def test_a_broker_that_says_nothing_is_given_up_in_time() -> None:
    with server(None) as port:
        channel = connect({"channel": "kafka", "at": f"{HOST}:{port}"})
        began = time.monotonic()
        with pytest.raises(BrokerUnreachable):
            channel.topics()
        assert time.monotonic() - began < 5
        channel.close()
