"""`publish` and `tail`: put events in, and see what is there. Knows no technology."""

from __future__ import annotations

import os
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from eda_cli.cli import console
from eda_cli.cli.look import check_topic_name, missing_topic_hint, open_channel, parse_start
from eda_cli.cli.options import Json, Run, complete_group, complete_topic
from eda_cli.errors import EdaError, UnknownTopic, UsageError

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Receipt, Start
    from eda_cli.event import Delivery, Event
    from eda_cli.runs.folder import RunFolder

FLUSH_S = 30.0
SHOWN_AT_FIRST = 10  # events of each topic that tail shows before it follows
LOOK_S = 1.0  # how often tail sees whether its run is still up


def register(app: typer.Typer) -> None:
    app.command(epilog="""Examples: eda publish purchases '{"id": 1}' -k ann · eda publish purchases @event.json · """
                       """eda publish purchases · eda tail purchases -e --json | eda publish copy --create -""")(publish)
    app.command(epilog="Examples: eda tail · eda tail purchases -o beginning -e --json · "
                       "eda tail purchases -n 5 -f '%k %s\\n' · eda tail invoices --grep ann -o @-5m")(tail)


# --- publish


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

        from eda_cli.event import from_line, is_event_line

        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as wrong:
            if data.lstrip()[:1] in (b"{", b"[", b'"'):
                raise UsageError(f"{name} begins like JSON and is none",
                                 f"line {wrong.lineno}, column {wrong.colno}: {wrong.msg}",
                                 "quote it for the shell: '{\"id\": 1}'") from None
            return self._text_event(data)
        if not is_event_line(value):
            return self.event(orjson.dumps(value), value)
        try:
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
        from eda_cli.payloads import derive_seed, event_id
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
                event = make(numbers)[0]
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


# --- tail


def tail(
    topics: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Without one: all topics.",
                                                       autocompletion=complete_topic)] = None,
    offset: Annotated[str | None, typer.Option("-o", "--offset", metavar="WHERE", help="beginning, end, N, -N (the last N), "
                                               "@TIME, @-10m, stored (with -g). Default: the last 10.")] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", min=1, help="Stop after so many events.")] = None,
    exit_: Annotated[bool, typer.Option("-e", "--exit", help="Stop at the end instead of following.")] = False,
    group: Annotated[str | None, typer.Option("-g", "--group", help="Take part in this group: its position moves.",
                                              autocompletion=complete_group)] = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", min=0)] = None,
    key: Annotated[str | None, typer.Option("-k", "--key", help="Only events with this key.")] = None,
    format_: Annotated[str | None, typer.Option("-f", "--format", metavar="FORMAT", help=r"%t topic, %p partition, %o offset, "
                                                r"%k key, %s body, %i id, %e event type, %T time, %h headers, %S size, \n, \t.")] = None,
    grep: Annotated[str | None, typer.Option("--grep", metavar="REGEX", help="Only events whose type, key or body match.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bodies, byte by byte, a line each.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for topics that are not there yet.")] = False,
    run: Run = None,
    json: Json = False,
) -> None:
    """Show the events of topics and follow them. Moves nobody's position, unless -g takes part in a group."""
    from eda_cli.runs.lifecycle import find

    found = find(run)
    wanted = _Wanted(key, grep, partition)
    show = _shower(json, raw, format_)
    if offset == "stored" and group is None:
        raise UsageError("-o stored needs a group", "only groups store a position", "for example: -g invoicing -o stored")
    channel = open_channel(found)
    try:
        names = _topics(found, channel, topics or [], wait)
        if group is not None:
            batches = _group_batches(channel, group, names, offset, exit_)
        else:
            start = _start(channel, names, offset, partition)
            batches = _batches(found, channel, names, start, exit_)
        _show(batches, wanted, show, count, found)
    finally:
        channel.close()


