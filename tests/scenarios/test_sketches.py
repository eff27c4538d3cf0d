"""The sketches that come with eda: each runs without an error, and what it promises holds of what is in its log."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest

from tests.scenarios.harness import Eda, told
from tests.scenarios.played import RUN_S, Events, by, epoch, late, played, rows

LATE_S = 2.0  # how much later than it came a busy machine may handle an event

pytestmark = pytest.mark.timeout(300 + RUN_S)


@pytest.fixture
def eda(everywhere: Eda) -> Eda:
    return everywhere


def test_shop_invoices_what_was_bought(eda: Eda) -> None:
    played(eda, "shop")
    purchases = eda.events("purchases", "shop")
    invoices = {event["causationid"]: event["data"] for event in eda.events("invoices", "shop")}
    assert len(purchases) >= 4 * RUN_S
    assert len(eda.events("invoices", "shop")) == len(purchases)
    for purchase in purchases:
        bought = purchase["data"]
        assert invoices[purchase["id"]] == {"purchase": bought["id"], "user": bought["user"],
                                            "total": round(sum(item["price"] for item in bought["items"]), 2)}
    assert rows(eda, "shop", "invoicing", "purchases") == {one["data"]["id"]: one["data"] for one in purchases}


def test_each_order_is_shipped_or_cancelled_and_no_goods_are_lost(eda: Eda) -> None:
    def ended() -> bool:
        orders = Counter(event["type"] for event in eda.events("orders", "orders"))
        return orders["orderPlaced"] == orders["orderShipped"] + orders["orderCancelled"]

    played(eda, "orders", ended, lambda: shelf_is_possible(eda))
    orders, stock, payments = (eda.events(topic, "orders") for topic in ("orders", "stock", "payments"))
    placed = by([event for event in orders if event["type"] == "orderPlaced"], "order")
    assert len(placed) >= RUN_S
    stories = {order: Counter(event["type"] for event in (*orders, *stock, *payments) if event["data"]["order"] == order)
               for order in placed}
    for order, story in stories.items():
        assert story in STORIES, f"order {order}: {dict(story)}"
    assert {"orderShipped", "orderCancelled"} <= {kind for story in stories.values() for kind in story}
    delivered = eda.events("deliveries", "orders")
    for sku, row in shelf_is_possible(eda).items():
        moved = Counter[str]()
        for event in (*delivered, *stock, *orders):
            if event["data"].get("sku") == sku:
                moved[event["type"]] += event["data"]["quantity"]
        held = moved["stockReserved"] - moved["stockReleased"]
        assert held == moved["orderShipped"]
        assert row["left"] == moved["goodsDelivered"] - held


STORIES = [Counter(("orderPlaced", *story)) for story in (
    ("stockRefused", "orderCancelled"),
    ("stockReserved", "paymentTaken", "orderShipped"),
    ("stockReserved", "paymentDeclined", "stockReleased", "orderCancelled"),
    ("stockReserved", "paymentExpired", "stockReleased", "orderCancelled"))]


def shelf_is_possible(eda: Eda) -> dict[str, Any]:
    shelf = rows(eda, "orders", "warehouse", "shelf")
    assert all(row["left"] >= 0 for row in shelf.values()), shelf
    return shelf


def test_each_reading_is_averaged_once_and_each_silence_and_warmth_is_told_once(eda: Eda) -> None:
    def quiet() -> bool:
        """The last reading of each device was followed by silence, and no window is open."""
        readings = eda.events("readings", "iot")
        last = {event["data"]["device"]: event["id"] for event in readings}
        silences = {event["causationid"] for event in eda.events("alarms", "iot") if event["type"] == "fellSilent"}
        counted = sum(event["data"]["readings"] for event in eda.events("means", "iot"))
        return set(last.values()) <= silences and counted == len(readings) - len(late(told(eda, "iot"), "averages"))

    played(eda, "iot", quiet)
    readings, means = eda.events("readings", "iot"), eda.events("means", "iot")
    skipped = late(told(eda, "iot"), "averages")
    windows: dict[tuple[str, float], list[float]] = defaultdict(list)
    for event in readings:
        if event["id"] not in skipped:
            said = event["data"]
            windows[said["device"], epoch(said["at"]) // 5 * 5].append(said["celsius"])
    shown = [(mean["data"]["device"], epoch(mean["data"]["from"])) for mean in means]
    assert sorted(shown) == sorted(windows)
    for mean, window in zip(means, shown, strict=True):
        assert mean["data"]["readings"] == len(windows[window])
        assert mean["data"]["celsius"] == pytest.approx(sum(windows[window]) / len(windows[window]), abs=0.006)
    alarms = eda.events("alarms", "iot")
    warm = Counter(event["causationid"] for event in alarms if event["type"] == "gotTooWarm")
    assert warm == Counter(event["id"] for event in means if event["data"]["celsius"] > 5)
    silences_are_told(readings, Counter(event["causationid"] for event in alarms if event["type"] == "fellSilent"))


def silences_are_told(readings: Events, silences: Counter[str]) -> None:
    """Each pause of six seconds behind a reading has its alarm, and no other has one."""
    surely: set[str] = set()
    maybe: set[str] = set()
    for of_device in by(readings, "device").values():
        times = [epoch(event["time"]) for event in of_device]
        for event, here, following in zip(of_device, times, [*times[1:], float("inf")], strict=True):
            if following - here > 6 - 0.5:
                (surely if following - here > 6 + LATE_S else maybe).add(event["id"])
    assert surely
    assert surely <= set(silences) <= surely | maybe
    assert set(silences.values()) == {1}


def test_a_view_is_what_a_fold_of_the_log_gives(eda: Eda) -> None:
    played(eda, "cdc")
    written = sorted((event["data"] | {"written": event["time"]} for event in eda.events("outbox", "cdc")),
                     key=lambda row: row["written"])
    tables: dict[str, dict[str, Any]] = {"customers": {}, "orders": {}}
    view: dict[str, Any] = {}
    relayed: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
    for row in written:
        key = str(row["id"])
        relayed[row["table"], key].append((row["type"], row["row"]))
        if row["row"] is None:
            tables[row["table"]].pop(key, None)
            if row["table"] == "customers":
                view.pop(key, None)
        elif row["table"] == "customers":
            tables["customers"][key] = row["row"]
            view.setdefault(key, {}).update(row["row"])
        else:
            tables["orders"][key] = row["row"]
            spent = view.setdefault(str(row["row"]["customer"]), {})
            spent["spent"] = spent.get("spent", 0) + row["row"]["total"]
    assert rows(eda, "cdc", "accounts", "orders") == tables["orders"]
    assert rows(eda, "cdc", "accounts", "customers") == view
    found: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
    for topic in tables:
        for event in eda.events(topic, "cdc"):
            found[topic, event["partitionkey"]].append((event["type"], event.get("data")))
    assert found == relayed
    assert {kind for story in found.values() for kind, _ in story} == {
        "customerRegistered", "customerMoved", "customerLeft", "orderPlaced", "orderClosed"}
