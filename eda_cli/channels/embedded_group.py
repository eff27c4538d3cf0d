"""Groups of the embedded channel: members, leases, who has which partition, positions. Knows no subscription.

All of it happens inside a transaction of the caller. A partition has an owner, and a member it is wanted for:
it moves only when the owner has let it go, or when its lease ran out. Leases are in monotonic seconds, which
all processes share and no wall clock jump moves; one too far ahead is from before a reboot.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection

from eda_cli.channels.base import Group, GroupInfo, GroupPlace, Place, Start
from eda_cli.channels.embedded_log import Log, logs_of, starts
from eda_cli.channels.embedded_store import Store
from eda_cli.errors import ChannelError, UnknownTopic

BEAT_S = 1.0
LEASE_S = 4.0


def declare(connection: Connection, group: Group) -> None:
    """The group exists, with a position in each partition of its topics."""
    connection.execute("INSERT OR IGNORE INTO groups (name) VALUES (?)", (group.name,))
    _set_missing(connection, _id(connection, group.name), group)


def _id(connection: Connection, group: str) -> int:
    row = connection.execute("SELECT id FROM groups WHERE name = ?", (group,)).fetchone()
    if row is None:
        raise ChannelError(f"there is no group '{group}'", "a group is declared before it is used")
    id_: int = row[0]
    return id_


def _set_missing(connection: Connection, id_: int, group: Group) -> None:
    for topic in group.topics:
        if connection.execute("SELECT 1 FROM topics WHERE name = ?", (topic,)).fetchone() is None:
            raise UnknownTopic(topic)
        connection.execute("INSERT OR IGNORE INTO group_topics VALUES (?, ?)", (id_, topic))
        at = "p.first" if group.start == "earliest" else "p.end"
        connection.execute(f"INSERT OR IGNORE INTO committed SELECT ?, p.id, {at} FROM partitions p"
                           " JOIN topics t ON t.id = p.topic WHERE t.name = ?", (id_, topic))


def grown(connection: Connection, topic: str) -> None:
    """A topic got partitions: the groups that have it begin there at the beginning."""
    connection.execute("INSERT OR IGNORE INTO committed SELECT g.grp, p.id, 0 FROM group_topics g"
                       " JOIN topics t ON t.name = g.topic JOIN partitions p ON p.topic = t.id"
                       " WHERE t.name = ?", (topic,))
    for id_ in having(connection, topic):
        share(connection, id_)


def having(connection: Connection, topic: str) -> list[int]:
    """The groups that have this topic."""
    rows = connection.execute("SELECT grp FROM group_topics WHERE topic = ?", (topic,)).fetchall()
    return [id_ for (id_,) in rows]


def remove(connection: Connection, group: str) -> None:
    """Raises ChannelError where there is none, or it has members."""
    id_ = _id(connection, group)
    empty(connection, id_, group)
    connection.execute("DELETE FROM groups WHERE id = ?", (id_,))


def join(connection: Connection, group: Group) -> tuple[int, int]:
    """A new member of the group: (group, member)."""
    id_ = _id(connection, group.name)
    _set_missing(connection, id_, group)
    now = time.monotonic()
    member = connection.execute("INSERT INTO members (grp, pid, lease) VALUES (?, ?, ?)",
                                (id_, os.getpid(), now + LEASE_S)).lastrowid
    assert member is not None
    connection.executemany("INSERT INTO member_topics VALUES (?, ?)",
                           [(member, topic) for topic in group.topics])
    expire(connection, id_, now)
    share(connection, id_)
    return id_, member


def leave(connection: Connection, group: int, member: int) -> None:
    """Its places go to the others at once."""
    connection.execute("DELETE FROM members WHERE id = ?", (member,))
    share(connection, group)


def renew(connection: Connection, member: int, now: float) -> bool:
    """The lease goes on; False where the member was given up."""
    found = connection.execute("UPDATE members SET lease = ? WHERE id = ?", (now + LEASE_S, member)).rowcount
    return found == 1


def expire(connection: Connection, group: int, now: float) -> None:
    """Give up the members whose lease ran out, or whose process is gone: all of them are on this machine."""
    members = connection.execute("SELECT id, pid, lease FROM members WHERE grp = ?", (group,)).fetchall()
    gone = [(member,) for member, pid, lease in members if not now <= lease <= now + 2 * LEASE_S or not _is_alive(pid)]
    if gone:
        connection.executemany("DELETE FROM members WHERE id = ?", gone)
        share(connection, group)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def share(connection: Connection, group: int) -> None:
    """Say which member each partition is wanted for; what nobody holds moves at once."""
    eligible: dict[int, list[int]] = {}
    for partition, member in connection.execute(
            "SELECT p.id, m.id FROM members m JOIN member_topics s ON s.member = m.id"
            " JOIN topics t ON t.name = s.topic JOIN partitions p ON p.topic = t.id"
            " WHERE m.grp = ? ORDER BY p.topic, p.number, m.id", (group,)):
        eligible.setdefault(partition, []).append(member)
    members = {member for each in eligible.values() for member in each}
    before = {partition: (owner, wanted) for partition, owner, wanted in connection.execute(
        "SELECT partition, owner, wanted FROM places WHERE grp = ?", (group,))}
    wanted = balanced(eligible, {partition: wish for partition, (_, wish) in before.items()})
    after = {}
    for partition, member in wanted.items():
        owner = before.get(partition, (None, 0))[0]
        after[partition] = (owner if owner in members else member, member)
    connection.execute("DELETE FROM places WHERE grp = ?", (group,))
    connection.executemany("INSERT INTO places VALUES (?, ?, ?, ?)",
                           [(group, partition, *pair) for partition, pair in after.items()])
    _turned(connection, group)


def _turned(connection: Connection, group: int) -> None:
    connection.execute("UPDATE groups SET generation = generation + 1 WHERE id = ?", (group,))


def balanced(eligible: Mapping[int, Sequence[int]], before: Mapping[int, int]) -> dict[int, int]:
    """Which member gets which partition: as even as can be, and as much as can be stays where it was."""
    load = {member: 0 for members in eligible.values() for member in members}
    wanted = {partition: before[partition] for partition, members in eligible.items()
              if before.get(partition) in members}
    for member in wanted.values():
        load[member] += 1
    for partition, members in eligible.items():
        if partition not in wanted:
            wanted[partition] = min(members, key=load.__getitem__)
            load[wanted[partition]] += 1
    moved = True
    while moved:
        moved = False
        for partition, members in eligible.items():
            least = min(members, key=load.__getitem__)
            if load[wanted[partition]] - load[least] > 1:
                load[wanted[partition]] -= 1
                load[least] += 1
                wanted[partition] = least
                moved = True
    return wanted


def let_go(connection: Connection, group: int, member: int) -> None:
    """What the member has and is wanted for another goes there."""
    if connection.execute("UPDATE places SET owner = wanted WHERE grp = ? AND owner = ? AND wanted != owner",
                          (group, member)).rowcount:
        _turned(connection, group)


def standing(store: Store, group: int, member: int) -> tuple[int, bool]:
    """The group's generation, which grows whenever a partition moves, and whether the member still is one."""
    row = store.row("SELECT generation, EXISTS (SELECT 1 FROM members WHERE id = ?) FROM groups"
                    " WHERE id = ?", (member, group))
    if row is None:
        raise ChannelError("the group was removed", "its member was away for longer than its lease")
    return row[0], bool(row[1])


