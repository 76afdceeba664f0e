"""One trial: a run that is killed and resumed until it is over, judged all the way."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.crash.engine import DONE, FAULT, TOLD, Spec
from tests.crash.ledger import Line, read
from tests.crash.nursery import Nurseries
from tests.crash.rules import judge_incarnation, judge_trial
from tests.crash.snapshot import Snapshot

KILLED = -9


def new_seed() -> int:
    """Give a seed, and print it: NBFLOW_CRASH_SEED has a test repeat what it did."""
    seed = int(os.environ.get("NBFLOW_CRASH_SEED") or secrets.randbits(32))
    print(f"\nNBFLOW_CRASH_SEED={seed}")
    return seed


@dataclass(frozen=True, slots=True)
class Kill:
    """How an incarnation dies: at a point, or after so many seconds; by default not at all.

    Attributes:
        at: At which point, from 1.
        near: Of those with such a label, as in `Points`.
        after: Seconds.
    """

    at: int = 0
    near: str = ""
    after: float | None = None


@dataclass
class Trial:
    """A directory with a store and a ledger, and those who work there one after another.

    Attributes:
        nursery: Where processes come from.
        spec: What they do.
        kills: How many of them were killed.
    """

    nursery: Nurseries
    spec: Spec
    kills: int = 0
    last: Snapshot = field(init=False)
    _read: int = 0

    def __post_init__(self) -> None:
        self.last = Snapshot(self.store)

    @property
    def home(self) -> Path:
        return Path(self.spec.directory)

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def ledger(self) -> list[Line]:
        return read(self.home / "ledger")

    @property
    def died_at(self) -> list[str]:
        """Give the labels of the points that somebody died at."""
        return [line.what[0] for line in self.ledger if line.kind == "killed"]

    def incarnate(self, kill: Kill = Kill()) -> int:
        """Have one process start or resume the run, judge it, and give how it ended."""
        spec = replace(self.spec, kill_at=kill.at, near=kill.near)
        (status,) = self.together(spec, after=kill.after)
        assert status in {DONE, KILLED}, f"it ended by {status}: {self.ledger[-1]}"
        return status

    def together(self, *specs: Spec, after: float | None = None) -> list[int]:
        """Have processes work on the run at the same time."""
        statuses = self.nursery.run(*specs, kill_after=after)
        faults = [path.read_text() for path in self.home.glob("fault-*")]
        assert not faults, "\n".join(faults)
        assert not set(statuses) - {DONE, TOLD, KILLED, FAULT}, f"it hung: {statuses}"
        self.kills += statuses.count(KILLED)
        now, lines = Snapshot.of(self.store), self.ledger
        new = lines[self._read :]
        pids = {line.pid for line in new if line.kind == "begun"}
        assert len(pids) <= len(specs)
        judge_incarnation(self.last, now, new, pids)
        self.last, self._read = now, len(lines)
        return statuses

    def drive(self, kills: Iterable[Kill]) -> bool:
        """Kill as planned, then let the run come to its end, and judge the trial.

        Returns:
            Whether the last kill that was planned took place.
        """
        status, killed = KILLED, False
        for kill in kills:
            status = self.incarnate(kill)
            killed = status == KILLED
            if not killed:
                break
        if status == KILLED:
            assert self.incarnate() == DONE
        judge_trial(self.last, self.ledger, self.kills)
        return killed
