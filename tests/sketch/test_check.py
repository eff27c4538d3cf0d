"""Warnings: what is allowed and looks unintended. And what a channel must be able to do."""

from __future__ import annotations

import pytest

from eda_cli.sketch.check import demands, hints
from eda_cli.sketch.commands import event_for
from eda_cli.technologies import TECHNOLOGIES, Ability, Technology
from tests.sketch.reading import errors, loaded, warnings


def test_a_topic_with_one_side_only() -> None:
    assert warnings("""\
        topics: {unused: , orders: }
        generators: {shop: {publishes: orders}}
        consumers: {billing: {subscribes: ordered}}
        """) == [
        "sketch.yaml:1:10: nobody publishes or subscribes to the topic 'unused'",
        "sketch.yaml:1:20: nobody subscribes to the topic 'orders'",
        "sketch.yaml:3:35: nobody publishes to the topic 'ordered'",
    ]


def test_two_spellings_of_one_topic() -> None:
    assert warnings("""\
        generators: {shop: {publishes: purchases}}
        consumers: {billing: {subscribes: purchses}}
        """) == [
        "sketch.yaml:1:32: nobody subscribes to the topic 'purchases'; is 'purchses' the same?",
        "sketch.yaml:2:35: nobody publishes to the topic 'purchses'; is 'purchases' the same?",
    ]


@pytest.mark.parametrize(("declared", "used"), [
    ("purchases", "purchses"), ("purchases", "purchase"), ("order-placed", "orders-placed"), ("order-placed", "orderplaced"),
    ("Orders", "orders"),
])
def test_a_topic_that_looks_like_a_slip_of_one_that_is_declared(declared: str, used: str) -> None:
    assert f"sketch.yaml:2:32: nobody subscribes to the topic '{used}'; did you mean '{declared}'?" in warnings(f"""\
        topics: {{other: , {declared}: }}
        generators: {{shop: {{publishes: {used}}}}}
        """)


@pytest.mark.parametrize("used", [
    "purchases-2", "purchases.dlq", "sold", "orders-us", "b", "pt", "purchases-in", "${NAME}"])
def test_a_topic_that_is_new_is_no_slip(used: str) -> None:
    assert not [line for line in warnings(f"""
        topics: {{purchases-1: , purchases: , orders-eu: , a: , pit: }}
        generators: {{shop: {{publishes: "{used}"}}}}
        """, NAME="purchase") if "mean" in line]


def test_a_near_miss_that_both_sides_use_is_meant() -> None:
    assert warnings("""\
        topics: {purchases: }
        generators: {shop: {publishes: purchase}}
        consumers: {billing: {subscribes: purchase}}
        """) == ["sketch.yaml:1:10: nobody publishes or subscribes to the topic 'purchases'"]


def test_what_is_a_note_by_its_name() -> None:
    assert warnings("""\
        topics: {x-orders: {partitions: 6}, x-unused: 1}
        events: {x-made: {id: uuid()}, x-unused: 1}
        generators: {shop: {publishes: x-orders, event: x-made}, x-base: {rate: 5/s}, x-shop: {publishes: x-orders}}
        consumers: {billing: {subscribes: x-orders}, x-ray: {subscribes: x-orders}}
        """) == [
        "sketch.yaml:1:10: topic 'x-orders' is used, and what stands here is not read: what begins with x- is a note; "
        "name it otherwise",
        "sketch.yaml:2:10: event type 'x-made' is used, and what stands here is not read: what begins with x- is a note; "
        "name it otherwise",
        "sketch.yaml:3:79: generator 'x-shop' is not started: what begins with x- is a note; name it otherwise",
        "sketch.yaml:4:46: consumer 'x-ray' is not started: what begins with x- is a note; name it otherwise",
    ]
    assert errors("""\
        events: {x-made: {id: uuid()}, paid: {id: uuid()}}
        generators: {shop: {publishes: orders, event: x-made}}
        """) == ["sketch.yaml:2:47: the event type 'x-made' is not under 'events': what begins with x- is a note; "
                 "name it otherwise"]


def test_somebody_elses_parts_count() -> None:
    assert warnings("""
        generators: {shop: {publishes: orders, external: true}}
        consumers: {billing: {subscribes: orders, external: true}}
        """) == []