def owned(connection: Connection, group: int, member: int) -> dict[int, tuple[Log, int]]:
    """The partitions a member has, each with the position the group goes on at."""
    rows = connection.execute(
        "SELECT p.id, t.name, p.number, p.first, p.end, c.next FROM places o"
        " JOIN partitions p ON p.id = o.partition JOIN topics t ON t.id = p.topic"
        " JOIN committed c ON c.grp = o.grp AND c.partition = p.id"
        " WHERE o.grp = ? AND o.owner = ? ORDER BY t.name, p.number", (group, member)).fetchall()
    return {row[0]: (Log(*row[:5]), row[5]) for row in rows}


def commit(connection: Connection, group: int, member: int, positions: Iterable[tuple[int, int]]) -> None:
    """The next offset to handle for each partition; passed over where the member no longer has it."""
    connection.executemany(
        "UPDATE committed SET next = ? WHERE grp = ? AND partition = ? AND EXISTS"
        " (SELECT 1 FROM places WHERE grp = ? AND partition = ? AND owner = ?)",
        [(offset, group, partition, group, partition, member) for partition, offset in positions])


def infos(store: Store) -> list[GroupInfo]:
    """All groups as they are."""
    now = time.monotonic()
    members: dict[int, int] = dict(store.rows(
        "SELECT grp, count(*) FROM members WHERE lease BETWEEN ? AND ? GROUP BY grp",
        (now, now + 2 * LEASE_S)))
    places: dict[int, list[GroupPlace]] = {}
    for id_, topic, number, first, end, position, member in store.rows(
            "SELECT c.grp, t.name, p.number, p.first, p.end, c.next, m.pid || '-' || m.id FROM committed c"
            " JOIN partitions p ON p.id = c.partition JOIN topics t ON t.id = p.topic"
            " LEFT JOIN places o ON o.grp = c.grp AND o.partition = p.id"
            " LEFT JOIN members m ON m.id = o.owner AND m.lease BETWEEN ? AND ? ORDER BY t.name, p.number",
            (now, now + 2 * LEASE_S)):
        committed = max(position, first)  # a reader that fell behind what is kept goes on at the first event
        places.setdefault(id_, []).append(
            GroupPlace(Place(topic, number), committed, end, end - committed, member))
    return [GroupInfo(name, members.get(id_, 0), places.get(id_, []))
            for id_, name in store.rows("SELECT id, name FROM groups ORDER BY name")]


def reset(store: Store, group: str, topics: Sequence[str], start: Start) -> None:
    """Set where the group goes on. Raises ChannelError while it has members."""
    with store.write() as connection:
        id_ = _id(connection, group)
        empty(connection, id_, group)
        had = _topics(connection, id_)
        for topic in topics:
            if topic not in had:
                raise UnknownTopic(topic, f"the group '{group}' has none of that name")
        for topic in topics or had:
            logs = logs_of(store, topic)
            connection.executemany(
                "INSERT OR REPLACE INTO committed VALUES (?, ?, ?)",
                [(id_, log, offset) for log, offset in starts(store, topic, logs, start).items()])


def _topics(connection: Connection, group: int) -> list[str]:
    rows = connection.execute("SELECT g.topic FROM group_topics g JOIN topics t ON t.name = g.topic"
                              " WHERE grp = ?", (group,)).fetchall()
    return [topic for (topic,) in rows]


def empty(connection: Connection, id_: int, group: str) -> None:
    """Raises ChannelError where the group has members."""
    expire(connection, id_, time.monotonic())
    (members,) = connection.execute("SELECT count(*) FROM members WHERE grp = ?", (id_,)).fetchone()
    if members:
        raise ChannelError(f"the group '{group}' has {members} member{'s' * (members > 1)}",
                           "its positions are theirs while they are there", "stop them first")
