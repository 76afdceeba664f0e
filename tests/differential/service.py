"""A service in miniature: it owns the logs, and asks `decide` after every single event.

It is what is left of a service once networks, processes and time are taken away: it starts what
is to be started, plays the workers, and lets time pass when nothing else is left to happen. All
of it is decided by the logs alone, so a program runs the same way each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nbflow.core.events import RunResumed, RunStarted, SignalReceived
from nbflow.core.payload import Stored, pack, spill, unpack
from nbflow.core.workflow import definition
from nbflow.engine.around import Middlewares
from nbflow.store.memory import MemoryStore
from tests.differential.outcome import Outcome
from tests.differential.played import Played
from tests.differential.program import Outside, Program
from tests.differential.told import HOOKS

MOST_EVENTS = 1_500
"""More than any program needs: what has so many goes round in circles."""
ROOT = "played-0"
TICK = 0.001


def first(ready: list[Any]) -> Any:
    """Take what was asked for first."""
    return ready[0]


class Service:
    """Plays one program to its end.

    Args:
        program: The program.
        choose: Which of the attempts that could begin comes next.
        crashes: Numbers of events after which all runs are driven by somebody new.
    """

    def __init__(
        self,
        program: Program,
        choose: Callable[[list[Any]], Any] = first,
        crashes: Iterable[int] = (),
    ) -> None:
        self.program = program
        self.choose = choose
        self._crashes = sorted(crashes)
        self.store = MemoryStore()
        self.now = 1_000_000_000.0
        self.runs: dict[str, Played] = {}
        self.mail: list[tuple[str, SignalReceived]] = []
        self._outside: list[Outside] = list(program.outside)
        self._letters = 0

    def play(self, directory: Path) -> Outcome:
        """Run it, and give what came of it."""
        HOOKS.clear()
        workflow = self.program.workflow
        found = definition(workflow)
        args = tuple(self.kept(value) for value in self.program.given(directory))
        event = RunStarted(0, 0.0, found.name, args, {}, seed=ROOT, tags=found.settings.tags)
        self.begin(ROOT, workflow, event)
        return self.go_on()

    def go_on(self) -> Outcome:
        """Go on until all runs are over, and give what came of it."""
        while self._goes_on():
            events = sum(len(run.log) for run in self.runs.values())
            assert events < MOST_EVENTS, [run.log[-3:] for run in self.runs.values()]
            if self._crashes and events >= self._crashes[0]:
                del self._crashes[0]
                self._crash()
        logs = {run: played.log for run, played in self.runs.items()}
        return Outcome.of(ROOT, logs, self.store.get, list(HOOKS))

    def _crash(self) -> None:
        """Have whoever drives the runs begin anew, with nothing but the logs."""
        for run in self.runs.values():
            if not run.over:
                run.add(RunResumed(0, 0.0, "whoever drove it is gone"))

    # ------------------------------------------------------------ for its runs

    def begin(self, run: str, target: Any, event: RunStarted) -> Played:
        """Begin a run."""
        assert run not in self.runs, f"{run} is begun twice"
        found = self.runs[run] = Played(self, run, target)
        found.add(event)
        return found

    def around(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Put what the program says around an attempt."""
        middlewares = Middlewares.of(dict(self.program.middleware))
        return fn if middlewares == Middlewares() else middlewares.around(fn)

    def kept(self, value: object) -> Stored:
        """Store a value."""
        return spill(pack(value, "an argument"), self.store.put)

    def value(self, stored: Stored) -> Any:
        """Give what was stored."""
        return unpack(stored, _no_ref, self.store.get)

    def reach(self, run: str) -> Played | None:
        """Give the run that a letter to `run` gets to, if there is one."""
        found = self.runs.get(run)
        while found is not None and found.history.continued is not None:
            found = self.runs[found.history.continued.run]
        return found

    # ------------------------------------------------------------ what happens next

    def _goes_on(self) -> bool:
        """Have the next thing happen; False once all runs are over."""
        runs = list(self.runs.values())
        if any(run.decided() for run in runs) or self._delivered() or self._worked(runs):
            return True
        if self._done_outside():
            return True
        if all(run.over for run in runs):
            return False
        return self._later(runs)

    def _delivered(self) -> bool:
        """Deliver the first letter to somebody who is there."""
        for number, (run, told) in enumerate(self.mail):
            found = self.reach(run)
            if found is not None:
                del self.mail[number]
                if not found.over:
                    found.hear(told)
                return True
        return False

    def _worked(self, runs: list[Played]) -> bool:
        """Have one attempt run that can."""
        ready = [(run, state) for run in runs for state in run.ready(self.now)]
        if not ready:
            return False
        run, state = self.choose(ready)
        run.attempt(state)
        return True

    def _later(self, runs: list[Played]) -> bool:
        """Let time pass until the next thing is due."""
        due = [at for run in runs for at in run.due()]
        assert due, f"nothing is left to happen: {[run.log[-3:] for run in runs if not run.over]}"
        self.now = max(self.now, min(due))
        for run in runs:
            if run.fired(self.now):
                break
        return True

    # ------------------------------------------------------------ somebody outside

    def _done_outside(self) -> bool:
        if not self._outside:
            return False
        act, run = self._outside[0], self.runs[ROOT]
        if not run.reached(act.after) or (act.do == "resume" and not run.over):
            return False
        del self._outside[0]
        match act.do:
            case "signal":
                self._letters += 1
                letter = f"letter-{self._letters}"
                told = SignalReceived(0, 0.0, act.name, 0, self.kept(act.value), letter)
                self.mail.append((ROOT, told))
            case "cancel":
                run.cancel("the test says so")
            case "resume":
                run.add(RunResumed(0, 0.0, "the test says so"))
        return True


def _no_ref(call: str) -> object:
    raise AssertionError(f"a value refers to {call}")
