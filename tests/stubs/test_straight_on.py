"""What is handled straight on is what comes of handling each event with care, whatever lies among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.event import Delivery, Event
from eda_cli.sketch.resolved import Consumer, Fold, Kept, Resolved, Retries, Rule, Topic, Window
from eda_cli.stubs.handling import Handling
from eda_cli.stubs.inbox import Inbox
from tests.stubs.playing import Log, let_go, part

SHOWN = {"n": "{{ (was.n | default(0)) + body.n }}", "last": "$id", "said": "$.said"}
DUTIES: dict[str, dict[str, Any]] = {
    "fold": {"keeps": (Kept("users", (Fold(("t",), "$.user", SHOWN),)),)},
    "copy": {"keeps": (Kept("t", (Fold(("t",), "$.user"),)),)},
    "copy by key": {"keeps": (Kept("t", (Fold(("t",), "$key"),)),)},
    "window": {"window": Window(by="$.user", every_s=10.0, time="$time"),
               "rules": (Rule("u", "x", {"n": "count()", "s": "sum($.n)", "m": "mean($.n)", "h": "max($.items.0)"}, True),)},
}
BODIES = st.one_of(
    st.fixed_dictionaries({"user": st.sampled_from(["ann", "bob"]), "n": st.integers(-5, 5), "said": st.sampled_from(["ä", "a"]),
                           "items": st.just([1.5])}),
    st.fixed_dictionaries({"user": st.sampled_from(["ann", "", None, 7, ["a"], {"a": 1}])}, optional={
        "n": st.sampled_from([1, 0.5, "x", None, True, 2**63, [1]]), "said": st.sampled_from([[1], None, "x" * 2_000]),
        "items": st.sampled_from([[], ["x"], "abc"])}),
    st.sampled_from(["text", [1], None, 3])).map(orjson.dumps)
DATA = st.one_of(BODIES, BODIES, BODIES, st.sampled_from([None, b"no JSON", b"\xff", b""]))
TIMES = st.sampled_from(["2026-11-24T09:30:00.5Z", "2026-11-24T09:30:09Z", "2026-11-24T09:30:10Z", "1960-01-01T00:00:00Z", "x",
                         "9999-12-31T23:59:59Z", "2026-11-24T09:30:00+02:00", None])
EVENTS = st.lists(st.tuples(DATA, TIMES, st.sampled_from([b"ann", b"bob", None, b"\xff"]), st.sampled_from([0, 1, None])),
                  min_size=1, max_size=12)


def left(folder: Path, duty: str, batches: Sequence[Sequence[Delivery]], straight: bool) -> Any:
    """What is stored after these batches, and what became of each event."""
    folder.mkdir()
    consumer = Consumer("bill", ("t",), "bill", retries=Retries(1, (3600.0, 3600.0)), **DUTIES[duty])
    one = part(folder, Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t"), "u": Topic("u")}, {}, {}, {"bill": consumer}),
               "bill", 1, Log())
    inbox = Inbox()
    handling = Handling(one, consumer, inbox, None)
    assert handling.begin()
    assert handling._straight
    handling._straight = straight
    settled = [handling.handle(batch, lambda seconds: True) for batch in batches]
    store = handling._store
    assert store is not None
    rows = [store.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("copy", "windows", "attempts", "ahead")]
    places = store.rows("SELECT topic, partition, next, time FROM positions ORDER BY 1, 2")
    rows[1] = [(*each[:-1], orjson.loads(each[-1])) for each in rows[1]]
    rows[0] = [(*each[:-1], bytes(each[-1])) for each in rows[0]]
    counts = one.journal.counts
    handling.close()
    let_go(one)
    return settled, rows, places, counts, inbox.waiting()


@pytest.mark.parametrize("duty", DUTIES)
def test_it_is_what_care_makes_of_it(duty: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    straight_on = 0

    @given(events=EVENTS, cut=st.integers(0, 12))
    @settings(derandomize=True, max_examples=150, deadline=None)
    def compared(events: Sequence[tuple[bytes | None, str | None, bytes | None, int | None]], cut: int) -> None:
        nonlocal straight_on
        offsets = iter(range(100))
        deliveries = [Delivery(Event(f"e{n}", "/s", "happened", time, data, key), "t", partition, next(offsets), 1.7e9 + n)
                      for n, (data, time, key, partition) in enumerate(events)]
        batches = [batch for batch in (deliveries[:cut], deliveries[cut:]) if batch]
        folder = tmp_path_factory.mktemp("stores")
        fast = left(folder / "fast", duty, batches, straight=True)
        assert fast == left(folder / "slow", duty, batches, straight=False)
        straight_on += sum(map(len, fast[0]))

    compared()
    assert straight_on
