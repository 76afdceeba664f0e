"""What a child process does: start or resume the one run of a store, and drive it to its end."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nbflow
from nbflow.core.events import RunResumed
from nbflow.engine import attempts
from tests.crash import family, flow, mishaps, mutants
from tests.crash.ledger import Ledger, read, short
from tests.crash.points import Points, PointStore, PointThreads, kill, point_files

SLOTS = 3
DONE, TOLD, FAULT = 0, 3, 70
"""How a child ends by itself: the run is over; it was told that it may not go on; neither."""
_WAIT = 30


@dataclass(frozen=True, slots=True)
class Spec:
    """What a child is to do.

    Attributes:
        directory: Where the store and the ledger are.
        flow: Name of the workflow.
        kill_at: At which point it dies, from 1; 0: nowhere.
        near: Only points with such a label count.
        behind: It begins once so many effects have happened, or the run is over.
        force: Whether it takes the run over.
        rerun: A call that it has run again, if the run has completed.
        mutant: Which promise of nbflow's it breaks; "" for none.
        durability: Of the store.
    """

    directory: str
    flow: str = "everything"
    kill_at: int = 0
    near: str = ""
    behind: int = 0
    force: bool = False
    mutant: str = ""
    rerun: str = ""
    durability: str = "process"


def live(spec: Spec) -> int:
    """Do it, in this process, and give how it ended."""
    home = Path(spec.directory)
    ledger = flow.ledger = Ledger(home / "ledger")
    if spec.flow == "everything":
        attempts.POISON = 1000  # these are killed from outside, which is no call's fault
    _wait_for(home / "ledger", spec.behind)
    ledger.write("begun", spec.kill_at)
    try:
        return _drive(spec, ledger)
    except (nbflow.RunError, nbflow.StoreError, nbflow.PoisonActivity) as error:
        ledger.write("told", type(error).__name__, str(error))
        return TOLD
    except BaseException:  # shown by the parent
        (home / f"fault-{os.getpid()}").write_text(traceback.format_exc())
        return FAULT


def _wait_for(path: Path, effects: int) -> None:
    while effects:
        kinds = [line.kind for line in read(path)]
        if kinds.count("effect") >= effects or kinds[-1:] in (["value"], ["told"]):
            return
        os.sched_yield()


def _drive(spec: Spec, ledger: Ledger) -> int:
    points = flow.points = Points(spec.kill_at, kill(ledger.write), spec.near)
    point_files(points)
    kind = mutants.apply(spec.mutant, PointStore)
    store = kind(str(Path(spec.directory) / "store"), points, durability=spec.durability)
    mishaps.store = store
    nbflow.configure(store=store)
    workflow = {**flow.FLOWS, **mishaps.FLOWS, **family.FLOWS}[spec.flow]
    begin = partial(_rerun, spec.rerun) if spec.rerun else _begin
    run = begin(store, workflow, PointThreads(SLOTS, points), force=spec.force)
    ledger.write("started", run.id)
    if spec.flow == "listens":
        _tell(run, ledger, points)
    ledger.write("value", short(run.result(_WAIT)))
    return DONE


def _tell(run: Any, ledger: Ledger, points: Points) -> None:
    """Send a run signals, as long as it hears any; the ledger has what was sent for certain."""
    words = [f"{os.getpid()}-{number}" for number in range(family.TOKENS)]
    for word in (*words, family.STOP):
        ledger.write("sending", word)
        points.at("signal:before")
        try:
            run.signal("go", word)
        except nbflow.RunError:
            return  # it is over
        ledger.write("sent", word)
        points.at("signal:after")


def _rerun(call: str, store: Any, workflow: Any, place: Any, *, force: bool) -> Any:
    (row,) = store.runs()
    run: Any = nbflow.attach(row.run, store)
    if any(isinstance(event, RunResumed) for event in store.events(row.run)):
        return _begin(store, workflow, place, force=force)
    return run.rerun(call, workflow=workflow, on=place)


def _begin(store: Any, workflow: Any, place: Any, *, force: bool) -> Any:
    rows = [row for row in store.runs() if "/" not in row.run]  # a child is its parent's
    if not rows:
        return workflow.on(place).start()
    run: Any = nbflow.attach(rows[-1].run, store)
    while run.onward is not None:
        run = run.onward
    if run.status == "completed":
        return run
    try:
        return run.resume(workflow, on=place, force=force)
    except nbflow.RunError:
        if run.done() and not force:  # another process was quicker
            return run
        raise