def test_a_consumer_that_nothing_reaches() -> None:
    assert warnings("""\
        generators: {shop: {publishes: orders, event: orderPlaced}}
        consumers:
          refund: {subscribes: orders, accepts: orderCancelled, publishes: refunds}
          bank: {subscribes: refunds}
          billing:
            subscribes: orders
            publishes: [{to: bills, accepts: orderPaid}, {to: bills, event: billSent}]
          mailer: {subscribes: bills, accepts: [billSent, orderPaid]}
        """) == [
        "sketch.yaml:3:3: nothing reaches consumer 'refund': it accepts orderCancelled, "
        "and 'orders' carries orderPlaced",
        "sketch.yaml:4:3: nothing reaches consumer 'bank': nothing reaches those who publish to 'refunds'",
        "sketch.yaml:7:38: rule 1 of consumer 'billing' never follows: 'billing' hears no event of type orderPaid",
    ]


def test_an_event_type_that_a_path_gives_may_be_any() -> None:
    assert warnings("""
        generators: {shop: {publishes: orders}}
        consumers:
          router: {subscribes: orders, publishes: {to: routed, event: $.kind}}
          billing: {subscribes: routed, accepts: orderPaid}
        """) == []


def test_consumers_that_feed_each_other_without_end() -> None:
    assert warnings("""\
        generators: {shop: {publishes: orders, event: orderPlaced}}
        consumers:
          one: {subscribes: orders, publishes: bills}
          two: {subscribes: bills, publishes: {to: orders, event: orderPaid}}
        """) == [
        "sketch.yaml:4:44: consumers 'one' and 'two' feed each other without end: each event in "
        "'bills' and 'orders' leads to another one there; let a rule say when: or accepts:, or publish "
        "to another topic",
    ]


@pytest.mark.parametrize("way_out", [
    "publishes: {to: orders, event: orderPaid, when: body.open}",
    "publishes: {to: orders, event: orderPaid, accepts: orderPlaced}",
    "publishes: {to: elsewhere, event: orderPaid}",
    "accepts: orderPlaced, publishes: {to: orders, event: orderPaid}",
])
def test_what_ends_a_circle(way_out: str) -> None:
    assert warnings(f"""\
        generators: {{shop: {{publishes: orders, event: orderPlaced}}}}
        consumers:
          billing: {{subscribes: orders, {way_out}}}
          ear: {{subscribes: [elsewhere, orders]}}
        """.replace("[elsewhere, orders]", "[elsewhere]" if "elsewhere" in way_out else "orders")) == []


def test_a_consumer_that_feeds_itself() -> None:
    told = warnings("""\
        topics: {orders: }
        consumers: {echo: {subscribes: orders, publishes: orders}}
        """)
    assert told[-1].startswith("sketch.yaml:2:51: consumer 'echo' feeds itself without end: ")


def test_more_replicas_than_partitions() -> None:
    assert warnings("""\
        topics: {a: {partitions: 2}, b: {partitions: 1}}
        generators: {g: {publishes: a}, h: {publishes: b}}
        consumers:
          fine: {subscribes: [a, b], replicas: 3}
          idle: {subscribes: a, replicas: 5}
        """) == ["sketch.yaml:5:35: consumer 'idle' has 5 replicas for 2 partitions: a partition has one reader "
                 "in a group, so 3 would do nothing; take fewer replicas, or more partitions"]


def test_events_without_key_in_a_compacted_topic() -> None:
    text = """\
        topics: {a: {compacted: true}}
        generators: {g: {publishes: a}}
        consumers: {c: {subscribes: a}}
        """
    assert warnings(text)[0].startswith("sketch.yaml:2:14: generator 'g' publishes without a key")
    assert warnings(text.replace("compacted: true", "compacted: true, key: $.id")) == []


def test_rules_without_key_to_a_compacted_topic() -> None:
    text = """\
        topics: {a: {compacted: true}, b: }
        generators: {g: {publishes: b}}
        consumers:
          c: {subscribes: b, publishes: [a, {to: a, key: $.id}, {to: a, key: null}]}
          d: {subscribes: a}
        """
    told = "publishes without a key: 'a' is compacted, which keeps the newest event of each key; " \
           "add key: to the topic or to the rule"
    assert warnings(text) == [f"sketch.yaml:4:34: rule 1 of consumer 'c' {told}",
                              f"sketch.yaml:4:62: rule 3 of consumer 'c' {told}"]
    assert len(warnings(text.replace("publishes: b}", "publishes: b, key: $.id}"))) == 1
    assert len(warnings(text.replace("publishes: b}", "publishes: b, external: true}"))) == 1


