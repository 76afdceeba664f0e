"""All there is to tell of one call, as plain data of a bounded size.

Nothing of a user's is brought to life for it: values are described by `preview`, and errors are
what the log keeps of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from nbflow.core.call import CallState
from nbflow.core.events import CallCancelled, CallFailed, CallMissed, CallReused, CallSucceeded
from nbflow.core.failure import Failure
from nbflow.core.graph import Graph, Node
from nbflow.core.metrology import Measured
from nbflow.core.payload import Stored
from nbflow.core.profile import Bar, Profile
from nbflow.core.reasons import GROUPS, Reason
from nbflow.viz.measures import measured_text
from nbflow.viz.preview import error_of, trace_of, value_of
from nbflow.viz.rows import Rows
from nbflow.viz.standing import status_of
from nbflow.viz.wording import clean, duration, many

Detail = dict[str, Any]

_ARGUMENTS: Final = 100
_ATTEMPTS: Final = 50
_NEIGHBOURS: Final = 5_000
_NAME: Final = 60
_ID: Final = 300
_SOURCE: Final = 40_000
_IGNORED: Final = ": its result is None, since raises_on_failure is False"


class About(NamedTuple):
    """What a process that has a call's code knows of it.

    Attributes:
        parameters: Names of the activity's positional parameters; the last has a ``*`` if it takes
            all further ones.
        source: The activity's source text.
    """

    parameters: tuple[str, ...] = ()
    source: str = ""


AboutCall = Callable[[str], About]
"""Tells of a call by its id."""


def nothing(_: str) -> About:
    """Know nothing of any call: its code is not in this process."""
    return About()


class Tries:
    """Why attempts failed, and why there were any: a call's state tells of the last one only."""

    def __init__(self) -> None:
        self._missed: dict[str, tuple[str, ...]] = {}
        self._failed: dict[str, dict[int, tuple[str, float | None]]] = {}

    def add(self, event: CallFailed) -> None:
        """Note how an attempt failed."""
        kept = self._failed.setdefault(event.call, {})
        kept[event.attempt] = (error_of(event.error)[:_ID], event.retry_at)
        if len(kept) > _ATTEMPTS:
            del kept[min(kept)]

    def missed(self, event: CallMissed) -> None:
        """Note why no earlier result could be taken."""
        self._missed[event.call] = event.reasons

    def reason(self, call: str) -> str:
        """Say why a call that could have been answered by an earlier result runs, or ""."""
        reasons = map(Reason.parse, self._missed.get(call, ())[:5])
        return "; ".join(f"{GROUPS.get(r.group, r.group)}: {r.text}" for r in reasons)

    def of(self, call: str, attempt: int) -> tuple[str, float | None]:
        """Give why an attempt failed, "" if it did not, and when the next one was due."""
        return self._failed.get(call, {}).get(attempt, ("", None))


