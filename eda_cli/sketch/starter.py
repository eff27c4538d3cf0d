"""Sketches to begin with: the commented starter and the packaged examples. Knows no key of either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_STARTER = """\
# A sketch of an event-driven system: who publishes which events, and who hears of them.
#   eda check    does it make sense?
#   eda up       make it live
#   eda config   the full form, with every default
broker: auto                      # Kafka in a container where one can run, else embedded: nothing to install
# seed: 42                        # same seed, same data

events:
  orderPlaced:                    # an event type says what happened; here is what its body contains
    id: uuid()
    user: zipf(50, user-)         # one of 50 users, a few of them often
    total: 5.00..250.00           # a number in between

generators:
  shop:                           # publishes events by the clock
    publishes: orders             # the topic
    event: orderPlaced
    rate: 2/s

consumers:
  billing:                        # hears every event, and publishes what follows
    subscribes: orders
    takes: 20ms..80ms             # the work on one event
    publishes:
      to: invoices
      event: invoiceIssued
      body: {order: $.id, user: $.user, total: "{{ body.total | round(2) }}"}
  shipping:                       # hears every event too, in its own time; two processes share the work
    subscribes: orders
    replicas: 2
  bookkeeping:
    subscribes: invoices
"""


def starter() -> str:
    """A commented sketch for `eda init`."""
    return _STARTER


class Example(NamedTuple):
    """A sketch to begin with, and the files beside it that it runs, by name."""

    sketch: str
    files: Mapping[str, str]


def examples() -> dict[str, Example]:
    """The packaged examples by name: a sketch alone, or in a folder with its code."""
    package = Path(__file__).parents[1]
    folders = (package / "sketches", package.parent / "sketches")  # of a wheel, of an editable checkout
    found = next((folder for folder in folders if folder.is_dir()), None)
    return {path.stem: _read(path, path.parent != found) for path in sorted(found.rglob("*.yaml"))} if found else {}


def _read(path: Path, with_code: bool) -> Example:
    beside = sorted(path.parent.iterdir()) if with_code else []
    return Example(path.read_text(encoding="utf-8"), {
        file.name: file.read_text(encoding="utf-8") for file in beside if file.is_file() and file != path})
