"""A process's log: what it said at last, and whether that is why it ended."""

from __future__ import annotations

import os
from pathlib import Path

from eda_cli.log import last_words


def test_the_last_words_are_told_unless_they_are_older_than_the_end(tmp_path: Path) -> None:
    log = tmp_path / "web.1.log"
    assert last_words(log, 2) == []
    log.write_text("2026-11-24T09:30:00.000000Z one\nTraceback\n2026-11-24T09:30:01.000000Z two: three\n")
    os.utime(log, (1000.0, 1000.0))
    assert last_words(log, 2) == last_words(log, 2, not_before=999.0) == ["Traceback", "two: three"]
    assert last_words(log, 2, not_before=1001.0) == []
