"""Events survive the log's text form, in this version's logs, older ones and newer ones."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core.events import KINDS, Event, RunClosed, TimerFired
from nbflow.core.eventtext import decode, encode
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
