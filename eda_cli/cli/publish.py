"""`publish`: events from the command line, a file or a pipe. Knows no technology."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from eda_cli.cli import console, given
from eda_cli.cli.channel import check_topic_name, demand, missing_topic_hint, open_channel
from eda_cli.cli.options import Json, Run, complete_topic, complete_type, with_examples
from eda_cli.errors import ChannelError, EventRefused, PublishError, UnknownTopic, UsageError
from eda_cli.technologies import Ability

if TYPE_CHECKING:
    from eda_cli.channels.base import Receipt
    from eda_cli.event import Event
    from eda_cli.journal import Journal
    from eda_cli.runs.folder import RunFolder

FLUSH_S = 30.0  # how long the channel has to store what is published


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda publish purchases '{\"id\": 1}' -k ann",
                "eda publish purchases @event.json",
                "eda publish purchases",
                "eda tail purchases -e --json | eda publish copy --create -"))(publish)


def publish(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", autocompletion=complete_topic)],
    payload: Annotated[str | None, typer.Argument(
        metavar="PAYLOAD|@FILE|-", help="JSON or text; a file; - or a pipe: a payload or JSON event a line. "
        "Without it: one event as the sketch's generator makes it.")] = None,
    key: Annotated[str | None, typer.Option("-k", "--key", help="The record key.")] = None,
    header: Annotated[list[str] | None, typer.Option("-H", "--header", metavar="NAME=VALUE",
                                                          help="A header; may be given again.")] = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", min=0, help="Instead of what the key says.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="The event type.", autocompletion=complete_type)] = None,
    tombstone: Annotated[bool, typer.Option("--tombstone", help="No body: the key's last word.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Make the topic where it is missing.")] = False,
    run: Run = None,
    json: Json = False,
) -> None:
    """Publish an event, or what comes on stdin. Returns once it is stored."""
    from eda_cli.runs.finding import find

    if tombstone and payload is not None:
        raise UsageError("--tombstone goes without a payload", "a tombstone has no body")
    if tombstone and key is None:
        raise UsageError("--tombstone needs a key", "it says that this key is no more", "for example: -k ann")
    found = find(run)
    if partition is not None:
        demand(found, Ability.PARTITIONS, "-p names a partition", "leave out -p")
    publishing = _Publishing(found, topic, key, given.headers(header or []), partition, type_, json)
    try:
        publishing.ensure_topic(create)
        if tombstone:
            publishing.publish([publishing.event(None)])
        elif payload == "-" or (payload is None and given.is_fed()):
            publishing.publish_stdin()
        elif payload is None:
            publishing.publish([publishing.generated()])
        else:
            publishing.publish([publishing.read(given.payload(payload), "the payload")])
    finally:
        publishing.close()


class _Publishing:
    """One call of `publish`: its run, its topic and what every event of it gets."""

    def __init__(self, run: RunFolder, topic: str, key: str | None, headers: tuple[tuple[str, bytes | None], ...],
                 partition: int | None, type_: str | None, json: bool) -> None:
        self._run, self._topic, self._key = run, topic, key
        self._headers, self._partition, self._json = headers, partition, json
        self._sketch, self._again = run.sketch(), run.info().again()
        self._type_wished = type_
        self._type: str | None = None
        self._channel = open_channel(run)
        self._journal = command_journal(run)
        self._many = 0

    def close(self) -> None:
        self._channel.close()
        self._journal.close()

    def ensure_topic(self, create: bool) -> None:
        from eda_cli.channels.base import Topic

        try:
            missing_topic_hint(self._channel, [self._topic])
        except UnknownTopic as missing:
            if not create:
                raise UsageError(missing.what, missing.why, f"make it with --create; {missing.hint}") from None
            check_topic_name(self._topic)
            self._channel.declare([Topic(self._topic)], [])

    def publish(self, events: Sequence[Event]) -> None:
        from eda_cli.event import rfc3339

        if not events:
            return
        refused: EventRefused | None = None
        try:
            self._channel.publish(self._topic, events)
        except EventRefused as wrong:  # those before it are in care
            refused = wrong
        receipts = self._channel.flush(FLUSH_S)
        events = events[:len(receipts)]
        self._journal.published(self._topic, events, receipts)
        self._journal.flush()
        self._many += len(receipts)
        for receipt in receipts if self._json else ():
            console.write_json(receipt._asdict() | {"published": rfc3339(receipt.published)})
        if refused is not None:
            raise refused
        if len(events) == 1 and not self._json:
            self._tell(receipts[0])

    def publish_stdin(self) -> None:
        """A line each, in the batches in which they come."""
        numbers = itertools.count(1)
        try:
            for lines in given.stdin_lines():
                events: dict[int, Event] = {}  # by the number of their line
                try:
                    for line in lines:
                        number = next(numbers)
                        if line.strip():
                            events[number] = self.read(line, f"line {number}")
                finally:
                    self._publish_lines(events)
                console.flush()
        except (UsageError, ChannelError) as wrong:
            self._many += len(wrong.receipts) if isinstance(wrong, PublishError) else 0
            gone = f"the run is down: {self._again}" if self._run.supervisor() is None else ""
            wrong.hint = "; ".join(filter(None, (wrong.hint, f"published before it: {console.events(self._many)}", gone)))
            raise
        if not self._json:
            console.say(f"published {console.events(self._many)} to {self._topic}")

    def _publish_lines(self, events: Mapping[int, Event]) -> None:
        before = self._many
        try:
            self.publish(list(events.values()))
        except EventRefused as wrong:
            wrong.what = f"line {list(events)[self._many - before]}: {wrong.what}"
            raise

    def read(self, data: bytes, name: str) -> Event:
        """The event that some bytes say: a JSON event, a JSON body or text. Raises UsageError."""
        import orjson

        from eda_cli.event import encode_json, from_line, is_event_line

        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as wrong:
            if data.lstrip()[:1] in (b"{", b"[", b'"'):
                raise UsageError(f"{name} begins like JSON and is none",
                                 f"line {wrong.lineno}, column {wrong.colno}: {wrong.msg}",
                                 "quote it for the shell: '{\"id\": 1}'") from None
            return self._text_event(data)
        try:
            if not is_event_line(value):
                return self.event(encode_json(value), value)
            event = from_line(value)
        except ValueError as wrong:
            raise UsageError(f"{name} is no event", str(wrong)) from None
        if self._key is not None:
            event.key = self._key.encode()
        event.headers += self._headers
        event.partition = self._partition
        return event

    def _text_event(self, data: bytes) -> Event:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return self.event(data, content="application/octet-stream")
        return self.event(data, text, content="text/plain")

    def event(self, data: bytes | None, body: Any = None, content: str | None = None) -> Event:
        """A new event with this body."""
        from eda_cli.event import JSON_TYPE, Event, now

        event = Event(str(uuid4()), f"/eda/{self._sketch.name}/publish", self._chosen_type(), now(), data,
                      datacontenttype=content or JSON_TYPE, headers=self._headers, partition=self._partition)
        event.key = self._key.encode() if self._key is not None else self._topic_key(event, body)
        return event

    def generated(self) -> Event:
        """One event as the sketch makes it."""
        from eda_cli.cli.event_types import generated

        event = generated(self._run, self._sketch, self._topic, self._type_wished)
        self._warn(event.type or "", meant=True)
        event.key = self._key.encode() if self._key is not None else event.key
        event.headers += self._headers
        event.partition = self._partition
        return event

    def _topic_key(self, event: Event, body: Any) -> bytes | None:
        from eda_cli.payloads import Context, Dice, compile_value
        from eda_cli.stubs.forms import record_key

        topic = self._sketch.topics.get(self._topic)
        if topic is None or topic.key is None or body is None:
            return None
        return record_key(compile_value(topic.key, "key"), Context(Dice(0, str(event.id)), time.time()), body, event)

    def _chosen_type(self) -> str:
        from eda_cli.cli.event_types import chosen_type

        if self._type is None:
            self._type = chosen_type(self._sketch, self._topic, self._type_wished)
            self._warn(self._type, meant=self._type_wished is not None)
        return self._type

    def _warn(self, type_: str, meant: bool) -> None:
        from eda_cli.cli.event_types import warning

        if told := warning(self._sketch, self._topic, type_, meant):
            console.say(f"warning: {told}", "yellow")

    def _tell(self, receipt: Receipt) -> None:
        place = "" if receipt.partition is None else f"[{receipt.partition}]"
        offset = "" if receipt.offset is None else f"@{receipt.offset}"
        console.say(f"published {receipt.topic}{place}{offset}" + (f" {receipt.id}" if receipt.id else ""))


def command_journal(run: RunFolder) -> Journal:
    """A journal of its own for each command that publishes, so that `up` shows what comes from here."""
    from eda_cli import lock
    from eda_cli.journal import Journal

    number = 1
    while lock.take(run.path / f"publish.{number}.flock", patience_s=0) is None:
        number += 1
    return Journal(run.path / f"publish.{number}.jsonl", "publish", number if number > 1 else 0)
