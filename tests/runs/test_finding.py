"""Which run a command means: the one that is up, and where there are several, which of them are up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eda_cli.errors import NoRun, UsageError
from eda_cli.runs import folder
from eda_cli.runs.finding import find, find_any, find_kept
from eda_cli.sketch.resolved import Resolved

Make = Callable[[str, bool], None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a run that is up (its supervisor's lock is ours) or one that stopped."""
    monkeypatch.setenv("EDA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    held: list[int] = []

    def run(name: str, up: bool) -> None:
        info = folder.new_info(name, tmp_path / f"{name}.yaml", {"kind": "embedded"}, 1, False)
        fd = folder.create(info, "", Resolved(name, {}, 1, {}, {}, {}, {}), {})
        assert fd is not None
        held.append(fd) if up else os.close(fd)

    yield run
    for fd in held:
        os.close(fd)


def test_the_one_that_is_up_is_meant_however_many_stopped(make: Make) -> None:
    for name, up in (("a", False), ("b", True), ("c", False)):
        make(name, up)
    assert find(None).name == find_any(None).name == "b"
    assert find("b").name == "b"
    assert find_any("c").name == "c"


def test_the_only_one_that_stopped_is_meant_where_it_need_not_be_up(make: Make) -> None:
    make("a", False)
    assert find_any(None).name == "a"
    with pytest.raises(NoRun) as none:
        find(None)
    assert str(none.value) == ("no run is up\nthis command talks to a running sketch; stopped: a\nstart one with: eda up a.yaml")


@pytest.mark.parametrize(("address", "readable"), [
    ({"channel": "embedded", "path": "events.db"}, True),
    ({"channel": "kafka", "at": "127.0.0.1:9092", "ours": False}, True),
    ({"channel": "kafka", "at": "127.0.0.1:9092", "ours": True}, False),
    (None, False),
], ids=["a file", "a broker of others", "a container", "it never had one"])
def test_what_a_run_that_stopped_kept_can_be_read_where_no_broker_is_to_be_started(
        make: Make, address: dict[str, object] | None, readable: bool) -> None:
    make("a", False)
    if address is not None:
        (folder.RunFolder.of("a").path / "channel.json").write_text(json.dumps(address))
    if readable:
        assert find_kept("a").name == find_kept(None).name == "a"
        return
    for name in ("a", None):
        with pytest.raises(NoRun):
            find_kept(name)


@pytest.mark.parametrize("look", [find, find_any, find_kept])
def test_of_several_it_is_said_which_are_up_and_which_stopped(make: Make, look: Callable[[None], object]) -> None:
    for name, up in (("a", False), ("b", True), ("c", False), ("d", True)):
        make(name, up)
    with pytest.raises(UsageError) as several:
        look(None)
    assert str(several.value) == ("several runs are up: b, d\nthis command needs to know which one; stopped: a, c\n"
                                  "name it: --run b")


def test_of_several_that_stopped_none_is_meant(make: Make) -> None:
    for name in ("a", "b"):
        make(name, False)
    with pytest.raises(UsageError) as several:
        find_any(None)
    assert str(several.value) == ("no run is up, and several stopped: a, b\nthis command needs to know which one\n"
                                  "name it: --run a")


def test_a_name_that_is_mistyped(make: Make) -> None:
    with pytest.raises(NoRun, match="there is no run 'shop'\nthere is none at all\nstart one with: eda up"):
        find("shop")
    for name, up in (("shop", True), ("iot", False)):
        make(name, up)
    with pytest.raises(NoRun, match="there is no run 'shp'\nup: shop; stopped: iot\ndid you mean 'shop'"):
        find_any("shp")