def test_a_path_that_leads_to_nothing_in_what_is_heard() -> None:
    told = warnings("""
        topics: {loans: {key: $.user}}
        events: {bookLent: {id: uuid(), reader: ann, book: {title: T}, items: {$list: {sku: A}, size: 2}}}
        generators: {lending: {publishes: loans, event: bookLent}}
        consumers:
          fining:
            subscribes: loans
            publishes:
              - {to: fines, event: fined, key: $.raeder, headers: {x: $.book.titel},
                 body: {a: $.reader, b: $.book.title, c: $.items.0.sku, d: $.items.0.none, e: $key,
                        f: {$list: $.nobody, size: 2}}}
          paying: {subscribes: fines, publishes: {to: paid, event: paid, body: {a: $.a.b, none: $.none}}}
          any: {subscribes: [paid, others], publishes: {to: last, event: last, body: {x: $.whatever}}}
          last: {subscribes: last}
        """)
    assert [one.split(": ", 1)[1] for one in told if "is in no event" in one] == [
        "'$.user' is in no event of generator 'lending': so its key is null, and events without a key have no order",
        "'$.raeder' is in no event that 'fining' hears: a missing path is null; did you mean '$.reader'?",
        "'$.book.titel' is in no event that 'fining' hears: a missing path is null; did you mean '$.book.title'?",
        "'$.items.0.none' is in no event that 'fining' hears: a missing path is null",
        "'$.nobody' is in no event that 'fining' hears: a missing path is null",
        "'$.none' is in no event that 'paying' hears: a missing path is null"]


def test_a_key_that_no_event_has_in_a_compacted_topic() -> None:
    assert warnings("""\
        topics: {a: {compacted: true, key: $.usr}}
        events: {e: {user: {id: 1}}, f: $tombstone}
        generators:
          g: {publishes: a, event: e}
          h: {publishes: a, event: e, key: $.user.id}
          i: {publishes: a, event: e, key: $.user.nr}
          j: {publishes: a, event: f}
        consumers: {c: {subscribes: a, publishes: {to: a, event: e, accepts: f}}}
        """) == [
        f"sketch.yaml:{place}: '{key}' is in no event of {of}: so its key is null, and the topic is compacted, which keeps "
        f"the newest event of each key{hint}" for place, key, of, hint in (
            ("1:36", "$.usr", "generator 'g'", "; did you mean '$.user'?"), ("1:36", "$.usr", "generator 'j'", ""),
            ("1:36", "$.usr", "rule 1 of consumer 'c'", "; did you mean '$.user'?"),
            ("6:36", "$.user.nr", "generator 'i'", ""))]


@pytest.mark.parametrize("body", ["{$pick: [{usr: 1}]}", "{usr: {$list: 1, size: 2}}", "'$'", "{usr: 1..5}"])
def test_a_key_that_an_event_may_have_is_not_told(body: str) -> None:
    assert warnings(f"""
        topics: {{a: {{compacted: true, key: $.usr}}, b: {{key: $.id}}}}
        generators: {{g: {{publishes: b}}}}
        consumers: {{c: {{subscribes: b, publishes: {{to: a, body: {body}}}}}, d: {{subscribes: a, publishes: a, accepts: x}}}}
        """)[1:] == []


def test_a_statement_is_published_as_it_stands() -> None:
    assert warnings("""\
        events: {e: {a: "{% if body.total > 5 %}big{% endif %}", b: ["{# note #}"], c: {$literal: "{% x %}"}}}
        generators: {g: {publishes: t, headers: {h: "{% of }"}}}
        consumers: {c: {subscribes: t, publishes: {to: u, body: "{% raw %}"}}, d: {subscribes: u}}
        """) == [
        "sketch.yaml:1:17: '{% if body.total > 5 %}big{% endif %}' is published as it stands: a template knows expressions "
        "only, in {{ }}; write {{ A if CONDITION else B }}",
        "sketch.yaml:1:62: '{# note #}' is published as it stands: a template knows expressions only, in {{ }}; "
        "leave the comment out",
        "sketch.yaml:3:57: '{% raw %}' is published as it stands: a template knows expressions only, in {{ }}; "
        "write {{ A if CONDITION else B }}",
    ]


