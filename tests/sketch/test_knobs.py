"""Knobs: a value is read as in a sketch and refused with its words; what is turned is told in words."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from eda_cli.errors import UsageError
from eda_cli.sketch import knobs
from eda_cli.sketch.resolved import Resolved
from tests.sketch.reading import loaded

SKETCH = """
    name: shop
    topics: {purchases: {key: $.user}}
    events: {made: {id: uuid(), user: "zipf(20, user-)"}, billed: {purchase: $.id}}
    generators:
      web: {publishes: purchases, event: made, rate: 5/s}
      mail: {publishes: purchases, event: made, every: 1s..2s}
      spike: {publishes: purchases, event: made, stages: [{rate: 1/s..9/s, for: 10s}], repeat: 3}
    consumers:
      billing: {subscribes: purchases, takes: 20ms..80ms, fails: 20%, publishes: {to: bills, event: billed}}
      audit: {subscribes: [purchases, bills], external: true}
"""


@pytest.fixture(scope="module")
def shop() -> Resolved:
    return loaded(SKETCH).resolved


@pytest.mark.parametrize(("part", "key", "text", "fields", "said"), [
    ("web", "rate", "50/s", {"rate": 50.0, "every": None, "stages": ()}, "rate 5/s -> 50/s"),
    ("web", "rate", "max", {"rate": "max", "every": None, "stages": ()}, "rate 5/s -> max"),
    ("web", "rate", "5/s", {"rate": 5.0, "every": None, "stages": ()}, "rate is 5/s already"),
    ("web", "every", "200ms", {"rate": None, "every": (0.2, 0.2), "stages": ()}, "rate 5/s -> every 200ms"),
    ("mail", "rate", "1/s", {"rate": 1.0, "every": None, "stages": ()}, "every 1s..2s -> rate 1/s"),
    ("spike", "rate", "1/s", {"rate": 1.0, "every": None, "stages": ()}, "stages [{rate: 1/s..9/s, for: 10s}] -> rate 1/s"),
    ("spike", "stages", "[{rate: 9/s..1/s, for: 1m}]",
     {"rate": None, "every": None, "stages": ({"rate": (9.0, 1.0), "for_s": 60.0},)},
     "stages [{rate: 1/s..9/s, for: 10s}] -> [{rate: 9/s..1/s, for: 1m}]"),
    ("web", "count", "10", {"count": 10}, "count none -> 10"),
    ("web", "count", "null", {"count": None}, "count none -> null"),
    ("web", "after", "0s", {"after_s": 0.0}, "after is 0s already"),
    ("web", "faults", "{drop: 50%, late: {share: 5%, by: 1s..2s}}", {"faults": {
        "duplicate": 0.0, "drop": 0.5, "late": {"share": 0.05, "by_s": (1.0, 2.0)}, "out_of_order": None, "corrupt": 0.0,
        "null_key": 0.0}}, "faults none -> {drop: 50%, late: {share: 5%, by: 1s..2s}}"),
    ("web", "faults", "{}", {"faults": {"duplicate": 0.0, "drop": 0.0, "late": None, "out_of_order": None, "corrupt": 0.0,
                                        "null_key": 0.0}}, "faults none -> {}"),
    ("billing", "takes", "2s", {"takes": (2.0, 2.0)}, "takes 20ms..80ms -> 2s"),
    ("billing", "fails", "0%", {"fails": {"share": 0.0, "when": ""}}, "fails 20% -> 0%"),
    ("billing", "fails", "20%", {"fails": {"share": 0.2, "when": ""}}, "fails is 20% already"),
    ("billing", "accepts", "[made]", {"accepts": ("made",)}, "accepts none -> [made]"),
    ("billing", "replicas", "0", {"replicas": 0}, "replicas 1 -> 0"),
])
def test_a_knob_is_read_as_the_key_of_a_sketch(shop: Resolved, part: str, key: str, text: str, fields: dict[str, Any],
                                               said: str) -> None:
    turned = knobs.turn(shop, part, key, text, "shop")
    assert (dict(turned.fields), turned.said, turned.topics) == (fields, said, {})


@pytest.mark.parametrize(("part", "key", "text", "says"), [
    ("web", "rate", "5", ("'rate' of generator 'web' must be a rate", "'5' has no unit", "write 5/s, 5/min or 5/h")),
    ("web", "rate", "[1, 2", ("'rate' of generator 'web' must be a rate", "'[1, 2' is no rate")),
    ("web", "count", "many", ("'count' of generator 'web' must be a whole number above 0", "it is the text 'many'")),
    ("web", "faults", "{drop: lots}", ("'drop' of 'faults' of generator 'web' must be a share", "write one such as 2%")),
    ("web", "faults", "{lost: 2%}", ("'lost'",)),
    ("billing", "fails", "150%", ("must be a share", "'150%' is too much", "a share is 0% to 100%")),
    ("billing", "takes", "fast", ("must be a duration or a range of durations",)),
    ("billing", "accepts", "maed", ("the event type 'maed' is not under 'events'", "did you mean 'made'?")),
    ("billing", "replicas", "-1", ("it is a number from 0 to 100",)),
    ("web", "takes", "1s", ("generator 'web' has no knob 'takes'",)),
    ("web", "frequency", "1s", ("did you mean 'rate'?",)),
    ("web", "body", "1", ("'body' of generator 'web' cannot be turned while it runs", "say: eda up")),
    ("web", "from", "-1h", ("it says when its first event happened", "eda up --fresh")),
    ("billing", "from", "earliest", ("it says where a new group begins", "eda groups reset")),
    ("biling", "takes", "1s", ("parts of shop: web, mail, spike, billing, audit", "did you mean 'billing'?")),
    ("audit", "takes", "1s", ("'audit' is external",)),
    ("keeper", "takes", "1s", ("it is a process of eda's own",)),
])
def test_what_does_not_fit_is_refused_with_the_words_of_the_sketch(shop: Resolved, part: str, key: str, text: str,
                                                                  says: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as refused:
        knobs.turn(shop, part, key, text, "shop")
    for one in says:
        assert one in str(refused.value)


def test_what_was_typed_before_is_told_as_it_was_typed(shop: Resolved) -> None:
    from eda_cli.runs.touches import Touch

    for typed, now in (("60/min", "7/s"), ("60/min", "60/min")):
        touched = Touch((), {"web": {"rate": 1.0}}, {"web": {"rate": typed}}).over(shop)
        said = knobs.turn(touched, "web", "rate", now, "shop").said
        assert said == ("rate is 60/min already" if typed == now else f"rate {typed} -> {now}")
    accepting = Touch((), {"billing": {"accepts": ["made", "billed"]}}).over(shop)
    assert knobs.turn(accepting, "billing", "accepts", "made", "shop").said == "accepts [made, billed] -> made"


def test_no_replica_is_without_an_entity() -> None:
    sketch = loaded("generators: {few: {publishes: t, entities: 2}, many: {publishes: t}}").resolved
    assert knobs.scale(sketch, "few", "2", "shop").fields == {"replicas": 2}
    assert knobs.scale(sketch, "many", "3", "shop").fields == {"replicas": 3}
    with pytest.raises(UsageError, match="generator 'few' has no more than 2 entities"):
        knobs.turn(sketch, "few", "replicas", "3", "shop")


def test_a_part_that_is_scaled_to_0_hinders_no_other_knob(shop: Resolved) -> None:
    from eda_cli.runs.touches import Touch

    stopped = Touch((), {"billing": knobs.scale(shop, "billing", "0", "shop").fields}).over(shop)
    assert knobs.turn(stopped, "web", "rate", "7/s", "shop").fields["rate"] == 7
    assert knobs.turn(stopped, "billing", "takes", "1s", "shop").fields["takes"] == (1, 1)
    assert knobs.scale(stopped, "billing", "2", "shop").said == "replicas 0 -> 2"


def test_what_looks_unintended_only_now_is_a_warning(shop: Resolved) -> None:
    from eda_cli.runs.touches import Touch

    many = Touch((), {"billing": {"replicas": 4}}).over(shop)
    assert knobs.warnings(shop, shop) == []
    assert ["4 replicas for 3 partitions" in one for one in knobs.warnings(shop, many)] == [True]


def test_what_the_environment_gave_is_not_told() -> None:
    written = dedent("""
        generators: {web: {publishes: purchases, rate: "${RATE}/s", count: 7}}
        consumers: {billing: {subscribes: purchases, fails: {share: 2%, when: "body.token == '${TOKEN}'"}}}
        """)
    live = loaded(written, RATE="5", TOKEN="s3cr3t").resolved
    for part, key, text, said in (("billing", "fails", "3%", "fails what the environment gave -> 3%"),
                                  ("web", "every", "1s", "rate what the environment gave -> every 1s"),
                                  ("web", "count", "8", "count 7 -> 8")):
        assert knobs.turn(live, part, key, text, "shop", written).said == said
