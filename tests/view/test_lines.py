"""Flow lines: what they say, what they leave out, and that events cannot disturb them."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from eda_cli.journal import Observation
from eda_cli.view.escape import escaped, escaped_json
from eda_cli.view.lines import LINES_PER_S, Flow, faults_told

TIME = "2026-11-24T09:30:00.123456Z"


def published(number: int = 42, **fields: object) -> Observation:
    given = {"topic": "purchases", "partition": 1, "offset": number, "id": "3f2a91c0-aaaa", "type": "purchaseCreated",
             "key": "ann", "body": '{"id":1}', "size": 8}
    return Observation("published", TIME, "webshop", {**given, **fields})


def counted(**counts: int) -> Observation:
    return Observation("counted", TIME, "webshop", {"counts": {kind: {"purchases": n} for kind, n in counts.items()}})


class Screen:
    def __init__(self, width: int | None = None, color: bool = False) -> None:
        self.file = io.StringIO()
        self.now = 0.0
        console = Console(file=self.file, force_terminal=color, width=200 if width is None else width, markup=False)
        self.flow = Flow(console, {"webshop": 1, "invoicing": 2}, width, clock=lambda: self.now)

    def show(self, *seen: Observation) -> list[str]:
        self.flow.show(seen)
        lines = self.file.getvalue().splitlines()
        self.file.seek(0)
        self.file.truncate()
        return lines


def test_a_published_event_is_one_line_with_all_it_needs() -> None:
    assert Screen().show(published()) == [
        '09:30:00.123 webshop     → purchases[1]@42 purchaseCreated 3f2a91c0 ann {"id":1}']


def test_one_that_was_published_with_faults_says_which() -> None:
    assert Screen().show(published(faults=["duplicate", "out_of_order"])) == [
        '09:30:00.123 webshop     → purchases[1]@42 (duplicate, out of order) purchaseCreated 3f2a91c0 ann {"id":1}']


def test_a_key_that_is_a_uuid_is_as_short_as_an_id_and_leaves_room_for_the_body() -> None:
    key = "0f8fad5b-d9cb-469f-a165-70867728950e"
    line = Screen(80).show(published(key=key, partition=0))[0]
    assert line == '09:30:00.123 webshop     → purchases[0]@42 purchaseCreated 3f2a91c0 0f8fad5b {"…'
    assert f" {key}-1 " in Screen().show(published(key=f"{key}-1"))[0]


def test_who_stops_to_start_again_says_why() -> None:
    assert Screen().show(Observation("stopped", TIME, "webshop", {"replica": 1, "again": "set rate=9/s"})) == [
        "09:30:00.123 webshop     ● stopped, to start again: set rate=9/s"]


def test_one_that_is_redriven_says_so() -> None:
    assert Screen().show(published(redriven=2)) == [
        '09:30:00.123 webshop     → purchases[1]@42 (redriven) purchaseCreated 3f2a91c0 ann {"id":1}']


def test_how_many_faults_there_were() -> None:
    assert faults_told({"late": 1200, "drop": 1, "out_of_order": 5}) == "1 drop, 1,200 late, 5 out of order"


def test_a_handled_one_says_how_long_after_it_was_published() -> None:
    seen = Observation("handled", TIME, "invoicing", {**published().fields, "after_ms": 12.34, "replica": 2})
    assert Screen().show(seen) == [
        '09:30:00.123 invoicing.2 ← purchases[1]@42 +12ms purchaseCreated 3f2a91c0 ann {"id":1}']


def test_a_foreign_event_and_a_tombstone_are_lines_too() -> None:
    seen = Observation("published", TIME, "webshop", {"topic": "t", "partition": None, "offset": None, "id": None,
                                                      "type": None})
    assert Screen().show(seen) == ["09:30:00.123 webshop     → t - - (tombstone)"]


def test_an_event_that_could_not_be_made_is_no_tombstone() -> None:
    fields = {"topic": "t", "partition": None, "offset": None, "id": "3f2a91c0-aaaa", "type": "paid", "reason": "no total"}
    shown = Screen().show(Observation("failed", TIME, "webshop", {**fields, "made": False}))
    assert shown == ["09:30:00.123 webshop     ✗ t no total · paid 3f2a91c0"]
    refused = Screen().show(Observation("failed", TIME, "webshop", fields))
    assert refused == ["09:30:00.123 webshop     ✗ t no total · paid 3f2a91c0 (tombstone)"]


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("body", ["x" * 500, "漢字" * 200, "🎉" * 300, "e\u0301" * 300])
def test_a_line_is_as_wide_as_the_terminal_at_most(width: int, body: str) -> None:
    from rich.cells import cell_len

    lines = Screen(width).show(published(body=body, size=len(body.encode())))
    assert len(lines) == 1
    assert cell_len(lines[0]) <= width
    assert lines[0].endswith("…")


@pytest.mark.parametrize("evil", ["\x1b[2J\x1b[H", "\x1b]0;title\x07", "a\rb", "a\nb", "\x9b31m", "\u202eabc", "\u2028", "\x00"])
def test_what_a_terminal_would_obey_is_shown_instead(evil: str) -> None:
    lines = Screen().show(published(body=evil, key=evil, type=evil, id=evil))
    assert len(lines) == 1
    assert all(char.isprintable() for char in lines[0])
    assert escaped(evil) in lines[0]


@pytest.mark.parametrize("evil", ["\u202eabc", "\x9b31m", "\x7f", "\U000e0041", "grüße 🎉", "plain"])
def test_json_on_a_terminal_says_the_same_and_nothing_to_obey(evil: str) -> None:
    line = escaped_json(json.dumps({"evil": evil}, ensure_ascii=False))
    assert all(char.isprintable() for char in line)
    assert json.loads(line) == {"evil": evil}
    assert ("\\u" in line) == (evil not in ("grüße 🎉", "plain"))


def test_markup_is_text() -> None:
    assert "[bold red]x[/] :smile:" in Screen(color=False).show(published(body="[bold red]x[/] :smile:"))[0]


def test_above_the_limit_lines_are_left_out_and_said_openly() -> None:
    screen = Screen()
    lines: list[str] = []
    for tick in range(100):
        screen.now = tick / 10
        lines += screen.show(*[published(number) for number in range(100)], counted(published=(tick + 1) * 1000))
    screen.flow.say_left_out()
    lines += screen.show()
    flow = [line for line in lines if "→" in line]
    said = [int(line.split()[1].replace(",", "")) for line in lines if line.startswith("…")]
    assert len(flow) <= LINES_PER_S * 11
    assert len(flow) + sum(said) == 100_000
    assert 9 <= len(said) <= 11


def test_the_past_is_not_left_out() -> None:
    screen = Screen()
    screen.flow.past([counted(published=5_000)])
    screen.now = 5.0
    assert screen.show(published(), counted(published=5_001)) == [Screen().show(published())[0]]


def test_a_replica_has_its_number_where_there_are_several() -> None:
    seen = [Observation("published", TIME, part, {**published().fields, "replica": replica})
            for part, replica in (("webshop", 1), ("invoicing", 1), ("webshop", 2))]
    assert [line.split()[1] for line in Screen().show(*seen)] == ["webshop", "invoicing.1", "webshop.2"]


def test_crashes_are_seen() -> None:
    seen = Observation("crashed", TIME, "webshop", {"replica": 1, "reason": "killed by SIGKILL", "again_in_s": 0.2,
                                                    "log": ["a", "\x1b[31mlast words"]})
    assert Screen().show(seen) == [
        "09:30:00.123 webshop     ● crashed: killed by SIGKILL; again in 0.2 s — \\x1b[31mlast words"]


def test_what_was_touched_is_told_under_its_part_alone() -> None:
    seen = [Observation("touched", TIME, "webshop", {"text": "set rate=50/s"}),
            Observation("applied", TIME, "run", {"by_touch": True}),
            Observation("touched", TIME, "invoicing", {"text": "killed", "replica": 2}),
            Observation("applied", TIME, "run", {})]
    assert Screen().show(*seen) == [
        "09:30:00.123 webshop     ● set rate=50/s", "09:30:00.123 invoicing.2 ● killed",
        "09:30:00.123 run         ● the changed sketch is live"]


def test_a_flood_of_log_lines_is_cut_and_how_many_is_said() -> None:
    screen = Screen()
    shown = screen.show(*(Observation("log", TIME, "mailer", {"text": f"line {number}"}) for number in range(400)))
    assert len(shown) < 100
    screen.now += 2
    assert screen.show() == [f"… {400 - len(shown):,} more lines of logs; all: eda logs"]


def test_who_cannot_keep_up_is_told_with_both_rates() -> None:
    def said(kind: str, **fields: object) -> list[str]:
        return Screen().show(Observation(kind, TIME, "webshop", fields))

    assert said("behind", lost=1_800, wished=5000.0, reached=3200.4) == [
        "09:30:00.123 webshop     ● cannot keep up: 3,200/s of 5,000/s"]
    assert said("behind", lost=1, wished=0.5, reached=0.25) == ["09:30:00.123 webshop     ● cannot keep up: 0.25/s of 0.5/s"]
    assert said("behind", lost=1_800, refused=True) == [
        "09:30:00.123 webshop     ● made 1,800 events fewer while it waited"]
    assert said("live", events=28_800) == [
        "09:30:00.123 webshop     ● made up for the past with 28,800 events, and is live from now on"]
    assert said("in_time") == ["09:30:00.123 webshop     ● keeps up again"]
