"""The full form: every default shown, and the same sketch again when it is loaded."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import parse_duration, parse_rate, parse_share
from eda_cli.sketch.render import config
from eda_cli.sketch.written import duration, rate, share
from tests.sketch.reading import loaded

RICH = (Path(__file__).parent / "rich.yaml").read_text()


def test_the_smallest_sketch_in_full() -> None:
    read = loaded("""
        generators: {shop: {publishes: purchases}}
        consumers: {billing: {subscribes: purchases, publishes: bills}}
        """, "shop.yaml")
    assert config(read) == """\
name: shop
broker: auto
seed: null
topics:
  purchases:
    partitions: 3
    key: null
    retention: null
    compacted: false
  bills:
    partitions: 3
    key: null
    retention: null
    compacted: false
events: {}
generators:
  shop:
    publishes: purchases
    event: purchaseCreated
    body:
      id: uuid()
      number: seq(1)
    rate: 1/s
    count: null
    after: 0s
    replicas: 1
    service: shop
    external: false
consumers:
  billing:
    subscribes:
      - purchases
    group: billing
    from: latest
    replicas: 1
    service: billing
    external: false
    retries:
      max: 0
      backoff: 200ms
    idempotent: false
    publishes:
      - to: bills
"""


def test_a_rich_sketch_loads_back_to_the_same() -> None:
    read = loaded(RICH, PARTITIONS="12")
    shown = config(read)
    again = loaded(shown, PARTITIONS="12")
    assert again.resolved == read.resolved
    assert config(again) == shown
    assert "partitions: ${PARTITIONS:-6}" in shown
    assert loaded(shown).resolved.topics["orders"].partitions == 6


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["on", "010", "0o17", "12:30", "1.", ".5", "~", "", " ", "a: b", "- a", "#", "${A}", "$${A}",
                       "<<", "=", "!x", "&a", "*a", "a\nb", "\ta", "a ", "\x85", "\u2028", "\x07", "é", "1e3", "1e+3",
                       "0x1F", "null", "y", "'", '"', "{", "1_0", "+1", "---", "...", "? a", "\ufeff", "\U0001f600"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=8).filter(lambda key: not key.startswith("$")) | st.sampled_from(["<<", "on", "1", "~", "${A}"]),
        inner, max_size=3), max_leaves=8)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(json_values)
def test_any_value_comes_back(value: object) -> None:
    from dataclasses import replace

    read = loaded("generators: {g: {publishes: a}}\nconsumers: {c: {subscribes: a}}")
    part = replace(read.resolved.generators["g"], body={"$literal": value})
    sketch = replace(read.resolved, generators={"g": part})
    assert loaded(config(replace(read, resolved=sketch))).resolved == sketch


@pytest.mark.parametrize(("seconds", "text"), [
    (0.0, "0s"), (0.02, "20ms"), (0.0001, "0.1ms"), (1.0, "1s"), (1.5, "1.5s"), (60.0, "1m"), (90.0, "90s"),
    (3600.0, "1h"), (86400.0, "1d"), (604800.0, "7d"), (0.0005, "0.5ms"), (123.456789, "123.456789s"),
])
def test_durations(seconds: float, text: str) -> None:
    assert parse_duration(duration(seconds)) == seconds
    assert parse_duration(text) == seconds
    assert len(duration(seconds)) <= len(text) + 2


@pytest.mark.parametrize(("per_second", "text"), [
    (1.0, "1/s"), (0.5, "0.5/s"), (1 / 60, "1/min"), (1 / 3600, "1/h"), (2.0, "2/s"), (inf, "max"), (0.1, "0.1/s"),
])
def test_rates(per_second: float, text: str) -> None:
    assert rate(per_second) == text


@settings(derandomize=True, database=None, deadline=None)
@given(st.floats(1e-8, 1e7), st.floats(0, 3e8), st.floats(0, 100))
def test_any_quantity_comes_back(per_second: float, seconds: float, percent: float) -> None:
    assert parse_share(share(percent / 100)) == percent / 100
    assert parse_rate(rate(per_second)) == per_second
    assert parse_duration(duration(seconds)) == seconds
