"""Each scenario on the embedded channel and on a real Kafka in a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.harness import Eda


def _kafka_image() -> str:
    """The image that tests use; skips with a reason where there is no engine or image, fails in CI."""
    from eda_cli.channels.containers import Engine
    from eda_cli.cli.engine import image_for
    from eda_cli.errors import EdaError

    image = image_for("kafka", None)
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
    environ = {"EDA_KAFKA_IMAGE": _kafka_image()} if request.param == "kafka" else {}
    one = Eda(tmp_path / "home", request.param, environ)
    yield one
    one.end()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Eda]:
    """The command on the embedded channel alone, for what does not touch the channel."""
    one = Eda(tmp_path / "home", "embedded", {})
    yield one
    one.end()
