"""What touches make of a sketch, and who waits for them: no process, no file."""

from __future__ import annotations

from dataclasses import replace

import orjson

from eda_cli.runs.touches import Touch, Touching
from eda_cli.sketch.resolved import Consumer, Generator, Resolved, Topic

SKETCH = Resolved("shop", {"kind": "embedded"}, 1, {"t": Topic("t")}, {},
                  {"web": Generator("web", "t", "made", {"id": 1})}, {"bill": Consumer("bill", ("t",), "bill")})
FASTER = Touch(({"part": "web", "text": "set rate=9/s"},), {"web": {"rate": 9.0, "every": None}}, {"web": {"rate": "9/s"}},
               id="a")
SPACED = Touch((), {"web": {"rate": None, "every": (1.0, 1.0)}}, {"web": {"every": "1s"}}, id="b")


def test_a_touch_is_the_same_behind_its_file() -> None:
    flat_out = Touch(({"part": "web", "text": "x"},), {"web": {"rate": "max"}}, restart=("web",), kill=("web.1",), id="c")
    again = Touch.from_json(orjson.loads(orjson.dumps(flat_out.to_json())))
    assert again == flat_out
    assert again.over(SKETCH).generators["web"].rate == float("inf")


def test_a_knob_takes_the_place_of_the_one_it_excludes() -> None:
    faster = FASTER.over(SKETCH).generators["web"]
    assert (faster.rate, faster.touched) == (9.0, {"rate": "9/s"})
    spaced = SPACED.over(FASTER.over(SKETCH)).generators["web"]
    assert (spaced.rate, spaced.every, spaced.touched) == (None, (1.0, 1.0), {"every": "1s"})


def test_knobs_of_a_part_that_is_gone_or_another_now_are_left_out() -> None:
    assert FASTER.over(replace(SKETCH, generators={})).generators == {}
    swapped = replace(SKETCH, generators={}, consumers={"web": Consumer("web", ("t",), "web")})
    assert FASTER.over(swapped) == swapped


def test_topics_that_a_knob_needs_are_there_and_those_that_are_stay_as_they_are() -> None:
    touch = Touch((), {"bill": {"dead_letter": "lost"}}, topics=SKETCH.to_json()["topics"] | {
        "lost": {**SKETCH.to_json()["topics"]["t"], "name": "lost"}})
    large = replace(SKETCH, topics={"t": Topic("t", partitions=9)})
    over = touch.over(large)
    assert (over.topics["t"].partitions, over.topics["lost"].partitions, over.consumers["bill"].dead_letter) == (9, 3, "lost")


def test_what_waits_is_laid_over_what_is_live_in_the_order_it_came() -> None:
    touching = Touching()
    assert not touching.waits
    assert touching.hear(FASTER) and touching.hear(SPACED)
    assert touching.waits
    wished = touching.wish(SKETCH, "text")
    assert (wished.ids, wished.text, wished.by_touch) == (("a", "b"), "text", True)
    assert wished.sketch == SPACED.over(SKETCH)
    assert not touching.waits


def test_a_restart_changes_no_sketch() -> None:
    touching = Touching()
    assert not touching.hear(Touch((), restart=("web",)))
    assert not touching.hear(Touch((), restart=("web", "bill")))
    assert touching.restarts == {"web": 2, "bill": 1}
    assert not touching.waits


def test_why_a_part_starts_again_is_what_the_last_touch_of_it_said() -> None:
    touching = Touching()
    touching.hear(FASTER)
    touching.hear(Touch(({"part": "web", "text": "killed"},), kill=("web.1",)))
    assert touching.why == {"web": "set rate=9/s"}
    touching.hear(Touch(({"part": "web", "text": "set rate=1/s"}, {"part": "web", "text": "set count=9"}), {"web": {}}))
    touching.hear(Touch(({"part": "bill", "text": "restarted"},), restart=("bill",)))
    assert touching.why == {"web": "set rate=1/s, set count=9", "bill": "restarted"}
