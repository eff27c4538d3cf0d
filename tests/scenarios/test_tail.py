"""tail: what it chooses, where it begins, and what it leaves behind it in a group."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

QUIET = """
name: quiet
topics: {purchases: {partitions: 2}}
generators: {webshop: {publishes: purchases, after: 1h}}
consumers:
  billing: {subscribes: purchases}
  mailer: {subscribes: bills}
"""


@pytest.fixture
def quiet(embedded: Eda, tmp_path: Path) -> Eda:
    (tmp_path / "quiet.yaml").write_text(QUIET)
    embedded.up(tmp_path / "quiet.yaml")
    return embedded


def publish(eda: Eda, *numbers: int, key: str = "ann") -> None:
    eda("publish", "purchases", "-", "-k", key, stdin="".join(f'{{"id": {number}}}\n' for number in numbers))


def ids(eda: Eda, *args: str) -> list[int]:
    return [event["data"]["id"] for event in eda.lines("tail", "purchases", "--json", *args)]


def test_what_is_shown_in_a_group_is_done_and_nothing_else(quiet: Eda) -> None:
    publish(quiet, *range(10))
    take = ("-g", "mine", "-o", "beginning")
    assert [ids(quiet, *take, "-n", "2") for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert ids(quiet, *take, "-n", "1", "--grep", "8") == [8]
    assert ids(quiet, *take, "-e") == [9]
    assert ids(quiet, *take, "-e") == []
    assert "goes on where it is; to set it back: eda groups reset mine --to beginning" in quiet(
        "tail", "purchases", *take, "-e").stderr


def test_a_group_of_the_sketch_takes_no_other_topic_and_others_can_be_deleted(quiet: Eda) -> None:
    quiet("publish", "refunds", "--create", "1")
    told = quiet("tail", "refunds", "-g", "billing", "-e", code=2).stderr
    assert "'billing' does not subscribe to 'refunds'" in told and "-g mine" in told
    places = {row["group"]: {place["topic"] for place in row["places"]} for row in quiet.lines("groups", "--json")}
    assert places == {"billing": {"purchases"}, "mailer": {"bills"}}
    assert quiet.lines("tail", "-g", "billing", "-e", "--json") == []  # its own topics
    quiet("tail", "refunds", "-g", "mine", "-e")
    told = quiet("groups", "delete", "billing", code=1).stderr
    assert "belongs to the sketch" in told
    assert "there is no group 'nobody'" in quiet("groups", "delete", "nobody", code=1).stderr
    quiet("groups", "delete", "mine")
    assert "mine" not in quiet.lag("quiet")


def test_a_member_keeps_its_group_from_being_deleted(quiet: Eda) -> None:
    quiet.start("tail", "purchases", "-g", "mine")
    eventually(lambda: [row for row in quiet.lines("groups", "--json") if row["group"] == "mine" and row["members"]], 20)
    assert "has 1 member" in quiet("groups", "delete", "mine", code=1).stderr
    told = quiet("groups", "reset", "billing", "--to", "end", code=1).stderr
    assert "-d --scale billing=0; reset; begin again with: eda up " in told


def test_without_o_it_shows_the_last_that_are_wanted(quiet: Eda) -> None:
    publish(quiet, 1, 2, key="bob")
    publish(quiet, *range(100, 130))
    assert ids(quiet, "-k", "bob", "-e") == [1, 2]
    assert ids(quiet, "--grep", '"id":2}', "-e") == [2]
    assert ids(quiet, "-n", "3") == [127, 128, 129]  # it stops, though nobody said -e
    assert ids(quiet, "-k", "bob", "-n", "1") == [2]
    assert ids(quiet, "-e") == list(range(120, 130))
    follow = quiet.start("tail", "purchases", "-k", "bob", "-f", "%s\\n")
    assert follow.stdout is not None
    assert [json.loads(follow.stdout.readline())["id"] for _ in range(2)] == [1, 2]
    publish(quiet, 3, key="bob")
    assert json.loads(follow.stdout.readline())["id"] == 3


def test_an_offset_that_is_not_there_is_refused_with_what_is(quiet: Eda) -> None:
    publish(quiet, *range(5))
    told = quiet("tail", "purchases", "-o", "999999", code=2).stderr
    assert "-o 999999 is an offset that is not there" in told and "0..5" in told
    assert "purchases[0] " in told and "purchases[1] " in told
    with_events, = {event["partition"] for event in quiet.events("purchases", "quiet")}
    assert "0..0" in quiet("tail", "purchases", "-o", "3", "-p", str(1 - with_events), code=2).stderr
    assert ids(quiet, "-o", "3", "-e") == [3, 4]
    assert ids(quiet, "-o", "5", "-e") == []
    quiet("tail", "purchases", "-g", "mine", "-o", "beginning", "-n", "1")
    assert "0..5" in quiet("groups", "reset", "mine", "--to", "999999", code=2).stderr
    assert quiet.lag("quiet")["mine"] == 4
    quiet("groups", "reset", "mine", "--to", "2")
    assert quiet.lag("quiet")["mine"] == 3


def test_waiting_for_a_topic_ends_with_the_run(quiet: Eda) -> None:
    tail = quiet.start("tail", "later", "--wait")
    assert tail.stderr is not None
    assert "waiting for the topic 'later'" in tail.stderr.readline()
    quiet("down")
    _, err = tail.communicate(timeout=20)
    assert tail.returncode == 1
    assert "the run 'quiet' ended" in err and "eda up" in err
