"""What a consumer remembers and is not so any more: its group begins elsewhere, is gone, or is another; a topic is gone.

But for another group, which it finds itself when it begins, this is done from outside, while it does not run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from eda_cli.stubs.store import Store, forget_topics, set_meta, store_path

_OF_EVENTS = ("seen", "attempts", "windows", "pairs")  # or they would be taken for repetitions, or counted twice


def begin_elsewhere(folder: Path, consumer: str, topics: Collection[str]) -> None:
    """Its group goes on at another place of these topics: it handles what comes from there as if for the first time.

    Its copies are made anew, up to that place. What waits for its moment is published all the same. Raises Forgetful.
    """
    _forget(store_path(folder, consumer), topics, events=True)


def group_is_gone(folder: Path, group: str, topics: Collection[str]) -> None:
    """A group was deleted: consumers that are in it, or were, know nothing of these topics. Raises Forgetful."""
    for path in folder.glob(store_path(folder, "*").name):
        with closing(Store(path)) as store:
            known = store.meta("group")
        if known == group:
            _forget(path, topics, events=True)


def in_group(store: Store, group: str) -> None:
    """The consumer is in this group from now on: what it remembers of another one's events is no longer so."""
    known = store.meta("group")
    if known == group:
        return
    with store.write() as connection:
        if known is not None:
            forget_topics(connection, [topic for topic, in connection.execute(
                "SELECT topic FROM positions UNION SELECT topic FROM counts")])
            _forget_events(connection)
        set_meta(connection, "group", group)


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
            _forget_events(connection)


def _forget_events(connection: sqlite3.Connection) -> None:
    for table in _OF_EVENTS:
        connection.execute(f"DELETE FROM {table}")
    connection.execute("DELETE FROM meta WHERE name = 'closed'")
