"""Masses of events: the same for the same seed, be a stub killed among them and be it one that makes them or four."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eda_cli.journal import last_counts
from tests.eventually import eventually
from tests.scenarios.harness import Eda

COUNT = 600
SKETCH = f"""
name: masses
seed: 11
topics: {{payments: {{key: $.user}}}}
generators:
  till:
    publishes: payments
    event: paymentMade
    stages: [{{rate: 100/s..300/s, for: 2s}}, {{rate: 200/s}}]
    arrivals: poisson
    count: {COUNT}
    body:
      $vars: {{net: "lognormal(3, 0.5, 1..500)"}}
      number: seq(0)
      user: zipf(50, user-)
      name: faker.name(locale=de_DE)
      mail: faker.unique.email()
      card: pattern([0-9]{{4}} [0-9]{{4}})
      net: $vars.net
      gross: "{{{{ (vars.net * 1.19) | round(2) }}}}"
      items: {{$list: {{sku: "pick(A, B, C)", many: poisson(2)}}, size: 1..4}}
      note: {{$maybe: faker.word(), null: 20%, absent: 30%}}
      heat: walk(21, 0.2, 15..30)
    faults: {{duplicate: 5%, drop: 5%, corrupt: 2%, null_key: 3%, out_of_order: {{share: 10%, by: 5s..7s}}}}
consumers:
  books: {{subscribes: payments}}
"""


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    path = tmp_path / "masses.yaml"
    path.write_text(SKETCH)
    return path


def told(eda: Eda, sketch: Path, *args: str, kill: bool = False) -> list[tuple[Any, ...]]:
    """All that one run publishes: id, key and body of each event, duplicates among them, in no order."""
    eda.up(sketch, *args)
    if kill:
        # read here: a command takes so long on a machine at work that the till may have finished before
        eventually(lambda: last_counts(eda.home / "masses" / "till.1.jsonl").get("published"), 20)
        eda.kill("masses", "till.1")
    eventually(lambda: {part["state"] for part in eda.ps("masses")["parts"] if part["kind"] == "generator"} == {"finished"}, 60)
    events = [(one["id"], one.get("partitionkey"), str(one.get("data", one.get("data_base64"))))
              for one in eda.events("payments", "masses")]
    eda("down", "--run", "masses")
    return sorted(set(events) if kill else events, key=str)


@pytest.mark.timeout(240)
def test_the_same_seed_gives_the_same_bytes(eda: Eda, sketch: Path) -> None:
    one = told(eda, sketch)
    assert 0.85 * COUNT < len({id for id, _, _ in one}) < COUNT
    assert len(one) > len(set(one)), "none came twice"
    assert told(eda, sketch) == one
    assert told(eda, sketch, kill=True) == sorted(set(one), key=str)
    assert told(eda, sketch, "--scale", "till=4") == one
