"""The registry of technologies: what it says is whole, and what the channels themselves say."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from eda_cli.channels import connect, load
from eda_cli.errors import ChannelError
from eda_cli.technologies import TECHNOLOGIES, Technology

WITH_BROKER = [kind for kind, one in TECHNOLOGIES.items() if one.image is not None]


@pytest.mark.parametrize("kind", TECHNOLOGIES)
def test_each_technology_names_what_it_lacks(kind: str) -> None:
    one = TECHNOLOGIES[kind]
    assert load(kind).can == one.can
    for why in one.lacks.values():
        assert len(why.split()) >= 4, f"not a reason: {why}"
        assert why == why.strip().rstrip("."), f"it stands within a sentence: {why}"


@pytest.mark.parametrize("kind", TECHNOLOGIES)
def test_each_technology_says_all_of_its_broker_or_nothing(kind: str) -> None:
    one = TECHNOLOGIES[kind]
    assert one.title
    assert one.about
    told = [one.image is not None, *map(bool, (one.recipe, one.port, one.reached, one.example, one.variable))]
    assert len(set(told)) == 1, told
    assert bool(one.library) == bool(one.extra)


@pytest.mark.parametrize("kind", WITH_BROKER)
def test_each_recipe_knows_its_broker(kind: str) -> None:
    one = TECHNOLOGIES[kind]
    assert one.image is not None
    recipe = import_module(one.recipe)
    spec = recipe.spec("shop", "0123456789abcdef", one.image, None)
    assert (spec.run, spec.run_id, spec.image, spec.port, spec.prefers) == (
        "shop", "0123456789abcdef", one.image, None, one.port)
    address = recipe.address(spec.name, 4711)
    assert address["channel"] == kind
    assert "127.0.0.1:4711" in address["at"]
    assert spec.name in address["internal"]
    name, _, number = (recipe.version(one.image) or "").rpartition(" ")
    assert name in one.title
    assert number == one.image.rpartition(":")[2]
    assert recipe.version("somebody.example/else@sha256:0") is None
    assert recipe.answers(1) is False


def test_a_library_that_is_not_installed_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TECHNOLOGIES, "nats", Technology(  # type: ignore[misc]
        "NATS", "eda_cli.channels.nats:NatsChannel", "NATS.", library="nats_that_is_not_here", extra="nats"))
    for use in (lambda: load("nats"), lambda: connect({"channel": "nats", "at": "nats://localhost:4222"})):
        with pytest.raises(ChannelError) as raised:
            use()
        assert raised.value.what == "NATS needs the Python package 'nats_that_is_not_here'"
        assert raised.value.hint == f"{sys.executable} -m pip install 'eda-cli[nats]'"
