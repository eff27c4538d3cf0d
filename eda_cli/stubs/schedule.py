"""How many events a schedule wishes up to a moment, and the moment of each: rates, ramps, pauses. Knows no clock."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from eda_cli.sketch.resolved import Stage

SLACK = 1e-11  # of a round: sums of decimal rates are not exact, and no event comes or goes for that


class Curve:
    """The integral of the rates of stages that are gone through `repeat` times (None: without end).

    Moments are seconds since the schedule began. A stage of rate `inf` is flat out: what is made there is not counted.
    """

    def __init__(self, stages: Sequence[Stage], repeat: int | None = 1) -> None:
        self._rates = [(0.0, 0.0) if stage.rate[0] == math.inf else stage.rate for stage in stages]
        self._flat = [stage.rate[0] == math.inf for stage in stages]
        self._spans = [math.inf if stage.for_s is None else stage.for_s for stage in stages]
        self._begins = [0.0, *accumulate(self._spans)]
        many = [(low + high) / 2 * span if low or high else 0.0
                for (low, high), span in zip(self._rates, self._spans, strict=True)]
        self._sums = [0.0, *accumulate(many)]
        self._round_s, self._round = self._begins[-1], self._sums[-1]
        self._tiny = SLACK * (self._round if math.isfinite(self._round) else max(1.0, self._sums[-2]))
        self._last = max((index for index, one in enumerate(many) if one), default=0)
        self._rounds = math.inf if repeat is None else repeat
        self.end = self._round_s * self._rounds

    def moment(self, reached: float) -> float | None:
        """From when on more than `reached` events are wished: that of the event with this number. None: never."""
        if not self._round:
            return None
        rounds = int(reached / self._round + SLACK)
        if rounds >= self._rounds:
            return None
        rest = max(0.0, reached - rounds * self._round if rounds else reached)
        stage = min(bisect_right(self._sums, rest + self._tiny) - 1, self._last)
        begin = (rounds * self._round_s if rounds else 0.0) + self._begins[stage]
        low, high = self._rates[stage]
        rest = max(0.0, rest - self._sums[stage])
        if low == high:
            return begin + rest / low
        span = self._spans[stage]  # rest = low * x + (high - low) / span * x * x / 2, in the form that cancels nothing
        root = math.sqrt(max(0.0, low * low + 2 * (high - low) / span * rest))
        return begin + (min(2 * rest / (low + root), span) if rest else 0.0)

    def reached(self, moment: float) -> float:
        """How many events are wished up to a moment; those of number 0 to less than that."""
        rounds, stage, passed = self._at(min(moment, self.end))
        whole = rounds * self._round if rounds else 0.0
        low, high = self._rates[stage]
        slope = (high - low) / self._spans[stage]
        return whole + self._sums[stage] + passed * (low + slope * passed / 2)

    def flat_out(self, moment: float) -> bool:
        """Whether a moment lies in a stage of rate `max`."""
        return 0 <= moment < self.end and self._flat[self._at(moment)[1]]

    @property
    def first_flat_out(self) -> float | None:
        """When the first stage of rate `max` begins; None where there is none."""
        return next((begin for begin, flat in zip(self._begins, self._flat, strict=False) if flat), None)

    def stage_end(self, moment: float) -> float:
        """When the stage of a moment is over."""
        if not 0 <= moment < self.end:
            return 0.0 if moment < 0 else math.inf
        rounds, stage, _ = self._at(moment)
        return (rounds * self._round_s if rounds else 0.0) + self._begins[stage + 1]

    def _at(self, moment: float) -> tuple[int, int, float]:
        """The rounds that are through, the stage of this one, and the seconds that it has lasted."""
        rounds = int(moment // self._round_s)
        rest = moment - (rounds * self._round_s if rounds else 0.0)
        stage = bisect_right(self._begins, rest) - 1
        return rounds, stage, rest - self._begins[stage]
