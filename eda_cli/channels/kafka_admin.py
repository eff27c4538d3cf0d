"""Topics and groups of a Kafka cluster: make, look at, set, remove. Knows no event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from eda_cli.channels.base import Group, GroupInfo, GroupPlace, PartitionInfo, Place, Topic, TopicInfo
from eda_cli.channels.kafka_client import Settings
from eda_cli.channels.kafka_errors import mapped, meaning
from eda_cli.errors import ChannelError, UnknownTopic

READY_S = 10.0  # until what was made is known to the cluster, or a new broker has its coordinator
LOOK_S = 0.01
FOR_EVER = "-1"
_SOON = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError, LeaderNotAvailableError,
         UnknownTopicOrPartitionError)  # right after something was made
T = TypeVar("T")


class Admin:
    """The administrative client, made when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # --- topics

    def check_topic(self, name: str) -> None:
        """Raises UnknownTopic. Never creates it."""
        self.partitions([name])

    def partitions(self, names: Sequence[str]) -> dict[str, list[int]]:
        """The partitions of these topics. Raises UnknownTopic."""
        with self._doing("look at the topics") as client:
            found = {topic["name"]: topic for topic in client.describe_topics(list(names))} if names else {}
            for name in names:
                error = for_code(found[name]["error_code"]) if name in found else UnknownTopicOrPartitionError
                if error.errno:
                    raise meaning(error(), "look at the topic", self._settings.bootstrap, name)
        return {name: sorted(each["partition_index"] for each in found[name]["partitions"]) for name in names}

    def make_topics(self, topics: Sequence[Topic]) -> bool:
        """Create those that are missing, add missing partitions; whether there was something to do."""
        with self._doing("create the topics") as client:
            there = {topic["name"]: len(topic["partitions"])
                     for topic in client.describe_topics([topic.name for topic in topics]) if not topic["error_code"]}
            new = {topic.name: {"num_partitions": topic.partitions, "configs": _configs(topic)}
                   for topic in topics if topic.name not in there}
            grown = {topic.name: topic.partitions for topic in topics if 0 < there.get(topic.name, 0) < topic.partitions}
            if new:
                _raise_first(client.create_topics(new, raise_errors=False)["topics"], ignore=("TopicAlreadyExistsError",))
            if grown:
                client.create_partitions(grown)
        if new or grown:
            self._await_topics({topic.name: topic.partitions for topic in topics})
        return bool(new or grown)

    def topics(self) -> list[TopicInfo]:
        with self._doing("list the topics") as client:
            found = {topic["name"]: topic for topic in client.describe_topics()
                     if not topic["is_internal"] and not topic["name"].startswith("__") and not topic["error_code"]}
            places = [TopicPartition(name, each["partition_index"])
                      for name, topic in found.items() for each in topic["partitions"]]
            first, end = self.offsets(places, OffsetSpec.EARLIEST), self.offsets(places, OffsetSpec.LATEST)
            configs = _read_configs(client, found)
        infos = []
        for name in sorted(found):
            mine = sorted(place for place in places if place.topic == name)
            partitions = [PartitionInfo(place.partition, first[place], end[place]) for place in mine]
            stored = sum(each.end - each.first for each in partitions)
            compacted, retention_s = configs[name]
            # What compaction left of a topic only a reader could count.
            infos.append(TopicInfo(name, partitions, stored if stored == 0 or not compacted else None, compacted,
                                   retention_s))
        return infos

    def remove_topics(self, names: Sequence[str]) -> None:
        """Raises UnknownTopic; then none is removed."""
        if not names:
            return
        self.partitions(names)
        with self._doing("delete the topics") as client:
            _raise_first(client.delete_topics(list(names), raise_errors=False)["topics"],
                         ignore=("UnknownTopicOrPartitionError",))
            self._await(lambda: all(topic["error_code"] for topic in client.describe_topics(list(names))))

    # --- groups

    def start_groups(self, groups: Sequence[Group]) -> None:
        """Give each group a position where it has none. Raises UnknownTopic."""
        partitions = self.partitions(sorted({topic for group in groups for topic in group.topics}))
        with self._doing("set where the groups start"):
            committed = self._committed([group.name for group in groups])
            for group in groups:
                had = committed.get(group.name, {})
                missing = [TopicPartition(topic, number) for topic in group.topics for number in partitions[topic]
                           if (topic, number) not in had]
                if missing and not self._members(group.name):
                    begun = {place.topic for place in had}
                    late = [place for place in missing if place.topic in begun or group.start == "earliest"]
                    self._commit(group.name, {
                        **self.offsets(late, OffsetSpec.EARLIEST),
                        **self.offsets([place for place in missing if place not in late], OffsetSpec.LATEST)})

    def groups(self) -> list[GroupInfo]:
        with self._doing("list the groups") as client:
            names = sorted(each["group_id"] for each in self._soon(client.list_groups)
                           if each.get("protocol_type", "") in ("", "consumer"))
            committed = self._committed(names)
            members = self._soon(lambda: client.describe_groups(names)) if names else {}
            owners = {name: _owners(members[name]) for name in names}
            places = {place for name in names for place in {*committed.get(name, {}), *owners[name]}}
            end = self._ends(places)
        return [GroupInfo(name, len(members[name]["members"]), [
            _group_place(place, committed.get(name, {}).get(place), end[place], owners[name].get(place))
            for place in sorted({*committed.get(name, {}), *owners[name]}) if place in end]) for name in names]

    def reset(self, name: str, topics: Sequence[str], positions: Callable[[str], Mapping[int, int]]) -> None:
        """Commit other positions: `positions` tells those of a topic. Raises ChannelError while it has members."""
        with self._doing("set where the group goes on"):
            had = self._committed([name]).get(name, {})
            if not had:
                raise ChannelError(f"there is no group '{name}'", "nothing is committed under this name")
            if members := self._members(name):
                raise ChannelError(f"the group '{name}' has {members} member{'s' * (members > 1)}",
                                   "a position cannot be set under a member's feet", "stop its members first")
            for topic in topics:
                if topic not in {place.topic for place in had}:
                    raise UnknownTopic(topic, f"the group '{name}' has none of that name")
            wanted = list(topics) or sorted({place.topic for place in had})
            self._commit(name, {TopicPartition(topic, number): offset
                                for topic in wanted for number, offset in positions(topic).items()})

    def remove_groups(self, names: Sequence[str]) -> None:
        if not names:
            return
        with self._doing("delete the groups") as client:
            for name, result in self._soon(lambda: client.delete_groups(list(names))).items():
                if result not in ("OK", "GroupIdNotFoundError"):
                    raise ChannelError(f"could not delete the group '{name}'", result,
                                       "stop its members first" if result == "NonEmptyGroupError" else "")

    def version(self) -> str:
        """As far as the requests it takes tell."""
        with self._doing("ask for the version") as client:
            broker = client.describe_cluster()["brokers"][0]["broker_id"]
            version = client.get_broker_version_data(broker).broker_version
        return "Apache Kafka " + ".".join(map(str, version))

    def offsets(self, places: Iterable[TopicPartition], at: Any) -> dict[TopicPartition, int]:
        """The offsets of places: earliest, latest, or of a time in milliseconds."""
        wanted = dict.fromkeys(places, at)
        with self._doing("ask for offsets") as client:
            found = self._soon(lambda: client.list_partition_offsets(wanted)) if wanted else {}
        return {place: each.offset for place, each in found.items()}

    # --- within

    @contextmanager
    def _doing(self, what: str) -> Iterator[Any]:
        """The client, with its errors mapped. Raises BrokerUnreachable."""
        with mapped(what, self._settings.bootstrap):
            if self._client is None:
                self._client = KafkaAdminClient(**self._settings.client())
            yield self._client

    def _committed(self, names: Sequence[str]) -> dict[str, dict[TopicPartition, int]]:
        if not names:
            return {}
        found = self._soon(lambda: self._client.list_group_offsets(list(names)))
        return {name: {place: each.offset for place, each in places.items() if each.offset >= 0}
                for name, places in found.items()}

    def _members(self, name: str) -> int:
        told = self._soon(lambda: self._client.describe_groups([name])).get(name, {})
        return len(told.get("members", ()))

    def _commit(self, name: str, offsets: Mapping[TopicPartition, int]) -> None:
        wanted = {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
        for place, error in self._soon(lambda: self._client.alter_group_offsets(name, wanted)).items():
            if error.errno:
                raise error(f"{name}: {place.topic}/{place.partition}")

    def _ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The ends of the places that are there: positions outlive their topics."""
        topics = {place.topic for place in places}
        found = self._client.describe_topics(sorted(topics)) if topics else []
        there = {TopicPartition(topic["name"], each["partition_index"]) for topic in found if not topic["error_code"]
                 for each in topic["partitions"]}
        return self.offsets(there & set(places), OffsetSpec.LATEST)

    def _await_topics(self, wanted: Mapping[str, int]) -> None:
        def usable() -> bool:
            found = self._client.describe_topics(list(wanted))
            return all(not topic["error_code"] and len(topic["partitions"]) >= wanted[topic["name"]]
                       and all(each["leader_id"] >= 0 for each in topic["partitions"]) for topic in found)

        self._await(usable)

    def _await(self, check: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not check() and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def _soon(self, ask: Callable[[], T]) -> T:
        """Ask again while the cluster is still setting up what is asked for."""
        deadline = time.monotonic() + READY_S
        while True:
            try:
                return ask()
            except _SOON:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(LOOK_S)


def _configs(topic: Topic) -> dict[str, str]:
    retention = FOR_EVER if topic.retention_s is None else str(round(topic.retention_s * 1000))
    return {"retention.ms": retention, **({"cleanup.policy": "compact"} if topic.compacted else {}), **topic.config}


def _read_configs(client: Any, names: Iterable[str]) -> dict[str, tuple[bool, float | None]]:
    """Of each topic: whether it is compacted, and its retention in seconds."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": None, "retention.ms": None})
             for name in names]
    if not asked:
        return {}
    told = client.describe_configs(asked, config_filter="all")["topic"]
    read = {}
    for name, configs in told.items():
        retention = int(configs["retention.ms"]["value"])
        read[name] = ("compact" in configs["cleanup.policy"]["value"], None if retention < 0 else retention / 1000)
    return read


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


def _raise_first(results: Iterable[Mapping[str, Any]], ignore: Sequence[str]) -> None:
    """Raise the first error of a topic request, with the broker's own words."""
    for result in results:
        error = for_code(result["error_code"])
        if error.errno and error.__name__ not in ignore:
            raise error(f"{result['name']}: {result.get('error_message') or error.description}")
