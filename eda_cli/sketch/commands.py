"""Event types that tell somebody what to do; an event says what happened. Knows English verbs, no sketch."""

from __future__ import annotations

import re

# Verb: what happened when it was done. Words that are as often nouns (order, book, ship, stock, request, report)
# are not here: `orderPlaced`, `bookLent`, `stockLow` are events, and a missed command does less harm than a false one.
_DONE = {
    "accept": "accepted", "activate": "activated", "add": "added", "allocate": "allocated",
    "apply": "applied", "approve": "approved", "archive": "archived", "assign": "assigned",
    "authorize": "authorized", "begin": "begun", "build": "built", "buy": "bought",
    "calculate": "calculated", "cancel": "cancelled", "capture": "captured", "change": "changed",
    "charge": "charged", "check": "checked", "close": "closed", "collect": "collected",
    "complete": "completed", "compute": "computed", "confirm": "confirmed", "convert": "converted",
    "create": "created", "deactivate": "deactivated", "delete": "deleted", "deliver": "delivered",
    "deny": "denied", "deploy": "deployed", "destroy": "destroyed", "disable": "disabled",
    "dispatch": "dispatched", "do": "done", "download": "downloaded", "enable": "enabled",
    "execute": "executed", "expire": "expired", "fetch": "fetched", "finish": "finished",
    "fulfill": "fulfilled", "generate": "generated", "get": "read", "give": "given", "grant": "granted",
    "handle": "handled", "initialize": "initialized", "insert": "inserted", "install": "installed",
    "invite": "invited", "issue": "issued", "load": "loaded", "make": "made", "modify": "modified",
    "move": "moved", "notify": "notified", "open": "opened", "pay": "paid", "perform": "performed",
    "prepare": "prepared", "process": "processed", "publish": "published", "put": "put",
    "recalculate": "recalculated", "refund": "refunded", "register": "registered", "reject": "rejected",
    "remove": "removed", "rename": "renamed", "replace": "replaced", "reserve": "reserved",
    "reset": "reset", "resolve": "resolved", "restart": "restarted", "restore": "restored",
    "retrieve": "retrieved", "retry": "retried", "revoke": "revoked", "run": "run", "save": "saved",
    "schedule": "scheduled", "sell": "sold", "send": "sent", "set": "set", "start": "started",
    "stop": "stopped", "store": "stored", "submit": "submitted", "subscribe": "subscribed",
    "sync": "synced", "synchronize": "synchronized", "terminate": "terminated", "transfer": "transferred",
    "trigger": "triggered", "unsubscribe": "unsubscribed", "update": "updated", "upload": "uploaded",
    "validate": "validated", "verify": "verified", "withdraw": "withdrawn", "write": "written",
}
# Later words that make it something that happened, or a state: `setCompleted`, `updateAvailable`.
_HAPPENED = {
    *_DONE.values(), "lent", "lost", "won", "broken", "caught", "come", "cut", "drawn", "fallen", "found",
    "gone", "grown", "held", "hit", "kept", "known", "left", "met", "seen", "shown", "shut", "spent",
    "stolen", "taken", "told", "thrown", "understood", "low", "high", "full", "empty", "ready",
    "available", "unavailable", "overdue", "late", "due", "ok", "failed", "failure", "success",
    "successful", "pending", "possible", "impossible", "invalid", "valid", "timeout", "exceeded",
    "missing", "online", "offline", "up", "down", "over", "again", "back",
}
_NOUN_ENDINGS = {"time", "date", "point", "list", "id", "number", "result", "results", "count", "rate", "state"}


def event_for(name: str) -> str | None:
    """For a command such as `createInvoice` the event `invoiceCreated`, written alike; None for an event."""
    prefix, dot, last = name.rpartition(".")
    for head, text in ((prefix + dot, last), ("", name)):
        words = _words(text)
        if len(words) >= 2 and _is_command([word.lower() for word in words]):
            return head + _alike(text, [*words[1:], _DONE[words[0].lower()]])
    return None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word for word in re.split(r"[\s._:/-]+", spaced) if word]


def _is_command(words: list[str]) -> bool:
    return (words[0] in _DONE and words[-1] not in _NOUN_ENDINGS
            and not any(word in _HAPPENED or word.endswith("ed") for word in words[1:]))


def _alike(text: str, words: list[str]) -> str:
    """The words put together as those of `text` are."""
    sign = re.search(r"[._:/-]", text)
    if sign:
        return sign.group().join(words)
    first = words[0] if text[0].isupper() else words[0][0].lower() + words[0][1:]
    return first + "".join(word[0].upper() + word[1:] for word in words[1:])
