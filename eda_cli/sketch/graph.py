"""A sketch as a picture: Mermaid's flowchart language. Knows nothing of what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eda_cli.sketch.looking import topics_looked_at
from eda_cli.sketch.resolved import Consumer, Generator, Resolved

_ABOUT = 80  # characters of a text that a box can hold


def mermaid(resolved: Resolved) -> str:
    """A flowchart from left to right: generators, topics, consumers with their groups, services as frames.

    Ids are numbered and labels are escaped, so that any name and any text renders.
    """
    parts: list[Generator | Consumer] = [*resolved.generators.values(), *resolved.consumers.values()]
    ids = {part.name: f"p{number}" for number, part in enumerate(parts, 1)}
    topics = {name: f"t{number}" for number, name in enumerate(resolved.topics, 1)}
    lines = ["flowchart LR"]
    lines += [f"  {topics[name]}[({_label(name, topic.about)})]" for name, topic in resolved.topics.items()]
    services: dict[str, list[Generator | Consumer]] = {}
    for part in parts:
        services.setdefault(part.service or part.name, []).append(part)
    for number, (service, members) in enumerate(services.items(), 1):
        framed = len(members) > 1 or service != members[0].name
        if framed:
            lines.append(f"  subgraph s{number}[{_label(service)}]")
        lines += [f"  {'  ' if framed else ''}{_box(part, ids[part.name])}" for part in members]
        if framed:
            lines.append("  end")
    lines += dict.fromkeys(_arrows(resolved, ids, topics))  # rules that say the same are one arrow
    external = [ids[part.name] for part in parts if part.external]
    if external:
        lines += ["  classDef external stroke-dasharray: 5 5", f"  class {','.join(external)} external"]
    return "\n".join(lines) + "\n"


def _box(part: Generator | Consumer, id: str) -> str:
    replicas = f" ×{part.replicas}" if part.replicas > 1 else ""
    label = _label(part.name + replicas, part.about, "run by somebody else" if part.external else "")
    return f"{id}([{label}])" if isinstance(part, Generator) else f"{id}[{label}]"


def _arrows(resolved: Resolved, ids: dict[str, str], topics: dict[str, str]) -> Iterator[str]:
    for generator in resolved.generators.values():
        yield f"  {ids[generator.name]} -->|{_label(*generator.events)}| {topics[generator.publishes]}"
        for topic in topics_looked_at(resolved, generator.name):
            yield f"  {topics[topic]} -.->|{_label('looks up')}| {ids[generator.name]}"
    for consumer in resolved.consumers.values():
        group = f"|{_label(f'group {consumer.group}')}|" if consumer.group not in ("", consumer.name) else ""
        for topic in consumer.subscribes:
            yield f"  {topics[topic]} -.->{group} {ids[consumer.name]}"
        for topic, why in _besides(consumer).items():
            yield f"  {topics[topic]} -.->|{_label(*why)}| {ids[consumer.name]}"
        for rule in consumer.rules:
            event = f"|{_label(rule.event)}|" if rule.event else ""
            yield f"  {ids[consumer.name]} -->{event} {topics[rule.to]}"
        if consumer.dead_letter:
            yield f"  {ids[consumer.name]} -->|{_label('dead letter')}| {topics[consumer.dead_letter]}"


def _besides(consumer: Consumer) -> Mapping[str, Sequence[str]]:
    """The topics that it hears without subscribing to them, and what for: one arrow each, as labels of two would overlap."""
    kept = [topic for copy in consumer.keeps for fold in copy.folds for topic in fold.topics if topic not in consumer.subscribes]
    joined = [consumer.joins.topic] if consumer.joins else []
    awaited = [topic for rule in consumer.rules for topic in rule.unless]
    why: dict[str, list[str]] = {}
    for reason, heard in (("keeps", kept), ("joins", joined), ("unless", awaited)):
        for topic in dict.fromkeys(heard):
            why.setdefault(topic, []).append(reason)
    return why


def _label(*lines: str) -> str:
    """A quoted label of some lines. What Mermaid, Markdown or HTML might obey is written as a code."""
    return '"' + "<br/>".join(map(_escape, filter(None, lines))) + '"'


def _escape(text: str) -> str:
    text = text if len(text) <= _ABOUT else text[: _ABOUT - 1] + "…"
    return "".join(char if char.isalnum() or char in " ,-×…" else "#32;" if not char.isprintable()
                   else f"#{ord(char)};" for char in text)
