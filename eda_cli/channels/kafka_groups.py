"""Groups of a Kafka cluster: give them a start, look at them, set where they go on, remove. Knows no event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka.admin import OffsetSpec
from kafka.errors import RetriableError
from kafka.structs import OffsetAndMetadata, TopicPartition

from eda_cli.channels.base import Group, GroupInfo, GroupPlace, Place
from eda_cli.channels.kafka_admin import Cluster
from eda_cli.errors import ChannelError, UnknownTopic

Positions = dict[TopicPartition, int]


class Groups:
    """The groups of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def announce(self, name: str) -> None:
        """A group will be asked for: a new broker begins to set itself up for groups, which takes 0.3 s."""
        with self._cluster.doing("look at the groups") as client, suppress(RetriableError):
            client.describe_groups([name])

    def start(self, groups: Sequence[Group]) -> None:
        """Give each group a position where it has none. Raises UnknownTopic."""
        partitions = self._cluster.partitions(sorted({topic for group in groups for topic in group.topics}))
        with self._cluster.doing("set where the groups start"):
            committed = self._committed([group.name for group in groups])
            missing = {group.name: _missing(group, partitions, committed.get(group.name, {})) for group in groups}
            members = self._members([name for name, places in missing.items() if places])
            for name, count in members.items():
                if not count:  # a position cannot be set under a member's feet
                    self._commit(name, self._positions(missing[name]))

    def infos(self) -> list[GroupInfo]:
        with self._cluster.doing("list the groups") as client:
            names = sorted(each["group_id"] for each in self._cluster.soon(client.list_groups)
                           if each.get("protocol_type", "") in ("", "consumer"))
            committed = self._committed(names)
            members = self._cluster.soon(lambda: client.describe_groups(names)) if names else {}
            owners = {name: _owners(members[name]) for name in names}
            end = self._ends({place for name in names for place in {*committed.get(name, {}), *owners[name]}})
        infos = []
        for name in names:
            at, owner = committed.get(name, {}), owners[name]
            infos.append(GroupInfo(name, len(members[name]["members"]), [
                _group_place(place, at.get(place), end[place], owner.get(place))
                for place in sorted({*at, *owner}) if place in end]))
        return infos

    def reset(self, name: str, topics: Sequence[str], positions: Callable[[str], Mapping[int, int]]) -> None:
        """Commit other positions: `positions` tells those of a topic. Raises ChannelError while it has members."""
        with self._cluster.doing("set where the group goes on"):
            had = {place.topic for place in self._committed([name]).get(name, {})}
            if not had:
                raise ChannelError(f"there is no group '{name}'", "nothing is committed under this name")
            if members := self._members([name])[name]:
                raise ChannelError(f"the group '{name}' has {members} member{'s' * (members > 1)}",
                                   "a position cannot be set under a member's feet", "stop its members first")
            for topic in topics:
                if topic not in had:
                    raise UnknownTopic(topic, f"the group '{name}' has none of that name")
            self._commit(name, {TopicPartition(topic, number): offset for topic in topics or sorted(had)
                                for number, offset in positions(topic).items()})

    def remove(self, names: Sequence[str]) -> None:
        if not names:
            return
        with self._cluster.doing("delete the groups") as client:
            for name, result in self._cluster.soon(lambda: client.delete_groups(list(names))).items():
                if result not in ("OK", "GroupIdNotFoundError"):
                    raise ChannelError(f"could not delete the group '{name}'", result,
                                       "stop its members first" if result == "NonEmptyGroupError" else "")

    def _committed(self, names: Sequence[str]) -> dict[str, Positions]:
        if not names:
            return {}
        with self._cluster.doing("ask for positions") as client:
            found = self._cluster.soon(lambda: client.list_group_offsets(list(names)))
        return {name: {place: each.offset for place, each in places.items() if each.offset >= 0}
                for name, places in found.items()}

    def _members(self, names: Sequence[str]) -> dict[str, int]:
        """How many members each of these groups has."""
        if not names:
            return {}
        with self._cluster.doing("look at the groups") as client:
            told = self._cluster.soon(lambda: client.describe_groups(list(names)))
        return {name: len(told.get(name, {}).get("members", ())) for name in names}

    def _positions(self, wished: Mapping[TopicPartition, Any]) -> Positions:
        """The offsets; of a moment after the last event the end."""
        found = self._cluster.offsets(wished)
        late = [place for place, offset in found.items() if offset < 0]
        return {**found, **self._cluster.offsets(dict.fromkeys(late, OffsetSpec.LATEST))}

    def _commit(self, name: str, offsets: Positions) -> None:
        if not offsets:
            return
        wanted = {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
        with self._cluster.doing("set a position") as client:
            for place, error in self._cluster.soon(lambda: client.alter_group_offsets(name, wanted)).items():
                if error.errno:
                    raise error(f"{name}: {place.topic}/{place.partition}")

    def _ends(self, places: Iterable[TopicPartition]) -> Positions:
        """The ends of the places that are there: positions outlive their topics."""
        topics = sorted({place.topic for place in places})
        with self._cluster.doing("look at the topics") as client:
            found = client.describe_topics(topics) if topics else []
        there = {TopicPartition(topic["name"], each["partition_index"]) for topic in found if not topic["error_code"]
                 for each in topic["partitions"]}
        return self._cluster.offsets(dict.fromkeys(there & set(places), OffsetSpec.LATEST))


def _missing(group: Group, partitions: Mapping[str, Sequence[int]], had: Positions) -> dict[TopicPartition, Any]:
    """The places where a group has no position, and where it is to begin there."""
    begun = {place.topic for place in had}  # a partition that was added to such a topic is read whole
    latest = OffsetSpec.LATEST if group.since is None else round(group.since * 1000)
    return {TopicPartition(topic, number):
            OffsetSpec.EARLIEST if topic in begun or group.start == "earliest" else latest
            for topic in group.topics for number in partitions[topic] if (topic, number) not in had}


def _owners(described: Mapping[str, Any]) -> dict[TopicPartition, str]:
    """Which member has which place."""
    owners = {}
    for member in described["members"]:
        assignment = member["member_assignment"]
        if isinstance(assignment, Mapping):  # not while the group is dealing
            for topic in assignment["assigned_partitions"]:
                for number in topic["partitions"]:
                    owners[TopicPartition(topic["topic"], number)] = member["member_id"]
    return owners


def _group_place(place: TopicPartition, committed: int | None, end: int, member: str | None) -> GroupPlace:
    lag = None if committed is None else max(0, end - committed)
    return GroupPlace(Place(place.topic, place.partition), committed, end, lag, member)