class Details:
    """Gives the details of calls.

    Args:
        run: The run's id.
        graph: The fold of its graph...
        profile: ...and of its profile.
        rows: Their rows.
        tries: Why attempts failed.
        about: Tells what is known of a call's code here.
    """

    def __init__(
        self,
        run: str,
        graph: Graph,
        profile: Profile,
        rows: Rows,
        tries: Tries,
        about: AboutCall = nothing,
    ) -> None:
        self._run = run
        self._graph = graph
        self._profile = profile
        self._rows = rows
        self._tries = tries
        self._about = about

    def of(self, row: int) -> Detail | None:
        """Give all there is to tell of the call of a row, or None if there is none."""
        call = self._rows.id(row)
        if call is None:
            return None
        state = self._graph.history.calls[call]
        about, outcome = self._about(call), state.outcome
        failure = _failure(state)
        progress = _progress(self._graph.node(call))
        return {
            "call": row,
            "id": clean(call, _ID),
            "label": clean(f"{state.name}({', '.join(_written(state))})", _ID),
            "activity": clean(state.name, _ID),
            "status": status_of(state),
            "args": [[clean(k, _NAME), v] for k, v in _arguments(state, about.parameters)],
            "result": value_of(outcome.result)
            if isinstance(outcome, CallSucceeded | CallReused)
            else "",
            "error": error_of(failure),
            "trace": trace_of(failure),
            "attempts": self._attempts(call, row),
            "needs": self._neighbours(list(dict.fromkeys(state.deps))),
            "feeds": self._neighbours(self._graph.feeds(call)),
            "source": _source(about.source),
            "child": clean(self._graph.history.children.get(call, ""), _ID),
            "key": clean(f"{self._run}/{call}", _ID),
            "why": clean(self._why(state) or (progress if state.status == "running" else ""), _ID),
            "progress": clean(progress, _ID),
        }

    def _neighbours(self, calls: Sequence[str]) -> list[int]:
        rows = (self._rows.row(call) for call in calls[:_NEIGHBOURS])
        return [row for row in rows if row is not None]

    # ------------------------------------------------------------------ attempts

    def _attempts(self, call: str, row: int) -> list[Detail]:
        """Give the last attempts of a call, first to last."""
        owners = self._rows.bars.column("call")
        found: list[int] = []
        start = 0
        while True:
            try:
                start = owners.index(row, start)
            except ValueError:
                break
            found.append(start)
            start += 1
        return [self._attempt(call, self._profile.bars[place]) for place in found[-_ATTEMPTS:]]

    def _attempt(self, call: str, bar: Bar) -> Detail:
        error, retry_at = self._tries.of(call, bar.attempt)
        failed = bar.status == "failed"
        return {
            "attempt": bar.attempt,
            "status": bar.status,
            "worker": clean(bar.worker, _NAME),
            "ready": self._since(bar.ready),
            "started": self._since(bar.started),
            "ended": self._since(bar.ended),
            "packing": bar.packing,
            "cpu": bar.cpu,
            "size": bar.size,
            "memory": bar.memory,
            "measured": [_measured(block) for block in bar.measured],
            "error": error if failed else "",
            "retry_at": self._since(retry_at) if failed else None,
        }

    def _since(self, at: float | None) -> float | None:
        return None if at is None else round(at - self._profile.begun, 6)

    # ------------------------------------------------------------------ why it is as it is

    def _why(self, state: CallState) -> str:
        """Say on one line why a call stands as it does, where that is not plain."""
        outcome = state.outcome
        match state.status:
            case "waiting":
                return self._waits_for(state)
            case "queued":
                return "waits for a free worker"
            case "retrying" if state.retry_at is not None:
                at = duration(max(0.0, state.retry_at - self._profile.begun))
                return f"attempt {state.attempt + 1} is due {at} after the run began"
            case "skipped" if state.because is not None:
                return f"did not run: {state.because.id}, which it needs, gave no result"
        if isinstance(outcome, CallReused):
            return f"did not run: it is the same as {outcome.source}, whose result was kept"
        if isinstance(outcome, CallCancelled):
            reason = f": {outcome.reason}" if outcome.reason else ""
            return f"cancelled{reason}{_abandoned(outcome)}"
        ending = _abandoned(outcome) + (_IGNORED if state.ignored else "")
        if ending:
            return f"failed{ending}"
        return self._tries.reason(state.id)

    def _waits_for(self, state: CallState) -> str:
        calls = self._graph.history.calls
        missing = [d for d in dict.fromkeys(state.deps) if calls[d].status != "done"]
        more = f" and {many(len(missing) - 3, 'other call')}" if len(missing) > 3 else ""
        return f"waits for {', '.join(missing[:3])}{more}" if missing else ""


def _abandoned(outcome: object) -> str:
    stopped = not (isinstance(outcome, CallFailed | CallCancelled) and outcome.abandoned)
    return "" if stopped else "; it could not be stopped where it runs, so it may go on unseen"


def _failure(state: CallState) -> Failure | None:
    outcome = (state.because or state).outcome
    return outcome.error if isinstance(outcome, CallFailed) else None


def _arguments(state: CallState, parameters: Sequence[str]) -> list[tuple[str, str]]:
    """Give the arguments by name, those whose name is not known by their place, from 1."""
    found = [(_parameter(i, parameters), a) for i, a in enumerate(state.args[:_ARGUMENTS])]
    found += list((state.kwargs or {}).items())[: _ARGUMENTS - len(found)]
    shown = [(name, value_of(stored)) for name, stored in found]
    more = len(state.args) + len(state.kwargs or {}) - len(shown)
    return [*shown, ("…", many(more, "more argument"))] if more > 0 else shown


def _parameter(place: int, parameters: Sequence[str]) -> str:
    if not parameters or (place >= len(parameters) and not parameters[-1].startswith("*")):
        return str(place + 1)
    name = parameters[min(place, len(parameters) - 1)]
    return f"{name[1:]}[{place - len(parameters) + 1}]" if name.startswith("*") else name


def _written(state: CallState) -> list[str]:
    """Write the arguments as in code, each cut short."""
    named: list[tuple[str, Stored]] = [("", a) for a in state.args[:8]]
    named += list((state.kwargs or {}).items())[: 8 - len(named)]
    words = [f"{name}{'=' if name else ''}{value_of(stored)[:_NAME]}" for name, stored in named]
    return words + ["…"] * (len(state.args) + len(state.kwargs or {}) > len(named))


def _source(text: str) -> str:
    """Give source text with its line breaks, and nothing else that acts."""
    lines = text[:_SOURCE].expandtabs(4).splitlines()
    return "\n".join(clean(line, 500) for line in lines) + ("\n…" if len(text) > _SOURCE else "")


def _measured(block: Measured) -> Detail:
    """Give a block as its name and a line of text."""
    return {"name": clean(block.name, _NAME), "text": clean(measured_text(block), _ID)}


def _progress(node: Node) -> str:
    """Say on one line what an attempt told last by a heartbeat: ``3 of 10 (30%): orders``."""
    if node.done is None:
        return node.details
    amount = f"{node.done:,g}"
    if node.total:
        amount += f" of {node.total:,g} ({node.done / node.total:.0%})"
    return f"{amount}: {node.details}" if node.details else amount
