"""What an event contains is untrusted: no view of it can be disturbed. On a real terminal, by its bytes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda

EVIL = ["\x1b[2J\x1b[H\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "a\rb\nc\td", "\u202egnp.exe", "[bold red]markup[/] :smile:",
        "\x00\x08\x7f", "\U0001f600 {{ body }}", "x" * 900_000]
QUIET = """
name: hostile
topics: {purchases: {key: $.user}}
generators: {shop: {publishes: purchases, after: 1h}}
consumers:
  billing: {subscribes: purchases}
  failing: {subscribes: purchases, publishes: {to: out, body: {x: "{{ body.missing }}"}}}
  listener: {subscribes: out}
"""


@pytest.fixture
def hostile(embedded: Eda, tmp_path: Path) -> Eda:
    (tmp_path / "hostile.yaml").write_text(QUIET)
    embedded.up(tmp_path / "hostile.yaml")
    return embedded


def publish_evil(eda: Eda) -> None:
    for number, text in enumerate(EVIL):
        event = {"specversion": "1.0", "id": text[:100] or "x", "source": "/" + text[:100], "type": "t" + text[:100],
                 "partitionkey": text[:100], "data": {"number": number, "evil": text},
                 "headers": [[text[:50] or "h", text[:100]]]}
        eda("publish", "purchases", "-", stdin=json.dumps(event) + "\n")
    eda("publish", "purchases", "-k", EVIL[0], EVIL[0])


class Terminal:
    """A pseudo terminal with a command in it."""

    def __init__(self, eda: Eda, *args: str, term: str = "xterm-256color") -> None:
        self.fd, slave = pty.openpty()
        environ = {**eda.environ, "TERM": term, "COLUMNS": "100", "LINES": "30"}
        self.child = subprocess.Popen([sys.executable, "-m", "eda_cli", *args], env=environ, stdin=slave, stdout=slave,
                                      stderr=slave, start_new_session=True)
        os.close(slave)
        self.seen = b""

    def read(self, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                break
        return self.seen

    def read_to_its_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.child.poll() is None and time.monotonic() < deadline:
            self.read(0.1)
        self.read(0.1)
        os.close(self.fd)
        self.child.kill()
        assert self.child.wait() >= 0, f"it did not end in {seconds} s"

    def end(self) -> None:
        self.child.send_signal(signal.SIGINT)
        self.read_to_its_end(20)


def clean(seen: bytes) -> None:
    """No control character but the colours (and cursor) that rich itself writes."""
    import re

    text = seen.decode()
    left = re.sub(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\r\n|\r?\x1b\[2K|\x1b\[1A", "", text)
    bad = [char for char in left if not char.isprintable() and char not in "\n\r\t"]
    assert not bad, bad[:10]
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text


@pytest.mark.timeout(180)
def test_up_tail_logs_and_ps_show_and_do_not_obey(hostile: Eda, tmp_path: Path) -> None:
    up = Terminal(hostile, "up", str(tmp_path / "hostile.yaml"), "--broker", "embedded")
    eventually(lambda: b"attached" in up.read(0.1), READY_S)
    tail = Terminal(hostile, "tail", "purchases")
    publish_evil(hostile)
    eventually(lambda: b"x" * 30 in up.read(0.1) and b"x" * 30 in tail.read(0.1), 20)
    for terminal in (up, tail):
        terminal.end()
        clean(terminal.seen)
    assert b"[bold red]markup[/] :smile:" in up.seen
    assert rb"\x1b[2J" in up.seen
    for command in (("ps",), ("logs",), ("tail", "purchases", "-o", "beginning", "-e"), ("topics",), ("groups",)):
        terminal = Terminal(hostile, *command)
        terminal.read_to_its_end(30)
        clean(terminal.seen)


def test_evil_survives_the_way_round(hostile: Eda) -> None:
    publish_evil(hostile)
    events = hostile.events("purchases", "hostile")
    assert sorted(event["data"]["evil"] for event in events if isinstance(event["data"], dict)) == sorted(EVIL)


def test_a_value_that_cannot_be_made_fails_its_event_and_no_other(hostile: Eda) -> None:
    hostile("publish", "purchases", '{"id": 1}')
    hostile("publish", "purchases", '{"missing": 2}')
    eventually(lambda: hostile.events("out", "hostile") if "out" in str(hostile.lines("topics", "--json")) else None, 20)
    parts = {part["part"]: part for part in hostile.ps("hostile")["parts"]}
    assert (parts["failing"]["failed"], parts["failing"]["handled"]) == (1, 1)
    assert "missing" in hostile("logs", "failing").stdout


@pytest.mark.parametrize("how", [("-f", "%k %s %h\\n"), ("--json",), ("--raw",)], ids=lambda how: how[0])
def test_a_terminal_is_shown_what_a_pipe_gets_byte_by_byte(hostile: Eda, how: tuple[str, ...]) -> None:
    key, body = "k\x1b[31m", "\u202eb\x9b2J"
    hostile("publish", "purchases", body, "-k", key, "-H", f"h={key}")
    command = ("tail", "purchases", "-e", *how)
    piped = hostile(*command).stdout
    assert (body in piped) and (key in piped or how != ("-f", "%k %s %h\\n"))
    terminal = Terminal(hostile, *command)
    terminal.read_to_its_end(30)
    clean(terminal.seen)
    assert b"\\u202eb" in terminal.seen
    assert b"\x1b[31m" not in terminal.seen


def test_a_pipe_that_wants_colours_gets_no_cursor_and_whole_lines(embedded: Eda, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(f"generators: {{shop: {{publishes: purchases, body: {{x: {'long' * 50}}}}}}}")
    embedded.environ |= {"FORCE_COLOR": "1", "COLUMNS": "80"}
    done = embedded("up", str(tmp_path / "long.yaml"), "--broker", "embedded", "--for", "1s")
    assert "long" * 50 in done.stdout and "\x1b[" in done.stdout
    assert "\x1b[?25l" not in done.stderr and "\r" not in done.stderr


@pytest.mark.parametrize(("term", "moves"), [("xterm-256color", True), ("dumb", False)])
def test_something_spins_only_where_it_can(embedded: Eda, tmp_path: Path, term: str, moves: bool) -> None:
    (tmp_path / "hostile.yaml").write_text(QUIET)
    up = Terminal(embedded, "up", str(tmp_path / "hostile.yaml"), "--broker", "embedded", "--for", "0.1s", term=term)
    up.read_to_its_end(READY_S)
    assert (b"\x1b[?25l" in up.seen) == moves
