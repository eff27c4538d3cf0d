"""Own code in three languages under one contract: ten thousand events, wrong and slow answers, program and stub killed."""

from __future__ import annotations

import os
import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

COUNT = 10_000
WRONG, SLOW = 7, 4_013  # the numbers of events that are answered wrongly, and too slowly
KILLS = 4  # of each victim
CODE = {
    "py.py": f"""
        import time
        def handle(event):
            number = event["data"]["number"]
            if number == {WRONG}:
                return "nonsense"
            if number == {SLOW}:
                time.sleep(20)
            return {{"data": {{"number": number}}}}
    """,
    "js.js": f"""
        const lines = require("node:readline").createInterface({{ input: process.stdin }});
        lines.on("line", (line) => {{
          const number = JSON.parse(line).data.number;
          if (number === {SLOW}) {{ const end = Date.now() + 20000; while (Date.now() < end) {{}} }}
          console.log(number === {WRONG} ? "nonsense" : JSON.stringify([{{ data: {{ number }} }}]));
        }});
    """,
    "sh.sh": f"""
        while IFS= read -r event; do
          number=${{event##*'"number":'}}
          number=${{number%%[,\\}}]*}}
          if [ "$number" = {SLOW} ]; then sleep 20; fi
          if [ "$number" = {WRONG} ]; then echo nonsense; else printf '[{{"data":{{"number":%s}}}}]\\n' "$number"; fi
        done
    """,
}
SKETCH = f"""
name: three
topics:
  facts: {{key: $.who}}
generators:
  source:
    publishes: facts
    event: factStated
    body: {{number: seq(0), who: "zipf(500, user-)"}}
    rate: 1500/s
    count: {COUNT}
x-all: &all
  subscribes: facts
  from: earliest
  timeout: 1s
  retries: {{max: 4, backoff: 100ms}}
consumers:
  py:
    <<: *all
    dead_letter: py.dlq
    handler: py:handle
    publishes: {{to: from-py, event: factHeard}}
  js:
    <<: *all
    dead_letter: js.dlq
    run: node js.js
    publishes: {{to: from-js, event: factHeard}}
  sh:
    <<: *all
    dead_letter: sh.dlq
    run: sh sh.sh
    publishes: {{to: from-sh, event: factHeard}}
"""


def test_at_least_once_whoever_is_killed(eda: Eda, tmp_path: Path) -> None:
    if shutil.which("node") is None and not os.environ.get("CI"):
        pytest.skip("there is no node")
    for name, text in CODE.items():
        (tmp_path / name).write_text("\n".join(line[8:] for line in text.splitlines()))
    path = tmp_path / "three.yaml"
    path.write_text(SKETCH)
    eda.up(path)
    victims = [(process, "lock") for process in ("py.1", "js.1", "sh.1")]
    victims += [(process, "program.flock") for process in ("js.1", "sh.1")]
    dice = random.Random(1)
    for victim in dice.sample(victims * KILLS, len(victims) * KILLS):
        eda.kill("three", *victim)
    eventually(lambda: eda.lag("three") == {"py": 0, "js": 0, "sh": 0}, 120, every=0.5)

    facts = {event["id"]: event for event in eda.events("facts", "three")}
    assert sorted(event["data"]["number"] for event in facts.values()) == list(range(COUNT))
    for language in ("py", "js", "sh"):
        heard: dict[str, set[str]] = defaultdict(set)
        for event in eda.events(f"from-{language}", "three"):
            said = event["id"], event["type"], event["data"], event["time"], event["partitionkey"], event["correlationid"]
            assert event["correlationid"] == event["causationid"], "a fact begins its story"
            heard[event["causationid"]].add(str(said))
        letters = {event["id"]: dict(event["headers"]) for event in eda.events(f"{language}.dlq", "three")}
        reasons = {facts[id_]["data"]["number"]: headers["dead-letter-reason"] for id_, headers in letters.items()}
        assert set(reasons) == {WRONG, SLOW}, language
        assert "nonsense" in reasons[WRONG] or "str" in reasons[WRONG], reasons
        assert "no answer within 1s" in reasons[SLOW], reasons
        assert set(heard) == set(facts) - set(letters), language
        assert all(len(same) == 1 for same in heard.values()), f"{language}: a repeat is another event"
