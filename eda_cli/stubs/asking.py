"""What own code is asked, and what it answers: outside of any transaction, as it may take its time. Stores nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from eda_cli.event import Delivery
from eda_cli.payloads import PayloadError, Seen
from eda_cli.stubs.answers import CodeFailure, GoesOn
from eda_cli.stubs.copying import Copies
from eda_cli.stubs.fate import Failure, Fate
from eda_cli.stubs.inbox import Lane, lane_of
from eda_cli.stubs.interest import Interest
from eda_cli.stubs.known import Known
from eda_cli.stubs.own_code import Code
from eda_cli.stubs.positions import Positions
from eda_cli.stubs.store import Store

Said = Sequence[Mapping[str, Any]]  # the events that own code said
Answer = Said | Failure


class Asking:
    """Hands own code the events that it is to handle."""

    def __init__(self, code: Code, interest: Interest, store: Store, positions: Positions, known: Known | None, fate: Fate,
                 copies: Copies, seen: Callable[[Delivery], Seen]) -> None:
        self._code = code
        self._interest = interest
        self._store = store
        self._positions = positions
        self._known = known
        self._fate = fate
        self._copies = copies
        self._seen = seen

    def ask(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Mapping[int, Answer]:
        """The answers by index; what is not in it has none.

        An attempt that is to fail, by the sketch's wish or as the event has ended too many processes, is none of the code's.
        """
        known = set(self._positions.known(self._store, deliveries))  # these are not given to it again
        if self._known is not None:
            known.update(self._known.find(deliveries, time.time()))
            firsts: dict[str, int] = {}
            known.update(index for index, one in enumerate(deliveries) if firsts.setdefault(one.identity, index) != index)
        if self._copies and self._code.looks:
            return self._ask_each(deliveries, known, goes_on)
        asked: list[int] = []
        answers: dict[int, Answer] = {}
        failed: set[Lane] = set()
        for index, delivery in enumerate(deliveries):
            lane = lane_of(delivery)
            if index in known or not self._interest.reacts(delivery) or lane in failed:
                continue
            failure = self._fate.doomed(delivery) or self._fate.strike(delivery, self._seen(delivery))
            if failure is None:
                asked.append(index)
                continue
            answers[index] = failure
            if lane is not None:
                failed.add(lane)
        for index, answer in self._code.handle([deliveries[index] for index in asked], goes_on):
            answers[asked[index]] = _judged(answer)
        return answers

    def _ask_each(self, deliveries: Sequence[Delivery], known: Collection[int], goes_on: GoesOn) -> Mapping[int, Answer]:
        """The same of code that looks into copies: each event finds what it and those before it made of them."""
        answers: dict[int, Answer] = {}
        failed: set[Lane | None] = set()
        folded = self._positions.folded(self._store, deliveries)
        self._copies.opened(changed=True)  # others may write at any time: there is no transaction yet
        try:
            for index, delivery in enumerate(deliveries):
                lane, reacts = lane_of(delivery), self._interest.reacts(delivery)
                if index in known or (lane is not None and lane in failed) or not (reacts or self._interest.hears(delivery)):
                    continue
                answer, answered = self._answer(delivery, reacts, index not in folded, goes_on)
                if not answered:
                    break
                if isinstance(answer, Failure):
                    self._copies.forget()
                    failed.add(lane)
                else:
                    self._copies.keep()
                if reacts and answer is not None:
                    answers[index] = answer
        finally:
            self._copies.saved(stored=False)  # what is stored is made of them in the transaction
        return answers

    def _answer(self, delivery: Delivery, reacts: bool, folds: bool, goes_on: GoesOn) -> tuple[Answer | None, bool]:
        """What comes of one event, and whether the code, if it was asked, has answered."""
        seen = self._seen(delivery)
        if reacts and (failure := self._fate.doomed(delivery) or self._fate.strike(delivery, seen)) is not None:
            return failure, True
        try:
            if folds:
                self._copies.fold(delivery, seen)
        except PayloadError as wrong:
            return Failure(wrong.line), True
        if not reacts:
            return None, True
        for _, answer in self._code.handle([delivery], goes_on):
            return _judged(answer), True
        return None, False


def _judged(answer: Said | CodeFailure) -> Answer:
    return Failure(answer.reason, answer.died) if isinstance(answer, CodeFailure) else answer
