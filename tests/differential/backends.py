"""What runs programs. A service joins by one class here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol

import nbflow
from nbflow.core.events import Event
from nbflow.core.history import History
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore
from nbflow.testing.checks import eventually
from tests.differential.activities import inc
from tests.differential.on_dask import on_dask
from tests.differential.outcome import Outcome
from tests.differential.program import CAPABILITIES, Outside, Program
from tests.differential.service import Service, first
from tests.differential.told import HOOKS

EVERYTHING: Final = frozenset(CAPABILITIES)


class Backend(Protocol):
    """Runs programs.

    Attributes:
        name: What tests call it.
        can: Those of `CAPABILITIES` that it has; programs that need others are not given to it.
    """

    name: str
    can: frozenset[str]

    def run(self, program: Program, directory: Path) -> Outcome:
        """Run a program to the end of all its runs, and give what came of it.

        Args:
            program: The program.
            directory: An empty directory of its own.
        """


class Decided:
    """A service in miniature, on which `decide` is asked after every event.

    Args:
        name: What tests call it.
        choose: Which of the attempts that could begin comes next.
    """

    can = EVERYTHING

    def __init__(self, name: str, choose: Callable[[list[Any]], Any]) -> None:
        self.name, self._choose = name, choose

    def run(self, program: Program, directory: Path) -> Outcome:
        """See `Backend.run`."""
        service = Service(program, self._choose)
        settings.store = service.store
        return service.play(directory)


@nbflow.workflow
def warming() -> list[int]:
    """Have each of two workers do something."""
    return [inc(0), inc(1)]  # type: ignore[list-item]


class Live:
    """A place of this process.

    Args:
        place: Its name.
        can: See `Backend`.
        workers: How many attempts run at once.
    """

    def __init__(self, place: str, can: Iterable[str], workers: int | None) -> None:
        self.name = place
        self.can = frozenset(can)
        self._options = {} if workers is None else {"max_workers": workers}

    def run(self, program: Program, directory: Path) -> Outcome:
        """See `Backend.run`."""
        if self.name == "processes":
            self._warm()
        HOOKS.clear()
        store = settings.store = MemoryStore()
        nbflow.configure(middleware=dict(program.middleware))
        workflow = program.workflow.on(self.name, **self._options)
        run = workflow.start(*program.given(directory))
        for act in program.outside:
            self._do(act, run, program)
        eventually(lambda: run.done() and _all_over(store), f"{program.name} ends")
        logs = {row.run: list(store.events(row.run)) for row in store.runs()}
        return Outcome.of(run.id, logs, store.get, list(HOOKS))

    def _warm(self) -> None:
        """See that the workers are there: no program's time limit is about how they start."""
        settings.store = MemoryStore()
        nbflow.configure(middleware={})
        warming.on(self.name, **self._options).start().result(30)

    def _do(self, act: Outside, run: nbflow.Run[Any], program: Program) -> None:
        """Be somebody outside."""
        eventually(lambda: _reached(act, run.events()), f"{act} of {program.name}")
        match act.do:
            case "signal":
                run.signal(act.name, act.value)
            case "cancel":
                run.cancel("the test says so")
            case "resume":
                eventually(run.done, f"{program.name} ends")
                run.resume(workflow=program.workflow)


def _all_over(store: MemoryStore) -> bool:
    return all(row.status != "running" for row in store.runs())


def _reached(act: Outside, log: Iterable[Event]) -> bool:
    asked, _, call = act.after.rpartition(" ")
    if not call:
        return True
    state = History.of(log).calls.get(call)
    return state is not None and (bool(asked) or state.outcome is not None)


def _last(ready: list[Any]) -> Any:
    """Take what was asked for last."""
    return ready[-1]


REFERENCE: Final = Decided("decided", first)
"""What all others are compared with: nothing in it is left to chance."""

BACKENDS: Final[tuple[Backend, ...]] = (
    Decided("decided, last first", _last),
    Live("threads", EVERYTHING, 4),
    Live("processes", EVERYTHING, 2),
    # Its calls run in the thread that starts the run, so nobody else gets a word in.
    Live("inline", EVERYTHING - {"outside", "stuck", "limits"}, None),
    # Plain functions run on its one loop, so one that is stuck holds up all.
    Live("asyncio", EVERYTHING - {"stuck", "limits"}, 4),
    on_dask(Live, EVERYTHING),
)
"""All of them but the reference."""
