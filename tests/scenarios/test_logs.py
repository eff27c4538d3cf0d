"""logs: what up showed, again, and in the same words."""

from __future__ import annotations

import re
from pathlib import Path

from tests.eventually import eventually
from tests.scenarios.harness import Eda
from tests.scenarios.test_hostile import Terminal

FAST = """
name: fast
generators: {a-shop-with-a-long-name: {publishes: purchases, rate: max, count: 5000, body: {text: BODY}}}
consumers:
  billing: {subscribes: purchases, accepts: [nothing]}
  packing: {subscribes: parcels, replicas: 2}
"""


def up(eda: Eda, tmp_path: Path) -> None:
    (tmp_path / "fast.yaml").write_text(FAST.replace("BODY", "long" * 50))
    eda.up(tmp_path / "fast.yaml")
    eventually(lambda: eda.ps("fast")["parts"][0]["state"] == "finished", 30, every=0.2)


def test_logs_say_how_many_events_have_no_line(embedded: Eda, tmp_path: Path) -> None:
    up(embedded, tmp_path)
    *_, last = lines = embedded("logs").stdout.splitlines()
    shown = len([line for line in lines if "→" in line])
    assert 0 < shown < 5000
    assert last == f"… {5000 - shown:,} more events, not shown one by one"
    assert len(embedded("logs", "-n", "7").stdout.splitlines()) == 7
    assert embedded("logs", "-n", "0").stdout == ""
    assert "more events" not in embedded("logs", "billing").stdout
    assert embedded("logs", "--json", "-n", "3").stdout.count("\n") == 3


def test_the_lines_of_logs_are_those_of_up(embedded: Eda, tmp_path: Path) -> None:
    up(embedded, tmp_path)
    terminal = Terminal(embedded, "logs", "a-shop-with-a-long-name")
    terminal.read_to_its_end(30)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.seen.decode()).splitlines()
    flow = [line for line in lines if "→" in line]
    assert flow and all(len(line) == 100 and line.endswith("…") for line in flow)
    assert flow[0][13:].startswith("a-shop-with-a-long-name → ")


def test_a_log_has_the_name_that_its_journal_has(embedded: Eda, tmp_path: Path) -> None:
    up(embedded, tmp_path)
    for process in ("billing.1", "packing.2"):
        with (embedded.home / "fast" / f"{process}.log").open("a") as log:
            log.write("2026-11-24T09:30:00.123456Z hello\n")
    told = {one["part"]: one["replica"] for one in embedded.lines("logs", "--json") if one.get("text") == "hello"}
    assert told == {"billing": 1, "packing": 2}


def stamps(lines: list[str]) -> list[str]:
    return [line[:12] for line in lines if not line.startswith("…")]


TALKING = """
print("loaded")
def first(event):
    print("first", event["data"]["n"])
def second(event):
    print("second", event["data"]["n"])
"""
TWO = """
name: two
generators: {source: {publishes: facts, rate: 20/s, body: {n: seq(0)}}}
consumers:
  one: {subscribes: facts, handler: "talking:first"}
  other: {subscribes: facts, handler: "talking:second"}
"""


def test_logs_of_several_parts_stand_in_the_order_of_time(embedded: Eda, tmp_path: Path) -> None:
    (tmp_path / "talking.py").write_text(TALKING)
    (tmp_path / "two.yaml").write_text(TWO)
    embedded.up(tmp_path / "two.yaml")
    follower = embedded.start("logs", "-f")
    eventually(lambda: embedded("logs").stdout.count("second") > 20, 30, every=0.3)
    with (embedded.home / "two" / "one.1.log").open("a") as log:
        log.write("a line of a library, without a time\n")
    whole = embedded("logs").stdout.splitlines()
    assert stamps(whole) == sorted(stamps(whole))
    assert {"first", "second", "without"} <= {word for line in whole for word in line.split()}
    last = embedded("logs", "-n", "40").stdout.splitlines()
    assert stamps(last) == sorted(stamps(last))
    assert {"first", "second"} <= {word for line in last for word in line.split()}
    embedded("down", "--keep")
    followed = follower.communicate(timeout=20)[0].splitlines()
    assert stamps(followed) == sorted(stamps(followed))
    assert sum("second" in line for line in followed) > 20
