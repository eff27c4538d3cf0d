"""The keys of a sketch: what each is called, what fits, what it means. Knows no place, and no YAML.

This is the list of what a sketch may say; the JSON Schema for editors is made from it. A later key is one more
field. How consumers behave stands in `behaviour`.
"""

# ruff: noqa: RUF012 (pydantic copies the defaults)
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, create_model, model_validator

from eda_cli.sketch import words
from eda_cli.sketch.behaviour import (
    CODE,
    FAILS,
    IDEMPOTENT,
    JOINS,
    KEPT,
    RETRIES,
    WINDOW,
    Fails,
    Fold,
    Folds,
    Idempotent,
    Join,
    Retries,
    Rule,
    Window,
)
from eda_cli.sketch.fitting import MapOf, OneOrMany, misfit, whole, without_notes
from eda_cli.sketch.generating import (
    ARRIVALS,
    ENTITIES,
    FAULTS,
    PAST,
    REPEAT,
    STAGES,
    Entities,
    Faults,
    Spread,
    Stage,
)
from eda_cli.sketch.kinds import (
    DURATION,
    DURATIONS,
    GROUP,
    HANDLER,
    IMAGE,
    MECHANISM,
    OPTIONAL_DURATION,
    PART,
    PAUSE,
    RATE,
    SERVERS,
    SETTING,
    SPAN,
    START,
    url,
)
from eda_cli.sketch.secured import Secured
from eda_cli.sketch.strict import (
    HEADERS,
    TOPICS,
    TYPES,
    EventType,
    Flag,
    GeneratorBody,
    GeneratorValue,
    HeaderName,
    KeyValue,
    Line,
    PartName,
    Strict,
    TopicName,
    keys_of,
    says,
)
from eda_cli.technologies import TECHNOLOGIES, Technology

MAX_PARTITIONS = 1000
MAX_REPLICAS = 100
MAX_COUNT = 10**15

_PARTITIONS = whole(1, MAX_PARTITIONS, f"a whole number from 1 to {MAX_PARTITIONS}", "write it as 3")
_REPLICAS = whole(1, MAX_REPLICAS, f"a whole number from 1 to {MAX_REPLICAS}", "write it as 2")
_COUNT = whole(1, MAX_COUNT, "a whole number above 0", "write it as 1000", none=True)
_SEED = whole(-(2**63), 2**63 - 1, "a whole number", "write it as 42", none=True)
_PORT = whole(1, 65535, "a port number from 1 to 65535", "write it as 9092")
_RULES = OneOrMany("a topic, a rule or a list of rules", "write it as invoices", once=False)
_CONFIG = MapOf("a map of settings", "write it as {max.message.bytes: 2000000}", notes=False)


class Topic(Strict):
    """A topic: a log of events, in partitions. Nothing need be said about one."""

    partitions: Annotated[int, _PARTITIONS,
                          says("Into how many logs it is split; order holds inside of one.", 3)] = 3
    key: Annotated[KeyValue,
                   says("The record key of events published here; `$` is the event.", "$.user")] = None
    retention: Annotated[float | None, OPTIONAL_DURATION,
                         says("How long events are kept; without it, always.", "1h", "7d")] = None
    compacted: Annotated[Flag, says("Keep only the newest event of each key; of the latest events of a partition "
                                    "(embedded: 1,000) all stay.")] = False
    config: Annotated[dict[str, Annotated[str, SETTING]], _CONFIG,
                      says("Settings handed to the broker as they are.", {"max.message.bytes": 2000000})] = {}
    about: Annotated[Line, says("A line of text about it.")] = ""


class Part(Strict):
    """What generators and consumers have in common."""

    replicas: Annotated[int, _REPLICAS, says("How many processes play it.", 2)] = 1
    service: Annotated[Line, says("The service it belongs to; parts of one service are drawn together.")] = ""
    about: Annotated[Line, says("A line of text about it.")] = ""
    external: Annotated[Flag, says("Somebody else runs it: eda starts nothing, but draws it.")] = False


