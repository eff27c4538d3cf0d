"""publish and tail: what goes in comes out, equal, on every channel; and each mistake is told."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

QUIET = """
name: quiet
topics: {purchases: {key: $.user}}
events:
  purchaseCreated: {id: "seq(1)", user: ann}
  purchaseCancelled: {id: "seq(1)"}
generators:
  webshop: {publishes: purchases, event: purchaseCreated, after: 1h}
consumers:
  billing: {subscribes: purchases, accepts: [purchaseCreated], publishes: {to: bills, event: billSent, body: $}}
  mailer: {subscribes: bills}
"""
COMPARED = ("specversion", "id", "source", "type", "time", "datacontenttype", "partitionkey", "key_base64", "headers",
            "data", "data_base64", "correlationid", "causationid")


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    path = tmp_path / "quiet.yaml"
    path.write_text(QUIET)
    return path


def content(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in COMPARED if name in event}


@pytest.mark.timeout(240)
def test_what_is_published_comes_out_equal_and_goes_round(eda: Eda, quiet: Path) -> None:
    eda.up(quiet)
    eda("publish", "purchases", '{"id": 1}', "-k", "ann", "-H", "trace=1", "-H", "trace=2")
    eda("publish", "purchases", "-k", "ann", "--tombstone")
    eda("publish", "purchases", "plain grüße 🎉", "--type", "noted")
    eda("publish", "purchases", "-p", "1", '"a string"')
    big = quiet.parent / "big.json"
    big.write_text(json.dumps({"big": "x" * 900_000}))
    eda("publish", "purchases", f"@{big}")
    binary = quiet.parent / "binary"
    binary.write_bytes(b"\x00\xff\xfe")
    eda("publish", "purchases", f"@{binary}", "-k", "bin")
    eda("publish", "purchases", "-", stdin='{"id": 2}\n{"id": 3}\n')
    eda("publish", "purchases")
    first = eda.events("purchases", "quiet")
    assert len(first) == 9
    assert [event["headers"] for event in first if event.get("data") == {"id": 1}] == [[["trace", "1"], ["trace", "2"]]]
    assert len([event for event in first if event.get("partitionkey") == "ann" and "data" not in event]) == 1
    assert [event["data_base64"] for event in first if event.get("partitionkey") == "bin"] == [
        base64.b64encode(b"\x00\xff\xfe").decode()]
    assert [event["partition"] for event in first if event.get("data") == "a string"] == [1]
    lines = eda("tail", "purchases", "-o", "beginning", "-e", "--json").stdout
    eda("publish", "copy", "--create", "-", stdin=lines)
    second = eda.events("copy", "quiet")
    assert sorted(map(repr, map(content, first))) == sorted(map(repr, map(content, second)))
    by_partition = [event for event in second if event["partition"] == first[0]["partition"]]
    assert [content(event) for event in by_partition if "partitionkey" in event] == [
        content(event) for event in first if event["partition"] == first[0]["partition"] and "partitionkey" in event]


@pytest.mark.timeout(240)
def test_tail_shows_the_last_ten_and_follows(eda: Eda, quiet: Path) -> None:
    eda.up(quiet)
    eda("publish", "purchases", "-", stdin="".join(f'{{"id": {number}}}\n' for number in range(57)))
    tail = eda.start("tail", "purchases", "-f", "%s\\n")
    assert tail.stdout is not None
    lines = [tail.stdout.readline() for _ in range(10)]
    assert sorted(json.loads(line)["id"] for line in lines) == list(range(47, 57))
    eda("publish", "purchases", '{"id": 100}')
    assert json.loads(tail.stdout.readline()) == {"id": 100}
    tail.send_signal(signal.SIGINT)
    _, err = tail.communicate(timeout=10)
    assert tail.returncode == 130
    assert "last 10 of 57; all: -o beginning" in err
    assert len(eda.lines("tail", "purchases", "-o", "-3", "-e", "--json")) == 3
    assert len(eda("tail", "purchases", "-o", "beginning", "-n", "5", "--raw").stdout.splitlines()) == 5
    assert len(eda.lines("tail", "purchases", "-o", "@-1h", "-e", "--json")) == 58
    assert eda.lines("tail", "purchases", "-o", "beginning", "-e", "--json", "--grep", '"id":7}')[0]["data"] == {"id": 7}
    for number, topic in enumerate(("one", "two", "one")):
        eda("publish", topic, "--create", str(number))
    assert eda("tail", "one", "two", "-o", "beginning", "-e", "-f", "%t%s ").stdout == "one0 two1 one2 "


def test_tail_waits_for_a_topic_and_a_group_keeps_its_place(embedded: Eda, quiet: Path) -> None:
    embedded.up(quiet)
    tail = embedded.start("tail", "later", "--wait", "-n", "1", "--json", "-o", "beginning")
    embedded("publish", "later", "--create", '{"id": 1}')
    assert json.loads(tail.communicate(timeout=20)[0])["data"] == {"id": 1}
    group = ("tail", "purchases", "-g", "mine", "-o", "beginning", "-e", "--json")
    embedded("publish", "purchases", '{"id": 1}')
    assert [one["data"]["id"] for one in embedded.lines(*group)] == [1]
    embedded("publish", "purchases", '{"id": 2}')
    assert [one["data"]["id"] for one in embedded.lines(*group)] == [2]
    embedded("groups", "reset", "mine", "--to", "beginning")
    assert len(embedded.lines(*group)) == 2


def test_what_follows_carries_its_story(embedded: Eda, quiet: Path) -> None:
    embedded.up(quiet)
    embedded("publish", "purchases", '{"id": 1}', "--type", "purchaseCreated")
    bill = eventually(lambda: embedded.events("bills", "quiet"), 10)[0]
    cause = embedded.events("purchases", "quiet")[0]
    assert bill["causationid"] == cause["id"]
    assert bill["correlationid"] == cause["id"]
    assert bill["data"] == cause["data"]
    assert bill["source"] == "/eda/quiet/billing"


@pytest.mark.xdist_group("quiet_run")
@pytest.mark.parametrize(("args", "code", "says"), [
    (("publish", "purchase", '{"id": 1}'), 2, ["there is no topic 'purchase'", "did you mean 'purchases'?", "--create"]),
    (("publish", "purchases", '{"id": 1'), 2, ["begins like JSON and is none", "column 9"]),
    (("publish", "purchases", "@/nowhere"), 2, ["/nowhere cannot be read"]),
    (("publish", "purchases", "1", "-H", "novalue"), 2, ["NAME=VALUE"]),
    (("publish", "purchases", "--tombstone"), 2, ["needs a key"]),
    (("publish", "purchases", "1", "--tombstone", "-k", "a"), 2, ["without a payload"]),
    (("publish", "bills"), 2, ["no generator"]),
    (("publish", "purchases", "1", "-p", "99"), 1, ["partition"]),
    (("publish", "bad name!", "--create", "1"), 2, ["cannot be a topic's name"]),
    (("tail", "purchase"), 1, ["did you mean 'purchases'?", "--wait"]),
    (("tail", "purchases", "-o", "sometime"), 2, ["no place in a topic", "beginning"]),
    (("tail", "purchases", "-o", "stored"), 2, ["needs a group"]),
    (("tail", "purchases", "-g", "mine", "-p", "0"), 2, ["-p does not go with a group"]),
    (("tail", "purchases", "--grep", "("), 2, ["no regular expression"]),
    (("tail", "purchases", "-f", "%z"), 2, ["no field %z"]),
    (("tail", "purchases", "-f", "100%"), 2, ["a % names no field", "%%"]),
    (("tail", "purchases", "--json", "--raw"), 2, ["exclude each other"]),
    (("topics", "create"), 2, ["which topic?", "eda topics create"]),
    (("topics", "delete"), 2, ["which topic?", "eda topics delete"]),
    (("topics", "create", "purchases"), 1, ["exists already"]),
    (("topics", "delete", "purchases"), 1, ["belongs to the sketch"]),
    (("topics", "delete", "nothing"), 1, ["there is no topic 'nothing'"]),
    (("topics", "paint"), 2, ["create, delete"]),
    (("groups", "reset", "nobody", "--to", "end"), 1, ["there is no group 'nobody'", "billing"]),
    (("groups", "reset", "billing"), 2, ["--to"]),
    (("groups", "reset", "billing", "--to", "beginning"), 1, ["billing"]),
    (("up", "nowhere.yaml"), 2, ["nowhere.yaml", "eda init"]),
    (("down", "--run", "nobody"), 4, ["there is no run 'nobody'", "quiet"]),
    (("nonsense",), 2, ["nonsense"]),
])
def test_each_mistake_is_told_with_the_way_out(quiet_run: Eda, args: tuple[str, ...], code: int, says: list[str]) -> None:
    told = quiet_run(*args, code=code).stderr
    for text in says:
        assert text in told
    assert "Traceback" not in told


@pytest.fixture(scope="module")
def quiet_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("quiet")
    (folder / "quiet.yaml").write_text(QUIET)
    one = Eda(folder / "home", "embedded", {})
    one.up(folder / "quiet.yaml")
    one("topics", "create", "others")  # it is in no sketch
    yield one
    one.end()


@pytest.mark.parametrize("args", [("publish", "purchases", "1"), ("tail", "purchases"), ("topics",), ("groups",), ("env",),
                                  ("down",), ("logs",)])
def test_without_a_run_it_is_exit_4_with_the_way_out(embedded: Eda, args: tuple[str, ...]) -> None:
    assert "eda up" in embedded(*args, code=4).stderr


def test_a_type_that_nobody_accepts_is_warned_of(embedded: Eda, quiet: Path) -> None:
    embedded.up(quiet)
    told = embedded("publish", "purchases", '{"id": 1}', "--type", "purchaseSeen").stderr
    assert "billing will ignore it" in told
    assert "billing" not in embedded("publish", "purchases", '{"id": 1}', "--type", "purchaseCreated").stderr


def test_a_bad_line_on_stdin_loses_none_before_it(embedded: Eda, quiet: Path) -> None:
    embedded.up(quiet)
    told = embedded("publish", "purchases", "-", stdin='{"id": 1}\n{"id": 2}\n{"id"\n{"id": 4}\n', code=2).stderr
    assert "line 3 begins like JSON" in told
    assert "published before it: 2 events" in told
    assert len(embedded.events("purchases", "quiet")) == 2


def test_a_closed_pipe_ends_quietly(embedded: Eda, quiet: Path) -> None:
    embedded.up(quiet)
    embedded("publish", "purchases", "-", stdin="".join(f'{{"id": {number}}}\n' for number in range(5000)))
    tail = embedded.start("tail", "purchases", "-o", "beginning", "--json")
    assert tail.stdout is not None
    tail.stdout.readline()
    tail.stdout.close()
    embedded("publish", "purchases", "1")
    assert tail.wait(20) == 0
    assert tail.stderr is not None
    assert tail.stderr.read() == ""


@pytest.mark.timeout(240)
def test_what_a_run_that_stopped_kept_can_be_read_where_no_broker_is_to_be_started(eda: Eda, quiet: Path) -> None:
    eda.up(quiet)
    eda("publish", "purchases", '{"user": "bob"}')
    eventually(lambda: len(eda.events("bills", "quiet")) == 1, 30, every=0.3)
    eda("down", "--keep")
    if eda.broker != "embedded":
        assert "stopped: quiet" in eda("tail", "purchases", code=4).stderr
        return
    done = eda("tail", "purchases", "--json")
    assert [json.loads(line)["data"] for line in done.stdout.splitlines()] == [{"user": "bob"}]
    assert "the run 'quiet' stopped: shown is what it kept" in done.stderr
    assert {row["topic"]: row["events"] for row in eda.lines("topics", "--json")} == {"purchases": 1, "bills": 1}
    assert eda.lag("quiet") == {"billing": 0, "mailer": 0}
    eda("publish", "purchases", "1", code=4)
    eda("tail", "-g", "mine", code=4)
    eda("groups", "reset", "billing", "--to", "beginning", code=4)


def test_the_environment_is_for_a_shell(embedded: Eda, quiet: Path) -> None:
    embedded.up(quiet)
    script = f'{embedded("env").stdout}\necho "$EDA_RUN $EDA_CHANNEL"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == "quiet embedded\n"


@pytest.mark.xdist_group("quiet_run")
@pytest.mark.parametrize(("words", "wanted"), [
    ("eda tail pur", "purchases"), ("eda publish b", "bills"), ("eda logs mai", "mailer"), ("eda ps --run qu", "quiet"),
    ("eda down --run qu", "quiet"), ("eda publish purchases --type purchaseCa", "purchaseCancelled"),
    ("eda tail oth", "others"), ("eda groups reset bil", "billing"),
])
def test_the_shell_completes_what_runs(quiet_run: Eda, words: str, wanted: str) -> None:
    environ = {**quiet_run.environ, "_EDA_COMPLETE": "complete_bash", "COMP_WORDS": words,
               "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([sys.executable, "-m", "eda_cli"], env=environ, capture_output=True, text=True, timeout=20)
    assert wanted in done.stdout.split()
