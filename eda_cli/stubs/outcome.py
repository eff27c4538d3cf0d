"""What came of a batch of events, and how the journal is told of it. Knows no store and no channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eda_cli.errors import EventRefused
from eda_cli.event import Delivery, Event
from eda_cli.journal import Journal
from eda_cli.stubs.fate import Failure, Verdict
from eda_cli.stubs.inbox import Lane
from eda_cli.stubs.reactions import Follows, Later

Judged = tuple[Delivery, Failure, Verdict]


@dataclass(slots=True)
class Outcome:
    """Each delivery of the batch is in one of the first three, has a verdict, or is undecided."""

    handled: list[Delivery] = field(default_factory=list)
    passed: list[Delivery] = field(default_factory=list)  # of no interest, or settled by an earlier process
    skipped: list[tuple[Delivery, str]] = field(default_factory=list)
    verdicts: list[Judged] = field(default_factory=list)
    now: dict[str, list[Event]] = field(default_factory=dict)  # to publish, by topic
    causes: dict[str | None, Delivery] = field(default_factory=dict)  # by the id of what follows
    later: list[tuple[Delivery, list[Later]]] = field(default_factory=list)
    lanes: set[Lane] = field(default_factory=set)  # in which one waits for its retry

    def follow(self, delivery: Delivery, follows: Follows) -> None:
        """This is handled, and that follows from it."""
        self.handled.append(delivery)
        for topic, event in follows.now:
            self.now.setdefault(topic, []).append(event)
            self.causes[event.id] = delivery
        if follows.later:
            self.later.append((delivery, follows.later))

    def settled(self) -> list[Delivery]:
        """Those that are done for good."""
        over = [delivery for delivery, _, verdict in self.verdicts if verdict.again_s is None]
        return [*self.passed, *self.handled, *(delivery for delivery, _ in self.skipped), *over]

    def unsent(self, refused: Mapping[str | None, EventRefused]) -> None:
        """The channel does not take these dead letters: what they are of is given up."""
        self.verdicts = [_unsent(each, refused) for each in self.verdicts]

    def tell(self, journal: Journal, dead_letter: str) -> None:
        """A line or a count for each; `dead_letter` is the topic."""
        for delivery, failure, verdict in self.verdicts:
            fate: dict[str, object] = {"attempt": verdict.attempt}
            if verdict.again_s is not None:
                fate["again_in_s"] = verdict.again_s
            elif verdict.letter is not None:
                fate["dead_letter"] = dead_letter
                journal.count_events("dead_lettered", delivery.topic, 1)
            else:
                fate["given_up"] = True
                journal.count_events("given_up", delivery.topic, 1)
            journal.consumed("failed", [delivery], reason=failure.reason, **fate)
        for delivery, reason in self.skipped:
            journal.consumed("skipped", [delivery], reason=reason)
        journal.consumed("handled", self.handled)
        journal.flush()


def _unsent(each: Judged, refused: Mapping[str | None, EventRefused]) -> Judged:
    delivery, failure, verdict = each
    if verdict.letter is None or (wrong := refused.get(verdict.letter.id)) is None:
        return each
    return delivery, Failure(f"{failure.reason}; its dead letter is refused: {wrong.line}"), Verdict(verdict.attempt, None)
