"""What own code answered becomes the events that rules would have made."""

from __future__ import annotations

from typing import Any

import pytest

from eda_cli.event import Event
from eda_cli.payloads import PayloadError, derived_id
from eda_cli.sketch.resolved import Consumer, Resolved, Rule, Topic
from eda_cli.stubs.saying import Saying
from tests.stubs.coding import TIME, delivery

ONE = (Rule("u", "billed"),)
SEVERAL = (Rule("u", "billed"), Rule("u", "refused"), Rule("keyed", "billed"), Rule("untyped"))


def follow(rules: tuple[Rule, ...], *said: dict[str, Any], **heard: Any) -> list[tuple[str, Event]]:
    topics = {"t": Topic("t"), "u": Topic("u"), "keyed": Topic("keyed", key="$.user"), "untyped": Topic("untyped")}
    bill = Consumer("bill", ("t",), "bill", rules=rules)
    sketch = Resolved("shop", {"kind": "embedded"}, 7, topics, {}, {}, {"bill": bill})
    return Saying(sketch, bill, "/eda/shop/bill").follow(said, delivery(1, key="k", **heard))


def test_what_is_left_out_is_as_rules_have_it() -> None:
    (topic, event), (_, second) = follow(ONE, {"data": {"n": 1}}, {"data": {"n": 2}}, correlationid="c")
    assert topic == "u"
    assert event == Event(derived_id("/x/1", "bill", 0, 0), "/eda/shop/bill", "billed", TIME, b'{"n":1}', b"k",
                          correlationid="c", causationid="1")
    assert second.id == derived_id("/x/1", "bill", 0, 1)
    assert follow(ONE, {"data": 1})[0][1].correlationid == "1", "the first of a story names it"


def test_what_is_said_counts() -> None:
    ((topic, event),) = follow(SEVERAL, {
        "topic": "untyped", "type": "told", "data": "text", "datacontenttype": "text/plain", "partitionkey": "p", "subject": "s",
        "headers": [["h", "v"]], "tenant": "x"})
    assert (topic, event.type, event.data, event.key, event.subject, event.headers, event.extensions) == (
        "untyped", "told", b"text", b"p", "s", (("h", b"v"),), {"tenant": "x"})


def test_the_key_is_that_of_the_topic() -> None:
    ((_, event),) = follow(SEVERAL, {"topic": "keyed", "data": {"user": "ann"}})
    assert event.key == b"ann"
    ((_, event),) = follow(SEVERAL, {"topic": "keyed", "data": {"user": "ann"}, "partitionkey": None})
    assert event.key is None
    ((_, event),) = follow(SEVERAL, {"topic": "keyed", "data": {"user": "ann"}, "key_base64": "/w=="})
    assert event.key == b"\xff"


def test_a_body_may_be_bytes_or_none() -> None:
    ((_, event),) = follow(ONE, {"data_base64": "/w=="})
    assert (event.data, event.datacontenttype) == (b"\xff", None)
    ((_, event),) = follow(ONE, {"type": "billed"})
    assert event.data is None


def test_the_event_it_heard_may_be_sent_on() -> None:
    heard = {"specversion": "1.0", "id": "1", "source": "/x", "type": "made", "time": "yesterday", "partition": 0,
             "offset": 1, "data": {"n": 1}, "causationid": "0"}
    ((_, event),) = follow(ONE, {**heard, "topic": "u"})
    assert (event.id, event.source, event.type, event.causationid) == (
        derived_id("/x/1", "bill", 0, 0), "/eda/shop/bill", "made", "1")


@pytest.mark.parametrize(("rules", "said", "why"), [
    (ONE, {"topic": "invoices"}, "bill publishes to u, and not to invoices"),
    (ONE, {"topic": ["u"]}, "bill publishes to u, and not to ['u']"),
    (SEVERAL, {"type": "x"}, "it has no 'topic', and bill publishes to u, keyed, untyped"),
    ((), {"type": "x"}, "it has no 'topic', and bill publishes to no topic"),
    (SEVERAL, {"topic": "u"}, "it has no 'type', and the sketch names several for u"),
    (SEVERAL, {"topic": "untyped"}, "it has no 'type', and the sketch names none for untyped"),
    (ONE, {"type": "a\nb"}, "'type' is a line of text, not a\\nb"),
    (ONE, {"type": 1}, "'type' is a line of text, not 1"),
    (ONE, {"body": {"n": 1}}, "an event has no 'body': it is 'data'"),
    (ONE, {"data": 1, "key": "k"}, "an event has no 'key': it is 'partitionkey'"),
    (ONE, {"data_base64": "?"}, "'data_base64' is not base64"),
    (ONE, {"data": 1, "headers": {"a": "b"}}, "'headers' is a list of [name, value] pairs"),
    (ONE, {"data": {1, 2}}, "cannot be written as JSON"),
    (SEVERAL[2:3], {"data": {"user": [[]] * 3}, "tenant": {}}, "the extension 'tenant' is a string"),
])
def test_what_cannot_be_published_is_said(rules: tuple[Rule, ...], said: dict[str, Any], why: str) -> None:
    with pytest.raises(PayloadError) as wrong:
        follow(rules, said)
    assert wrong.value.line.startswith(f"its answer cannot be published: {why}")
    if len({rule.to for rule in rules}) == 1:
        with pytest.raises(PayloadError, match="event 2 of its answer cannot"):
            follow(rules, {"data": 1}, said)
