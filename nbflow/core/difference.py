"""Where workflow code asks for something other than its log says: in words, with what to do."""

from __future__ import annotations

import ast
import difflib
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from nbflow.core import lint
from nbflow.core.call import CallState
from nbflow.core.describe import describe, parts
from nbflow.core.errors import NondeterminismError
from nbflow.core.events import SignalReceived, SignalSent
from nbflow.core.history import History
from nbflow.core.parsing import parsed, source_of

_MOST = 3
"""At most so many lines that were changed, or that can differ, are shown."""
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first thing in which workflow code and a log disagree.

    Attributes:
        call: Id of the call, timer or marker.
        recorded: What the log has.
        now: What the code does now.
        event: Number of the log's event, 0 where there is none.
        where: Where the code is that asks now, "" where it is not known.
        line: Line of the recorded source that asked then, 0 where it is not known.
        what: The parts that differ, such as ``argument 1``.
        likely: What may be the cause, the likeliest first; lines that begin with spaces belong to
            the one before.
    """

    call: str
    recorded: str
    now: str
    event: int = 0
    where: str = ""
    line: int = 0
    what: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()

    def text(self, run: str, head: str) -> str:
        """Write it, with the ways on.

        Args:
            run: Id of the run.
            head: What cannot be done because of it: ``run flow-1 cannot continue``.
        """
        then = [f"event {self.event}"] if self.event else []
        then += [f"line {self.line} of run.source"] if self.line else []
        lines = [
            f"{head}: {self.call} differs",
            f"  recorded: {self.recorded}{_bracket(', '.join(then))}",
            f"  now:      {self.now}{_bracket(self.where)}",
        ]
        if self.what:
            lines.append(f"  differs:  {', '.join(self.what)}")
        lines += [_cause(cause) for cause in self.likely]
        name, _, number = self.call.rpartition("-")
        calls = number.isdigit() and name not in {"timer", "side_effect"} and bool(self.what)
        call = repr(self.call) if calls else "..."
        again = f"nbflow.attach({run!r}).rerun({call})"
        return "\n".join([*lines, "Nothing was executed. You can", *_ways(run, again)])


def _cause(text: str) -> str:
    """Write a cause; one that begins with spaces goes on with the one before."""
    return f"          {text}" if text.startswith(" ") else f"  likely:   {text}"


def _bracket(text: str) -> str:
    return f"  [{text}]" if text else ""


def _ways(run: str, again: str) -> Iterator[str]:
    recorded = f"nbflow.attach({run!r}).resume(code='recorded')"
    yield "  - go on with the code that the run was started with, which is shown by run.source:"
    yield f"    {recorded}, where it is a notebook's;"
    yield f"  - give up what depends on it, by {again}, or start a new run;"
    yield '  - keep both ways in the code: if nbflow.patched("what changed"): ... else: ...'


def between(known: CallState, asked: CallState) -> tuple[str, ...]:
    """Name the parts in which a call that is asked for differs from the recorded one."""
    if known.name != asked.name:
        return ("the activity",)
    before, after = parts(known), parts(asked)
    found = [
        f"argument {where + 1 if isinstance(where, int) else where}"
        for where in dict.fromkeys((*before, *after))
        if before.get(where) != after.get(where)
    ]
    if known.deps != asked.deps:
        found.append(f"dependencies: {_list(known.deps)} then, {_list(asked.deps)} now")
    return tuple(found)


def _list(calls: tuple[str, ...]) -> str:
    return ", ".join(calls) or "none"


def written(state: CallState) -> str:
    """Write a call, a timer or a marker as code asks for it."""
    if state.name:
        return describe(state)
    if state.id.startswith("timer-"):
        return "nbflow.sleep(...), nbflow.start_timer(...) or the time limit of a wait"
    if isinstance(state.outcome, SignalSent):
        return f"nbflow.signal({state.outcome.signal!r}) to {state.outcome.to}"
    if isinstance(state.outcome, SignalReceived):
        return f"nbflow.wait_signal({state.outcome.name!r})"
    of = getattr(state.outcome, "of", "")
    return marker_text(state.id, of) if of else state.id


def marker_text(id_: str, of: str) -> str:
    """Write what code says for a marker."""
    if id_.startswith("marker-"):
        return f"nbflow.record_marker({of!r})"
    return f"nbflow.side_effect({of})"


def names_of(state: CallState) -> tuple[str, ...]:
    """Give the names of what code calls to ask for it, in its text."""
    if state.name:
        return (state.name,)
    head, told, _ = state.id.partition(":")
    kind = f"{head}:" if told else head.rpartition("-")[0]
    return _ASKERS.get(kind, (kind,))


_ASKERS: Final = {
    "marker": ("record_marker",),
    "timer": ("sleep", "start_timer", "wait"),
    "signal": ("signal",),
    "signal:": ("wait_signal", "signals"),
    "patched:": ("patched",),
}
"""What code calls for things that are no calls, by what their ids begin with."""


def line_of(source: str, *names: str) -> int:
    """Give the line of the one call of these names in a text; 0 if there is none or are more."""
    try:
        tree = parsed(textwrap.dedent(source))
    except (SyntaxError, ValueError):
        return 0
    found = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name(node.func) in names
    ]
    return found[0] if len(found) == 1 else 0


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
    return ""


def causes(
    fn: Callable[..., Any] | None, history: History, call: str, now: tuple[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Say what may be the cause.

    Args:
        fn: The workflow's code as it is now.
        history: The run.
        call: Id of what differs.
        now: Digest of the code as it is now, and what it takes from the notebook; "" and nothing
            where that is not known.
    """
    found = list(_forgotten(history, call))
    found += _changed(fn, history, now)
    findings = lint.check(fn) if fn is not None else []
    found += [f"{f.what} at {f.where}: {f.advice}" for f in findings[:_MOST]]
    if not found:
        same = "the code is as it was then, so it" if history.started and now[0] else "it"
        found.append(
            f"{same} depends on something that is not in the log: a file, the time, chance, the "
            "order of a set, or what a module holds"
        )
    return tuple(found)