def test_a_command_is_told_once_where_it_is_declared() -> None:
    assert warnings("""\
        events: {createInvoice: {id: uuid()}}
        generators: {shop: {publishes: invoices, event: createInvoice}}
        consumers: {billing: {subscribes: invoices}}
        """) == ["sketch.yaml:1:10: 'createInvoice' is a command: an event says what happened, in the past tense; "
                 "name it invoiceCreated"]


@pytest.mark.parametrize(("command", "event"), [
    ("createInvoice", "invoiceCreated"), ("send-mail", "mail-sent"), ("send_mail", "mail_sent"),
    ("send.mail", "mail.sent"), ("com.shop.createInvoice", "com.shop.invoiceCreated"),
    ("com.shop.create-invoice", "com.shop.invoice-created"), ("CreateInvoice", "InvoiceCreated"),
    ("SEND_MAIL", "MAIL_sent"), ("processOrder", "orderProcessed"), ("setTemperature", "temperatureSet"),
    ("payInvoiceNow", "invoiceNowPaid"), ("notifyUser", "userNotified"),
])
def test_commands(command: str, event: str) -> None:
    assert event_for(command) == event


@pytest.mark.parametrize("name", [
    "bookLent", "stockLow", "orderPlaced", "setCompleted", "createdInvoice", "addressChanged", "purchaseCreated",
    "updateAvailable", "paymentFailed", "user.updated", "setPointReached", "orderTotal", "startTime", "create",
    "createInvoiceRequested", "checkoutDone", "invoice-created", "invoice_sent", "com.shop.invoiceCreated",
    "purchase", "", "...", "reportReady", "processStarted", "closeToLimitReached", "openHouseHeld",
])
def test_events(name: str) -> None:
    assert event_for(name) is None


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> str:
    """A technology that keeps nothing."""
    monkeypatch.setitem(TECHNOLOGIES, "forgetful", Technology("Forgetful", "nowhere:Channel", "Keeps nothing.", {
        Ability.REPLAY: "a queue forgets what was handled", Ability.COMPACTION: "a queue has no log to compact",
        Ability.PARTITIONS: "a queue is not divided"}))
    return "forgetful"


def test_to_begin_with_the_earliest_event_demands_replay(forgetful: str) -> None:
    read = loaded("""\
        consumers:
          billing:
            subscribes: orders
            from: earliest
        """)
    assert demands(read.resolved, "kafka", read.places) == []
    assert demands(read.resolved, "auto", read.places) == []
    [problem] = demands(read.resolved, forgetful, read.places)
    assert problem.text("sketch.yaml") == (
        "sketch.yaml:4:11: consumer 'billing' is to begin with the earliest event: a queue forgets what was handled; "
        "write from: latest, or take another broker")


def test_what_a_broker_does_without_is_a_hint(forgetful: str) -> None:
    read = loaded("""\
        topics:
          users: {compacted: true}
          orders: {partitions: 2}
          invoices:
        consumers:
          billing: {subscribes: [orders, users]}
        """)
    assert hints(read.resolved, "embedded", read.places) == hints(read.resolved, "auto", read.places) == []
    assert demands(read.resolved, forgetful, read.places) == []
    assert [hint.text("sketch.yaml") for hint in hints(read.resolved, forgetful, read.places)] == [
        "sketch.yaml:2:22: topic 'users' keeps every event: a queue has no log to compact",
        "sketch.yaml:3:24: topic 'orders' has no partitions: a queue is not divided",
    ]


def test_a_sketch_too_large_to_follow_is_still_checked() -> None:
    makers = "\n".join(f"  g{number}: {{publishes: a, event: e{number}}}" for number in range(300))
    echoes = "\n".join(f"  c{number}: {{subscribes: a, publishes: a}}" for number in range(300))
    assert warnings(f"generators:\n{makers}\nconsumers:\n{echoes}") == []


