"""One container of each broker for all tests of a session, started as eda itself starts it; gone at the end.

Knows no technology: its recipe in the registry says how it is run.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, NoReturn

import pytest

from eda_cli.channels import connect, need_library
from eda_cli.channels.containers import Container, Engine
from eda_cli.errors import ChannelError, Unreachable
from eda_cli.technologies import TECHNOLOGIES
from tests.conftest import TESTED
from tests.eventually import eventually

READY_S = 100.0  # less than a test may take, so that it says what it waited for


def image_of(kind: str) -> str:
    """The image under test: the official one unless another is named."""
    image = os.environ.get(f"EDA_{kind.upper()}_IMAGE") or TECHNOLOGIES[kind].image
    assert image is not None
    return image


def no_broker(reason: str) -> NoReturn:
    """A laptop may lack a broker, CI may not."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need_image(engine: Engine, kind: str) -> str:
    """The image under test, which the engine has: else there is no broker to test against."""
    image = image_of(kind)
    if not engine.image_present(image):
        no_broker(f"no {TECHNOLOGIES[kind].title} to test against: the image {image} is not here")
    return image


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A container engine."""
    try:
        found = Engine.connect()
    except Unreachable as wrong:
        no_broker(f"no broker to test against: {wrong}")
    yield found
    found.close()


class Broker:
    """A broker in a container of its own, that a test may treat badly; `environment` changes what its recipe says."""

    def __init__(self, engine: Engine, kind: str, **environment: str) -> None:
        self.engine = engine
        self.run_id = secrets.token_hex(8)
        self.recipe = import_module(TECHNOLOGIES[kind].recipe)
        spec = self.recipe.spec("test", self.run_id, need_image(engine, kind), None)
        self.spec = replace(spec, environment=lambda name, port: {**spec.environment(name, port), **environment})
        self.container: Container = engine.create(self.spec)
        assert self.container.port is not None
        self.address: dict[str, Any] = self.recipe.address(self.container.name, self.container.port)
        try:
            self.await_answer()
        except BaseException:
            self.remove()
            raise

    def go_away(self, how: str) -> None:
        match how:
            case "killed" | "away for long":
                self._docker("kill")
                self._docker("wait")  # else it may seem to run still
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
        eventually(lambda: self.recipe.answers(port), READY_S)
        return time.monotonic() - began

    def remove(self) -> None:
        self.engine.sweep(self.run_id, volumes=True)

    def _docker(self, command: str) -> None:
        subprocess.run(["docker", command, self.container.id], check=True, capture_output=True)


AddressOf = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def broker_address(request: pytest.FixtureRequest) -> Iterator[AddressOf]:
    """Where the broker of a kind is: started when first asked for, one for the session."""
    started: dict[str, Broker] = {}
    tested = request.config.stash.setdefault(TESTED, {})

    def address_of(kind: str) -> dict[str, Any]:
        if kind not in started:
            try:
                need_library(kind)
            except ChannelError as wrong:
                no_broker(f"no {TECHNOLOGIES[kind].title} to test against: {wrong}")
            started[kind] = Broker(request.getfixturevalue("engine"), kind)
            channel = connect(started[kind].address)
            tested[kind] = f"{channel.version()} ({image_of(kind)})"
            channel.close()
        return started[kind].address

    yield address_of
    for broker in started.values():
        broker.remove()
        left = broker.engine.list_labelled(broker.run_id)
        assert not any(left.values()), f"left behind: {left}"


@pytest.fixture(scope="session")
def kafka_address(broker_address: AddressOf) -> dict[str, Any]:
    return broker_address("kafka")
