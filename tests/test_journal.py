"""What runs tells: lines that survive kills, exact counts, and a listener that misses nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eda_cli import journal
from eda_cli.channels.base import Receipt
from eda_cli.event import Delivery, Event
from eda_cli.journal import Journal, Listener, Observation, in_order, last_counts, last_observations, marks


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


def test_marks_separate_past_from_news_whatever_the_clock_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Journal(tmp_path / "a.1.jsonl", "a")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    book.tell("old")
    mark = marks(tmp_path)
    monkeypatch.setattr("time.time", lambda: 1_000_000_000.0)
    book.tell("new")
    listener = Listener(tmp_path, since=mark)
    later = Journal(tmp_path / "b.1.jsonl", "b")
    later.tell("newer")
    assert [one.kind for one in listener.past] == ["old"]
    assert sorted(one.kind for one in listener.poll()) == ["new", "newer"]
    assert [one.kind for one in in_order([last_observations(tmp_path / "a.1.jsonl")])] == ["old", "new"]
    listener.close()
    later.close()
    book.close()


def test_totals_are_found_behind_many_lines_and_torn_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.1.jsonl"
    book = Journal(path, "a")
    book.published("t", events(3), receipts(3))
    book.flush()
    for _ in range(2_000):
        book.tell("waiting", text="the broker does not answer")
    book.close()
    assert last_counts(path) == {"published": {"t": 3}}
    with path.open("ab") as file:  # a batch that a kill tore has no totals behind it
        file.write(b'{"kind":"note","time":"","part":"a"}\n' * 10_000)
    assert last_counts(path) == {"published": {"t": 3}}
    path.rename(path.with_name("a.1.jsonl.1"))  # a kill between turning over and the first line
    assert last_counts(path) == {"published": {"t": 3}}


def test_a_full_disk_stops_nobody_and_loses_no_count(tmp_path: Path) -> None:
    path = tmp_path / "a.1.jsonl"
    script = """
import resource, signal, sys
from pathlib import Path
from tests.test_journal import events, receipts
from eda_cli.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
book = Journal(Path(sys.argv[1]), "a")
for _ in range(50):
    book.published("t", events(10), receipts(10))
    book.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
book.tell("room")
book.close()
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert last_counts(path) == {"published": {"t": 500}}
    assert [one.kind for one in last_observations(path)][-1] in ("room", "counted")


def test_a_full_disk_while_the_file_turns_over_loses_no_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.1.jsonl"
    monkeypatch.setattr(journal, "FILE_LIMIT", 2_000)
    book = Journal(path, "a")
    book.published("t", events(10), receipts(10))
    book.flush()
    write, append = os.write, journal._append
    for broken, working in (("os.write", write), ("eda_cli.journal._append", append)):
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "no space left")

        monkeypatch.setattr(broken, full)
        for _ in range(5):
            book.published("t", events(10), receipts(10))
            book.flush()
        monkeypatch.setattr(broken, working)
        book.published("t", events(10), receipts(10))
        book.flush()
    assert last_counts(path) == {"published": {"t": 130}}
    book.close()


def test_a_library_says_a_thing_once_in_a_while_and_without_a_traceback(tmp_path: Path) -> None:
    script = """
import logging, sys
from pathlib import Path
from eda_cli import log
log.log_to(Path(sys.argv[1]))
library = logging.getLogger("kafka.net")
for number in range(1000):
    library.error("socket %s disconnected", number)
    library.error(f"<Connection {number}> failed (again in {number / 7:.2f} s)")
try:
    raise OSError("gone")
except OSError:
    library.exception("closing")
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.log")], check=True)
    lines = [line.split(" ", 1)[1] for line in (tmp_path / "a.log").read_text().splitlines()]
    assert lines == ["ERROR kafka.net: socket 0 disconnected",
                     "ERROR kafka.net: <Connection 0> failed (again in 0.00 s)", "ERROR kafka.net: closing"]


def test_a_log_turns_over(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    script = """
import sys
from pathlib import Path
from eda_cli import log
log.LIMIT = 1_000
log.log_to(Path(sys.argv[1]))
for number in range(100):
    log.log(f"line {number}")
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert path.stat().st_size < 1_100
    assert path.with_name("a.log.1").stat().st_size < 1_100
    assert path.read_text().endswith("line 99\n")


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
