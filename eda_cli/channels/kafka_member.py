"""A member's subscription on Kafka: polling, committing, handing over. Knows no event's content.

The library beats in a thread of its own and rebalances within `poll`; its listener is called there, while the
member's thread waits, so both may touch what is held.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
from kafka.structs import MemberState, OffsetAndMetadata, TopicPartition

from eda_cli.channels.base import Group, Place, Polled
from eda_cli.channels.kafka_client import CLOSE_S, FETCH_WAIT_MS, Settings, hurry
from eda_cli.channels.kafka_errors import mapped
from eda_cli.channels.kafka_read import delivery_of
from eda_cli.channels.ledger import Ledger
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery

SESSION_MS = 6_000  # the least that brokers allow by default: a dead member's places are taken over then
HEARTBEAT_MS = 1_000  # how soon a member hears that its group deals anew
METADATA_MS = 3_000  # partitions that others added are known after this
COMMIT_S = 0.1  # what is done is stored this often
SLICE_S = 0.1  # a poll looks this often for what was lost and what is to be stored


class Member:
    """Membership in a group. Made in the thread that uses it."""

    def __init__(self, settings: Settings, group: Group) -> None:
        self._settings = settings
        self._group = group
        self._ledger = Ledger()
        self._uncommitted: dict[TopicPartition, int] = {}
        self._committing = False  # a commit is under way
        self._committed_at = time.monotonic()
        self._early: list[Delivery] = []  # fetched while only membership was to be kept
        self._lost: set[Place] = set()
        self._closed = False
        with self._mapped("join the group"):
            self._client = KafkaConsumer(
                **settings.client(group.topics), group_id=group.name, enable_auto_commit=False, auto_offset_reset="earliest",
                session_timeout_ms=SESSION_MS, heartbeat_interval_ms=HEARTBEAT_MS, metadata_max_age_ms=METADATA_MS,
                fetch_max_wait_ms=FETCH_WAIT_MS, partition_assignment_strategy=[CooperativeStickyAssignor],
                metrics_enabled=False, check_crcs=False)
            _keep_joins(self._client)
            self._client.subscribe(topics=list(group.topics), listener=_Listener(self))

    def poll(self, timeout: float, at_most: int) -> Polled:
        if self._closed:
            raise ChannelError("the subscription is closed")
        deadline = time.monotonic() + timeout
        with self._mapped("poll"):
            while True:
                left = max(0.0, deadline - time.monotonic())
                deliveries = self._poll_once(min(left, SLICE_S), at_most)
                now = time.monotonic()
                if now - self._committed_at >= COMMIT_S:
                    self._commit(now)
                if deliveries or self._lost or now >= deadline:
                    lost, self._lost = frozenset(self._lost), set()
                    return Polled(deliveries, lost)

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self._ledger.done(deliveries)
        now = time.monotonic()
        if not self._closed and now - self._committed_at >= COMMIT_S:
            with self._mapped("commit"):
                self._commit(now)

    def close(self) -> None:
        if self._closed:
            return
        try:
            with self._mapped("commit"):
                self._commit_all(time.monotonic() + CLOSE_S)
        finally:
            self._closed = True
            with self._mapped("leave the group"):
                self._client.close(autocommit=False, timeout_ms=int(CLOSE_S * 1000))

    # --- within

    def _poll_once(self, seconds: float, at_most: int) -> list[Delivery]:
        if at_most <= 0 or self._early:
            return self._keep_membership(0.0 if at_most else seconds, at_most)
        deliveries = self._take(self._client.poll(timeout_ms=int(seconds * 1000), max_records=at_most))
        if len(deliveries) >= at_most or not deliveries:  # there is more of it, or none
            hurry(self._client, bool(deliveries))
        return deliveries

    def _keep_membership(self, seconds: float, at_most: int) -> list[Delivery]:
        """Take part in rebalances without fetching; hand out what came early where that is wanted."""
        paused = self._client.assignment()
        self._client.pause(*paused)
        try:
            # Places that are assigned meanwhile are not paused, and may give something.
            self._early += self._take(self._client.poll(timeout_ms=int(seconds * 1000), max_records=1))
        finally:
            self._client.resume(*(paused & self._client.assignment()))
        handed, self._early = self._early[:at_most], self._early[at_most:]
        return handed

    def _take(self, found: Mapping[TopicPartition, Sequence[Any]]) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for place, records in found.items():
            self._ledger.handed_out(Place(place.topic, place.partition), [record.offset for record in records])
            deliveries += [delivery_of(record) for record in records]
        return deliveries

    def _gather(self) -> None:
        """What is done, until it is stored: a failed commit forgets nothing."""
        self._uncommitted.update((TopicPartition(*place), offset) for place, offset in self._ledger.moved().items())

    def _commit(self, now: float) -> None:
        """Send what is done; one commit at a time, so that none overtakes another."""
        self._committed_at = now
        self._gather()
        if self._uncommitted and not self._committing:
            self._client.commit_async(_offsets(self._uncommitted), callback=self._on_answer)
            self._committing = True

    def _commit_all(self, deadline: float) -> None:
        """Store what is done; while the group deals anew only after that, and if that lasts, it comes again."""
        self._gather()
        while self._uncommitted and time.monotonic() < deadline:
            try:
                self._client.commit(_offsets(self._uncommitted), timeout_ms=int(CLOSE_S * 1000))
                return
            except (CommitFailedError, RebalanceInProgressError):
                self._keep_membership(SLICE_S, 0)

    def _on_answer(self, sent: Mapping[TopicPartition, OffsetAndMetadata], answer: Any) -> None:
        """Called by the library within a later poll: what is stored is forgotten, what is not is sent again.

        Not by the future of `commit_async`: where the coordinator was lost, that is the future of looking for it.
        """
        self._committing = False
        if isinstance(answer, Exception):
            return
        for place, position in sent.items():
            if self._uncommitted.get(place) == position.offset:
                del self._uncommitted[place]

    async def let_go(self, places: Iterable[TopicPartition], ours: bool) -> None:
        """These go to others: store what is done there, unless they are theirs already."""
        places = set(places)
        self._gather()
        mine = {place: offset for place, offset in self._uncommitted.items() if place in places}
        for place in places:
            self._uncommitted.pop(place, None)
            self._ledger.drop(Place(place.topic, place.partition))
            self._lost.add(Place(place.topic, place.partition))
        self._early = [each for each in self._early if TopicPartition(each.topic, each.partition) not in places]
        if mine and ours and not self._closed:
            with suppress(KafkaError):  # then they come again, to whoever has the place now
                await self._client.commit_async(_offsets(mine), callback=_ignore)

    def _mapped(self, doing: str) -> Any:
        return mapped(doing, self._settings.bootstrap)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # the client is not typed
    """Called by the library, in its thread, within a poll."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._member.let_go(revoked, ours=True)

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        await self._member.let_go(lost, ours=False)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        pass


def _keep_joins(client: Any) -> None:
    """Let no join be forgotten that outlives the poll it began in.

    kafka-python 3.0 joins in a task of its own. When that ends between two polls, its outcome is dropped and the
    join begun anew, so that members which poll briefly deal for ever: here the outcome waits. And when changed
    metadata were the reason to join, the next poll sees none any more and stays outside: here the wish stays.
    """
    coordinator = client._coordinator
    join = coordinator._do_join_and_sync_async
    finished: list[bytes] = []

    async def join_once() -> bytes:
        if not finished or coordinator.state is not MemberState.REBALANCING:  # else nobody has taken it yet
            finished.clear()
            coordinator.request_rejoin()
            finished.append(await join())
        return finished[0]

    coordinator._do_join_and_sync_async = join_once


def _offsets(positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {place: OffsetAndMetadata(offset, "", -1) for place, offset in positions.items()}


def _ignore(offsets: Any, result: Any) -> None:
    """What could not be committed comes again."""