class _Wanted:
    """Which events are shown."""

    def __init__(self, key: str | None, grep: str | None, partition: int | None) -> None:
        self._key = key.encode() if key is not None else None
        self._partition = partition
        try:
            self._grep = re.compile(grep) if grep is not None else None
        except re.error as wrong:
            raise UsageError(f"--grep {grep} is no regular expression", str(wrong)) from None

    def __call__(self, delivery: Delivery) -> bool:
        event = delivery.event
        if self._partition is not None and delivery.partition != self._partition:
            return False
        if self._key is not None and event.key != self._key:
            return False
        if self._grep is None:
            return True
        texts = (event.type or "", (event.key or b"").decode(errors="replace"), (event.data or b"").decode(errors="replace"))
        return any(self._grep.search(text) for text in texts)


def _start(channel: EventChannel, names: list[str], offset: str | None, partition: int | None) -> Start:
    from dataclasses import replace

    from eda_cli.channels.base import Start

    if offset is not None:
        return replace(parse_start(offset, "-o"), partition=partition)
    known = {topic.name: topic.events for topic in channel.topics()}
    for name in names:
        events = known.get(name)
        if events is not None and events > SHOWN_AT_FIRST:
            console.say(f"{name}: last {SHOWN_AT_FIRST} of {events:,}; all: -o beginning", "dim")
    return Start("last", SHOWN_AT_FIRST, partition)


def _topics(run: RunFolder, channel: EventChannel, wished: list[str], wait: bool) -> list[str]:
    """The topics to show. Raises UnknownTopic."""
    if not wished:
        if names := [topic.name for topic in channel.topics()]:
            return names
        raise EdaError("there are no topics", f"the run '{run.name}' has none yet")
    told = False
    while True:
        try:
            missing_topic_hint(channel, wished)
            return wished
        except UnknownTopic as missing:
            if not wait:
                raise UnknownTopic(missing.topic, missing.why, f"{missing.hint}; or wait for it: --wait") from None
            if not told:
                console.say(f"waiting for the topic '{missing.topic}' …", "dim")
                told = True
            time.sleep(0.2)


def _batches(run: RunFolder, channel: EventChannel, names: list[str], start: Start, stop_at_end: bool
             ) -> Iterator[Sequence[Delivery]]:
    """The events of all topics; empty batches while waiting."""
    end: Any = "stored" if stop_at_end else "never"
    if len(names) == 1:
        yield from channel.read(names[0], start, end)
        return
    if stop_at_end:
        for name in names:
            yield from channel.read(name, start, end)
        return
    yield from _together(run, names, start)


def _together(run: RunFolder, names: list[str], start: Start) -> Iterator[Sequence[Delivery]]:
    """Several topics followed at once: each by a channel and a thread of its own."""
    arrived: queue.Queue[Sequence[Delivery] | EdaError] = queue.Queue(maxsize=100)

    def follow(name: str) -> None:
        try:
            channel = open_channel(run)
            for batch in channel.read(name, start, "never"):
                if batch:
                    arrived.put(batch)
        except EdaError as wrong:
            arrived.put(wrong)

    for name in names:
        threading.Thread(target=follow, args=(name,), daemon=True).start()
    while True:
        try:
            got = arrived.get(timeout=0.1)
        except queue.Empty:
            yield ()
            continue
        if isinstance(got, EdaError):
            raise got
        yield got


def _group_batches(channel: EventChannel, group: str, names: list[str], offset: str | None, stop_at_end: bool
                   ) -> Iterator[Sequence[Delivery]]:
    """As a member of the group: what is shown is done."""
    from eda_cli.channels.base import Group

    if offset not in (None, "stored", "beginning", "end"):
        raise UsageError(f"-o {offset} does not go with a group", "a group goes on where it is; a new one begins at "
                         "beginning or end", "set its position with: eda groups reset")
    wished = Group(group, tuple(names), "earliest" if offset == "beginning" else "latest")
    channel.declare([], [wished])
    subscription = channel.subscribe(wished)
    try:
        while True:
            polled = subscription.poll(0.1, 500)
            yield polled.deliveries
            subscription.done(polled.deliveries)
            if stop_at_end and not polled.deliveries and _lag(channel, group) == 0:
                return
    finally:
        subscription.close()