def _changed(
    fn: Callable[..., Any] | None, history: History, now: tuple[str, tuple[str, ...]]
) -> Iterator[str]:
    """Say what of the code was changed since the run was started."""
    started, (code, captured) = history.started, now
    if started is None or (code and code == started.code):
        return
    source = _source(fn)
    changed = list(_changes(started.source, source)) if started.source and source else []
    if changed:
        yield "the workflow's code was changed since the run was started:"
        yield from changed
    if not code:
        return
    before, after = (
        dict(_halves(text) for text in taken) for taken in (started.captured, captured)
    )
    others = [name for name in after if name in before and after[name] != before[name]]
    for name in others[:_MOST]:
        yield f"{name} was changed since: {before[name]} then, {after[name]} now"
    if started.code and not changed and not others:
        yield "something that the workflow uses was changed since: a helper, an activity or a value"


def _halves(text: str) -> tuple[str, str]:
    name, _, what = text.partition(": ")
    return name, what


def _forgotten(history: History, call: str) -> Iterator[str]:
    if history.forgot and history.recorded.get(call, 0) > history.forgot:
        yield (
            "the code asked for it after a call that runs anew now, whose result or error may "
            "have decided it"
        )


def _source(fn: Callable[..., Any] | None) -> str:
    thing: Any = getattr(fn, "cls", fn)
    try:
        return source_of(thing)
    except (OSError, TypeError):
        return ""


def _changes(before: str, after: str) -> Iterator[str]:
    """Give the first lines that were changed."""
    old, new = (
        [line.rstrip() for line in textwrap.dedent(text).splitlines()] for text in (before, after)
    )
    found = [
        line
        for line in difflib.unified_diff(old, new, lineterm="", n=0)
        if line[:1] in {"-", "+"} and line[:3] not in {"---", "+++"} and line[1:].strip()
    ]
    for line in found[: 2 * _MOST]:
        yield f"  {line[0]} {line[1:].strip()}"[:_WIDTH]
    if len(found) > 2 * _MOST:
        yield f"  … and {len(found) - 2 * _MOST} more lines"


def error(run: str, difference: Difference, head: str = "") -> NondeterminismError:
    """Make the exception of a difference."""
    head = head or f"run {run} cannot continue"
    found = NondeterminismError(difference.text(run, head))
    found.difference = difference
    return found
