"""What check says of lookups that may stand and look unintended, and who is asked for what."""

from __future__ import annotations

from eda_cli.sketch.load import load_text
from eda_cli.sketch.looking import Demand, demand, looked_at, sources

SKETCH = """
generators:
  shop: {publishes: orders, body: {id: seq(1), total: 1..100, items: {$list: {sku: A}, size: 2}}}
  till: {publishes: orders, body: {id: seq(1), total: 1..100, till: 1..5}}
  bank: {publishes: payments, body: {of: {$lookup: orders, path: PATH, last: 50, of: OF}, by: {$lookup: payments, else: 1}}}
  mail: {publishes: letters, body: [{$lookup: orders, of: shop, once: true}, {$literal: {$lookup: what}}]}
consumers:
  all: {subscribes: [orders, payments, letters]}
"""


def warnings(path: str, of: str = "shop") -> list[str]:
    loaded = load_text(SKETCH.replace("PATH", path).replace("OF", of), "s.yaml")
    return [f"{one.line}:{one.column}: {one.what}; {one.hint}" for one in loaded.warnings]


def test_a_path_that_leads_nowhere_in_what_is_looked_up_is_told() -> None:
    assert warnings("$.totl") == ["5:66: '$.totl' is in no event that 'bank' looks up; did you mean '$.total'?"]
    assert warnings("$.till") == ["5:66: '$.till' is in no event that 'bank' looks up; "]
    assert warnings("$.till", of="till") == []


def test_a_path_that_may_lead_somewhere_is_not() -> None:
    for path in ("$.total", "$.items.0.sku", "$", "$key"):
        assert warnings(path) == []


def test_everybody_is_asked_for_what_others_look_up() -> None:
    sketch = load_text(SKETCH.replace("PATH", "$").replace("OF", "till"), "s.yaml").resolved
    assert demand(sketch, "shop") == Demand(0, ("mail/0",))
    assert demand(sketch, "till") == Demand(50, ())
    assert demand(sketch, "bank") == Demand(1000, ())
    assert demand(sketch, "mail") is None
    assert looked_at(sketch, "bank") == ["till", "bank"]
    assert looked_at(sketch, "shop") == []
    assert sources(sketch, "orders") == ["shop", "till"]
