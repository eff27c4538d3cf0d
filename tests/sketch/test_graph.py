"""The picture: what it shows, and that no name or text can break it."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.sketch.graph import mermaid
from tests.sketch.reading import loaded

TEXT = """
    topics: {orders: {about: what people want}}
    generators: {shop: {publishes: orders, event: orderPlaced, service: web, replicas: 2}}
    consumers:
      cart: {subscribes: orders, service: web}
      billing:
        subscribes: orders
        group: money
        publishes: [bills, {to: bills, event: billSent}, {to: bills, event: billSent, when: body.late}]
      printer: {subscribes: bills, external: true}
    """
LINE = re.compile(r"""flowchart\ LR
    |\ {2,4}p\d+(?:\(\[LABEL\]\)|\[LABEL\])
    |\ \ t\d+\[\(LABEL\)\]
    |\ \ subgraph\ s\d+\[LABEL\]
    |\ \ end
    |\ \ [pt]\d+\ (?:-->|-\.->)(?:\|LABEL\|)?\ [pt]\d+
    |\ \ classDef\ external\ stroke-dasharray:\ 5\ 5
    |\ \ class\ p\d+(?:,p\d+)*\ external""".replace("LABEL", r'"(?:[\w ,×…-]|\#\d+;|<br/>)*"'), re.VERBOSE)


def test_the_picture_of_a_shop() -> None:
    assert mermaid(loaded(TEXT).resolved) == """\
flowchart LR
  t1[("orders<br/>what people want")]
  t2[("bills")]
  subgraph s1["web"]
    p1(["shop ×2"])
    p2["cart"]
  end
  p3["billing"]
  p4["printer<br/>run by somebody else"]
  p1 -->|"orderPlaced"| t1
  t1 -.-> p2
  t1 -.->|"group money"| p3
  p3 --> t2
  p3 -->|"billSent"| t2
  t2 -.-> p4
  classDef external stroke-dasharray: 5 5
  class p4 external
"""


def test_what_is_heard_besides_and_where_dead_letters_go() -> None:
    assert mermaid(loaded("""
        consumers:
          billing:
            subscribes: orders
            keeps: {orders: $.id, stock: {from: [orders, returns]}}
            joins: {with: payments, by: $.id}
            publishes: {to: reminders, after: 1d, unless: {payments: $.id}}
            dead_letter: orders.dlq
        """).resolved).splitlines()[7:] == [
        '  t1 -.-> p1',
        '  t2 -.->|"keeps"| p1',
        '  t3 -.->|"joins<br/>unless"| p1',
        '  p1 --> t4',
        '  p1 -->|"dead letter"| t5',
    ]


def test_a_generator_depends_on_the_topics_in_which_it_looks_up() -> None:
    assert mermaid(loaded("""
        generators:
          shop: {publishes: orders}
          bank:
            publishes: payments
            event: paid
            body: {$vars: {order: {$lookup: orders}}, by: {$lookup: orders, path: $key}, last: {$lookup: payments, else: 0}}
          till: {publishes: payments, event: paid, external: true, body: {order: {$lookup: elsewhere}}}
        consumers: {books: {subscribes: payments}}
        """).resolved).splitlines()[7:-2] == [
        '  p1 -->|"orderCreated"| t1',
        '  p2 -->|"paid"| t2',
        '  t1 -.->|"looks up"| p2',
        '  t2 -.->|"looks up"| p2',
        '  p3 -->|"paid"| t2',
        '  t2 -.-> p4',
    ]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=100) | st.sampled_from(['"]', "end", "`**a**`", "<b>", "&lt;", "#35;", "%%", "a\nb", "click p1"]))
def test_any_text_is_shown_and_none_is_obeyed(text: str) -> None:
    sketch = loaded(TEXT).resolved
    sketch = replace(
        sketch,
        topics={name: replace(topic, about=text) for name, topic in sketch.topics.items()},
        generators={name: replace(part, about=text, service=text, event=text)
                    for name, part in sketch.generators.items()},
        consumers={name: replace(part, about=text, group=text) for name, part in sketch.consumers.items()})
    for line in mermaid(sketch).removesuffix("\n").split("\n"):
        assert LINE.fullmatch(line), line
