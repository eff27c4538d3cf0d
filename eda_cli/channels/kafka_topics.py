"""Topics of a Kafka cluster: make, look at, remove. Knows no group and no event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.structs import TopicPartition

from eda_cli.channels.base import PartitionInfo, Topic, TopicInfo, none_created
from eda_cli.channels.kafka_admin import Cluster, raise_first
from eda_cli.errors import ChannelError

FOR_EVER = "-1"


class Takes(NamedTuple):
    """What a topic takes: batches of so many bytes at most (None: unknown), and keyed events only."""

    max_bytes: int | None
    keys_only: bool


class Made(NamedTuple):
    """Whether a topic was made or grew, and how many partitions those have that stayed smaller than wished."""

    changed: bool
    smaller: Mapping[str, int]


class Topics:
    """The topics of a cluster."""

    def __init__(self, cluster: Cluster, creates: bool = True) -> None:
        self._cluster = cluster
        self._creates = creates

    def make(self, topics: Sequence[Topic], may_grow: bool) -> Made:
        """Create those that are missing; add missing partitions where that is allowed. Raises ChannelError.

        Where none may be created, those that are missing are named, all of them, and nothing is done.
        """
        if not topics:
            return Made(False, {})
        with self._cluster.doing("create the topics") as client:
            there = {topic["name"]: len(topic["partitions"])
                     for topic in client.describe_topics([topic.name for topic in topics]) if not topic["error_code"]}
            new = {topic.name: {"num_partitions": topic.partitions, "configs": _configs(topic)}
                   for topic in topics if topic.name not in there}
            if new and not self._creates:
                raise none_created(new)
            short = {topic.name: topic.partitions for topic in topics
                     if 0 < there.get(topic.name, 0) < topic.partitions}
            grown = short if may_grow else {}
            if new:
                raise_first(client.create_topics(new, raise_errors=False)["topics"],
                            ignore="TopicAlreadyExistsError")
            if grown:
                client.create_partitions(grown)
        if new or grown:
            self._await({topic.name: topic.partitions for topic in topics if topic.name in new or topic.name in grown})
        return Made(bool(new or grown), {name: there[name] for name in short if name not in grown})

    def infos(self) -> list[TopicInfo]:
        with self._cluster.doing("list the topics") as client:
            found = {topic["name"]: topic for topic in client.describe_topics()
                     if not topic["is_internal"] and not topic["name"].startswith("__") and not topic["error_code"]}
            places = [TopicPartition(name, each["partition_index"])
                      for name, topic in found.items() for each in topic["partitions"]]
            first = self._cluster.offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
            end = self._cluster.offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        configs: dict[str, tuple[bool, float | None]] = {}
        with suppress(ChannelError), self._cluster.doing("look at the topics") as client:  # some brokers tell none
            configs = _read_configs(client, found)
        infos = []
        for name in sorted(found):
            partitions = [PartitionInfo(place.partition, first[place], end[place])
                          for place in sorted(places) if place.topic == name]
            events: int | None = sum(each.end - each.first for each in partitions)
            compacted, retention_s = configs.get(name, (False, None))
            if compacted and events:
                events = None  # what compaction left of it, only a reader could count
            infos.append(TopicInfo(name, partitions, events, compacted, retention_s))
        return infos

    def takes(self, name: str) -> Takes:
        """What the topic takes. Never creates it. Raises UnknownTopic."""
        self._cluster.partitions([name])
        with suppress(ChannelError), self._cluster.doing("look at the topic") as client:
            configs = _ask_configs(client, [name], "cleanup.policy", "max.message.bytes")[name]
            most = configs.get("max.message.bytes")
            return Takes(None if most is None else int(most), "compact" in configs.get("cleanup.policy", ""))
        return Takes(None, False)

    def remove(self, names: Sequence[str]) -> None:
        """Raises UnknownTopic; then none is removed."""
        if not names:
            return
        self._cluster.partitions(names)
        with self._cluster.doing("delete the topics") as client:
            raise_first(client.delete_topics(list(names), raise_errors=False)["topics"],
                        ignore="UnknownTopicOrPartitionError")
            self._cluster.wait(lambda: all(topic["error_code"] for topic in client.describe_topics(list(names))))

    def _await(self, wanted: Mapping[str, int]) -> None:
        """Until every partition has a leader: before that nobody can use it."""
        with self._cluster.doing("wait for the topics") as client:

            def usable() -> bool:
                return all(not topic["error_code"] and len(topic["partitions"]) >= wanted[topic["name"]]
                           and all(each["leader_id"] >= 0 for each in topic["partitions"])
                           for topic in client.describe_topics(list(wanted)))

            self._cluster.wait(usable)


def _configs(topic: Topic) -> dict[str, str]:
    retention = FOR_EVER if topic.retention_s is None else str(round(topic.retention_s * 1000))
    policy = "compact" if topic.retention_s is None else "compact,delete"
    return {"retention.ms": retention, **({"cleanup.policy": policy} if topic.compacted else {}), **topic.config}


def _read_configs(client: Any, names: Iterable[str]) -> dict[str, tuple[bool, float | None]]:
    """Of each topic: whether it is compacted, and its retention in seconds."""
    read = {}
    for name, configs in _ask_configs(client, names, "cleanup.policy", "retention.ms").items():
        retention = int(configs.get("retention.ms") or FOR_EVER)
        read[name] = ("compact" in configs.get("cleanup.policy", ""), None if retention < 0 else retention / 1000)
    return read


def _ask_configs(client: Any, names: Iterable[str], *settings: str) -> dict[str, dict[str, str]]:
    """These settings of each topic, with the cluster's defaults where a topic has none of its own.

    What the cluster keeps to itself, or of a topic that is gone, is missing.
    """
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(settings)) for name in names]
    told = client.describe_configs(asked, config_filter="all")["topic"] if asked else {}
    return {name: {setting: told[name][setting]["value"] for setting in settings if setting in told.get(name, {})}
            for name in names}
