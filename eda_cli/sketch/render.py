"""A sketch in full form as YAML that loads back to the same. Shows `${…}` as written, never its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from eda_cli.payloads import is_states, read_states
from eda_cli.sketch.check import hearers, publishers
from eda_cli.sketch.data import NoNumber, core
from eda_cli.sketch.environment import escape
from eda_cli.sketch.load import Loaded
from eda_cli.sketch.places import NOWHERE, Path, Places
from eda_cli.sketch.resolved import Consumer, Entities, Faults, Fold, Generator, Resolved, Rule, Stage, Topic
from eda_cli.sketch.written import between, duration, past, rate, rates, share

_TAG = "tag:yaml.org,2002:"


def config(loaded: Loaded) -> str:
    """The full form: every default is shown, but for texts and lists that are empty."""
    writer = _Writer(loaded.resolved, loaded.places)
    return yaml.serialize(writer.node(writer.document(), ()), Dumper=_Dumper, allow_unicode=True, width=110)


def document(resolved: Resolved) -> dict[str, Any]:
    """The full form as plain data that the model reads, with the values in it."""
    return _Writer(resolved, NOWHERE).document()


class _Dumper(yaml.SafeDumper):
    """Indents the items of a list, as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _stage(stage: Stage) -> dict[str, Any]:
    return {"rate": rates(stage.rate), **({} if stage.for_s is None else {"for": duration(stage.for_s)})}


def _entities(entities: Entities) -> Any:
    return {"count": entities.count, "have": entities.have} if entities.have else entities.count


def _lived(body: Any) -> bool:
    """Whether the body is a life that says how many live it."""
    return is_states(body) and read_states(body).entities is not None


def _faults(faults: Faults) -> dict[str, Any]:
    shares = {name: share(part) for name in ("duplicate", "drop", "corrupt", "null_key") if (part := getattr(faults, name))}
    spread = {name: {"share": share(one.share), "by": between(one.by_s)} for name in ("late", "out_of_order")
              if (one := getattr(faults, name)) is not None}
    return shares | spread


class _Writer:
    def __init__(self, sketch: Resolved, places: Places) -> None:
        self.sketch = sketch
        self.places = places
        used = (*publishers(sketch), *hearers(sketch))
        self.told = {topic for topic, path in used if not places.spot(path).written}

    # ── what is written ──

    def document(self) -> dict[str, Any]:
        sketch = self.sketch
        settings = {key: value for key, value in sketch.broker.items() if key != "kind"}
        return {
            "name": sketch.name,
            "broker": {sketch.broker["kind"]: settings} if settings else sketch.broker["kind"],
            "seed": sketch.seed,
            "topics": {name: self.topic(one) for name, one in sketch.topics.items() if self.is_told(name)},
            "events": dict(sketch.events),
            "generators": {name: self.generator(part) for name, part in sketch.generators.items()},
            "consumers": {name: self.consumer(part) for name, part in sketch.consumers.items()},
        }

    def is_told(self, topic: str) -> bool:
        """Whether the file itself names the topic: one that only a variable names is made again by loading."""
        return topic in self.told or self.places.exact(("topics", topic)) is not None

    def topic(self, topic: Topic) -> dict[str, Any]:
        retention = duration(topic.retention_s) if topic.retention_s is not None else None
        return {"partitions": topic.partitions, "key": topic.key, "retention": retention,
                "compacted": topic.compacted, **_said(config=topic.config, about=topic.about)}

    def generator(self, part: Generator) -> dict[str, Any]:
        path: Path = ("generators", part.name)
        derived = self.places.spot((*path, "publishes")).written and not self.places.exact((*path, "event"))
        clock: dict[str, Any] = {"rate": rate(part.rate)} if part.rate is not None else {}
        if part.every is not None:
            clock = {"every": between(part.every)}
        if part.stages:
            clock = {"stages": [_stage(one) for one in part.stages], "repeat": part.repeat or "forever"}
        return {"publishes": part.publishes, **({} if derived else {"event": part.event}),
                **({} if self.of_event(part.event, part.body) else {"body": part.body}),
                **({} if part.key is None else {"key": part.key}), **_said(headers=part.headers), **clock,
                **({"arrivals": part.arrivals} if part.arrivals != "even" else {}), "count": part.count,
                "after": duration(part.after_s), **({"from": past(part.start)} if part.start else {}),
                **({"entities": _entities(part.entities)} if part.entities and not _lived(part.body) else {}),
                **({"faults": _faults(part.faults)} if part.faults else {}), **_common(part)}

    def consumer(self, part: Consumer) -> dict[str, Any]:
        takes = between(part.takes) if part.takes is not None else None
        own: dict[str, Any] = {"handler": part.handler} if part.handler else {"run": list(part.run)} if part.run else {}
        return {"subscribes": list(part.subscribes), **_said(accepts=list(part.accepts)), **_said(group=part.group),
                "from": part.start, **_said(takes=takes), **_common(part), **_manners(part),
                **_said(keeps=self.keeps(part), joins=self.joins(part)), **own,
                **({"timeout": duration(part.timeout_s)} if own else {}),
                **_said(publishes=[self.rule(rule) for rule in part.rules])}

    def keeps(self, part: Consumer) -> Any:
        """As a list of topics where a name was a variable, or would be read as a note."""
        path: Path = ("consumers", part.name, "keeps")
        listed = self.places.spot(path).inside
        hidden = 0 in listed and any(one.written for one in listed.values())
        if hidden or any(copy.name.startswith("x-") for copy in part.keeps):
            return [copy.name for copy in part.keeps]
        return {copy.name: folds[0] if len(folds) == 1 else folds
                for copy in part.keeps for folds in [[_fold(fold) for fold in copy.folds]]}

    def joins(self, part: Consumer) -> dict[str, Any]:
        join = part.joins
        if join is None:
            return {}
        by = join.by
        if join.by != join.with_by:
            path: Path = ("consumers", part.name, "joins", "by")
            named = [topic for topic in part.subscribes if self.places.exact((*path, topic))]
            by = {(named or part.subscribes)[0]: join.by, join.topic: join.with_by}
        return {"with": join.topic, "by": by, "within": duration(join.within_s)}

    def rule(self, rule: Rule) -> dict[str, Any]:
        body = rule.has_body and not self.of_event(rule.event, rule.body)
        return {"to": rule.to, **_said(event=rule.event), **({"key": rule.key} if rule.has_key else {}),
                **_said(headers=rule.headers), **({"body": rule.body} if body else {}),
                **_said(accepts=list(rule.accepts), when=rule.when, unless=rule.unless),
                **({} if rule.each is None else {"each": rule.each}),
                **({} if rule.after_s is None else {"after": between(rule.after_s)}),
                **({} if rule.share is None else {"share": share(rule.share)})}

    def of_event(self, event: str, body: Any) -> bool:
        """Whether the body is the one that `events` says."""
        declared = self.sketch.events.get(event)
        return declared is not None and bool(declared == body)

    # ── how it is written ──

    def node(self, value: Any, path: Path) -> yaml.Node:
        spot = self.places.spot(path)
        if spot.written is not None:
            return yaml.ScalarNode(f"{_TAG}str", spot.written, style=None if spot.plain else '"')
        if isinstance(value, Mapping):
            pairs = [(_text(key, key=True), self.node(inside, (*path, key))) for key, inside in value.items()]
            return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=not pairs)
        if isinstance(value, (list, tuple)):
            items = [self.node(inside, (*path, index)) for index, inside in enumerate(value)]
            return yaml.SequenceNode(f"{_TAG}seq", items, flow_style=not items)
        return _scalar(value)


