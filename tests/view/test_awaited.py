"""What a run that starts waits for: histories, and the words for them."""

from __future__ import annotations

import pytest

from eda_cli.journal import Observation
from eda_cli.view.awaited import Awaited

ANSWER = Observation("starting", "", "keeper", {"text": "waiting for rabbit to answer on port 5672"})
LOGS = Observation("starting", "", "keeper", {"text": "waiting for rabbit to answer on port 5672", "log": "plugins"})
READY = Observation("ready", "", "keeper", {})


def part(kind: str, name: str, replica: int = 1) -> Observation:
    return Observation(kind, "", name, {"replica": replica})


@pytest.mark.parametrize(("told", "text", "log"), [
    ([], "", ""),
    ([Observation("started", "", "run", {})], "", ""),
    ([ANSWER], "waiting for rabbit to answer on port 5672", ""),
    ([ANSWER, LOGS], "waiting for rabbit to answer on port 5672", "plugins"),
    ([ANSWER, LOGS, READY], "making topics and groups", ""),
    ([READY, part("started", "shop"), part("started", "ship"), part("started", "ship", 2)], "starting shop, ship", ""),
    ([part("started", "shop"), part("started", "ship"), part("ready", "shop")], "starting ship", ""),
    ([part("started", name) for name in "abcd"], "starting 4 parts", ""),
    ([part("started", "shop"), part("finished", "shop")], "starting shop", ""),
    ([Observation("crashed", "", "run", {"reason": "making topics", "log": ["a", "b"], "again_in_s": 0.5})],
     "run: making topics; again in 0.5 s", "b"),
    ([Observation("waiting", "", "keeper", {"text": "no container engine answers"})], "no container engine answers", ""),
])
def test_what_is_waited_for_is_what_was_told_last(told: list[Observation], text: str, log: str) -> None:
    awaited = Awaited()
    for observation in told:
        awaited.see(observation)
    assert (awaited.text, awaited.log) == (text, log)