def test_who_hears_a_topic_without_subscribing_and_who_need_not() -> None:
    assert warnings("""\
        generators: {shop: {publishes: orders}, bank: {publishes: payments}, desk: {publishes: returns},
                     store: {publishes: stock}}
        consumers:
          billing:
            subscribes: orders
            keeps: [stock]
            joins: {with: payments, by: $.id}
            publishes: {to: reminders, after: 1d, unless: {returns: $.id}}
            dead_letter: orders.dlq
          mailer: {subscribes: reminders, keeps: {sent: $.id}}
        """) == ["sketch.yaml:10:49: nobody publishes to the topic 'sent'"]


def test_a_consumer_that_reads_its_own_dead_letters() -> None:
    assert warnings("""\
        generators: {shop: {publishes: orders}}
        consumers:
          billing: {subscribes: [orders, orders.dlq], dead_letter: orders.dlq}
          desk: {subscribes: orders.dlq, dead_letter: desk.dlq}
        """) == ["sketch.yaml:3:60: consumer 'billing' reads its own dead letter topic 'orders.dlq': what fails there comes "
                 "back to it, and fails again; let another consumer read it"]


@pytest.mark.parametrize(("said", "ends"), [
    ("after: 3s", False), ("share: 100%", False), ("share: 95%", True), ("each: $.parts, body: $item", True),
    ("after: 3s, unless: {stops: $.id}", True), ("when: body.x > 1", True), ("key: $.id", False),
])
def test_circles_that_may_end_by_themselves(said: str, ends: bool) -> None:
    told = [line for line in warnings(f"""
        generators: {{shop: {{publishes: orders, body: {{id: uuid(), parts: [], x: 1}}}}, stop: {{publishes: stops}}}}
        consumers: {{loop: {{subscribes: orders, publishes: {{to: orders, {said}}}}}}}
        """) if "without end" in line]
    assert len(told) == (0 if ends else 1)


@pytest.mark.parametrize("said", [
    "run: sh x, publishes: orders", "joins: {with: stops, by: $.id}, publishes: orders",
    "window: {every: 1m}, publishes: {to: orders, event: orderCounted, body: {n: count()}}", "dead_letter: orders",
])
def test_circles_that_need_more_than_an_event(said: str) -> None:
    assert not [line for line in warnings(f"""
        generators: {{shop: {{publishes: orders}}, stop: {{publishes: stops}}}}
        consumers: {{loop: {{subscribes: orders, {said}}}}}
        """) if "without end" in line]


def test_own_code_may_publish_any_type_and_dead_letters_keep_theirs() -> None:
    assert warnings("""\
        generators: {shop: {publishes: orders, event: orderPlaced}}
        consumers:
          code: {subscribes: orders, run: sh x, publishes: {to: bills, event: billSent}, dead_letter: dead}
          mailer: {subscribes: bills, accepts: billPaid}
          desk: {subscribes: dead, accepts: orderPlaced}
          nobody: {subscribes: dead, accepts: billPaid}
        """) == ["sketch.yaml:6:3: nothing reaches consumer 'nobody': it accepts billPaid, and 'dead' carries orderPlaced"]


def test_values_besides_rules_that_look_for_what_is_in_no_event() -> None:
    assert warnings("""\
        generators:
          shop: {publishes: orders, body: {id: uuid(), user: a, items: []}}
          bank: {publishes: payments, body: {order: a}}
        consumers:
          a: {subscribes: orders, keeps: {orders: $.idd, paid: {from: payments, key: $.order, set: {user: $.user}}}}
          b: {subscribes: orders, joins: {with: payments, by: $.order}}
          c: {subscribes: orders, joins: {with: payments, by: {orders: $.id, payments: $.id}}}
          d: {subscribes: orders, window: {every: 1m, by: $.usr, time: $.at}}
          e: {subscribes: orders, publishes: {to: parcels, each: $.itms, body: {sku: $item.sku}}}
          f: {subscribes: parcels}
        """) == [
        "sketch.yaml:5:43: '$.idd' is in no event that 'a' hears: a missing path is null; did you mean '$.id'?",
        "sketch.yaml:5:99: '$.user' is in no event that 'a' hears: a missing path is null",
        "sketch.yaml:6:55: '$.order' is in no event that 'b' hears: a missing path is null",
        "sketch.yaml:7:80: '$.id' is in no event that 'c' hears: a missing path is null",
        "sketch.yaml:8:51: '$.usr' is in no event that 'd' hears: a missing path is null; did you mean '$.user'?",
        "sketch.yaml:8:64: '$.at' is in no event that 'd' hears: a missing path is null",
        "sketch.yaml:9:58: '$.itms' is in no event that 'e' hears: a missing path is null; did you mean '$.items'?",
    ]


