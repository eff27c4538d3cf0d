"""The sketches of many people, visits and drivers: what each promises on top of it holds of what is in its log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

import pytest

from tests.scenarios.harness import Eda, told
from tests.scenarios.played import RUN_S, Events, by, epoch, late, played, rows

pytestmark = pytest.mark.timeout(300 + RUN_S)


@pytest.fixture
def eda(everywhere: Eda) -> Eda:
    return everywhere


def test_each_fraud_is_told_of_once_and_nothing_else_is(eda: Eda) -> None:
    def told_of() -> bool:
        windows = bursts(eda.events("devices", "payments"), late(told(eda, "payments"), "testing-watch"))
        return len(windows) == sum(one["type"] == "cardsTested" for one in eda.events("alarms", "payments"))

    played(eda, "payments", told_of)
    payments, devices, alarms = (eda.events(topic, "payments") for topic in ("payments", "devices", "alarms"))
    assert Counter(event["causationid"] for event in devices) == Counter(event["id"] for event in payments)
    causes = {kind: Counter(event["causationid"] for event in alarms if event["type"] == kind)
              for kind in ("travelledTooFast", "limitAvoided")}
    cards = by(payments, "card")
    assert causes["travelledTooFast"] == Counter(
        event["id"] for of_card in cards.values() for before, event in pairwise(of_card)
        if before["data"]["country"] != event["data"]["country"])
    near = ([event["id"] for event in of_card if 950 <= event["data"]["amount"] < 1000] for of_card in cards.values())
    assert causes["limitAvoided"] == Counter(id for ids in near for id in ids[2::3])
    found = {(event["data"]["device"], epoch(event["data"]["from"])): (event["data"]["payments"], event["data"]["total"])
             for event in alarms if event["type"] == "cardsTested"}
    assert found == {window: (len(amounts), pytest.approx(sum(amounts), abs=0.006))
                     for window, amounts in bursts(devices, late(told(eda, "payments"), "testing-watch")).items()}
    kinds = Counter(event["type"] for event in alarms)
    assert len(kinds) == 3
    assert {kind: row["found"] for kind, row in rows(eda, "payments", "case-desk", "cases").items()} == kinds


def bursts(devices: Events, skipped: set[str]) -> dict[tuple[str, float], list[float]]:
    """The amounts of each device and five seconds in which it paid five times or more."""
    windows: dict[tuple[str, float], list[float]] = defaultdict(list)
    for event in devices:
        if event["id"] not in skipped:
            windows[event["data"]["device"], epoch(event["data"]["at"]) // 5 * 5].append(event["data"]["amount"])
    return {window: amounts for window, amounts in windows.items() if len(amounts) >= 5}


def test_each_visit_takes_steps_that_are_allowed_and_each_cart_is_bought_or_reminded_of(eda: Eda) -> None:
    def told_of() -> bool:
        activity = eda.events("activity", "funnel")
        counted = sum(event["data"]["times"] for event in eda.events("counts", "funnel"))
        ended = {event["data"]["visit"] for topic in ("sales", "mails") for event in eda.events(topic, "funnel")}
        return (counted == len(activity) - len(late(told(eda, "funnel"), "counting"))
                and {event["data"]["visit"] for event in activity if event["type"] == "cartFilled"} <= ended)

    played(eda, "funnel", told_of)
    activity = eda.events("activity", "funnel")
    visits = by(activity, "visit")
    assert len(visits) >= RUN_S
    for steps in visits.values():
        goes_where_arrows_lead([event["type"] for event in steps], VISITS)
    assert {event["type"] for event in activity} == VISITS.keys() - {""}
    bought = {event["data"]["visit"]: event["data"] for event in activity if event["type"] == "purchaseMade"}
    for purchase in bought.values():
        assert purchase["total"] == round(purchase["price"] * purchase["quantity"], 2)
    sales, mails = (Counter(event["data"]["visit"] for event in eda.events(topic, "funnel")) for topic in ("sales", "mails"))
    assert sales == Counter(bought.keys())
    carts = Counter(event["data"]["visit"] for event in activity if event["type"] == "cartFilled")
    assert mails == carts - sales
    skipped = late(told(eda, "funnel"), "counting")
    counted = Counter[str]()
    for event in eda.events("counts", "funnel"):
        counted[event["data"]["step"]] += event["data"]["times"]
    assert counted == Counter(event["type"] for event in activity if event["id"] not in skipped)


VISITS = {"": {"siteVisited"}, "siteVisited": {"productViewed"}, "productViewed": {"productViewed", "cartFilled"},
          "cartFilled": {"checkoutStarted"}, "checkoutStarted": {"purchaseMade"}, "purchaseMade": set()}
RIDES = {"": {"rideRequested"}, "rideRequested": {"rideAccepted", "rideCancelled"},
         "rideAccepted": {"rideBegun", "rideCancelled"}, "rideBegun": {"rideEnded"}, "rideEnded": set(), "rideCancelled": set()}


def goes_where_arrows_lead(story: Sequence[str], arrows: Mapping[str, set[str]]) -> None:
    for before, after in pairwise(("", *story)):
        assert after in arrows[before], story


def test_a_driver_has_one_ride_at_a_time_and_each_that_ended_is_paid(eda: Eda) -> None:
    played(eda, "rides")
    positions, rides, receipts = (eda.events(topic, "rides") for topic in ("positions", "rides", "receipts"))
    for of_driver in by(rides, "driver").values():
        stories = [[event["type"] for event in one] for _, one in groupby(of_driver, lambda event: event["data"]["ride"])]
        for story in stories:
            goes_where_arrows_lead(story, RIDES)
        assert all(not RIDES[story[-1]] for story in stories[:-1]), stories
    assert len(by(rides, "ride")) > len(by(rides, "driver"))
    ended = {event["data"]["ride"]: event["data"] for event in rides if event["type"] == "rideEnded"}
    assert all(ride["fare"] == round(3.9 + 2.1 * ride["km"], 2) for ride in ended.values())
    assert Counter((event["data"]["ride"], event["data"]["amount"]) for event in receipts) == Counter(
        (ride["ride"], ride["fare"]) for ride in ended.values())
    fares: dict[str, list[float]] = defaultdict(list)
    for ride in ended.values():
        fares[str(ride["driver"])].append(ride["fare"])
    assert rows(eda, "rides", "payroll", "earned") == {
        driver: {"rides": len(each), "fares": pytest.approx(sum(each), abs=0.01)} for driver, each in fares.items()}
    assert rows(eda, "rides", "map", "positions") == {
        str(driver): of_driver[-1]["data"] for driver, of_driver in by(positions, "driver").items()}
    cars_stay_in_the_city_and_never_jump(positions)


def cars_stay_in_the_city_and_never_jump(positions: Events) -> None:
    for of_driver in by(positions, "driver").values():
        for here in of_driver:
            assert 52.42 <= here["data"]["lat"] <= 52.60
            assert 13.22 <= here["data"]["lon"] <= 13.56
        for before, after in pairwise(event["data"] for event in of_driver):
            assert abs(after["lat"] - before["lat"]) < 7 * 0.0020  # seven standard deviations of a step
            assert abs(after["lon"] - before["lon"]) < 7 * 0.0035