class Generator(Part):
    """A generator: publishes events by the clock."""

    publishes: Annotated[TopicName, says("The topic it publishes to.", "purchases")]
    event: Annotated[EventType, says("The type of its events: what happened, in the past tense.",
                                     "purchaseCreated")] = ""
    body: Annotated[GeneratorBody, says("What its events contain; without it, what `events` says.",
                                         {"id": "uuid()", "price": "5.00..250.00"})] = None
    key: Annotated[KeyValue, says("The record key; without it, the topic's.", "$.user")] = None
    headers: Annotated[dict[HeaderName, GeneratorValue], HEADERS, says("Headers of its events.")] = {}
    rate: Annotated[float | None, RATE,
                    says("Events per second, of all replicas together; else 1/s.", "5/s", "120/min", "max")] = None
    every: Annotated[tuple[float, float] | None, PAUSE,
                     says("The pause between two events, instead of a rate.", "200ms..2s")] = None
    stages: Annotated[list[Stage], STAGES,
                      says("Rates one after another, instead of one; a range is a ramp.",
                           [{"rate": "5/s..60/s", "for": "10s"}, {"rate": "60/s", "for": "1m"}])] = []
    repeat: Annotated[int | None, REPEAT, says("How often the stages are gone through.", 3, "forever")] = 1
    arrivals: Annotated[Literal["even", "poisson"], ARRIVALS,
                        says("How the events of a rate are spread: evenly, or by chance.", "poisson")] = "even"
    count: Annotated[int | None, _COUNT, says("How many events in all; without it, no end.", 1000)] = None
    after: Annotated[float, DURATION, says("How long it waits before the first event.", "10s")] = 0.0
    start: Annotated[tuple[str, float] | None, PAST,
                     says("When its first event happened: those up to now come as fast as it goes.", "-7d", "2026-01-01",
                          alias="from")] = None
    entities: Annotated[Entities | None, ENTITIES,
                        says("How many it tells of, each with its own clock; what they have.", 5000,
                             {"count": 5000, "have": {"name": "faker.name()"}})] = None
    faults: Annotated[Faults | None, FAULTS,
                      says("What goes wrong with its events, and how often.", {"duplicate": "2%", "corrupt": "0.1%"})] = None


class Consumer(Part):
    """A consumer: subscribes to topics as a group, and publishes what follows."""

    subscribes: Annotated[list[TopicName], TOPICS,
                          says("The topic or topics it hears.", "purchases", ["orders", "payments"])]
    accepts: Annotated[list[EventType], TYPES, says("Only events of these types are handled.")] = []
    group: Annotated[str, GROUP, says("Its consumer group; without it, its name.")] = ""
    start: Annotated[Literal["earliest", "latest"], START,
                     says("Where a new group begins: with all that is kept, or with what comes now.",
                          "earliest", alias="from")] = "latest"
    takes: Annotated[tuple[float, float] | None, DURATIONS,
                     says("How long it takes to handle one event.", "20ms..80ms")] = None
    fails: Annotated[Fails | None, FAILS,
                     says("Which attempts to handle an event fail.", "2%", {"share": "50%", "when": "body.total > 400"})] = None
    retries: Annotated[Retries, RETRIES,
                       says("How often a failed event is tried again.", 3, {"max": 3, "backoff": "200ms..10s"})] = Retries()
    dead_letter: Annotated[TopicName, says("The topic for events that failed for good; without it they are given up.",
                                           "purchases.dlq")] = ""
    idempotent: Annotated[Idempotent | None, IDEMPOTENT,
                          says("Whether an event that comes twice is handled once; what it remembers for that.", True,
                               {"last": 100000, "for": "1d"})] = None
    keeps: Annotated[dict[TopicName, Annotated[list[Fold], Folds()]], KEPT,
                     says("Its own copies of what it heard: by topic, or folded by rules of their own.", "purchases",
                          {"purchases": "$.id"}, {"stock": {"from": ["orders", "returns"], "key": "$.sku",
                                                            "set": {"left": "{{ was.left | default(0) + body.qty }}"}}})] = {}
    joins: Annotated[Join | None, JOINS,
                     says("Pairs each event with those of another topic; rules follow for each pair.",
                          {"with": "payments", "by": "$.purchase", "within": "30s"})] = None
    window: Annotated[Window | None, WINDOW,
                      says("Gathers events by time; rules follow when a window closes.",
                           {"every": "1m", "by": "$.device", "late": "10s"}, {"gap": "5m"})] = None
    handler: Annotated[str, HANDLER,
                       says("A Python function that handles events in place of rules.", "my_shop.invoicing:handle")] = ""
    run: Annotated[list[str], CODE, says("A program that handles events in place of rules.", "node mailer.js",
                                         ["node", "mailer.js"])] = []
    timeout: Annotated[float, SPAN, says("How long its own code has for one event; else 30s.", "5s")] = 30.0
    publishes: Annotated[list[Rule], _RULES,
                         says("What follows from an event: a topic name, a rule or a list of rules.")] = []


