"""One Kafka container for all tests of a session, started as eda itself starts it; gone at the end."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from eda_cli.channels import kafka_broker
from eda_cli.channels.containers import Container, Engine
from eda_cli.errors import Unreachable
from eda_cli.technologies import TECHNOLOGIES
from tests.eventually import eventually

READY_S = 120.0


def kafka_image() -> str:
    """The image under test: the official one unless another is named."""
    image = os.environ.get("EDA_KAFKA_IMAGE") or TECHNOLOGIES["kafka"].image
    assert image is not None
    return image


def no_broker(reason: str) -> NoReturn:
    """A laptop may lack a broker, CI may not."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A container engine that has the image."""
    try:
        found = Engine.connect()
    except Unreachable as wrong:
        no_broker(f"no Kafka to test against: {wrong}")
    if not found.image_present(kafka_image()):
        found.close()
        no_broker(f"no Kafka to test against: the image {kafka_image()} is not here")
    yield found
    found.close()


class Broker:
    """A Kafka broker in a container of its own, that a test may treat badly."""

    def __init__(self, engine: Engine, **environment: str) -> None:
        self.engine = engine
        self.run_id = secrets.token_hex(8)
        spec = kafka_broker.spec("test", self.run_id, kafka_image(), None)
        self.spec = replace(spec, environment=lambda name, port: {**spec.environment(name, port), **environment})
        self.container: Container = engine.create(self.spec)
        assert self.container.port is not None
        self.address: dict[str, Any] = kafka_broker.address(self.container.name, self.container.port)
        self.await_answer()

    def go_away(self, how: str) -> None:
        match how:
            case "killed" | "away for long":
                self._docker("kill")
            case "stopped":
                self.engine.stop(self.container, 10)
            case "paused":
                self._docker("pause")

    def come_back(self) -> None:
        seen = self.engine.look(self.container.id)
        assert seen is not None
        if seen.state != "running":
            self.engine.start(seen)
        self.await_answer()

    def await_answer(self) -> float:
        """Seconds until it answers."""
        began = time.monotonic()
        port = self.container.port
        assert port is not None
        eventually(lambda: kafka_broker.answers(port), READY_S)
        return time.monotonic() - began

    def remove(self) -> None:
        self.engine.sweep(self.run_id, volumes=True)

    def _docker(self, command: str) -> None:
        subprocess.run(["docker", command, self.container.id], check=True, capture_output=True)


@pytest.fixture(scope="session")
def kafka_address(engine: Engine) -> Iterator[dict[str, Any]]:
    """Where the broker of this session is."""
    broker = Broker(engine)
    yield broker.address
    broker.remove()
    left = engine.list_labelled(broker.run_id)
    assert not any(left.values()), f"left behind: {left}"