def _common(part: Generator | Consumer) -> dict[str, Any]:
    return {"replicas": part.replicas, "service": part.service, **_said(about=part.about),
            "external": part.external}


def _manners(part: Consumer) -> dict[str, Any]:
    """How it fails, tries again, remembers and gathers."""
    fails, forget, window = part.fails, part.idempotent, part.window
    manners: dict[str, Any] = {}
    if fails:
        manners["fails"] = {"share": share(fails.share), **_said(when=fails.when)}
    manners["retries"] = {"max": part.retries.max, "backoff": between(part.retries.backoff_s)}
    if part.dead_letter:
        manners["dead_letter"] = part.dead_letter
    manners["idempotent"] = {"last": forget.last, "for": duration(forget.for_s)} if forget else False
    if window:
        length = {"every": window.every_s} if window.every_s is not None else {"gap": window.gap_s or 0.0}
        manners["window"] = {**{key: duration(seconds) for key, seconds in length.items()},
                             "by": window.by, "time": window.time, "late": duration(window.late_s)}
    return manners


def _fold(fold: Fold) -> dict[str, Any]:
    return {"from": list(fold.topics), "key": fold.key, **({} if fold.set is None else {"set": fold.set}),
            **_said(accepts=list(fold.accepts), when=fold.when)}


def _said(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value}


def _scalar(value: Any) -> yaml.ScalarNode:
    if value is None:
        return yaml.ScalarNode(f"{_TAG}null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode(f"{_TAG}bool", "true" if value else "false")
    if isinstance(value, int):
        return yaml.ScalarNode(f"{_TAG}int", str(value))
    if isinstance(value, float):
        text = repr(value)  # YAML 1.1, by whose rules the emitter judges, wants a point in each float
        return yaml.ScalarNode(f"{_TAG}float", text if "." in text else text.replace("e", ".0e"))
    return _text(escape(value))


def _text(text: str, key: bool = False) -> yaml.ScalarNode:
    """Quoted wherever the core rules, or those of YAML 1.1, would take it for something else than text."""
    style = '"' if "\n" in text or not text.isprintable() else None
    try:
        is_text = isinstance(core(text), str)
    except NoNumber:
        is_text = False
    if style is None and (not is_text or (key and text == "<<")):
        style = "'"
    return yaml.ScalarNode(f"{_TAG}str", text, style=style)
