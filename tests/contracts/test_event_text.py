"""Events survive the log's text form, in this version's logs, older ones and newer ones."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core import eventtext
from nbflow.core.events import (
    KINDS,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    RunClosed,
    TimerFired,
)
from nbflow.core.eventtext import decode, encode
from nbflow.core.payload import Packed, Ref, Stored
from nbflow.testing.checks import exactly
from tests import strategies


def test_the_strategies_cover_every_kind() -> None:
    """No kind of event is left out of these tests."""
    assert set(strategies.KINDS) == set(KINDS.values())


@settings(max_examples=300, deadline=None)
@given(st.lists(strategies.events, max_size=4))
def test_what_is_encoded_is_decoded(events: list[Event]) -> None:
    """`decode` gives back what `encode` wrote: same kinds, same types at every depth."""
    found = list(decode(encode(events)))
    assert found == events
    assert [list(map(type, event)) for event in found] == [list(map(type, e)) for e in events]
    assert exactly([tuple(event) for event in found], [tuple(event) for event in events])


@settings(max_examples=50, deadline=None)
@given(st.lists(strategies.events, min_size=1, max_size=4))
def test_the_text_is_plain_ascii_json(events: list[Event]) -> None:
    """Any tool can read a log, on any system."""
    text = encode(events)
    assert text.isascii()
    assert "\n" not in text
    assert [name for name, _ in json.loads(text)] == [type(event).__name__ for event in events]


_AWKWARD = [
    math.nan,
    -math.inf,
    1 << 64,
    -(1 << 63) - 1,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    0.1 + 0.2,
    "\ud800",
    "\u2028 é \x00\x7f",
    "$ref",
    Ref("a-1"),
    Packed("json", '{"a":[NaN]}'),
    Packed("pickle", b"\x80"),
    True,
    None,
]


@pytest.mark.parametrize("value", _AWKWARD, ids=ascii)
@pytest.mark.parametrize("where", ["argument", "keyword", "result", "kept"])
def test_what_the_quick_writer_cannot_say_is_said_all_the_same(where: str, value: Stored) -> None:
    """Calls that are alike but for one value are read back exactly, whichever writer wrote them."""
    args = (1, value) if where == "argument" else (1, 2.5)
    kwargs = {"n": value} if where == "keyword" else None
    events: list[Event] = [
        CallScheduled(1, 1.5, "f-1", "f", args, kwargs),
        CallStarted(2, 1.25, "f-1", 1, "thread-1"),
        CallReused(3, 1.5, "f-2", "key", "run/f-1", value if where == "kept" else 7, 1.25, 5),
        CallSucceeded(4, 1.75, "f-1", 1, value if where == "result" else 7, "thread-1", 1.5),
    ]
    for batch in (events, tuple(events), events[1:3], events[-1:]):
        text = encode(batch)
        assert text.isascii()
        found, wanted = ([[type(e), *e] for e in some] for some in (decode(text), batch))
        assert exactly(_loadable(found), _loadable(wanted))


def _loadable(rows: list[list[Any]]) -> list[Any]:
    """Leave out why a pickle that was read may not be loaded."""
    return json.loads(json.dumps(rows, default=repr))  # type: ignore[no-any-return]


def test_most_events_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls with small numbers, texts and references are written without the slow writer."""
    monkeypatch.setattr(eventtext, "_write", None)
    monkeypatch.setattr(eventtext, "_write_plain", None)
    events: list[Event] = [
        CallScheduled(1, 1.5, "f-1", "f", (1, "two", 3.5, None, True), {"n": 4}),
        CallScheduled(2, 1.5, "f-2", "f", (Ref("f-1"),), None, ("f-1",)),
        CallStarted(3, 1.25, "f-1", 1, "thread-1"),
        CallSucceeded(4, 1.75, "f-1", 1, 0.25, "thread-1", 1.5),
        CallReused(5, 1.75, "f-2", "key", "run/f-9", 0.5, 1.25, 5),
    ]
    assert list(decode(encode(events))) == events


@settings(max_examples=50, deadline=None)
@given(strategies.events, strategies.texts, strategies.stored)
def test_unknown_kinds_are_passed_over(event: Event, name: str, value: object) -> None:
    """A log of a newer nbflow can be read: what it alone knows is left out."""
    (known,) = json.loads(encode([event]))
    newer = [f"New{name}", [1, 2.0, {"any": "thing"}, [value if type(value) is int else None]]]
    assert list(decode(json.dumps([newer, known, newer]))) == [event]


@settings(max_examples=100, deadline=None)
@given(strategies.events)
def test_unknown_fields_at_the_end_are_passed_over(event: Event) -> None:
    """A newer nbflow may have added fields to a kind that this one knows."""
    ((name, fields),) = json.loads(encode([event]))
    assert list(decode(json.dumps([[name, [*fields, {"new": 1}, 2]]]))) == [event]


@settings(max_examples=200, deadline=None)
@given(strategies.events, st.data())
def test_missing_fields_at_the_end_get_their_defaults(event: Event, data: st.DataObject) -> None:
    """A log of an older nbflow, which did not have them yet, can be read."""
    kind = type(event)
    defaults = kind._field_defaults
    missing = data.draw(st.integers(0, len(defaults)))
    ((name, fields),) = json.loads(encode([event]))
    kept = len(fields) - missing
    (found,) = decode(json.dumps([[name, fields[:kept]]]))
    wanted = event._replace(**{field: defaults[field] for field in kind._fields[kept:]})
    assert found == wanted


def test_fields_were_only_added_with_defaults() -> None:
    """The fields without a default are those of the first release, in its order."""
    required = {
        name: kind._fields[: len(kind._fields) - len(kind._field_defaults)]
        for name, kind in KINDS.items()
    }
    assert all(fields[:2] == ("seq", "at") for fields in required.values())
    assert required["RunClosed"] == ("seq", "at", "status")
    assert required["CallSucceeded"] == (
        "seq",
        "at",
        "call",
        "attempt",
        "result",
        "worker",
        "started",
    )
    assert RunClosed(1, 2.0, "failed").error is None
    assert TimerFired(1, 2.0, "timer-1")._fields == ("seq", "at", "timer")
