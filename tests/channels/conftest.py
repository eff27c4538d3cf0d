"""The channels under test, what they lack, their raw clients, and fresh names.

A test says what it needs beyond publish and subscribe: `@needs(Ability.REPLAY)`. On a channel that lacks it the test
must fail, with the registry's reason. `@lacking(Ability.REPLAY)` is for the channels that lack it, and only for these.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eda_cli.channels import connect
from eda_cli.channels.base import EventChannel
from eda_cli.errors import ChannelError
from eda_cli.technologies import TECHNOLOGIES
from tests.channels.acts import Worker
from tests.channels.brokers import broker_address, engine, kafka_address  # noqa: F401  # fixtures
from tests.channels.raw import WRITERS, Address, Write


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What a channel lacks: a test that needs it is a gap with its reason, a test for the lack is not for the others."""
    others: list[pytest.Item] = []
    for item in items:
        kind = item.callspec.params.get("channel_address") if hasattr(item, "callspec") else None
        if kind not in TECHNOLOGIES:
            continue
        lacks = TECHNOLOGIES[kind].lacks
        needed = [ability for marker in item.iter_markers("needs") for ability in marker.args]
        if reason := "; ".join(dict.fromkeys(lacks[ability] for ability in needed if ability in lacks)):
            item.add_marker(pytest.mark.xfail(reason=reason, raises=(ChannelError, AssertionError), strict=True))
        if any(ability not in lacks for marker in item.iter_markers("lacking") for ability in marker.args):
            others.append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]


@pytest.fixture(params=[
    pytest.param(kind, marks=pytest.mark.broker if one.image else ()) for kind, one in TECHNOLOGIES.items()])
def channel_address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """Where a channel is: every test of the contract runs on each."""
    kind: str = request.param
    if TECHNOLOGIES[kind].image is None:
        return {"channel": kind, "path": str(tmp_path / "events.db")}
    address: Address = request.getfixturevalue("broker_address")(kind)
    return address


@pytest.fixture
def open_channel(channel_address: Address) -> Iterator[Callable[[], EventChannel]]:
    """Makes another connection to the channel under test; closed at the end."""
    opened: list[EventChannel] = []

    def another() -> EventChannel:
        opened.append(connect(channel_address))
        return opened[-1]

    yield another
    for channel in opened:
        channel.close()


@pytest.fixture
def channel(open_channel: Callable[[], EventChannel]) -> EventChannel:
    return open_channel()


@pytest.fixture
def name() -> Callable[[str], str]:
    """Fresh names, as a broker keeps what earlier tests made."""
    token = uuid.uuid4().hex[:8]
    return lambda part: f"{part}-{token}"


@pytest.fixture
def topic(name: Callable[[str], str]) -> str:
    return name("topic")


@pytest.fixture
def group(name: Callable[[str], str]) -> str:
    return name("group")


@pytest.fixture
def worker(channel_address: Address) -> Iterator[Callable[..., Worker]]:
    """Starts a process on the channel under test; gone at the end."""
    started: list[Worker] = []

    def start(role: str, *args: str) -> Worker:
        started.append(Worker(channel_address, role, *args))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def write_raw(channel_address: Address) -> Write:
    """Writes one message past eda, and tells the event that eda is to show of it."""
    return WRITERS[channel_address["channel"]](channel_address)
