"""What a sketch leaves out: topics, event types, bodies, quantities. Knows no place; finds nothing wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from eda_cli.payloads import is_states, read_states
from eda_cli.sketch import behaviour, generating, model, resolved
from eda_cli.sketch.kinds import sides

RATE = 1.0  # events per second
ENTITIES = 10  # that live a life which does not say how many do
BODY: dict[str, Any] = {"id": "uuid()", "number": "seq(1)"}
_SINGULAR = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))


def fill(sketch: model.Sketch, name: str) -> resolved.Resolved:
    """The full form. Topics that parts name and `topics` does not are made."""
    topics = {key: _topic(key, topic) for key, topic in sketch.topics.items()}
    for used in used_topics(sketch):
        topics.setdefault(used, resolved.Topic(used))
    whole = resolved.Resolved(
        name=sketch.name or name, broker=_broker(sketch.broker), seed=sketch.seed, topics=topics,
        events=sketch.events,
        generators={key: _generator(key, part, sketch) for key, part in sketch.generators.items()},
        consumers={key: _consumer(key, part, sketch) for key, part in sketch.consumers.items()},
    )
    own = {key: replace(part, group=key) for key, part in whole.consumers.items()
           if not part.group and (part.external or not whole.guest)}
    return replace(whole, consumers={**whole.consumers, **own})


def used_topics(sketch: model.Sketch) -> Iterator[str]:
    """Every topic that a part names, in the order of the file's sections."""
    for generator in sketch.generators.values():
        yield generator.publishes
    for consumer in sketch.consumers.values():
        yield from consumer.subscribes
        for name, folds in consumer.keeps.items():
            for fold in folds:
                yield from fold.topics or [name]
        if consumer.joins:
            yield consumer.joins.topic
        for rule in consumer.publishes:
            yield from (rule.to, *rule.unless)
        if consumer.dead_letter:
            yield consumer.dead_letter


def event_type(generator: model.Generator, sketch: model.Sketch) -> str:
    """Its own; else the only one of `events`, if it says no body; else named after the topic."""
    if generator.event:
        return generator.event
    if len(sketch.events) == 1 and "body" not in generator.model_fields_set:
        return next(iter(sketch.events))
    return created(generator.publishes)


def created(topic: str) -> str:
    """An event type for a topic: `purchaseCreated` for `purchases`, `orderCancelled` for `order-cancelled`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])", topic) if word] or ["event"]
    last = words[-1]
    for ending, single in _SINGULAR:
        if last.lower().endswith(ending):
            if len(last) > len(ending) + 1 and not last.lower().endswith(("ss", "us", "is")):
                last = last[: -len(ending)] + single
            break
    words[-1:] = [last] if last.lower().endswith("ed") else [last, "created"]
    if words[0][0].isdigit():
        words.insert(0, "event")
    return words[0][0].lower() + words[0][1:] + "".join(word[0].upper() + word[1:] for word in words[1:])


def _topic(name: str, topic: model.Topic) -> resolved.Topic:
    return resolved.Topic(name, topic.partitions, topic.key, topic.retention, topic.compacted, topic.config,
                          topic.about)


def _broker(broker: model.Broker) -> dict[str, Any]:
    kind = next(iter(broker.model_fields_set))
    settings = getattr(broker, kind)
    return {"kind": kind, **settings.model_dump(exclude_none=True)}


def _generator(name: str, part: model.Generator, sketch: model.Sketch) -> resolved.Generator:
    event = event_type(part, sketch)
    body = part.body
    if "body" not in part.model_fields_set:
        body = sketch.events.get(event)
        body = BODY if body is None else body
    clocked = part.rate is not None or part.every is not None or part.stages or is_states(body)
    rate = part.rate if clocked else RATE
    return resolved.Generator(
        name=name, publishes=part.publishes, event=event, body=body, key=part.key, headers=part.headers,
        rate=rate, every=part.every, stages=tuple(resolved.Stage(one.rate, one.for_s) for one in part.stages),
        repeat=part.repeat, arrivals=part.arrivals, count=part.count, after_s=part.after, start=part.start,
        entities=_entities(part.entities, body),
        faults=_faults(part.faults) if part.faults else None, replicas=part.replicas,
        service=part.service or name, about=part.about, external=part.external)


def _entities(entities: generating.Entities | None, body: Any) -> resolved.Entities | None:
    """Those of the generator, or those that live the life that its body is."""
    if entities is None and is_states(body):
        return resolved.Entities(read_states(body).entities or ENTITIES)
    return resolved.Entities(entities.count, entities.have) if entities else None


def _faults(faults: generating.Faults) -> resolved.Faults:
    spread = {name: resolved.Spread(one.share, one.by) for name in ("late", "out_of_order")
              if (one := getattr(faults, name)) is not None}
    return resolved.Faults(duplicate=faults.duplicate, drop=faults.drop, corrupt=faults.corrupt, null_key=faults.null_key,
                           **spread)


def _consumer(name: str, part: model.Consumer, sketch: model.Sketch) -> resolved.Consumer:
    has_code = bool(part.handler or part.run)
    window, forget = part.window, part.idempotent
    return resolved.Consumer(
        name=name, subscribes=tuple(part.subscribes), group=part.group or "", accepts=tuple(part.accepts),
        start=part.start, replicas=part.replicas, takes=part.takes,
        rules=tuple(_rule(rule, sketch, has_code) for rule in part.publishes), service=part.service or name,
        about=part.about, external=part.external,
        fails=resolved.Fails(part.fails.share, part.fails.when) if part.fails else None,
        retries=resolved.Retries(part.retries.max, part.retries.backoff), dead_letter=part.dead_letter,
        idempotent=resolved.Idempotent(forget.last, forget.for_s) if forget else None,
        keeps=tuple(resolved.Kept(copy, tuple(_fold(copy, fold) for fold in folds)) for copy, folds in part.keeps.items()),
        window=resolved.Window(window.by, window.every, window.gap, window.time, window.late) if window else None,
        joins=_join(part.joins, part.subscribes) if part.joins else None,
        handler=part.handler, run=tuple(part.run), timeout_s=part.timeout)


def _fold(copy: str, fold: behaviour.Fold) -> resolved.Fold:
    return resolved.Fold(tuple(fold.topics or [copy]), fold.key, fold.set if "set" in fold.model_fields_set else None,
                         tuple(fold.accepts), fold.when)


def _join(join: behaviour.Join, subscribes: Sequence[str]) -> resolved.Join:
    """The two values that must be equal: in a map of topics ours stands under one that is subscribed to."""
    named = sides(join.by)
    ours = next((named[topic] for topic in subscribes if topic in named), None) if named else join.by
    return resolved.Join(join.topic, ours, named.get(join.topic) if named else join.by, join.within)


def _rule(rule: behaviour.Rule, sketch: model.Sketch, has_code: bool) -> resolved.Rule:
    """With own code, which says the body, a body of `events` is none of the rule."""
    said = rule.model_fields_set
    body, has_body = rule.body, "body" in said
    if not has_body and not has_code and sketch.events.get(rule.event) is not None:
        body, has_body = sketch.events[rule.event], True
    return resolved.Rule(
        to=rule.to, event=rule.event, body=body, has_body=has_body, key=rule.key, has_key="key" in said,
        headers=rule.headers, accepts=tuple(rule.accepts), when=rule.when, each=rule.each, after_s=rule.after,
        unless=rule.unless, share=rule.share)
