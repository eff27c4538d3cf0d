"""Numbers that follow a distribution, `normal(50, 10, 0..100)`, `poisson(4)`. Knows no other function.

Logarithms and exponentials differ in their last bit from machine to machine: whatever is drawn here is rounded, before it
is compared with bounds. So the same seed gives the same numbers everywhere.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import erfc, exp, expm1, floor, inf, lgamma, log, nextafter, sqrt
from typing import NamedTuple

from eda_cli.payloads.arguments import Argument, WrongArguments
from eda_cli.payloads.code import Code
from eda_cli.payloads.dice import standard_normal
from eda_cli.payloads.problems import Refused, shown
from eda_cli.payloads.ranges import number_range

MOST_RANKS = 1_000_000  # of one zipf(…)
_LARGEST = 1e15  # of a number that is written; a JSON number keeps 15 digits
_LARGEST_LOG = 30.0  # of a lognormal's mean: ten million millions
_LARGEST_SPREAD = 5.0  # of a lognormal: a hundred million times the median is one of thousands
_LARGEST_MEAN = 1e12  # of a poisson
_TABLED_MEAN = 1_000.0  # up to here a poisson is drawn from a table of all that it can be
_DRAWS = 100  # so often a number is drawn anew that is out of its bounds; then it is the nearer bound
_RAREST = 0.05  # with this share inside the bounds, 100 draws all fail in one of 170 events

_harmonic: list[float] = []  # sums of 1/1 … 1/n: the same table serves every zipf(…)

Draw = Callable[[], float]


class Bounds(NamedTuple):
    """What `lo..hi` allows, both included, to as many decimals as it has; without it, everything."""

    low: float = -inf
    high: float = inf
    text: str = ""

    @property
    def decimals(self) -> int | None:
        """As a range keeps those of its bounds: `1.00..900.00` is money. None where it says none."""
        return max(len(bound.partition(".")[2]) for bound in self.text.split("..")) or None


def zipf(arguments: Sequence[Argument], code: Code) -> str:
    """`zipf(200, user-)`: ranks from 1, of which the n-th comes 1/n as often as the first."""
    ranks = arguments[0].value if arguments else None
    if not 1 <= len(arguments) <= 2 or type(ranks) is not int or not 1 <= ranks <= MOST_RANKS:
        raise WrongArguments(f"it takes how many there are, 1 to {MOST_RANKS:,}, and what to write before each")
    for rank in range(len(_harmonic) + 1, ranks + 1):
        _harmonic.append((_harmonic[-1] if _harmonic else 0.0) + 1.0 / rank)
    code.use("draw")
    total = code.constant(_harmonic[ranks - 1])
    drawn = (f"{code.constant(bisect_right)}({code.constant(_harmonic)}, (draw() - 1.0) * {total}, 0, "
             f"{code.constant(ranks - 1)}) + 1")
    return f'f"{{{code.constant(arguments[1].text)}}}{{{drawn}}}"' if len(arguments) == 2 else drawn


def normal(arguments: Sequence[Argument], code: Code) -> str:
    """`normal(50, 10, 0..100)`: mean and standard deviation; two decimals more than written."""
    (mean, deviation), bounds = _read(arguments, "two numbers, the mean and the standard deviation", 2)
    if deviation < 0 or max(abs(mean), deviation) > _LARGEST:
        raise WrongArguments("the standard deviation is not negative, and no number is over 1e15")
    decimals = min(12, 2 + max(argument.decimals for argument in arguments))

    def drawn(draw: Draw) -> float:
        return round(mean + deviation * standard_normal(draw(), draw()), decimals) + 0.0  # no negative zero

    def below(bound: float) -> float:
        return _below(bound, mean, deviation)

    return _bounded("normal", drawn, below, bounds, code)


def lognormal(arguments: Sequence[Argument], code: Code) -> str:
    """`lognormal(3, 0.5)`: mean and standard deviation of its logarithm."""
    (mean, deviation), bounds = _read(
        arguments, "two numbers, the mean and the standard deviation of the logarithm", 2)
    if not 0 <= deviation <= _LARGEST_SPREAD or abs(mean) > _LARGEST_LOG:
        raise WrongArguments(f"the mean of the logarithm is from -{_LARGEST_LOG:g} to {_LARGEST_LOG:g} (3 is a median of 20), "
                             f"its standard deviation from 0 to {_LARGEST_SPREAD:g}")

    def drawn(draw: Draw) -> float:
        return _four_digits(exp(mean + deviation * standard_normal(draw(), draw())))

    def below(bound: float) -> float:
        return _below(log(bound), mean, deviation) if bound > 0 else 0.0

    return _bounded("lognormal", drawn, below, bounds, code)


def exponential(arguments: Sequence[Argument], code: Code) -> str:
    """`exponential(30)`: its mean."""
    (mean,), bounds = _read(arguments, "one number, the mean", 1)
    if not 1e-9 <= mean <= _LARGEST:
        raise WrongArguments("the mean is above 0, and not over 1e15")

    def drawn(draw: Draw) -> float:
        return _four_digits(-mean * log(2.0 - draw()))

    def below(bound: float) -> float:
        return -expm1(-max(bound, 0.0) / mean)

    return _bounded("exponential", drawn, below, bounds, code)


def poisson(arguments: Sequence[Argument], code: Code) -> str:
    """`poisson(4)`: how often something happens that happens so often on average; a whole number."""
    (mean,), bounds = _read(arguments, "one number, the mean", 1)
    if not 1e-9 <= mean <= _LARGEST_MEAN:
        raise WrongArguments(f"the mean is above 0, and not over {_LARGEST_MEAN:g}")
    if bounds.text and not (bounds.low.is_integer() and bounds.high.is_integer()):
        raise WrongArguments(f"it gives whole numbers, and '{shown(bounds.text)}' is no range of such")
    drawn, below = _poisson_by_table(mean) if mean <= _TABLED_MEAN else _poisson_by_normal(mean)
    return _bounded("poisson", drawn, below, bounds, code)


def _poisson_by_table(mean: float) -> tuple[Callable[[Draw], int], Callable[[float], float]]:
    """How to draw one, exactly, and which share is below a number."""
    first = max(0, floor(mean - 10 * sqrt(mean) - 10))
    count = floor(mean + 12 * sqrt(mean) + 30) - first  # what lies outside comes less than once in 10**20
    weights = [exp(number * log(mean) - mean - lgamma(number + 1)) for number in range(first, first + count)]
    sums = array("d", accumulate(weights))
    total, last = sums[-1], count - 1

    def drawn(draw: Draw) -> int:
        return first + bisect_right(sums, (draw() - 1.0) * total, 0, last)

    def below(bound: float) -> float:
        upto = min(max(bound - first + 1, 0), count)
        return sums[int(upto) - 1] / total if upto >= 1 else 0.0

    return drawn, below


def _poisson_by_normal(mean: float) -> tuple[Callable[[Draw], int], Callable[[float], float]]:
    """The same for a large mean: normal, with its skewness (Cornish and Fisher), which is exact to about 1 / mean."""
    deviation = sqrt(mean)

    def drawn(draw: Draw) -> int:
        number = standard_normal(draw(), draw())
        return max(0, floor(mean + deviation * number + (number * number - 1.0) / 6.0 + 0.5))

    return drawn, lambda bound: _below(floor(bound) + 0.5, mean, deviation)


def _read(arguments: Sequence[Argument], wanted: str, count: int) -> tuple[list[float], Bounds]:
    """The numbers, and the bounds if there is one argument more. Raises WrongArguments, and Refused."""
    bounds = Bounds()
    if len(arguments) == count + 1 and (ends := number_range(arguments[count].text)):
        bounds = Bounds(*ends, arguments[count].text)
    numbers = [float(one.number) for one in arguments[:count] if one.number is not None]
    if len(numbers) != count or len(arguments) != count + bool(bounds.text):
        raise WrongArguments(f"it takes {wanted}, and if you like the bounds, such as 0..100")
    return numbers, bounds


def _bounded(name: str, drawn: Callable[[Draw], float], below: Callable[[float], float], bounds: Bounds, code: Code) -> str:
    """The source that draws within the bounds; `below` is the share up to a number. Raises Refused when too few are within."""
    code.use("draw")
    if not bounds.text:
        return f"{code.constant(drawn)}(draw)"
    if below(bounds.high) - below(nextafter(bounds.low, -inf)) < _RAREST:
        raise Refused(f"{name}(…) hardly ever comes within {shown(bounds.text)}",
                      f"fewer than {_RAREST:.0%} of its numbers do", "take wider bounds, or write a range alone: "
                      f"{shown(bounds.text)}")
    low, high, _ = bounds
    decimals = bounds.decimals

    def within(draw: Draw) -> float:
        for _ in range(_DRAWS):
            number = drawn(draw)
            if decimals is not None:
                number = round(number, decimals)
            if low <= number <= high:
                return number
        return type(number)(min(max(number, low), high))

    return f"{code.constant(within)}(draw)"


def _below(bound: float, mean: float, deviation: float) -> float:
    """The share of a normal distribution up to a number."""
    if not deviation:
        return float(bound >= mean)
    return erfc((mean - bound) / (deviation * sqrt(2.0))) / 2.0


def _four_digits(number: float) -> float:
    """A positive number to two decimals, a small one to four digits, a large one to twelve: it is never 0."""
    if 10.0 <= number < 1e9:
        return round(number, 2)
    return float(f"{number:.4g}" if number < 10.0 else f"{number:.12g}")
