"""The keys of a sketch: what each is called, what fits, what it means. Knows no place and no default that depends.

This is the list of what a sketch may say; the JSON Schema for editors is made from it. A later key is one more field.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from eda_cli.sketch import words
from eda_cli.sketch.kinds import (
    CONDITION, DURATION, DURATIONS, EVENT_TYPE, EVENT_TYPE_OR_PATH, FLAG, GROUP, HEADER, IMAGE, LINE, NULL,
    OPTIONAL_DURATION, PART, PAUSE, RATE, SERVERS, SETTING, TOPIC, Kind, MapOf, Misfit, OneOrMany, misfit, value,
    whole, without_notes,
)

MAX_PARTITIONS = 1000
MAX_REPLICAS = 100

Line = Annotated[str, LINE]
TopicName = Annotated[str, TOPIC]
PartName = Annotated[str, PART]
EventType = Annotated[str, EVENT_TYPE]
Flag = Annotated[bool, FLAG]
Replicas = Annotated[int, whole(1, MAX_REPLICAS, f"a whole number from 1 to {MAX_REPLICAS}", "write it as 2")]
EventTypes = Annotated[list[EventType], OneOrMany("one event type or a list of them", "write it as purchaseCreated")]
KeyOfTopic = Annotated[Any, value("key")]
GeneratorValue = Annotated[Any, value("generator")]
RuleValue = Annotated[Any, value("rule")]


HeaderName = Annotated[str, HEADER]
_HEADERS = MapOf("a map of header names and values", "write it as {tenant: acme}", notes=False)


def _start(raw: Any) -> str:
    if raw in ("earliest", "latest"):
        return str(raw)
    old = {"beginning": "earliest", "oldest": "earliest", "start": "earliest", "end": "latest", "newest": "latest"}
    raise Misfit(hint=f"write {old[raw]}" if isinstance(raw, str) and raw in old else "")


_START = Kind("earliest or latest", "write earliest to hear what was published before, too", _start,
              {"enum": ["earliest", "latest"]})
_SEED = whole(-(2**63), 2**63 - 1, "a whole number", "write it as 42", none=True)
_COUNT = whole(1, 10**15, "a whole number above 0", "write it as 1000", none=True)
_PARTITIONS = whole(1, MAX_PARTITIONS, f"a whole number from 1 to {MAX_PARTITIONS}", "write it as 3")
_PORT = whole(1, 65535, "a port number from 1 to 65535", "write it as 9092")


class Strict(BaseModel):
    """A map of keys. None is unknown but `x-…`, which is skipped; nothing at all is a map without keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, json_schema_extra={"patternProperties": {"^x-": {}}})

    @model_validator(mode="before")
    @classmethod
    def keys_only(cls, raw: Any) -> Any:
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raise misfit("a map of keys", "", cls.example(raw))
        return without_notes(raw)

    @classmethod
    def example(cls, raw: Any) -> str:
        if isinstance(raw, str) and ":" in raw and " " not in raw:
            key, _, rest = raw.partition(":")
            return f"write a space after the colon, {key}: {rest}"
        return f"its keys are {', '.join(keys_of(cls))}"


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys as they are written, those of its own first."""
    fields = sorted(model.model_fields.items(), key=lambda field: field[0] not in model.__annotations__)
    return [field.alias or name for name, field in fields]


class Topic(Strict):
    """A topic: a log of events, in partitions. Nothing need be said about one."""

    partitions: Annotated[int, _PARTITIONS] = Field(default=3, description="Into how many logs the topic is split; order "
                                                    "holds inside of one.", examples=[3])
    key: KeyOfTopic = Field(default=None, description="The record key of events published here; `$` is the event.",
                            examples=["$.user"])
    retention: Annotated[float | None, OPTIONAL_DURATION] = Field(
        default=None, description="How long events are kept. Without it: always.", examples=["1h", "7d"])
    compacted: Flag = Field(default=False, description="Keep only the newest event of each key.")
    config: Annotated[dict[str, Annotated[str, SETTING]],
                      MapOf("a map of settings", "write it as {max.message.bytes: 2000000}", notes=False)] = Field(
        default={}, description="Settings handed to the broker as they are.", examples=[{"max.message.bytes": 2000000}])
    about: Line = Field(default="", description="A line of text about it.")


class Part(Strict):
    """What generators and consumers have in common."""

    replicas: Replicas = Field(default=1, description="How many processes play it.", examples=[2])
    service: Line = Field(default="", description="The service it belongs to; parts of one service are drawn together.")
    about: Line = Field(default="", description="A line of text about it.")
    external: Flag = Field(default=False, description="Somebody else runs it: eda starts nothing, but draws it.")


class Generator(Part):
    """A generator: publishes events by the clock."""

    publishes: TopicName = Field(description="The topic it publishes to.", examples=["purchases"])
    event: EventType = Field(default="", description="The type of its events; what happened, in the past tense.",
                             examples=["purchaseCreated"])
    body: GeneratorValue = Field(default=None, description="What its events contain; without it, what `events` says.",
                                 examples=[{"id": "uuid()", "price": "5.00..250.00"}])
    key: KeyOfTopic = Field(default=None, description="The record key; without it, the topic's.", examples=["$.user"])
    headers: Annotated[dict[HeaderName, GeneratorValue], _HEADERS] = Field(default={}, description="Headers of its events.")
    rate: Annotated[float | None, RATE] = Field(default=None, description="Events per second, of all replicas together.",
                                                examples=["5/s", "120/min", "max"])
    every: Annotated[tuple[float, float] | None, PAUSE] = Field(
        default=None, description="The pause between two events, instead of a rate.", examples=["200ms..2s"])
    count: Annotated[int | None, _COUNT] = Field(default=None, description="How many events in all. Without it: no end.",
                                                 examples=[1000])
    after: Annotated[float, DURATION] = Field(default=0.0, description="How long it waits before the first event.",
                                              examples=["10s"])


class Rule(Strict):
    """A rule: what a consumer publishes when it handled an event. Only a topic name republishes the body."""

    to: TopicName = Field(description="The topic it publishes to.", examples=["invoices"])
    event: Annotated[str, EVENT_TYPE_OR_PATH] = Field(
        default="", description="The type of the event, or a path to it. Without it, the type of the event handled.",
        examples=["invoiceIssued", "$.type"])
    key: RuleValue = Field(default=None, description="The record key; without it the topic's, else that of the event handled.",
                           examples=["$.user"])
    headers: Annotated[dict[HeaderName, RuleValue], _HEADERS] = Field(default={}, description="Headers of the event.")
    body: RuleValue = Field(default=None, description="What the event contains; `$` and templates see the event handled. "
                            "Without it, what `events` says, else the body that was heard.",
                            examples=[{"purchase": "$.id"}])
    accepts: EventTypes = Field(default=[], description="Only events of these types are followed by this one.")
    when: Annotated[str, CONDITION] = Field(default="", description="Only where this expression is true.",
                                            examples=["body.total > 100"])

    @model_validator(mode="before")
    @classmethod
    def keys_only(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            return {"to": raw}
        if not isinstance(raw, dict):
            raise misfit("a topic name or a map of keys", "", f"its keys are {', '.join(keys_of(cls))}")
        return without_notes(raw)


class Consumer(Part):
    """A consumer: subscribes to topics as a group, and publishes what follows."""

    subscribes: Annotated[list[TopicName], OneOrMany("a topic or a list of topics", "write it as purchases")] = Field(
        description="The topic or topics it hears.", examples=["purchases", ["orders", "payments"]])
    accepts: EventTypes = Field(default=[], description="Only events of these types are handled.")
    group: Annotated[str, GROUP] = Field(default="", description="Its consumer group; without it, its name.")
    start: Annotated[Literal["earliest", "latest"], _START] = Field(
        default="latest", alias="from", description="Where a new group begins: with all that is kept, or with what comes now.")
    takes: Annotated[tuple[float, float] | None, DURATIONS] = Field(
        default=None, description="How long it takes to handle one event.", examples=["20ms..80ms"])
    publishes: Annotated[list[Rule], OneOrMany("a topic, a rule or a list of rules", "write it as invoices",
                                                        once=False)] = Field(
        default=[], description="What follows from an event: a topic name, a rule or a list of rules.")


class Kafka(Strict):
    """Apache Kafka: in a container, or one that already runs (`bootstrap_servers`)."""

    bootstrap_servers: Annotated[list[str] | None, SERVERS] = Field(
        default=None, description="A Kafka that already runs.", examples=["localhost:9092"])
    image: Annotated[str | None, IMAGE] = Field(default=None, description="The container image.",
                                                examples=["apache/kafka-native:4.3.1"])
    port: Annotated[int | None, _PORT] = Field(default=None, description="The port on this machine.", examples=[9092])


class Nothing(Strict):
    """It has no settings."""


class Broker(Strict):
    """Which event channel carries the events: one of these."""

    auto: Nothing | None = Field(default=None, description="Kafka where a container engine answers, else embedded.")
    embedded: Nothing | None = Field(default=None, description="One file, nothing installed.")
    kafka: Kafka | None = Field(default=None, description="Apache Kafka.")


def _broker(raw: Any) -> Any:
    known = keys_of(Broker)
    names = list(without_notes(raw)) if isinstance(raw, dict) else [raw]
    expected = f"one of {', '.join(known)}"
    if raw is None:
        return {"auto": {}}
    if isinstance(raw, dict) and len(names) != 1:
        raise misfit(expected, f"it names {len(names)}" if names else "it names none", "write it as kafka")
    if isinstance(raw, dict) and names[0] in known:
        return {names[0]: {} if raw[names[0]] is None else raw[names[0]]}
    if not isinstance(raw, dict) and raw in known:
        return {raw: {}}
    name = names[0] if isinstance(names[0], str) else ""
    later = name.lower() in words.LATER["broker"]
    guess = words.meant(name, known) if name else None
    raise misfit(expected, f"'{name.lower()}' {words.NOT_YET}" if later else "",
                 f"did you mean '{guess}'?" if guess and not later else "write it as kafka")


class Sketch(Strict):
    """A sketch of an event-driven system: topics, generators that publish events, consumers that subscribe."""

    name: Annotated[str | None, PART] = Field(default=None, description="Its name; without it, the file's.", examples=["shop"])
    broker: Annotated[Broker, BeforeValidator(_broker)] = Field(
        default=Broker(auto=Nothing()), description="Which event channel carries the events.",
        examples=["auto", "embedded", {"kafka": {"bootstrap_servers": "localhost:9092"}}])
    seed: Annotated[int | None, _SEED] = Field(default=None, description="Same seed, same data. Without it one is drawn.",
                                               examples=[42])
    topics: Annotated[dict[TopicName, Topic], MapOf("a map of topics by name", "write it as {purchases: {}}")] = Field(
        default={}, description="The topics; those that need nothing said may be left out.")
    events: Annotated[dict[EventType, Any], MapOf("a map of event types and what their bodies contain",
                                                  "write it as {purchaseCreated: {id: uuid()}}")] = Field(
        default={}, description="The event types: what the body of each contains.")
    generators: Annotated[dict[PartName, Generator], MapOf("a map of generators by name",
                                                           "write it as {shop: {publishes: purchases}}")] = Field(
        default={}, description="Who publishes events by the clock.")
    consumers: Annotated[dict[PartName, Consumer], MapOf("a map of consumers by name",
                                                         "write it as {billing: {subscribes: purchases}}")] = Field(
        default={}, description="Who hears events, and what follows.")


MODELS: dict[str, type[Strict]] = {
    "sketch": Sketch, "topic": Topic, "generator": Generator, "consumer": Consumer, "rule": Rule, "broker": Broker,
}


