"""The kill matrix: SIGKILL, on real processes and a real broker. The truth is taken from the channel.

`EDA_TRIALS` says how often each cell is tried (2; `bench/trials` tries 10).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from eda_cli.journal import last_observations
from eda_cli.technologies import TECHNOLOGIES
from tests.eventually import eventually
from tests.scenarios.harness import Eda

TRIALS = range(int(os.environ.get("EDA_TRIALS", "2")))
COUNT = 400  # 5 s of them
LATEST_S = 2.0  # a kill: while all of them are at work, on a busy machine too
GONE_S = 5.0
CUT_S = 20.0
BROKERS = [name for name, one in TECHNOLOGIES.items() if one.image]
SKETCH = f"""
name: kills
topics:
  facts: {{key: $.who}}
  seen:
  sent:
generators:
  source:
    publishes: facts
    event: factStated
    body: {{number: seq(0), who: "zipf(20, user-)"}}
    rate: 80/s
    count: {COUNT}
    replicas: 2
consumers:
  reader:
    subscribes: facts
    from: earliest
    takes: 1ms..3ms
    publishes: {{to: seen, event: factSeen, body: {{number: $.number}}}}
  sender:
    subscribes: facts
    from: earliest
    replicas: 2
    publishes: {{to: sent, event: factSent, body: {{number: $.number}}}}
  log: {{subscribes: [seen, sent], from: earliest}}
"""


@pytest.fixture
def eda(everywhere: Eda) -> Eda:
    return everywhere


@pytest.fixture
def sketch(eda: Eda, tmp_path: Path) -> Path:
    path = tmp_path / "kills.yaml"
    path.write_text(eda.fit(SKETCH))
    return path


def whole(eda: Eda) -> None:
    """Every event is stored once or more, handled by each group at least once, and repeats are equal."""
    facts = eda.events("facts", "kills")
    assert {fact["data"]["number"] for fact in facts} == set(range(COUNT))
    by_number: dict[int, set[str]] = defaultdict(set)
    for fact in facts:
        by_number[fact["data"]["number"]].add(f"{fact['id']} {fact['data']}")
    assert all(len(same) == 1 for same in by_number.values()), "a number stands for two events"
    for topic in ("seen", "sent"):
        follows: dict[str, set[str]] = defaultdict(set)
        for event in eda.events(topic, "kills"):
            follows[event["causationid"]].add(f"{event['id']} {event['data']} {event.get('partitionkey')}")
        assert {fact["id"] for fact in facts} == set(follows), f"{topic}: not every event was handled"
        assert all(len(same) == 1 for same in follows.values()), f"{topic}: a repeat is another event"


def finished(eda: Eda) -> bool:
    """Whether both generators have told so. Read here: a command each time would take the processor from what is tested."""
    told = (last_observations(eda.home / "kills" / f"source.{replica}.jsonl") for replica in (1, 2))
    return all(any(one.kind == "finished" for one in seen) for seen in told)


def settled(eda: Eda) -> bool:
    """No group has anything left, and the generator is done."""
    if eda.lag("kills") != {"reader": 0, "sender": 0, "log": 0}:
        return False
    return [part["state"] for part in eda.ps("kills")["parts"] if part["kind"] == "generator"] == ["finished"] * 2


def settle(eda: Eda) -> None:
    eventually(lambda: finished(eda), 90, every=0.1)
    eventually(lambda: settled(eda), 90, every=0.5)
    whole(eda)


def nothing_left(eda: Eda) -> None:
    eda("down", "--run", "kills")
    assert eda.processes() == []
    left = eda.labelled()
    assert not any(left.values()), left
    assert eda.lines("ps", "--json") == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("victim", ["source.1", "reader.1", "sender.2", "stubs"])
def test_a_killed_stub_comes_back_by_itself(eda: Eda, sketch: Path, victim: str, trial: int) -> None:
    eda.up(sketch, "--seed", str(trial))
    time.sleep(random.Random(f"{victim}{trial}").uniform(0, LATEST_S))
    eda.kill("kills", victim)
    settle(eda)
    if victim != "stubs":
        assert [part["restarts"] for part in eda.ps("kills")["parts"] if part["part"] == victim.removesuffix(".1")
                or part["part"] == victim][:1] == [1]
    nothing_left(eda)


@pytest.mark.timeout(300)
@pytest.mark.broker
@pytest.mark.parametrize("everywhere", BROKERS, indirect=True)
@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("victim", ["keeper", "container", "network"])
def test_a_killed_keeper_or_broker_comes_back_by_itself(eda: Eda, sketch: Path, victim: str, trial: int) -> None:
    eda.up(sketch, "--seed", str(trial))
    time.sleep(random.Random(f"{victim}{trial}").uniform(0, LATEST_S))
    before = container(eda)
    if victim == "keeper":
        old = eda.kill("kills", "keeper")
        eventually(lambda: eda.pid("kills", "keeper") != old, 20)
    elif victim == "network":
        cut(before["id"], before["name"], CUT_S)
    else:
        docker("kill", before["id"])
    settle(eda)
    assert container(eda)["id"] == before["id"]
    nothing_left(eda)


def cut(container: str, network: str, seconds: float) -> None:
    """Nothing reaches the broker, and nothing says so, for so long."""
    docker("network", "disconnect", network, container)
    time.sleep(seconds)
    docker("network", "connect", network, container)


def docker(*arguments: str) -> None:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def container(eda: Eda) -> dict[str, Any]:
    eda.run_ids()
    containers = eda.labelled()["containers"]
    assert len(containers) == 1
    found: dict[str, Any] = containers[0]
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("victim", ["supervisor", "terminal"])
def test_a_killed_supervisor_or_terminal_leaves_the_data_and_nothing_else(
        eda: Eda, sketch: Path, victim: str, trial: int) -> None:
    terminal = eda.up_in_a_terminal(sketch, "--seed", str(trial))
    time.sleep(random.Random(f"{victim}{trial}").uniform(0, LATEST_S))
    before = container(eda) if eda.broker != "embedded" else None
    if victim == "terminal":
        terminal.send_signal(signal.SIGKILL)
        terminal.wait()
    else:
        eda.kill("kills", "supervisor")
    eventually(lambda: not [one for one in eda.processes() if " up " not in one], GONE_S)
    if before is not None:
        eventually(lambda: container(eda)["state"] != "running", GONE_S)
    assert eda.ps("kills")["state"] == "crashed"
    if victim == "supervisor":
        assert terminal.wait(10) == 1
    eda.up(sketch, "--seed", str(trial))
    settle(eda)
    if before is not None:
        assert container(eda)["id"] == before["id"]
    nothing_left(eda)
