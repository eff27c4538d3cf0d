"""`eda copy` over a run folder that holds a consumer's file, with the run down."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from eda_cli.runs import folder as folders
from eda_cli.sketch.resolved import Consumer, Fold, Kept, Resolved, Topic
from eda_cli.stubs.store import store_path
from tests.stubs.test_copies import put, store

BILLING = Consumer("billing", ("purchases",), keeps=(Kept("purchases", (Fold(("purchases",), "$.id"),)),
                                                     Kept("stock", (Fold(("orders",), "$.sku"),))))
SKETCH = Resolved("shop", {"kind": "embedded"}, 1, {"purchases": Topic("purchases")}, {}, {}, {
    "billing": BILLING, "mailer": Consumer("mailer", ("purchases",)),
    "other": Consumer("other", ("purchases",), external=True)})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one run that is down."""
    monkeypatch.setenv("EDA_HOME", str(tmp_path))
    fd = folders.create(folders.new_info("shop", tmp_path / "shop.yaml", {"kind": "embedded"}, 1, False), "", SKETCH, None)
    assert fd is not None
    os.close(fd)
    return tmp_path


def copy(home: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "eda_cli", "copy", *args], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "EDA_HOME": str(home)}, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def keep(home: Path, **rows: bytes) -> None:
    """What billing keeps of purchases; it stopped since."""
    with closing(store(store_path(home / "shop", "billing"))) as writer:
        put(writer, "purchases", **rows)


def on_terminal(home: Path, *args: str) -> str:
    """What it shows on a terminal, narration included."""
    shown, terminal = pty.openpty()
    child = subprocess.Popen([sys.executable, "-m", "eda_cli", "copy", *args], stdout=terminal, stderr=terminal,
                             stdin=subprocess.DEVNULL, env={**os.environ, "EDA_HOME": str(home), "NO_COLOR": "1"})
    os.close(terminal)
    text = b""
    try:
        while chunk := os.read(shown, 1 << 16):
            text += chunk
    except OSError:  # Linux says so at the end
        pass
    os.close(shown)
    assert child.wait(60) == 0
    return text.decode().replace("\r\n", "\n")


def test_it_lists_the_copies_those_without_rows_too(home: Path) -> None:
    assert copy(home, "billing").stdout.split() == ["COPY", "ROWS", "purchases", "0", "stock", "0"]
    assert list((home / "shop").glob("*.db*")) == []
    keep(home, ann=b"1", bob=b"2")
    assert [json.loads(line) for line in copy(home, "billing", "--json").stdout.splitlines()] == [
        {"copy": "purchases", "rows": 2}, {"copy": "stock", "rows": 0}]
    assert "has no rows" in copy(home, "billing", "stock").stderr


def test_the_fields_of_the_rows_are_columns(home: Path) -> None:
    keep(home, a='{"total":5,"who":"grüße 日本"}'.encode(),
        b=b'{"total":120.5,"items":[{"sku":"A"}],"gone":null}', c=b'"text\\u001b[2J"', d=b"{}")
    assert copy(home, "billing", "purchases").stdout.splitlines() == [
        "KEY  total  who         items          gone  ROW",
        "a        5  grüße 日本",
        'b    120.5              [{"sku":"A"}]  null',
        "c                                            text\\x1b[2J",
        "d"]
    assert [json.loads(line) for line in copy(home, "billing", "purchases", "--json").stdout.splitlines()] == [
        {"key": "a", "row": {"total": 5, "who": "grüße 日本"}},
        {"key": "b", "row": {"total": 120.5, "items": [{"sku": "A"}], "gone": None}},
        {"key": "c", "row": "text\x1b[2J"}, {"key": "d", "row": {}}]


def test_keys_that_count_stand_in_that_order_and_floats_are_as_one_writes_them(home: Path) -> None:
    keep(home, **{"1": b"145.14000000000001", "10": b'{"n":[6.1899999999999995]}', "2": b"0.1", "-3": b"100.0", "x": b"1e-20",
                  "007": b"12345678901234567890"})
    assert [line.split() for line in copy(home, "billing", "purchases").stdout.splitlines()] == [
        ["KEY", "n", "ROW"], ["-3", "100.0"], ["1", "145.14"], ["2", "0.1"], ["007", "12345678901234567890"],
        ["10", "[6.19]"], ["x", "1e-20"]]
    assert on_terminal(home, "billing", "purchases").split()[3:] == [
        "-3", "100.0", "1", "145.14", "2", "0.1", "007", "12345678901234567890", "10", "[6.19]", "x", "1e-20"]
    assert '{"key":"1","row":145.14000000000001}' in copy(home, "billing", "purchases", "--json").stdout


def test_rows_that_have_nothing_in_common_are_one_cell_each(home: Path) -> None:
    keep(home, **{f"{n:04}": json.dumps({f"{n}.{field}": field for field in range(50)}, separators=(",", ":")).encode()
                  for n in range(1_500)})
    lines = copy(home, "billing", "purchases").stdout.splitlines()
    assert len(lines) == 1_501 and lines[0].split() == ["KEY", "ROW"]
    assert lines[2].startswith('0001  {"1.0":0,"1.1":1,')
    assert on_terminal(home, "billing", "purchases").splitlines()[2].endswith("…")


def test_one_row(home: Path) -> None:
    keep(home, **{"ann-1": '{"n":{"x":"\u202e"}}'.encode(), "bob-1": b"1"})
    assert copy(home, "billing", "purchases", "ann-1").stdout == '{"n":{"x":"\u202e"}}\n'
    assert json.loads(copy(home, "billing", "purchases", "bob-1", "--json").stdout) == {"key": "bob-1", "row": 1}
    assert on_terminal(home, "billing", "purchases", "ann-1") == '{\n  "n": {\n    "x": "\\u202e"\n  }\n}\n'
    told = copy(home, "billing", "purchases", "ann-2", code=1).stderr
    assert "there is no 'ann-2' in the copy 'purchases'" in told and "near it: ann-1\n" in told
    assert "without KEY" in copy(home, "billing", "purchases", "zzzzzzz", code=1).stderr
    told = copy(home, "billing", "purchases", "\udcff", code=1).stderr
    assert "there is no '\\udcff' in the copy" in told and "--fresh" not in told


def test_a_terminal_shows_a_thousand_and_a_pipe_all(home: Path) -> None:
    keep(home, **{f"{n:04}": b'{"long":"%s"}' % (b"x" * 100) for n in range(1_234)})
    lines = on_terminal(home, "billing", "purchases").splitlines()
    assert len(lines) == 1_002 and lines[1] == f"0000  {'x' * 60}…"
    assert "… 234 more rows; all of them: --json" in lines[-1]
    assert len(copy(home, "billing", "purchases").stdout.splitlines()) == 1_235


@pytest.mark.parametrize(("args", "says"), [
    (("biling",), "did you mean 'billing'?"),
    (("nobody",), "consumers: billing, mailer, other"),
    (("mailer",), "for example keeps: purchases, and then: eda up "),
    (("other",), "external"),
    (("billing", "purchase"), "did you mean 'purchases'?"),
    (("billing", "x"), "it keeps purchases, stock"),
])
def test_mistakes_are_told(home: Path, args: tuple[str, ...], says: str) -> None:
    assert says in copy(home, *args, code=2).stderr


def test_a_file_that_is_damaged_is_no_fault_of_eda(home: Path) -> None:
    store_path(home / "shop", "billing").write_bytes(b"no database" * 1_000)
    assert "the own copies cannot be read" in copy(home, "billing", code=1).stderr
