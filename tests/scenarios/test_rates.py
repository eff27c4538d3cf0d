"""Rates, stages and a past: what the log holds is what the clock wished, whatever was killed meanwhile."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels.base import Start
from eda_cli.cli.channel import open_channel
from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda

RUN_S = 12
LATE_S = 1.5  # a busy machine: a second is made good, and more only if it is told
RATES = {"one": (1, 1), "alone": (100, 1), "pair": (100, 2), "four": (100, 4)}  # events a second, and replicas

pytestmark = pytest.mark.timeout(300)


def sketch(folder: Path, *generators: str) -> Path:
    path = folder / "rates.yaml"
    path.write_text("\n".join(["name: rates", "seed: 7", "events: {made: {n: seq(0)}}", "generators:", *generators]))
    return path


def row(eda: Eda, process: str) -> dict[str, Any]:
    return next(row for row in eda.ps("rates")["parts"] if row["part"] == process)


def published(eda: Eda, topic: str) -> list[float]:
    """The moments of publishing, in order."""
    channel = open_channel(eda.run("rates"))
    try:
        return sorted(one.published for batch in channel.read(topic, Start("beginning"), "stored") for one in batch)
    finally:
        channel.close()


def ended(eda: Eda, process: str) -> None:
    eventually(lambda: row(eda, process)["state"] == "finished", READY_S, every=0.3)


def test_rates_are_kept_by_any_number_of_replicas(eda: Eda, tmp_path: Path) -> None:
    eda.up(sketch(tmp_path, *(f"  {name}: {{publishes: {name}, event: made, rate: {rate}/s, replicas: {replicas}}}"
                              for name, (rate, replicas) in RATES.items())))
    eventually(lambda: (one := published(eda, "one")) and one[-1] - one[0] > RUN_S + 1, READY_S, every=1)
    eda("pause", *RATES)
    for name, (rate, replicas) in RATES.items():
        moments = published(eda, name)
        begin = moments[0] + LATE_S  # the replicas do not start at the same instant
        many = sum(begin <= moment < begin + RUN_S for moment in moments)
        lost = sum(row(eda, name if replicas == 1 else f"{name}.{one}").get("behind", 0) for one in range(1, replicas + 1))
        assert rate * (RUN_S - LATE_S) - lost <= many <= rate * (RUN_S + LATE_S), name
        assert [event["data"]["n"] for event in eda.events(name, "rates")].count(0) == 1


def test_stages_are_gone_through_once_whatever_is_killed_stopped_and_paused(eda: Eda, tmp_path: Path) -> None:
    path = sketch(tmp_path, "  spike:", "    publishes: spike", "    event: made",
                  "    stages: [{rate: 10/s..90/s, for: 2s}, {rate: 0/s, for: 1s}, {rate: 100/s..0/s, for: 3s}]",
                  "    repeat: 2")

    def made() -> int:
        return int(row(eda, "spike").get("published", 0))

    eda.up(path)
    eventually(lambda: made() > 20, READY_S, every=0.1)
    eda("kill", "spike")
    eventually(lambda: made() > 120, READY_S, every=0.1)
    eda("down", "--keep")
    eda.up(path)
    eventually(lambda: made() > 200, READY_S, every=0.1)
    eda("pause", "spike")
    eventually(lambda: row(eda, "spike")["state"] == "paused", READY_S, every=0.1)
    eda("resume", "spike")
    ended(eda, "spike")
    numbers = {event["data"]["n"] for event in eda.events("spike", "rates")}
    assert numbers == set(range(500 - row(eda, "spike").get("behind", 0)))
    assert made() >= 400, "on a busy machine some may be given up, and are told"


def test_a_past_is_the_same_whatever_is_killed(eda: Eda, tmp_path: Path) -> None:
    eda.up(sketch(tmp_path, "  old: {publishes: old, event: made, from: -7d, rate: 5/min}"))
    now = datetime.now().astimezone()
    for least in (1_000, 20_000):
        eventually(lambda least=least: row(eda, "old").get("published", 0) > least, READY_S, every=0.1)
        eda("kill", "old")
    eventually(lambda: row(eda, "old").get("published", 0) >= 7 * 24 * 300, READY_S, every=0.3)
    told = {event["data"]["n"]: datetime.fromisoformat(event["time"]) for event in eda.events("old", "rates")}
    past = [told[number] for number in range(7 * 24 * 300)]
    assert abs(past[0] - (now - timedelta(days=7))) < timedelta(seconds=READY_S)
    gaps = {round((behind - before).total_seconds(), 3) for before, behind in itertools.pairwise(past)}
    assert gaps == {12.0}
