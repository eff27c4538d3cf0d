"""Masses of events: the same for the same seed, be a stub killed among them and be it one that makes them, two or four."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import epoch
from eda_cli.payloads import Dice
from tests.eventually import eventually
from tests.scenarios.harness import Eda, told

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
LATE_S = 1800.0
TILLS, STEPS = 12, 30  # all of them have come so far with any number of replicas: on average they are at 50
OF_ENTITIES = f"""
name: masses
seed: 11
topics: {{payments: {{key: $.till}}}}
generators:
  till:
    publishes: payments
    event: paymentMade
    rate: 150/s
    count: {COUNT}
    entities: {TILLS}
    body: {{till: $entity, amount: 1.00..90.00, heat: "walk(21, 0.2, 15..30)"}}
    faults: {{duplicate: 5%, drop: 5%, late: {{share: 5%, by: 1h..2h}}, out_of_order: {{share: 5%, by: 50ms..90ms}},
             corrupt: 5%, null_key: 5%}}
"""


def written(folder: Path, sketch: str) -> Path:
    path = folder / "masses.yaml"
    path.write_text(sketch)
    return path


def published(eda: Eda, sketch: Path, *args: str, kill: bool = False) -> list[tuple[Any, ...]]:
    """All that one run publishes: id, key and body of each event, and whether it is late; duplicates too, in no order."""
    eda.up(sketch, *args)
    if kill:
        eventually(lambda: any(one.kind == "published" for one in told(eda, "masses")), 20)
        eda.kill("masses", "till.1")
    eventually(lambda: {part["state"] for part in eda.ps("masses")["parts"] if part["kind"] == "generator"} == {"finished"}, 60)
    events = [(one["id"], one.get("partitionkey"), str(one.get("data", one.get("data_base64"))),
               epoch(one["time"]) < time.time() - LATE_S)
              for one in eda.events("payments", "masses")]
    eda("down", "--run", "masses")
    return sorted(set(events) if kill else events, key=str)


@pytest.mark.timeout(240)
def test_the_same_seed_gives_the_same_bytes(eda: Eda, tmp_path: Path) -> None:
    sketch = written(tmp_path, SKETCH)
    one = published(eda, sketch)
    assert 0.85 * COUNT < len({id for id, *_ in one}) < COUNT
    assert len(one) > len(set(one)), "none came twice"
    assert published(eda, sketch) == one
    assert published(eda, sketch, kill=True) == sorted(set(one), key=str)
    assert published(eda, sketch, "--scale", "till=4") == one


@pytest.mark.timeout(240)
def test_the_same_events_of_each_entity_have_faults(eda: Eda, tmp_path: Path) -> None:
    sketch = written(tmp_path, OF_ENTITIES)
    dice = Dice(11, "till")
    steps = {dice.roll(f"{till}/{step}").uuid() for till in range(1, TILLS + 1) for step in range(STEPS)}

    def first_steps(*args: str, **options: bool) -> list[tuple[Any, ...]]:
        return [row for row in published(eda, sketch, *args, **options) if row[0] in steps]

    one = first_steps()
    assert len({id for id, *_ in one}) < len(steps), "none was dropped"
    assert len(one) > len(set(one)), "none came twice"
    assert {late for *_, late in one} == {True, False}, "none was late"
    assert any(key is None for _, key, *_ in one), "none lost its key"
    for replicas in (2, 4):
        assert first_steps("--scale", f"till={replicas}") == one
    assert first_steps("--scale", "till=2", kill=True) == sorted(set(one), key=str)
