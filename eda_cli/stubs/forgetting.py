"""What is done to a consumer's memory from outside, while it does not run: its group begins elsewhere, a topic is gone."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from eda_cli.stubs.store import Store, forget_topics, store_path

_OF_EVENTS = ("seen", "attempts", "windows", "pairs")  # or they would be taken for repetitions, or counted twice


def begin_elsewhere(folder: Path, consumer: str, topics: Collection[str]) -> None:
    """Its group goes on at another place of these topics: it handles what comes from there as if for the first time.

    Its copies are made anew, up to that place. What waits for its moment is published all the same. Raises Forgetful.
    """
    _forget(store_path(folder, consumer), topics, events=True)


def topic_is_gone(folder: Path, topics: Collection[str]) -> None:
    """These topics were deleted: no consumer of the run is anywhere in them. Raises Forgetful."""
    for path in folder.glob(store_path(folder, "*").name):
        _forget(path, topics, events=False)


def _forget(path: Path, topics: Collection[str], events: bool) -> None:
    if not path.exists():
        return
    with closing(Store(path)) as store, store.write() as connection:
        forget_topics(connection, topics)
        if events:
            for table in _OF_EVENTS:
                connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM meta WHERE name = 'closed'")
