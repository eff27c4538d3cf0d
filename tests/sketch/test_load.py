"""What is made of a sketch: defaults, short forms, names."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from eda_cli.errors import UsageError
from eda_cli.sketch.defaults import created
from eda_cli.sketch.load import load
from eda_cli.sketch.resolved import Generator, Resolved
from tests.sketch.reading import loaded


def test_the_smallest_sketch_is_filled_with_defaults() -> None:
    sketch = loaded("""
        generators: {shop: {publishes: purchases}}
        consumers: {billing: {subscribes: purchases}}
        """).resolved
    assert sketch.broker == {"kind": "auto"}
    assert sketch.seed is None
    assert sketch.topics["purchases"].partitions == 3
    assert sketch.generators["shop"] == Generator(
        name="shop", publishes="purchases", event="purchaseCreated", body={"id": "uuid()", "number": "seq(1)"},
        rate=1.0, service="shop")
    billing = sketch.consumers["billing"]
    assert (billing.group, billing.service, billing.start, billing.replicas) == ("billing", "billing", "latest", 1)
    assert Resolved.from_json(sketch.to_json()) == sketch


@pytest.mark.parametrize(("topic", "event"), [
    ("purchases", "purchaseCreated"), ("companies", "companyCreated"), ("boxes", "boxCreated"),
    ("addresses", "addressCreated"), ("status", "statusCreated"), ("order-cancelled", "orderCancelled"),
    ("shop.orders", "shopOrderCreated"), ("orderPaid", "orderPaidCreated"), ("1st", "event1stCreated"),
    ("-", "eventCreated"), ("TEMPERATURE", "tEMPERATURECreated"),
])
def test_an_event_type_is_named_after_the_topic(topic: str, event: str) -> None:
    assert created(topic) == event


def test_the_body_of_an_event_is_what_events_says() -> None:
    sketch = loaded("""
        events:
          made: {id: uuid()}
          followed: {of: $.id}
          plain:
        generators:
          one: {publishes: a, event: made}
          two: {publishes: a, event: made, body: {own: 1}}
          three: {publishes: a, event: plain}
          four: {publishes: a, event: other, body: null}
        consumers:
          c:
            subscribes: a
            publishes: [b, {to: b, event: followed}, {to: b, event: plain}, {to: b, event: made, body: null}]
          d: {subscribes: b}
        """).resolved
    assert [part.body for part in sketch.generators.values()] == [
        {"id": "uuid()"}, {"own": 1}, {"id": "uuid()", "number": "seq(1)"}, None]
    assert [(rule.body, rule.has_body) for rule in sketch.consumers["c"].rules] == [
        (None, False), ({"of": "$.id"}, True), (None, False), (None, True)]


def test_the_only_declared_event_is_the_default() -> None:
    sketch = loaded("""
        events: {bookLent: {id: uuid()}}
        generators: {library: {publishes: loans}}
        consumers: {reminder: {subscribes: loans}}
        """).resolved
    assert sketch.generators["library"].event == "bookLent"


@pytest.mark.parametrize(("text", "broker"), [
    ("auto", {"kind": "auto"}), ("embedded", {"kind": "embedded"}), ("kafka", {"kind": "kafka"}),
    ("", {"kind": "auto"}), ("{embedded: {}}", {"kind": "embedded"}), ("{kafka: }", {"kind": "kafka"}),
    ("{kafka: {image: apache/kafka-native, port: 9093}}",
     {"kind": "kafka", "image": "apache/kafka-native", "port": 9093}),
    ("{kafka: {bootstrap_servers: 'a:1, b:2'}}", {"kind": "kafka", "bootstrap_servers": ["a:1", "b:2"]}),
    ("{kafka: {bootstrap_servers: ['[::1]:9092']}}", {"kind": "kafka", "bootstrap_servers": ["[::1]:9092"]}),
])
def test_the_forms_of_a_broker(text: str, broker: dict[str, object]) -> None:
    assert loaded(f"broker: {text}").resolved.broker == broker


def test_a_guest_has_groups_of_its_own() -> None:
    sketch = loaded("""
        name: shop
        broker: {kafka: {bootstrap_servers: "a:1"}}
        generators: {web: {publishes: sales}}
        consumers:
          billing: {subscribes: sales}
          audit: {subscribes: sales, group: auditors}
          crm: {subscribes: sales, external: true}
        """).resolved
    assert [sketch.group_of(part) for part in sketch.consumers.values()] == ["shop.billing", "auditors", "crm"]
    other = replace(sketch, name="shop-2")
    assert other.group_of(other.consumers["billing"]) == "shop-2.billing"
    at_home = replace(sketch, broker={"kind": "embedded"})
    assert at_home.group_of(at_home.consumers["billing"]) == "billing"


def test_quantities_are_numbers() -> None:
    sketch = loaded("""
        topics: {a: {retention: 7d, config: {x: 1, y: true, z: word}}}
        generators:
          one: {publishes: a, rate: 120/min, after: 500ms}
          two: {publishes: a, every: 200ms..2s}
          three: {publishes: a, rate: max}
        consumers: {c: {subscribes: [a], takes: 20ms..80ms}, d: {subscribes: a, takes: 1s}}
        """).resolved
    assert sketch.topics["a"].retention_s == 604800
    assert sketch.topics["a"].config == {"x": "1", "y": "true", "z": "word"}
    assert [(one.rate, one.every, one.after_s) for one in sketch.generators.values()] == [
        (2.0, None, 0.5), (None, (0.2, 2.0), 0.0), (inf, None, 0.0)]
    assert [one.takes for one in sketch.consumers.values()] == [(0.02, 0.08), (1.0, 1.0)]
    assert Resolved.from_json(sketch.to_json()) == sketch


def test_the_sketch_of_a_run_of_an_earlier_version_is_read() -> None:
    sketch = loaded("generators: {shop: {publishes: purchases, rate: max}}").resolved
    told = sketch.to_json()
    for name in ("stages", "repeat", "arrivals", "start", "entities", "faults"):
        del told["generators"]["shop"][name]
    assert Resolved.from_json(told) == sketch


def test_topics_that_parts_name_are_made() -> None:
    sketch = loaded("""
        topics: {purchases: {partitions: 6}}
        generators: {shop: {publishes: purchases}}
        consumers:
          billing: {subscribes: [purchases, purchases.retry], publishes: purchases.dlq}
          rescue: {subscribes: purchases.dlq, publishes: {to: purchases.retry, when: "false"}}
        """).resolved
    assert {name: topic.partitions for name, topic in sketch.topics.items()} == {
        "purchases": 6, "purchases.retry": 3, "purchases.dlq": 3}


@pytest.mark.parametrize(("file", "name"), [
    ("shop.yaml", "shop"), ("My Shop.yaml", "my-shop"), ("dir/sketch.yaml", "dir"), ("2nd.yaml", "nd"),
    ("Ünïcode.yml", "unicode"), ("123.yaml", "sketch"), ("a.b.yaml", "a-b"),
])
def test_a_sketch_is_named_after_its_file(file: str, name: str) -> None:
    assert loaded("topics: {a: }", file).resolved.name == name


def test_the_name_of_a_plain_sketch_is_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Web Shop"
    folder.mkdir()
    (folder / "sketch.yaml").write_text("topics: {a: }")
    monkeypatch.chdir(folder)

    read = load(Path("sketch.yaml"), {})

    assert read.resolved.name == "web-shop"
    assert (read.path, read.text) == (Path("sketch.yaml"), "topics: {a: }")


def test_what_is_no_readable_file_is_a_usage_error(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.yaml", "there is no sketch at"), (tmp_path, "is a folder"),
                       (Path("nul\0.yaml"), "cannot read")):
        with pytest.raises(UsageError) as raised:
            load(path, {})
        assert said in raised.value.what
        assert raised.value.hint


def test_a_folder_with_a_sketch_is_pointed_into(tmp_path: Path) -> None:
    (tmp_path / "sketch.yaml").touch()
    with pytest.raises(UsageError, match=r"is a folder"):
        load(tmp_path, {})
