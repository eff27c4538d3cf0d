"""redrive: dead letters go back as they were, once, all or some; what cannot go back is not lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eda_cli.runs.redriven import FILE
from tests.scenarios.harness import Eda

SKETCH = """
name: quiet
topics: {purchases: {partitions: 2}, purchases.dlq: {partitions: 2}, other: {}}
generators: {webshop: {publishes: purchases, after: 1h}}
"""
DLQ = "purchases.dlq"
COORDINATES = {"topic", "partition", "offset", "headers"}


def start(eda: Eda, tmp_path: Path) -> None:
    (tmp_path / "quiet.yaml").write_text(SKETCH)
    eda.up(tmp_path / "quiet.yaml")


@pytest.fixture
def quiet(embedded: Eda, tmp_path: Path) -> Eda:
    start(embedded, tmp_path)
    return embedded


def bury(eda: Eda, *names: str, topic: str = "purchases", key: str = "ann") -> None:
    """Dead letters with these ids, as a consumer would make them."""
    eda("publish", DLQ, "-", stdin="".join(json.dumps({
        "specversion": "1.0", "id": name, "source": "/eda/quiet/webshop", "type": "purchaseCreated",
        "time": "2026-01-02T03:04:05.000000Z", "partitionkey": key, "data": {"name": name},
        "headers": [["own", "1"], ["dead-letter-reason", f"no {name}"], ["dead-letter-topic", topic],
                    ["dead-letter-attempts", "4"], ["dead-letter-consumer", "invoicing"]]}) + "\n" for name in names))


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


@pytest.mark.timeout(240)
def test_they_go_back_as_they_were_and_only_once(eda: Eda, tmp_path: Path) -> None:
    start(eda, tmp_path)
    assert "nothing to redrive in purchases.dlq\n" in eda("redrive", DLQ).stderr
    bury(eda, "a", "b", "c")
    bury(eda, "x", topic="other", key="bob")
    eda("publish", DLQ, '{"no": "dead letter"}')
    dry = eda("redrive", DLQ, "--dry-run")
    assert "would be redriven: 3 events to purchases, 1 event to other; 1 event without the header" in dry.stderr
    assert "invoicing ✗ purchases.dlq[" in dry.stdout and "no a; after 4 attempts · purchaseCreated a" in dry.stdout
    assert len(dry.stdout.splitlines()) == 4 and "webshop" not in dry.stdout and "redriven" not in dry.stdout
    assert eda.events("purchases", "quiet") == []
    told = eda.lines("redrive", DLQ, "--json")
    buried = {event["id"]: event for event in eda.events(DLQ, "quiet") if event["id"] in "abcx"}
    back = eda.events("purchases", "quiet") + eda.events("other", "quiet")
    assert ids(back) == ["a", "b", "c", "x"]
    for event in back:
        assert event["headers"] == [["own", "1"], ["redriven", "1"]]
        before = buried[event["id"]]
        assert {name: event[name] for name in event if name not in COORDINATES} == {
            name: before[name] for name in before if name not in COORDINATES}
    assert {(one["id"], one["topic"], one["partition"], one["offset"]) for one in told} == {
        (event["id"], event["topic"], event["partition"], event["offset"]) for event in back}
    assert {(one["id"], *one["dead_letter"].values()) for one in told} == {
        (id_, DLQ, event["partition"], event["offset"]) for id_, event in buried.items()}
    assert eda("tail", "purchases", "-o", "beginning", "-e").stdout.count("(redriven) purchaseCreated") == 3
    assert "nothing to redrive in purchases.dlq: 4 events redriven before (with --again these too), 1 event without" \
        in eda("redrive", DLQ).stderr
    bury(eda, "a", "d")
    assert "redriven: 2 events to purchases; 4 events redriven before" in eda("redrive", DLQ).stderr
    assert ids(eda.events("purchases", "quiet")) == ["a", "b", "c", "a", "d"]
    assert "redriven: 5 events to other" in eda("redrive", DLQ, "--again", "-k", "ann", "--to", "other").stderr


def test_some_of_them(quiet: Eda) -> None:
    bury(quiet, "abc-1", "abc-2", "abd-1")
    bury(quiet, "bob-1", key="bob")
    assert "write more" in quiet("redrive", DLQ, "--id", "ab", code=2).stderr
    assert "begins with 'zz'" in quiet("redrive", DLQ, "--id", "abd", "--id", "zz", code=1).stderr
    assert quiet.events("purchases", "quiet") == []
    quiet("redrive", DLQ, "--id", "abd")
    quiet("redrive", DLQ, "-k", "bob")
    quiet("redrive", DLQ, "--grep", 'name":"abc-2')
    assert ids(quiet.events("purchases", "quiet")) == ["abd-1", "bob-1", "abc-2"]
    assert ids(quiet.lines("redrive", DLQ, "-n", "2", "--again", "--json")) == ["abc-1", "abc-2"]
    assert "1 event redriven before (with --again" in quiet("redrive", DLQ, "--id", "abc-1").stderr
    told = [line for number in "01" for line in quiet.lines("redrive", DLQ, "-p", number, "--again", "--json")]
    assert sorted(ids(told)) == ["abc-1", "abc-2", "abd-1", "bob-1"]


def test_what_cannot_go_back_stays_and_the_others_go(quiet: Eda) -> None:
    bury(quiet, "a", topic="gone")
    bury(quiet, "b")
    dry = quiet("redrive", DLQ, "--dry-run").stderr
    assert "would be redriven: 1 event to purchases\nwould be left in purchases.dlq: 1 event: where they came from" in dry
    told = quiet("redrive", DLQ, code=1).stderr
    assert "redriven: 1 event to purchases" in told
    assert "left in purchases.dlq: 1 event\n" in told and "gone" in told and "eda topics create gone" in told
    quiet("topics", "create", "gone")
    assert ids(quiet.lines("redrive", DLQ, "--json")) == ["a"]
    assert ids(quiet.events("gone", "quiet")) == ["a"]


def test_an_id_that_is_given_in_full_is_meant_however_others_begin(quiet: Eda) -> None:
    bury(quiet, "1", "10", "11", "2")
    assert ids(quiet.lines("redrive", DLQ, "--id", "1", "--id", "10", "--json")) == ["1", "10"]
    assert "nothing to redrive in purchases.dlq: 1 event redriven before" in quiet("redrive", DLQ, "--id", "1").stderr


def test_what_events_say_of_topics_is_no_command_and_not_endless(quiet: Eda) -> None:
    for number in range(7):
        bury(quiet, f"{number}", topic=f"gone{number}; reboot")
    for args in (("--dry-run",), ()):
        told = quiet("redrive", DLQ, *args, code=0 if args else 1).stderr
        assert "left in purchases.dlq: 7 events" in told and "gone4; reboot and 2 more" in told
        assert "topics create" not in told and "--to TOPIC" in told
    told = quiet("redrive", DLQ, "--to", "other").stderr
    assert "redriven: 7 events to other" in told


def test_mistakes_are_told(quiet: Eda) -> None:
    assert "did you mean 'purchases.dlq'" in quiet("redrive", "purchase.dlq", code=1).stderr
    assert "eda topics create nowhere" in quiet("redrive", DLQ, "--to", "nowhere", code=2).stderr
    assert "no regular expression" in quiet("redrive", DLQ, "--grep", "(", code=2).stderr
    quiet("publish", "purchases", "1")
    told = quiet("redrive", "purchases")
    assert "nothing to redrive in purchases: 1 event without the header dead-letter-topic left alone" in told.stderr
    assert told.stdout == ""


def test_many_go_in_batches_and_one_that_is_refused_stops_no_other(quiet: Eda) -> None:
    quiet("topics", "create", "compact", "--compacted")
    lines = [{"specversion": "1.0", "id": f"{n}", "source": "/s", "type": "t", "data": n,
              **({"partitionkey": f"{n}"} if n not in (700, 1_199) else {}),  # a compacted topic takes none without a key
              "headers": [["dead-letter-topic", "compact"]]} for n in range(1_200)]
    quiet("publish", DLQ, "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
    told = quiet("redrive", DLQ, code=1).stderr
    assert "redriven: 1,198 events to compact" in told
    assert "never taken where they belong: 2 events\n" in told
    assert len((quiet.run("quiet").path / FILE).read_text().splitlines()) == 1_198
    assert sorted(ids(quiet.lines("redrive", DLQ, "--to", "other", "--json"))) == ["1199", "700"]
    assert quiet.ps("quiet")["run"] == "quiet"
