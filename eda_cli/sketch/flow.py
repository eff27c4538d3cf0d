"""Which events can come where: from the generators through the rules of consumers. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eda_cli.sketch.resolved import Consumer, Resolved, Rule

ANY = ""  # an event type that only the event itself will tell
_MOST_STEPS = 100_000

State = tuple[str, str]  # a topic, and the type of an event in it


@dataclass(slots=True)
class Flow:
    """What can happen; nothing is known where the sketch is too large to follow (`known` is False)."""

    states: set[State] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)  # consumers that an event can come to
    fired: set[tuple[str, int]] = field(default_factory=set)  # their rules that can follow, by number
    steps: dict[State, list[tuple[State, str, int]]] = field(default_factory=dict)  # where to, by whose rule
    known: bool = True


def flow(sketch: Resolved, seeds: Iterable[State]) -> Flow:
    """Everything that follows when events of the `seeds` are published."""
    listeners: dict[str, list[Consumer]] = {}
    for consumer in sketch.consumers.values():
        for topic in consumer.subscribes:
            listeners.setdefault(topic, []).append(consumer)
    seen = Flow()
    waiting, steps = list(seeds), 0
    while waiting:
        state = waiting.pop()
        if state in seen.states:
            continue
        seen.states.add(state)
        topic, event = state
        for consumer in listeners.get(topic, ()):
            for heard in _common(event, consumer.accepts):
                seen.reached.add(consumer.name)
                if consumer.dead_letter:
                    waiting.append((consumer.dead_letter, heard))
                for index, rule in enumerate(consumer.rules):
                    for told in _common(heard, rule.accepts):
                        follows = (rule.to, ANY if consumer.code else _type(rule, told))
                        seen.fired.add((consumer.name, index))
                        seen.steps.setdefault(state, []).append((follows, consumer.name, index))
                        waiting.append(follows)
                steps += len(consumer.rules) + 1
                if steps > _MOST_STEPS:
                    return Flow(known=False)
    return seen


def published(sketch: Resolved) -> Iterator[State]:
    """What the generators publish."""
    for generator in sketch.generators.values():
        yield from ((generator.publishes, event) for event in generator.events)


def always(consumer: Consumer, index: int) -> bool:
    """Whether the rule follows each event that it accepts, be it later: a list for `each` may be empty, a pair or the
    end of a window may not come, and what own code does nobody knows."""
    rule = consumer.rules[index]
    conditions = (rule.when, rule.unless, rule.each is not None, (rule.share or 1.0) < 1.0 or rule.share == 0.0)
    return not any((*conditions, consumer.window, consumer.joins, consumer.code))


def endless(sketch: Resolved, seen: Flow) -> list[list[State]]:
    """The circles in which one event leads to the next without any condition: the states of each."""
    steps = {state: [to for to, name, index in follows if always(sketch.consumers[name], index)]
             for state, follows in seen.steps.items()}
    return [circle for circle in _components(steps)
            if len(circle) > 1 or circle[0] in steps.get(circle[0], ())]


def _common(event: str, accepts: tuple[str, ...]) -> tuple[str, ...]:
    """The types that come through: the event's own, or where it is not known, those that are accepted."""
    if event == ANY:
        return accepts or (ANY,)
    return (event,) if not accepts or event in accepts else ()


def _type(rule: Rule, heard: str) -> str:
    return ANY if rule.event.startswith("$") else rule.event or heard


def _components(steps: dict[State, list[State]]) -> Iterator[list[State]]:
    """Tarjan's strongly connected components, without recursion."""
    number: dict[State, int] = {}
    low: dict[State, int] = {}
    path: list[State] = []
    on_path: set[State] = set()
    for root in steps:
        if root in number:
            continue
        work = [(root, iter(steps[root]))]
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        while work:
            state, follows = work[-1]
            follow = next(follows, None)
            if follow is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[state])
                if low[state] == number[state]:
                    cut = path.index(state)
                    yield path[cut:]
                    on_path.difference_update(path[cut:])
                    del path[cut:]
            elif follow not in number:
                number[follow] = low[follow] = len(number)
                path.append(follow)
                on_path.add(follow)
                work.append((follow, iter(steps.get(follow, ()))))
            elif follow in on_path:
                low[state] = min(low[state], number[follow])
