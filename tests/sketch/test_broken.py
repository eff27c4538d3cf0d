"""Broken sketches, each beside the exact text of every error it gives: `broken/NN-name.yaml` and `.expected`.

After a change of words: `EDA_WRITE_EXPECTED=1 pytest tests/sketch/test_broken.py`, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from eda_cli.errors import SketchError
from eda_cli.sketch import nodes
from eda_cli.sketch.load import load

FOLDER = Path(__file__).parent / "broken"
BROKEN = sorted(path.name for path in FOLDER.glob("*.yaml"))
ENVIRON = {"SECRET": "hunter2-Passw0rd"}


def test_there_are_enough() -> None:
    assert len(BROKEN) >= 60
    assert sorted(path.with_suffix(".yaml").name for path in FOLDER.glob("*.expected")) == BROKEN


@pytest.mark.parametrize("name", BROKEN)
def test_each_error_is_told_with_its_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)

    with pytest.raises(SketchError) as raised:
        load(Path(name), ENVIRON)

    expected = Path(name).with_suffix(".expected")
    if os.environ.get("EDA_WRITE_EXPECTED"):
        expected.write_text(f"{raised.value}\n")
    assert f"{raised.value}\n" == expected.read_text()
    assert ENVIRON["SECRET"] not in str(raised.value)
    assert raised.value.exit_code == 2


def test_the_parser_without_its_c_library_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "_PARSER", yaml.SafeLoader)
    for name in BROKEN:
        test_each_error_is_told_with_its_place(name, monkeypatch)
