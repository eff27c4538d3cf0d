"""What runs tells: lines that survive kills, exact counts, and a listener that misses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from eda_cli import journal
from eda_cli.channels.base import Receipt
from eda_cli.event import Delivery, Event, now
from eda_cli.journal import Journal, Listener, Observation, last_counts


def events(many: int) -> list[Event]:
    return [Event(str(number), "/s", "t", None, b'{"n":1}') for number in range(many)]


def receipts(many: int) -> list[Receipt]:
    return [Receipt(str(number), "t", 0, number, 0.0) for number in range(many)]


def test_counts_are_whole_though_lines_are_sampled(tmp_path: Path) -> None:
    book = Journal(tmp_path / "a.1.jsonl", "a")
    for _ in range(10):
        book.published("t", events(1000), receipts(1000))
        book.flush()
    book.close()
    seen = Listener(tmp_path).poll()
    assert journal.LINES_PER_S <= len([one for one in seen if one.kind == "published"]) < 1000
    assert last_counts(tmp_path / "a.1.jsonl") == {"published": {"t": 10_000}}


def test_counts_go_on_after_a_restart_and_a_torn_line_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.1.jsonl"
    book = Journal(path, "a")
    book.published("t", events(3), receipts(3))
    book.flush()
    book.close()
    with path.open("ab") as file:
        file.write(b'{"kind":"counted","ti')
    book = Journal(path, "a")
    book.consumed("handled", [Delivery(event, "u", 0, 1, 0.0) for event in events(2)])
    book.close()
    assert last_counts(path) == {"published": {"t": 3}, "handled": {"u": 2}}


def test_a_full_file_turns_over_and_the_listener_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_LIMIT", 2_000)
    book = Journal(tmp_path / "a.1.jsonl", "a")
    listener = Listener(tmp_path)
    seen = []
    for number in range(100):
        book.tell("note", number=number)
        seen += [one.fields["number"] for one in listener.poll() if one.kind == "note"]
    book.close()
    listener.close()
    assert seen == list(range(100))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_000


def test_since_separates_past_from_news(tmp_path: Path) -> None:
    book = Journal(tmp_path / "a.1.jsonl", "a")
    book.tell("old")
    moment = now()
    book.tell("new")
    listener = Listener(tmp_path, since=moment)
    later = Journal(tmp_path / "b.1.jsonl", "b")
    later.tell("newer")
    assert [one.kind for one in listener.past] == ["old"]
    assert [one.kind for one in listener.poll()] == ["new", "newer"]
    listener.close()
    later.close()
    book.close()


def test_a_huge_body_is_cut_and_its_size_is_told(tmp_path: Path) -> None:
    book = Journal(tmp_path / "a.1.jsonl", "a")
    book.published("t", [Event("1", "/s", "t", None, b"x" * 900_000)], receipts(1))
    book.close()
    told = Listener(tmp_path).poll()[0]
    assert (len(told.fields["body"]), told.fields["size"]) == (journal.BODY_SHOWN, 900_000)


def test_what_is_no_observation_is_refused() -> None:
    for line in (b"[]", b"{}", b"nonsense", b'{"kind":"a"}'):
        with pytest.raises(ValueError):
            Observation.from_line(line)
