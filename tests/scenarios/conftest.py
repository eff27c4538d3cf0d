"""Each scenario on the embedded channel and on a real Kafka in a container; some on every technology that there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eda_cli.technologies import TECHNOLOGIES
from tests.scenarios.harness import Eda


def image_of(kind: str) -> str:
    """The image of a broker that tests use; skips with a reason where there is no engine or image, fails in CI."""
    from eda_cli.channels.containers import Engine
    from eda_cli.cli.engine import image_for
    from eda_cli.errors import EdaError

    image = image_for(kind, None)
    try:
        engine = Engine.connect()
        present = engine.image_present(image)
        engine.close()
    except EdaError as wrong:
        present, image = False, f"{image}: {wrong.what}"
    if not present:
        reason = f"no container engine with the image {image}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return image


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.broker)])
def eda(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Eda]:
    """The command, in a home of its own; whatever it started is gone afterwards."""
    yield from _command(request.param, tmp_path)


@pytest.fixture(params=[name if one.image is None else pytest.param(name, marks=pytest.mark.broker)
                        for name, one in TECHNOLOGIES.items()])
def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Eda]:
    """The same, on each technology."""
    yield from _command(request.param, tmp_path)


def _command(broker: str, tmp_path: Path) -> Iterator[Eda]:
    environ = {f"EDA_{broker.upper()}_IMAGE": image_of(broker)} if TECHNOLOGIES[broker].image else {}
    one = Eda(tmp_path / "home", broker, environ)
    yield one
    one.end()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Eda]:
    """The command on the embedded channel alone, for what does not touch the channel."""
    one = Eda(tmp_path / "home", "embedded", {})
    yield one
    one.end()
