"""What own code was at, for whoever comes after a SIGKILL."""

from __future__ import annotations

from pathlib import Path

import pytest

from eda_cli.stubs.attempts import InProgress


@pytest.mark.parametrize("identities", [["/x/1"], ["/x/1", "t/0/7"], ["ä" * 5000, "b\nc"], ["\ud800"], ["a\0b"]])
def test_what_was_begun_is_left_until_it_ends(tmp_path: Path, identities: list[str]) -> None:
    path = tmp_path / "bill.1.attempt"
    one = InProgress(path)
    assert one.left() == []
    one.begin(["something longer than the next one, " * 500])
    one.begin(identities)
    assert InProgress(path).left() == identities
    one.end()
    assert InProgress(path).left() == []


@pytest.mark.parametrize("rubbish", [b"rubbish!", b"00000004/x/0"])
def test_a_file_that_is_no_mark_says_nothing(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "bill.1.attempt"
    path.write_bytes(rubbish)
    assert InProgress(path).left() == []
