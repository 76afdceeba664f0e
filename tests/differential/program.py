"""What a program is: a workflow, what it is given, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

W = TypeVar("W")

CAPABILITIES: Final[dict[str, str]] = {
    "calls": "runs activities and gives their results and errors",
    "children": "starts runs that are calls of others",
    "limits": "keeps time limits of attempts",
    "markers": "records values that code takes from outside",
    "middleware": "calls functions around each attempt",
    "onward": "lets a run go on in a new one",
    "outside": "lets somebody else signal, cancel or resume a run meanwhile",
    "programs": "has a file system and can start programs",
    "signals": "carries signals between runs",
    "stuck": "gives up an attempt that runs",
    "timers": "keeps timers",
}
"""What a backend may have, and programs may need."""

FEATURES: Final[dict[int, str]] = {
    1: "activity options",
    2: "an activity is still a function",
    3: "activities that are classes",
    4: "activities that cannot be imported",
    5: "workflows as functions and as classes; submit, map, starmap",
    6: "futures, waiting for them, errors",
    7: "retries, and failures that do not raise",
    8: "the four time limits",
    9: "heartbeats",
    10: "what a workflow decides about failures",
    11: "equal calls as one, ids of one's own",
    12: "types registered with the service",
    13: "many calls, and a limit on open ones",
    14: "priorities",
    15: "groups, chains, late groups, errors of several",
    16: "child runs",
    17: "signals",
    18: "timers, markers, what is known of them",
    19: "going on as new",
    20: "cancelling",
    21: "hooks, and failing from code",
    22: "what a run and an attempt know of themselves",
    23: "going on after a failure with what has succeeded",
    24: "large values",
    25: "values of many types, and such as cannot be stored",
    26: "steps",
    27: "measuring what activities read and write",
    28: "programs and other interpreters",
    29: "programs that are fetched",
    30: "functions around each attempt",
    31: "processes of deciders and workers",
    32: "one command, one call",
    33: "settings",
    34: "logging",
}
"""What programs show, in the order of docs/coverage.md."""

ELSEWHERE: Final[dict[int, str]] = {
    12: "there is nothing to register here: a service's own tests",
    31: "there are no such processes here: a service's own tests",
    32: "tests/test_examples.py",
    33: "tests/contracts/test_runs.py",
    34: "tests/engine/test_output.py",
}
"""Features that no workflow can show, and where they are tested."""

NOTHING: Final = object()
"""Stands for a result that a program says nothing of."""
HERE: Final = "<directory>"
"""An argument that stands for a directory of the program's own."""


@dataclass(frozen=True)
class Outside:
    """Something that somebody outside does to the run that was started.

    Attributes:
        do: ``"signal"``, ``"cancel"`` or ``"resume"``.
        after: Once this call or timer is settled; with ``"asked "`` before it, once it is in the
            log; "": at once. To resume, the run has to be over in any case.
        name: Of the signal.
        value: Of the signal.
    """

    do: str
    after: str = ""
    name: str = ""
    value: Any = None


@dataclass(frozen=True, kw_only=True)
class Program:
    """A workflow, what it is given, and what has to come of it.

    Attributes:
        name: What tests call it.
        workflow: The workflow.
        shows: Numbers of `FEATURES`.
        args: Its arguments.
        gives: Its result.
        raises: Class and message of what it fails with.
        status: How its last run is closed.
        needs: Those of `CAPABILITIES` that a backend has to have besides ``"calls"``.
        outside: What somebody outside does, in order.
        loose: Calls of which chance decides how they end, or whether they are asked for.
        late: Activities whose attempts never answer, and the time limit that each passes first;
            "" where nothing ends them but being given up.
        middleware: Functions around each attempt, as `nbflow.configure` takes them.
        told: The hooks that have to be called, of each run in order.
    """

    name: str
    workflow: Any
    shows: tuple[int, ...]
    args: tuple[Any, ...] = ()
    gives: Any = NOTHING
    raises: tuple[str, str] | None = None
    status: str = "completed"
    needs: frozenset[str] = frozenset()
    outside: tuple[Outside, ...] = ()
    loose: tuple[str, ...] = ()
    late: Mapping[str, str] = field(default_factory=dict)
    middleware: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, list[str]] = field(default_factory=dict)

    def given(self, directory: Path) -> tuple[Any, ...]:
        """Give its arguments, with a directory in the place of `HERE`."""
        return tuple(str(directory) if value is HERE else value for value in self.args)


PROGRAMS: Final[dict[str, Program]] = {}
"""All programs by name."""


def program(*shows: int, **what: Any) -> Callable[[W], W]:
    """Make a program of a workflow, and give the workflow; takes what `Program` has.

    Example:
        >>> @program(5, args=(1,), gives=4)
        ... @nbflow.workflow
        ... def basic(x): ...
    """

    def made(workflow: W) -> W:
        found: Any = workflow
        name = getattr(found, "name", "") or found.__name__
        assert name not in PROGRAMS, f"there are two programs {name}"
        if "raises" in what:
            what.setdefault("status", "failed")
        what["needs"] = _needs(what)
        PROGRAMS[name] = Program(name=name, workflow=workflow, shows=shows, **what)
        return workflow

    return made


def _needs(what: dict[str, Any]) -> frozenset[str]:
    """Give what a program needs besides what it says, by what it has."""
    needs = {"calls", *what.get("needs", ())}
    if what.get("outside"):
        needs.add("outside")
    if what.get("late"):
        needs |= {"stuck", *(["limits"] if any(what["late"].values()) else [])}
    if what.get("middleware"):
        needs.add("middleware")
    unknown = needs - set(CAPABILITIES)
    assert not unknown, f"no such capability: {unknown}"
    return frozenset(needs)
