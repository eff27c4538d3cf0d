"""What is remembered of redriven dead letters: across processes, kills, and topics that are made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from eda_cli.errors import NotReady
from eda_cli.event import Delivery, Event
from eda_cli.runs.redriven import FILE, Redriven


def letter(offset: int, id_: str | None = "a") -> Delivery:
    return Delivery(Event(id_, "/s", "t", None, b"1"), "purchases.dlq", 0, offset, 0.0)


def remember(folder: Path, *letters: Delivery) -> None:
    redriven = Redriven(folder)
    redriven.add(letters)
    redriven.close()


def test_it_is_there_for_the_next_one_and_belongs_to_place_and_id(tmp_path: Path) -> None:
    remember(tmp_path, letter(1), letter(2, None))
    remember(tmp_path, letter(3))
    redriven = Redriven(tmp_path)
    assert all(one in redriven for one in (letter(1), letter(2, None), letter(3)))
    assert letter(1, "b") not in redriven  # the topic was deleted and made anew
    assert letter(4) not in redriven
    redriven.close()


def test_a_line_that_a_kill_tore_is_forgotten_and_spoils_no_other(tmp_path: Path) -> None:
    remember(tmp_path, letter(1))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"topic":"purch')
    remember(tmp_path, letter(2))
    redriven = Redriven(tmp_path)
    assert letter(1) in redriven and letter(2) in redriven
    redriven.close()


def test_there_is_one_at_a_time(tmp_path: Path) -> None:
    first = Redriven(tmp_path)
    with pytest.raises(NotReady, match="another eda redrive"):
        Redriven(tmp_path)
    first.close()
    Redriven(tmp_path).close()
