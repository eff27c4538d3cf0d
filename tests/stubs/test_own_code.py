"""The code that a consumer of the sketch names is opened beside the sketch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.own_code import open_code
from tests.stubs.coding import answers, deliveries, numbers

PROGRAM = """
while IFS= read -r event; do
  echo "[{\\"data\\": {\\"n\\": \\"$(cat prices.txt) $EDA_RUN $EDA_PART $EDA_REPLICA\\"}}]"
done
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of a run, whose sketch lies in another folder with what its code reads."""
    sketch, run, here = tmp_path / "sketch", tmp_path / "home" / "shop", Path.cwd()
    sketch.mkdir()
    run.mkdir(parents=True)
    (sketch / "prices.txt").write_text("7.50")
    (sketch / "mine.py").write_text("def handle(event, copy): return {'data': {'n': [open('prices.txt').read(), *copy]}}")
    (sketch / "x.sh").write_text(PROGRAM)
    (run / "run.json").write_bytes(orjson.dumps({"name": "shop", "path": str(sketch / "shop.yaml")}))
    (run / "channel.json").write_bytes(orjson.dumps({"channel": "embedded"}))
    yield run
    os.chdir(here)


@pytest.mark.filterwarnings("ignore:unclosed file")
def test_a_handler_and_a_program_find_their_files_beside_the_sketch(folder: Path) -> None:
    for consumer, said in ((Consumer("bill", ("t",), handler="mine:handle"), ["7.50", "stock"]),
                           (Consumer("bill", ("t",), run=("sh", "x.sh")), "7.50 shop bill 2")):
        code = open_code(consumer, folder, "bill.2", 2, lambda: {"stock": {}}, print)
        try:
            assert numbers(answers(code, deliveries(1))) == [said]
        finally:
            code.close()
