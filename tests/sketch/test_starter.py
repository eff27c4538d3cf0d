"""The sketches that people begin with load without a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from eda_cli.sketch.load import load, load_text
from eda_cli.sketch.starter import examples, starter

SKETCHES = sorted((Path(__file__).parents[2] / "sketches").rglob("*.yaml"))


def test_the_starter_is_clean_and_commented() -> None:
    read = load_text(starter(), "sketch.yaml", {})
    assert read.warnings == ()
    assert starter().count("#") > 10


@pytest.mark.parametrize("path", SKETCHES, ids=lambda path: path.stem)
def test_every_sketch_is_clean(path: Path) -> None:
    read = load(path, {})
    assert read.warnings == ()
    assert read.resolved.name == path.stem


def test_the_examples_are_the_sketches() -> None:
    assert {name: one.sketch for name, one in examples().items()} == {path.stem: path.read_text() for path in SKETCHES}
    alone = {name for name, one in examples().items() if not one.files}
    assert alone == {"shop", "smallest", "orders", "iot", "cdc", "payments", "funnel", "rides"}
    code = SKETCHES[0].parents[0] / "own_code"
    assert examples()["own-code"].files == {path.name: path.read_text() for path in code.glob("invoicing.*")}


def test_the_shop_is_the_one_of_the_design() -> None:
    shop = load_text(examples()["shop"].sketch, "shop.yaml", {}).resolved
    assert set(shop.generators) == {"webshop"}
    assert {"invoicing", "shipping"} <= set(shop.consumers)
    assert set(shop.topics) == {"purchases", "invoices", "purchases.dlq"}
    assert shop.broker == {"kind": "auto"}
