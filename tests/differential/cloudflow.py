"""Programs on Alibaba CloudFlow: its emulator, an orchestrator and workers, in this process."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbflow
from nbflow.core.events import Event
from nbflow.core.history import History
from nbflow.running.config import settings
from nbflow.services.base import Revival
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.store.memory import MemoryStore
from nbflow.testing.checks import eventually
from tests.cloudflow.crews import Site, site
from tests.differential.outcome import Outcome
from tests.differential.program import CAPABILITIES, Outside, Program
from tests.differential.told import HOOKS

WORKERS = 4


class OnCloudFlow:
    """The service's emulator, with those who drive runs and work for them in threads."""

    name = "cloudflow"
    can = frozenset(CAPABILITIES)

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._stack = contextlib.ExitStack()
        self._site: Site | None = None
        atexit.register(self._stack.close)

    def run(self, program: Program, directory: Path) -> Outcome:
        """See `Backend.run`."""
        HOOKS.clear()
        settings.store = MemoryStore()  # where steps are noted: of no other backend
        nbflow.configure(middleware=dict(program.middleware))
        place = self._place(stuck=bool(program.late))
        flow = program.workflow.on("cloudflow", **place.options())
        run = flow.start(*program.given(directory))
        service: Any = run.service
        for act in program.outside:
            self._do(act, run, program)
        name = run.id.split("/", 2)[2]
        logs: dict[str, list[Event]] = {}

        def over() -> bool:
            logs.clear()
            return _whole(service, name, logs)

        eventually(over, f"{program.name} ends", 60)
        told = sum(len(hooks) for hooks in program.told.values())
        eventually(lambda: len(HOOKS) >= told, f"the hooks of {program.name} are called", 60)
        return Outcome.of(name, logs, service.get, list(HOOKS))

    def _place(self, *, stuck: bool) -> Site:
        """Give where a program runs: one whose attempts never answer has workers of its own."""
        if self._site is not None and not stuck:
            return self._site
        home = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        made = self._stack.enter_context(site(home, WORKERS))
        if not stuck:
            self._site = made
        return made

    def _do(self, act: Outside, run: Any, program: Program) -> None:
        """Be somebody outside."""
        eventually(lambda: _reached(act, run.events()), f"{act} of {program.name}", 60)
        match act.do:
            case "signal":
                run.signal(act.name, act.value)
            case "cancel":
                run.cancel("the test says so")
            case "resume":
                eventually(run.done, f"{program.name} ends", 60)
                run.service.revive(run.id, Revival(reason="the test says so"))


def _whole(service: CloudFlowService, run: str, logs: dict[str, list[Event]]) -> bool:
    """Collect the logs of a run and of all that it leads to; tell whether all of them are over."""
    try:
        log = logs[run] = list(service.side().logs.events(run, soon=True))
    except nbflow.RunNotFound:
        return False
    history = History.of(log)
    onward = [] if history.continued is None else [history.continued.run]
    others = [*history.children.values(), *onward]
    return history.closed is not None and all(_whole(service, other, logs) for other in others)


def _reached(act: Outside, log: Iterable[Event]) -> bool:
    asked, _, call = act.after.rpartition(" ")
    if not call:
        return True
    state = History.of(log).calls.get(call)
    return state is not None and (bool(asked) or state.outcome is not None)