def _lag(channel: EventChannel, group: str) -> int | None:
    return next((one.lag for one in channel.groups() if one.name == group), None)


def _show(batches: Iterator[Sequence[Delivery]], wanted: Callable[[Delivery], bool],
          show: Callable[[Delivery], None], count: int | None, run: RunFolder) -> None:
    left = count
    looked = time.monotonic()
    for batch in batches:
        for delivery in batch:
            if not wanted(delivery):
                continue
            show(delivery)
            if left is not None:
                left -= 1
                if left == 0:
                    console.flush()
                    return
        if batch:
            console.flush()
        if time.monotonic() - looked > LOOK_S:
            looked = time.monotonic()
            if run.supervisor() is None:
                console.say(f"the run '{run.name}' stopped", "dim")
                return


def _shower(json: bool, raw: bool, format_: str | None) -> Callable[[Delivery], None]:
    from eda_cli.event import to_line

    if sum((json, raw, format_ is not None)) > 1:
        raise UsageError("--json, --raw and -f exclude each other", "each says how events are written")
    if json:
        return lambda delivery: console.write_line(to_line(delivery.event, delivery))
    if raw:
        return lambda delivery: console.write_line(delivery.event.data or b"")
    if format_ is not None:
        return _formatted(format_)
    return _pretty()


def _pretty() -> Callable[[Delivery], None]:
    from eda_cli.event import rfc3339
    from eda_cli.journal import Observation, shown
    from eda_cli.view.lines import COLOURS, event_line

    colours: dict[str, str] = {}
    out = console.out()

    def show(delivery: Delivery) -> None:
        part = (delivery.event.source or "-").rpartition("/")[2] or "-"
        colour = colours.setdefault(delivery.topic, COLOURS[len(colours) % len(COLOURS)])
        seen = Observation("published", rfc3339(delivery.published), part, {
            "topic": delivery.topic, "partition": delivery.partition, "offset": delivery.offset, **shown(delivery.event)})
        line = event_line(seen, colour)
        if out.is_terminal:
            line.truncate(out.width, overflow="ellipsis")
        out.print(line, soft_wrap=True)

    return show


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def _formatted(format_: str) -> Callable[[Delivery], None]:
    """As kcat's -f. Raises UsageError at an unknown field."""
    from eda_cli.event import rfc3339

    fields: dict[str, Callable[[Delivery], bytes]] = {
        "t": lambda one: one.topic.encode(),
        "p": lambda one: str(one.partition).encode(),
        "o": lambda one: str(one.offset).encode(),
        "k": lambda one: one.event.key or b"",
        "s": lambda one: one.event.data or b"",
        "i": lambda one: (one.event.id or "").encode(),
        "e": lambda one: (one.event.type or "").encode(),
        "T": lambda one: (one.event.time or rfc3339(one.published)).encode(),
        "h": lambda one: b",".join(name.encode() + b"=" + (value or b"") for name, value in one.event.headers),
        "S": lambda one: str(len(one.event.data) if one.event.data is not None else -1).encode(),
        "%": lambda one: b"%",
    }
    pieces: list[Callable[[Delivery], bytes]] = []
    for text, field, escape in re.findall(r"([^%\\]+)|%(.?)|\\(.?)", format_):
        if text:
            pieces.append(lambda one, data=text.encode(): data)  # type: ignore[misc]
        elif field:
            if field not in fields:
                raise UsageError(f"-f: there is no field %{field}", f"known: {' '.join('%' + name for name in fields)}")
            pieces.append(fields[field])
        else:
            pieces.append(lambda one, data=_ESCAPES.get(escape, "\\" + escape).encode(): data)  # type: ignore[misc]

    def show(delivery: Delivery) -> None:
        sys.stdout.buffer.write(b"".join(piece(delivery) for piece in pieces))

    return show
