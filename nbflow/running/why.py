"""Why the calls of a run ran, or did not have to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from nbflow.core.call import CallState
from nbflow.core.events import CallMissed, CallRepeated, CallReused, Event
from nbflow.core.history import History
from nbflow.core.reasons import GROUPS, Reason, as_text
from nbflow.viz.wording import clean, columns, duration, many

HEADS: Final = {
    "cached": "from the cache",
    **GROUPS,
    "gone": "ran once more: not stored",
    "open": "not begun",
    "skipped": "did not run",
}
"""What lines are grouped under, in the order in which groups are shown."""
_MOST: Final = 20


class Line(NamedTuple):
    """Why one call ran, or did not.

    Attributes:
        call: Its id.
        group: A key of `HEADS`.
        text: What it is in this case, as ``K: 5 -> 50``.
        reasons: The same in full, a text each.
    """

    call: str
    group: str
    text: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """A line a call, grouped by why it ran. Shows itself as text.

    Attributes:
        title: What it is about.
        lines: In the order in which the calls were asked for.
    """

    title: str
    lines: tuple[Line, ...]

    def text(self, most: int | None = _MOST) -> str:
        """Write it, at most so many lines a group; None for all."""
        return "\n".join([clean(self.title), *written(self.lines, HEADS, most)])

    def __iter__(self) -> Iterator[Line]:
        """Go through the lines."""
        return iter(self.lines)

    def __len__(self) -> int:
        """Count the calls."""
        return len(self.lines)

    def __getitem__(self, call: str) -> Line:
        """Give the line of a call.

        Raises:
            KeyError: There is none.
        """
        found = next((line for line in self.lines if line.call == call), None)
        if found is None:
            raise KeyError(call)
        return found

    def __repr__(self) -> str:
        """Give the text."""
        return self.text()


def written(lines: Iterable[Line], heads: dict[str, str], most: int | None) -> Iterator[str]:
    """Write lines under their heads."""
    groups: dict[str, list[Line]] = {group: [] for group in heads}
    for line in lines:
        groups[line.group].append(line)
    for group, found in groups.items():
        if not found:
            continue
        yield f"{heads[group]} ({len(found):,})"
        shown = found[:most]
        width = max(columns(clean(line.call)) for line in shown)
        for line in shown:
            name = clean(line.call)
            yield f"  {name}{' ' * (width - columns(name))}  {clean(line.text)}".rstrip()
        if len(found) > len(shown):
            yield f"  and {len(found) - len(shown):,} more"


def why(run: str, events: Iterable[Event]) -> Why:
    """Say of every call of a run why it ran, or what answered it.

    Args:
        run: Its id.
        events: Its log.
    """
    history = History()
    looked: dict[str, CallMissed | CallReused] = {}
    repeats: dict[str, CallRepeated] = {}
    for event in events:
        history.apply(event)
        if isinstance(event, CallMissed | CallReused):
            looked[event.call] = event
        elif isinstance(event, CallRepeated):
            repeats[event.by] = event
    calls = [state for state in history.calls.values() if state.name]
    lines = tuple(
        _of_repeat(repeats[state.id])
        if state.id in repeats
        else _line(state, looked.get(state.id), history)
        for state in calls
    )
    reused = [event for event in looked.values() if isinstance(event, CallReused)]
    saved = sum(event.run_ns for event in reused) * 1e-9
    title = f"run {run}: {len(reused):,} of {many(len(calls), 'call')} from the cache"
    return Why(f"{title}, {duration(saved)} of work saved" if reused else title, lines)


def of_call(whole: Why, call: str) -> Why:
    """Give the same for one call, a line for each reason.

    Raises:
        KeyError: There is no such call.
    """
    line = whole[call]
    return Why(
        f"{call}: {HEADS[line.group]}",
        tuple(line._replace(text=reason) for reason in line.reasons or (line.text,)),
    )


def reused_from(source: str, made: float, run_ns: int) -> str:
    """Say where a result comes from."""
    return f"from {source}, {age(time.time() - made)} old, took {duration(run_ns * 1e-9)}"


def age(seconds: float) -> str:
    """Write how long ago something was.

    Example:
        >>> age(75), age(5 * 86400)
        ('1m 15s', '5 days')
    """
    days = int(seconds // 86400)
    return f"{days:,} days" if days > 1 else duration(max(0.0, seconds))


def _of_repeat(event: CallRepeated) -> Line:
    """Say why a result that was in memory only was computed again."""
    needs = event.needed or "the workflow's code"
    text = f"the result of {event.call} was in memory only (persist=False), and {needs} needs it"
    return Line(event.by, "gone", text)


def _line(state: CallState, looked: CallMissed | CallReused | None, history: History) -> Line:
    if isinstance(looked, CallReused):
        return Line(state.id, "cached", reused_from(looked.source, looked.made, looked.run_ns))
    if state.because is not None:
        return Line(state.id, "skipped", f"{state.because.id}, which it needs, gave no result")
    if looked is not None:
        return of_reasons(state.id, looked.reasons)
    if state.outcome is None and state.started is None:
        waits = [d for d in dict.fromkeys(state.deps) if history.calls[d].outcome is None]
        return Line(state.id, "open", f"waits for {', '.join(waits)}" if waits else "")
    return Line(state.id, "plain", f"{state.name} has no cache=True")


def of_reasons(call: str, reasons: tuple[str, ...]) -> Line:
    """Make the line of a call that found nothing in the cache."""
    first = Reason.parse(reasons[0]) if reasons else Reason("first", "")
    group = first.group if first.group in GROUPS else "again"
    return Line(call, group, as_text(reasons), tuple(Reason.parse(r).text for r in reasons))
