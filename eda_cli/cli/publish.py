"""`publish`: events from the command line, a file or a pipe. Knows no technology."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import check_topic_name, missing_topic_hint, open_channel
from eda_cli.cli.options import Json, Run, complete_topic, with_examples
from eda_cli.errors import UnknownTopic, UsageError

if TYPE_CHECKING:
    from eda_cli.channels.base import Receipt
    from eda_cli.event import Event
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
        metavar="[PAYLOAD|@FILE|-]", help="JSON or text; a file; or one payload or JSON event a line on stdin. "
        "Without it: one event as the sketch's generator makes it.")] = None,
    key: Annotated[str | None, typer.Option("-k", "--key", help="The record key.")] = None,
    header: Annotated[list[str] | None, typer.Option("-H", "--header", metavar="NAME=VALUE")] = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", min=0, help="Instead of what the key says.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="The event type.")] = None,
    tombstone: Annotated[bool, typer.Option("--tombstone", help="No body: the key's last word.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Make the topic where it is missing.")] = False,
    run: Run = None,
    json: Json = False,
) -> None:
    """Publish an event, or what comes on stdin; returns once it is stored."""
    from eda_cli.runs.lifecycle import find

    if tombstone and payload is not None:
        raise UsageError("--tombstone goes without a payload", "a tombstone has no body")
    if tombstone and key is None:
        raise UsageError("--tombstone needs a key", "it says that this key is no more", "for example: -k ann")
    publishing = _Publishing(find(run), topic, key, _headers(header or []), partition, type_, json)
    try:
        publishing.ensure_topic(create)
        if tombstone:
            publishing.publish([publishing.event(None)])
        elif payload is None:
            publishing.publish([publishing.generated()])
        elif payload == "-":
            publishing.publish_stdin()
        else:
            publishing.publish([publishing.read(_payload(payload), "the payload")])
    finally:
        publishing.close()


class _Publishing:
    """One call of `publish`: its run, its topic and what every event of it gets."""

    def __init__(self, run: RunFolder, topic: str, key: str | None, headers: tuple[tuple[str, bytes | None], ...],
                 partition: int | None, type_: str | None, json: bool) -> None:
        self._run, self._topic, self._key = run, topic, key
        self._headers, self._partition, self._json = headers, partition, json
        self._sketch = run.sketch()
        self._type_wished = type_
        self._type: str | None = None
        self._channel = open_channel(run)
        self._journal = _journal(run)
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
                raise UsageError(missing.what, missing.why, f"{missing.hint}; or make it: --create") from None
            check_topic_name(self._topic)
            self._channel.declare([Topic(self._topic)], [])

    def publish(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._channel.publish(self._topic, events)
        receipts = self._channel.flush(FLUSH_S)
        self._journal.published(self._topic, events, receipts)
        self._journal.flush()
        self._many += len(receipts)
        for receipt in receipts if self._json else ():
            console.write_json(receipt._asdict())
        if len(events) == 1 and not self._json:
            self._tell(receipts[0])

    def publish_stdin(self) -> None:
        """A line each, in the batches in which they come."""
        number = 0
        for lines in _stdin_lines():
            events = []
            try:
                for line in lines:
                    number += 1
                    if line.strip():
                        events.append(self.read(line, f"line {number}"))
            except UsageError as wrong:
                self.publish(events)
                wrong.hint = f"{self._many} events before it are published"
                raise
            self.publish(events)
            console.flush()
        if not self._json:
            console.say(f"published {self._many} events to {self._topic}")

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
        happened = now()
        id = str(uuid4())
        kind = self._chosen_type()
        source = f"/eda/{self._sketch.name}/publish"
        key = self._key.encode() if self._key is not None else self._topic_key(body, id, kind, source, happened)
        return Event(id, source, kind, happened, data, key, content or JSON_TYPE, headers=self._headers,
                     partition=self._partition)

    def generated(self) -> Event:
        """One event as the sketch's generator of this topic makes it, with its next number."""
        from eda_cli.stubs.making import generator_events
        from eda_cli.stubs.numbers import Numbers

        for generator in self._sketch.generators.values():
            if generator.publishes == self._topic:
                numbers = Numbers(self._run.path, generator.name, f"{generator.name}.0").claim(1, None)
                make = generator_events(self._sketch.topics[self._topic], generator, self._run.info().seed,
                                        f"/eda/{self._sketch.name}/{generator.name}")
                events, failed = make(numbers)
                if failed:
                    raise failed[0][1]
                event = events[0]
                event.key = self._key.encode() if self._key is not None else event.key
                event.type = self._type_wished or event.type
                event.headers += self._headers
                event.partition = self._partition
                return event
        raise UsageError(f"no generator of the sketch publishes to '{self._topic}'", "so there is no body to make",
                         f"give one: eda publish {self._topic} '{{\"id\": 1}}'")

    def _topic_key(self, body: Any, id: str, kind: str, source: str, happened: str) -> bytes | None:
        from eda_cli.event import encode_key
        from eda_cli.payloads import Context, Dice, Seen, compile_value

        topic = self._sketch.topics.get(self._topic)
        if topic is None or topic.key is None or body is None:
            return None
        seen = Seen(body=body, id=id, type=kind, source=source, time=happened)
        return encode_key(compile_value(topic.key, "key")(Context(Dice(0, id), time.time(), seen=seen)))

    def _chosen_type(self) -> str:
        """`--type`, else the only type that the sketch publishes there, else a name of its own and a warning."""
        if self._type is None:
            from eda_cli.sketch.defaults import created

            sketch, topic = self._sketch, self._topic
            declared = {part.event for part in sketch.generators.values() if part.publishes == topic}
            declared |= {rule.event for part in sketch.consumers.values() for rule in part.rules
                         if rule.to == topic and rule.event}
            if self._type_wished is not None:
                self._type = self._type_wished
            elif len(declared) == 1:
                self._type = declared.pop()
            else:
                self._type = created(topic)
            self._warn(declared)
        return self._type

    def _warn(self, declared: set[str]) -> None:
        deaf = [name for name, part in self._sketch.consumers.items()
                if self._topic in part.subscribes and part.accepts and self._type not in part.accepts]
        if deaf:
            known = f"; types there: {', '.join(sorted(declared))}" if declared else ""
            console.say(f"warning: the type is '{self._type}': {', '.join(deaf)} will ignore it{known} (--type)", "yellow")

    def _tell(self, receipt: Receipt) -> None:
        place = "" if receipt.partition is None else f"[{receipt.partition}]"
        offset = "" if receipt.offset is None else f"@{receipt.offset}"
        console.say(f"published {receipt.topic}{place}{offset}" + (f" {receipt.id}" if receipt.id else ""))


def _journal(run: RunFolder) -> Any:
    """A journal of its own for each `publish` at a time, so that `up` shows what comes from here."""
    from eda_cli import lock
    from eda_cli.journal import Journal

    number = 1
    while lock.take(run.path / f"publish.{number}.flock", patience_s=0) is None:
        number += 1
    return Journal(run.path / f"publish.{number}.jsonl", "publish", number if number > 1 else 0)


def _headers(given: list[str]) -> tuple[tuple[str, bytes | None], ...]:
    headers: list[tuple[str, bytes | None]] = []
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"-H {one} is not NAME=VALUE", "", "for example: -H trace=abc")
        headers.append((name, value.encode()))
    return tuple(headers)


def _payload(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode(errors="surrogateescape")
    try:
        return Path(text[1:]).read_bytes()
    except OSError as wrong:
        raise UsageError(f"{text[1:]} cannot be read", wrong.strerror or str(wrong),
                         "@FILE is the file whose content is the payload") from None


def _stdin_lines() -> Iterator[list[bytes]]:
    """The lines of stdin, as many as are there at once."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