def test_only_a_start_at_the_earliest_event_demands_a_replay(forgetful: str) -> None:
    sketch = loaded("""
        consumers:
          a: {subscribes: orders, keeps: {orders: $.id}, retries: 3}
          b: {subscribes: orders, from: earliest}
        """)
    problem, = demands(sketch.resolved, forgetful, sketch.places)
    assert "consumer 'b'" in problem.what


def test_events_of_own_code_and_of_windows_have_keys() -> None:
    assert not [line for line in warnings("""
        topics: {sums: {compacted: true}, sent: {compacted: true}}
        generators: {shop: {publishes: orders}}
        consumers:
          a: {subscribes: orders, window: {every: 1m}, publishes: {to: sums, event: minuteCounted, body: {n: count()}}}
          b: {subscribes: orders, run: sh x, publishes: sent}
          c: {subscribes: [sums, sent]}
        """) if "without a key" in line]


@pytest.mark.parametrize(("generator", "told"), [
    ("rate: 10/s, faults: {null_key: 1%, duplicate: 2%}",
     ["sketch.yaml:2:71: generator 'shop' has no key that null_key could take away: neither it nor its topic says key; "
      "add key: to the topic, or leave it out"]),
    ("rate: 10/s, key: ann, faults: {null_key: 1%}", []),
    ("rate: 2/s, faults: {out_of_order: {share: 5%, by: 100ms..500ms}}",
     ["sketch.yaml:2:74: nothing that generator 'shop' holds back is overtaken: it is held for 0.5s at most, and the next event "
      "comes after 0.5s; hold it longer: out_of_order: {share: 5%, by: …}"]),
    ("rate: 2/s, faults: {out_of_order: {share: 5%, by: 100ms..501ms}}", []),
    ("rate: 2/s, arrivals: poisson, faults: {out_of_order: {share: 5%, by: 100ms}}", []),
    ("every: 1s..2s, faults: {out_of_order: {share: 5%, by: 900ms}}", ["is overtaken"]),
    ("every: 1s..2s, entities: 10, faults: {out_of_order: {share: 5%, by: 900ms}}", []),
    ("stages: [{rate: 1/s..20/s, for: 10s}, {rate: 2/s}], faults: {out_of_order: {share: 5%, by: 60ms}}", []),
    ("rate: max, faults: {out_of_order: {share: 5%, by: 1ms}}", []),
    ("rate: 1/h, faults: {}", []),
    ("rate: 1/h, faults: {drop: 100%}", ["nothing of generator 'shop' is published: all of it is dropped; drop fewer"]),
    ("rate: 2000/s, faults: {out_of_order: {share: 10%, by: 1ms..20m}}",
     ["generator 'shop' holds back more than it can: about 120,000 events at once, and a replica holds 100,000: then the first "
      "goes out early; hold fewer of them, or less long, or give it more replicas"]),
    ("rate: 2000/s, replicas: 2, faults: {out_of_order: {share: 10%, by: 1ms..20m}}", []),
    ("rate: 2000/s, count: 900000, faults: {out_of_order: {share: 10%, by: 1ms..20m}}", []),
    ("every: 1ms..2s, entities: 2000, faults: {out_of_order: {share: 10%, by: 1ms..20m}}", ["holds back more than it can"]),
    ("rate: max, count: 2000000, faults: {out_of_order: {share: 10%, by: 1m}}", []),
])
def test_a_fault_that_nobody_would_see(generator: str, told: list[str]) -> None:
    seen = warnings(f"""\
        consumers: {{billing: {{subscribes: orders}}}}
        generators: {{shop: {{publishes: orders, {generator}}}}}
        """)
    assert len(seen) == len(told)
    assert all(line.endswith(one) or one in line for line, one in zip(seen, told, strict=True)), seen
