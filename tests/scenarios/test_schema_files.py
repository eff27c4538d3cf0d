"""Events whose bodies a schema file says: they flow, a changed file is applied, and stubs need it no more."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda

ACTS_S = 10.0  # on a busy machine; alone it is less than one
SKETCH = """
name: schemas
seed: 7
generators: {shop: {publishes: orders, rate: 20/s, body: {$schema: order.json, $vars: {n: seq(1)}, n: $vars.n}}}
consumers: {billing: {subscribes: orders}}
"""


def schema(**properties: Any) -> str:
    return json.dumps({"type": "object", "properties": properties, "required": list(properties)})


def test_a_saved_schema_is_applied_and_a_run_needs_no_file(embedded: Eda, tmp_path: Path) -> None:
    sketch, file = tmp_path / "schemas.yaml", tmp_path / "order.json"
    sketch.write_text(SKETCH)
    file.write_text(schema(id={"format": "uuid"}))
    terminal = embedded.start("up", str(sketch), "--broker", "embedded", "--watch", "--json")
    seen: list[dict[str, Any]] = []
    threading.Thread(target=lambda: seen.extend(map(json.loads, terminal.stdout or ())), daemon=True).start()

    def fields() -> set[tuple[str, ...]]:
        return {tuple(json.loads(one["body"])) for one in list(seen) if one["kind"] == "published"}

    eventually(lambda: fields() == {("id", "n")}, READY_S)
    file.write_text(schema(city={"type": "string"}))
    eventually(lambda: ("city", "n") in fields(), ACTS_S)
    file.unlink()
    before = len(seen)
    embedded("kill", "shop")
    eventually(lambda: any(one["kind"] == "published" and '"city"' in one["body"] for one in seen[before + 50:]), ACTS_S)
