"""How long a value takes, against a function that a person would write for it: `python -m tests.payloads.measure_speed`.

Prints microseconds for each event (the best of several rounds, seeding included) and the ratio of the first two; and those
of each function beside one draw, which every event pays once.
"""

from __future__ import annotations

import random
import timeit
import uuid
from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from eda_cli.payloads import FUNCTIONS, Context, Dice, Seen, Value, compile_value, event_id

PURCHASE = {
    "id": "uuid()", "user": "zipf(200, user-)",
    "items": {"$list": {"sku": "pick(A, B, C)", "price": "5.00..250.00"}, "size": "1..4"}, "express": "chance(10%)",
}
INVOICE = {"purchase": "$.id", "user": "$.user", "total": "{{ body.items | sum(attribute='price') | round(2) }}"}
ROUNDS, TIMES = 60, 2_000

_weights = list(accumulate(1 / rank for rank in range(1, 201)))


def by_hand() -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "user": f"user-{bisect(_weights, random.random() * _weights[-1]) + 1}",
        "items": [{"sku": random.choice(["A", "B", "C"]), "price": round(random.uniform(5, 250), 2)}
                  for _ in range(random.randint(1, 4))],
        "express": random.random() < 0.1,
    }


def microseconds(*each: Callable[[], object]) -> list[float]:
    """The best round of each; they take turns, so that a busy moment of the machine hits all of them."""
    rounds = [[timeit.timeit(one, number=TIMES) for one in each] for _ in range(ROUNDS)]
    return [min(times) / TIMES * 1e6 for times in zip(*rounds, strict=True)]


def functions() -> None:
    """Each function as its signature has it, beside a draw; pools are full by then."""
    dice = Dice(42, "webshop")
    context = Context(random=dice, now=0.0)

    def made(raw: object) -> Callable[[], object]:
        value: Value = compile_value([raw, "chance(10%)"], "generator")

        def make() -> object:
            context.number = context.step = context.number + 1
            dice.roll(context.number)
            return value(context)

        return make

    signatures = ["x", *(function.signature for function in FUNCTIONS.values())]
    for signature, time in zip(signatures, times := microseconds(*map(made, signatures)), strict=True):
        print(f"{signature:27} {time - times[0]:6.2f}")


def main() -> None:
    dice = Dice(42, "webshop")
    context = Context(random=dice, now=0.0)
    purchase, invoice = compile_value(PURCHASE, "generator"), compile_value(INVOICE, "rule")
    condition = compile_value("{{ body.express }}", "rule")

    def value() -> object:
        context.number += 1
        dice.roll(context.number)
        return purchase(context)

    def value_and_id() -> object:
        context.number += 1
        dice.roll(context.number)
        return event_id(dice), purchase(context)

    heard = Context(random=dice, now=0.0, seen=Seen(body=purchase(context)))
    ours, theirs, with_id, rule, small = microseconds(
        value, by_hand, value_and_id, lambda: invoice(heard), lambda: condition(heard))
    print(f"by hand, module random      {theirs:6.2f}")
    print(f"value, seeded               {ours:6.2f}   ratio {ours / theirs:.2f}")
    print(f"value and event id, seeded  {with_id:6.2f}")
    print(f"one `$` rule with a sum     {rule:6.2f}")
    print(f"smallest template           {small:6.2f}")
    functions()


if __name__ == "__main__":
    main()
