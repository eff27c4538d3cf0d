"""Events as others write them: without id, key or place, of bytes that are no text, of types nobody wants. None ends the part."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import Delivery, Event
from eda_cli.sketch.resolved import Consumer, Fails, Fold, Idempotent, Join, Kept, Retries, Rule, Window
from eda_cli.stubs.handling import Handling
from eda_cli.stubs.inbox import Inbox
from tests.stubs.playing import Log, let_go, part
from tests.stubs.test_histories import STOCK, event, live, sketch_of

RULE = Rule("u", "said", {"key": "$key", "id": "$id", "body": "$"}, has_body=True)
PLAIN = Consumer("bill", ("t",), start="earliest", dead_letter="dlq", rules=(RULE,))
KINDS = {
    "plain": PLAIN,
    "fails": replace(PLAIN, fails=Fails(0.5, "body.n > 1")),
    "keeps": replace(PLAIN, keeps=(STOCK, Kept("t", (Fold(("t",)),)), Kept("k", (Fold(("v",), "$key", {"n": "$.n"}),)))),
    "remembers": replace(PLAIN, idempotent=Idempotent(), retries=Retries(1, (0.0, 0.0))),
    "later": replace(PLAIN, rules=(RULE, replace(RULE, after_s=(0.0, 0.0), unless={"v": "$key", "t": "$"}))),
    "window": replace(PLAIN, rules=(Rule("u", "said", {"n": "sum($.n)", "of": "$window.key"}, has_body=True),),
                      window=Window(every_s=1.0)),
    "session": replace(PLAIN, window=Window(gap_s=1.0, by="$", time="$.at"), rules=(Rule("u", "said", "$", has_body=True),)),
    "join": replace(PLAIN, joins=Join("v", "$key", "$", 5.0), rules=(Rule("u", "said", {"j": "$joined"}, has_body=True),)),
    "types": replace(PLAIN, accepts=("made",), joins=Join("v", "$key", "$key", 5.0)),
}
BODIES = (None, b"", b"\xff\xfe", b'"text', b"null", b"[1]", b'{"n":1e308,"sku":"a"}', b'{"n":"x","at":1e300}',
          b"[" * 400 + b"]" * 400)


def whatever() -> list[Delivery]:
    made: list[Delivery] = []
    foreign: dict[str, Any] = {"id": None, "source": None, "type": None, "time": None, "datacontenttype": None}
    kinds: list[dict[str, Any]] = [foreign, {}, {"type": "other", "time": "noon"}]
    for data, key, about in itertools.product(BODIES, (None, b"", b"\xff", b"a"), kinds):
        number = len(made)
        one = event(number, data=data, key=key, headers=(("x", b"\xff"), ("y", None)), **about)
        nowhere = number % 5 == 0
        made.append(Delivery(one, "tv"[number % 2], None if nowhere else 0, None if nowhere else number, 1.0))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_is_settled_and_the_part_goes_on(tmp_path: Path, kind: str) -> None:
    bill, log = KINDS[kind], Log()
    one = part(tmp_path, sketch_of(bill), "bill", 1, log)
    inbox = Inbox()
    handling = Handling(one, bill, inbox, None)
    assert handling.begin()
    deliveries = whatever()
    inbox.put(deliveries)
    settled: list[Delivery] = []
    while batch := inbox.take(float("inf"), 10):
        settled += handling.handle(batch, lambda seconds: True) or ()
        handling.tick(idle=False)
    assert sorted(map(id, settled)) == sorted(map(id, deliveries))
    assert not len(inbox)
    handling.close()
    let_go(one)


def test_what_changes_nothing_is_not_told_as_handled(tmp_path: Path) -> None:
    log = Log()
    bill = replace(PLAIN, subscribes=("t", "v"), accepts=("made",), joins=Join("v", "$key", "$key", 5.0))
    log.put("t", event(0), event(3, type="other"))
    log.put("v", Event("v0", "/x", "other", None, b"{}", b"a"))
    counts = live(tmp_path, bill, log).journal.counts
    assert counts["received"] == counts["handled"] == {"t": 1}
