"""publish: which event it makes, where its payload comes from, and what it says when it is cut off."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

TYPES = """
name: types
events:
  orderPlaced: {n: "seq(1)", made: placed}
  orderPaid: {n: "seq(1)", made: paid}
  orderSeen: {made: seen}
  orderEchoed: {made: $.n}
generators:
  shop: {publishes: orders, event: orderPlaced, after: 1h}
  bank: {publishes: orders, event: orderPaid, after: 1h}
consumers:
  stock: {subscribes: orders, accepts: [orderPlaced]}
  books: {subscribes: orders, accepts: [orderPaid], publishes: {to: echoes, event: orderEchoed}}
"""


@pytest.fixture
def types(embedded: Eda, tmp_path: Path) -> Eda:
    (tmp_path / "types.yaml").write_text(TYPES)
    embedded.up(tmp_path / "types.yaml")
    return embedded


def test_a_type_gets_the_body_of_its_own_generator(types: Eda) -> None:
    assert "warning" not in types("publish", "orders").stderr
    assert "warning" not in types("publish", "orders", "--type", "orderPaid").stderr
    assert "stock, books will ignore it" in types("publish", "orders", "--type", "orderSeen").stderr  # made by no generator
    told = types("publish", "orders", "--type", "orderLost", code=2).stderr
    assert "orderPaid, orderPlaced" in told
    assert "follows from another" in types("publish", "orders", "--type", "orderEchoed", code=2).stderr
    assert "warning" not in types("publish", "orders", "{}", "--type", "orderPaid").stderr
    made = [(event["type"], event["data"].get("made"), event["source"]) for event in types.events("orders", "types")]
    assert sorted(made, key=str) == sorted([
        ("orderPlaced", "placed", "/eda/types/shop"), ("orderPaid", "paid", "/eda/types/bank"),
        ("orderSeen", "seen", "/eda/types/publish"), ("orderPaid", None, "/eda/types/publish")], key=str)


def test_a_pipe_or_a_file_on_stdin_is_the_payload(types: Eda, tmp_path: Path) -> None:
    types("publish", "orders", "--type", "orderPaid", stdin='{"piped": 1}\n{"piped": 2}\n')
    (tmp_path / "event.json").write_text('{"piped": 3}')
    with (tmp_path / "event.json").open() as file:
        told = types.start("publish", "orders", "--type", "orderPaid", stdin=file).communicate(timeout=20)[1]
    assert "published 1 event to orders" in told
    types("publish", "orders")  # /dev/null
    assert [event["data"].get("piped") for event in types.events("orders", "types")] == [1, 2, 3, None]


def test_its_json_says_times_as_all_do(types: Eda) -> None:
    told, = types.lines("publish", "orders", "--json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told["published"])


def test_cut_off_by_down_it_says_how_many_are_stored_and_what_to_do(types: Eda) -> None:
    pipe = types.start("publish", "orders", "--type", "orderPaid", "-", stdin=subprocess.PIPE)
    assert pipe.stdin is not None
    pipe.stdin.write("{}\n" * 3)
    pipe.stdin.flush()
    eventually(lambda: len(types.events("orders", "types")) == 3, 20)
    types("down")
    _, err = pipe.communicate("{}\n", timeout=20)
    assert pipe.returncode in (1, 4)
    assert "published before it: 3 events; the run is down: eda up" in err
