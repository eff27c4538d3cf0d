"""What a run looks like is what its journals told last."""

from __future__ import annotations

from eda_cli.journal import Observation
from eda_cli.view.picture import Picture

CRASHED = Observation("crashed", "", "ship", {"replica": 1, "reason": "killed by SIGKILL"})
COUNTED = Observation("counted", "", "ship", {"replica": 1, "counts": {}})
STOPPED = Observation("stopped", "", "ship", {"replica": 1, "reason": "there is nothing to look up"})
UP_AGAIN = Observation("started", "", "run", {})


def test_why_a_part_ended_is_over_once_it_or_its_run_starts_again() -> None:
    def ship(*told: Observation) -> tuple[str, str]:
        part = Picture().see_all(told).parts["ship", 1]
        return part.state, part.reason

    assert ship(CRASHED) == ship(COUNTED, CRASHED) == ("crashed", "killed by SIGKILL")
    assert ship(STOPPED) == ("stopped", "there is nothing to look up")
    assert ship(CRASHED, UP_AGAIN) == ship(STOPPED, UP_AGAIN) == ("starting", "")
    assert ship(CRASHED, COUNTED) == ("running", "")  # its own start may stand too far back to be read


def test_faults_are_those_of_all_replicas_and_of_no_part_without() -> None:
    def counted(part: str, replica: int, **faults: int) -> Observation:
        return Observation("counted", "", part, {"replica": replica, "counts": {"faulted": faults} if faults else {}})

    picture = Picture().see_all([counted("shop", 1, late=2), counted("shop", 2, late=1, drop=1), counted("bill", 1)])
    assert picture.faults() == {"shop": {"late": 3, "drop": 1}}
