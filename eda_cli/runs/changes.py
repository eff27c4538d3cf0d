"""What differs between the sketch that runs and the one that is wished: pure, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eda_cli.runs.folder import RunInfo
from eda_cli.sketch.knobs import fields_of
from eda_cli.sketch.resolved import Resolved
from eda_cli.technologies import LETS_IN, foreign


def changes(old: Resolved, new: Resolved) -> list[str]:
    """One line for each topic, generator and consumer that was added, removed or changed.

    Knobs that were turned on the run are changes, too: what is wished turns them back.
    """
    before, after = old.to_json(), new.to_json()
    lines: list[str] = []
    for room, word in (("topics", "topic "), ("generators", ""), ("consumers", "")):
        lines += _differences(word, before[room], after[room])
    if before["events"] != after["events"]:
        touched = [name for name in {**before["events"], **after["events"]}
                   if before["events"].get(name) != after["events"].get(name)]
        lines.append(f"changed event types: {', '.join(touched)}")
    return lines


def refusals(old: Resolved, new: Resolved, info: RunInfo) -> list[str]:
    """What cannot be changed on events that are there already."""
    lines: list[str] = []
    if not _same_broker(new.broker, info.broker):
        lines.append(f"broker: {_told(info.broker, new.broker)} runs, {_told(new.broker, info.broker)} is wished")
    if new.seed is not None and new.seed != info.seed:
        lines.append(f"seed: {info.seed} runs, {new.seed} is wished")
    for name, topic in new.topics.items():
        have = old.topics.get(name)
        if have is not None and have.compacted != topic.compacted:
            lines.append(f"topic {name}: compacted was {_word(have.compacted)}, {_word(topic.compacted)} is wished")
        if have is not None and topic.partitions < have.partitions:
            lines.append(f"topic {name}: {have.partitions} partitions cannot become {topic.partitions}")
    for name, part in new.generators.items():
        began = old.generators.get(name)
        if began is not None and part.start is not None and began.start != part.start:
            lines.append(f"generator {name}: its first event has happened, and 'from' cannot move it")
    return lines


def _same_broker(wished: Mapping[str, Any], runs: Mapping[str, Any]) -> bool:
    if foreign(wished) != foreign(runs):
        return False
    return wished["kind"] == "auto" or all(runs.get(name) == value for name, value in wished.items() if name not in LETS_IN)


def same_door(wished: Mapping[str, Any], runs: Mapping[str, Any]) -> bool:
    """Whether one gets into a broker in the same way: with another password or certificate its events are the same."""
    return all(wished.get(name) == runs.get(name) for name in LETS_IN)


def _told(broker: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The broker in words: where it is, and the settings that the other one says differently."""
    if where := foreign(broker):
        return f"{broker['kind']} at {where}"
    differing = [f"{name} {broker[name]}" for name in ("image", "port")
                 if broker.get(name) is not None and broker[name] != other.get(name)]
    return f"{broker['kind']} ({', '.join(differing)})" if differing else str(broker["kind"])


def _differences(word: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    lines = [f"removed {word}{name}" for name in old if name not in new]
    for name, have in new.items():
        if name not in old:
            lines.append(f"added {word}{name}")
        elif fields := _changed(old[name], have):
            lines.append(f"changed {word}{name}: {', '.join(fields)}")
    return lines


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys that differ; of a knob and a pause it is said that the file's value is back."""
    back = [key for key in old.get("touched", ()) if key not in new["touched"]]
    of_knobs = {"touched", "paused", *(field for key in back for field in fields_of(key))}
    keys = [_key(field) for field in new if field not in of_knobs and new[field] != old.get(field)]
    keys += [f"{key} (what the file says is back)" for key in back]
    if old.get("paused") and not new["paused"]:
        keys.append("paused (it goes on)")
    return keys


def _key(field: str) -> str:
    """The sketch's word for a field."""
    return {"start": "from", "rules": "publishes", "after_s": "after", "retention_s": "retention",
            "timeout_s": "timeout"}.get(field, field)


def _word(yes: bool) -> str:
    return "true" if yes else "false"