class Kafka(Secured):
    """Apache Kafka: in a container, or one that already runs (`bootstrap_servers`)."""

    bootstrap_servers: Annotated[list[str] | None, SERVERS,
                                 says("A Kafka that already runs.", "localhost:9092")] = None
    mechanism: Annotated[str | None, MECHANISM, says("How a user logs in (SASL); without it, PLAIN.", "SCRAM-SHA-512")] = None
    image: Annotated[str | None, IMAGE, says("The container image.", "apache/kafka-native:4.3.1")] = None
    port: Annotated[int | None, _PORT, says("The port on this machine.", 9092)] = None

    @model_validator(mode="before")
    @classmethod
    def servers_are_a_key(cls, raw: Any) -> Any:
        server = re.fullmatch(r"([\w.-]+):[0-9]+", raw) if isinstance(raw, str) else None
        if server and server[1] not in keys_of(cls):
            raise misfit("a map of keys", "", f"write kafka: {{bootstrap_servers: {raw}}}")
        return raw


class Server(Secured):
    """A broker in a container, or one that already runs (`url`)."""

    image: Annotated[str | None, IMAGE, says("The container image.")] = None
    port: Annotated[int | None, _PORT, says("The port on this machine.")] = None

    @model_validator(mode="before")
    @classmethod
    def url_is_a_key(cls, raw: Any) -> Any:
        if isinstance(raw, str) and "://" in raw:
            raise misfit("a map of keys", "", f"write {{url: {raw}}}")
        return raw


class Nothing(Strict):
    """It has no settings."""


def _settings(name: str, one: Technology) -> type[Strict]:
    """By the key that reaches it."""
    if one.reached != "url":
        return Kafka if one.reached else Nothing
    told = Annotated[str | None, url(one.schemes, one.example), says("One that already runs.", one.example)]
    made: type[Strict] = create_model(name.capitalize(), __base__=Server, __module__=__name__, __doc__=Server.__doc__,
                                      url=(told, None))
    return made


SETTINGS: dict[str, type[Strict]] = {name: _settings(name, one) for name, one in TECHNOLOGIES.items()}

if TYPE_CHECKING:
    class Broker(Strict):
        """Which event channel carries the events: one of these."""
else:
    Broker = create_model(
        "Broker", __base__=Strict, __module__=__name__, __doc__="Which event channel carries the events: one of these.",
        auto=(Annotated[Nothing | None, says("Kafka where a container engine answers, else embedded.")], None),
        **{name: (Annotated[SETTINGS[name] | None, says(one.about)], None) for name, one in TECHNOLOGIES.items()})


def _broker(raw: Any) -> Any:
    """The name of a broker is short for a map of its name and its settings."""
    known = keys_of(Broker)
    forms = without_notes(raw) if isinstance(raw, dict) else {"auto" if raw is None else str(raw): {}}
    expected = f"one of {', '.join(known)}"
    if len(forms) != 1:
        raise misfit(expected, f"it names {len(forms) or 'none'}",
                     "keep one of them" if forms else "write it as kafka")
    name, settings = next(iter(forms.items()))
    if name in known:
        return {name: {} if settings is None else settings}
    guess = words.meant(name, known)
    raise misfit(expected, "", f"did you mean '{guess}'?" if guess else "write it as kafka")


class Sketch(Strict):
    """A sketch of an event-driven system: topics, generators that publish, consumers that subscribe."""

    name: Annotated[str | None, PART, says("Its name; without it, the file's, for a sketch.yaml the folder's.", "shop")] = None
    broker: Annotated[Broker, BeforeValidator(_broker),
                      says("Which event channel carries the events.", "auto", "embedded",
                           {"kafka": {"bootstrap_servers": "localhost:9092"}})] = Broker.model_validate({"auto": {}})
    seed: Annotated[int | None, _SEED, says("Same seed, same data; without one, it is drawn.", 42)] = None
    topics: Annotated[dict[TopicName, Topic], MapOf("a map of topics by name", "write it as {purchases: {}}"),
                      says("The topics; those that need nothing said may be left out.")] = {}
    events: Annotated[dict[EventType, Any], MapOf("a map of event types and what their bodies contain",
                                                  "write it as {purchaseCreated: {id: uuid()}}"),
                      says("The event types: what the body of each contains.")] = {}
    generators: Annotated[dict[PartName, Generator], MapOf("a map of generators by name",
                                                           "write it as {shop: {publishes: purchases}}"),
                          says("Who publishes events by the clock.")] = {}
    consumers: Annotated[dict[PartName, Consumer], MapOf("a map of consumers by name",
                                                         "write it as {billing: {subscribes: purchases}}"),
                         says("Who hears events, and what follows.")] = {}


MODELS: dict[str, type[Strict]] = {
    "sketch": Sketch, "topic": Topic, "generator": Generator, "consumer": Consumer, "rule": Rule,
    "broker": Broker, "fails": Fails, "retries": Retries, "idempotent": Idempotent, "copy": Fold, "joins": Join,
    "window": Window,
    "stage": Stage, "entities": Entities, "faults": Faults, "late": Spread, "out_of_order": Spread,
}
