"""Programs on Amazon SWF: its emulator, a decider and a worker, one thing at a time."""

from __future__ import annotations

import atexit
import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbflow.core.activity import Activity
from nbflow.core.events import Event, RunStarted, SignalReceived
from nbflow.core.history import History
from nbflow.core.payload import pack
from nbflow.engine.around import Middlewares
from nbflow.running.config import settings
from nbflow.services.swf import Api, Domain, WorkflowExecution, WorkflowExecutionQuerySet, emulator
from nbflow.services.swf.blobs import Directory
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import run_events, start_workflow
from nbflow.services.swf.flowworker import WorkflowWorker
from nbflow.services.swf.kept import KeptCode
from nbflow.services.swf.outside import cancel, resume
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.tasks import ActivityTask, DecisionTask
from nbflow.store.memory import MemoryStore
from tests.differential.outcome import Outcome
from tests.differential.program import CAPABILITIES, Outside, Program
from tests.differential.told import HOOKS

STEPS = 3_000
"""More than any program needs."""


class _Decider(WorkflowDecider):
    """Tells which activities it has seen, so that a worker can run those that nobody can name."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.activities: dict[str, Activity[..., Any]] = {}
        self.errors: list[Exception] = []

    def decide(self, task: DecisionTask) -> list[Any]:
        made = super().decide(task)
        for code in self.codes:
            for state in code.history.calls.values():
                if state.activity is not None:
                    self.activities[state.name] = state.activity
        self.codes.clear()
        return made

    def _code(self, *given: Any) -> KeptCode:
        code = super()._code(*given)
        self.codes = [code]
        return code

    def failed(self, task: DecisionTask, error: Exception) -> None:
        self.errors.append(error)

    codes: list[KeptCode] = []  # noqa: RUF012 - each decision has its own


class _Worker(WorkflowWorker):
    """Never answers for activities that are late."""

    late: frozenset[str]

    def outcome(self, task: ActivityTask) -> Callable[[], None]:
        if task.type.name in self.late:
            return lambda: None
        return super().outcome(task)


class OnSwf:
    """SWF's emulator in this process, whose clock goes on when nothing else is left to happen.

    Args:
        name: What tests call it.
        keep: How many executions the decider keeps; 0: each decision reads all, and runs the code
            from its start.
    """

    can = frozenset(CAPABILITIES)

    def __init__(self, name: str, keep: int) -> None:
        self.name, self._keep = name, keep
        self._numbers = itertools.count()
        self._endpoint: emulator.Endpoint | None = None

    def run(self, program: Program, directory: Path) -> Outcome:
        """See `Backend.run`."""
        HOOKS.clear()
        settings.store = MemoryStore()  # where steps are noted: of no other backend
        return _Played(self._site(), program, directory, self._keep).play()

    def _site(self) -> tuple[emulator.Endpoint, Domain]:
        if self._endpoint is None:
            stack = contextlib.ExitStack()
            limits = emulator.Limits(poll=0, domains=10_000)
            self._endpoint = stack.enter_context(emulator.running(limits=limits))
            self._api = Api(self._endpoint.client())
            atexit.register(stack.close)
        domain = Domain(api=self._api, name=f"{self.name}-{next(self._numbers)}", retention=1)
        return self._endpoint, domain.save()


class _Played:
    """One program."""

    def __init__(
        self, site: tuple[emulator.Endpoint, Domain], program: Program, directory: Path, keep: int
    ) -> None:
        self.endpoint, self.domain = site
        self.program, self.directory = program, directory
        self.blobs = Directory(directory.parent / f"{directory.name}-texts")
        self.outside: list[Outside] = list(program.outside)
        around = Middlewares.of(dict(program.middleware))
        self.decider = _Decider(
            self.domain, "default", [program.workflow], blobs=self.blobs, keep=keep
        )
        plain = around == Middlewares()
        self.worker = _Worker(
            self.domain, "default", (), blobs=self.blobs, around=None if plain else around.around
        )
        self.worker.late = frozenset(program.late)
        self.worker._known = self.decider.activities

    def play(self) -> Outcome:
        """Run it to the end of all runs."""
        self.root = start_workflow(
            self.domain,
            self.program.workflow,
            self.program.given(self.directory),
            workflow_id="played",
            blobs=self.blobs,
        )
        for _ in range(STEPS):
            if not self._goes_on():
                return Outcome.of("played", self._logs(), _no_blob, list(HOOKS))
        raise AssertionError(f"it does not end: {[e.kind for e in self.root.events()][-20:]}")

    def _goes_on(self) -> bool:
        if self.decider.step_own() or self.decider.step():
            assert not self.decider.errors, self.decider.errors
            return True
        if self._done_outside() or self._worked():
            return True
        if not self._open():
            return False
        self.endpoint.advance(1)
        return True

    def _worked(self) -> bool:
        """Work off one activity of any task list."""
        lists = {a.settings.task_list for a in self.decider.activities.values()}
        for name in sorted(lists | {"default"}):
            self.worker.task_list = name
            if self.worker.step():
                return True
        return False

    def _open(self) -> list[WorkflowExecution]:
        return list(WorkflowExecutionQuerySet(self.domain).filter(status="OPEN"))

    def _done_outside(self) -> bool:
        if not self.outside:
            return False
        act = self.outside[0]
        closed = not self._open()
        if act.do == "resume" and not closed:
            return False
        if act.after and not _reached(act, self._log()):
            return False
        del self.outside[0]
        match act.do:
            case "signal":
                texts = Texts("played", self.blobs, KeySeal())
                told = SignalReceived(0, 0.0, act.name, 0, pack(act.value, "a value"))
                self._latest().signal(act.name, texts.write("signal", told))
            case "cancel":
                cancel(self._latest(), "the test says so", blobs=self.blobs)
            case "resume":
                resume(self._latest(), "the test says so", blobs=self.blobs)
        return True

    def _latest(self) -> WorkflowExecution:
        return WorkflowExecutionQuerySet(self.domain).get("played")

    def _log(self) -> list[Event]:
        return run_events(self._latest(), blobs=self.blobs)

    def _logs(self) -> dict[str, list[Event]]:
        """Give the log of each run; of several executions of one, that of the latest."""
        found: dict[str, tuple[float, list[Event]]] = {}
        for execution in WorkflowExecutionQuerySet(self.domain).filter(status="CLOSED"):
            log = run_events(execution, blobs=self.blobs)
            first = log[0]
            assert isinstance(first, RunStarted)
            begun = next(iter(execution.events())).at
            if first.seed not in found or found[first.seed][0] <= begun:
                found[first.seed] = begun, log
        return {run: log for run, (_, log) in found.items()}


def _reached(act: Outside, log: list[Event]) -> bool:
    asked, _, call = act.after.rpartition(" ")
    state = History.of(log).calls.get(call)
    return state is not None and (bool(asked) or state.outcome is not None)


def _no_blob(digest: str) -> bytes:
    raise AssertionError(f"a value refers to {digest}")
