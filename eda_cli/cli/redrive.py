"""`redrive`: dead letters go back to the topic they came from. Knows no technology, and no reason why they died."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import demand, missing_topic_hint, open_channel
from eda_cli.cli.chosen import Chosen
from eda_cli.cli.formats import shower
from eda_cli.cli.letters import Letter, Picking
from eda_cli.cli.options import Json, Run, complete_topic, with_examples
from eda_cli.cli.publish import FLUSH_S, command_journal
from eda_cli.errors import ChannelError, EdaError, EventRefused, PublishError, UnknownTopic, UsageError
from eda_cli.technologies import Ability

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Receipt
    from eda_cli.runs.folder import RunFolder
    from eda_cli.runs.redriven import Redriven

AT_ONCE = 500  # events that are stored, and then remembered, together
NAMED, SHOWN = 5, 100  # topics, and characters of a name: what they are called is up to the events


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda redrive purchases.dlq --dry-run",
                "eda redrive purchases.dlq",
                "eda redrive purchases.dlq --id 3f2a91c0",
                "eda redrive purchases.dlq -n 10 -k ann --to purchases.again"))(redrive)


def redrive(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="A dead letter topic.", autocompletion=complete_topic)],
    id_: Annotated[list[str] | None, typer.Option("--id", metavar="ID", help="Only this event: its id, or how it begins; "
                                                  "may be given again.")] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", min=1, help="Only the oldest so many.")] = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", min=0, help="Only this partition.")] = None,
    key: Annotated[str | None, typer.Option("-k", "--key", help="Only events with this key.")] = None,
    grep: Annotated[str | None, typer.Option("--grep", metavar="REGEX", help="Only what matches: type, key or body.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TOPIC", help="Not where they came from, but there.",
                                           autocompletion=complete_topic)] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was redriven before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show them, and redrive nothing.")] = False,
    run: Run = None,
    json: Json = False,
) -> None:
    """Publish dead letters again where they came from.

    All of them, or some. They stay what they were, id, time and key included, and they stay in TOPIC as well: it is
    remembered which were redriven. A header says that they are. Every group of the topic hears them again: a consumer that
    handled them passes them over where it is `idempotent: true`, and --to TOPIC sends them to others.
    """
    from eda_cli.channels.base import Start
    from eda_cli.runs.finding import find
    from eda_cli.runs.redriven import Redriven

    found = find(run)
    demand(found, Ability.REPLAY, f"the dead letters in {topic} cannot be read again",
           "a consumer may subscribe to that topic, or take another broker")
    if partition is not None:
        demand(found, Ability.PARTITIONS, "-p names a partition", "leave out -p")
    chosen = Chosen(key, grep, partition)
    channel = open_channel(found)
    try:
        missing_topic_hint(channel, [topic])
        _check_target(channel, to)
        redriven = Redriven(found.path)
        try:
            picking = Picking(topic, chosen, id_ or [], redriven, again)
            deliveries = chain.from_iterable(channel.read(topic, Start("beginning", partition=partition), "stored"))
            letters = picking.pick(deliveries, count)
            if dry_run:
                _show(letters, picking, to, json, _reached(found, channel, to))
            else:
                _Redriving(found, channel, picking, redriven, to, json).redrive(letters)
        finally:
            redriven.close()
    finally:
        channel.close()


def _reached(run: RunFolder, channel: EventChannel, to: str | None) -> frozenset[str]:
    """The topics that are there; on a bus of somebody else's those of this run, as what a header names may be a stranger's."""
    there = frozenset(topic.name for topic in channel.topics())
    sketch = run.sketch()
    return there & {*sketch.topics, *([to] if to else [])} if sketch.guest else there


def _check_target(channel: EventChannel, to: str | None) -> None:
    try:
        missing_topic_hint(channel, [to] if to is not None else [])
    except UnknownTopic as missing:
        raise UsageError(f"--to {to}: {missing.what}", missing.why,
                         f"make it with: eda topics create {to}; {missing.hint}") from None


def _show(letters: Iterable[Letter], picking: Picking, to: str | None, json: bool, there: Container[str]) -> None:
    from eda_cli.view.escape import escaped

    show = shower(json, False, None)
    targets: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for letter in letters:
        show(letter.delivery)
        topic = to or letter.origin
        (targets if topic in there else gone)[topic] += 1
    console.flush()
    if targets or not gone:
        _tell("would be redriven", targets, picking)
    if gone:
        stayed = _left_over(f"would be left in {picking.topic}", gone)
        console.say(escaped(f"{stayed.what}: {stayed.why}; {stayed.hint}"))


def _tell(what: str, targets: Counter[str], picking: Picking) -> None:
    from eda_cli.view.escape import escaped

    told = [f"{console.events(many)} to {topic}" for topic, many in islice(targets.items(), NAMED)]
    if others := dict(islice(targets.items(), NAMED, None)):
        told.append(f"{console.events(sum(others.values()))} to {len(others):,} more topics")
    many = ", ".join(told)
    rest = picking.told()
    if not targets:
        console.say(escaped(f"nothing to redrive in {picking.topic}" + (f": {rest}" if rest else "")))
    else:
        console.say(escaped(f"{what}: {many}" + (f"; {rest}" if rest else "")))


def _left_over(what: str, gone: Counter[str]) -> EdaError:
    """That these topics are not there. Their names come from events: none is put into a command that is no topic name."""
    more = f" and {len(gone) - NAMED:,} more" if len(gone) > NAMED else ""
    names = ", ".join(name[:SHOWN] for name in islice(gone, NAMED)) + more
    name = next((name for name in gone if re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,248}", name)), None)
    return EdaError(f"{what}: {console.events(gone.total())}",
                    f"where they came from does not exist any more, or is not of this run: {names}",
                    (f"make it with: eda topics create {name}; or " if name else "") + "send them elsewhere with --to TOPIC")


class _Redriving:
    """Publishes dead letters where they belong, in batches, and remembers them once they are stored."""

    def __init__(self, run: RunFolder, channel: EventChannel, picking: Picking, redriven: Redriven, to: str | None,
                 json: bool) -> None:
        self._run = run
        self._channel = channel
        self._picking = picking
        self._redriven = redriven
        self._to = to
        self._json = json
        self._there = _reached(run, channel, to)
        self._done: Counter[str] = Counter()  # by the topic they went to, as are those that had to stay:
        self._gone: Counter[str] = Counter()
        self._refused: list[ChannelError] = []

    def redrive(self, letters: Iterable[Letter]) -> None:
        """All of them. Raises EdaError where some had to stay: these are not lost, and the others are redriven."""
        self._journal = command_journal(self._run)
        left = iter(letters)
        try:
            while batch := list(islice(left, AT_ONCE)):
                self._batch(batch)
                console.flush()
        except ChannelError as wrong:
            done = f"redriven before it: {console.events(self._done.total())}; the others wait in {self._picking.topic}"
            wrong.hint = "; ".join(filter(None, (wrong.hint, done)))
            raise
        finally:
            self._journal.close()
        if self._done or not (self._gone or self._refused):
            _tell("redriven", self._done, self._picking)
        self._raise_stayed()

    def _batch(self, letters: Sequence[Letter]) -> None:
        by_topic: dict[str, list[Letter]] = {}
        for letter in letters:
            by_topic.setdefault(self._to or letter.origin, []).append(letter)
        for topic, each in by_topic.items():
            if topic in self._there:
                self._publish(topic, each)
            else:
                self._gone[topic] += len(each)

    def _publish(self, topic: str, letters: list[Letter]) -> None:
        """One topic's part of a batch; what the topic never takes is passed over."""
        while letters:
            refused: ChannelError | None = None
            try:
                self._channel.publish(topic, [letter.event for letter in letters])
            except EventRefused as wrong:  # those before it are in care
                refused = wrong
            try:
                receipts = self._channel.flush(FLUSH_S)
            except PublishError as wrong:
                self._remember_some(topic, letters, wrong)
                if len(wrong.refused) < len(wrong.unstored):
                    raise
                self._refused += wrong.refused.values()
                taken = len(wrong.receipts) + len(wrong.unstored)
            else:
                taken = len(receipts)
                self._remember(topic, letters[:taken], receipts)
            if refused is not None:
                self._refused.append(refused)
                taken += 1
            letters = letters[taken:]

    def _remember_some(self, topic: str, letters: Sequence[Letter], wrong: PublishError) -> None:
        """Only those of which it is sure that they are stored: an id may be there twice."""
        receipts = {receipt.id: receipt for receipt in wrong.receipts}
        stored = [letter for letter in letters if letter.event.id is not None and letter.event.id in receipts
                  and letter.event.id not in wrong.unstored]
        self._remember(topic, stored, [receipts[letter.event.id] for letter in stored])

    def _remember(self, topic: str, letters: Sequence[Letter], receipts: Sequence[Receipt]) -> None:
        from eda_cli.event import rfc3339

        if not letters:
            return
        self._redriven.add(letter.delivery for letter in letters)
        self._journal.published(topic, [letter.event for letter in letters], receipts)
        self._journal.flush()
        self._done[topic] += len(letters)
        for letter, receipt in zip(letters, receipts, strict=True) if self._json else ():
            lay = {name: getattr(letter.delivery, name) for name in ("topic", "partition", "offset")}
            console.write_json(receipt._asdict() | {"published": rfc3339(receipt.published), "dead_letter": lay})

    def _raise_stayed(self) -> None:
        topic = self._picking.topic
        if self._gone:
            raise _left_over(f"left in {topic}", self._gone)
        if self._refused:
            raise EdaError(f"left in {topic}, as they are never taken where they belong: "
                           f"{console.events(len(self._refused))}", self._refused[0].line, "send them elsewhere with --to TOPIC")
