"""What to start and to stop, told as histories: no process, no clock."""

from __future__ import annotations

from dataclasses import replace

from eda_cli.errors import Futile
from eda_cli.runs.plan import Forget, Needed, Seen, Start, Stop, after_exit, backoff, needed, next_due, plan
from eda_cli.sketch.resolved import Consumer, Generator, Resolved, Topic

A, A2 = Needed("a", 1, "x"), Needed("a", 1, "y")
SKETCH = Resolved("shop", {"kind": "embedded"}, 1, {"t": Topic("t")}, {},
                  {"web": Generator("web", "t", "made", {"id": 1})},
                  {"bill": Consumer("bill", ("t",), "bill", replicas=2)})


def test_what_is_missing_is_started() -> None:
    assert plan({"a.1": A}, {}, 0.0) == [Start("a.1", A)]


def test_what_is_there_is_left_alone() -> None:
    for state in ("starting", "ready"):
        assert plan({"a.1": A}, {"a.1": Seen(state, A, 0.0)}, 0.0) == []  # type: ignore[arg-type]


def test_what_changed_is_stopped_first_and_started_once_it_is_gone() -> None:
    seen = {"a.1": Seen("ready", A, 0.0)}
    assert plan({"a.1": A2}, seen, 0.0) == [Stop("a.1")]
    seen["a.1"].state = "stopping"
    assert plan({"a.1": A2}, seen, 0.0) == []
    seen["a.1"] = after_exit(seen["a.1"], 0, 1.0)
    assert plan({"a.1": A2}, seen, 1.0) == [Start("a.1", A2)]


def test_a_changed_part_begins_when_all_its_old_processes_are_gone() -> None:
    old, new = Needed("a", 2, "x"), Needed("a", 2, "y")
    wished = {"a.1": A2, "a.2": new, "b.1": Needed("b", 1, "z")}
    seen = {"a.1": after_exit(Seen("stopping", A, 0.0), 0, 1.0), "a.2": Seen("stopping", old, 0.0)}
    assert plan(wished, seen, 1.0) == [Start("b.1", wished["b.1"])]
    seen["a.2"] = after_exit(seen["a.2"], 0, 1.0)
    assert plan({"a.1": A2, "a.2": new}, seen, 1.0) == [Start("a.1", A2), Start("a.2", new)]


def test_what_is_not_wished_is_stopped_and_forgotten() -> None:
    assert plan({}, {"a.1": Seen("ready", A, 0.0)}, 0.0) == [Stop("a.1")]
    assert plan({}, {"a.1": Seen("crashed", A, 0.0)}, 0.0) == [Forget("a.1")]


def test_a_crash_waits_longer_each_time() -> None:
    seen = Seen("starting", A, 0.0)
    waits = []
    for _ in range(9):
        seen = after_exit(seen, -9, 0.0)
        waits.append(backoff(seen.failures))
        assert plan({"a.1": A}, {"a.1": seen}, waits[-1] - 0.01) == []
        assert plan({"a.1": A}, {"a.1": seen}, waits[-1] + 0.01) == [Start("a.1", A)]
        assert next_due({"a.1": seen}, 0.0) == waits[-1]
        seen = replace(seen, state="starting")
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


def test_a_part_that_was_up_for_long_begins_with_the_first_wait() -> None:
    assert after_exit(Seen("ready", A, 0.0, failures=5), -9, 100.0).failures == 1


def test_a_generator_that_is_done_stays_done_until_it_changes() -> None:
    seen = {"a.1": after_exit(Seen("ready", A, 0.0), 0, 1.0)}
    assert seen["a.1"].state == "finished"
    assert plan({"a.1": A}, seen, 99.0) == []
    assert plan({"a.1": A2}, seen, 99.0) == [Start("a.1", A2)]


def test_what_can_never_be_done_is_not_tried_again_until_it_changes() -> None:
    seen = {"a.1": after_exit(Seen("ready", A, 0.0), Futile.status, 1.0)}
    assert plan({"a.1": A}, seen, 1000.0) == []
    assert plan({"a.1": A2}, seen, 1000.0) == [Start("a.1", A2)]


def test_who_is_looked_up_begins_anew_with_who_looks_and_not_with_its_pauses() -> None:
    web = SKETCH.generators["web"]
    bank = Generator("bank", "paid", "paid", {"of": {"$lookup": "t"}})
    topics = {**SKETCH.topics, "paid": Topic("paid")}

    def digests(web: Generator, bank: Generator) -> tuple[str, str]:
        told = needed(replace(SKETCH, topics=topics, generators={"web": web, "bank": bank}))
        return told["web.1"].digest, told["bank.1"].digest

    first = digests(web, bank)
    assert digests(web, replace(bank, body={"of": 1}))[0] != first[0] == digests(web, replace(bank, count=5))[0]
    assert digests(replace(web, count=5), bank)[1] != first[1] == digests(replace(web, paused=True), bank)[1]


def test_wishes_name_each_replica_and_leave_out_what_others_run() -> None:
    assert list(needed(SKETCH)) == ["bill.1", "bill.2", "web.1"]
    outside = replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], external=True)})
    assert list(needed(outside)) == ["bill.1", "bill.2"]


def test_a_change_touches_only_its_part() -> None:
    before = needed(SKETCH)
    faster = replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], rate=9.0)})
    more = replace(SKETCH, consumers={"bill": replace(SKETCH.consumers["bill"], replicas=3)})
    noted = replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], about="new words")})
    assert [name for name, wish in needed(faster).items() if before.get(name) != wish] == ["web.1"]
    assert [name for name, wish in needed(more).items() if before.get(name) != wish] == ["bill.3"]
    assert needed(noted) == before


def test_a_restart_touches_its_part_alone_and_a_note_of_a_knob_none() -> None:
    before = needed(SKETCH)
    again = needed(SKETCH, {"bill": 1})
    assert [name for name, wish in again.items() if before[name] != wish] == ["bill.1", "bill.2"]
    touched = replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], touched={"rate": "1/s"})})
    paused = replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], paused=True)})
    assert needed(touched) == before
    assert [name for name, wish in needed(paused).items() if before[name] != wish] == ["web.1"]
