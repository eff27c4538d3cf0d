"""Events that say that they are JSON and are none: whoever looks into their body fails, and nobody else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import Delivery
from eda_cli.journal import last_observations
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Consumer, Fails, Fold, Join, Kept, Rule, Topic, Window
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.reactions import Reactions
from tests.stubs.playing import Log
from tests.stubs.test_histories import event, live, sketch_of

CUT = b'{"sku":"a","n'
WHY = "its body is no JSON: unexpected end of data at byte 13"
PLAIN = Consumer("bill", ("t",), start="earliest", dead_letter="dlq")


def rule(body: Any = "x", **fields: Any) -> Consumer:
    return replace(PLAIN, rules=(Rule("u", "said", body, has_body=True, **fields),))


def keeps(fold: Fold) -> Consumer:
    return replace(PLAIN, keeps=(Kept("stock", (fold,)),))


LOOKS = {
    "a path": rule({"n": "$.n"}),
    "a path of many steps": rule({"n": "$.items.0.n"}),
    "the whole body": rule({"all": "$"}),
    "a template": rule({"n": "{{ body.n | default(0) }}"}),
    "a key": rule(key="$.sku", has_key=True),
    "a header": rule(headers={"n": "$.n"}),
    "a type": replace(PLAIN, rules=(Rule("u", "$.kind"),)),
    "when": rule(when="body.n is defined"),
    "each": rule(each="$.items"),
    "an item of nothing": rule({"n": "$.n"}, each="{{ [1, 2] }}"),
    "later": rule({"n": "$.n"}, after_s=(0.0, 0.0)),
    "unless": rule(after_s=(0.0, 0.0), unless={"v": "$.n"}),
    "fails.when": replace(PLAIN, fails=Fails(1.0, "body.n > 900")),
    "a copy by a path": keeps(Fold(("t",), "$.sku")),
    "a copy of the body": keeps(Fold(("t",))),
    "a fold by a path": keeps(Fold(("t",), "$.sku", {"n": 1})),
    "a fold of a path": keeps(Fold(("t",), "$key", {"n": "$.n"})),
    "when of a fold": keeps(Fold(("t",), "$key", {"n": 1}, when="body.n > 1")),
    "a window by a path": replace(rule({"n": "count()"}), window=Window(every_s=1.0, by="$.sku")),
    "a window by its time": replace(rule({"n": "count()"}), window=Window(every_s=1.0, time="$.at")),
    "a sum": replace(rule({"n": "sum($.n)"}), window=Window(every_s=1.0)),
    "a session": replace(rule({"n": "count()"}), window=Window(gap_s=1.0, by="$.sku")),
    "a join": replace(rule(), joins=Join("v", "$.sku", "$.sku", 5.0)),
}
DOES_NOT = {
    "a count": PLAIN,
    "a republished one": replace(PLAIN, rules=(Rule("u", "said"),)),
    "its header": rule({"id": "$id", "type": "$type", "key": "$key", "who": "{{ event.source }}"}),
    "a draw": rule(share=1.0),
    "when of its type": rule(when="event.type == 'made'"),
    "each of its header": rule(each="{{ [key, 1] }}"),
    "later": rule(after_s=(0.0, 0.0)),
    "fails": replace(PLAIN, fails=Fails(1.0, "event.type == 'other'")),
    "a count by key": keeps(Fold(("t",), "$key", {"n": "{{ (was.n | default(0)) + 1 }}"})),
    "a window": replace(rule({"n": "count()"}), window=Window(every_s=1.0)),
    "a window by key": replace(rule({"n": "count()"}), window=Window(every_s=1.0, by="$key")),
    "a join by key": replace(rule(), joins=Join("v", "$key", "$key", 5.0)),
}


def lived(folder: Path, bill: Consumer, data: bytes = CUT, **fields: Any) -> tuple[dict[str, int], list[str]]:
    """What is counted of one event between readable ones, and the reasons that failed it."""
    log = Log()
    readable = {"items": [{"n": 1}], "n": 500, "at": "2026-11-24T09:30:00Z", "kind": "made"}
    log.put("t", event(0, body=readable), event(3, data=data, **fields), event(6, body=readable))
    counts = live(folder, bill, log).journal.counts
    reasons = [seen.fields["reason"] for seen in last_observations(folder / "bill.1.jsonl") if seen.kind == "failed"]
    letters = [one for one in log.logs.get("dlq", ()) if one.id == "3"]
    assert all((one.data, one.key) == (data, b"a") for one in letters)
    return {kind: counted["t"] for kind, counted in counts.items() if "t" in counted}, reasons


@pytest.mark.parametrize("bill", LOOKS.values(), ids=LOOKS.keys())
def test_who_looks_into_such_a_body_fails(tmp_path: Path, bill: Consumer) -> None:
    counts, reasons = lived(tmp_path, bill)
    assert counts == {"received": 3, "handled": 2, "failed": 1, "dead_lettered": 1}
    assert [WHY in reason for reason in reasons] == [True], reasons


@pytest.mark.parametrize("bill", DOES_NOT.values(), ids=DOES_NOT.keys())
def test_who_does_not_look_is_not_touched(tmp_path: Path, bill: Consumer) -> None:
    assert lived(tmp_path, bill) == ({"received": 3, "handled": 3}, [])


CLAIMS = {"application/json": True, "application/cloudevents+json; charset=utf-8": True, "Application/JSON": True,
          "text/plain": False, "application/octet-stream": False, "": False, None: False}


@pytest.mark.parametrize("kind", CLAIMS)
@pytest.mark.parametrize("data", [CUT, b"so what", b"\xff\xfe", b""])
def test_what_never_said_that_it_is_json_is_text_or_bytes(tmp_path: Path, kind: str | None, data: bytes) -> None:
    counts, reasons = lived(tmp_path, rule({"n": "$.n"}), data, datacontenttype=kind)
    assert counts.get("dead_lettered", 0) == CLAIMS[kind] == len(reasons)


@pytest.mark.parametrize("data, why", [
    (CUT, "unexpected end of data at byte 13"), (b"", "Input is a zero-length, empty document at byte 0"),
    ('{"o":"ö"}x'.encode(), "unexpected content after document at byte 10"), (b'{"o":"\xff"}', "no UTF-8 at byte 6"),
    (b"so what", "unexpected character, expected a JSON value at byte 0"), (b'{"n":NaN}', "unexpected character"),
])
def test_the_reason_says_what_and_where(data: bytes, why: str) -> None:
    with pytest.raises(PayloadError) as failed:
        _ = seen_of(Delivery(event(1, data=data), "t", 0, 0, 1.0)).body
    assert failed.value.line.startswith(f"its body is no JSON: {why}")


def test_a_readable_body_lacks_what_it_lacks(tmp_path: Path) -> None:
    counts, _ = lived(tmp_path, rule({"n": "$.other.n", "m": "$.other"}), b'"text"')
    assert counts["handled"] == 3
    assert counts.keys() == {"received", "handled"}


def test_the_key_of_the_topic_looks_into_what_is_republished() -> None:
    bill = replace(PLAIN, rules=(Rule("u", "said"),))
    sketch = sketch_of(bill)
    keyed = replace(sketch, topics={**sketch.topics, "u": Topic("u", key="$.sku")})
    good, bad = (Delivery(event(0, **about), "t", 0, 0, 1.0) for about in ({}, {"data": CUT}))
    (_, said), = Reactions(keyed, bill, "/x").follow(good).now
    assert said.key == b"a"
    with pytest.raises(PayloadError, match="its body is no JSON"):
        Reactions(keyed, bill, "/x").follow(bad)


@pytest.mark.parametrize("first", ["t", "v"])
@pytest.mark.parametrize("broken", ["t", "v"])
def test_a_pair_fails_where_its_rule_looks_into_the_broken_one(tmp_path: Path, first: str, broken: str) -> None:
    """Paired by their keys, which can be read."""
    log = Log()
    bill = replace(rule({"ours": "$.n", "theirs": "$joined.n"}), joins=Join("v", "$key", "$key", 60.0))
    for topic in (first, "tv".replace(first, "")):
        log.put(topic, event(0, id=topic, body={"n": topic}, **({"data": CUT} if topic == broken else {})))
        live(tmp_path, bill, log)
    second, = (one.id for one in log.logs["dlq"])
    assert second != first
    told = [seen.fields["reason"] for seen in last_observations(tmp_path / "bill.1.jsonl") if seen.kind == "failed"]
    whose = "its body" if broken == second else "the body of its counterpart"
    assert told == [f"{whose} is no JSON: unexpected end of data at byte 13"]


def test_a_pair_that_looks_into_neither_is_made(tmp_path: Path) -> None:
    log = Log()
    for topic in "tv":
        log.put(topic, event(0, id=topic, data=CUT))
    live(tmp_path, replace(rule({"who": "$id"}), joins=Join("v", "$key", "$key", 60.0)), log)
    assert [one.body() for one in log.logs["u"]] == [{"who": "t"}]
